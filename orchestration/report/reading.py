"""Rows of the release, and how they become points."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orchestration.report.figure import Point, Series, Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, Any]


def rows(release: DuckDBPyConnection, sql: str, parameters: object = None) -> list[Row]:
    """Return the answer to a query, a dict for each row."""
    answer = release.execute(sql, parameters)
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def points(release: DuckDBPyConnection, sql: str, parameters: object = None) -> tuple[Point, ...]:
    """Return the points that a query gives.

    Its columns are ``series``, ``period``, ``value``, ``source`` and ``source_url`` and, where
    there are any, ``base`` and ``base_url`` (the other document that the value is computed from),
    ``chain`` and ``remark``. A row without a value is none.
    """
    return tuple(
        Point(
            series=row["series"],
            period=row["period"],
            value=float(row["value"]),
            sources=_sources(row),
            chain=row.get("chain") or "",
            remark=row.get("remark") or "",
        )
        for row in rows(release, sql, parameters)
        if row["value"] is not None
    )


def series_of(
    found: Iterable[Point], labels: dict[str, str], step_months: int = 3
) -> tuple[Series, ...]:
    """Return the series of ``labels`` in that order, then those that only ``found`` has."""
    keys = dict.fromkeys([*labels, *(point.series for point in found)])
    return tuple(Series(key, labels.get(key, key), step_months) for key in keys)


def _sources(row: Row) -> tuple[Source, ...]:
    named = ((row.get("source"), row.get("source_url")), (row.get("base"), row.get("base_url")))
    distinct = {url: Source(name or url, url) for name, url in reversed(named) if url}
    return tuple(reversed(distinct.values()))
