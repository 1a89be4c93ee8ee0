"""Basis and flags of prints by the rules of the contract, in plain Python and without SQL.

A print is a dict with segment_key, metric, period_start, period_end, document_id, company_key,
breakdown, structure, ``structure_age`` (its first reported period), column_role, value, step and
``order``: the day it is placed on, whether it is second-hand, its rank negated, its document.
Days are ISO texts.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import duckdb

Row = dict[str, Any]
FLAGS = (
    "basis",
    "is_original",
    "is_latest",
    "is_reporting_structure",
    "is_newest_structure",
)


def with_flags(prints: list[Row]) -> dict[tuple[str, ...], tuple[object, ...]]:
    """The flags of each print, by segment, metric, period and document."""
    of_period: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    of_figure: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in prints:
        period = (row["period_start"], row["period_end"])
        of_period[(row["company_key"], row["breakdown"], *period)].append(row)
        of_figure[(row["segment_key"], row["metric"], *period)].append(row)

    chosen = {}
    for key, group in of_period.items():
        earliest = min(row["order"] for row in group)
        candidates = [row for row in group if row["order"] == earliest]
        reporting = min(
            (row["column_role"] == "prior_year", row["structure_age"], row["structure"])
            for row in candidates
        )[2]
        newest_age = max(row["structure_age"] for row in group)
        newest = min(row["structure"] for row in group if row["structure_age"] == newest_age)
        chosen[key] = (reporting, newest)

    flags: dict[tuple[str, ...], tuple[object, ...]] = {}
    for figure, group in of_figure.items():
        group.sort(key=lambda row: row["order"])
        last_day = group[-1]["order"][0]
        on_last_day = [row for row in group if row["order"][0] == last_day]
        best = min(row["order"][1:3] for row in on_last_day)
        latest = max(
            (row for row in on_last_day if row["order"][1:3] == best),
            key=lambda row: row["document_id"],
        )
        earlier: Row | None = None
        for row in group:
            reporting, newest = chosen[
                row["company_key"], row["breakdown"], row["period_start"], row["period_end"]
            ]
            if row["column_role"] == "current":
                basis = "as_reported"
            elif row["column_role"] == "derived":
                basis = "derived"
            elif row["structure"] != reporting:
                basis = "recast"
            elif earlier is None:
                basis = "comparative"
            else:
                allowed = max(row["step"], earlier["step"]) / 2
                same = abs(row["value"] - earlier["value"]) <= allowed
                basis = "comparative" if same else "recast"
            flags[(*figure, row["document_id"])] = (
                basis,
                earlier is None and row["column_role"] != "prior_year",
                row is latest,
                row["structure"] == reporting,
                row["structure"] == newest,
            )
            earlier = row
    return flags


def flags_in(release: duckdb.DuckDBPyConnection, relation: str) -> dict[tuple[str, ...], Any]:
    cursor = release.execute(f"select * from {relation}")
    names = [column[0] for column in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {
        (
            row["segment_key"],
            row["metric"],
            row["period_start"].isoformat(),
            row["period_end"].isoformat(),
            row["document_id"],
        ): tuple(row[flag] for flag in FLAGS)
        for row in found
    }
