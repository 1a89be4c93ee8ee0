"""Fourth quarters, which 10-K and 20-F do not print: the year less the nine months before.

What belongs here: which printed figures a fourth quarter is the difference of. A difference is
taken within one segment key (so within one structure), metric and currency, between an official
year in a current column and the newest official figures of its first nine months that were printed
by then; a year whose segments were changed has no nine months under its keys and is not derived.
Known flaw: a reclassification within a segment shows only if the figures were printed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.contracts.periods import PERIOD_DAYS
from orchestration.documents.rows import COMPANY_RESULT, SEGMENT_RESULT, typed
from orchestration.registry import Registry
from orchestration.registry.entries import MetricEntry

_ONES = {"one": 1, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_DAY = timedelta(days=1)
_Row = dict[str, Any]


def derive(
    registry: Registry,
    company_key: str,
    segments: pa.Table,
    company: pa.Table,
    documents: pa.Table,
    source: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a company's fourth quarters as batches of ``segment_result`` and ``company_result``.

    One row per annual document, segment, metric and currency, in the document's unit;
    ``printed_step`` is the sum of the steps it was computed from. The tables are as landing reads
    them. A quarter that had been printed when the year was is left alone.
    """
    flows = {m.metric for m in registry.entries(MetricEntry) if m.nature == "flow"}
    official = {
        row["document_id"]: row["reported_on"] or row["period_end"]
        for row in documents.to_pylist()
        if row["company_key"] == company_key and row["source_quality"] == "official"
    }

    def rows(table: pa.Table) -> list[_Row]:
        mask = pc.equal(table["company_key"], company_key)
        derived: list[_Row] = []
        of_key: dict[tuple[str | None, str, str], list[_Row]] = {}
        for row in table.filter(mask).to_pylist():
            is_printed = row["column_role"] in ("current", "prior_year")
            if is_printed and row["document_id"] in official and row["metric"] in flows:
                key = (row.get("segment_key"), row["metric"], row["currency"])
                of_key.setdefault(key, []).append(row)
        for printed in of_key.values():
            derived += _fourth_quarters(printed, official)
        return [row | {"source": source} for row in derived]

    return typed(SEGMENT_RESULT, rows(segments)), typed(COMPANY_RESULT, rows(company))


def _fourth_quarters(printed: Sequence[_Row], reported: dict[str, date]) -> Iterator[_Row]:
    """Yield the fourth quarters of one segment key, metric and currency."""
    for year in printed:
        if year["period_type"] != "year" or year["column_role"] != "current":
            continue
        by_then = [
            row
            for row in printed
            if reported[row["document_id"]] <= reported[year["document_id"]]
            and row["period_start"] >= year["period_start"]
        ]
        newest: dict[tuple[str, date, date], _Row] = {}
        for row in sorted(by_then, key=lambda row: (reported[row["document_id"]], _role(row))):
            newest[row["period_type"], row["period_start"], row["period_end"]] = row
        parts = _nine_months(year, newest.values())
        if not parts:
            continue
        start, end = parts[-1]["period_end"] + _DAY, year["period_end"]
        is_quarter = (end - start).days + 1 in PERIOD_DAYS["quarter"]
        if is_quarter and ("quarter", start, end) not in newest:
            yield _less(year, parts, start)


def _role(row: _Row) -> bool:
    # Within one document a period stands once; between documents of one day its own comes first.
    return bool(row["column_role"] == "current")


def _nine_months(year: _Row, printed: Iterable[_Row]) -> list[_Row]:
    """Return the figure of the first nine months, or the three of its quarters, or nothing."""
    by_start: dict[tuple[str, date], _Row] = {}
    for row in printed:
        by_start[row["period_type"], row["period_start"]] = row
    whole = by_start.get(("nine_months", year["period_start"]))
    if whole:
        return [whole]
    quarters: list[_Row] = []
    start = year["period_start"]
    while len(quarters) < 3:
        quarter = by_start.get(("quarter", start))
        if quarter is None:
            return []
        quarters.append(quarter)
        start = quarter["period_end"] + _DAY
    return quarters


def _less(year: _Row, parts: Sequence[_Row], start: date) -> _Row:
    def in_unit(row: _Row, column: str) -> Decimal:
        return Decimal(row[column]) * _ONES[row["unit"]] / _ONES[year["unit"]]

    words = "nine months" if len(parts) == 1 else "three quarters"
    names = ", ".join(f"{part['document_id']} ({_locator(part)})" for part in parts)
    return year | {
        "label_printed": None,
        "period_start": start,
        "period_type": "quarter",
        "value": year["value"] - sum(in_unit(part, "value") for part in parts),
        "printed_step": year["printed_step"] + sum(in_unit(part, "printed_step") for part in parts),
        "column_role": "derived",
        "locator": f"{year['document_id']} ({_locator(year)}) less {words}: {names}",
        "note": f"year minus {words}",
    }


def _locator(row: _Row) -> str:
    return str(row["locator"] or "no locator")
