"""Curated figures that a person brings as a CSV file, each with the document it was taken from.

Columns are those of ``segment_result`` (what ``warehouse parse`` prints), ``source_url`` and, for
documents that have not landed, ``reported_on``, ``title`` and ``source_quality``. A row without a
``segment_key`` is a consolidated figure.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa

#: What describes the document of a row rather than its figure.
OF_DOCUMENT = ("reported_on", "title", "source_quality")


class FactsFileError(ValueError):
    """A file of figures that cannot be read; the message names file, line, field and value."""


#: What no figure is without; ``segment_key`` may be empty.
REQUIRED = (
    "document_id", "segment_key", "metric", "period_start", "period_end", "period_type", "value",
    "unit", "currency", "column_role", "printed_step", "source_url",
)  # fmt: skip


def read(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the rows of a file with the types of ``schema``; an empty cell is ``None``.

    Raises:
        FactsFileError: for an unknown or missing column, a cell of another type, an empty cell that
            must be filled, and a file without rows.
        FileNotFoundError: when there is no such file.
    """
    types = {field.name: field.type for field in schema} | {
        "reported_on": pa.date32(),
        "title": pa.string(),
        "source_quality": pa.string(),
    }
    rows = []
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, restkey="(too many cells)")
        header = reader.fieldnames or []
        unknown = sorted(set(header) - types.keys())
        missing = sorted(set(REQUIRED) - set(header))
        if unknown or missing:
            raise FactsFileError(
                f"{path.name}:1: "
                + "; ".join(
                    f"{what} {', '.join(columns)}"
                    for what, columns in (("unknown columns", unknown), ("no column", missing))
                    if columns
                )
            )
        for cells in reader:
            rows.append(_row(cells, types, f"{path.name}:{reader.line_num}"))
    if not rows:
        raise FactsFileError(f"{path.name}: has no rows")
    return rows


def _row(cells: Mapping[str, Any], types: Mapping[str, pa.DataType], where: str) -> dict[str, Any]:
    if "(too many cells)" in cells or None in cells.values():
        raise FactsFileError(f"{where}: has more or fewer cells than the header")
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        text = cell.strip()
        if not text:
            if name in REQUIRED and name != "segment_key":
                raise FactsFileError(f"{where}: {name}: is empty")
            row[name] = None
            continue
        try:
            row[name] = _typed(text, types[name])
        except (ValueError, InvalidOperation):
            raise FactsFileError(f"{where}: {name}: {text!r} is no {_word(types[name])}") from None
    return row


def _typed(text: str, expected: pa.DataType) -> Any:
    if pa.types.is_date(expected):
        return date.fromisoformat(text)
    if pa.types.is_decimal(expected):
        number = Decimal(text)
        if not number.is_finite():
            raise ValueError(text)
        return number
    return text


def _word(expected: pa.DataType) -> str:
    return "date (YYYY-MM-DD)" if pa.types.is_date(expected) else "number"
