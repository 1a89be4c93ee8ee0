"""A screened batch gets the report that Great Expectations gives the whole of it.

Every dataset's real rows are spoilt in many ways, each batch is judged both ways, and the reports
must be equal in every word, count and row.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from orchestration import calendars
from orchestration.contracts import CONTRACTS, Contract, contract_for
from orchestration.quality import Guard, GuardReport
from orchestration.quality.rule_screens import FORMS as RULE_FORMS
from orchestration.quality.rule_screens import RuleScreens
from orchestration.quality.rules import RULES, RuleContext
from orchestration.quality.screen import Screen
from orchestration.quality.screening import FORMS, condition, suspects
from orchestration.quality.suite import (
    BETWEEN,
    IN_SET,
    MATCHES,
    NOT_NULL,
    PAIR_IN_ORDER,
    Planned,
    suite,
)
from orchestration.registry import load_registry
from tests.integration.test_guard import TODAY, landed

Row = dict[str, Any]
Spoil = Callable[[random.Random, Contract, list[Row]], list[Row]]

WHOLE, SCREENED = (
    Guard(load_registry(), landed, TODAY, looked_at_whole=rows) for rows in (10**9, 0)
)
TICKERS = {"BABA": "USD", "9988.HK": "HKD", "PDD": "USD"}


def daily_rows(sessions: int = 60) -> list[Row]:
    """Daily rows of three securities on two exchanges, in the order of their key."""
    registry, rows = load_registry(), []
    for ticker in sorted(TICKERS):
        mic = "XHKG" if ticker.endswith(".HK") else "XNYS"
        held = calendars.sessions(registry, mic)
        for place, day in enumerate(held[held <= "2024-07-05"][-sessions:]):
            close = 80 + math.sin(place)
            rows.append(
                {
                    "ticker": ticker,
                    "session_date": day.date(),
                    "open": close,
                    "high": close + 1,
                    "low": close - 1,
                    "close": close,
                    "adj_close": close - 2,
                    "volume": 1e6,
                    "currency": TICKERS[ticker],
                    "observation_frequency": "daily",
                    "split_basis": date(2024, 7, 5),
                    "source": "import",
                    "source_url": "file:prices.csv",
                }
            )
    return rows


def good_rows(dataset: str) -> list[Row]:
    if dataset == "daily_price":
        return daily_rows()
    rows: list[Row] = landed(dataset).slice(0, 60).to_pylist()
    return rows


def as_batch(contract: Contract, rows: list[Row]) -> pa.Table:
    schema = pa.schema([field.with_nullable(True) for field in contract.batch_schema])
    return pa.Table.from_pylist(rows, schema=schema)


def both_ways(contract: Contract, batch: pa.Table) -> GuardReport:
    """The report of a batch; fails unless it is the same either way."""
    whole, screened = (guard.judge(contract, batch) for guard in (WHOLE, SCREENED))
    for one, other in zip(whole.outcomes, screened.outcomes, strict=True):
        assert one == other
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert replace(whole, checked_at=at) == replace(screened, checked_at=at)
    return whole


TEXTS = (
    "",
    " ",
    "USD\n",
    "\nUSD",
    "usd",
    "ÜSD",
    "USDX",
    "٣",
    "it's",
    'a"b',
    "日本",
    "U\x00D",
    "daily ",
)
DAYS = (
    TODAY, TODAY + timedelta(days=1), date(2024, 3, 9), date(1970, 1, 1), date(1677, 1, 1),
    date(2300, 1, 1), date(9999, 12, 31), date(1, 1, 1),
)  # fmt: skip
FLOATS = (math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324, 1.7e308, -1.0)
AMOUNTS = tuple(map(Decimal, ("0", "-0.000001", "0.000001", "-1", "999999999999999999.999999")))


def odd_values(kind: pa.DataType) -> tuple[Any, ...]:
    if pa.types.is_string(kind):
        return TEXTS
    if pa.types.is_date(kind):
        return DAYS
    return FLOATS if pa.types.is_floating(kind) else AMOUNTS


def odd_cells(rng: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    """Every column gets odd values of its type, in rows of its own."""
    for field in contract.batch_schema:
        for value in odd_values(field.type):
            rng.choice(rows)[field.name] = value
    return rows


def a_few_odd_cells(rng: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    for field in rng.sample(list(contract.batch_schema), 3):
        rng.choice(rows)[field.name] = rng.choice(odd_values(field.type))
    return rows


def empty_cells(rng: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    for name in contract.batch_schema.names:
        for row in rng.sample(rows, min(2, len(rows))):
            row[name] = None
    return rows


def empty_columns(rng: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    for name in rng.sample(contract.batch_schema.names, 4):
        for row in rows:
            row[name] = None
    return rows


def nothing_but_nulls(_: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    return [dict.fromkeys(contract.batch_schema.names) for _ in rows]


def repeated_rows(rng: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    rows += [dict(rng.choice(rows)) for _ in range(3)]
    rows[-1][contract.key[0]] = rows[-2][contract.key[0]] = None
    return rows


def repeated_rows_out_of_order(
    rng: random.Random, contract: Contract, rows: list[Row]
) -> list[Row]:
    rows = repeated_rows(rng, contract, rows)
    rng.shuffle(rows)
    return rows


def another_order(rng: random.Random, _: Contract, rows: list[Row]) -> list[Row]:
    rng.shuffle(rows)
    return rows


def one_row(rng: random.Random, _: Contract, rows: list[Row]) -> list[Row]:
    return [rng.choice(rows)]


def left_out_rows(rng: random.Random, _: Contract, rows: list[Row]) -> list[Row]:
    return sorted(rng.sample(rows, len(rows) - 9), key=rows.index)


def mixed_up_rows(rng: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    """Cells of other rows: known values where they do not belong."""
    for name in contract.batch_schema.names:
        one, other = rng.choice(rows), rng.choice(rows)
        one[name], other[name] = other[name], one[name]
    return rows


def smaller_above_larger(_: random.Random, contract: Contract, rows: list[Row]) -> list[Row]:
    for place, c in enumerate(contract.comparisons):
        row = rows[place % len(rows)]
        row[c.larger], row[c.smaller] = row[c.smaller], row[c.larger]
    return rows


SPOILS: tuple[Spoil, ...] = (
    odd_cells,
    a_few_odd_cells,
    empty_cells,
    empty_columns,
    nothing_but_nulls,
    repeated_rows,
    repeated_rows_out_of_order,
    another_order,
    one_row,
    left_out_rows,
    mixed_up_rows,
    smaller_above_larger,
)


#: Datasets that are screened in earnest; the others hold some thousand rows.
LARGE = ("daily_price", "fx_rate", "corporate_action", "macro_observation")
OF_ALL = (
    odd_cells,
    empty_cells,
    nothing_but_nulls,
    repeated_rows_out_of_order,
    one_row,
    mixed_up_rows,
)


@pytest.mark.parametrize(
    ("dataset", "spoil"),
    [(d, spoil) for d in CONTRACTS for spoil in (SPOILS if d in LARGE else OF_ALL)],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_spoilt_rows_get_the_same_report_either_way(dataset: str, spoil: Spoil) -> None:
    contract = contract_for(dataset)
    rng = random.Random(f"{dataset} {spoil.__name__}")
    both_ways(contract, as_batch(contract, spoil(rng, contract, good_rows(dataset))))


def _walk(rng: random.Random) -> list[Row]:
    """Daily rows with gaps, jumps, days off and repeated days, in some order."""
    rows = daily_rows(rng.choice((5, 30, 130)))
    for _ in range(rng.choice((0, 1, 4))):
        del rows[rng.randrange(len(rows))]
    for _ in range(rng.choice((0, 1, 3))):
        row = rng.choice(rows)
        row["close"] = rng.choice((None, math.nan, math.inf, 0.0, 40.0, 39.0, 200.0, row["close"]))
        row["adj_close"] = rng.choice((None, 0.0, 300.0, row["adj_close"]))
    if rng.random() < 0.3:
        for row in rows:
            if row["ticker"] == "PDD":
                row["close"] = None
    if rng.random() < 0.4:
        row = rng.choice(rows)
        row["session_date"] += timedelta(days=rng.choice((-1, 1, 3, 400)))
    if rng.random() < 0.3:
        rng.choice(rows)["observation_frequency"] = rng.choice(("month_end", "weekly", None))
    if rng.random() < 0.3:
        rng.choice(rows)["ticker"] = rng.choice(("NOPE", "BABA", None))
    if rng.random() < 0.2:
        rng.choice(rows)["session_date"] = None
    if rng.random() < 0.3:
        rows.append(dict(rng.choice(rows)) | {"close": rng.choice((20.0, 90.0))})
    if rng.random() < 0.4:
        rng.shuffle(rows)
    return rows


@pytest.mark.parametrize("seed", range(20))
def test_faulty_histories_get_the_same_report_either_way(seed: int) -> None:
    contract = contract_for("daily_price")
    both_ways(contract, as_batch(contract, _walk(random.Random(seed))))


def _context() -> RuleContext:
    return RuleContext(load_registry(), landed, TODAY)


def _suite(contract: Contract) -> list[Planned]:
    return suite(contract, load_registry(), TODAY)


def looked_at(contract: Contract, rows: list[Row]) -> dict[str, list[int] | None]:
    """By check and column: which rows Great Expectations or a rule is given, ``None`` for all."""
    found = suspects(contract, as_batch(contract, rows), _suite(contract), _context())
    return {
        f"{plan.check} {plan.column} {plan.words}": None if places is None else places.to_pylist()
        for plans, places in found
        for plan in plans
    }


@pytest.mark.parametrize("dataset", LARGE)
def test_of_large_datasets_no_good_row_is_looked_at(dataset: str) -> None:
    contract = contract_for(dataset)
    found = looked_at(contract, good_rows(dataset))
    assert len(found) == len(_suite(contract))
    assert set(map(str, found.values())) == {"[]"}


def test_only_the_rows_concerned_are_looked_at() -> None:
    contract = contract_for("daily_price")
    rows = daily_rows()
    rows[7]["volume"] = -1.0
    rows[9]["currency"] = "EUR"
    # One session of PDD is missing: all of its rows are needed to find the one after the gap.
    del rows[130]
    found = {name: places for name, places in looked_at(contract, rows).items() if places != []}
    assert {name.split(" ")[0]: places for name, places in found.items()} == {
        "values": [7],
        "currency_of_security": [9],
        "sessions_complete": list(range(120, 179)),
        "no_missing_session": list(range(120, 179)),
    }


def test_every_expectation_in_use_has_sql_or_is_given_all_rows() -> None:
    unscreened = set()
    for dataset in CONTRACTS:
        contract = contract_for(dataset)
        with Screen(contract, as_batch(contract, good_rows(dataset))) as screen:
            rules = RuleScreens(screen, _context())
            for plan in _suite(contract):
                if condition(screen, plan, rules) is None:
                    unscreened.add(plan.check if plan.is_rule else plan.kind)
                else:
                    assert plan.check in RULE_FORMS if plan.is_rule else plan.kind in FORMS
    assert unscreened == RULES.keys() - RULE_FORMS.keys()
    assert RULE_FORMS.keys() < RULES.keys()


OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("expect_column_value_lengths_to_equal", {"column": "currency", "value": 3}),
    (NOT_NULL, {"column": "close", "mostly": 0.5}),
    (MATCHES, {"column": "currency", "regex": r"^[^a-z]{3}$"}),
    (MATCHES, {"column": "currency", "regex": r"^(?i)[A-Z]{3}$"}),
    (MATCHES, {"column": "currency", "regex": r"^(?=U)\w+$"}),
    (IN_SET, {"column": "close", "value_set": [1.0]}),
    (BETWEEN, {"column": "session_date", "max_value": datetime(2024, 3, 8, 12)}),
    (PAIR_IN_ORDER, {"column_A": "high", "column_B": "low", "ignore_row_if": "neither"}),
)


@pytest.mark.parametrize(("kind", "arguments"), OTHERS)
def test_an_expectation_that_sql_cannot_say_is_given_all_rows(
    kind: str, arguments: dict[str, Any]
) -> None:
    contract = contract_for("daily_price")
    plan = Planned(kind, arguments, "values", "any", "any")
    ((plans, places),) = (
        found
        for found in suspects(contract, as_batch(contract, daily_rows()), [plan], _context())
        if found[0]
    )
    assert (plans, places) == ([plan], None)


def test_a_long_frame_is_validated_in_pieces_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contract = contract_for("daily_price")
    rng = random.Random(3)
    rows = odd_cells(rng, contract, repeated_rows(rng, contract, daily_rows()))
    for row in rows[5:90]:
        row["volume"] = -1.0
    batch = as_batch(contract, rows)
    whole = both_ways(contract, batch)
    monkeypatch.setattr("orchestration.quality.expectations._PIECE", 70)
    assert both_ways(contract, batch).outcomes == whole.outcomes


def _rates() -> list[Row]:
    """70,000 rows of rates, all in order."""
    days = [date(1999, 1, 4) + timedelta(days=place) for place in range(7_000)]
    return [
        {"base": "EUR", "quote": quote, "rate_date": day, "rate": 1.5, "source": "baseline",
         "source_url": "file:ecb"}
        for quote in ("AUD", "BGN", "CAD", "CHF", "CNY", "DKK", "GBP", "HKD", "JPY", "USD")
        for day in days
    ]  # fmt: skip


def test_a_large_batch_is_screened_unasked() -> None:
    contract = contract_for("fx_rate")
    rows = _rates()
    rows[60_000]["rate"] = -1.5
    frame = as_batch(contract, rows).to_pandas()
    _, report = Guard(load_registry(), landed, TODAY).check(contract, frame)
    (failure,) = report.failures
    assert (failure.column, failure.failing, report.rows) == ("rate", 1, 70_000)
    assert failure.failing_rows[0]["quote"] == "JPY"
    assert failure.failing_rows[0]["rate_date"] == str(date(1999, 1, 4) + timedelta(days=4_000))
    assert frame["rate"].min() == -1.5


def _judge_rates() -> None:
    contract = contract_for("fx_rate")
    report = Guard(load_registry(), landed, TODAY).judge(contract, as_batch(contract, _rates()))
    print(report.passed, "great_expectations" in sys.modules)


def test_a_large_batch_without_a_suspicious_row_needs_no_great_expectations() -> None:
    """It takes four seconds to import, a tenth of the load of twenty million rows."""
    asked = "from tests.integration.test_guard_screening import _judge_rates; _judge_rates()"
    told = subprocess.run(
        [sys.executable, "-c", asked], check=True, capture_output=True, text=True
    ).stdout
    assert told.split() == ["True", "False"]
