"""Macroeconomic series, every vintage of them."""

from orchestration.contracts.contract import (
    DATE,
    FLOAT,
    STRING,
    Column,
    Comparison,
    Contract,
    Reference,
    RowRule,
)

MACRO_OBSERVATION = Contract(
    dataset="macro_observation",
    group="macro",
    description=(
        "One row per series, observation date and vintage: a revision is a new row. The baseline's "
        "vintage is its day of collection."
    ),
    known_flaws="Chinese levels are revised without restating the past; China ends in April 2025.",
    key=("series_id", "observation_date", "vintage_date"),
    observed_on="observation_date",
    columns=(
        Column(
            "series_id",
            STRING,
            "Series, as in the registry of macro series.",
            references=Reference("macro_series", "series_id"),
        ),
        Column("observation_date", DATE, "Day or end of the period observed.", not_in_future=True),
        Column("vintage_date", DATE, "Day on which the value was current.", not_in_future=True),
        Column("value", FLOAT, "Value in `unit`."),
        Column("unit", STRING, "Unit of the value."),
    ),
    comparisons=(Comparison("vintage_date", "observation_date"),),
    rules=(
        RowRule("unit_of_series", "critical", "Unit is the one the registry gives the series."),
    ),
)
