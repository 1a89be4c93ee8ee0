"""The floor: what a plain DuckDB script costs that does the same joins and writes.

It knows the made data: one split basis, no month-end rows, no gaps, no second document of a period.
It checks nothing, and records nothing beside its tables. Same columns where they hold the work:
windows, joins, text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import duckdb

from bench.made import NEXT_SESSION, TICKER_PREFIX, Made
from orchestration.home import Home

_SQL = Path(__file__).parent / "floor_sql"

#: What floor and warehouse must agree on, or the floor has not done the work.
COMPARED = (
    ("core", "fct_daily_price", "daily_return"),
    ("marts", "security_performance", "total_return_index"),
    ("marts", "security_performance", "drawdown_from_peak_percent"),
    ("marts", "security_performance", "return_since_trough_percent"),
    ("marts", "security_performance", "relative_to_kweb"),
    ("marts", "security_performance", "relative_to_hsi"),
    ("marts", "valuation_daily", "market_cap_usd_millions"),
    ("marts", "valuation_daily", "price_to_sales"),
)


def _connect(home: Home, database: Path | None = None) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(database or ":memory:"))
    connection.execute("set threads = 2")
    connection.execute("set memory_limit = '4GB'")
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set temp_directory = $1", [str(home.root / "floor" / "spill")])
    return connection


def _database(home: Home) -> Path:
    return home.root / "floor" / "floor.duckdb"


def _run(connection: duckdb.DuckDBPyConnection, script: str, **values: str) -> None:
    for name, value in values.items():
        connection.execute(f"set variable {name} = $1", [value])
    connection.execute((_SQL / f"{script}.sql").read_text(encoding="utf-8"))


def load(made: Made, home: Home) -> None:
    """Copy the batches of prices into sorted Parquet files."""
    landed = home.root / "floor" / "landing"
    landed.mkdir(parents=True, exist_ok=True)
    with _connect(home) as connection:
        for path in made.batches("daily_price"):
            _land(connection, path, landed / path.name)


def load_day(made: Made, home: Home) -> None:
    """Copy the batch of one session."""
    with _connect(home) as connection:
        (path,) = made.batches("next")
        _land(connection, path, home.root / "floor" / "landing" / "next.parquet")


def _land(connection: duckdb.DuckDBPyConnection, source: Path, target: Path) -> None:
    connection.execute(
        """
        copy (
            select *, $1 as batch_id, current_timestamp as ingested_at
            from read_parquet($2)
            order by ticker, session_date
        ) to $3 (format parquet, compression zstd)
        """,
        [target.stem, str(source), str(target)],
    )


def build(made: Made, home: Home) -> None:
    """Build the three big tables and those of filings, from the warehouse's own landing."""
    _database(home).unlink(missing_ok=True)
    _database(home).parent.mkdir(parents=True, exist_ok=True)
    with _connect(home, _database(home)) as connection:
        _run(connection, "inputs", landing=str(home.landing), reference=str(home.reference))
        for script in ("filings", "prices", "performance", "valuation"):
            _run(connection, script)


def build_day(made: Made, home: Home) -> None:
    """Add one session's rows to the three big tables."""
    with _connect(home, _database(home)) as connection:
        _run(connection, "inputs", landing=str(home.landing), reference=str(home.reference))
        _run(connection, "day", session=str(NEXT_SESSION))


def release(made: Made, home: Home) -> None:
    """Copy the tables into a file of the release's format, and each into Parquet in fixed order."""
    folder = home.root / "floor" / "release"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "warehouse.duckdb").unlink(missing_ok=True)
    with _connect(home) as connection:
        connection.execute("attach $1 as build (read_only)", [str(_database(home))])
        connection.execute(
            "attach $1 as release (storage_version 'v1.2.0')", [str(folder / "warehouse.duckdb")]
        )
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'build'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"create table release.{table} as from build.{table}")
            connection.execute(
                f"copy (from build.{table} order by all) to $1 (format parquet, compression zstd)",
                [str(folder / f"{table}.parquet")],
            )


def disagreements(home: Home) -> list[str]:
    """Return the sums over made securities in which floor and warehouse differ, in words."""
    found = []
    with duckdb.connect() as connection:
        connection.execute("attach $1 as build (read_only)", [str(home.build_database)])
        connection.execute("attach $1 as floor (read_only)", [str(_database(home))])
        for schema, table, column in COMPARED:
            sums = [
                connection.execute(
                    f"select count({column}), sum({column}::double) from {place}.{table} "  # noqa: S608
                    "where starts_with(security_key, $1)",
                    [TICKER_PREFIX],
                ).fetchall()[0]
                for place in ("floor", f"build.{schema}")
            ]
            (rows, total), (its_rows, its_total) = sums
            if rows != its_rows or not math.isclose(total, its_total, rel_tol=1e-9):
                found.append(f"{table}.{column}: floor {sums[0]}, warehouse {sums[1]}")
    return found


STEPS: dict[str, Callable[[Made, Home], None]] = {
    "load": load,
    "build": build,
    "release": release,
    "load_day": load_day,
    "build_day": build_day,
    "release_day": release,
}
