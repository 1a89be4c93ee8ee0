"""Which releases there are, which one readers see, and how that is changed.

Reads JSON and follows one symbolic link; never opens a database.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestration.files import sync_folder
from orchestration.home import Home
from orchestration.locking import write_lock
from orchestration.release.manifest import MANIFEST_FILE, Manifest
from orchestration.release.tables import Table

DATABASE_FILE = "warehouse.duckdb"
REPORT_FILE = "report.html"
KEPT_RELEASES = 7
LOCK_TIMEOUT_SECONDS = 10.0


class NoSuchRelease(LookupError):
    """The release asked for is not there."""


@dataclass(frozen=True)
class Release:
    """A published release: a folder that is never edited."""

    folder: Path
    manifest: Manifest

    @property
    def release_id(self) -> str:
        """Its name, which sorts by age."""
        return self.manifest.release_id

    @property
    def database(self) -> Path:
        """Its DuckDB file."""
        return self.folder / DATABASE_FILE

    @property
    def docs(self) -> Path:
        """The page that describes its tables, metrics and readers."""
        return docs_path(self.folder)

    @property
    def report(self) -> Path:
        """The page that shows what it says, for readers without any tool."""
        return self.folder / REPORT_FILE

    def parquet(self, table: Table) -> Path:
        """Return where the Parquet file of a table lies."""
        return parquet_path(self.folder, table)


def docs_path(folder: Path) -> Path:
    """Return where a release in ``folder`` has its documentation."""
    return folder / "docs" / "index.html"


def parquet_path(folder: Path, table: Table) -> Path:
    """Return where a release in ``folder`` has the Parquet file of ``table``."""
    return folder / "parquet" / table.schema / f"{table.name}.parquet"


def releases(home: Home) -> list[Release]:
    """Return the kept releases, newest first."""
    folders = sorted(home.releases.glob(f"[!.]*/{MANIFEST_FILE}"), reverse=True)
    return [Release(path.parent, Manifest.read(path.parent)) for path in folders]


def current_release(home: Home) -> Release | None:
    """Return the release that readers see now, or ``None`` before the first.

    Its folder is the real one, not the link: what is opened by it stays one release, whatever is
    published meanwhile.
    """
    folder = home.current.resolve()
    try:
        return Release(folder, Manifest.read(folder))
    except FileNotFoundError:
        return None


def is_current(home: Home, inputs_fingerprint: str) -> bool:
    """Whether the current release was made of exactly these inputs, code and registry."""
    current = current_release(home)
    return current is not None and current.manifest.inputs_fingerprint == inputs_fingerprint


def find_release(home: Home, release_id: str) -> Release:
    """Return a kept release; raises :class:`NoSuchRelease`, naming the kept ones."""
    kept = {release.release_id: release for release in releases(home)}
    if release_id not in kept:
        known = ", ".join(kept) or "none"
        raise NoSuchRelease(f"no release {release_id!r}; kept releases: {known}")
    return kept[release_id]


def rollback(home: Home, release_id: str | None = None) -> Release:
    """Make a kept release current again: the one asked for, or the newest before the current one.

    Nothing is deleted; the releases after it stay and can be rolled forward to.
    """
    with write_lock(home, LOCK_TIMEOUT_SECONDS):
        target = find_release(home, release_id) if release_id else previous_release(home)
        switch_to(home, target.release_id)
        return target


def previous_release(home: Home) -> Release:
    """Return the newest kept release before the current one; raises :class:`NoSuchRelease`."""
    current = current_release(home)
    older = [r for r in releases(home) if current and r.release_id < current.release_id]
    if not older:
        raise NoSuchRelease("there is no release before the current one")
    return older[0]


def switch_to(home: Home, release_id: str) -> None:
    """Point ``published/current`` at a release, in one step."""
    link = home.current.with_name(f".{home.current.name}.next")
    link.unlink(missing_ok=True)
    link.symlink_to(Path(home.releases.name) / release_id)
    link.replace(home.current)
    sync_folder(home.current.parent)


def partial_folder(home: Home, release_id: str) -> Path:
    """Return where a release lies while it is written or deleted: not listed, and swept up."""
    return home.releases / f".{release_id}.partial"


def remove_leftovers(home: Home) -> None:
    """Remove what a crash has left half written or half deleted."""
    for folder in home.releases.glob(".*.partial"):
        shutil.rmtree(folder)


def remove_old_releases(home: Home) -> None:
    """Delete all but the newest releases and the current one.

    A reader that has one of them open reads on: its files vanish when it closes them.
    """
    current = current_release(home)
    for release in releases(home)[KEPT_RELEASES:]:
        if current is None or release.release_id != current.release_id:
            release.folder.rename(partial_folder(home, release.release_id))
    remove_leftovers(home)
