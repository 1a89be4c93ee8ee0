"""A year of scheduled days on upstreams that fail now and then ends like one clean load."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration import live, sec
from orchestration.extract.transport import forget_hosts
from orchestration.home import Home
from orchestration.live import Update
from orchestration.loading import Loader
from orchestration.partitions import SECURITIES, series_of
from orchestration.reader import connect
from orchestration.run import run_everything
from orchestration.settings import settings
from tests.conftest import warehouse
from tests.upstreams.world import World, evening, now_and_then, world
from tests.upstreams.yahoo import Event

FIRST_DAY = date(2024, 1, 2)
FAULTS = 0.05
#: A release is made so often, and at the end.
DAYS_A_RELEASE = 20
#: Tables that live upstreams feed, and the columns that name the day of collection.
TABLES = {
    "core.fct_daily_price": "split_basis",
    "core.fct_corporate_action": "",
    "core.fct_fx_rate": "",
    "core.dim_document": "",
    "core.fct_company_result": "",
    "core.fct_macro_observation": "",
    "marts.security_performance": "",
    "marts.macro_monthly": "",
}


def update_all(loader: Loader, day: date) -> list[Update]:
    moment = evening(day)
    return [
        live.update_yahoo(loader, settings(), SECURITIES.get_partition_keys(), moment),
        live.update_fred(loader, settings(), series_of("fred"), day),
        live.update_worldbank(loader, settings(), series_of("worldbank")),
        live.update_ecb(loader, settings()),
        sec.update_edgar(loader, settings()),
    ]


def contents(home: Home) -> dict[str, list[tuple[object, ...]]]:
    with connect(home.root) as connection:
        return {name: rows(connection, name, left_out) for name, left_out in TABLES.items()}


def rows(
    connection: duckdb.DuckDBPyConnection, name: str, left_out: str
) -> list[tuple[object, ...]]:
    columns = f"* exclude ({left_out})" if left_out else "*"
    return connection.execute(f"select {columns} from {name} order by all").fetchall()


def weekdays(count: int) -> list[date]:
    days = [FIRST_DAY + timedelta(days=n) for n in range(count * 2)]
    return [day for day in days if day.weekday() < 5][:count]


def simulate(root: Path, days: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Replay so many days; returns what happened, for the record."""
    calendar = weekdays(days)
    last = calendar[-1] + timedelta(days=1)
    happened = {"days": days, "failures": 0, "rewritten": 0, "requests": 0, "releases": 0}
    with world(evening(calendar[0] - timedelta(days=4))) as played:
        for name, value in played.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FRED_API_KEY", "0123456789abcdef0123456789abcdef")
        # A dividend, a split and another dividend, so that history is rewritten on the way.
        played.market.dividends["BABA"] = [Event(calendar[days // 3], 1.0)]
        played.market.splits["NVDA"] = [Event(calendar[days // 2], 10.0)]
        played.market.dividends["MSFT"] = [Event(calendar[2 * days // 3], 0.75)]
        replayed = Home(root / "replayed")
        with warehouse(replayed):
            loader = Loader(replayed, today=date(2026, 11, 24))
            played.server.misbehave(now_and_then(FAULTS, seed=20261124))
            for number, day in enumerate(calendar, start=1):
                played.move_to(evening(day))
                for update in update_all(loader, day):
                    happened["failures"] += len(update.failures)
                    happened["rewritten"] += len(update.remarks)
                if number % DAYS_A_RELEASE == 0:
                    assert run_everything(replayed).succeeded
                    happened["releases"] += 1
            played.server.behave()
            played.move_to(evening(last))
            assert [u.failures for u in update_all(loader, last) if u.failures] == []
            assert run_everything(replayed).succeeded
            assert loader.quarantine.entries() == []
        happened["requests"] = len(played.server.seen)
        clean = Home(root / "clean")
        forget_hosts()
        with warehouse(clean):
            fresh = Loader(clean, today=date(2026, 11, 24))
            assert [u.failures for u in update_all(fresh, last) if u.failures] == []
            assert run_everything(clean).succeeded
        compare(contents(replayed), contents(clean))
        no_gaps(replayed, played, calendar)
    return happened


def compare(
    replayed: dict[str, list[tuple[object, ...]]], clean: dict[str, list[tuple[object, ...]]]
) -> None:
    for name in TABLES:
        only_replayed = set(replayed[name]) - set(clean[name])
        only_clean = set(clean[name]) - set(replayed[name])
        assert (sorted(map(str, only_replayed))[:5], sorted(map(str, only_clean))[:5]) == ([], [])
        assert len(replayed[name]) == len(clean[name]), "no duplicate"


def no_gaps(home: Home, played: World, calendar: list[date]) -> None:
    """Every session of New York between first and last day has its row."""
    with connect(home.root) as connection:
        ((missing,),) = connection.execute(
            "select count(*) from core.dim_date as days "
            "left join core.fct_daily_price as prices on prices.session_date = days.calendar_date "
            "and prices.security_key = 'BABA' and prices.observation_frequency = 'daily' "
            "where days.is_xnys_session and days.calendar_date between ? and ? "
            "and prices.security_key is null",
            [calendar[0], calendar[-1]],
        ).fetchall()
    assert missing == 0


def test_a_few_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = simulate(tmp_path, 5, monkeypatch)
    assert happened["rewritten"] >= 3


@pytest.mark.long
def test_a_year(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    happened = simulate(tmp_path, 260, monkeypatch)
    with capsys.disabled():
        print(f"\nsimulated year: {happened}")
    assert happened["failures"] > 0, "faults that stop nothing prove nothing"
