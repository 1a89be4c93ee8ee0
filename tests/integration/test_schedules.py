"""Schedules know the exchanges' sessions, half days and daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from orchestration import calendars, partitions
from orchestration.definitions import defs
from orchestration.registry import load_registry
from orchestration.schedules import SCHEDULES, SENSORS

MARKETS = {
    "after_new_york_closes": ("XNYS", "America/New_York"),
    "after_hong_kong_closes": ("XHKG", "Asia/Hong_Kong"),
}


def schedule(name: str) -> dg.ScheduleDefinition:
    return next(s for s in SCHEDULES if s.name == name)


def runs_of(name: str, year: int) -> dict[date, datetime]:
    """Evaluate every tick of a year; returns when a run was asked for, by session."""
    definition = schedule(name)
    zone = ZoneInfo(MARKETS[name][1])
    asked: dict[date, datetime] = {}
    minute, hours, *rest = str(definition.cron_schedule).split()
    assert rest == ["*", "*", "1-5"]
    day = date(year, 1, 1)
    while day.year == year:
        for hour in map(int, hours.split(",")):
            tick = datetime(day.year, day.month, day.day, hour, int(minute), tzinfo=zone)
            context = dg.build_schedule_context(scheduled_execution_time=tick)
            requests = definition.evaluate_tick(context).run_requests if day.weekday() < 5 else ()
            for request in requests or ():
                assert day not in asked, "one run a session"
                assert request.run_key == f"{MARKETS[name][0]}-{day}"
                asked[day] = tick.astimezone(UTC)
        day += timedelta(days=1)
    return asked


@pytest.mark.parametrize("name", MARKETS)
@pytest.mark.parametrize("year", [2023, 2024])
def test_one_run_after_every_close_and_none_on_other_days(name: str, year: int) -> None:
    mic = MARKETS[name][0]
    registry = load_registry()
    sessions = [d.date() for d in calendars.sessions(registry, mic) if d.year == year]
    asked = runs_of(name, year)
    assert sorted(asked) == sessions
    for session, moment in asked.items():
        closed = calendars.closes_at(registry, mic, session)
        assert closed is not None
        assert timedelta(minutes=30) <= moment - closed < timedelta(minutes=90)


def test_named_days() -> None:
    new_york = runs_of("after_new_york_closes", 2024)
    assert new_york[date(2024, 3, 8)] == datetime(2024, 3, 8, 21, 30, tzinfo=UTC), "winter time"
    assert new_york[date(2024, 3, 11)] == datetime(2024, 3, 11, 20, 30, tzinfo=UTC), "summer time"
    assert new_york[date(2024, 7, 3)] == datetime(2024, 7, 3, 17, 30, tzinfo=UTC), "half day"
    assert date(2024, 7, 4) not in new_york
    hong_kong = runs_of("after_hong_kong_closes", 2024)
    assert hong_kong[date(2024, 2, 9)] == datetime(2024, 2, 9, 4, 30, tzinfo=UTC), "half day"
    assert date(2024, 2, 12) not in hong_kong, "Lunar New Year"
    # Typhoon Saola: the calendar lists the session, the registry knows that it was lost.
    assert date(2023, 9, 1) not in runs_of("after_hong_kong_closes", 2023)


def test_a_market_run_asks_for_the_securities_of_its_exchange() -> None:
    keys = partitions.SECURITIES.get_partition_keys()
    for calendar in ("XNYS", "XHKG"):
        wanted = partitions.securities_of(calendar)
        tags = partitions.range_tags(wanted)
        first = keys.index(tags["dagster/asset_partition_range_start"])
        last = keys.index(tags["dagster/asset_partition_range_end"])
        assert keys[first : last + 1] == wanted


def test_everything_is_off_and_described_until_it_is_switched_on() -> None:
    for definition in SCHEDULES:
        assert definition.default_status == dg.DefaultScheduleStatus.STOPPED
        assert definition.description
    for sensor in SENSORS:
        assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
        assert sensor.description


def test_a_backfill_is_one_run() -> None:
    graph = defs.resolve_asset_graph()
    for upstream in ("yahoo", "fred", "worldbank"):
        keys = [k for k in graph.materializable_asset_keys if k.path[0] == upstream]
        assert keys
        for key in keys:
            policy = graph.get(key).backfill_policy
            assert policy is not None
            assert policy.max_partitions_per_run is None
