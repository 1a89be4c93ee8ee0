"""What Dagster is told: lineage, checks and jobs."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from orchestration.contracts import CONTRACTS
from orchestration.definitions import defs
from orchestration.fingerprint import DBT_PROJECT
from orchestration.home import Home
from orchestration.run import prepare_dagster_home
from orchestration.transform import built
from orchestration.transform.built import built_tables


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
            "stg_landing__segment_result",
            {"baseline/segment_result", "edgar/segment_result", "landing/load_log"},
        ),
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


GRAPH = defs.resolve_asset_graph()
ASSETS = sorted(GRAPH.get_all_asset_keys())
MODELS = [key for key in ASSETS if "dbt" in GRAPH.get(key).kinds]


@pytest.mark.parametrize("key", ASSETS, ids=dg.AssetKey.to_user_string)
def test_every_asset_says_what_a_reader_asks(key: dg.AssetKey) -> None:
    asset = GRAPH.get(key)
    assert asset.description
    assert asset.group_name != "default"
    (owner,) = asset.owners
    assert owner.startswith("team:")
    assert owner.endswith("-maintainers")
    assert {"layer", "subject"} <= asset.tags.keys()
    assert len(asset.kinds) == 2
    assert asset.freshness_policy is not None
    columns = asset.metadata["dagster/column_schema"].columns
    assert columns
    assert [c.name for c in columns if not c.description or c.type == "?"] == []
    links = asset.metadata["dagster/code_references"].code_references
    assert links
    assert [link.file_path for link in links if not Path(link.file_path).exists()] == []


def test_owners_are_those_of_the_dbt_groups() -> None:
    groups = yaml.safe_load((DBT_PROJECT / "models" / "groups.yml").read_text())["groups"]
    known = {
        group["name"]: f"team:{group['owner']['name'].lower().replace(' ', '-')}"
        for group in groups
    }
    for key in ASSETS:
        asset = GRAPH.get(key)
        assert asset.owners == [known[asset.tags["subject"]]], key


def test_kinds_name_upstream_and_tool() -> None:
    def kinds(key: str) -> set[str]:
        return set(GRAPH.get(dg.AssetKey(key.split("/"))).kinds)

    assert kinds("yahoo/daily_price") == {"yahoo", "parquet"}
    assert kinds("edgar/segment_result") == {"sec", "parquet"}
    assert len(MODELS) > 50
    assert all(GRAPH.get(key).kinds == {"dbt", "duckdb"} for key in MODELS)


def test_an_asset_may_be_as_old_as_the_registry_lets_its_dataset() -> None:
    def days(key: str) -> tuple[int, int]:
        policy = GRAPH.get(dg.AssetKey(key.split("/"))).freshness_policy
        assert isinstance(policy, TimeWindowFreshnessPolicy)
        assert policy.warn_window is not None
        return policy.warn_window.to_timedelta().days, policy.fail_window.to_timedelta().days

    assert days("fred/macro_observation") == (45, 90)
    assert days("baseline/event") == (120, 365)
    # Built from all of them: the tightest, that of prices and exchange rates.
    assert days("marts/macro_monthly") == days("release") == (4, 10)


def test_groups_point_one_way_from_upstream_to_release() -> None:
    """Collapsed, as the UI opens them, the groups are the lineage at a glance."""
    follow: dict[str, set[str]] = {}
    for key in ASSETS:
        group = GRAPH.get(key).group_name
        parents = {GRAPH.get(parent).group_name for parent in GRAPH.get(key).parent_keys}
        follow.setdefault(group, set()).update(parents - {group})
    order = list(TopologicalSorter(follow).static_order())
    layers = ["staging", "core", "intermediate", "marts", "release"]
    assert [group for group in order if group in layers] == layers
    upstreams = {"baseline", "yahoo", "edgar", "fred", "worldbank", "ecb", "reference"}
    assert {group for group, parents in follow.items() if not parents} == upstreams


def test_checks_are_named_and_described_in_plain_words() -> None:
    for key in GRAPH.asset_check_keys:
        assert GRAPH.get(key).description, key
        assert "__" not in key.name, key
    names = {key.name for key in GRAPH.asset_check_keys if key.asset_key.path[-1] == "dim_segment"}
    assert names == {"one_row_per_key"}
    (grain,) = (
        GRAPH.get(key)
        for key in GRAPH.asset_check_keys
        if key.asset_key.path[-1] == "dim_structure"
    )
    assert grain.description == "No two rows share `company_key` and `structure`."


def test_every_run_counts_the_rows_of_every_asset_and_shows_some(published: Home) -> None:
    made = set(defs.resolve_job_def("everything").asset_layer.executable_asset_keys)
    made.add(dg.AssetKey(["landing", "load_log"]))
    assert len(made) > 75
    with dg.DagsterInstance.from_config(str(published.dagster)) as instance:
        for key in made:
            event = instance.get_latest_materialization_event(key)
            assert event is not None, key
            assert event.asset_materialization is not None
            metadata = event.asset_materialization.metadata
            assert isinstance(metadata["dagster/row_count"].value, int), key
            assert "preview" in metadata, key


def test_the_view_of_a_large_dataset_is_neither_counted_nor_shown(
    published: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "stg_landing__daily_price" in built_tables(published)
    monkeypatch.setattr(built, "COUNTED_ROWS", 1_000)
    tables = built_tables(published)
    assert "stg_landing__daily_price" not in tables
    assert tables["fct_daily_price"].rows > 1_000
    assert "stg_landing__event" in tables


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
