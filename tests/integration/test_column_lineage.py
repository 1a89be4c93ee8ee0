"""What each column is made of, held against models that were read by hand."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.transform import dbt
from orchestration.transform.column_lineage import Parents, column_lineage, lineage_of_model

PROJECT = "alibaba_warehouse"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(dbt.ensure_parsed().read_text())
    return content


def of(model: str, column: str) -> set[str]:
    """The parents of a column, as ``model.column`` or ``source.table.column``."""
    found = column_lineage()[f"model.{PROJECT}.{model}"][column]
    return {
        f"{parent.removeprefix(f'model.{PROJECT}.').removeprefix(f'source.{PROJECT}.')}.{name}"
        for parent, name in found
    }


@pytest.mark.parametrize(
    ("model", "column", "parents"),
    [
        # Staging over Parquet, through the macro rows_that_count, renamed.
        ("stg_landing__daily_price", "security_key", {"landing.daily_price.ticker"}),
        # A CTE of `select *`.
        ("fct_daily_price", "close", {"stg_landing__daily_price.close"}),
        # The product of the ratios of splits, in the order of their days; a join is no parent.
        (
            "fct_daily_price",
            "split_factor",
            {"stg_landing__corporate_action.value", "stg_landing__corporate_action.ex_date"},
        ),
        # Three columns of a registry file and a flag.
        ("dim_company", "fiscal_year_end_month", {"reference.companies.fiscal_year_end_month"}),
        ("dim_date", "is_xhkg_session", {"reference.calendar_dates.is_xhkg_session"}),
        # The official series' value, or the growth computed, by what the series says of itself.
        (
            "macro_monthly",
            "yoy_percent",
            {"fct_macro_observation.value", "dim_macro_series.yoy_source"},
        ),
        # A union: the same column of each of its parts.
        (
            "int_claim_observations",
            "observed_value",
            {
                f"int_claim_observations__{part}.observed_value"
                for part in ("cash", "cloud", "commerce", "disclosure", "events", "market")
            },
        ),
        # A constant in each part of a union.
        ("result_assertions", "dataset", set()),
        ("coverage", "figure_count", set()),
    ],
)
def test_lineage_is_what_the_sql_says(model: str, column: str, parents: set[str]) -> None:
    assert of(model, column) == parents


def test_every_column_of_every_model_is_traced_to_columns_that_exist(
    manifest: dict[str, Any],
) -> None:
    models = {u: n for u, n in manifest["nodes"].items() if n["resource_type"] == "model"}
    lineage = column_lineage()
    assert lineage.keys() == models.keys()
    for unique_id, columns in lineage.items():
        assert columns.keys() == models[unique_id]["columns"].keys()
        for parent, column in (dep for deps in columns.values() for dep in deps):
            node = models.get(parent) or manifest["sources"][parent]
            assert parent in models[unique_id]["depends_on"]["nodes"]
            assert column in node["columns"], (unique_id, parent, column)


def test_assets_trace_a_landed_column_to_all_that_land_it() -> None:
    asset = defs.resolve_asset_graph().get(dg.AssetKey(["staging", "stg_landing__daily_price"]))
    lineage: dg.TableColumnLineage = asset.metadata["dagster/column_lineage"]
    assert {
        (d.asset_key.to_user_string(), d.column_name) for d in lineage.deps_by_column["open"]
    } == {
        ("baseline/daily_price", "open"),
        ("yahoo/daily_price", "open"),
    }
    described = {c.name: c.description for c in asset.metadata["dagster/column_schema"].columns}
    assert described["open"].endswith(
        "From [baseline/daily_price](/assets/baseline/daily_price): `open`; "
        "[yahoo/daily_price](/assets/yahoo/daily_price): `open`"
    )


def test_assets_trace_a_registry_column_to_its_file() -> None:
    graph = defs.resolve_asset_graph()
    asset = graph.get(dg.AssetKey(["core", "dim_company"]))
    (parent,) = asset.metadata["dagster/column_lineage"].deps_by_column["country"]
    assert parent == dg.TableColumnDep(dg.AssetKey(["reference", "registry"]), "companies.country")
    registry = graph.get(parent.asset_key).metadata["dagster/column_schema"].columns
    assert "companies.country" in {column.name for column in registry}


def lineage(sql: str) -> Parents:
    """The lineage of a model of one column ``y`` over ``core.t (a, b)`` and ``core.u (a)``."""

    def model(name: str, columns: str, parents: list[str]) -> dict[str, Any]:
        return {
            "unique_id": name,
            "resource_type": "model",
            "schema": "core",
            "name": name,
            "columns": {c: {"name": c, "data_type": "int"} for c in columns},
            "depends_on": {"nodes": parents},
        }

    nodes = {"t": model("t", "ab", []), "u": model("u", "a", []), "m": model("m", "y", ["t", "u"])}
    return lineage_of_model(sql, "m", {"nodes": nodes, "sources": {}})


@pytest.mark.parametrize(
    ("sql", "parents"),
    [
        ("select a + b as y from core.t", [("t", "a"), ("t", "b")]),
        ("select sum(b) over (partition by a) as y from core.t", [("t", "a"), ("t", "b")]),
        ("select t.a as y from warehouse.core.t as t join core.u on t.b = u.a", [("t", "a")]),
        ("with s as (select * from core.t) select max(b) as y from s where a > 1", [("t", "b")]),
        ("select a as y from core.t union all select a from core.u", [("t", "a"), ("u", "a")]),
        ("select (select max(a) from core.u) as y from core.t", [("u", "a")]),
        ("select 1 as y from core.t", []),
    ],
)
def test_the_ways_a_column_can_be_made(sql: str, parents: list[tuple[str, str]]) -> None:
    assert lineage(sql) == {"y": parents}


def test_a_column_that_the_sql_does_not_give_is_no_silence() -> None:
    with pytest.raises(KeyError, match="y"):
        lineage("select a from core.t")


def test_a_relation_that_is_no_parent_is_no_silence() -> None:
    with pytest.raises(KeyError, match="stranger"):
        lineage("select a as y from core.stranger")
