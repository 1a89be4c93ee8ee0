"""The dbt models: built together, in this process, into the build database."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtProject, dbt_assets

from orchestration.assets.checks import what_to_do
from orchestration.assets.metadata import reference_metadata
from orchestration.assets.reference import LOAD_LOG
from orchestration.assets.tables import failing_rows, table
from orchestration.assets.translator import WarehouseTranslator
from orchestration.build import BuildFailed, build_models
from orchestration.fingerprint import DBT_PROJECT
from orchestration.settings import warehouse_home
from orchestration.transform.built import Table
from orchestration.transform.dbt import NodeOutcome, ensure_parsed

NEXT_STEPS = (
    "Look at the rows that break it; each is traced to its document by `source_url` or "
    "`document_id`.",
    "If a figure is wrong, load it again from where it comes from; if the model is wrong, mend it "
    "in `dbt_project/models/`.",
    "`warehouse run` builds again. Until then the release before is served. `docs/operations.md` "
    'says more under "A model or test failed".',
)

MANIFEST: Path = ensure_parsed()


@dbt_assets(
    manifest=MANIFEST,
    dagster_dbt_translator=WarehouseTranslator(),
    project=DbtProject(DBT_PROJECT),
    exclude="resource_type:unit_test",
    name="models",
)
def warehouse_models(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Build the selected models and run their tests; a failed one stops the run."""
    keys = _asset_keys(context)
    selected = {u for u, key in keys.items() if key in context.selected_asset_keys}
    home = warehouse_home()
    try:
        outcome = build_models(
            home,
            select=() if selected == set(keys) else _names(selected),
            on_line=context.log.info,
        )
    except BuildFailed as failure:
        yield from _events(context, keys, failure.nodes, {})
        raise dg.Failure(f"{failure}{what_to_do(NEXT_STEPS)}", allow_retries=False) from failure
    yield dg.AssetMaterialization(LOAD_LOG, metadata=reference_metadata(home, "load_log"))
    yield from _events(context, keys, outcome.nodes, outcome.models)


def _asset_keys(context: dg.AssetExecutionContext) -> dict[str, dg.AssetKey]:
    return {
        str(spec.metadata["dagster_dbt/unique_id"]): spec.key for spec in context.assets_def.specs
    }


def _names(unique_ids: set[str]) -> tuple[str, ...]:
    return tuple(sorted(unique_id.rsplit(".", 1)[-1] for unique_id in unique_ids))


def _events(
    context: dg.AssetExecutionContext,
    keys: Mapping[str, dg.AssetKey],
    nodes: tuple[NodeOutcome, ...],
    models: Mapping[str, Table],
) -> Iterator[Any]:
    checks = {
        str(spec.metadata["dagster_dbt/unique_id"]): spec for spec in context.assets_def.check_specs
    }
    for node in nodes:
        if node.unique_id in keys and node.passed:
            metadata = {"seconds": node.seconds} | _of_model(models.get(node.name))
            if node.is_left:
                metadata["remark"] = "left as it stood: it reads nothing that is new"
            yield dg.MaterializeResult(asset_key=keys[node.unique_id], metadata=metadata)
        elif node.unique_id in checks and node.status != "skipped":
            yield _check_result(checks[node.unique_id], node)


def _of_model(model: Table | None) -> dict[str, Any]:
    if model is None:  # the build broke off, or looking at it costs too much
        return {}
    return {
        "dagster/row_count": model.rows,
        "preview": table(model.preview),
    } | ({"newest_observation": model.newest_observation} if model.newest_observation else {})


def _check_result(spec: dg.AssetCheckSpec, node: NodeOutcome) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"failing rows": node.failures}
    description = None
    if node.status != "pass":
        description = f"{node.message}.{what_to_do(NEXT_STEPS)}"
        metadata |= {
            "the rows": failing_rows(node.failing_rows),
            "the query that finds them": dg.MetadataValue.md(f"```sql\n{node.query.strip()}\n```"),
        }
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=node.status == "pass",
        severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )
