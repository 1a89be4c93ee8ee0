"""All upstreams on one local server, on one day: for tests that run the whole warehouse on them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from orchestration.registry import load_registry
from orchestration.registry.entries import MacroSeries
from tests.upstreams import ecb, edgar, fred, worldbank
from tests.upstreams.misbehaviours import TRANSPORT_FAULTS
from tests.upstreams.server import Fault, Reply, Request, UpstreamServer, Wire
from tests.upstreams.yahoo import Market

#: Faults that heal by themselves, as they happen on any day.
PASSING_FAULTS = ("429", "500", "503", "reset in mid-body", "stalled body", "truncated body")
_FIRST = date(2023, 1, 2)
#: A made issuer's filings, oldest first, and what is tagged in the annual report.
_FILINGS = [
    edgar.results("0001104659-24-000001", date(2024, 1, 3), "December", "December 31, 2023"),
    edgar.notice("0001104659-24-000002", date(2024, 1, 5)),
    edgar.annual("0001104659-24-000003", "20-F", date(2024, 5, 23), date(2024, 3, 31)),
    edgar.results("0001104659-24-000004", date(2024, 8, 15), "June", "June 30, 2024"),
    edgar.notice("0001104659-26-000005", date(2026, 11, 10)),
]
_FACTS = {
    "us-gaap": {
        "NetCashProvidedByUsedInOperatingActivities": {
            "units": {
                "CNY": [
                    edgar.fact("0001104659-24-000003", "2023-04-01", "2024-03-31", 182_593_000_000)
                ]
            }
        }
    }
}


@dataclass
class World:
    """The upstreams and the moment that all of them answer for."""

    server: UpstreamServer
    market: Market
    fred: fred.Fred
    worldbank: worldbank.WorldBank
    ecb: ecb.Ecb
    edgar: edgar.Edgar

    def move_to(self, now: datetime) -> None:
        """Let it be ``now`` everywhere."""
        self.market.now = now
        self.fred.today = now.date()
        self.edgar.filings = {
            edgar.ALIBABA: [f for f in reversed(_FILINGS) if f.filed_on <= now.date()]
        }
        self.ecb.rates = {day: rate for day, rate in _all_rates().items() if day <= now.date()}

    def environment(self) -> dict[str, str]:
        """Settings that point the real clients here; impatient, so that faults cost little."""
        url = self.server.url
        return {
            # yfinance keeps cookies of hosts with such a name alone.
            "WAREHOUSE_YAHOO_URL": url.replace("127.0.0.1", "yahoo.localhost") + "/yahoo",
            "WAREHOUSE_FRED_CSV_URL": f"{url}/fred{fred.CSV_PATH}",
            "WAREHOUSE_FRED_API_URL": f"{url}/fred{fred.API_PATH}",
            "WAREHOUSE_WORLDBANK_URL": f"{url}/worldbank/v2",
            "WAREHOUSE_ECB_URL": f"{url}/ecb{ecb.PATH}",
            "WAREHOUSE_SEC_URL": f"{url}/sec",
            "WAREHOUSE_SEC_CONTACT": "data@example.org",
            "WAREHOUSE_SEC_REQUESTS_PER_SECOND": "1000",
            "WAREHOUSE_PRICES_SINCE": _FIRST.isoformat(),
            # Nobody is to be spared here.
            "WAREHOUSE_YAHOO_REQUESTS_PER_SECOND": "1000",
            "WAREHOUSE_FRED_REQUESTS_PER_SECOND": "1000",
            "WAREHOUSE_ATTEMPTS": "3",
            "WAREHOUSE_BACKOFF_SECONDS": "0.01",
            "WAREHOUSE_READ_TIMEOUT_SECONDS": "1",
            "WAREHOUSE_TOTAL_TIMEOUT_SECONDS": "20",
            "WAREHOUSE_BREAKER_SECONDS": "0",
        }


@contextmanager
def world(now: datetime) -> Iterator[World]:
    """Serve all upstreams, on ``now``, until the block ends."""
    played = World.__new__(World)
    played.market = Market(now=now)
    played.fred = fred.Fred(today=now.date(), series=_fred_series())
    played.worldbank = worldbank.WorldBank(updated=date(2024, 4, 8), series=_worldbank_series())
    played.ecb = ecb.Ecb()
    played.edgar = edgar.Edgar(facts={edgar.ALIBABA: _FACTS})
    routes = {
        "/yahoo": played.market.handle,
        "/fred": played.fred.handle,
        "/worldbank": played.worldbank.handle,
        "/ecb": played.ecb.handle,
        "/sec": played.edgar.handle,
    }
    with UpstreamServer(routes) as server:
        played.server = server
        played.move_to(now)
        yield played


def now_and_then(rate: float, seed: int) -> Fault:
    """Return a fault that lets most replies through and spoils the others at random."""
    dice = random.Random(seed)
    faults = [TRANSPORT_FAULTS[name] for name in PASSING_FAULTS]

    def fault(request: Request, good: Reply, wire: Wire) -> None:
        if dice.random() < rate:
            dice.choice(faults)(request, good, wire)
        else:
            wire.send(good)

    return fault


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def _fred_series() -> dict[str, fred.Revisions]:
    """Made series under their real names: daily ones, and monthly ones that are revised once."""
    series: dict[str, fred.Revisions] = {}
    for place, entry in enumerate(load_registry().entries(MacroSeries)):
        if entry.live_upstream != "fred" or entry.live_series is None:
            continue
        said: fred.Revisions = {}
        for day in _days(_FIRST, date(2026, 12, 31)):
            value = f"{place + 1 + day.toordinal() % 97 / 100:.2f}"
            if entry.frequency == "daily":
                said[day] = {day + timedelta(days=1): value}
            elif day.day == 1 and (entry.frequency == "monthly" or day.month % 3 == 1):
                revised = f"{float(value) + 0.01:.2f}"
                said[day] = {day + timedelta(days=40): value, day + timedelta(days=70): revised}
        series[entry.live_series] = said
    return series


def _worldbank_series() -> dict[str, dict[int, float | None]]:
    return {
        entry.live_series: {year: 2 + year % 7 * 0.9 for year in range(1990, 2024)}
        for entry in load_registry().entries(MacroSeries)
        if entry.live_upstream == "worldbank" and entry.live_series is not None
    }


def _all_rates() -> dict[date, tuple[float, float, float, float]]:
    return {
        day: (1.05 + day.toordinal() % 50 / 1000, 150.0, 7.6 + day.toordinal() % 30 / 100, 8.3)
        for day in _days(_FIRST, date(2026, 12, 31))
        if day.weekday() < 5
    }


def evening(day: date) -> datetime:
    """Return a moment at which every exchange has closed on ``day``."""
    return datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC)
