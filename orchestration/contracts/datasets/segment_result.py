"""Segment and revenue-line figures as documents print them."""

from orchestration.contracts.contract import (
    STRING,
    Column,
    Comparison,
    Contract,
    Reference,
    RowRule,
)
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

SEGMENT_RESULT = Contract(
    dataset="segment_result",
    group="segments",
    description=(
        "One row per document, segment, metric, period and currency: the figure as the document "
        "prints it. Consolidated figures live in `company_result`."
    ),
    known_flaws=(
        "Before June 2023 Alibaba's segment revenue is after inter-segment elimination; a printed "
        "dash is 0; fourth quarters of US filers are derived from the year."
    ),
    key=("document_id", "segment_key", "metric", "period_start", "period_end", "currency"),
    observed_on="period_end",
    columns=(
        DOCUMENT_ID,
        COMPANY_KEY,
        Column(
            "structure",
            STRING,
            "Segment structure, as in the registry of the company's structures.",
        ),
        Column(
            "breakdown",
            STRING,
            "Whether the row is a segment, a revenue line or a part of a segment.",
            allowed=("segment", "revenue_line", "subline"),
        ),
        Column(
            "segment_key",
            STRING,
            "Segment: `<company>.<structure>.<label>`.",
            references=Reference("segments", "segment_key"),
        ),
        Column("segment_label", STRING, "The registry's name of the segment."),
        Column("label_printed", STRING, "The document's name of it.", nullable=True),
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
        RowRule(
            "segment_as_registered",
            "critical",
            "Company, structure, breakdown and label are the segment's own.",
        ),
        RowRule("document_known", "critical", "The document is landed or in the same load."),
        RowRule("period_fits_type", "critical", "The period is as long as its type says."),
        RowRule(
            "adds_up",
            "critical",
            "Complete tables add up to the consolidated figure, within half a printed step a row.",
        ),
    ),
)
