"""The current release for notebooks and scripts.

    from orchestration.reader import connect

    with connect() as warehouse:
        warehouse.sql("select * from marts.alibaba_quarterly order by period_end").show()

Anything that speaks DuckDB can open ``published/current/warehouse.duckdb`` itself, read-only. In
one process that path is best opened, queried and closed: while a connection to it is open, DuckDB
gives a second one the same, by then perhaps older, release. ``connect`` has no such limit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.home import Home
from orchestration.release.catalogue import Release, current_release, find_release

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class NoRelease(LookupError):
    """Nothing has been published yet."""


def connect(home: Path | None = None, release_id: str | None = None) -> DuckDBPyConnection:
    """Open the current release, or the kept one asked for, read-only.

    A connection stays on its release for as long as it is open; the next call sees what has been
    published since. It takes no lock, hinders no publish, and no publish or retention disturbs it.

    ``home`` is the warehouse's folder, by default ``WAREHOUSE_HOME`` or ``./data``. Raises
    :class:`NoRelease` before the first release, ``NoSuchRelease`` for an unknown ``release_id``.

        with connect() as warehouse:
            rows = warehouse.execute(
                "select * from core.segment_result_as_of(date '2025-06-30')"
            ).fetchall()
    """
    import duckdb

    release = _release(home) if release_id is None else find_release(_home(home), release_id)
    return duckdb.connect(str(release.database), read_only=True)


def current_release_id(home: Path | None = None) -> str:
    """Return the id of the release that ``connect`` would open."""
    return _release(home).release_id


def _home(home: Path | None) -> Home:
    return Home(home or Path(os.environ.get("WAREHOUSE_HOME") or "data"))


def _release(home: Path | None) -> Release:
    release = current_release(_home(home))
    if release is None:
        raise NoRelease(f"no release in {_home(home).root}: run `make run` first")
    return release
