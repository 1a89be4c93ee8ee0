"""The facts that ship with the project, one asset per landing dataset."""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from orchestration.assets import catalogue
from orchestration.assets.checks import guard_check_results, guard_check_specs, quarantined
from orchestration.assets.metadata import batch_metadata
from orchestration.contracts import CONTRACTS, Contract
from orchestration.extract import baseline, ecb
from orchestration.loading import BatchRejected, Loader
from orchestration.settings import warehouse_home


def baseline_key(dataset: str) -> dg.AssetKey:
    """Return the asset that lands the baseline of a dataset."""
    return dg.AssetKey(["baseline", dataset])


def _extract(contract: Contract) -> pd.DataFrame:
    if contract.dataset == "fx_rate":
        return ecb.read_history().assign(source="baseline")
    return baseline.read(contract.dataset, contract.batch_schema)


@dg.multi_asset(
    name="baseline",
    specs=[
        dg.AssetSpec(
            baseline_key(contract.dataset),
            group_name="baseline",
            description=contract.description,
            kinds={"baseline", "parquet"},
            owners=catalogue.owners(contract.group),
            tags=catalogue.tags("landing", contract.group, source="baseline"),
            freshness_policy=catalogue.freshness(contract.dataset),
            metadata=catalogue.landing_schema(contract)
            | catalogue.source_code(_extract, catalogue.contract_file(contract)),
            skippable=True,
        )
        for contract in CONTRACTS.values()
    ],
    check_specs=[
        spec
        for contract in CONTRACTS.values()
        for spec in guard_check_specs(baseline_key(contract.dataset), contract)
    ],
    can_subset=True,
)
def baseline_facts(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Guard and land the facts that ship with the project; a rejected batch stops the run."""
    loader = Loader(warehouse_home())
    rejected: list[BatchRejected] = []
    for contract in CONTRACTS.values():
        key = baseline_key(contract.dataset)
        if key not in context.selected_asset_keys:
            continue
        started = time.perf_counter()
        try:
            loaded = loader.load(contract, _extract(contract))
        except BatchRejected as rejection:
            rejected.append(rejection)
            yield from guard_check_results(key, contract, (), [rejection.entry])
            continue
        metadata = batch_metadata(loader, contract, loaded)
        yield dg.MaterializeResult(
            key, metadata={**metadata, "seconds": time.perf_counter() - started}
        )
        yield from guard_check_results(key, contract, [loaded.report])
    if rejected:
        entries = [rejection.entry for rejection in rejected]
        raise dg.Failure("\n".join(map(str, rejected)), quarantined(entries), allow_retries=False)
