"""Stated counts, percentages and share counts."""

from orchestration.contracts.contract import (
    AMOUNT,
    DATE,
    STRING,
    Column,
    Contract,
    Reference,
    RowRule,
)
from orchestration.contracts.datasets._results import COMPANY_KEY, DOCUMENT_ID

KPI = Contract(
    dataset="kpi",
    group="segments",
    description="One row per company, indicator, day and document: the number as stated.",
    known_flaws="`more than` marks a floor; share counts before 2024 are rounded.",
    key=("company_key", "kpi", "as_of", "document_id"),
    observed_on="as_of",
    columns=(
        COMPANY_KEY,
        Column(
            "kpi",
            STRING,
            "Indicator, as in the registry of KPIs.",
            references=Reference("kpis", "kpi"),
        ),
        Column("as_of", DATE, "Day or end of the period stated.", not_in_future=True),
        DOCUMENT_ID,
        Column("value", AMOUNT, "Number as stated, in `unit`."),
        Column("unit", STRING, "Unit, as the registry of KPIs gives it."),
        Column(
            "qualifier",
            STRING,
            "How the document qualifies the number.",
            nullable=True,
            allowed=("more than", "rounded"),
        ),
        Column("note", STRING, "Remark of the reader or curator.", nullable=True),
    ),
    rules=(
        RowRule("unit_of_kpi", "critical", "Unit is the one the registry gives the indicator."),
        RowRule("document_known", "critical", "The document is landed or in the same load."),
    ),
)
