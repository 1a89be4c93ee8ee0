"""Publications that figures are taken from."""

from orchestration.contracts.contract import DATE, STRING, Column, Comparison, Contract, Reference

DOCUMENT = Contract(
    dataset="document",
    group="segments",
    description=(
        "One row per publication: a results release is one document, whether read as PDF or as "
        "exhibit 99.1 of the 6-K."
    ),
    known_flaws="`reported_on` is empty where unknown: such documents take no part in as-of.",
    key=("document_id",),
    observed_on="period_end",
    columns=(
        Column(
            "document_id",
            STRING,
            "`<company>.<kind>.<period_end>`, then `.a1` for an amendment, `.2` for a further "
            "second-hand source.",
            pattern=r"^[a-z0-9_]+\.(?:results|10-k|10-q|20-f|6-k|secondary)\.\d{4}-\d{2}-\d{2}"
            r"(?:\.(?:a\d+|\d+))?$",
        ),
        Column(
            "company_key",
            STRING,
            "Company that the document is about.",
            references=Reference("companies", "company_key"),
        ),
        Column(
            "kind",
            STRING,
            "Kind of publication.",
            allowed=("results", "10-k", "10-q", "20-f", "6-k", "secondary"),
        ),
        Column("form", STRING, "SEC form type, where filed.", nullable=True),
        Column(
            "accession",
            STRING,
            "SEC accession number, where filed.",
            nullable=True,
            pattern=r"^\d{10}-\d{2}-\d{6}$",
        ),
        Column("period_end", DATE, "End of the fiscal period reported.", not_in_future=True),
        Column(
            "reported_on",
            DATE,
            "Day of publication; empty where unknown.",
            nullable=True,
            not_in_future=True,
        ),
        Column("title", STRING, "Title of the publication."),
        Column(
            "source_quality",
            STRING,
            "Whether the company published it or someone else cites it.",
            allowed=("official", "secondary"),
        ),
        Column(
            "sha256",
            STRING,
            "SHA-256 of the file read, where one was kept.",
            nullable=True,
            pattern="^[0-9a-f]{64}$",
        ),
    ),
    comparisons=(Comparison("reported_on", "period_end"),),
)
