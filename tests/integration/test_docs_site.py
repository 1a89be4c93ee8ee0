"""Documentation that travels with the release: its page, and the comments in the database."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration.home import Home
from orchestration.release import current_release
from orchestration.transform import dbt

PUBLISHED = ("core", "marts", "ops")
#: Written by the publishing itself, which records the run, not by dbt.
OF_THE_RUN = {"check_result", "load_batch", "release"}


@pytest.fixture(scope="module")
def models() -> dict[tuple[str, str], dict[str, Any]]:
    manifest = json.loads(dbt.ensure_parsed().read_text())
    return {
        (node["schema"], node["name"]): node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in PUBLISHED
    }


@pytest.fixture(scope="module")
def page(published: Home) -> str:
    release = current_release(published)
    assert release is not None
    return release.docs.read_text(encoding="utf-8")


def test_the_page_holds_manifest_and_catalog(
    page: str, models: dict[tuple[str, str], dict[str, Any]]
) -> None:
    manifest, catalog = _embedded(page)
    named = {node["name"] for node in manifest["nodes"].values()}
    assert named >= {name for _, name in models}
    assert "revenue_growth" in {metric["name"] for metric in manifest["metrics"].values()}
    assert "scorecard" in {exposure["name"] for exposure in manifest["exposures"].values()}
    tables = {
        (node["metadata"]["schema"], node["metadata"]["name"]): node["columns"]
        for node in catalog["nodes"].values()
    }
    built = {key for key, node in models.items() if node["config"]["materialized"] == "table"}
    assert built <= tables.keys()
    assert tables["core", "dim_date"]["calendar_date"]["type"] == "DATE"


def test_the_page_needs_no_network_and_names_no_folder(page: str, published: Home) -> None:
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?https?:", page) == []
    for folder in (published.root, dbt.DBT_PROJECT.parent, Path.home()):
        assert f"{folder}/" not in page


def test_the_page_is_small_beside_its_release(published: Home) -> None:
    release = current_release(published)
    assert release is not None
    assert release.docs.stat().st_size < 10_000_000


def test_the_run_shows_where_the_page_is(published: Home) -> None:
    with dg.DagsterInstance.from_config(str(published.dagster)) as instance:
        # Other tests may have published here since.
        found = instance.fetch_materializations(dg.AssetKey("release"), limit=50).records
    paths = [
        record.asset_materialization.metadata["docs"].value
        for record in found
        if record.asset_materialization
    ]
    release = current_release(published)
    assert release is not None
    assert release.docs.resolve() in {(published.root / str(path)).resolve() for path in paths}


def test_comments_of_tables_are_the_descriptions(
    release: duckdb.DuckDBPyConnection, models: dict[tuple[str, str], dict[str, Any]]
) -> None:
    comments = _comments(
        release,
        """
        select schema_name, table_name, comment from duckdb_tables() where not internal
        union all
        select schema_name, view_name, comment from duckdb_views() where not internal
        union all
        select schema_name, function_name, comment from duckdb_functions()
        where function_type = 'table_macro' and not internal
        """,
    )
    described = {key: node["description"] for key, node in models.items()}
    assert {key: comments.get(key) for key in described} == described
    of_the_run = {("ops", name) for name in OF_THE_RUN}
    assert {key for key in comments.keys() - described.keys() if key[0] != "main"} <= of_the_run
    assert [key for key in of_the_run & comments.keys() if not comments[key]] == []


def test_comments_of_columns_are_the_descriptions(
    release: duckdb.DuckDBPyConnection, models: dict[tuple[str, str], dict[str, Any]]
) -> None:
    comments = _comments(
        release,
        """
        select schema_name, table_name, column_name, comment from duckdb_columns()
        where not internal
        """,
    )
    described = {
        (*key, column["name"]): column["description"]
        for key, node in models.items()
        # A macro has no columns of its own in DuckDB's catalog: its comment must do.
        if node["config"]["materialized"] != "table_macro"
        for column in node["columns"].values()
    }
    of_the_run = {key: text for key, text in comments.items() if key[1] in OF_THE_RUN}
    assert {key: text for key, text in comments.items() if key not in of_the_run} == described
    assert [key for key, text in of_the_run.items() if not text] == []


def _comments(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[tuple[str, ...], str | None]:
    return {tuple(row[:-1]): row[-1] for row in connection.execute(sql).fetchall()}


def _embedded(page: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the catalog as the page holds them."""
    manifest, catalog = (
        json.JSONDecoder().raw_decode(page, page.index(start) + len(start) - len('{"metadata"'))[0]
        for start in ('{manifest:{"metadata"', ',catalog:{"metadata"')
    )
    return manifest, catalog
