"""Dividends and splits."""

from orchestration.contracts.contract import (
    DATE,
    FLOAT,
    STRING,
    Column,
    Contract,
    Reference,
    RowRule,
)

CORPORATE_ACTION = Contract(
    dataset="corporate_action",
    group="market",
    description="One row per security, ex-date and kind of action.",
    key=("ticker", "ex_date", "action"),
    observed_on="ex_date",
    columns=(
        Column(
            "ticker",
            STRING,
            "Yahoo ticker, as in the registry of securities.",
            references=Reference("securities", "security_key"),
        ),
        Column("ex_date", DATE, "First session without the right to it.", not_in_future=True),
        Column("action", STRING, "Kind of action.", allowed=("dividend", "split")),
        Column(
            "value",
            FLOAT,
            "Dividend in currency per share, or new shares per old one.",
            minimum=0,
            strict_minimum=True,
        ),
        Column(
            "unit",
            STRING,
            "`<currency> per share` for a dividend, `ratio` for a split.",
            pattern="^(?:[A-Z]{3} per share|ratio)$",
        ),
    ),
    rules=(
        RowRule(
            "unit_of_action",
            "critical",
            "A dividend is in a currency per share, a split a ratio.",
        ),
    ),
)
