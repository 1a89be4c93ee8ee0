"""What Dagster is told: lineage, checks and jobs."""

from __future__ import annotations

import dagster as dg
import pytest

from orchestration.contracts import CONTRACTS
from orchestration.definitions import defs
from orchestration.home import Home
from orchestration.run import prepare_dagster_home


def upstream_of(key: str) -> set[str]:
    graph = defs.resolve_asset_graph()
    node = graph.get(dg.AssetKey(key.split("/")))
    return {parent.to_user_string() for parent in node.parent_keys}


@pytest.mark.parametrize(
    ("staging", "parents"),
    [
        ("stg_landing__daily_price", {"baseline/daily_price", "yahoo/daily_price"}),
        ("stg_landing__fx_rate", {"baseline/fx_rate", "ecb/fx_rate"}),
        ("stg_landing__document", {"baseline/document", "edgar/document"}),
        (
            "stg_landing__macro_observation",
            {
                "baseline/macro_observation",
                "fred/macro_observation",
                "worldbank/macro_observation",
            },
        ),
    ],
)
def test_staging_depends_on_all_that_land_its_dataset(staging: str, parents: set[str]) -> None:
    assert parents <= upstream_of(f"staging/{staging}")


def test_the_release_comes_after_every_table() -> None:
    graph = defs.resolve_asset_graph()
    tables = {
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if key.path[0] in ("core", "marts", "ops")
    }
    assert tables <= upstream_of("release")


def test_every_landed_asset_is_guarded_by_blocking_checks() -> None:
    graph = defs.resolve_asset_graph()
    blocking: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        if graph.get(key).blocking:
            blocking.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    for upstream in ("baseline", "yahoo", "edgar", "fred", "worldbank", "ecb"):
        for contract in CONTRACTS.values():
            if dg.AssetKey([upstream, contract.dataset]) in graph.materializable_asset_keys:
                critical = {r.name for r in contract.rules if r.severity == "critical"}
                wanted = {"schema", "keys", "values"} | critical
                assert wanted <= blocking[f"{upstream}/{contract.dataset}"]


def test_the_whole_code_location_loads() -> None:
    # Resolving an asset graph alone does not see two definitions of one name.
    dg.Definitions.validate_loadable(defs)
    defs.get_repository_def().load_all_definitions()


def test_assets_are_described_and_grouped() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description, key
        assert node.group_name != "default", key


def test_jobs_run_in_one_process() -> None:
    upstreams = ("yahoo", "edgar", "fred", "worldbank", "ecb")
    for name in ("everything", *(f"fetch_{upstream}" for upstream in upstreams)):
        assert defs.resolve_job_def(name).executor_def.name == "in_process"


def test_an_upstream_is_asked_by_one_run_at_a_time(home: Home) -> None:
    """A filing a run, all at once, would send the SEC many times what it allows."""
    prepare_dagster_home(home)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        limits = instance.get_concurrency_config().run_queue_config
    assert limits is not None
    assert [(limit["key"], limit["limit"]) for limit in limits.tag_concurrency_limits] == [
        ("upstream", 1)
    ]
    assert limits.tag_concurrency_limits[0]["value"] == {"applyLimitPerUniqueValue": True}
    for upstream in ("yahoo", "edgar", "fred", "worldbank", "ecb"):
        assert defs.resolve_job_def(f"fetch_{upstream}").tags["upstream"] == upstream
