"""Dated events around the companies."""

from orchestration.contracts.contract import DATE, STRING, Column, Contract, Reference

EVENT = Contract(
    dataset="event",
    group="reference",
    description=(
        "One row per event. An event on a closed day belongs to the next session; events known to "
        "the month only take no part in event studies."
    ),
    key=("event_id",),
    observed_on="event_date",
    columns=(
        Column("event_id", STRING, "Stable id: date and category, numbered if need be."),
        Column("event_date", DATE, "Day, or first day of the month.", not_in_future=True),
        Column("date_precision", STRING, "How well the day is known.", allowed=("day", "month")),
        Column(
            "category",
            STRING,
            "Kind of event.",
            allowed=(
                "business",
                "capex_plan",
                "capital_return",
                "export_control",
                "financing",
                "listing",
                "model_release",
                "regulation",
                "restructuring",
                "results",
            ),
        ),
        Column("title", STRING, "What happened."),
        Column(
            "company_keys",
            STRING,
            "Companies concerned, separated by `|`.",
            references=Reference("companies", "company_key", separator="|"),
        ),
        Column(
            "source_quality",
            STRING,
            "Whether the source is the actor itself.",
            allowed=("official", "secondary"),
        ),
    ),
)
