"""Yahoo through yfinance, guard and landing, however it misbehaves.

yfinance runs as it is; only its hosts are a local server. The name of that ends in ``localhost``
and holds ``yahoo``, because yfinance keeps cookies of such hosts alone.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pytest

from orchestration import calendars
from orchestration.contracts import contract_for
from orchestration.extract import yahoo
from orchestration.extract.transport import Policy, UpstreamError, forget_hosts
from orchestration.home import Home
from orchestration.loading import BatchRejected, Loader
from orchestration.prices import PriceUpdate, update_prices
from orchestration.registry import load_registry
from orchestration.registry.entries import Security
from tests.upstreams.matrix import record
from tests.upstreams.misbehaviours import TRANSPORT_FAULTS
from tests.upstreams.server import Reply, Request, UpstreamServer
from tests.upstreams.yahoo import (
    FORMAT_FAULTS,
    YAHOO_FAULTS,
    Correction,
    Event,
    Market,
)

REGISTRY = load_registry()
PRICES, ACTIONS = contract_for("daily_price"), contract_for("corporate_action")
FIRST = date(2024, 6, 3)
#: The evening of Wednesday, 20 November 2024, in New York.
EVENING = datetime(2024, 11, 20, 22, 0, tzinfo=UTC)
CHART = "/v8/finance/chart/"
HASTY = Policy(
    connect_timeout_seconds=1,
    read_timeout_seconds=1,
    total_timeout_seconds=1,
    max_bytes=2_000_000,
    attempts=2,
    backoff_initial_seconds=0.01,
    backoff_max_seconds=0.02,
)


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    yahoo.set_cache_folder(tmp_path_factory.mktemp("yfinance"))


@dataclass
class Warehouse:
    """A warehouse that is kept current from a local Yahoo, and what became of each ticker."""

    home: Home
    market: Market
    server: UpstreamServer
    session: yahoo.GuardedSession
    updates: dict[str, PriceUpdate] = field(default_factory=dict)
    failures: dict[str, UpstreamError | BatchRejected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.loader = Loader(self.home, today=self.market.today)

    def update(self, *tickers: str) -> None:
        """Bring tickers up to the market's day."""
        self.loader = Loader(self.home, today=self.market.today)
        self.updates, self.failures = {}, {}
        for ticker in tickers:
            fetch = partial(
                yahoo.fetch_history, session=self.session, collected_on=self.market.today
            )
            try:
                update = update_prices(
                    ticker, self.own_rows(ticker), fetch, self.market.now, REGISTRY, FIRST
                )
                if len(update.actions):
                    self.loader.load(ACTIONS, update.actions)
                if len(update.prices):
                    self.loader.load(PRICES, update.prices)
                self.updates[ticker] = update
            except (UpstreamError, BatchRejected) as failure:
                self.failures[ticker] = failure

    def own_rows(self, ticker: str) -> pd.DataFrame:
        rows = self.loader.landing.newest("daily_price", "yahoo")
        return rows.filter(pc.equal(rows["ticker"], ticker)).to_pandas()

    def served(self, ticker: str = "BABA") -> pd.DataFrame:
        """The rows that count, oldest first, without provenance."""
        rows = self.own_rows(ticker).set_index("session_date").sort_index()
        return rows.drop(columns=["batch_id", "ingested_at"])

    def charts_asked(self) -> int:
        return sum(seen.path.startswith(CHART) for seen in self.server.seen)


class Stage:
    """The market that the server plays at the moment; one server serves all tests."""

    market: Market

    def handle(self, request: Request) -> Reply:
        return self.market.handle(request)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="module")
def server(stage: Stage) -> Iterator[UpstreamServer]:
    with UpstreamServer({"": stage.handle}) as running:
        yield running


@pytest.fixture
def warehouse(home: Home, stage: Stage, server: UpstreamServer) -> Warehouse:
    stage.market = Market(EVENING)
    server.behave()
    server.seen.clear()
    forget_hosts()
    return Warehouse(home, stage.market, server, yahoo.GuardedSession(HASTY, address(server)))


@pytest.fixture(scope="module")
def landed_before(
    tmp_path_factory: pytest.TempPathFactory, stage: Stage, server: UpstreamServer
) -> Path:
    """A warehouse in which BABA is current up to the evening before."""
    stage.market = Market(EVENING)
    home = Home(tmp_path_factory.mktemp("landed"))
    session = yahoo.GuardedSession(HASTY, address(server))
    Warehouse(home, stage.market, server, session).update("BABA")
    return home.root


def address(server: UpstreamServer) -> str:
    return server.url.replace("127.0.0.1", "yahoo.localhost")


def next_evening(market: Market) -> None:
    market.now += timedelta(days=1)


# How it misbehaves: what lands of the new day, whether a batch is quarantined, what the user reads.

NEXT = date(2024, 11, 21)
NOTHING, NEW_DAY = "", "2024-11-21"
FAULTS: dict[str, tuple[str, bool, str]] = {
    "429": (NOTHING, False, "yahoo: answers 429, tried 2 times"),
    "429 with Retry-After": (NOTHING, False, "yahoo: answers 429, tried 2 times"),
    "429 with Retry-After as a date": (NOTHING, False, "yahoo: answers 429, tried 2 times"),
    "500": (NOTHING, False, "yahoo: answers 500, tried 2 times"),
    "503": (NOTHING, False, "yahoo: answers 503, tried 2 times"),
    "404": (NOTHING, False, "yahoo: answers 404"),
    "reset in mid-body": (NOTHING, False, "yahoo: connection failed"),
    "stalled body": (NOTHING, False, "yahoo: no answer in time (Timeout), tried 2 times"),
    "truncated body": (NOTHING, False, "yahoo: is no JSON"),
    "malformed body": (NOTHING, False, "yahoo: is no JSON"),
    "HTML consent page": (NOTHING, False, "yahoo: is no JSON, begins with '<!doctype html>"),
    "redirect loop": (NOTHING, False, "yahoo: redirects more than 5 times"),
    "500 MB body": (NOTHING, False, "yahoo: goes on beyond 2,000,000 bytes"),
    "gzip bomb": (NOTHING, False, "yahoo: goes on beyond 2,000,000 bytes"),
    "empty result": (NOTHING, False, "yahoo: is empty: holds no session"),
    "renamed field": (NOTHING, False, "yahoo: indicators.quote.0.close: Field required"),
    "changed type": (NOTHING, False, "yahoo: indicators.quote.0.close.0: Input should be a valid"),
    "extra field": (NEW_DAY, False, ""),
    "null values": (NEW_DAY, False, ""),
    "duplicated rows": (NEW_DAY, False, ""),
    "unsorted rows": (NEW_DAY, False, ""),
    "future date": (NOTHING, True, "session_date: is not after 2024-11-21"),
    "contradicting rows": (NOTHING, True, "no key (ticker, session_date) stands twice"),
    "no adjusted closes": (NOTHING, False, "yahoo: indicators.adjclose: Field required"),
    "another ticker's chart": (NOTHING, False, "yahoo: is of JD, not of BABA"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_misbehaving_yahoo_spoils_nothing(
    landed_before: Path, warehouse: Warehouse, fault: str
) -> None:
    lands, quarantined, message = FAULTS[fault]
    shutil.copytree(landed_before, warehouse.home.root, dirs_exist_ok=True)
    before = warehouse.served()
    next_evening(warehouse.market)
    warehouse.server.misbehave(
        (dict(TRANSPORT_FAULTS) | dict(FORMAT_FAULTS) | dict(YAHOO_FAULTS))[fault], path=CHART
    )
    warehouse.update("BABA")

    after = warehouse.served()
    pd.testing.assert_frame_equal(after[after.index != NEXT], before)
    assert (NEXT in after.index) == (lands == NEW_DAY)
    entries = warehouse.loader.quarantine.entries()
    assert bool(entries) == quarantined
    read = str(warehouse.failures.get("BABA", ""))
    assert message in read
    assert bool(read) == bool(message)
    record(
        "yahoo",
        fault,
        "the new session" if lands else "nothing",
        f"the batch of {entries[0].report.rows} rows" if entries else "nothing",
        _without_address(read),
    )

    # As soon as it behaves again the day is made up for.
    warehouse.server.behave()
    warehouse.session = yahoo.GuardedSession(HASTY, address(warehouse.server))
    warehouse.update("BABA")
    assert NEXT in warehouse.served().index
    assert not warehouse.failures


def _without_address(message: str) -> str:
    """The first line of a message, the same on every machine and in every run."""
    text = re.sub(r"http://[^)\s]*", "https://query2.finance.yahoo.com" + CHART + "BABA", message)
    text = re.sub(r"quarantine as \S+:", "quarantine as <id>:", text)
    return " ".join(line.strip() for line in text.splitlines()[:2])


def test_a_split_rewrites_history(warehouse: Warehouse) -> None:
    warehouse.update("BABA")
    before = warehouse.served()
    next_evening(warehouse.market)
    warehouse.market.splits["BABA"] = [Event(NEXT, 4)]
    warehouse.update("BABA")

    after = warehouse.served()
    assert len(after) == len(before) + 1
    old = before["close"].iloc[0]
    assert after["close"].iloc[0] == pytest.approx(old / 4, rel=1e-6)
    assert set(after["split_basis"]) == {NEXT}
    words = str(warehouse.updates["BABA"].rewritten)
    assert words == (
        "BABA: whole history fetched again after a split; first difference: close of "
        f"2024-06-03 was {old:g}, is {old / 4:g}"
    )
    (split,) = warehouse.loader.landing.newest("corporate_action").to_pylist()
    assert (split["action"], split["value"], split["unit"]) == ("split", 4, "ratio")
    record("yahoo", "rewritten history", "the whole history in the new shares", "nothing", words)

    # From then on a day is a day again.
    next_evening(warehouse.market)
    warehouse.update("BABA")
    assert len(warehouse.updates["BABA"].prices) == 1
    assert set(warehouse.served()["split_basis"]) == {NEXT}


def test_a_split_whose_history_is_not_rewritten_yet_waits(warehouse: Warehouse) -> None:
    warehouse.update("BABA")
    next_evening(warehouse.market)
    warehouse.market.splits["BABA"] = [Event(NEXT, 4)]
    warehouse.market.not_adjusted_yet.add("BABA")
    warehouse.update("BABA")
    message = str(warehouse.failures["BABA"])
    assert "prices before the split of 2024-11-21 (4 for 1) are not in the new shares" in message
    assert NEXT not in warehouse.served().index
    record("yahoo", "split not yet in its prices", "nothing", "nothing", message)

    warehouse.market.not_adjusted_yet.clear()
    warehouse.update("BABA")
    assert not warehouse.failures
    assert set(warehouse.served()["split_basis"]) == {NEXT}


def test_a_dividend_moves_the_adjusted_closes_of_all_before(warehouse: Warehouse) -> None:
    warehouse.update("BABA")
    before = warehouse.served()
    next_evening(warehouse.market)
    warehouse.market.dividends["BABA"] = [Event(NEXT, 1.0)]
    warehouse.update("BABA")

    after = warehouse.served()
    factor = 1 - 1.0 / before["close"].iloc[-1]
    assert after["adj_close"].iloc[0] == pytest.approx(before["adj_close"].iloc[0] * factor)
    pd.testing.assert_series_equal(after["close"].iloc[:-1], before["close"])
    rewritten = warehouse.updates["BABA"].rewritten
    assert rewritten is not None
    assert rewritten.reason == "dividend"
    (dividend,) = warehouse.loader.landing.newest("corporate_action").to_pylist()
    assert (dividend["ex_date"], dividend["value"]) == (NEXT, 1.0)
    assert dividend["unit"] == "USD per share"


def test_a_corrected_price_lands_alone_and_is_recorded(warehouse: Warehouse) -> None:
    warehouse.update("BABA")
    before = warehouse.served()
    next_evening(warehouse.market)
    day = date(2024, 11, 18)
    low = before.loc[day, "low"] - 1
    warehouse.market.corrections["BABA"] = [Correction(day, "low", low, NEXT)]
    warehouse.update("BABA")
    assert list(warehouse.updates["BABA"].prices["session_date"]) == [
        day, date(2024, 11, 19), date(2024, 11, 20), NEXT,
    ]  # fmt: skip
    assert warehouse.served().loc[day, "low"] == pytest.approx(low, rel=1e-6)
    assert set(warehouse.served()["split_basis"]) == {EVENING.date()}
    assert "after a correction; first difference: low of 2024-11-18" in str(
        warehouse.updates["BABA"].rewritten
    )


# Days.


def test_a_day_on_one_row_of_each_ticker_lands(warehouse: Warehouse) -> None:
    warehouse.update("BABA", "9988.HK", "^HSI")
    next_evening(warehouse.market)
    asked = warehouse.charts_asked()
    warehouse.update("BABA", "9988.HK", "^HSI")
    assert warehouse.charts_asked() - asked == 3, "one request a ticker: no time zone, no history"
    for ticker, update in warehouse.updates.items():
        assert list(update.prices["session_date"]) == [NEXT], ticker
        assert update.rewritten is None
    index = warehouse.served("^HSI")
    assert index["split_basis"].isna().all()
    assert set(index["currency"]) == {"HKD"}
    # A repetition changes nothing and lands nothing.
    assertions = len(warehouse.loader.landing.log.assertions())
    warehouse.update("BABA", "9988.HK", "^HSI")
    assert len(warehouse.loader.landing.log.assertions()) == assertions


def test_after_weeks_without_yahoo_no_session_is_missing(warehouse: Warehouse) -> None:
    warehouse.update("BABA", "0700.HK")
    warehouse.market.now += timedelta(days=50)
    warehouse.update("BABA", "0700.HK")
    for ticker, mic in (("BABA", "XNYS"), ("0700.HK", "XHKG")):
        held = calendars.sessions(REGISTRY, mic)
        expected = held[(held >= pd.Timestamp(FIRST)) & (held <= pd.Timestamp(2025, 1, 9))]
        if ticker == "BABA":
            # 9 January 2025 was a day of mourning in New York.
            assert expected[-1] == pd.Timestamp(2025, 1, 8)
        assert list(warehouse.served(ticker).index) == [day.date() for day in expected]


def test_todays_session_lands_after_its_close_and_not_before(warehouse: Warehouse) -> None:
    # The day after Thanksgiving closes at 13:00 in New York, 18:00 UTC.
    warehouse.market.now = datetime(2024, 11, 29, 17, 30, tzinfo=UTC)
    warehouse.update("BABA")
    assert warehouse.served().index[-1] == date(2024, 11, 27)
    warehouse.market.now = datetime(2024, 11, 29, 18, 1, tzinfo=UTC)
    warehouse.update("BABA")
    assert warehouse.served().index[-1] == date(2024, 11, 29)
    assert len(warehouse.updates["BABA"].prices) == 1


@pytest.mark.parametrize("day", [date(2024, 11, 1), date(2024, 11, 4), date(2025, 3, 10)])
def test_across_daylight_saving_a_row_keeps_its_day(warehouse: Warehouse, day: date) -> None:
    warehouse.market.now = datetime(day.year, day.month, day.day, 23, 0, tzinfo=UTC)
    warehouse.update("BABA", "9988.HK")
    for ticker, mic in (("BABA", "XNYS"), ("9988.HK", "XHKG")):
        held = calendars.sessions(REGISTRY, mic)
        expected = held[(held >= pd.Timestamp(FIRST)) & (held <= pd.Timestamp(day))]
        assert list(warehouse.served(ticker).index) == [d.date() for d in expected]


def test_a_session_without_prices_is_left_out_and_lands_later(warehouse: Warehouse) -> None:
    warehouse.server.misbehave(FORMAT_FAULTS["null values"], path=CHART)
    warehouse.update("BABA")
    gap = date(2024, 11, 19)
    rows = warehouse.served()
    # On the evening the newest session stands twice: the third newest row is of the day before.
    assert gap not in rows.index
    assert pd.isna(rows.loc[date(2024, 11, 18), "volume"]), "missing, not the 0 of yfinance"
    warehouse.server.behave()
    next_evening(warehouse.market)
    warehouse.update("BABA")
    assert gap in warehouse.served().index
    assert not warehouse.served()["volume"].isna().any()


# Tickers.


def test_one_bad_ticker_does_not_keep_the_others_from_landing(warehouse: Warehouse) -> None:
    warehouse.server.misbehave(TRANSPORT_FAULTS["404"], path=CHART + "JD")
    warehouse.server.misbehave(FORMAT_FAULTS["future date"], path=CHART + "PDD")
    warehouse.update("JD", "PDD", "BABA")
    assert set(warehouse.failures) == {"JD", "PDD"}
    assert len(warehouse.served("BABA")) > 100
    assert warehouse.served("PDD").empty


def test_the_real_answer_to_an_unknown_ticker_is_passed_on(warehouse: Warehouse) -> None:
    with pytest.raises(UpstreamError, match="answers 404: No data found, symbol may be delisted"):
        yahoo.fetch_history(
            "GONE", None, NEXT, session=warehouse.session, collected_on=warehouse.market.today
        )


# Cookie, crumb, consent.


def test_a_crumb_that_has_run_out_is_renewed(warehouse: Warehouse) -> None:
    warehouse.update("BABA")
    warehouse.market.crumb = f"new.{time.monotonic()}"
    next_evening(warehouse.market)
    warehouse.update("BABA")
    assert not warehouse.failures
    assert NEXT in warehouse.served().index


def test_a_crumb_that_is_never_right_is_a_refusal(warehouse: Warehouse) -> None:
    warehouse.market.crumb = f"new.{time.monotonic()}"
    # Every crumb has run out by the time it is used.
    handle = warehouse.market.handle
    with UpstreamServer({"/v8": lambda request: replace(handle(request), status=401),
                         "": handle}) as server:  # fmt: skip
        warehouse.session = yahoo.GuardedSession(HASTY, address(server))
        warehouse.update("BABA")
    assert "yahoo: answers 401, with a new crumb too" in str(warehouse.failures["BABA"])


@pytest.mark.parametrize("fault", ["429", "503", "stalled body", "redirect loop", "gzip bomb"])
def test_prices_come_without_the_handshake(warehouse: Warehouse, fault: str) -> None:
    _forget_handshake()
    for path in ("/v1/test/getcrumb", "/consent"):
        warehouse.server.misbehave(TRANSPORT_FAULTS[fault], path=path)
    warehouse.update("BABA")
    assert not warehouse.failures
    assert len(warehouse.served()) > 100


def _forget_handshake() -> None:
    from yfinance.data import YfData

    YfData()._crumb = None


def test_the_cache_moves_with_its_folder(warehouse: Warehouse, tmp_path: Path) -> None:
    before = Path(_cache_location())
    for name in ("one", "two"):
        yahoo.set_cache_folder(tmp_path / name)
        _forget_handshake()
        warehouse.update("BABA")
        assert not warehouse.failures
        assert (tmp_path / name / "tkr-tz.db").exists()
        shutil.rmtree(tmp_path / name)
    yahoo.set_cache_folder(before)


def _cache_location() -> str:
    from yfinance import cache

    return str(cache._TzDBManager.get_location())


# Retries, breaker, rate.


def test_a_request_that_fails_once_is_sent_again(warehouse: Warehouse) -> None:
    for fault in ("503", "reset in mid-body", "429"):
        warehouse.server.misbehave(TRANSPORT_FAULTS[fault], times=1, path=CHART)
        warehouse.update("BABA")
        assert not warehouse.failures
        next_evening(warehouse.market)


def test_a_host_that_keeps_failing_is_left_alone(warehouse: Warehouse) -> None:
    once = replace(HASTY, attempts=1, breaker_failures=3)
    warehouse.session = yahoo.GuardedSession(once, address(warehouse.server))
    warehouse.server.misbehave(TRANSPORT_FAULTS["503"], path=CHART)
    warehouse.update("BABA", "JD", "PDD", "BIDU", "AMZN", "MSFT")
    assert warehouse.charts_asked() == 3
    assert "left alone for another" in str(warehouse.failures["MSFT"])


def test_all_securities_in_parallel_keep_to_the_rate(warehouse: Warehouse) -> None:
    policy = replace(HASTY, requests_per_second=15)
    session = yahoo.GuardedSession(policy, address(warehouse.server))
    tickers = [security.security_key for security in REGISTRY.entries(Security)]

    def fetch(ticker: str) -> Any:
        return yahoo.fetch_history(
            ticker, date(2012, 11, 20), EVENING.date(), session=session, collected_on=EVENING.date()
        )

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(fetch, tickers))
    assert len(results) == len(tickers)
    for ticker, (prices, _) in zip(tickers, results, strict=True):
        assert set(prices["ticker"]) == {ticker}
    assert min(len(prices) for prices, _ in results) > 1000
    moments = sorted(seen.at for seen in warehouse.server.seen)
    for place, moment in enumerate(moments):
        within_a_second = [other for other in moments[place:] if other < moment + 1]
        assert len(within_a_second) <= 17, "the rate, and two that were under way"
    assert moments[-1] - moments[0] >= (len(moments) - 3) / 15
    # A time zone and a history for each, unless known, and the handshake.
    assert len(moments) <= 2 * len(tickers) + 3
