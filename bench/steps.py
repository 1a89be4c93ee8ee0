"""What is measured of the warehouse, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from bench.made import Made
from orchestration.build import build_models, publish_build
from orchestration.contracts import CONTRACTS, Contract
from orchestration.extract import baseline, ecb
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.quality.report import CheckOutcome, GuardReport
from orchestration.transform import reference

#: What is loaded beside prices; documents before the figures that name them.
OTHERS = ("document", "corporate_action", "company_result", "kpi", "segment_result")


class _TimedLoader(Loader):
    """Knows how much of loading was the guard's."""

    guard_seconds = 0.0

    def _judge(
        self, contract: Contract, batch: pa.Table, checks: Sequence[CheckOutcome]
    ) -> GuardReport:
        started = time.perf_counter()
        try:
            return super()._judge(contract, batch, checks)
        finally:
            self.guard_seconds += time.perf_counter() - started


def prepare(made: Made, home: Home) -> Mapping[str, float]:
    """Land the baseline and all that is made but prices; write what dbt reads beside landing."""
    registry = made.registry()
    loader = Loader(home, registry)
    for contract in CONTRACTS.values():
        frame = (
            ecb.read_history().assign(source="baseline")
            if contract.dataset == "fx_rate"
            else baseline.read(contract.dataset, contract.batch_schema)
        )
        loader.load(contract, frame)
    for dataset in OTHERS:
        for path in made.batches(dataset):
            loader.load(CONTRACTS[dataset], pq.read_table(path).to_pandas(types_mapper=_arrow))
    reference.write_registry(home, registry)
    reference.write_calendar_dates(home, registry)
    return {}


def load(made: Made, home: Home) -> Mapping[str, float]:
    """Guard and land every batch of prices; returns the seconds of the guard and bytes landed."""
    return _load(made, home, "daily_price")


def load_day(made: Made, home: Home) -> Mapping[str, float]:
    """Guard and land one new session of all securities."""
    return _load(made, home, "next")


def _load(made: Made, home: Home, batches: str) -> Mapping[str, float]:
    loader = _TimedLoader(home, made.registry())
    for path in made.batches(batches):
        loader.load(CONTRACTS["daily_price"], pq.read_table(path).to_pandas(types_mapper=_arrow))
    landed = sum(path.stat().st_size for path in home.landing.rglob("*.parquet"))
    return {"guard_seconds": loader.guard_seconds, "landing_bytes": landed}


def build(made: Made, home: Home) -> Mapping[str, float]:
    """Build every model and run every test; returns the seconds of the five slowest nodes."""
    nodes = build_models(home).nodes
    slowest = sorted(nodes, key=lambda node: node.seconds, reverse=True)[:5]
    return {node.name: node.seconds for node in slowest}


def release(made: Made, home: Home) -> Mapping[str, float]:
    """Publish the build; returns the bytes of the release."""
    release, _ = publish_build(home)
    return {"release_bytes": release.manifest.bytes}


def _arrow(arrow: pa.DataType) -> object:
    import pandas as pd

    return pd.ArrowDtype(arrow)


STEPS: dict[str, Callable[[Made, Home], Mapping[str, float]]] = {
    "prepare": prepare,
    "load": load,
    "build": build,
    "release": release,
    "load_day": load_day,
    "build_day": build,
    "release_day": release,
}
