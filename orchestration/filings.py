"""Filings and tagged facts as batches of ``document``, ``company_result`` and ``kpi``.

What belongs here: which document a filing is, and which row a fact is. Asking the SEC is
``orchestration.extract.edgar``'s, landing is ``orchestration.live``'s.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from orchestration.contracts import Contract, contract_for
from orchestration.contracts.periods import LONGEST_AFTER_PERIOD, PERIOD_DAYS
from orchestration.extract.edgar import NAME, Exhibit, Fact, Filing
from orchestration.files import write_json
from orchestration.registry import Registry
from orchestration.registry.entries import MetricEntry, XbrlConcept

DOCUMENT = contract_for("document")
COMPANY_RESULT = contract_for("company_result")
KPI = contract_for("kpi")
_MILLION = Decimal(1_000_000)
_STEPS = (_MILLION, Decimal(1000), Decimal(1))
#: "Announces June Quarter 2026 Results"; neither "Will Announce ..." nor the results of a meeting.
_ANNOUNCES = re.compile(
    r"\bannounces\b[^.]{0,120}?\b(?:quarter|year|half|interim)\b[^.]{0,120}?\bresults\b",
    re.IGNORECASE,
)
_ENDED = re.compile(
    r"\b(?:quarter|three months|months|year)s?\s+ended\s+([A-Z][a-z]+)\s+(\d{1,2}),?\s+(\d{4})",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^>]{0,2000}>")


@dataclass(frozen=True)
class Publication:
    """A filing as the document it is, with the exhibit that says most."""

    filing: Filing
    kind: str
    period_end: date
    main: Exhibit


class FolderCache:
    """Answers of the SEC kept in a folder, one file each, with what makes them conditional."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, url: str) -> tuple[Mapping[str, str], bytes] | None:
        """Return the kept validators and body; ``None`` when there are none."""
        path = self._path(url)
        if not path.exists():
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept["validators"], kept["body"].encode()

    def put(self, url: str, validators: Mapping[str, str], content: bytes) -> None:
        """Keep an answer in place of the one before."""
        kept = {"url": url, "validators": dict(validators), "body": content.decode()}
        write_json(self._path(url), kept)

    def clear(self) -> None:
        """Forget everything: the next answers are asked for whole."""
        for path in self.folder.glob("*.json"):
            path.unlink(missing_ok=True)

    def _path(self, url: str) -> Path:
        return self.folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"


def publication(filing: Filing, exhibits: Sequence[Exhibit]) -> Publication:
    """Return which document a filing is.

    A 6-K whose exhibit 99 announces results is the ``results`` of the period that its words name;
    its own report date is the day of the report. Without such words it is a ``6-k`` of that day.
    """
    kind = filing.form.removesuffix("/A").lower()
    if kind == "6-k":
        for exhibit in exhibits:
            if exhibit.type.startswith("EX-99") and (
                ends := announced_period(exhibit.content, filing.filed_on)
            ):
                return Publication(filing, "results", ends, exhibit)
    # A 6-K may be dated to the end of the month that it was filed in.
    ends = min(filing.report_date or filing.filed_on, filing.filed_on)
    return Publication(filing, kind, ends, exhibits[0])


def announced_period(content: bytes, published_on: date) -> date | None:
    """Return the end of the period whose results a release announces; ``None`` if it is none.

    It is the first period named that had ended in the months before: others are comparatives.
    """
    text = " ".join(
        html.unescape(_TAG.sub(" ", content[:200_000].decode("utf-8", "replace"))).split()
    )
    if not _ANNOUNCES.search(text[:3000]):
        return None
    named = filter(None, (_day(*match.groups()) for match in _ENDED.finditer(text)))
    earliest = published_on - LONGEST_AFTER_PERIOD
    return next((day for day in named if earliest <= day < published_on), None)


def _day(month: str, day: str, year: str) -> date | None:
    try:
        return datetime.strptime(f"{month.title()} {day} {year}", "%B %d %Y").date()
    except ValueError:
        return None


def document_batch(
    company_key: str,
    publications: Iterable[Publication],
    known: Mapping[str, str | None],
) -> pd.DataFrame:
    """Return publications as a batch of ``document``.

    ``known`` holds the accession number of each document id in use, ``None`` where a document was
    landed without one: the same publication from another source, which keeps its id.
    """
    taken = dict(known)
    rows = []
    for found in publications:
        filing = found.filing
        document_id = _document_id(company_key, found, taken)
        taken[document_id] = filing.accession
        rows.append(
            {
                "document_id": document_id,
                "company_key": company_key,
                # Its own, or that of the curated document it is.
                "kind": document_id.split(".")[1],
                "form": filing.form,
                "accession": filing.accession,
                "period_end": found.period_end,
                "reported_on": filing.filed_on,
                "title": f"Form {filing.form}, {found.main.type}: {found.main.name}",
                "source_quality": "official",
                "sha256": found.main.sha256,
                "source": NAME,
                "source_url": found.main.url,
            }
        )
    return _batch(DOCUMENT, rows)


def _document_id(company_key: str, found: Publication, taken: Mapping[str, str | None]) -> str:
    for document_id, accession in taken.items():
        if accession == found.filing.accession and document_id.startswith(f"{company_key}."):
            return document_id
    base = f"{company_key}.{found.kind}.{found.period_end}"
    is_amendment = found.filing.form.endswith("/A")
    if not is_amendment and taken.get(base) is None:
        return base
    number = 1 if is_amendment else 2
    mark = ".a" if is_amendment else "."
    while f"{base}{mark}{number}" in taken:
        number += 1
    return f"{base}{mark}{number}"


def fact_batches(
    registry: Registry,
    company_key: str,
    facts: Iterable[Fact],
    documents: Mapping[str, tuple[str, date, str]],
) -> tuple[pd.DataFrame, pd.DataFrame, Counter[str]]:
    """Return facts as batches of ``company_result`` and ``kpi``, and what was left out and why.

    ``documents`` gives for an accession number the document's id, the end of its period and its
    address. ``companyfacts`` has no precision: ``printed_step`` is the largest power of ten, up
    to a million, that divides every value of the document in that currency.
    """
    concepts: dict[tuple[str, str], XbrlConcept] = {
        (c.taxonomy, c.concept): c
        for c in registry.entries(XbrlConcept)
        if company_key not in c.except_company_keys
    }
    stocks = {m.metric for m in registry.entries(MetricEntry) if m.nature == "stock"}
    left_out: Counter[str] = Counter()
    results: dict[tuple[Any, ...], tuple[int, dict[str, Any]]] = {}
    kpis: dict[tuple[Any, ...], dict[str, Any]] = {}
    for fact in facts:
        concept = concepts.get((fact.taxonomy, fact.concept))
        document = documents.get(fact.accession)
        if concept is None or document is None:
            left_out["concept of another meaning" if concept is None else "unknown document"] += 1
            continue
        row = {"document_id": document[0], "company_key": company_key, "source": NAME,
               "source_url": document[2]}  # fmt: skip
        if concept.measure == "kpi":
            if fact.unit == "shares":
                kpi = (concept.key, fact.end, document[0])
                if kpi in kpis and kpis[kpi]["value"] != fact.value / _MILLION:
                    left_out["contradicted by a later fact"] += 1
                kpis[kpi] = row | {
                    "kpi": concept.key,
                    "as_of": fact.end,
                    "value": fact.value / _MILLION,
                    "unit": "million shares",
                }
            continue
        period = _period_type(fact, concept.key in stocks)
        if period is None or not re.fullmatch("[A-Z]{3}", fact.unit):
            left_out["period of another length" if period is None else "unit is no currency"] += 1
            continue
        start = fact.start or fact.end
        key = (document[0], concept.key, start, fact.end, fact.unit)
        if key in results:
            priority, earlier = results[key]
            if priority < concept.priority:
                left_out["a better concept is tagged"] += 1
                continue
            if priority > concept.priority:
                left_out["a better concept is tagged"] += 1
            elif earlier["value"] != fact.value:
                left_out["contradicted by a later fact"] += 1
        results[key] = (
            concept.priority,
            row
            | {
                "metric": concept.key,
                "period_start": start,
                "period_end": fact.end,
                "period_type": period,
                "value": fact.value,
                "unit": "one",
                "currency": fact.unit,
                "column_role": "current" if fact.end == document[1] else "prior_year",
                "locator": f"{fact.taxonomy}:{fact.concept}",
            },
        )
    rows = list(_with_steps(row for _, row in results.values()))
    return _batch(COMPANY_RESULT, rows), _batch(KPI, list(kpis.values())), left_out


def _with_steps(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    by_print: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by_print.setdefault((row["document_id"], row["currency"]), []).append(row)
    for printed in by_print.values():
        step = next(s for s in _STEPS if s == 1 or all(row["value"] % s == 0 for row in printed))
        yield from (row | {"printed_step": step} for row in printed)


def _period_type(fact: Fact, is_stock: bool) -> str | None:
    if fact.start is None or is_stock:
        return "instant" if is_stock and fact.start is None else None
    days = (fact.end - fact.start).days + 1
    return next((name for name, lengths in PERIOD_DAYS.items() if days in lengths), None)


def _batch(contract: Contract, rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pa.Table.from_pylist(rows, schema=contract.batch_schema)
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame
