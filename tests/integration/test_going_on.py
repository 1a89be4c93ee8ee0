"""A build gives the same to the last bit, gone on from the one before or not, in slices or not."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration import calendars
from orchestration.build import build_models, forget_build
from orchestration.contracts import CONTRACTS
from orchestration.home import Home
from orchestration.landing import Landing
from orchestration.registry import load_registry
from orchestration.registry.entries import Security
from orchestration.release.content_hash import summarise
from orchestration.release.tables import tables_in
from orchestration.transform import going_on
from orchestration.transform.dbt import NodeOutcome, ensure_parsed
from tests.conftest import warehouse

Row = dict[str, Any]

SECURITIES = {s.security_key: s for s in load_registry().entries(Security)}
TICKERS = ("BABA", "9988.HK", "PDD", "JD", "MSFT", "KWEB", "SPY", "^HSI", "3033.HK", "^IXIC")
#: Sessions of which prices are made: two quarters and a bit.
FIRST, LAST = date(2026, 3, 16), date(2026, 10, 30)


def sessions_of(ticker: str) -> list[date]:
    days = calendars.sessions(load_registry(), SECURITIES[ticker].exchange_mic).date
    return [day for day in days if FIRST <= day <= LAST]


class World:
    """What upstreams say from step to step, landed past the guard: it may be anything."""

    def __init__(self, home: Home, seed: int) -> None:
        self.home = home
        self.random = random.Random(seed)
        self.landed: list[tuple[str, pa.Table, str]] = []
        self.place = dict.fromkeys(TICKERS, 20)
        self.sessions = {ticker: sessions_of(ticker) for ticker in TICKERS}

    def land(self, dataset: str, rows: list[Row], source: str) -> None:
        contract = CONTRACTS[dataset]
        schema = contract.landed_schema
        said = [row | {"source": source, "source_url": f"https://{source}"} for row in rows]
        batch = pa.Table.from_pylist(
            said,
            schema=pa.schema([f for f in schema if f.name not in ("batch_id", "ingested_at")]),
        )
        batch_id = f"{self.random.getrandbits(128):032x}"
        self.landed.append((dataset, batch, batch_id))
        self._assert(dataset, batch, batch_id)

    def say_again(self) -> None:
        """The content of an earlier batch once more: A, B and then A again."""
        if self.landed:
            self._assert(*self.random.choice(self.landed))

    def baseline_again(self) -> None:
        landing = Landing(self.home.landing)
        prices = [a for a in landing.log.in_effect() if a.source == "baseline"]
        for a in self.random.sample(prices, 3):
            landing.log.append(
                a.dataset, a.batch_id, a.source, a.rows, a.newest_observation, new=False
            )

    def price(self, ticker: str, day: date, **others: Any) -> Row:
        close = round(self.random.uniform(80, 120), 2)
        index = SECURITIES[ticker].security_type == "index"
        return {
            "ticker": ticker,
            "session_date": day,
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "adj_close": None if index else round(close * 0.9, 4),
            "volume": 1000.0,
            "currency": SECURITIES[ticker].currency,
            "observation_frequency": "daily",
            "split_basis": None if index else LAST,
        } | others

    def some(self) -> str:
        return self.random.choice(TICKERS)

    def seen(self, ticker: str) -> list[date]:
        return self.sessions[ticker][: self.place[ticker]]

    def history(self) -> None:
        for ticker in TICKERS[:-2]:
            rows = [self.price(ticker, day) for day in self.seen(ticker)]
            self.land("daily_price", rows, "yahoo")

    def next_session(self, tickers: tuple[str, ...] = TICKERS[:-2]) -> None:
        rows = []
        for ticker in tickers:
            day = self.sessions[ticker][self.place[ticker]]
            self.place[ticker] += 1
            rows.append(self.price(ticker, day, split_basis=self.random.choice([day, LAST])))
        self.land("daily_price", rows, "yahoo")

    def next_session_of_some(self) -> None:
        self.next_session(tuple(self.random.sample(TICKERS, 3)))

    def benchmark_comes_late(self) -> None:
        late = self.random.choice(("SPY", "KWEB", "^HSI"))
        self.next_session(tuple(t for t in TICKERS if t != late))

    def many_sessions(self) -> None:
        for _ in range(self.random.randint(5, 30)):
            self.next_session()

    def correction(self) -> None:
        ticker = self.some()
        days = self.random.sample(self.seen(ticker), self.random.randint(1, 3))
        source = self.random.choice(["yahoo", "yahoo", "import", "baseline"])
        self.land("daily_price", [self.price(ticker, day) for day in days], source)

    def correction_of_the_newest(self) -> None:
        rows = [self.price(ticker, self.seen(ticker)[-1]) for ticker in TICKERS[:-2]]
        self.land("daily_price", rows, "yahoo")

    def no_adjusted_close(self) -> None:
        ticker = self.some()
        days = self.seen(ticker)[-self.random.randint(1, 25) :]
        rows = [self.price(ticker, day, adj_close=None) for day in days]
        self.land("daily_price", rows, "yahoo")

    def no_close(self) -> None:
        ticker = self.random.choice([t for t in TICKERS if not t.startswith("^")])
        days = self.random.sample(self.seen(ticker), 3)
        basis = self.random.choice([LAST, days[0]])
        rows = [self.price(ticker, day, close=None, split_basis=basis) for day in days]
        self.land("daily_price", rows, "yahoo")

    def another_collection(self) -> None:
        ticker = self.some()
        days = self.seen(ticker)[-self.random.randint(1, 40) :]
        rows = [self.price(ticker, day, split_basis=days[-1]) for day in days]
        self.land("daily_price", rows, "yahoo")

    def month_ends(self) -> None:
        ticker = self.some()
        days = self.random.sample(self.sessions[ticker], 3)
        rows = [
            self.price(ticker, day, observation_frequency="month_end", open=None) for day in days
        ]
        self.land("daily_price", rows, self.random.choice(["yahoo", "baseline", "import"]))

    def split(self) -> None:
        ticker = self.random.choice(TICKERS[:5])
        row = {
            "ticker": ticker,
            "ex_date": self.random.choice(self.sessions[ticker]),
            "action": "split",
            "value": float(self.random.choice([2, 3, 10])),
            "unit": "ratio",
        }
        self.land("corporate_action", [row], "yahoo")

    def dividend(self) -> None:
        ticker = self.random.choice(TICKERS[:7])
        row = {
            "ticker": ticker,
            "ex_date": self.random.choice(self.sessions[ticker]),
            "action": "dividend",
            "value": round(self.random.uniform(0.1, 2), 2),
            "unit": self.random.choice(["USD per share", "HKD per share"]),
        }
        self.land("corporate_action", [row], "yahoo")

    def exchange_rates(self) -> None:
        start = FIRST + timedelta(days=self.random.randint(-400, 200))
        rows = [
            {
                "base": "EUR",
                "quote": quote,
                "rate_date": start + timedelta(days=days),
                "rate": round(self.random.uniform(low, high), 4),
            }
            for days in range(0, 100, 3)
            for quote, low, high in (("USD", 1, 1.2), ("HKD", 8, 9), ("CNY", 7, 8))
        ]
        self.land("fx_rate", rows, "ecb")

    def share_count(self) -> None:
        row = self._any("kpi", lambda row: row["kpi"] == "ordinary_shares_outstanding")
        self.land("kpi", [row | {"value": row["value"] * 2}], "document")

    def result(self) -> None:
        row = self._any("company_result", lambda row: row["metric"] == "revenue")
        # Less than what a table may differ from its total by.
        value = row["value"] + row["printed_step"] / 4
        self.land("company_result", [row | {"value": value}], "document")

    def publication_day(self) -> None:
        row = self._any("document", lambda row: row["reported_on"] is not None)
        day = row["reported_on"] + timedelta(days=self.random.randint(-9, 9))
        self.land("document", [row | {"reported_on": day}], "document")

    def _any(self, dataset: str, which: Callable[[Row], bool]) -> Row:
        rows = [row for row in Landing(self.home.landing).newest(dataset).to_pylist() if which(row)]
        rows.sort(key=lambda row: [str(row[name]) for name in CONTRACTS[dataset].key])
        return self.random.choice(rows)

    def _assert(self, dataset: str, batch: pa.Table, batch_id: str) -> None:
        Landing(self.home.landing).assert_batch(CONTRACTS[dataset], batch, batch_id)


STEPS: tuple[Callable[[World], None], ...] = (
    World.next_session,
    World.next_session_of_some,
    World.benchmark_comes_late,
    World.many_sessions,
    World.correction,
    World.correction_of_the_newest,
    World.no_adjusted_close,
    World.no_close,
    World.another_collection,
    World.month_ends,
    World.split,
    World.dividend,
    World.exchange_rates,
    World.share_count,
    World.result,
    World.publication_day,
    World.say_again,
    World.baseline_again,
)


@pytest.fixture
def twins(published: Home, tmp_path: Path) -> tuple[Home, Home]:
    """Two warehouses over one landing area: one goes on, the other always starts from nothing."""
    one, other = Home(tmp_path / "one"), Home(tmp_path / "other")
    shutil.copytree(published.landing, one.landing)
    for home in (one, other):
        shutil.copytree(published.reference, home.reference)
    other.landing.symlink_to(one.landing)
    return one, other


def content(home: Home) -> dict[str, str]:
    with duckdb.connect(str(home.build_database), read_only=True) as connection:
        tables = tables_in(connection, ("core", "marts"))
        return {str(table): summarise(connection, table).content_hash for table in tables}


def built(home: Home) -> tuple[dict[str, str], set[tuple[str, str, int]]]:
    """The content of every table, and what became of every model and test."""
    with warehouse(home):
        nodes = build_models(home).nodes
    return content(home), {(node.unique_id, node.status, node.failures) for node in nodes}


def went_on(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Hears, of every build, whether it goes on."""
    heard: list[bool] = []
    plan = going_on.plan

    def listening(*arguments: Any) -> going_on.Plan:
        found = plan(*arguments)
        heard.append(found.goes_on)
        return found

    monkeypatch.setattr(going_on, "plan", listening)
    return heard


def hold_against_a_build_from_nothing(
    twins: tuple[Home, Home],
    seed: int,
    steps: int,
    kinds_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = twins
    world = World(one, seed)
    world.history()
    built(one)
    # Every kind of step comes before one comes twice.
    order = list(STEPS)
    world.random.shuffle(order)
    heard = went_on(monkeypatch)
    for step in range(steps):
        kinds = [order.pop() for _ in range(min(len(order), kinds_at_once))]
        kinds = kinds or [world.random.choice(STEPS)]
        for kind in kinds:
            kind(world)
        gone_on, outcomes = built(one)
        assert heard == [True]
        forget_build(other)
        from_nothing, all_outcomes = built(other)
        assert heard == [True, False]
        heard.clear()
        names = [kind.__name__ for kind in kinds]
        differ = [name for name in from_nothing if from_nothing[name] != gone_on.get(name)]
        assert (differ, gone_on.keys()) == ([], from_nothing.keys()), (seed, step, names)
        assert outcomes == all_outcomes, (seed, step, names)


def test_a_first_close_that_is_corrected_counts_from_the_start(
    twins: tuple[Home, Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The baseline's month ends of Hong Kong, which lie before it, have adjusted closes alone."""
    one, other = twins
    world = World(one, 1)
    world.history()
    built(one)
    world.land("daily_price", [world.price("9988.HK", FIRST, close=50.0)], "yahoo")
    heard = went_on(monkeypatch)
    gone_on = built(one)
    assert heard == [True]
    assert gone_on == built(other)


@pytest.mark.parametrize("seed", [1])
def test_any_sequence_of_builds_equals_a_build_from_nothing(
    twins: tuple[Home, Home], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_against_a_build_from_nothing(twins, seed, 3, 6, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 22))
def test_any_sequence_of_builds_equals_a_build_from_nothing_at_length(
    twins: tuple[Home, Home], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_against_a_build_from_nothing(twins, seed, 12, 2, monkeypatch)


def test_a_build_in_slices_equals_one_of_all_securities_at_once(
    twins: tuple[Home, Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = twins
    World(one, 1).history()
    at_once = built(one)
    monkeypatch.setenv("WAREHOUSE_SLICE_ROWS", "500")
    assert built(other) == at_once
    with duckdb.connect(str(other.scratch_database), read_only=True) as connection:
        ((slices, keys),) = connection.execute(
            "select count(*), count(distinct last_key) from staging.security_slices"
        ).fetchall()
    assert slices == keys > 3


def test_what_reads_nothing_new_is_left_as_it_stood(twins: tuple[Home, Home]) -> None:
    home, _ = twins
    world = World(home, 1)
    world.history()
    with warehouse(home):
        before = build_models(home)
        world.next_session()
        after = build_models(home)
    everything = {node.name for node in before.nodes}
    nodes = {node.name: node for node in after.nodes}
    assert nodes.keys() == everything
    left = {name for name, node in nodes.items() if node.is_left}
    assert {"dim_company", "fct_segment_result", "landing_kpi_keeps_contract"} <= left
    assert left.isdisjoint({"stg_landing__daily_price", "fct_daily_price", "freshness"})
    assert left.isdisjoint({"security_performance", "valuation_daily", "thesis_scorecard"})
    assert after.models.keys() == before.models.keys()
    kpi, prices = "stg_landing__kpi", "stg_landing__daily_price"
    assert after.models[kpi].rows == before.models[kpi].rows > 0
    assert after.models[prices].rows > before.models[prices].rows


def test_a_warning_that_is_left_says_what_it_said() -> None:
    said = "Got 3 results, configured to warn if != 0"
    warned = NodeOutcome("test.x", "test", "x", "warn", 0.4, said, 3, "select 1", ({"a": "1"},))
    (left,) = going_on.Plan(True, (), (warned,)).whole(())
    assert (left.status, left.message, left.failures) == ("warn", said, 3)
    assert left.failing_rows == warned.failing_rows
    assert (left.is_left, left.seconds) == (True, 0.0)


def test_models_that_read_more_than_their_datasets_are_of_every_build() -> None:
    """Else a build would leave them as they stood: what they read is not in dbt's graph."""
    manifest = json.loads(ensure_parsed().read_text(encoding="utf-8"))
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    telling = ("current_date", "source('reference', 'load_log')", "source('reference', 'changed')")
    found = {
        model["name"]: going_on.EVERY_BUILD in model["tags"]
        for model in models
        if any(text in model["raw_code"] for text in telling)
        # Reads the new batches of its own dataset.
        and model["name"] != "fct_daily_price"
    }
    assert {"freshness", "price_restarts"} <= found.keys()
    assert [name for name, of_every_build in found.items() if not of_every_build] == []


def test_a_build_that_failed_is_not_gone_on_from(
    twins: tuple[Home, Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = twins
    built(home)
    heard = went_on(monkeypatch)
    with monkeypatch.context() as broken:
        broken.setattr("orchestration.build.dbt.build", _killed)
        with pytest.raises(OSError, match="killed"):
            built(home)
    built(home)
    assert heard == [True, False]


def _killed(*_: Any, **__: Any) -> None:
    raise OSError("killed")


def test_other_code_or_a_lost_batch_starts_from_nothing(twins: tuple[Home, Home]) -> None:
    home, _ = twins
    home.build_database.touch()
    home.scratch_database.touch()
    in_effect = Landing(home.landing).log.in_effect()
    note = going_on.remark("code", in_effect, {}) | {"nodes": []}
    assert going_on.plan(home, note, "code", in_effect) == going_on.Plan(True, ())
    assert not going_on.plan(home, note, "other code", in_effect).goes_on
    assert not going_on.plan(home, note, "code", in_effect[1:]).goes_on
    home.scratch_database.unlink()
    assert not going_on.plan(home, note, "code", in_effect).goes_on
