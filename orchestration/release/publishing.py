"""Publishing: the finished build becomes a release, in full or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.files import sync_folder
from orchestration.home import Home
from orchestration.locking import write_lock
from orchestration.release.catalogue import (
    DATABASE_FILE,
    LOCK_TIMEOUT_SECONDS,
    REPORT_FILE,
    Release,
    current_release,
    docs_path,
    parquet_path,
    partial_folder,
    releases,
    remove_leftovers,
    remove_old_releases,
    switch_to,
)
from orchestration.release.changes_report import write_changes
from orchestration.release.content_hash import summarise
from orchestration.release.manifest import Manifest, TableSummary
from orchestration.release.ops_tables import (
    CheckRow,
    summarise_checks,
    write_ops_tables,
)
from orchestration.release.tables import Table, quoted, tables_in
from orchestration.settings import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from orchestration.landing import Assertion

#: Content hashes cover these; ``ops`` records the run.
CONTENT_SCHEMAS = ("core", "marts")
PUBLISHED_SCHEMAS = (*CONTENT_SCHEMAS, "ops")


class ReleaseRefused(RuntimeError):
    """Nothing was published; the message says why."""


def publish(
    home: Home,
    *,
    inputs_fingerprint: str,
    git_revision: str | None,
    checks: Sequence[CheckRow],
    assertions: Sequence[Assertion],
    newest_observations: Mapping[str, date],
    docs: Path | None = None,
    report: Callable[[DuckDBPyConnection], str] | None = None,
) -> Release:
    """Publish the build database as a new release and make it current.

    Written beside the releases, synced, renamed, and only then switched to: a crash at any moment
    leaves the old release current, or the new one, entire. ``docs`` is the page that describes the
    tables, ``report`` renders the page that shows what they say. Raises :class:`ReleaseRefused`
    when a blocking check failed, there is nothing to publish or the report cannot be rendered: a
    release without one would be half a release. Nobody may have the build database open.
    """
    _refuse_failed_checks(checks)
    with write_lock(home, LOCK_TIMEOUT_SECONDS):
        home.releases.mkdir(parents=True, exist_ok=True)
        remove_leftovers(home)
        kept = releases(home)
        # One session after the other: each may take all the memory that there is leave to take.
        with _build_opened(home) as build:
            tables = {table: summarise(build, table) for table in tables_in(build, CONTENT_SCHEMAS)}
        if not tables:
            raise ReleaseRefused(f"{home.build_database} has no tables in core or marts")
        manifest = Manifest(
            release_id="",
            created_at=datetime.now(UTC),
            git_revision=git_revision,
            inputs_fingerprint=inputs_fingerprint,
            tables={str(table): summary for table, summary in tables.items()},
            checks=summarise_checks(checks),
            newest_observations=newest_observations,
            bytes=0,
        )
        manifest = replace(manifest, release_id=_next_id(manifest, kept))
        folder = partial_folder(home, manifest.release_id)
        try:
            folder.mkdir()
            with _build_opened(home) as build:
                _copy_database(build, folder / DATABASE_FILE)
            with _opened(folder / DATABASE_FILE) as database:
                write_ops_tables(database, manifest, checks, assertions)
                _write_parquet(database, folder, tables, kept)
                if report:
                    page = _rendered(report, database)
                    (folder / REPORT_FILE).write_text(page, encoding="utf-8")
            write_changes(Release(folder, manifest), current_release(home), home.build / "spill")
            if docs:
                docs_path(folder).parent.mkdir()
                shutil.copy(docs, docs_path(folder))
            written = sum(path.stat().st_size for path in _files(folder))
            manifest = replace(manifest, bytes=written)
            manifest.write(folder)
            _sync(folder)
            folder.rename(home.releases / manifest.release_id)
            sync_folder(home.releases)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        switch_to(home, manifest.release_id)
        remove_old_releases(home)
        return Release(home.current.resolve(), manifest)


def _refuse_failed_checks(checks: Sequence[CheckRow]) -> None:
    failed = [f"{c.asset}: {c.check} ({c.observed or 'failed'})" for c in checks if c.blocks]
    if failed:
        raise ReleaseRefused("blocking checks failed: " + "; ".join(failed))


def _next_id(manifest: Manifest, kept: Sequence[Release]) -> str:
    """Return ``<UTC second>-<content hash>``, which sorts after every kept release.

    Where the clock has not moved on since the newest one, or was set back, the second after that.
    """
    form = "%Y%m%dT%H%M%SZ"
    second = manifest.created_at
    if kept:
        newest = datetime.strptime(kept[0].release_id.split("-")[0], form).replace(tzinfo=UTC)
        second = max(second, newest + timedelta(seconds=1))
    return f"{second.strftime(form)}-{manifest.content_hash[:8]}"


@contextmanager
def _build_opened(home: Home) -> Iterator[DuckDBPyConnection]:
    """Open the build for reading, in a session that can write another database."""
    import duckdb

    if not home.build_database.exists():
        raise ReleaseRefused(f"there is no build to publish at {home.build_database}")
    # In memory, DuckDB would spill into the working directory.
    with duckdb.connect(
        config={
            "temp_directory": str(home.build / "spill"),
            "memory_limit": settings().memory_limit,
        }
    ) as connection:
        connection.execute("attach $1 as build (read_only)", [str(home.build_database)])
        connection.execute("use build")
        yield connection


@contextmanager
def _opened(database: Path) -> Iterator[DuckDBPyConnection]:
    import duckdb

    with duckdb.connect(str(database)) as connection:
        connection.execute("set memory_limit = $1", [settings().memory_limit])
        yield connection


def _copy_database(build: DuckDBPyConnection, target: Path) -> None:
    """Copy tables, constraints, the table macro and all comments into a new file."""
    # BI drivers lag behind DuckDB; this is the newest format that all of them open.
    build.execute("attach $1 as release (storage_version 'v1.2.0')", [str(target)])
    build.execute("copy from database build to release")
    others = build.execute(
        """
        select schema_name
        from duckdb_schemas()
        where
            database_name = 'release' and not internal and schema_name != 'main'
            and not list_contains($1, schema_name)
        """,
        [list(PUBLISHED_SCHEMAS)],
    ).fetchall()
    for (schema,) in others:
        build.execute(f"drop schema release.{quoted(schema)} cascade")
    build.execute("detach release")


def _write_parquet(
    database: DuckDBPyConnection,
    folder: Path,
    tables: Mapping[Table, TableSummary],
    kept: Sequence[Release],
) -> None:
    """Write one file a table, rows in a fixed order; link those a kept release has already."""
    for table in tables_in(database, PUBLISHED_SCHEMAS):
        target = parquet_path(folder, table)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (table in tables and _linked(target, table, tables[table], kept)):
            database.execute(
                f"copy (from {table.sql} order by all) to $1 (format parquet, compression zstd)",
                [str(target)],
            )


def _linked(target: Path, table: Table, summary: TableSummary, kept: Sequence[Release]) -> bool:
    for release in kept:
        same = release.manifest.tables.get(str(table))
        if same and same.content_hash == summary.content_hash:
            try:
                target.hardlink_to(release.parquet(table))
            except OSError:  # no hard links here, or too many of this file
                return False
            return True
    return False


def _rendered(report: Callable[[DuckDBPyConnection], str], database: DuckDBPyConnection) -> str:
    try:
        return report(database)
    except Exception as error:  # whatever a template, a query or an engine for charts may raise
        raise ReleaseRefused(f"the report cannot be rendered: {error!r}") from error


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _sync(folder: Path) -> None:
    """Make every file below ``folder`` durable, then the folders that name them."""
    for path in _files(folder):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    for path in [path for path in folder.rglob("*") if path.is_dir()] + [folder]:
        sync_folder(path)
