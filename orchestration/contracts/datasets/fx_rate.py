"""Exchange rates."""

from orchestration.contracts.contract import DATE, FLOAT, STRING, Column, Contract

FX_RATE = Contract(
    dataset="fx_rate",
    group="macro",
    description="One row per pair and day: reference rates of the European Central Bank.",
    known_flaws="No rate on weekends and on TARGET holidays; CNY starts in April 2005.",
    key=("base", "quote", "rate_date"),
    observed_on="rate_date",
    columns=(
        Column("base", STRING, "Currency that one unit is of.", pattern="^[A-Z]{3}$"),
        Column("quote", STRING, "Currency the rate is counted in.", pattern="^[A-Z]{3}$"),
        Column("rate_date", DATE, "Day of the reference rate.", not_in_future=True),
        Column(
            "rate",
            FLOAT,
            "Units of quote per 1 base.",
            unit="quote per base",
            minimum=0,
            strict_minimum=True,
        ),
    ),
)
