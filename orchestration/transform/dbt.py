"""dbt in this process: parse once, build many times.

dbt takes seconds to import, so it is imported when it runs and not before. A build is told its
warehouse by the environment variable that the dbt profile reads.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.files import write_json
from orchestration.fingerprint import DBT_PROJECT, dbt_fingerprint
from orchestration.home import Home

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

TARGET = DBT_PROJECT / "target"
MANIFEST = TARGET / "manifest.json"
#: The engines, by the names of their outputs in the dbt profile.
DUCKDB, SPARK = "duckdb", "spark"
_VIEWS, _MACROS = "config.materialized:view", "config.materialized:table_macro"
_FLAGS = (
    "--project-dir", str(DBT_PROJECT),
    "--profiles-dir", str(DBT_PROJECT),
    "--no-use-colors",
    "--log-level", "none",
    "--log-level-file", "none",
)  # fmt: skip


class DbtFailed(RuntimeError):
    """dbt could not run at all; a failed model or test is an outcome, not this."""


@dataclass(frozen=True)
class NodeOutcome:
    """What became of one model or test.

    ``failures`` counts the rows that broke a test, ``query`` finds them and ``failing_rows`` holds
    the first of them; ``seconds`` is the wall time. ``is_left`` says that a build left it as it
    stood, because it reads nothing that was new.
    """

    unique_id: str
    resource_type: str
    name: str
    status: str
    seconds: float
    message: str
    failures: int
    query: str = ""
    failing_rows: tuple[Mapping[str, str | None], ...] = ()
    is_left: bool = False

    @property
    def passed(self) -> bool:
        """Whether the model was built or the test held."""
        return self.status in ("success", "pass", "warn", "no-op")


def ensure_parsed(engine: str = DUCKDB) -> Path:
    """Parse the dbt project unless it stands parsed as it is; returns the manifest's path.

    Each engine has a manifest of its own: models are materialized otherwise and use other macros.

    Raises:
        DbtFailed: with dbt's message when the project does not parse.
    """
    target = _parsed(engine)
    manifest, parsed_from = target / MANIFEST.name, target / "parsed_from.json"

    def stands() -> bool:
        before = json.loads(parsed_from.read_text()) if parsed_from.exists() else None
        return manifest.exists() and before == dbt_fingerprint()

    if not stands():
        from filelock import FileLock

        target.mkdir(parents=True, exist_ok=True)
        # Of the processes that start after an edit one parses, and the others wait for it.
        with FileLock(target / "parse.lock"):
            if not stands():
                with _home_in_environment(Home(Path("data").resolve())):
                    where = ("--target-path", str(target), "--log-path", str(target))
                    _invoke(None, "parse", *where, engine=engine)
                write_json(parsed_from, dbt_fingerprint())
    return manifest


def build(
    home: Home,
    select: Sequence[str] = (),
    *,
    goes_on: bool = False,
    on_line: Callable[[str], None] = lambda line: None,
) -> list[NodeOutcome]:
    """Build the models that ``select`` names and run their tests; without it everything.

    With ``goes_on`` the big facts keep what stands in the database and ``reference.changed`` says
    what to add; otherwise all that is built is built from nothing. ``on_line`` is told each line
    that dbt would print.

    Raises:
        DbtFailed: when dbt could not run.
    """
    ensure_parsed()
    home.build.mkdir(parents=True, exist_ok=True)
    if not select and not goes_on:
        for leftover in home.build.glob("*.duckdb*"):
            leftover.unlink()
    # Unit tests are about the code, not the data: `make test` runs them.
    arguments = ["build", "--exclude-resource-type", "unit_test", *_selected(select)]
    if not goes_on:
        arguments.append("--full-refresh")
    with _in_environment("WAREHOUSE_GOES_ON", "yes" if goes_on else "no"):
        return _run(home, on_line, *arguments)


def build_in_session(
    home: Home,
    select: Sequence[str] = (),
    *,
    on_line: Callable[[str], None] = lambda line: None,
) -> list[NodeOutcome]:
    """Build the models and run their tests in the Spark session that is open.

    Raises:
        DbtFailed: when dbt could not run.
    """
    ensure_parsed(SPARK)
    arguments = ("build", "--exclude-resource-type", "unit_test", *_selected(select))
    return _run(home, on_line, *arguments, engine=SPARK)


def make_empty_tables(home: Home) -> None:
    """Make the build database anew, with every table and comment that it has, and no rows.

    Raises:
        DbtFailed: when dbt could not run, or a model failed.
    """
    for leftover in home.build.glob("*.duckdb*"):
        leftover.unlink()
    # The macro would be one over nothing.
    _whole(_run(home, lambda line: None, "run", "--empty", "--exclude", _MACROS))


def make_views(home: Home) -> None:
    """Make the views beside the tables of the build database, and the macro over them.

    Raises:
        DbtFailed: when dbt could not run, or a view failed.
    """
    _whole(_run(home, lambda line: None, "run", *_selected([_VIEWS, _MACROS])))


def run_unit_tests(home: Home, engine: str = DUCKDB) -> list[NodeOutcome]:
    """Run the unit tests of the models; they need the columns of a warehouse that is built.

    Raises:
        DbtFailed: when dbt could not run.
    """
    return _run(home, lambda line: None, "test", *_selected(["test_type:unit"]), engine=engine)


def compile_models() -> dict[str, str]:
    """Return the SQL that each model is built by, by its unique id; no warehouse is touched.

    Raises:
        DbtFailed: when the project does not parse or compile.
    """
    ensure_parsed()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.build.mkdir()
        target = str(home.build / "dbt")
        with _home_in_environment(home):
            # A model brings its tests along unless they are left out.
            select = ("--select", "resource_type:model")
            omit = ("--exclude", "resource_type:test", "resource_type:unit_test")
            where = ("--target-path", target, "--log-path", target)
            results = _invoke(None, "compile", *select, *omit, *where)
    return {result.node.unique_id: result.node.compiled_code for result in results}


def write_docs(home: Home) -> Path:
    """Write the documentation of what is built, as one page that needs no server; returns it.

    Raises:
        DbtFailed: when dbt could not run.
    """
    folder = home.build / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Without compiling, which costs seconds, dbt takes the parsed project from where it would
    # have written it.
    shutil.copy(ensure_parsed(), folder / "manifest.json")
    target = str(folder)
    with _home_in_environment(home):
        arguments = ("--static", "--no-compile", "--target-path", target, "--log-path", target)
        _invoke(lambda line: None, "docs", "generate", *arguments)
    return folder / "static_index.html"


def _selected(select: Sequence[str]) -> list[str]:
    return ["--select", *select] if select else []


def _whole(nodes: Sequence[NodeOutcome]) -> None:
    failed = [f"{node.name}: {node.message}" for node in nodes if not node.passed]
    if failed:
        raise DbtFailed("; ".join(failed))


def _run(
    home: Home, on_line: Callable[[str], None], *arguments: str, engine: str = DUCKDB
) -> list[NodeOutcome]:
    target = str(home.build / ("dbt" if engine == DUCKDB else f"dbt-{engine}"))
    with _home_in_environment(home):
        where = ("--target-path", target, "--log-path", target)
        results = _invoke(on_line, *arguments, *where, engine=engine)
    return [_outcome(result) for result in results]


def _invoke(on_line: Callable[[str], None] | None, *arguments: str, engine: str = DUCKDB) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    def tell(event: Any) -> None:
        if on_line and event.info.level in ("info", "warn", "error") and event.info.msg:
            on_line(event.info.msg)

    manifest = None if arguments[0] == "parse" else _manifest(engine)
    asked = [*arguments, "--target", engine, *_FLAGS]
    try:
        outcome = dbtRunner(manifest=manifest, callbacks=[tell]).invoke(asked)
    finally:
        # dbt keeps the database open, and with it the lock, for as long as the process lives.
        DuckDBConnectionManager.close_all_connections()
    if outcome.exception is not None:
        raise DbtFailed(str(outcome.exception)) from outcome.exception
    return outcome.result


@cache
def _manifest(engine: str) -> Manifest:
    """The parsed project, as dbt itself keeps it between runs."""
    from dbt.contracts.graph.manifest import Manifest

    return Manifest.from_msgpack((_parsed(engine) / "partial_parse.msgpack").read_bytes())


def _parsed(engine: str) -> Path:
    return TARGET if engine == DUCKDB else TARGET / engine


def _outcome(result: Any) -> NodeOutcome:
    return NodeOutcome(
        unique_id=result.node.unique_id,
        resource_type=str(result.node.resource_type),
        name=result.node.name,
        status=str(result.status),
        seconds=result.execution_time,
        message=result.message or "",
        failures=result.failures or 0,
        query=(result.node.compiled_code or "") if result.failures else "",
    )


def _home_in_environment(home: Home) -> AbstractContextManager[None]:
    return _in_environment("WAREHOUSE_HOME", str(home.root))


@contextmanager
def _in_environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
