"""Every guard lets good data pass and bad data not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from orchestration.contracts import CONTRACTS, contract_for
from orchestration.extract import baseline, ecb
from orchestration.quality import Guard, GuardReport
from orchestration.registry import load_registry

TODAY = date(2026, 11, 24)


def facts(dataset: str) -> pd.DataFrame:
    """The baseline of a dataset, as a frame that a test may spoil."""
    contract = contract_for(dataset)
    if dataset == "fx_rate":
        return ecb.read_history().assign(source="baseline").tail(50).reset_index(drop=True)
    return baseline.read(dataset, contract.batch_schema)


def landed(dataset: str) -> pa.Table:
    contract = contract_for(dataset)
    return pa.Table.from_pandas(facts(dataset), schema=contract.batch_schema, preserve_index=False)


def checked(dataset: str, frame: pd.DataFrame) -> GuardReport:
    guard = Guard(load_registry(), landed, TODAY)
    return guard.check(contract_for(dataset), frame)[1]


def daily_prices(**columns: list[object]) -> pd.DataFrame:
    """Three real sessions of BABA as a daily batch; ``columns`` replaces cells."""
    rows = {
        "ticker": ["BABA"] * 3,
        "session_date": [date(2024, 3, 6), date(2024, 3, 7), date(2024, 3, 8)],
        "open": [73.0, 72.0, 73.0],
        "high": [74.0, 73.5, 75.0],
        "low": [72.0, 71.5, 72.5],
        "close": [73.5, 72.5, 74.0],
        "adj_close": [72.0, 71.0, 72.5],
        "volume": [1e7, 1e7, 1e7],
        "currency": ["USD"] * 3,
        "observation_frequency": ["daily"] * 3,
        "split_basis": [date(2024, 3, 8)] * 3,
        "source": ["import"] * 3,
        "source_url": ["file:BABA.csv"] * 3,
    }
    return pd.DataFrame(rows | columns)


@pytest.mark.parametrize("dataset", list(CONTRACTS))
def test_the_baseline_passes_every_guard(dataset: str) -> None:
    report = checked(dataset, facts(dataset))
    assert report.passed, [outcome.line() for outcome in report.failures]
    assert report.warnings == ()


def test_good_daily_prices_pass() -> None:
    report = checked("daily_price", daily_prices())
    assert report.passed, [outcome.line() for outcome in report.failures]


def _set(frame: pd.DataFrame, column: str, row: int, value: object) -> pd.DataFrame:
    frame = frame.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


# What is spoilt, and the check and column that must say so.
SPOILT_PRICES: dict[str, tuple[Callable[[], pd.DataFrame], str, str]] = {
    "duplicate key": (
        lambda: pd.concat([daily_prices(), daily_prices().tail(1)], ignore_index=True),
        "keys",
        "ticker, session_date",
    ),
    "empty key": (lambda: _set(daily_prices(), "ticker", 1, None), "keys", "ticker"),
    "unknown ticker": (lambda: daily_prices(ticker=["NOPE"] * 3), "values", "ticker"),
    "wrong currency": (
        lambda: daily_prices(currency=["USD", "HKD", "USD"]),
        "currency_of_security",
        "(row)",
    ),
    "negative price": (lambda: daily_prices(close=[73.5, -72.5, 74.0]), "values", "close"),
    "zero price": (lambda: daily_prices(adj_close=[72.0, 0.0, 72.5]), "values", "adj_close"),
    "high below low": (lambda: daily_prices(high=[74.0, 70.0, 75.0]), "values", "high"),
    "close above high": (lambda: daily_prices(close=[73.5, 72.5, 99.0]), "values", "high"),
    "negative volume": (lambda: daily_prices(volume=[1e7, -1.0, 1e7]), "values", "volume"),
    "future date": (
        lambda: daily_prices(session_date=[date(2024, 3, 6), date(2024, 3, 7), date(2027, 3, 8)]),
        "values",
        "session_date",
    ),
    "a Saturday": (
        lambda: daily_prices(session_date=[date(2024, 3, 6), date(2024, 3, 7), date(2024, 3, 9)]),
        "on_trading_session",
        "(row)",
    ),
    "half the sessions missing": (
        lambda: daily_prices(session_date=[date(2024, 3, 6), date(2024, 3, 7), date(2024, 3, 28)]),
        "sessions_complete",
        "(row)",
    ),
    "a row without a price": (
        lambda: daily_prices(close=[73.5, None, 74.0], adj_close=[72.0, None, 72.5]),
        "has_a_price",
        "(row)",
    ),
    "unlisted frequency": (
        lambda: daily_prices(observation_frequency=["daily", "weekly", "daily"]),
        "values",
        "observation_frequency",
    ),
    "missing column": (lambda: daily_prices().drop(columns="close"), "schema", "close"),
    "extra column": (lambda: daily_prices(colour=["red"] * 3), "schema", "colour"),
    "text for a number": (lambda: daily_prices(close=["73.5", "72.5", "74"]), "schema", "close"),
    "text for a date": (
        lambda: daily_prices(session_date=["2024-03-06", "2024-03-07", "2024-03-08"]),
        "schema",
        "session_date",
    ),
    "a number for text": (lambda: daily_prices(ticker=[1, 2, 3]), "schema", "ticker"),
    "mixed types": (lambda: _set(daily_prices(), "close", 1, "null"), "schema", "close"),
    "empty batch": (lambda: daily_prices().head(0), "schema", "(batch)"),
}


@pytest.mark.parametrize("fault", SPOILT_PRICES)
def test_spoilt_prices_do_not_pass(fault: str) -> None:
    spoil, check, column = SPOILT_PRICES[fault]
    report = checked("daily_price", spoil())
    assert not report.passed
    assert (check, column) in {(o.check, o.column) for o in report.failures}


def test_the_report_shows_the_failing_rows() -> None:
    report = checked("daily_price", daily_prices(close=[73.5, -72.5, 74.0]))
    (failure,) = (o for o in report.failures if o.expectation == "is more than 0")
    assert failure.failing == 1
    assert failure.failing_rows[0]["session_date"] == "2024-03-07"
    assert failure.failing_rows[0]["close"] == "-72.5"


def test_at_most_twenty_failing_rows_are_kept() -> None:
    many = pd.concat([daily_prices(currency=["GBP"] * 3)] * 20, ignore_index=True)
    many["session_date"] = pd.bdate_range("2024-01-02", periods=60).date
    report = checked("daily_price", many)
    (failure,) = (o for o in report.failures if o.check == "currency_of_security")
    assert (failure.failing, len(failure.failing_rows)) == (60, 20)


def test_a_jump_is_flagged_and_not_dropped() -> None:
    jumped = daily_prices(
        open=[73.0, 72.0, 120.0], high=[74.0, 73.5, 125.0], low=[72.0, 71.5, 118.0],
        close=[73.5, 72.5, 120.0],
    )  # fmt: skip
    report = checked("daily_price", jumped)
    assert report.passed
    (warning,) = report.warnings
    assert warning.check == "jump_explained"
    assert warning.failing_rows[0]["session_date"] == "2024-03-08"


def test_a_history_of_adjusted_closes_alone_passes_and_its_jumps_are_flagged() -> None:
    nothing: list[object] = [None] * 3
    alone = daily_prices(open=nothing, high=nothing, low=nothing, close=nothing)
    assert checked("daily_price", alone).warnings == ()
    jumped = alone.assign(adj_close=[72.0, 71.0, 120.0])
    report = checked("daily_price", jumped)
    assert report.passed
    assert [warning.check for warning in report.warnings] == ["jump_explained"]


def test_a_jump_with_a_corporate_action_is_explained() -> None:
    # BABA went ex-dividend on 2024-06-13: the baseline's corporate action explains any move.
    days = [date(2024, 6, 11), date(2024, 6, 12), date(2024, 6, 13)]
    jumped = daily_prices(
        session_date=days, open=[73.0, 72.0, 20.0], high=[74.0, 73.5, 25.0],
        low=[72.0, 71.5, 18.0], close=[73.5, 72.5, 20.0],
    )  # fmt: skip
    assert checked("daily_price", jumped).warnings == ()


def test_a_missing_session_is_flagged() -> None:
    # 49 of 50 sessions: complete enough to land, with the gap named.
    sessions = pd.bdate_range("2024-03-01", "2024-05-10")
    days = [d.date() for d in sessions if d.date() not in (date(2024, 3, 29), date(2024, 4, 10))]
    frame = pd.concat([daily_prices().head(1)] * len(days), ignore_index=True)
    frame["session_date"] = days
    report = checked("daily_price", frame)
    assert report.passed
    (warning,) = report.warnings
    assert warning.check == "no_missing_session"
    assert "BABA 2024-04-10" in warning.detail
    assert "2024-03-29" not in warning.detail, "Good Friday is no session"


def _spoil_alibaba_cloud(frame: pd.DataFrame) -> pd.DataFrame:
    row = frame.index[
        (frame["document_id"] == "alibaba.results.2025-03-31")
        & (frame["segment_key"] == "alibaba.business_groups.cloud_intelligence_group")
        & (frame["metric"] == "revenue")
        & (frame["column_role"] == "current")
    ]
    assert len(row) == 1
    return _set(frame, "value", row[0], frame.loc[row[0], "value"] + Decimal(30))


SPOILT_FACTS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "segments that do not add up": ("segment_result", _spoil_alibaba_cloud, "adds_up"),
    "segment of another structure": (
        "segment_result",
        lambda f: _set(f, "structure", 0, "business_groups"),
        "segment_as_registered",
    ),
    "label that is not the registry's": (
        "segment_result",
        lambda f: _set(f, "segment_label", 0, "Clouds"),
        "segment_as_registered",
    ),
    "half-year called a quarter": (
        "segment_result",
        lambda f: _set(f, "period_start", 0, date(2015, 1, 1)),
        "period_fits_type",
    ),
    "unlisted unit": ("segment_result", lambda f: _set(f, "unit", 0, "crore"), "values"),
    "unknown metric": ("company_result", lambda f: _set(f, "metric", 0, "profit"), "values"),
    "unknown document": (
        "company_result",
        lambda f: _set(f, "document_id", 0, "alibaba.results.1999-06-30"),
        "document_known",
    ),
    "reported before the period ends": (
        "document",
        lambda f: _set(f, "reported_on", 0, date(2016, 6, 1)),
        "values",
    ),
    "malformed document id": ("document", lambda f: _set(f, "document_id", 0, "a b"), "values"),
    "unit that is not the series'": (
        "macro_observation",
        lambda f: _set(f, "unit", 0, "index"),
        "unit_of_series",
    ),
    "vintage before observation": (
        "macro_observation",
        lambda f: _set(f, "vintage_date", 0, date(2000, 1, 1)),
        "values",
    ),
    "unit that is not the KPI's": ("kpi", lambda f: _set(f, "unit", 0, "percent"), "unit_of_kpi"),
    "split counted in dollars": (
        "corporate_action",
        lambda f: _set(f, "action", 0, "split"),
        "unit_of_action",
    ),
    "negative dividend": ("corporate_action", lambda f: _set(f, "value", 0, -1.0), "values"),
    "unknown company in a list": (
        "event",
        lambda f: _set(f, "company_keys", 0, "alibaba|acme"),
        "values",
    ),
    "rate of zero": ("fx_rate", lambda f: _set(f, "rate", 0, 0.0), "values"),
}


@pytest.mark.parametrize("fault", SPOILT_FACTS)
def test_spoilt_facts_do_not_pass(fault: str) -> None:
    dataset, spoil, check = SPOILT_FACTS[fault]
    frame = facts(dataset)
    schema = contract_for(dataset).batch_schema
    spoilt = spoil(frame)
    # Spoiling went through Python objects; bring the types back, so that only the value is wrong.
    typed = pa.Table.from_pandas(spoilt, schema=schema, preserve_index=False)
    report = checked(dataset, typed.to_pandas(types_mapper=pd.ArrowDtype))
    assert check in {outcome.check for outcome in report.failures}
