"""Where things lie under WAREHOUSE_HOME.

Paths only: nothing here reads, writes or decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The folders of one warehouse. The layout is part of the contract with its users."""

    root: Path
    #: A folder or an address in object storage that holds landing, when that is not here.
    landing_elsewhere: str | None = None

    @property
    def landing(self) -> Path:
        """Immutable Parquet batches, one folder a dataset, and the load log; see the next."""
        return self.root / "landing"

    @property
    def landing_place(self) -> str:
        """Where landing is: :attr:`landing`, or the place that was chosen instead."""
        return self.landing_elsewhere or str(self.landing)

    @property
    def landing_cache(self) -> Path:
        """Copies of what landing holds in object storage; may be removed at any time."""
        return self.root / "cache" / "landing"

    @property
    def gathered(self) -> Path:
        """The batches that count, as the newest build reads them, one folder a dataset."""
        return self.build / "landing"

    @property
    def quarantine(self) -> Path:
        """Rejected batches with their reports, one folder a dataset."""
        return self.root / "quarantine"

    @property
    def build(self) -> Path:
        """The build database, which nobody but a run opens, and what dbt reads beside landing."""
        return self.root / "build"

    @property
    def build_database(self) -> Path:
        """The DuckDB file that dbt writes."""
        return self.build / "warehouse.duckdb"

    @property
    def scratch_database(self) -> Path:
        """The DuckDB file of the views over landing, which is never published."""
        return self.build / "scratch.duckdb"

    @property
    def reference(self) -> Path:
        """The registry, the trading sessions and the load log as Parquet, for dbt."""
        return self.build / "reference"

    @property
    def releases(self) -> Path:
        """Published releases, one folder each."""
        return self.root / "published" / "releases"

    @property
    def current(self) -> Path:
        """Symbolic link to the release that readers see."""
        return self.root / "published" / "current"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME: run history and event logs."""
        return self.root / "dagster"

    @property
    def superset(self) -> Path:
        """Superset's users, sessions and keys. The dashboards come from the project."""
        return self.root / "superset"

    @property
    def write_lock(self) -> Path:
        """Held by the one process that builds or publishes."""
        return self.root / ".write.lock"
