"""The models on Spark: the same tables as on DuckDB, row by row; run by `make test-spark`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import jinja2
import pytest

from orchestration.fingerprint import DBT_PROJECT
from orchestration.home import Home
from orchestration.release import current_release
from orchestration.release.tables import Table, tables_in
from orchestration.run import run_everything
from orchestration.transform import dbt, spark_build
from orchestration.transform.dbt import NodeOutcome
from orchestration.transform.spark import folder, spark_session, table_files
from tests.conftest import warehouse
from tests.cross_engine import agree, differences, land_made_prices
from tests.spark_cluster import cluster

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

WAREHOUSE = Path(sys.executable).parent / "warehouse"
SCHEMAS = ("core", "marts", "ops")


@dataclass
class OnSpark:
    """A warehouse that Spark has built, in the session that still is open."""

    home: Home
    session: SparkSession
    nodes: list[NodeOutcome]


@pytest.fixture(scope="module")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The baseline and made daily prices, built by DuckDB."""
    home = Home(tmp_path_factory.mktemp("on_duckdb") / "warehouse")
    with warehouse(home):
        land_made_prices(home, tmp_path_factory.mktemp("made"))
        summary = run_everything(home)
        assert summary.succeeded, summary.failures
    return home


@pytest.fixture(scope="module")
def on_spark(on_duckdb: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnSpark]:
    """The same landing, built and tested by Spark on this machine."""
    home = Home(tmp_path_factory.mktemp("on_spark") / "warehouse")
    shutil.copytree(on_duckdb.gathered, home.gathered)
    shutil.copytree(on_duckdb.reference, home.reference)
    with warehouse(home), spark_session(home) as session:
        yield OnSpark(home, session, dbt.build_in_session(home))


@pytest.fixture(scope="module")
def built(on_duckdb: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(on_duckdb.build_database), read_only=True) as connection:
        yield connection


def macros(engine: str) -> Mapping[str, object]:
    """The macros of one engine in `dialect.sql`, without dbt around them."""
    source = (DBT_PROJECT / "macros" / "dialect.sql").read_text(encoding="utf-8")
    module = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(source).module
    return {
        name.removeprefix(f"{engine}__"): macro
        for name, macro in vars(module).items()
        if name.startswith(f"{engine}__")
    }


def test_every_model_is_built_and_every_data_test_holds(on_spark: OnSpark) -> None:
    assert [f"{n.name}: {n.message}" for n in on_spark.nodes if not n.passed] == []
    tests = [n for n in on_spark.nodes if n.resource_type == "test"]
    assert len(tests) >= 60
    assert all(n.status == "pass" for n in tests)


def test_every_table_is_the_same_row_by_row(
    on_spark: OnSpark, built: duckdb.DuckDBPyConnection
) -> None:
    tables = tables_in(built, SCHEMAS)
    assert len(tables) >= 38
    found = {str(table): differences(built, on_spark.home, table)[:3] for table in tables}
    assert {table: apart for table, apart in found.items() if apart} == {}


def test_the_comparison_has_figures_to_compare(built: duckdb.DuckDBPyConnection) -> None:
    """Of nulls alone any two engines agree: the made prices fill what the baseline leaves empty."""
    for query in (
        "select count(t_statistic_p0_to_p5) from marts.event_returns",
        "select count(relative_to_hsi) from marts.security_performance",
        "select count(daily_return) from core.fct_daily_price",
        "select count(price_to_sales) from marts.valuation_daily",
    ):
        assert built.execute(query).fetchall()[0][0] > 30, query


def test_a_value_that_differs_is_found(on_spark: OnSpark, on_duckdb: Home, tmp_path: Path) -> None:
    copy = tmp_path / "changed.duckdb"
    shutil.copy(on_duckdb.build_database, copy)
    rates, companies = Table("core", "fct_fx_rate"), Table("core", "dim_company")
    with duckdb.connect(str(copy)) as changed:
        assert differences(changed, on_spark.home, rates) == []
        changed.execute("update core.fct_fx_rate set rate = rate * (1 + 1e-8) where quote = 'USD'")
        changed.execute("update core.dim_company set cik = null where company_key = 'amazon'")
        assert "rate" in differences(changed, on_spark.home, rates)[0]
        assert "amazon" in differences(changed, on_spark.home, companies)[0]
    assert not agree(None, 0.0)
    assert not agree(1e-300, 0.0)


def test_a_broken_batch_stops_the_models_and_its_rows_are_shown(on_spark: OnSpark) -> None:
    batch = next(on_spark.home.gathered.glob("event/[0-9a-f]*.parquet"))
    twice = batch.with_name(f"twice-{batch.name}")
    shutil.copy(batch, twice)
    try:
        on_spark.session.catalog.refreshTable("landing.event")
        with warehouse(on_spark.home):
            nodes = dbt.build_in_session(on_spark.home, ["source:landing.event", "fct_event"])
        (broken,) = [node for node in nodes if node.name == "landing_event_keeps_contract"]
        shown = spark_build.with_failing_rows(on_spark.session, broken, 5)
    finally:
        twice.unlink()
        on_spark.session.catalog.refreshTable("landing.event")
    assert broken.status == "fail"
    assert len(shown.failing_rows) == 5
    assert shown.failing_rows[0]["broken"] == "key stands twice"


NUMBERS = (
    "0", "-0.0", "-0.001", "0.004", "0.005", "1.005", "2.675", "-2.675", "12.5", "100",
    "999999.995", "1234567.1234565", "12345678.125", "-9876543210.987", "0.0000005",
    "3.0000000049999996",
)  # fmt: skip


def test_dispatched_arithmetic_gives_the_same_on_both(on_spark: OnSpark) -> None:
    """Ties, negative zero, exponents: where the engines' own functions give different answers."""
    ours, theirs = macros("duckdb"), macros("spark")
    for number in NUMBERS:
        for name, arguments in (
            ("rounded_text", (2,)),
            ("to_decimal", (24, 6)),
            ("to_decimal", (18, 10)),
        ):
            if (name, arguments) == ("to_decimal", (18, 10)) and abs(float(number)) > 9e7:
                continue
            asked = [
                macro[name](f"cast('{number}' as double)", *arguments)  # type: ignore[operator]
                for macro in (ours, theirs)
            ]
            ((one,),) = duckdb.sql(f"select {asked[0]}").fetchall()
            ((other,),) = on_spark.session.sql(f"select {asked[1]}").collect()
            assert one == other, (name, arguments, number)
    # What this guards against: Spark's own words for the same.
    assert on_spark.session.sql("select round(1.005d, 2)").collect()[0][0] == 1.01
    assert duckdb.sql("select round(1.005::double, 2)").fetchall() == [(1.0,)]


@pytest.mark.parametrize(
    ("rows", "product"),
    [
        ("(1, 2.0), (2, 3.0)", 6.0),
        ("(1, 2.0), (2, null)", 2.0),
        ("(1, null)", None),
    ],
)
def test_a_product_leaves_missing_factors_out(
    on_spark: OnSpark, rows: str, product: float | None
) -> None:
    for engine, run in (
        ("duckdb", lambda sql: duckdb.sql(sql).fetchall()),
        ("spark", lambda sql: [tuple(row) for row in on_spark.session.sql(sql).collect()]),
    ):
        asked = macros(engine)["product"]("cast(f as double)", "p")  # type: ignore[operator]
        assert run(f"select {asked} from (values {rows}) as t(p, f)") == [(product,)], engine


def test_what_does_not_fit_is_an_error_and_no_null(on_spark: OnSpark) -> None:
    """dbt-spark switches Spark's ANSI mode off; the session of a build has it on."""
    from pyspark.errors import PySparkException

    with pytest.raises(PySparkException, match="CAST_INVALID_INPUT"):
        on_spark.session.sql("select cast('no number' as int)").collect()
    with pytest.raises(PySparkException, match="DIVIDE_BY_ZERO"):
        on_spark.session.sql("select 1 / 0").collect()


def test_spark_writes_below_the_build_alone(on_spark: OnSpark) -> None:
    assert table_files(on_spark.home, "core", "dim_company").is_dir()
    assert (folder(on_spark.home) / "spark.log").exists()
    for place in (Path.cwd(), on_spark.home.root):
        for left in ("metastore_db", "derby.log", "spark-warehouse"):
            assert not (place / left).exists(), place / left


def test_a_table_of_other_types_than_its_contract_is_refused(
    on_spark: OnSpark, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    with duckdb.connect() as connection:
        connection.execute("create schema core; create table core.t (a int, b decimal(24, 6))")
        connection.execute(
            f"copy (select 1 as a, 0.5::double as b) to '{given}/1.parquet' (format parquet)"
        )
        with pytest.raises(
            spark_build.TablesDiffer, match=r"core\.t: column b is DECIMAL\(24,6\) .*DOUBLE"
        ):
            spark_build._fill_table(connection, Table("core", "t"), str(given))


def test_a_cluster_of_two_workers_publishes_what_duckdb_publishes(
    published: Home, tmp_path: Path
) -> None:
    """From the command line: both work, and the release is DuckDB's, hash by hash."""
    home = Home(tmp_path / "warehouse")
    with cluster(tmp_path / "cluster") as running:
        environment = {
            **os.environ,
            "WAREHOUSE_HOME": str(home.root),
            "WAREHOUSE_SPARK_MASTER": running.master,
            "WAREHOUSE_SPARK_EXECUTOR_MEMORY": "768m",
        }

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [str(WAREHOUSE), *arguments],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "WARN" not in done.stdout + done.stderr
            return done.stdout

        assert "new release: " in run("run", "--target", "spark")
        assert running.that_worked() == list(running.workers)
        assert "Nothing has changed" in run("run", "--target", "spark")
    ours, theirs = current_release(published), current_release(home)
    assert ours is not None
    assert theirs is not None
    assert theirs.manifest.inputs_fingerprint != ours.manifest.inputs_fingerprint
    assert theirs.manifest.tables == ours.manifest.tables
    assert (theirs.manifest.checks.passed, theirs.manifest.checks.warned) == (
        ours.manifest.checks.passed,
        ours.manifest.checks.warned,
    )
    asked = "select count(*), sum(value_millions) from core.segment_result_as_of(date '2024-03-31')"
    answers, comments = [], []
    for release in (ours, theirs):
        with duckdb.connect(str(release.database), read_only=True) as connection:
            answers.append(connection.execute(asked).fetchall())
            comments.append(
                connection.execute(
                    "select schema_name, table_name, column_name, comment, is_nullable "
                    "from duckdb_columns() where schema_name in ('core', 'marts') order by all"
                ).fetchall()
                + connection.execute(
                    "select schema_name, table_name, constraint_type, constraint_text "
                    "from duckdb_constraints() order by all"
                ).fetchall()
            )
    assert answers[0] == answers[1]
    assert answers[0][0][0] > 1000
    assert comments[0] == comments[1]
    assert (theirs.report).is_file()
