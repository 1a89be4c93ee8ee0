"""Tables of a DuckDB database: which there are, and how their names are written in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def quoted(identifier: str) -> str:
    """Return ``identifier`` as SQL: names cannot be passed as parameters."""
    return '"' + identifier.replace('"', '""') + '"'


@dataclass(frozen=True, order=True)
class Table:
    """A table of the connection's default database."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """The quoted name."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


def tables_in(connection: DuckDBPyConnection, schemas: Sequence[str]) -> list[Table]:
    """Return the tables in ``schemas`` of the default database, by name."""
    rows = connection.execute(
        """
        select schema_name, table_name
        from duckdb_tables()
        where database_name = current_database() and list_contains($1, schema_name)
        order by all
        """,
        [list(schemas)],
    ).fetchall()
    return [Table(schema, name) for schema, name in rows]


def columns_of(connection: DuckDBPyConnection, table: Table) -> dict[str, str]:
    """Return the columns of ``table`` in their order, each with its type."""
    return dict(
        connection.execute(
            """
            select column_name, data_type
            from duckdb_columns()
            where database_name = current_database() and schema_name = $1 and table_name = $2
            order by column_index
            """,
            [table.schema, table.name],
        ).fetchall()
    )
