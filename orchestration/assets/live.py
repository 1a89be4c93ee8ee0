"""The live upstreams: each lands what it has that is new; a part that fails, fails alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from orchestration import live, partitions, sec
from orchestration.assets.checks import guard_check_results, guard_check_specs
from orchestration.assets.metadata import batch_metadata
from orchestration.contracts import Contract, contract_for
from orchestration.live import Update
from orchestration.loading import Loader
from orchestration.settings import settings, warehouse_home


def live_key(upstream: str, dataset: str) -> dg.AssetKey:
    """Return the asset that lands what an upstream has of a dataset."""
    return dg.AssetKey([upstream, dataset])


def _specs(upstream: str, contracts: Sequence[Contract]) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            live_key(upstream, contract.dataset),
            group_name=contract.group,
            description=f"What {upstream} has that has not landed yet. {contract.description}",
            kinds={upstream, "parquet"},
            tags={"source": upstream},
            skippable=True,
        )
        for contract in contracts
    ]


def _checks(upstream: str, contracts: Sequence[Contract]) -> list[dg.AssetCheckSpec]:
    return [
        spec
        for contract in contracts
        for spec in guard_check_specs(live_key(upstream, contract.dataset), contract)
    ]


def _live_asset(
    upstream: str,
    datasets: Sequence[str],
    partitions_def: dg.PartitionsDefinition[str] | None,
    update: Callable[[Loader, Sequence[str]], Update],
) -> dg.AssetsDefinition:
    contracts = [contract_for(dataset) for dataset in datasets]

    @dg.multi_asset(
        name=upstream,
        specs=_specs(upstream, contracts),
        check_specs=_checks(upstream, contracts),
        partitions_def=partitions_def,
        # A backfill is one run: an upstream is asked for all parts by one patient client.
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_def else None,
    )
    def fetch(context: dg.AssetExecutionContext) -> Iterator[Any]:
        started = time.perf_counter()
        loader = Loader(warehouse_home())
        outcome = update(loader, context.partition_keys if partitions_def else ())
        yield from _events(upstream, contracts, loader, outcome, time.perf_counter() - started)
        for remark in outcome.remarks:
            context.log.info(remark)
        if outcome.failures:
            raise dg.Failure("\n".join(outcome.failures), allow_retries=False)

    return fetch


def _events(
    upstream: str, contracts: Sequence[Contract], loader: Loader, outcome: Update, seconds: float
) -> Iterator[Any]:
    for contract in contracts:
        key = live_key(upstream, contract.dataset)
        landed = [a for a in outcome.loaded if a.assertion.dataset == contract.dataset]
        if outcome.failures and not landed:
            continue
        metadata: dict[str, Any] = {
            "dagster/row_count": sum(loaded.assertion.rows for loaded in landed),
            "seconds": seconds,
            "remarks": dg.MetadataValue.md("\n".join(f"- {r}" for r in outcome.remarks) or "none"),
        }
        if landed:
            metadata = dict(batch_metadata(loader, contract, landed[-1])) | metadata
        yield dg.MaterializeResult(key, metadata=metadata)
        for loaded in landed[-1:]:
            yield from guard_check_results(key, contract, loaded.report)


fred = _live_asset(
    "fred",
    ["macro_observation"],
    partitions.FRED_SERIES,
    lambda loader, keys: live.update_fred(loader, settings(), keys),
)
worldbank = _live_asset(
    "worldbank",
    ["macro_observation"],
    partitions.WORLDBANK_SERIES,
    lambda loader, keys: live.update_worldbank(loader, settings(), keys),
)
ecb = _live_asset(
    "ecb", ["fx_rate"], None, lambda loader, keys: live.update_ecb(loader, settings())
)

yahoo = _live_asset(
    "yahoo",
    ["daily_price", "corporate_action"],
    partitions.SECURITIES,
    lambda loader, keys: live.update_yahoo(loader, settings(), keys),
)
edgar = _live_asset(
    "edgar",
    ["document", "company_result", "kpi"],
    partitions.FILINGS,
    lambda loader, keys: sec.update_edgar(loader, settings(), keys),
)

LIVE = [yahoo, edgar, fred, worldbank, ecb]
