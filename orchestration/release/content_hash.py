"""The content hash of a table: equal content gives equal hashes, whenever and however built."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from orchestration.release.manifest import TableSummary
from orchestration.release.tables import Table, columns_of, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_LOW_HALF = 2**64 - 1


def summarise(connection: DuckDBPyConnection, table: Table) -> TableSummary:
    """Return rows, columns and content hash of ``table``.

    Every row becomes text, a JSON array of its values in column order (so that null, ``''`` and
    ``'NULL'`` differ), and the text a 128-bit number. What is hashed in the end is the columns'
    names and types, the count of rows and the sums of the numbers' two halves. A sum has no
    order: neither the order of rows on disk nor the threads of the engine can show in it, unlike
    an exclusive or it counts a row that stands twice, and it needs neither a sort nor more memory
    for fifty million rows than for fifty. It guards against accidents, not against forgery.

    Floats are hashed as stored, to the last bit.
    """
    columns = columns_of(connection, table)
    # A timestamp with time zone prints in the session's zone.
    connection.execute("set TimeZone = 'UTC'")
    values = ", ".join(f"{quoted(column)}::varchar" for column in columns)
    [(rows, *sums)] = connection.execute(
        f"""
        select
            count(*),
            -- Asked of DuckDB as its lower and upper half, the number would be worked out twice.
            coalesce(sum((row_number >> 64)::hugeint), 0),
            coalesce(sum((row_number & {_LOW_HALF}::uhugeint)::hugeint), 0)
        from (select md5_number(to_json([{values}])::varchar) as row_number from {table.sql})
        """  # noqa: S608 - identifiers only, quoted
    ).fetchall()
    digest = hashlib.sha256(json.dumps([list(columns.items()), rows, *sums]).encode())
    return TableSummary(rows=rows, content_hash=digest.hexdigest(), columns=columns)
