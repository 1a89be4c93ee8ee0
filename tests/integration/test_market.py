"""Prices, returns and exchange rates of the release, against figures worked out by other means."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.resources import files
from itertools import pairwise
from statistics import mean
from typing import Any

import duckdb
import pytest
from currency_converter import CurrencyConverter, RateNotFoundError

Row = dict[str, Any]
BENCHMARKS = {"kweb": "KWEB", "spy": "SPY", "hsi": "^HSI"}
#: Payers whose dividends are on record after this day only.
DIVIDENDS_AFTER = dict.fromkeys(("JD", "MSFT", "NVDA"), date(2024, 2, 29))


def rows(release: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> list[Row]:
    cursor = release.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def performance(release: duckdb.DuckDBPyConnection, security: str, session: str) -> Row:
    (row,) = rows(
        release,
        "select * from marts.security_performance where security_key = ? and session_date = ?",
        security,
        session,
    )
    return row


def baseline(dataset: str) -> list[dict[str, str]]:
    with (files("orchestration") / "baseline" / f"{dataset}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_alibaba_fell_by_four_fifths_from_its_peak_of_october_2020(
    release: duckdb.DuckDBPyConnection,
) -> None:
    # Month-end closes: 304.69 on 2020-10-30, 63.58 on 2022-10-31, no dividend before or between.
    # 63.58 / 304.69 - 1 = -79.1329%.
    trough = performance(release, "BABA", "2022-10-31")
    assert trough["peak_date"] == date(2020, 10, 30)
    assert trough["trough_date"] == date(2022, 10, 31)
    assert trough["drawdown_from_peak_percent"] == pytest.approx(-79.1329, abs=5e-5)
    assert trough["return_since_trough_percent"] == 0


def test_dividends_enter_alibabas_total_return(release: duckdb.DuckDBPyConnection) -> None:
    # 179.90 on 2025-09-29. Three dividends went ex in between: 1.00 before the close of 77.51
    # (2023-12-29), 1.66 before that of 72.00 (2024-06-28), 2.00 before that of 113.41 (2025-06-30):
    # 78.51/77.51 * 73.66/72.00 * 115.41/113.41 = 1.054529.
    # Since the peak: 179.90/304.69 * 1.054529 - 1 = -37.7368%, on prices alone -40.9564%.
    # Since the trough: 179.90/63.58 * 1.054529 - 1 = 198.3796%.
    # Since the first month-end, 88.85 on 2014-09-30: 179.90/88.85 * 1.054529 = 2.135169.
    newest = performance(release, "BABA", "2025-09-29")
    assert newest["drawdown_from_peak_percent"] == pytest.approx(-37.7368, abs=5e-5)
    assert newest["return_since_trough_percent"] == pytest.approx(198.3796, abs=5e-5)
    assert newest["total_return_index"] == pytest.approx(213.5169, abs=5e-5)
    assert newest["price_return_index"] == pytest.approx(100 * 179.90 / 88.85, abs=1e-6)
    dividends = rows(
        release,
        "select ex_date, value, unit from core.fct_corporate_action "
        "where ticker = 'BABA' and action = 'dividend' order by ex_date",
    )
    assert [(str(row["ex_date"]), row["value"], row["unit"]) for row in dividends] == [
        ("2023-12-20", 1.00, "USD per share"),
        ("2024-06-13", 1.66, "USD per share"),
        ("2025-06-12", 2.00, "USD per share"),
    ]


def test_alibaba_against_the_hang_seng(release: duckdb.DuckDBPyConnection) -> None:
    # ^HSI: 22,932.98 on 2014-09-30 and 26,855.56 on 2025-09-30, the last of the same month:
    # growth 1.171045. Alibaba's 2.135169 over it is 1.823302.
    newest = performance(release, "BABA", "2025-09-29")
    assert newest["relative_to_hsi"] == pytest.approx(1.823302, abs=1e-6)
    assert newest["relative_to_hsi_since"] == date(2014, 9, 30)


def test_alibaba_against_kweb(release: duckdb.DuckDBPyConnection) -> None:
    # 2024-03-28 to 2025-08-29. Alibaba 135.00/72.36 * 73.66/72.00 * 115.41/113.41 = 1.942346;
    # KWEB's adjusted closes 35.9875/23.9213 = 1.504412; 1.942346/1.504412 = 1.291099.
    first, last = (
        performance(release, "BABA", session)["relative_to_kweb"]
        for session in ("2024-03-28", "2025-08-29")
    )
    assert last / first == pytest.approx(1.291099, abs=1e-6)


def test_nvidias_split_is_not_counted_twice(release: duckdb.DuckDBPyConnection) -> None:
    # Ten for one on 2024-06-10, already in the closes of 109.633 (May) and 123.540 (June).
    may, june = (performance(release, "NVDA", day) for day in ("2024-05-31", "2024-06-28"))
    growth = june["price_return_index"] / may["price_return_index"]
    assert growth == pytest.approx(123.540 / 109.633)
    # The dividend of June 2024 is 0.01 after the split.
    assert june["total_return_index"] / may["total_return_index"] == pytest.approx(
        (123.540 + 0.01) / 109.633
    )


def test_no_total_return_before_the_record_of_dividends(
    release: duckdb.DuckDBPyConnection,
) -> None:
    # Microsoft paid every quarter, but its dividends are on record from March 2024 only.
    assert performance(release, "MSFT", "2020-12-31")["total_return_index"] is None
    assert performance(release, "MSFT", "2020-12-31")["price_return_index"] is not None
    assert performance(release, "MSFT", "2024-02-29")["total_return_index"] == 100


def test_month_ends_have_no_daily_return(release: duckdb.DuckDBPyConnection) -> None:
    assert not rows(
        release,
        "select * from core.fct_daily_price "
        "where observation_frequency = 'month_end' and daily_return is not null",
    )


@dataclass
class Step:
    """One observed session in a recomputation that walks through the rows one by one."""

    session: date
    close: float | None
    adj_close: float | None
    basis: str
    currency: str
    index: float | None = None
    chain: int = 0
    figures: dict[str, Any] = field(default_factory=dict)


def walk(security: str, steps: list[Step], dividends: list[tuple[date, float, str]]) -> None:
    """Set index and chain of each step."""

    def closes_grow(before: Step | None, now: Step) -> float | None:
        if before is None or before.close is None or now.close is None:
            return None
        if before.session < DIVIDENDS_AFTER.get(security, date.min):
            return None
        paid = [d for d in dividends if before.session < d[0] <= now.session]
        if any(unit != f"{now.currency} per share" for _, _, unit in paid):
            return None
        return (now.close + sum(value for _, value, _ in paid)) / before.close

    def is_beside(position: int) -> bool:
        earlier = [s.basis for s in steps[:position] if s.adj_close is not None]
        later = [s.basis for s in steps[position + 1 :] if s.adj_close is not None]
        in_between = steps[position].adj_close is None and earlier and later
        return bool(in_between) and earlier[-1] == later[0]

    on_chain: Step | None = None
    row_before: Step | None = None
    chain = 0
    for position, step in enumerate(steps):
        if is_beside(position):
            growth, start_from = closes_grow(row_before, step), row_before
        else:
            start_from = on_chain
            if on_chain and on_chain.adj_close and step.adj_close and on_chain.basis == step.basis:
                growth = step.adj_close / on_chain.adj_close
            else:
                growth = closes_grow(on_chain, step)
            on_chain = step
        if growth is not None and start_from is not None and start_from.index is not None:
            step.index = start_from.index * growth
        elif on_chain is step:
            chain += 1
            step.index = 100.0
        step.chain = chain
        row_before = step
    for step in steps:
        if sum(other.chain == step.chain for other in steps) == 1:
            step.index = None


def measure(steps: list[Step]) -> None:
    """Set drawdown, peak, trough and the return since it."""
    best: dict[int, Step] = {}
    worst: dict[int, Step] = {}
    for step in steps:
        if step.index is None:
            continue
        peak = best.get(step.chain)
        if peak is None or peak.index is None or step.index > peak.index * (1 + 1e-12):
            peak = best[step.chain] = step
        assert peak.index is not None
        drawdown = 100 * (step.index / peak.index - 1)
        trough = worst.get(step.chain)
        deepest = trough.figures["drawdown_from_peak_percent"] if trough else 0
        step.figures["drawdown_from_peak_percent"] = drawdown
        step.figures["peak_date"] = peak.session
        if drawdown < deepest - 1e-9:
            trough = worst[step.chain] = step
        if trough is not None and trough.index is not None:
            step.figures["trough_date"] = trough.session
            step.figures["return_since_trough_percent"] = 100 * (step.index / trough.index - 1)


def compare(steps: list[Step], name: str, benchmark: list[Step], is_index: bool) -> None:
    """Set growth relative to a benchmark."""

    def level(step: Step) -> float | None:
        return step.close if is_index else step.index

    known = [step for step in benchmark if level(step) is not None]
    first: dict[tuple[int, int], float] = {}
    for step in steps:
        month = [b for b in known if b.session.replace(day=1) == step.session.replace(day=1)]
        if step.index is None or not month:
            continue
        other = next((b for b in month if b.session == step.session), month[-1])
        value = level(other)
        assert value is not None
        pair = (step.chain, 0 if is_index else other.chain)
        ratio = step.index / value
        step.figures[f"relative_to_{name}"] = ratio / first.setdefault(pair, ratio)


@pytest.fixture(scope="module")
def recomputed() -> dict[str, list[Step]]:
    """Every security of the baseline, month-ends only, no split on record."""
    dividends: dict[str, list[tuple[date, float, str]]] = defaultdict(list)
    for row in baseline("corporate_action"):
        assert row["action"] == "dividend"
        paid = (date.fromisoformat(row["ex_date"]), float(row["value"]), row["unit"])
        dividends[row["ticker"]].append(paid)
    prices: dict[str, list[Step]] = defaultdict(list)
    for row in sorted(baseline("daily_price"), key=lambda row: row["session_date"]):
        assert row["observation_frequency"] == "month_end"
        prices[row["ticker"]].append(
            Step(
                session=date.fromisoformat(row["session_date"]),
                close=float(row["close"]) if row["close"] else None,
                adj_close=float(row["adj_close"]) if row["adj_close"] else None,
                basis=row["split_basis"],
                currency=row["currency"],
            )
        )
    for security, steps in prices.items():
        if not security.startswith("^"):
            walk(security, steps, dividends[security])
            measure(steps)
    for steps in prices.values():
        for name, benchmark in BENCHMARKS.items():
            compare(steps, name, prices[benchmark], is_index=benchmark.startswith("^"))
    return prices


FIGURES = (
    "drawdown_from_peak_percent",
    "peak_date",
    "trough_date",
    "return_since_trough_percent",
    "relative_to_kweb",
    "relative_to_spy",
    "relative_to_hsi",
)


def test_every_figure_of_every_security_recomputed(
    release: duckdb.DuckDBPyConnection, recomputed: dict[str, list[Step]]
) -> None:
    served = rows(release, "select * from marts.security_performance order by session_date")
    assert {row["security_key"] for row in served} == set(recomputed)
    assert len(served) == sum(len(steps) for steps in recomputed.values())
    for security, steps in recomputed.items():
        of_security = [row for row in served if row["security_key"] == security]
        first_close = next((step.close for step in steps if step.close is not None), None)
        for row, step in zip(of_security, steps, strict=True):
            where = f"{security} {step.session}"
            assert row["session_date"] == step.session
            expected = {name: step.figures.get(name) for name in FIGURES}
            expected["total_return_index"] = step.index
            expected["price_return_index"] = step.close and 100 * step.close / first_close
            for name, value in expected.items():
                near = isinstance(value, float)
                wanted = pytest.approx(value, rel=1e-6, abs=2e-6) if near else value
                assert row[name] == wanted, f"{where} {name}"


def ecb_days(first: date, last: date) -> Iterator[tuple[date, float]]:
    """Yuan per dollar on each day that the package has both against the euro."""
    converter = CurrencyConverter()
    for day in (first + timedelta(days) for days in range((last - first).days + 1)):
        with suppress(RateNotFoundError):
            yield day, converter.convert(1, "USD", "CNY", date=day)


def test_a_quarters_revenue_is_divided_by_the_mean_of_its_days(
    release: duckdb.DuckDBPyConnection,
) -> None:
    first, last = date(2024, 7, 1), date(2024, 9, 30)
    rates = dict(ecb_days(first, last))
    # 92 days, 26 of them on weekends and no TARGET holiday among the rest.
    assert len(rates) == 66
    (row,) = rows(
        release,
        "select revenue_millions, revenue_usd_millions from marts.alibaba_quarterly "
        "where period_end = ?",
        last,
    )
    # RMB 236,503 million / 7.1663 = USD 33,002 million.
    assert row["revenue_millions"] == 236_503
    by_package = 236_503 / mean(rates.values())
    assert float(row["revenue_usd_millions"]) == pytest.approx(by_package, abs=1e-4)
    assert by_package == pytest.approx(33_002.10, abs=0.01)


def test_rates_are_the_ecbs(release: duckdb.DuckDBPyConnection) -> None:
    served = rows(
        release,
        "select usd.rate_date, cny.rate / usd.rate as rate "
        "from core.fct_fx_rate as usd join core.fct_fx_rate as cny using (rate_date) "
        "where usd.quote = 'USD' and cny.quote = 'CNY' "
        "and usd.base = 'EUR' and cny.base = 'EUR' "
        "and rate_date between '2024-01-01' and '2024-12-31'",
    )
    by_package = dict(ecb_days(date(2024, 1, 1), date(2024, 12, 31)))
    assert {row["rate_date"]: pytest.approx(row["rate"]) for row in served} == by_package
    days = sorted(by_package)
    assert max((later - day).days for day, later in pairwise(days)) <= 5
