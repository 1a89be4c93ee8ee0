"""Land files that a person brings, through the same guard as any batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.contracts import contract_for
from orchestration.documents.reader import read_document
from orchestration.documents.reading import DocumentRefused, Reading
from orchestration.documents.rows import typed
from orchestration.extract import facts_file, price_file
from orchestration.extract.facts_file import FactsFileError
from orchestration.loading import Loaded, Loader
from orchestration.registry.entries import Security, Segment
from orchestration.results import land_in_order, land_reading, quarantine_document

DOCUMENT = contract_for("document")
SEGMENTS = contract_for("segment_result")
COMPANY = contract_for("company_result")


@dataclass(frozen=True)
class ImportedDocument:
    """A document that has landed with all it says."""

    document_id: str
    reading: Reading
    loaded: tuple[Loaded, ...]


class DocumentQuarantined(Exception):
    """A document was refused and lies in quarantine; nothing landed was touched."""


def import_prices(loader: Loader, path: Path, ticker: str | None = None) -> Loaded:
    """Land a file of daily prices; the currency is the security's own where the file has none.

    Raises:
        PriceFileError: when the file is no price history, naming line, field and value.
        BatchRejected: when its rows break the contract.
    """
    history = price_file.read(path, ticker)
    if "currency" not in history:
        own = {s.security_key: s.currency for s in loader.registry.entries(Security)}
        history["currency"] = history["ticker"].map(own)
    indexes = {
        s.security_key for s in loader.registry.entries(Security) if s.security_type == "index"
    }
    history.loc[history["ticker"].isin(indexes), "split_basis"] = None
    contract = contract_for("daily_price")
    return loader.load(contract, history[contract.batch_schema.names])


def import_document(
    loader: Loader,
    path: Path,
    company_key: str,
    source_url: str | None = None,
    reported_on: date | None = None,
) -> ImportedDocument:
    """Read a document that a person downloaded, and land it with all it says.

    Where the document has landed before, from the baseline or a filing, it keeps its id, and its
    address and day of publication count unless others are given.

    Raises:
        DocumentQuarantined: when it cannot be read; it lies in quarantine with the reason.
        BatchRejected: when its figures break their contract.
        ValueError: when it has not landed and its address or day is not given.
        LookupError: when the registry does not describe the company's documents.
    """
    content = path.read_bytes()
    try:
        reading = read_document(content, path.name, company_key, loader.registry)
    except DocumentRefused as refusal:
        entry = quarantine_document(
            loader, content, path.name, company_key, "document", str(refusal)
        )
        raise DocumentQuarantined(
            f"{refusal}\nthe document is in quarantine as {entry.entry_id}"
        ) from refusal
    landed = {row["document_id"]: row for row in loader.landing.newest("document").to_pylist()}
    document = _document_row(reading, landed.get(reading.document_id), source_url, reported_on)
    document["sha256"] = loader.landing.files.keep(content, path.suffix)
    loaded = [loader.load(DOCUMENT, typed(DOCUMENT, [document]))]
    loaded += land_reading(
        loader, reading, document["document_id"], "document", document["source_url"]
    )
    return ImportedDocument(document["document_id"], reading, tuple(loaded))


def _document_row(
    reading: Reading,
    landed: Mapping[str, Any] | None,
    source_url: str | None,
    reported_on: date | None,
) -> dict[str, Any]:
    known = landed or {}
    row = {
        "document_id": reading.document_id,
        "company_key": reading.company_key,
        "kind": reading.kind,
        "form": known.get("form"),
        "accession": known.get("accession"),
        "period_end": reading.period_end,
        "reported_on": reported_on or known.get("reported_on") or reading.reported_on,
        "title": known.get("title") or reading.title,
        "source_quality": "official",
        "source": "document",
        "source_url": source_url or known.get("source_url"),
    }
    for name, option in (("source_url", "--url"), ("reported_on", "--reported-on")):
        if row[name] is None:
            raise ValueError(
                f"{reading.document_id}: {name} is not known; say it with {option}: every figure "
                "traces to a published document"
            )
    return row


def import_facts(loader: Loader, path: Path) -> list[Loaded]:
    """Land curated figures from a CSV file; a row without a segment is a consolidated figure.

    Documents that have not landed are landed from the file's own columns.

    Raises:
        FactsFileError: naming line, field and value of what cannot be read.
        BatchRejected: when the rows break the contract.
    """
    rows = facts_file.read(path, SEGMENTS.batch_schema)
    segments = {s.segment_key: s for s in loader.registry.entries(Segment)}
    for row in rows:
        row["source"] = "import"
        row["company_key"] = row.get("company_key") or row["document_id"].split(".")[0]
        segment = segments.get(row["segment_key"] or "")
        if segment is not None:
            row["structure"] = row.get("structure") or segment.structure
            row["breakdown"] = row.get("breakdown") or segment.breakdown
            row["segment_label"] = row.get("segment_label") or segment.name
    landed = set(loader.landing.newest("document")["document_id"].to_pylist())
    documents = list(_new_documents(path, rows, landed))
    figures = [{k: v for k, v in r.items() if k not in facts_file.OF_DOCUMENT} for r in rows]
    return land_in_order(
        loader,
        (
            (DOCUMENT, typed(DOCUMENT, documents)),
            (COMPANY, typed(COMPANY, [_of_company(r) for r in figures if not r["segment_key"]])),
            (SEGMENTS, typed(SEGMENTS, [r for r in figures if r["segment_key"]])),
        ),
    )


def _of_company(row: Mapping[str, Any]) -> dict[str, Any]:
    names = set(COMPANY.batch_schema.names)
    return {name: cell for name, cell in row.items() if name in names}


def _new_documents(
    path: Path, rows: Iterable[Mapping[str, Any]], landed: set[str]
) -> Iterable[dict[str, Any]]:
    """Return the documents that the rows name and that have not landed, each once."""
    new: dict[str, dict[str, Any]] = {}
    for row in rows:
        document_id = row["document_id"]
        if document_id in landed or document_id in new:
            continue
        parts = document_id.split(".")
        missing = [name for name in ("title", "source_quality") if not row.get(name)]
        if missing or len(parts) < 3:
            raise FactsFileError(
                f"{path.name}: document_id: {document_id!r} has not landed; give its "
                f"{', '.join(missing) or 'id as <company>.<kind>.<period_end>'} in the file"
            )
        try:
            period_end = date.fromisoformat(parts[2])
        except ValueError:
            raise FactsFileError(
                f"{path.name}: document_id: {document_id!r} is not <company>.<kind>.<period_end>"
            ) from None
        new[document_id] = {
            "document_id": document_id,
            "company_key": parts[0],
            "kind": parts[1],
            "period_end": period_end,
            "reported_on": row.get("reported_on"),
            "title": row["title"],
            "source_quality": row["source_quality"],
            "source": "import",
            "source_url": row["source_url"],
        }
    return new.values()
