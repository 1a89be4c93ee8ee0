"""Reading what dbt has built: rows and a preview of each model, and the rows that broke a test.

The build database and the views beside it are opened read-only, as dbt had them open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.home import Home
from orchestration.settings import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PREVIEW_ROWS = 5
#: Of a dataset with more landed rows, staging's view is neither counted nor shown: every look at it
#: sorts them all.
COUNTED_ROWS = 1_000_000

#: Columns that say what day a row is of, the first that a relation has.
_OBSERVED_ON = (
    "session_date",
    "rate_date",
    "observation_date",
    "as_of",
    "event_date",
    "ex_date",
    "period_end",
)

#: A macro is read as of today: its one parameter is a day.
_RELATIONS = """
    select database_name, schema_name, table_name as name, '' as arguments, true as is_table
    from duckdb_tables() where not internal
    union all
    select database_name, schema_name, view_name, '', false
    from duckdb_views() where not internal
    union all
    select database_name, schema_name, function_name, '(current_date)', false
    from duckdb_functions()
    where function_type = 'table_macro' and not internal and len(parameters) = 1
    order by all
"""


@dataclass(frozen=True)
class Table:
    """A built model: its rows, the newest day that one is of, and the first few of them."""

    rows: int
    newest_observation: str | None
    preview: tuple[dict[str, Any], ...]


def built_tables(home: Home, known: Mapping[str, Table] | None = None) -> dict[str, Table]:
    """Return every model that is built, by its name, but views that cost too much to look at.

    Those that are ``known`` are not looked at again.
    """
    known = known or {}
    with _opened(home) as connection:
        large = connection.execute(
            """
            select 'stg_landing__' || dataset
            from read_parquet('build/reference/load_log.parquet')
            group by dataset
            having sum(rows) > ?
            """,
            [COUNTED_ROWS],
        ).fetchall()
        skipped = {name for (name,) in large}
        relations = connection.execute(_RELATIONS).fetchall()
        return dict(known) | {
            name: (_table if is_table else _view)(
                connection, f'"{database}"."{schema}"."{name}"{arguments}'
            )
            for database, schema, name, arguments, is_table in relations
            if name not in skipped and name not in known
        }


def first_rows(home: Home, query: str, limit: int) -> tuple[dict[str, str | None], ...]:
    """Return the first rows that a query of dbt's gives, cells as text."""
    with _opened(home) as connection:
        rows = _rows(connection, f"select * from ({query}\n) as asked limit {limit}")  # noqa: S608
    return tuple(
        {name: None if cell is None else str(cell) for name, cell in row.items()} for row in rows
    )


@contextmanager
def _opened(home: Home) -> Iterator[DuckDBPyConnection]:
    import duckdb

    with duckdb.connect(str(home.build_database), read_only=True) as connection:
        connection.execute("set memory_limit = ?", [settings().memory_limit])
        connection.execute("attach ? as scratch (read_only)", [str(home.scratch_database)])
        # Views name the files of landing relative to the warehouse.
        connection.execute("set file_search_path = ?", [str(home.root)])
        yield connection


def _table(connection: DuckDBPyConnection, relation: str) -> Table:
    preview = _rows(connection, f"select * from {relation} limit {PREVIEW_ROWS}")  # noqa: S608
    columns = [column[0] for column in connection.description or ()]
    observed_on = next((name for name in _OBSERVED_ON if name in columns), "null")
    ((rows, newest),) = connection.execute(
        f"select count(*), max({observed_on})::varchar from {relation}"  # noqa: S608
    ).fetchall()
    return Table(rows, newest, tuple(preview))


def _view(connection: DuckDBPyConnection, relation: str) -> Table:
    # In one go: what a view costs is its computation, not its rows.
    preview = _rows(
        connection,
        f"select *, count(*) over () as rows_in_all from {relation} limit {PREVIEW_ROWS}",  # noqa: S608
    )
    counts = [row.pop("rows_in_all") for row in preview]
    return Table(counts[0] if counts else 0, None, tuple(preview))


def _rows(connection: DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    answer = connection.execute(query)
    columns = [column[0] for column in answer.description]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
