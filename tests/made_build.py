"""A small made build database, for tests of what happens to a build once it is finished."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import duckdb

from orchestration.home import Home
from orchestration.landing import Assertion
from orchestration.release import CheckRow, Release, publish

PASSED = CheckRow("core.fct_result", "grain", "error", True, "0 rows")
WARNED = CheckRow("core.fct_result", "freshness", "warn", False, "400 days")
FAILED = CheckRow("core.fct_result", "adds_up", "error", False, "3 tables differ")
ASSERTION = Assertion(
    1, "fx_rate", "abc", "ecb", 2, date(2026, 1, 2), datetime(2026, 1, 3, tzinfo=UTC), "landed"
)


def make_build(home: Home, number: int) -> None:
    """Build tables of which two carry ``number`` and one never changes."""
    home.build.mkdir(parents=True, exist_ok=True)
    home.build_database.unlink(missing_ok=True)
    with duckdb.connect(str(home.build_database)) as build:
        build.execute(
            """
            create schema core;
            create schema marts;
            create schema ops;
            create schema dbt_test__audit;
            create table core.dim_segment (segment_key varchar primary key, name varchar not null);
            create table core.fct_result (
                segment_key varchar references core.dim_segment (segment_key),
                period_end date, number bigint, value decimal(18, 4)
            );
            create table marts.wide (number bigint, note varchar);
            create table ops.reconciliation (status varchar, tables bigint);
            create table dbt_test__audit.failures (id bigint);
            comment on table core.fct_result is 'One figure; it''s in millions';
            comment on column core.fct_result.value is 'millions of the reporting currency';
            create macro core.segment_result_as_of(as_of_date) as table
                select * from core.fct_result where period_end <= as_of_date;
            insert into core.dim_segment values ('b', 'Cloud'), ('a', 'Commerce');
            insert into ops.reconciliation values ('adds_up', 134);
            """
        )
        build.execute(
            "insert into core.fct_result "
            "select 'b', date '2025-03-31' + i::int, $1, i / 3 from range(1000) as t (i)",
            [number],
        )
        build.execute("insert into marts.wide select $1, 'x' from range(1000)", [number])


def publish_build(home: Home, **changes: Any) -> Release:
    """Publish what :func:`make_build` has built."""
    return publish(
        home,
        **{
            "inputs_fingerprint": "inputs-1",
            "git_revision": None,
            "checks": [PASSED, WARNED],
            "assertions": [ASSERTION],
            "newest_observations": {"fx_rate": date(2026, 1, 2)},
        }
        | changes,
    )


def publish_number(home: Home, number: int) -> Release:
    """Build and publish ``number``."""
    make_build(home, number)
    return publish_build(home, inputs_fingerprint=f"inputs-{number}")
