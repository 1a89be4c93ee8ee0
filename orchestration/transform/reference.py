"""What dbt reads beside landing: registry, trading days and load log, as Parquet."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration import calendars
from orchestration.contracts import DOCUMENT_KINDS, SOURCE_RANK, SOURCES
from orchestration.files import write_atomically
from orchestration.home import Home
from orchestration.landing import Landing
from orchestration.registry import Registry

#: The calendars that dim_date flags, by column.
FLAGGED = {"is_xnys_session": "XNYS", "is_xhkg_session": "XHKG"}

LOAD_LOG_SCHEMA = pa.schema(
    [
        ("sequence", pa.int64()),
        ("dataset", pa.string()),
        ("batch_id", pa.string()),
        ("source", pa.string()),
        ("source_rank", pa.int32()),
        ("rows", pa.int64()),
        ("newest_observation", pa.date32()),
        ("asserted_at", pa.timestamp("us", tz="UTC")),
        ("status", pa.string()),
    ]
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


def write_load_log(home: Home) -> int:
    """Write the load log as it stands; returns the number of rows.

    A snapshot: batches that land while dbt runs wait for the next build.
    """
    return _write(home, "load_log", _load_log(Landing(home.landing)))


def _write(home: Home, name: str, table: pa.Table) -> int:
    write_atomically(home.reference / f"{name}.parquet", lambda path: pq.write_table(table, path))
    return int(table.num_rows)


def _load_log(landing: Landing) -> pa.Table:
    rows: list[dict[str, Any]] = [
        asdict(assertion) | {"source_rank": SOURCE_RANK[assertion.source]}
        for assertion in landing.log.in_effect()
    ]
    return pa.Table.from_pylist(rows, schema=LOAD_LOG_SCHEMA)


def _calendar_dates(registry: Registry) -> pa.Table:
    import pandas as pd

    days = pd.date_range(calendars.FIRST_DAY, calendars.LAST_DAY)
    flags = {
        column: pa.array(days.isin(calendars.sessions(registry, mic)))
        for column, mic in FLAGGED.items()
    }
    return pa.table({"calendar_date": pa.array(days.date, pa.date32()), **flags})
