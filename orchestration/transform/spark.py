"""Spark in this process: the session in which dbt runs the models, and the Parquet it leaves.

What belongs here: starting and stopping Spark, the tables over landing that the models read, and
where the results lie. What is built, and when, is said in ``orchestration.transform.dbt``.

The catalogue is in memory and ends with the session: no metastore is written, in the working
directory or elsewhere. Everything that Spark writes lies in ``build/spark``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.contracts import CONTRACTS, PROVENANCE
from orchestration.home import Home
from orchestration.settings import settings
from orchestration.transform.sources import reference_columns, sql_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import SparkSession

    from orchestration.contracts import Column

SECONDS_TO_END = 60
_LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {file}
appender.file.append = false
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss}} %p %c{{1}}: %m%n%ex
"""


class SparkMissing(RuntimeError):
    """Spark, or the Java that it runs on, is not installed; the message says what to do."""


def folder(home: Home) -> Path:
    """Return where Spark writes: tables, spilled rows and its log."""
    return home.build / "spark"


def table_files(home: Home, schema: str, name: str) -> Path:
    """Return the folder that holds a built table as Parquet."""
    return folder(home) / "warehouse" / f"{schema}.db" / name


def require_spark() -> None:
    """See that Spark can start at all.

    Raises:
        SparkMissing: when PySpark, dbt-spark or Java is not there.
    """
    from importlib.util import find_spec

    lacking = [name for name in ("pyspark", "dbt.adapters.spark") if find_spec(name) is None]
    if lacking:
        raise SparkMissing(
            f"Spark is not installed here ({' and '.join(lacking)} missing): run "
            "`make setup-spark`, then `.venv-spark/bin/warehouse run --target spark`; elsewhere "
            "`pip install 'alibaba-warehouse[spark]'`"
        )
    java_home = os.environ.get("JAVA_HOME")
    java = str(Path(java_home, "bin", "java")) if java_home else "java"
    if shutil.which(java) is None:
        raise SparkMissing(
            f"Spark needs a Java runtime, 17 or newer, and there is none at {java!r}: install one "
            "(Debian: `apt-get install openjdk-17-jre-headless`) or set JAVA_HOME to it"
        )


@contextmanager
def spark_session(home: Home) -> Iterator[SparkSession]:
    """Start Spark on this warehouse, landing as its tables; dbt runs in it until the block ends.

    What an earlier build left in ``build/spark`` goes.

    Raises:
        SparkMissing: when Spark or Java is not installed.
    """
    require_spark()
    from py4j.java_gateway import JavaGateway
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is not None:
        raise RuntimeError("a Spark session is open in this process already")
    shutil.rmtree(folder(home), ignore_errors=True)
    folder(home).mkdir(parents=True)
    conf = SparkConf(loadDefaults=False).setAll(_configuration(home).items())
    with (folder(home) / "java.log").open("wb") as log, _own_address():
        # What Java says while it starts is for the log, not for the screen.
        gateway: JavaGateway = launch_gateway(conf, {"stdout": log, "stderr": log})
        try:
            session = SparkSession(SparkContext(conf=conf, gateway=gateway))
            try:
                _register(session, home)
                with _dbt_uses(session):
                    yield session
            finally:
                session.stop()
        finally:
            # With the process goes its memory, of which publishing has use.
            gateway.shutdown()
            _end(gateway.proc)
            SparkContext._gateway = SparkContext._jvm = None


def _end(java: subprocess.Popen[bytes]) -> None:
    # Java ends when its input does; on a machine with too much to do it may take its time.
    assert java.stdin is not None
    java.stdin.close()
    try:
        java.wait(timeout=SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        java.kill()
        java.wait()


def _configuration(home: Home) -> dict[str, str]:
    logging = folder(home) / "log4j2.properties"
    logging.write_text(_LOGGING.format(file=folder(home) / "spark.log"), encoding="utf-8")
    return {
        "spark.app.name": "warehouse",
        "spark.master": settings().spark_master,
        "spark.driver.memory": settings().spark_driver_memory,
        "spark.executor.memory": settings().spark_executor_memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={logging} "
        f"-Djava.io.tmpdir={folder(home)} -Duser.timezone=UTC",
        "spark.driver.host": settings().spark_driver_host,
        "spark.driver.bindAddress": settings().spark_driver_host,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(folder(home) / "local"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(folder(home) / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        # A cast or a sum that does not fit is an error, as it is on DuckDB, and no null.
        "spark.sql.ansi.enabled": "true",
        "spark.sql.shuffle.partitions": str(settings().spark_shuffle_partitions),
    }


@contextmanager
def _own_address() -> Iterator[None]:
    """Keep Spark from looking for the machine's address on the network."""
    before = os.environ.get("SPARK_LOCAL_IP")
    os.environ["SPARK_LOCAL_IP"] = before or settings().spark_driver_host
    try:
        yield
    finally:
        if before is None:
            del os.environ["SPARK_LOCAL_IP"]


def _register(session: SparkSession, home: Home) -> None:
    """Make the dbt sources tables of the session, typed as their contracts say."""
    for schema in ("landing", "reference"):
        session.sql(f"create schema {schema}")
    for dataset, contract in CONTRACTS.items():
        columns = (*contract.columns, *PROVENANCE)
        _create(session, f"landing.{dataset}", columns, home.gathered / dataset)
    for name, columns in reference_columns().items():
        _create(session, f"reference.{name}", columns, home.reference / f"{name}.parquet")


def _create(session: SparkSession, table: str, columns: Iterable[Column], path: Path) -> None:
    # A column that a file lacks reads as null; a folder of landing holds reports beside batches.
    typed = ", ".join(f"`{column.name}` {sql_type(column.type)}" for column in columns)
    location = str(path).replace("\\", "\\\\").replace("'", "\\'")
    session.sql(
        f"create table {table} ({typed}) using parquet "
        f"options (path '{location}', pathGlobFilter '*.parquet')"
    )


@contextmanager
def _dbt_uses(session: SparkSession) -> Iterator[None]:
    """Have dbt-spark send its statements to this session.

    Of itself it asks for a session with Hive's metastore, and before each statement switches off
    the ANSI mode: what does not fit would become null without a word.
    """
    from dbt.adapters.spark import session as adapter
    from dbt_common.exceptions import DbtRuntimeError
    from pyspark.errors import PySparkException

    class Cursor(adapter.Cursor):  # type: ignore[misc]
        def execute(self, sql: str, *parameters: Any) -> None:
            self._rows = None
            try:
                self._df = session.sql(sql % parameters if parameters else sql)
            except PySparkException as error:
                raise DbtRuntimeError(str(error)) from error

    class Connection:
        def __init__(self, *, server_side_parameters: Mapping[str, str] | None = None) -> None:
            pass

        def cursor(self) -> Cursor:
            return Cursor()

    before = adapter.Connection
    adapter.Connection = Connection
    try:
        yield
    finally:
        adapter.Connection = before
