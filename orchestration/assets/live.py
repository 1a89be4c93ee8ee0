"""The live upstreams: each lands what it has that is new; a part that fails, fails alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from orchestration import live, partitions, sec
from orchestration.assets import catalogue
from orchestration.assets.checks import guard_check_results, guard_check_specs, quarantined
from orchestration.assets.metadata import batch_metadata
from orchestration.contracts import Contract, contract_for
from orchestration.fingerprint import PACKAGE
from orchestration.live import Update
from orchestration.loading import Loader
from orchestration.settings import settings, warehouse_home

#: What an upstream is known by, where its own name says less.
_KINDS = {"edgar": "sec"}


def live_key(upstream: str, dataset: str) -> dg.AssetKey:
    """Return the asset that lands what an upstream has of a dataset."""
    return dg.AssetKey([upstream, dataset])


def _specs(
    upstream: str, contracts: Sequence[Contract], update: Callable[..., Update]
) -> list[dg.AssetSpec]:
    extractor = PACKAGE / "extract" / f"{upstream}.py"
    return [
        dg.AssetSpec(
            live_key(upstream, contract.dataset),
            group_name=upstream,
            description=f"What {upstream} has that has not landed yet. {contract.description}",
            kinds={_KINDS.get(upstream, upstream), "parquet"},
            owners=catalogue.owners(contract.group),
            tags=catalogue.tags("landing", contract.group, source=upstream),
            freshness_policy=catalogue.freshness(contract.dataset),
            metadata=catalogue.landing_schema(contract)
            | catalogue.source_code(update, extractor, catalogue.contract_file(contract)),
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
    update: Callable[..., Update],
) -> dg.AssetsDefinition:
    contracts = [contract_for(dataset) for dataset in datasets]

    @dg.multi_asset(
        name=upstream,
        specs=_specs(upstream, contracts, update),
        check_specs=_checks(upstream, contracts),
        partitions_def=partitions_def,
        # A backfill is one run: an upstream is asked for all parts by one patient client.
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_def else None,
    )
    def fetch(context: dg.AssetExecutionContext) -> Iterator[Any]:
        started = time.perf_counter()
        loader = Loader(warehouse_home())
        parts = (context.partition_keys,) if partitions_def else ()
        outcome = update(loader, settings(), *parts)
        yield from _events(upstream, contracts, loader, outcome, time.perf_counter() - started)
        for remark in outcome.remarks:
            context.log.info(remark)
        if outcome.failures:
            raise dg.Failure(
                "\n".join(outcome.failures), quarantined(outcome.rejected), allow_retries=False
            )

    return fetch


def _events(
    upstream: str, contracts: Sequence[Contract], loader: Loader, outcome: Update, seconds: float
) -> Iterator[Any]:
    for contract in contracts:
        key = live_key(upstream, contract.dataset)
        landed = [a for a in outcome.loaded if a.assertion.dataset == contract.dataset]
        rejected = [e for e in outcome.rejected if e.report.dataset == contract.dataset]
        rows = sum(loaded.assertion.rows for loaded in landed)
        if landed or not outcome.failures:
            metadata: dict[str, Any] = {
                "dagster/row_count": rows,
                "seconds": seconds,
                "remarks": dg.MetadataValue.md(
                    "\n".join(f"- {remark}" for remark in outcome.remarks) or "none"
                ),
                "preview": "nothing new",
            }
            if landed:
                of_newest = batch_metadata(loader, contract, landed[-1])
                metadata |= {**of_newest, "dagster/row_count": rows}
            yield dg.MaterializeResult(key, metadata=metadata)
        reports = [loaded.report for loaded in landed[-1:]]
        yield from guard_check_results(key, contract, reports, rejected)


fred = _live_asset("fred", ["macro_observation"], partitions.FRED_SERIES, live.update_fred)
worldbank = _live_asset(
    "worldbank", ["macro_observation"], partitions.WORLDBANK_SERIES, live.update_worldbank
)
ecb = _live_asset("ecb", ["fx_rate"], None, live.update_ecb)
yahoo = _live_asset(
    "yahoo", ["daily_price", "corporate_action"], partitions.SECURITIES, live.update_yahoo
)
edgar = _live_asset(
    "edgar",
    ["document", "company_result", "segment_result", "kpi"],
    partitions.FILINGS,
    sec.update_edgar,
)

LIVE = [yahoo, edgar, fred, worldbank, ecb]
