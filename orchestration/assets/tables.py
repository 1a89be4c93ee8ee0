"""Rows as the Dagster UI shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration.quality.report import row_in_words


def table(rows: Sequence[Mapping[str, object]]) -> dg.MetadataValue[Any]:
    """Return rows as a table."""
    if not rows:
        return dg.MetadataValue.text("no rows")
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _cell(cell) for name, cell in row.items()}) for row in rows],
        dg.TableSchema([dg.TableColumn(name, type=_type(rows, name)) for name in rows[0]]),
    )


def failing_rows(rows: Sequence[Mapping[str, object]]) -> dg.MetadataValue[Any]:
    """Return rows in words: a wide table would push the rest off the page of a check."""
    return table([{"row": row_in_words(row)} for row in rows])


def _cell(cell: object) -> str | int | float | bool | None:
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)


def _type(rows: Sequence[Mapping[str, object]], name: str) -> str:
    first = next((row[name] for row in rows if row[name] is not None), "")
    return type(_cell(first)).__name__
