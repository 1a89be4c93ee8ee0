"""Who answers for a table, who may build on it, and who reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.transform import dbt

PUBLISHED = ("core", "marts", "ops")
DASHBOARDS = {
    "alibaba_overview",
    "cloud_against_peers",
    "domestic_commerce_against_peers",
    "price_drawdown_and_events",
    "scorecard",
    "data_quality_and_freshness",
}
NOTEBOOKS = {"first_look", "cloud_race", "restatements_and_as_of", "event_study"}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(dbt.ensure_parsed().read_text())
    return content


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        unique_id: node
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }


@pytest.fixture(scope="module")
def exposures(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return list(manifest["exposures"].values())


def test_the_readers_are_declared(exposures: list[dict[str, Any]]) -> None:
    by_type: dict[str, set[str]] = {}
    for exposure in exposures:
        by_type.setdefault(exposure["type"], set()).add(exposure["name"])
    assert by_type == {
        "dashboard": DASHBOARDS,
        "notebook": NOTEBOOKS,
        "analysis": {"static_report"},
    }


def test_a_reader_says_who_what_and_how_firm(exposures: list[dict[str, Any]]) -> None:
    lacking = [
        (exposure["name"], field)
        for exposure in exposures
        for field in ("description", "label", "maturity", "owner")
        if not exposure[field]
    ]
    assert lacking == []
    assert [e["name"] for e in exposures if not e["owner"]["name"]] == []


def test_readers_read_only_what_is_published(
    exposures: list[dict[str, Any]], models: dict[str, dict[str, Any]]
) -> None:
    assert [e["name"] for e in exposures if not e["depends_on"]["nodes"]] == []
    unpublished = [
        (exposure["name"], parent)
        for exposure in exposures
        for parent in exposure["depends_on"]["nodes"]
        if models[parent]["schema"] not in PUBLISHED
    ]
    assert unpublished == []


def test_every_mart_has_a_reader(
    exposures: list[dict[str, Any]], models: dict[str, dict[str, Any]]
) -> None:
    read = {parent for exposure in exposures for parent in exposure["depends_on"]["nodes"]}
    unread = [n["name"] for u, n in models.items() if n["schema"] == "marts" and u not in read]
    assert unread == []


def test_every_published_model_belongs_to_a_group(
    manifest: dict[str, Any], models: dict[str, dict[str, Any]]
) -> None:
    groups = {group["name"]: group["owner"] for group in manifest["groups"].values()}
    needed = {"market", "segments", "macro", "reference", "peers", "claims"}
    assert groups.keys() >= needed
    assert [name for name, owner in groups.items() if not owner["name"]] == []
    loose = [
        node["name"]
        for node in models.values()
        if node["schema"] in PUBLISHED and node["config"]["group"] not in groups
    ]
    assert loose == []
    used = {node["config"]["group"] for node in models.values()}
    assert groups.keys() - used == set()


def test_public_is_what_is_published(models: dict[str, dict[str, Any]]) -> None:
    wrong = [
        (node["name"], node["access"])
        for node in models.values()
        if (node["access"] == "public") != (node["schema"] in PUBLISHED)
    ]
    assert wrong == []


def test_steps_of_one_group_are_private_to_it(
    manifest: dict[str, Any], models: dict[str, dict[str, Any]]
) -> None:
    private = {u: n for u, n in models.items() if n["access"] == "private"}
    assert private
    strangers = [
        (models[child]["name"], node["name"])
        for unique_id, node in private.items()
        for child in manifest["child_map"][unique_id]
        if child in models and models[child]["config"]["group"] != node["config"]["group"]
    ]
    assert strangers == []
    # A step that serves one group alone is marked so when it is the claims' or the peers'.
    claims = [n["name"] for n in models.values() if n["name"].startswith("int_claim_")]
    assert {n["name"] for n in private.values()} >= set(claims)
