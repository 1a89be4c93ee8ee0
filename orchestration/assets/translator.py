"""How dbt's nodes are shown as assets: named, owned, described and traced column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from orchestration.assets import catalogue
from orchestration.assets.baseline import baseline_key
from orchestration.assets.live import LIVE
from orchestration.assets.reference import CALENDAR_DATES, LOAD_LOG, REGISTRY
from orchestration.assets.tests_in_words import in_words
from orchestration.fingerprint import DBT_PROJECT
from orchestration.transform.column_lineage import ColumnOf, Parents, column_lineage

#: Intermediate steps that come before core, or after marts, are shown with those they serve.
_SHOWN_WITH = {"int_precedence": "staging", "int_claim_observations": "marts"}


class WarehouseTranslator(DagsterDbtTranslator):
    """Names dbt's nodes as assets: sources by what lands them, models by schema and name."""

    def __init__(self) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(
                enable_asset_checks=True,
                enable_source_tests_as_checks=True,
                # All registry files are one asset.
                enable_duplicate_source_asset_keys=True,
            )
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return the asset of a model or source."""
        name = dbt_resource_props["name"]
        if dbt_resource_props["resource_type"] != "source":
            return dg.AssetKey([dbt_resource_props["schema"], name])
        if dbt_resource_props["source_name"] == "landing":
            return baseline_key(name)
        return {"load_log": LOAD_LOG, "changed": LOAD_LOG, "calendar_dates": CALENDAR_DATES}.get(
            name, REGISTRY
        )

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """Return a node's spec; who reads a landing dataset depends on all that land it."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        read = {dep.asset_key for dep in spec.deps}
        live = [dg.AssetDep(key) for baseline in read for key in _live(baseline)]
        spec = spec.replace_attributes(
            deps=[*spec.deps, *live], freshness_policy=catalogue.freshness()
        )
        if parents := self._column_lineage.get(unique_id):
            made_of = {
                column: [dep for parent in of_column for dep in self._columns(parent, manifest)]
                for column, of_column in parents.items()
            }
            spec = spec.merge_attributes(metadata=catalogue.traced(spec.metadata, made_of))
        return spec

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """Return a test's spec, named and described in plain words."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        name, description = in_words(manifest["nodes"][unique_id])
        return spec._replace(name=name, description=description)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Group models by layer, so that groups point one way, from upstream to release."""
        step = dbt_resource_props["name"].partition("__")[0]
        return _SHOWN_WITH.get(step, str(dbt_resource_props["schema"]))

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """Return the maintainers of the model's dbt group."""
        if dbt_resource_props["resource_type"] == "source":
            return None
        return catalogue.owners(dbt_resource_props["config"]["group"])

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """Tag a model by its layer and subject."""
        if dbt_resource_props["resource_type"] == "source":
            return {}
        return catalogue.tags(dbt_resource_props["schema"], dbt_resource_props["config"]["group"])

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add links to the model and to where it is described."""
        metadata = super().get_metadata(dbt_resource_props)
        if dbt_resource_props["resource_type"] == "source":
            return metadata
        described_in = dbt_resource_props["patch_path"].partition("://")[2]
        paths = (dbt_resource_props["original_file_path"], described_in)
        return {**metadata, **catalogue.source_code(*(DBT_PROJECT / path for path in paths))}

    @cached_property
    def _column_lineage(self) -> Mapping[str, Parents]:
        return column_lineage()

    def _columns(self, parent: ColumnOf, manifest: Mapping[str, Any]) -> list[dg.TableColumnDep]:
        """The columns of assets that a column of a node is: of a landing dataset, of all landed."""
        unique_id, column = parent
        node = manifest["sources"].get(unique_id) or manifest["nodes"][unique_id]
        key = self.get_asset_key(node)
        if key == REGISTRY:
            column = f"{node['name']}.{column}"
        return [dg.TableColumnDep(key, column) for key in (key, *_live(key))]


def _live(baseline: dg.AssetKey) -> list[dg.AssetKey]:
    """The live assets that land the dataset of a baseline asset."""
    return [
        key
        for upstream in LIVE
        for key in sorted(upstream.keys)
        if baseline == baseline_key(key.path[-1])
    ]
