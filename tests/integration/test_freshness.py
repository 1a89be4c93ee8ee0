"""Freshness turns from fresh to warn to error at the registry's limits, and never blocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import duckdb
import pandas as pd
import pytest

from orchestration.build import build_models
from orchestration.contracts import contract_for
from orchestration.home import Home
from orchestration.landing import Landing
from orchestration.loading import Loader, newest_by_dataset
from orchestration.registry import load_registry
from orchestration.registry.entries import FreshnessLimit
from orchestration.transform.reference import write_calendar_dates, write_registry

LIMITS = {limit.dataset: limit for limit in load_registry().entries(FreshnessLimit)}


def test_every_dataset_is_measured_against_its_limits(
    published: Home, release: duckdb.DuckDBPyConnection
) -> None:
    newest = newest_by_dataset(Landing(published.landing).log.in_effect())
    rows = release.execute(
        "select dataset, newest_observation, age_days, status from ops.freshness"
    ).fetchall()
    assert {row[0] for row in rows} == set(LIMITS)
    for dataset, observed, age, status in rows:
        assert observed == newest[dataset]
        # A build that passes midnight counts from the day it began.
        assert 0 <= (datetime.now(UTC).date() - observed).days - age <= 1
        limit = LIMITS[dataset]
        expected = (
            "error"
            if age > limit.error_after_days
            else "warn"
            if age > limit.warn_after_days
            else "fresh"
        )
        assert status == expected


@pytest.mark.parametrize(("age", "expected"), [(1, "fresh"), (6, "warn"), (30, "error")])
def test_status_follows_the_newest_observation(home: Home, age: int, expected: str) -> None:
    day: date = datetime.now(UTC).date() - timedelta(days=age)
    rates = pd.DataFrame(
        {
            "base": ["EUR"],
            "quote": ["USD"],
            "rate_date": [day],
            "rate": [1.1],
            "source": ["ecb"],
            "source_url": ["https://www.ecb.europa.eu"],
        }
    )
    Loader(home).load(contract_for("fx_rate"), rates)
    write_registry(home, load_registry())
    write_calendar_dates(home, load_registry())
    build_models(home)
    with duckdb.connect(str(home.build_database), read_only=True) as connection:
        status = dict(connection.execute("select dataset, status from ops.freshness").fetchall())
    assert status.pop("fx_rate") == expected
    assert set(status.values()) == {"no_data"}
