"""FRED, the World Bank and the ECB under every misbehaviour: real clients, guard and landing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from pydantic import SecretStr

from orchestration import live
from orchestration.extract import ecb as ecb_client
from orchestration.extract.transport import Policy, Transport, forget_hosts
from orchestration.home import Home
from orchestration.live import Update
from orchestration.loading import Loader
from orchestration.settings import Settings
from tests.upstreams import ecb, fred, matrix, worldbank
from tests.upstreams.misbehaviours import TRANSPORT_FAULTS, TRANSPORT_MESSAGES
from tests.upstreams.server import Fault, UpstreamServer

TODAY = date(2026, 6, 30)
SERIES, INDICATOR = "DGS10", "NY.GDP.MKTP.KD.ZG.CN"
INDICATOR_THERE = "CHN/NY.GDP.MKTP.KD.ZG"


@dataclass
class World:
    """The local server with the three upstreams, and settings that point to it."""

    server: UpstreamServer
    settings: Settings
    fred: fred.Fred
    worldbank: worldbank.WorldBank
    ecb: ecb.Ecb


@dataclass(frozen=True)
class Upstream:
    """One upstream: what it feeds, how it is asked, how it goes on, how its format breaks."""

    name: str
    dataset: str
    update: Callable[[World, Loader], Update]
    go_on: Callable[[World], None]
    rewrite: Callable[[World], None]
    format_faults: Mapping[str, Fault]


def _with_key(world: World) -> Settings:
    return world.settings.model_copy(update={"fred_api_key": SecretStr(fred.KEY)})


def _fred_goes_on(world: World) -> None:
    world.fred.today = TODAY
    world.fred.series[SERIES][TODAY - timedelta(days=1)] = {TODAY: "4.50"}


def _fred_revises(world: World) -> None:
    world.fred.today = TODAY
    observed = TODAY - timedelta(days=20)
    world.fred.series[SERIES][observed][TODAY] = "9.99"


def _worldbank_goes_on(world: World) -> None:
    world.worldbank.updated = date(2026, 6, 1)
    world.worldbank.series[INDICATOR_THERE][2025] = 5.0


def _worldbank_revises(world: World) -> None:
    world.worldbank.updated = date(2026, 6, 1)
    world.worldbank.series[INDICATOR_THERE][2019] = 9.99


def _rate(day: date) -> tuple[float, float, float, float]:
    return (1.1 + day.day / 1000, 160.0, 7.8, 8.6)


def _ecb_goes_on(world: World) -> None:
    world.ecb.rates[TODAY] = _rate(TODAY)


def _ecb_revises(world: World) -> None:
    day = TODAY - timedelta(days=10)
    world.ecb.rates[day] = (9.99, *_rate(day)[1:])


UPSTREAMS = {
    upstream.name: upstream
    for upstream in (
        Upstream(
            "fred (CSV)",
            "macro_observation",
            lambda world, loader: live.update_fred(
                loader, world.settings, [SERIES], world.fred.today
            ),
            _fred_goes_on,
            _fred_revises,
            fred.CSV_FAULTS,
        ),
        Upstream(
            "fred (API)",
            "macro_observation",
            lambda world, loader: live.update_fred(loader, _with_key(world), [SERIES], TODAY),
            _fred_goes_on,
            _fred_revises,
            fred.API_FAULTS,
        ),
        Upstream(
            "worldbank",
            "macro_observation",
            lambda world, loader: live.update_worldbank(loader, world.settings, [INDICATOR]),
            _worldbank_goes_on,
            _worldbank_revises,
            worldbank.FORMAT_FAULTS,
        ),
        Upstream(
            "ecb",
            "fx_rate",
            lambda world, loader: live.update_ecb(loader, world.settings),
            _ecb_goes_on,
            _ecb_revises,
            ecb.FORMAT_FAULTS,
        ),
    )
}


@pytest.fixture
def world() -> Iterator[World]:
    days = [TODAY - timedelta(days=n) for n in range(1, 60)]
    played = (
        fred.Fred(TODAY - timedelta(days=1), {SERIES: fred.made(days[-1], 58)}),
        worldbank.WorldBank(
            date(2026, 4, 8),
            {INDICATOR_THERE: {year: 2 + year % 7 * 0.9 for year in range(1900, 2025)}},
        ),
        ecb.Ecb({day: _rate(day) for day in days}),
    )
    routes = {"/fred": played[0].handle, "/wb": played[1].handle, "/ecb": played[2].handle}
    forget_hosts()
    with UpstreamServer(routes) as server:
        settings = Settings(
            fred_csv_url=f"{server.url}/fred{fred.CSV_PATH}",
            fred_api_url=f"{server.url}/fred{fred.API_PATH}",
            worldbank_url=f"{server.url}/wb/v2",
            ecb_url=f"{server.url}/ecb{ecb.PATH}",
            attempts=3,
            backoff_seconds=0.01,
            fred_requests_per_second=1000,
            read_timeout_seconds=0.3,
            total_timeout_seconds=5,
            max_answer_megabytes=20,
        )
        yield World(server, settings, *played)


@pytest.fixture
def loader(home: Home) -> Loader:
    return Loader(home, today=TODAY)


#: What a user reads of a fault; a fault that is not here is harmless, and the news land.
MESSAGES = {
    **TRANSPORT_MESSAGES,
    "truncated body": "",
    "malformed body": "",
    "HTML consent page": "",
    "zip bomb": "unpacks to more than 20,000,000 bytes",
    "empty result": "",
    "renamed field": "",
    "changed type": "",
}
QUARANTINED = {
    "future date": "is not after 2026-06-30",
    "contradicting rows": "stands twice",
}

CASES = [
    (name, fault)
    for name, upstream in UPSTREAMS.items()
    for fault in (*TRANSPORT_FAULTS, *upstream.format_faults)
]


@pytest.mark.parametrize(("name", "misbehaviour"), CASES)
def test_misbehaviour(world: World, loader: Loader, name: str, misbehaviour: str) -> None:
    upstream = UPSTREAMS[name]
    assert upstream.update(world, loader).failures == []
    before = loader.landing.newest(upstream.dataset)
    upstream.go_on(world)
    faults = {**TRANSPORT_FAULTS, **upstream.format_faults}
    if "bomb" in misbehaviour:  # they take a while to make
        world.settings = world.settings.model_copy(
            update={"read_timeout_seconds": 30, "total_timeout_seconds": 30}
        )
    # A redirect back to the same address must keep its fault, so it is for all requests.
    world.server.misbehave(faults[misbehaviour])

    outcome = upstream.update(world, loader)

    landed = sum(loaded.assertion.rows for loaded in outcome.loaded)
    quarantined = loader.quarantine.entries()
    expected = MESSAGES.get(misbehaviour, QUARANTINED.get(misbehaviour))
    if expected is None:
        assert outcome.failures == []
        assert landed > 0 or misbehaviour == "null values"
    else:
        (message,) = outcome.failures
        assert expected in message
        assert landed == 0
        assert loader.landing.newest(upstream.dataset).equals(before)
    assert bool(quarantined) == (misbehaviour in QUARANTINED)
    read = " ".join(outcome.failures).replace(world.server.url, "").split("see `")[0]
    for entry in quarantined:
        read = read.replace(entry.entry_id, f"{upstream.dataset}/...")
    matrix.record(
        name,
        misbehaviour,
        f"{landed} new rows" if landed else "nothing",
        "the batch" if quarantined else "nothing",
        read,
    )
    # And once it behaves again, what was missing lands.
    world.server.behave()
    forget_hosts()
    assert upstream.update(world, loader).failures == []
    assert loader.landing.newest(upstream.dataset).num_rows > before.num_rows


@pytest.mark.parametrize("name", UPSTREAMS)
def test_rewritten_history_is_a_new_vintage_or_a_new_assertion(
    world: World, loader: Loader, name: str
) -> None:
    upstream = UPSTREAMS[name]
    upstream.update(world, loader)
    before = loader.landing.newest(upstream.dataset).num_rows
    upstream.rewrite(world)
    (loaded,) = upstream.update(world, loader).loaded
    assert loaded.assertion.rows == 1
    after = loader.landing.newest(upstream.dataset)
    column = "rate" if upstream.dataset == "fx_rate" else "value"
    assert 9.99 in after[column].to_pylist()
    # A macro value keeps its old vintage beside the new one; a rate has but one.
    assert after.num_rows == before + (upstream.dataset == "macro_observation")
    matrix.record(name, "rewritten history", "1 new row", "nothing", "")


@pytest.mark.parametrize("misbehaviour", ["429", "503", "reset in mid-body", "stalled body"])
@pytest.mark.parametrize("name", UPSTREAMS)
def test_a_fault_that_heals_costs_nothing(
    world: World, loader: Loader, name: str, misbehaviour: str
) -> None:
    world.server.misbehave(TRANSPORT_FAULTS[misbehaviour], times=2)
    outcome = UPSTREAMS[name].update(world, loader)
    assert outcome.failures == []
    assert len(outcome.loaded) == 1
    assert len(world.server.seen) >= 3


@pytest.mark.parametrize("name", UPSTREAMS)
def test_asking_again_lands_nothing(world: World, loader: Loader, name: str) -> None:
    upstream = UPSTREAMS[name]
    upstream.update(world, loader)
    log = loader.landing.log.assertions()
    assert upstream.update(world, loader).loaded == []
    assert loader.landing.log.assertions() == log


def test_with_a_key_every_vintage_lands(world: World, loader: Loader) -> None:
    observed = TODAY - timedelta(days=21)
    world.fred.series[SERIES][observed] = {
        observed + timedelta(days=1): "1.11",
        observed + timedelta(days=9): "1.22",
        TODAY - timedelta(days=2): "1.33",
    }
    live.update_fred(loader, _with_key(world), [SERIES], TODAY)
    rows = loader.landing.newest("macro_observation").to_pylist()
    assert sorted(
        (row["vintage_date"], row["value"]) for row in rows if row["observation_date"] == observed
    ) == [
        (observed + timedelta(days=1), 1.11),
        (observed + timedelta(days=9), 1.22),
        (TODAY - timedelta(days=2), 1.33),
    ]


def test_pages_are_all_read(world: World, loader: Loader) -> None:
    world.fred.most_rows = 7
    live.update_fred(loader, _with_key(world), [SERIES], TODAY)
    live.update_worldbank(loader, world.settings, [INDICATOR])
    rows = loader.landing.newest("macro_observation").to_pylist()
    known = [v for said in world.fred.series[SERIES].values() for v in said.values() if v != "."]
    assert sum(row["series_id"] == SERIES for row in rows) == len(known)
    assert sum(row["series_id"] == INDICATOR for row in rows) == 125


def test_the_date_column_of_before_december_2024(world: World, loader: Loader) -> None:
    world.fred.date_column = "DATE"
    assert live.update_fred(loader, world.settings, [SERIES], TODAY).failures == []


def test_a_secret_is_never_shown(
    world: World, loader: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    keyed = _with_key(world)
    for fault in ("503", "404", "reset in mid-body", "redirect loop", "malformed body"):
        forget_hosts()
        world.server.behave()
        world.server.misbehave(TRANSPORT_FAULTS[fault])
        (message,) = live.update_fred(loader, keyed, [SERIES], TODAY).failures
        assert fred.KEY not in message
    with pytest.raises(Exception, match="fred") as raised:
        Transport("fred", Policy(attempts=1), secrets=[fred.KEY]).get(
            f"{world.server.url}/fred/x", {"api_key": fred.KEY}
        )
    error: BaseException | None = raised.value
    while error is not None:
        assert fred.KEY not in str(error) + repr(error)
        error = error.__cause__ or error.__context__
    assert fred.KEY not in caplog.text
    assert fred.KEY not in repr(keyed) + str(keyed)


def test_one_bad_series_does_not_hold_up_the_others(world: World, loader: Loader) -> None:
    world.fred.series["DGS2"] = dict(world.fred.series[SERIES])
    world.server.misbehave(TRANSPORT_FAULTS["404"], times=1)
    outcome = live.update_fred(loader, world.settings, [SERIES, "DGS2"], TODAY)
    (message,) = outcome.failures
    assert SERIES in message
    assert set(loader.landing.newest("macro_observation")["series_id"].to_pylist()) == {"DGS2"}


def test_a_bad_part_is_quarantined_alone(world: World, loader: Loader) -> None:
    world.fred.series["DGS2"] = dict(world.fred.series[SERIES])
    world.server.misbehave(fred.CSV_FAULTS["future date"], times=1)
    outcome = live.update_fred(loader, world.settings, [SERIES, "DGS2"], TODAY)
    (message,) = outcome.failures
    assert "is not after 2026-06-30" in message
    (entry,) = loader.quarantine.entries()
    assert entry.report.failures[0].failing_rows[0]["series_id"] == SERIES
    assert set(loader.landing.newest("macro_observation")["series_id"].to_pylist()) == {"DGS2"}


def test_a_host_that_keeps_refusing_is_left_alone(world: World, loader: Loader) -> None:
    series = ["DGS10", "DGS2", "CPIAUCSL", "FEDFUNDS", "INDPRO", "RSAFS", "GDP"]
    world.server.misbehave(TRANSPORT_FAULTS["503"])
    careful = world.settings.model_copy(update={"breaker_failures": 2, "breaker_seconds": 60})
    outcome = live.update_fred(loader, careful, series, TODAY)
    assert len(outcome.failures) == len(series)
    assert len(world.server.seen) == 2 * careful.attempts
    assert "left alone" in outcome.failures[-1]


def test_the_real_history_of_the_ecb_is_read_as_the_package_reads_it(world: World) -> None:
    routes = {"/ecb": ecb.real_file}
    with UpstreamServer(routes) as server:
        fetched = ecb_client.fetch_history(Transport("ecb"), url=f"{server.url}/ecb")
    shipped = ecb_client.read_history()
    assert fetched.drop(columns="source").equals(shipped)


def test_the_recorded_series_is_read_as_recorded(world: World, loader: Loader) -> None:
    if not (fred.RECORDED / "observations_DGS10.json").exists():
        pytest.skip("shared/upstream/fred is not here: real observations are read where present")
    real = {day: value for day, value in fred.recorded(SERIES) if value != "."}
    world.fred.series[SERIES] = {
        day: {day + timedelta(days=1): value} for day, value in fred.recorded(SERIES)
    }
    assert live.update_fred(loader, world.settings, [SERIES], TODAY).failures == []
    landed = loader.landing.newest("macro_observation").to_pylist()
    assert {row["observation_date"]: row["value"] for row in landed} == {
        day: float(value) for day, value in real.items()
    }
