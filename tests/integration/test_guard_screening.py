"""A screened batch gets the report that Great Expectations gives the whole of it.

Every dataset's real rows are spoilt in many ways, each batch is judged both ways, and the reports
must be equal in every word, count and row.
"""

from __future__ import annotations

import math
import random
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


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("dataset", list(CONTRACTS))
def test_spoilt_rows_get_the_same_report_either_way(dataset: str, spoil: Spoil) -> None:
    contract = contract_for(dataset)
    rng = random.Random(f"{dataset} {spoil.__name__}")
    both_ways(contract, as_batch(contract, spoil(rng, contract, good_rows(dataset))))
