"""A reading as batches of ``segment_result``, ``company_result`` and ``kpi``.

What belongs here: how a figure becomes a row of its contract, typed as a batch is. Which
``document_id`` a document has, and landing, are the caller's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from orchestration.contracts import Contract, contract_for
from orchestration.documents.reading import DocumentRefused, Figure, Reading
from orchestration.registry import Registry
from orchestration.registry.entries import Kpi, Segment

SEGMENT_RESULT = contract_for("segment_result")
COMPANY_RESULT = contract_for("company_result")
KPI = contract_for("kpi")


def segment_batch(
    reading: Reading, document_id: str, source: str, source_url: str, registry: Registry
) -> pd.DataFrame:
    """Return a reading's segment figures, one row per segment, metric, period and currency.

    Raises:
        DocumentRefused: for a segment that the registry does not have.
    """
    segments = {entry.segment_key: entry for entry in registry.entries(Segment)}
    rows = []
    for figure in reading.figures:
        if figure.segment_key is None:
            continue
        segment = segments.get(figure.segment_key)
        if segment is None or segment.company_key != reading.company_key:
            raise DocumentRefused(
                f"{document_id}: {figure.locator}: {figure.segment_key} is no segment of "
                f"{reading.company_key} in segments.csv"
            )
        rows.append(
            _figure(figure, reading, document_id, source, source_url)
            | {
                "structure": segment.structure,
                "breakdown": segment.breakdown,
                "segment_key": segment.segment_key,
                "segment_label": segment.name,
                "label_printed": figure.label_printed,
            }
        )
    return typed(SEGMENT_RESULT, rows)


def company_batch(
    reading: Reading, document_id: str, source: str, source_url: str, registry: Registry
) -> pd.DataFrame:
    """Return a reading's consolidated figures, one row per metric, period and currency."""
    del registry  # the same call as for the other two
    rows = [
        _figure(figure, reading, document_id, source, source_url)
        for figure in reading.figures
        if figure.segment_key is None
    ]
    return typed(COMPANY_RESULT, rows)


def kpi_batch(
    reading: Reading, document_id: str, source: str, source_url: str, registry: Registry
) -> pd.DataFrame:
    """Return a reading's stated numbers, one row per indicator and day, in the registry's unit.

    Raises:
        DocumentRefused: for an indicator that the registry does not have.
    """
    units = {entry.kpi: entry.unit for entry in registry.entries(Kpi)}
    unknown = sorted({stated.kpi for stated in reading.statements} - units.keys())
    if unknown:
        raise DocumentRefused(f"{document_id}: {', '.join(unknown)}: not in kpis.csv")
    rows = [
        {
            "company_key": reading.company_key,
            "kpi": stated.kpi,
            "as_of": stated.as_of,
            "document_id": document_id,
            "value": stated.value,
            "unit": units[stated.kpi],
            "qualifier": stated.qualifier,
            "note": stated.note,
            "source": source,
            "source_url": source_url,
        }
        for stated in reading.statements
    ]
    return typed(KPI, rows)


def parsed_rows(reading: Reading, registry: Registry) -> list[dict[str, Any]]:
    """Return the figures of a reading in the columns of ``warehouse parse``, segments first.

    Consolidated figures have nothing in the columns from ``structure`` to ``label_printed``.
    """
    batches = (
        batch(reading, reading.document_id, "document", "", registry)
        for batch in (segment_batch, company_batch)
    )
    columns = [column.name for column in SEGMENT_RESULT.columns]
    return [
        {name: _printable(row.get(name)) for name in columns}
        for batch in batches
        for row in batch.to_dict(orient="records")
    ]


def _printable(cell: Any) -> str:
    if cell is None or cell is pd.NA:
        return ""
    return f"{cell.normalize():f}" if isinstance(cell, Decimal) else str(cell)


def typed(contract: Contract, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a batch of their contract; a column that a row lacks is null."""
    table = pa.Table.from_pylist(rows, schema=contract.batch_schema)
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _figure(
    figure: Figure, reading: Reading, document_id: str, source: str, source_url: str
) -> dict[str, Any]:
    return {
        "document_id": document_id,
        "company_key": reading.company_key,
        "metric": figure.metric,
        "period_start": figure.period_start,
        "period_end": figure.period_end,
        "period_type": figure.period_type,
        "value": figure.value,
        "unit": figure.unit,
        "currency": figure.currency,
        "column_role": figure.column_role,
        "printed_step": figure.printed_step,
        "locator": figure.locator,
        "note": figure.note,
        "source": source,
        "source_url": source_url,
    }
