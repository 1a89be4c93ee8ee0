"""Consolidated figures as documents print them."""

from orchestration.contracts.contract import Comparison, Contract, RowRule
from orchestration.contracts.datasets._results import (
    COMPANY_KEY,
    CURRENCY,
    DOCUMENT_ID,
    FIGURE,
    METRIC,
    PERIOD_END,
    PERIOD_START,
    PERIOD_TYPE,
)

COMPANY_RESULT = Contract(
    dataset="company_result",
    group="segments",
    description=(
        "One row per document, metric, period and currency: consolidated figures, which live here "
        "and only here."
    ),
    known_flaws="Peers' consolidated revenue is partly second-hand and rounded.",
    key=("document_id", "metric", "period_start", "period_end", "currency"),
    observed_on="period_end",
    columns=(
        DOCUMENT_ID,
        COMPANY_KEY,
        METRIC,
        PERIOD_START,
        PERIOD_END,
        PERIOD_TYPE,
        *FIGURE[:2],
        CURRENCY,
        *FIGURE[2:],
    ),
    comparisons=(Comparison("period_end", "period_start"),),
    rules=(
        RowRule("document_known", "critical", "The document is landed or in the same load."),
        RowRule("period_fits_type", "critical", "The period is as long as its type says."),
    ),
)
