"""What dbt reads beside landing: registry, trading days and load log, as Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration import calendars
from orchestration.contracts import DOCUMENT_KINDS, SOURCE_RANK, SOURCES, Column
from orchestration.contracts.contract import DATE, STRING, TIMESTAMP_UTC
from orchestration.files import write_atomically
from orchestration.home import Home
from orchestration.landing import Assertion, Landing
from orchestration.registry import Registry

#: The calendars that dim_date flags, by column.
FLAGGED = {"is_xnys_session": "XNYS", "is_xhkg_session": "XHKG"}

LOAD_LOG = (
    Column("sequence", pa.int64(), "Order of assertion: within a source, later counts."),
    Column("dataset", STRING, "Landing dataset."),
    Column("batch_id", STRING, "Content hash of the batch, its file name in landing."),
    Column("source", STRING, "Upstream that the batch came from."),
    Column("source_rank", pa.int32(), "Rank of the source: of two the higher one counts."),
    Column("rows", pa.int64(), "Rows in the batch."),
    Column("newest_observation", DATE, "Newest date that the batch has a row of."),
    Column("asserted_at", TIMESTAMP_UTC, "When the batch was asserted.", unit="UTC"),
    Column("status", STRING, "`landed` (new content) or `asserted_again`."),
)

CALENDAR_DATES = (
    Column("calendar_date", DATE, "A day."),
    *(
        Column(column, pa.bool_(), f"Whether {mic} held a session on it.")
        for column, mic in FLAGGED.items()
    ),
)

PRECEDENCE_SCHEMA = pa.schema(
    [
        ("applies_to", pa.string()),
        ("name", pa.string()),
        ("rank", pa.int32()),
        ("reason", pa.string()),
    ]
)


def write_registry(home: Home, registry: Registry) -> dict[str, int]:
    """Write every registry file and the precedence as a table; returns row counts by name."""
    tables = registry.tables() | {"precedence": precedence()}
    return {name: _write(home, name, table) for name, table in tables.items()}


def precedence() -> pa.Table:
    """Return the order of sources and of kinds of documents, as models read it."""
    rows = [
        {"applies_to": applies_to, **asdict(entry)}
        for applies_to, entries in (("source", SOURCES), ("document_kind", DOCUMENT_KINDS))
        for entry in entries
    ]
    return pa.Table.from_pylist(rows, schema=PRECEDENCE_SCHEMA)


def write_calendar_dates(home: Home, registry: Registry) -> int:
    """Write one row per day with the sessions held on it; returns the number of rows."""
    return _write(home, "calendar_dates", _calendar_dates(registry))


def write_load_log(home: Home, landing: Landing, in_effect: Sequence[Assertion]) -> int:
    """Write these assertions and gather their batches; returns the number of rows.

    A snapshot: batches that land while dbt runs wait for the next build.
    """
    landing.gather(in_effect, home.gathered)
    return _write(home, "load_log", _load_log(in_effect))


def _write(home: Home, name: str, table: pa.Table) -> int:
    write_atomically(home.reference / f"{name}.parquet", lambda path: pq.write_table(table, path))
    return int(table.num_rows)


def _load_log(in_effect: Sequence[Assertion]) -> pa.Table:
    rows: list[dict[str, Any]] = [
        asdict(assertion) | {"source_rank": SOURCE_RANK[assertion.source]}
        for assertion in in_effect
    ]
    schema = pa.schema([(column.name, column.type) for column in LOAD_LOG])
    return pa.Table.from_pylist(rows, schema=schema)


def _calendar_dates(registry: Registry) -> pa.Table:
    import pandas as pd

    days = pd.date_range(calendars.FIRST_DAY, calendars.LAST_DAY)
    flags = {
        column: pa.array(days.isin(calendars.sessions(registry, mic)))
        for column, mic in FLAGGED.items()
    }
    return pa.table({"calendar_date": pa.array(days.date, pa.date32()), **flags})
