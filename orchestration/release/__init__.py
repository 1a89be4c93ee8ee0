"""Releases: what readers see. Published whole, switched to in one step, never edited.

What enters a release is decided before: dbt has built it, the checks have judged it. Importing
this package is cheap; DuckDB is loaded where a release is written.
"""

from orchestration.release.catalogue import (
    NoSuchRelease,
    Release,
    current_release,
    find_release,
    is_current,
    previous_release,
    releases,
    rollback,
)
from orchestration.release.manifest import CheckSummary, Manifest, TableSummary
from orchestration.release.ops_tables import CheckRow
from orchestration.release.publishing import ReleaseRefused, publish

__all__ = [
    "CheckRow",
    "CheckSummary",
    "Manifest",
    "NoSuchRelease",
    "Release",
    "ReleaseRefused",
    "TableSummary",
    "current_release",
    "find_release",
    "is_current",
    "previous_release",
    "publish",
    "releases",
    "rollback",
]
