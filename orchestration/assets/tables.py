"""Rows as the Dagster UI shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg


def table(
    rows: Sequence[Mapping[str, object]], *, leave_out_empty: bool = False
) -> dg.MetadataValue[Any]:
    """Return rows as a table; with ``leave_out_empty`` without the columns that no row fills."""
    if not rows:
        return dg.MetadataValue.text("no rows")
    names = [
        name
        for name in rows[0]
        if not leave_out_empty or any(row[name] is not None for row in rows)
    ]
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _cell(row[name]) for name in names}) for row in rows],
        dg.TableSchema([dg.TableColumn(name, type=_type(rows, name)) for name in names]),
    )


def _cell(cell: object) -> str | int | float | bool | None:
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)


def _type(rows: Sequence[Mapping[str, object]], name: str) -> str:
    first = next((row[name] for row in rows if row[name] is not None), "")
    return type(_cell(first)).__name__
