"""The dbt models: built together, in this process, into the build database."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtProject,
    dbt_assets,
)

from orchestration.assets.baseline import baseline_key
from orchestration.assets.checks import markdown_table
from orchestration.assets.live import LIVE
from orchestration.assets.reference import CALENDAR_DATES, REGISTRY
from orchestration.build import BuildFailed, Table, build_models
from orchestration.fingerprint import DBT_PROJECT
from orchestration.settings import warehouse_home
from orchestration.transform.dbt import NodeOutcome, ensure_parsed

LOAD_LOG = dg.AssetKey(["landing", "load_log"])

load_log = dg.AssetSpec(
    LOAD_LOG,
    group_name="reference",
    description="In which order batches were asserted: decides which row of a key counts.",
    kinds={"parquet"},
)


class WarehouseTranslator(DagsterDbtTranslator):
    """Names dbt's nodes as assets: sources by what lands them, models by schema and name."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return the asset of a model or source."""
        name = dbt_resource_props["name"]
        if dbt_resource_props["resource_type"] != "source":
            return dg.AssetKey([dbt_resource_props["schema"], name])
        if dbt_resource_props["source_name"] == "landing":
            return baseline_key(name)
        return {"load_log": LOAD_LOG, "calendar_dates": CALENDAR_DATES}.get(name, REGISTRY)

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """Return a node's spec; who reads a landing dataset depends on all that land it."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        read = {dep.asset_key for dep in spec.deps}
        live = [
            dg.AssetDep(key)
            for upstream in LIVE
            for key in upstream.keys
            if baseline_key(key.path[-1]) in read
        ]
        return spec.replace_attributes(deps=[*spec.deps, *live])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Group models by their schema."""
        return str(dbt_resource_props["schema"])


MANIFEST: Path = ensure_parsed()
TRANSLATOR = WarehouseTranslator(
    DagsterDbtTranslatorSettings(
        enable_asset_checks=True,
        enable_source_tests_as_checks=True,
        # All registry files are one asset.
        enable_duplicate_source_asset_keys=True,
    )
)


@dbt_assets(
    manifest=MANIFEST,
    dagster_dbt_translator=TRANSLATOR,
    project=DbtProject(DBT_PROJECT),
    exclude="resource_type:unit_test",
    name="models",
)
def warehouse_models(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Build the selected models and run their tests; a failed one stops the run."""
    keys = _asset_keys(context)
    selected = {u for u, key in keys.items() if key in context.selected_asset_keys}
    try:
        outcome = build_models(
            warehouse_home(),
            select=() if selected == set(keys) else _names(selected),
            on_line=context.log.info,
        )
    except BuildFailed as failure:
        yield from _events(context, keys, failure.nodes, {})
        raise dg.Failure(str(failure), allow_retries=False) from failure
    yield from _events(context, keys, outcome.nodes, outcome.tables)


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
    tables: Mapping[str, Table],
) -> Iterator[Any]:
    checks = {
        str(spec.metadata["dagster_dbt/unique_id"]): spec for spec in context.assets_def.check_specs
    }
    for node in nodes:
        if node.unique_id in keys and node.passed:
            metadata: dict[str, Any] = {"seconds": node.seconds}
            if table := tables.get(node.name):
                preview = dg.MetadataValue.md(markdown_table(list(table.preview)))
                metadata |= {"dagster/row_count": table.rows, "preview": preview}
                if table.newest_observation:
                    metadata["newest_observation"] = table.newest_observation
            yield dg.MaterializeResult(asset_key=keys[node.unique_id], metadata=metadata)
        elif node.unique_id in checks and node.status != "skipped":
            spec = checks[node.unique_id]
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=node.status == "pass",
                severity=dg.AssetCheckSeverity.ERROR
                if spec.blocking
                else dg.AssetCheckSeverity.WARN,
                metadata={"failing rows": node.failures, "message": node.message},
            )
