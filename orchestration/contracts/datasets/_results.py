"""Columns that segment and company figures share."""

from orchestration.contracts.contract import AMOUNT, DATE, STRING, Column, Reference

DOCUMENT_ID = Column("document_id", STRING, "Document that prints the figure.")
COMPANY_KEY = Column(
    "company_key",
    STRING,
    "Company that the figure is of.",
    references=Reference("companies", "company_key"),
)
METRIC = Column(
    "metric",
    STRING,
    "What is measured, as in the registry of metrics.",
    references=Reference("metrics", "metric"),
)
PERIOD_START = Column("period_start", DATE, "First day of the period; its end for a balance.")
PERIOD_END = Column("period_end", DATE, "Last day of the period.", not_in_future=True)
CURRENCY = Column("currency", STRING, "Currency of the figure.", pattern="^[A-Z]{3}$")
PERIOD_TYPE = Column(
    "period_type",
    STRING,
    "Length of the period; `instant` for a balance.",
    allowed=("quarter", "half_year", "nine_months", "year", "instant"),
)

#: The figure as printed, and where the document prints it.
FIGURE = (
    Column("value", AMOUNT, "Figure as printed, in `unit` of `currency`."),
    Column(
        "unit",
        STRING,
        "Unit the figure is printed in.",
        allowed=("one", "thousand", "million", "billion"),
    ),
    Column(
        "column_role",
        STRING,
        "What the document shows: the period it reports, a comparative of the prior year, or "
        "figures that this one is the difference of.",
        allowed=("current", "prior_year", "derived"),
    ),
    Column(
        "printed_step",
        AMOUNT,
        "Size of the last printed digit, in `unit`.",
        minimum=0,
        strict_minimum=True,
    ),
    Column("locator", STRING, "Page or table, row and column in the document.", nullable=True),
    Column("note", STRING, "Remark of the reader or curator.", nullable=True),
)
