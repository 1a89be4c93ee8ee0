"""The models built by Spark, and what it built brought into the database that is published.

dbt builds and tests everything in a Spark session. The tables of core, marts and ops are then made
empty by the same project on DuckDB, with their types, keys and comments, and filled from Spark's
Parquet: from there on a release does not know which engine has computed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestration.home import Home
from orchestration.release.publishing import PUBLISHED_SCHEMAS
from orchestration.release.tables import Table, columns_of, quoted, tables_in
from orchestration.transform import dbt
from orchestration.transform.dbt import NodeOutcome
from orchestration.transform.spark import spark_session, table_files

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyspark.sql import SparkSession


class TablesDiffer(RuntimeError):
    """Spark has given a table other columns or types than the contract of its model."""


def build_on_spark(
    home: Home, on_line: Callable[[str], None], *, shown_rows: int
) -> list[NodeOutcome]:
    """Build and test all models on Spark; if all is well, fill the build database with them.

    The first ``shown_rows`` rows that broke a test stand in its outcome.

    Raises:
        SparkMissing: when Spark or Java is not installed.
        DbtFailed: when dbt could not run.
        TablesDiffer: when a table has other columns than its model declares.
    """
    home.build.mkdir(parents=True, exist_ok=True)
    dbt.ensure_parsed()
    on_line("starting Spark")
    with spark_session(home) as session:
        nodes = [
            with_failing_rows(session, node, shown_rows)
            for node in dbt.build_in_session(home, on_line=on_line)
        ]
    if all(node.passed for node in nodes):
        on_line("loading what Spark has built")
        dbt.make_empty_tables(home)
        _fill(home, [node.name for node in nodes if node.resource_type == "model"])
        dbt.make_views(home)
    return nodes


def with_failing_rows(session: SparkSession, node: NodeOutcome, limit: int) -> NodeOutcome:
    """Return the outcome with the first rows that broke the test, cells as text."""
    if not (node.failures and node.query):
        return node
    rows = session.sql(f"select * from ({node.query}\n) as asked limit {limit}").collect()  # noqa: S608
    cells = ({n: None if c is None else str(c) for n, c in row.asDict().items()} for row in rows)
    return replace(node, failing_rows=tuple(cells))


def _fill(home: Home, built: Sequence[str]) -> None:
    """Fill the tables in the order in which their models were built: parents first."""
    import duckdb

    with duckdb.connect(str(home.build_database)) as connection:
        tables = tables_in(connection, PUBLISHED_SCHEMAS)
        for table in sorted(tables, key=lambda table: built.index(table.name)):
            _fill_table(connection, table, str(table_files(home, table.schema, table.name)))


def _fill_table(connection: DuckDBPyConnection, table: Table, folder: str) -> None:
    files = f"{folder}/*.parquet"
    declared = columns_of(connection, table)
    described = connection.execute("describe (from read_parquet($1))", [files]).fetchall()
    given = {name: kind for name, kind, *_ in described}
    # An insert would cast, and round, without a word.
    if given != declared:
        raise TablesDiffer(f"{table}: " + "; ".join(_differences(declared, given)))
    names = ", ".join(map(quoted, declared))
    connection.execute(
        f"insert into {table.sql} ({names}) select {names} from read_parquet($1)",  # noqa: S608
        [files],
    )


def _differences(declared: dict[str, str], given: dict[str, str]) -> Iterable[str]:
    for name in sorted(declared.keys() | given.keys()):
        if declared.get(name) != given.get(name):
            yield (
                f"column {name} is {declared.get(name, 'not declared')} by its contract, "
                f"{given.get(name, 'missing')} from Spark"
            )
