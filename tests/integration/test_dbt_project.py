"""The dbt project as a whole: its unit tests, its documentation, its dialect."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.fingerprint import DBT_PROJECT, PACKAGE
from orchestration.home import Home
from orchestration.transform import dbt

#: Words that Spark SQL lacks or reads otherwise; they belong in a dispatched macro.
NOT_IN_BOTH_DIALECTS = (
    r"\bexclude\s*\(",
    r"\basof\s+join\b",
    r"\bdistinct\s+on\b",
    r"\bstrftime\b",
    r"\bdate_diff\b",
    r"\barg_max\b",
    r"\blist_\w+\(",
    r"\bunnest\b",
    r"\bisodow\b",
    r"\bquantile_cont\b",
    r"\bregexp_matches\b",
    r"\bgenerate_series\b",
    r"::varchar\b",
    r"ignore nulls",
    r"\brange\s*\(",
    r'"\w+"',
)


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(dbt.ensure_parsed().read_text())
    return content


def test_the_unit_tests_of_the_models_hold(published: Home) -> None:
    nodes = dbt.run_unit_tests(published)
    failed = [(node.name, node.message) for node in nodes if not node.passed]
    assert failed == []
    assert {node.name for node in nodes} >= {
        "fiscal_calendar",
        "trailing_twelve_months",
        "year_on_year_across_a_changed_structure",
        "basis_and_flags",
        "known_on_a_day",
    }


def test_of_two_processes_that_start_after_an_edit_one_parses(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name)
    unparsed = shutil.ignore_patterns("target", "logs")
    project = shutil.copytree(DBT_PROJECT, tmp_path / DBT_PROJECT.name, ignore=unparsed)
    script = (
        "import sys\n"
        "from orchestration.transform.dbt import ensure_parsed\n"
        "print(ensure_parsed())\n"
        "print('dbt.parser' in sys.modules)\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert {manifest for manifest, _ in said} == {str(project / "target" / "manifest.json")}
    assert sorted(has_parsed for _, has_parsed in said) == ["False", "True"]


def test_every_model_and_column_is_described(manifest: dict[str, Any]) -> None:
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    bare = [model["name"] for model in models if not model["description"].strip()]
    bare += [
        f"{model['name']}.{column['name']}"
        for model in models
        for column in model["columns"].values()
        if not column["description"].strip()
    ]
    assert bare == []


def test_contracts_are_enforced_on_what_is_published(manifest: dict[str, Any]) -> None:
    loose = [
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["schema"] in ("core", "marts", "ops")
        and node["config"]["materialized"] == "table"
        and not node["config"]["contract"]["enforced"]
    ]
    assert loose == []


def test_marts_read_core_and_never_staging(manifest: dict[str, Any]) -> None:
    wrong = [
        (node["name"], parent)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
        for parent in node["depends_on"]["nodes"]
        if parent.startswith("source.") or ".stg_" in parent
    ]
    assert wrong == []


def test_only_staging_reads_landing(manifest: dict[str, Any]) -> None:
    wrong = [
        (node["name"], parent)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] != "staging"
        for parent in node["depends_on"]["nodes"]
        if parent.startswith("source.alibaba_warehouse.landing.")
    ]
    assert wrong == []


def test_every_table_has_a_grain_test(manifest: dict[str, Any]) -> None:
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["test_metadata"]["name"] == "grain"
    }
    tables = {
        unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["config"]["materialized"] == "table"
    }
    assert tables - tested == set()


def test_comments_reach_the_release(release: duckdb.DuckDBPyConnection) -> None:
    bare = release.execute(
        "select schema_name || '.' || table_name || '.' || column_name from duckdb_columns() "
        "where schema_name in ('core', 'marts', 'ops') and comment is null"
    ).fetchall()
    assert bare == []


def test_models_keep_to_the_common_dialect() -> None:
    models = Path("dbt_project/models").rglob("*.sql")
    found = [
        f"{path}: {match[0]}"
        for path in models
        for pattern in NOT_IN_BOTH_DIALECTS
        for match in re.finditer(
            pattern, re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", path.read_text(), flags=re.S)
        )
    ]
    assert found == []
