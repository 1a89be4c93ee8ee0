"""The release: the last asset of a run."""

from __future__ import annotations

from typing import Any

import dagster as dg

from orchestration.assets import catalogue
from orchestration.assets.models import warehouse_models
from orchestration.assets.tables import table
from orchestration.build import NothingBuilt, publish_build
from orchestration.release import ReleaseRefused
from orchestration.release.ops_tables import DESCRIPTIONS
from orchestration.release.publishing import PUBLISHED_SCHEMAS
from orchestration.settings import warehouse_home

RELEASE = dg.AssetKey("release")


def _tables() -> dict[str, Any]:
    """The metadata that shows the tables of a release; their columns are shown by their models."""
    models = {
        "/".join(spec.key.path): (spec.description or "").partition("\n\n")[0]
        for spec in warehouse_models.specs
        if spec.key.path[0] in PUBLISHED_SCHEMAS
    }
    of_the_run = {f"ops/{table}": description for table, description in DESCRIPTIONS.items()}
    columns = [
        dg.TableColumn(name.replace("/", "."), type="table", description=description)
        for name, description in sorted((models | of_the_run).items())
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


@dg.asset(
    key=RELEASE,
    deps=[spec.key for spec in warehouse_models.specs if spec.key.path[0] in PUBLISHED_SCHEMAS],
    group_name="release",
    kinds={"duckdb", "parquet"},
    owners=catalogue.owners(catalogue.WAREHOUSE),
    tags=catalogue.tags("release", catalogue.WAREHOUSE),
    freshness_policy=catalogue.freshness(),
    metadata=_tables() | catalogue.source_code(publish_build),
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
    rows = {name: table.rows for name, table in sorted(manifest.tables.items())}
    tables = [{"table": name, "rows": count} for name, count in rows.items()]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(rows.values()),
            "release": published.release_id,
            "new": is_new,
            "preview": table(tables),
            "checks passed": manifest.checks.passed,
            "checks warned": manifest.checks.warned,
            "bytes": manifest.bytes,
            "path": f"published/releases/{published.release_id}",
            "docs": f"published/releases/{published.release_id}/docs/index.html",
            "report": f"published/releases/{published.release_id}/report.html",
        }
    )
