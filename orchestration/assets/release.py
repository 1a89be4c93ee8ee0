"""The release: the last asset of a run."""

from __future__ import annotations

import dagster as dg

from orchestration.assets.models import warehouse_models
from orchestration.build import NothingBuilt, publish_build
from orchestration.release import ReleaseRefused
from orchestration.settings import warehouse_home

RELEASE = dg.AssetKey("release")


@dg.asset(
    key=RELEASE,
    deps=[warehouse_models],
    group_name="release",
    kinds={"duckdb", "parquet"},
    description=(
        "What readers see: a DuckDB file, Parquet per table and a manifest, switched to in one "
        "step. No new one is made when nothing has changed."
    ),
)
def release() -> dg.MaterializeResult[None]:
    """Publish the build, once every blocking check has passed."""
    try:
        published, is_new = publish_build(warehouse_home())
    except (NothingBuilt, ReleaseRefused) as refusal:
        raise dg.Failure(str(refusal), allow_retries=False) from refusal
    manifest = published.manifest
    return dg.MaterializeResult(
        metadata={
            "release": published.release_id,
            "new": is_new,
            "tables": {name: table.rows for name, table in manifest.tables.items()},
            "checks passed": manifest.checks.passed,
            "checks warned": manifest.checks.warned,
            "bytes": manifest.bytes,
            "path": f"published/releases/{published.release_id}",
            "docs": f"published/releases/{published.release_id}/docs/index.html",
        }
    )
