"""Valuation of companies on each session, against a plain model and figures worked out by hand."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from datetime import date, timedelta
from functools import cache
from statistics import mean
from typing import Any

import duckdb
import pytest
from currency_converter import CurrencyConverter, RateNotFoundError

from orchestration.registry import load_registry
from orchestration.registry.entries import Company, Security, ShareSplit

Row = dict[str, Any]
CONVERTER = CurrencyConverter()


def rows(release: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> list[Row]:
    cursor = release.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@cache
def units_per_usd(currency: str, day: date) -> float | None:
    if currency == "USD":
        return 1.0
    with suppress(RateNotFoundError):
        return float(CONVERTER.convert(1, "USD", currency, date=day))
    return None


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(n) for n in range((last - first).days + 1)]


@cache
def average_units_per_usd(currency: str, first: date, last: date) -> float:
    rates = [units_per_usd(currency, day) for day in days(first, last)]
    return mean(rate for rate in rates if rate is not None)


@cache
def last_units_per_usd(currency: str, day: date) -> float | None:
    for earlier in reversed(days(day - timedelta(7), day)):
        rate = units_per_usd(currency, earlier)
        if rate is not None:
            return rate
    return None


class Known:
    """What documents say, by the day on which they were published."""

    def __init__(self, release: duckdb.DuckDBPyConnection) -> None:
        order = "reported_on, source_quality = 'official', coalesce(document_rank, -1), document_id"
        self.revenue = rows(
            release,
            "select * from core.fct_company_result where metric = 'revenue' "
            f"and period_type in ('quarter', 'year') and reported_on is not null order by {order}",
        )
        self.counts = rows(
            release,
            "select kpi.*, d.source_quality, d.document_rank from core.fct_kpi as kpi "
            "join core.dim_document as d using (document_id) "
            "where kpi = 'ordinary_shares_outstanding' and kpi.reported_on is not null "
            "order by as_of, kpi.reported_on, d.source_quality = 'official', "
            "coalesce(d.document_rank, -1), document_id",
        )
        self.index = {
            (row["company_key"], row["period_end"]): row["fiscal_quarter_index"]
            for row in rows(release, "select * from core.dim_fiscal_period")
        }
        self.currency = {
            c.company_key: c.reporting_currency for c in load_registry().entries(Company)
        }
        self.report_days = {
            company: sorted({r["reported_on"] for r in self.revenue if r["company_key"] == company})
            for company in self.currency
        }

    def share_count(self, company: str, day: date) -> Row | None:
        known = [r for r in self.counts if r["company_key"] == company and r["reported_on"] <= day]
        return known[-1] if known else None

    def trailing_revenue(self, company: str, day: date) -> tuple[date, str, float, float] | None:
        """End, basis, reporting currency and US dollars of the newest twelve months known."""
        published = self.report_days[company]
        place = bisect_right(published, day)
        return self._trailing(company, published[place - 1]) if place else None

    @cache  # noqa: B019
    def _trailing(self, company: str, day: date) -> tuple[date, str, float, float] | None:
        newest: dict[tuple[str, int], Row] = {}
        for row in self.revenue:
            if row["company_key"] == company and row["reported_on"] <= day:
                index = self.index[company, row["period_end"]]
                newest[row["period_type"], index] = row
        found = []
        for (kind, index), row in newest.items():
            if kind == "year":
                found.append((row["period_end"], "fiscal_year", [row]))
            elif all(("quarter", index - back) in newest for back in range(4)):
                four = [newest["quarter", index - back] for back in range(4)]
                found.append((row["period_end"], "four_quarters", four))
        if not found:
            return None
        end, basis, added = max(found, key=lambda year: (year[0], year[1]))
        currency = self.currency[company]
        return (
            end,
            basis,
            float(sum(row["value_millions"] for row in added)),
            sum(
                float(row["value_millions"])
                / average_units_per_usd(currency, row["period_start"], row["period_end"])
                for row in added
            ),
        )


def new_shares_per_old(company: str, after: date) -> float:
    """By the registry; the test lands no other split."""
    factor = 1.0
    for split in load_registry().entries(ShareSplit):
        if split.company_key == company and split.effective_on > after:
            factor *= split.new_shares_per_old
    return factor


def market_cap(security: Security, price: Row, count: Row | None) -> float | None:
    """In millions of US dollars: price and count both brought to the shares of today."""
    assert security.company_key is not None
    assert security.ordinary_shares_per_unit is not None
    if price["close"] is None or count is None:
        return None
    between = [
        split
        for split in load_registry().entries(ShareSplit)
        if split.company_key == security.company_key
        and count["as_of"] < split.effective_on <= count["reported_on"]
    ]
    rate = last_units_per_usd(price["currency"], price["session_date"])
    if between or rate is None:
        return None
    shares = float(count["value"]) * new_shares_per_old(security.company_key, count["as_of"])
    close = price["close"]
    if security.security_type in ("common", "ordinary"):
        close /= new_shares_per_old(security.company_key, price["split_basis"])
    return float(close * shares / security.ordinary_shares_per_unit / rate)


def every_row_is_as_recomputed(release: duckdb.DuckDBPyConnection) -> int:
    """Compare all rows; returns how many have a price to sales."""
    known = Known(release)
    securities = {s.security_key: s for s in load_registry().entries(Security) if s.company_key}
    prices = [
        row
        for row in rows(
            release, "select * from core.fct_daily_price order by security_key, session_date"
        )
        if row["security_key"] in securities
    ]
    served = rows(
        release, "select * from marts.valuation_daily order by security_key, session_date"
    )
    valued = 0
    for price, row in zip(prices, served, strict=True):
        where = f"{price['security_key']} {price['session_date']}"
        assert (row["security_key"], row["session_date"]) == (
            price["security_key"],
            price["session_date"],
        )
        security = securities[row["security_key"]]
        company, day = str(security.company_key), row["session_date"]
        count = known.share_count(company, day)
        assert row["share_count_as_of"] == (count and count["as_of"]), where
        assert row["share_count_document_id"] == (count and count["document_id"]), where
        cap = market_cap(security, price, count)
        assert (row["market_cap_usd_millions"] is None) == (cap is None), where
        assert (row["market_cap_reason"] is None) == (cap is not None), where
        if cap is not None:
            assert float(row["market_cap_usd_millions"]) == pytest.approx(cap, rel=1e-9), where
            own = last_units_per_usd(known.currency[company], day)
            assert own is not None
            assert float(row["market_cap_millions"]) == pytest.approx(cap * own, rel=1e-9), where
        trailing = known.trailing_revenue(company, day)
        limit = {"four_quarters": 200, "fiscal_year": 490}
        if trailing is not None and (day - trailing[0]).days > limit[trailing[1]]:
            trailing = None
        assert (row["revenue_ttm_usd_millions"] is None) == (trailing is None), where
        assert (row["revenue_ttm_reason"] is None) == (trailing is not None), where
        ratio = None
        if trailing is not None:
            end, basis, own_currency, dollars = trailing
            assert (row["revenue_ttm_period_end"], row["revenue_ttm_basis"]) == (end, basis), where
            assert float(row["revenue_ttm_millions"]) == pytest.approx(own_currency), where
            assert float(row["revenue_ttm_usd_millions"]) == pytest.approx(dollars, rel=1e-8), where
            ratio = cap and cap / dollars
        if ratio is None:
            assert row["price_to_sales"] is None, where
            assert row["reason"] is not None, where
        else:
            assert row["price_to_sales"] == pytest.approx(ratio, rel=1e-6), where
            valued += 1
    return valued


def test_every_row_of_the_baseline_recomputed(release: duckdb.DuckDBPyConnection) -> None:
    assert every_row_is_as_recomputed(release) == 56


def test_every_row_with_real_prices_recomputed(
    with_real_prices: duckdb.DuckDBPyConnection,
) -> None:
    assert every_row_is_as_recomputed(with_real_prices) > 2_500


def test_nothing_is_taken_from_a_later_report(with_real_prices: duckdb.DuckDBPyConnection) -> None:
    assert not rows(
        with_real_prices,
        "select * from marts.valuation_daily where share_count_reported_on > session_date "
        "or share_count_as_of > session_date or revenue_ttm_reported_on > session_date",
    )


def test_adjusted_closes_are_no_market_prices(release: duckdb.DuckDBPyConnection) -> None:
    served = rows(release, "select * from marts.valuation_daily where security_key = '9988.HK'")
    assert served
    assert {row["market_cap_reason"] for row in served} == {"no_close"}


#: Security, session, close, millions of shares, new shares per old after the count's date that the
#: price knows of, shares per unit, quarters as (revenue in millions, yuan per dollar on average).
BY_HAND = (
    ("BABA", "2019-05-15", 177.600006, 2587, 8, 8,
     ((80920, 6.381568), (85148, 6.806637), (117278, 6.917181), (93498, 6.747314))),
    ("BABA", "2019-07-30", 174.100006, 2587, 8, 8,
     ((80920, 6.381568), (85148, 6.806637), (117278, 6.917181), (93498, 6.747314))),
    ("BABA", "2021-02-02", 254.5, 21700, 1, 8,
     ((114314, 6.979646), (153751, 7.089072), (155059, 6.918142), (221084, 6.624092))),
    ("BABA", "2022-10-24", 63.150002, 21200, 1, 8,
     ((200690, 6.469324), (242580, 6.392438), (204052, 6.348622), (205555, 6.616780))),
    ("BABA", "2023-08-09", 94.849998, 20500, 1, 8,
     ((205555, 6.616780), (207176, 6.852655), (247756, 7.115372), (208200, 6.842920))),
    ("BABA", "2023-08-10", 99.209999, 20400, 1, 8,
     ((207176, 6.852655), (247756, 7.115372), (208200, 6.842920), (234156, 7.022021))),
    ("AMZN", "2022-06-03", 122.349998, 508.720, 20, 1,
     ((113080, 1), (110812, 1), (137412, 1), (116444, 1))),
    ("AMZN", "2022-07-29", 134.949997, 10187.557, 1, 1,
     ((110812, 1), (137412, 1), (116444, 1), (121234, 1))),
    ("MSFT", "2023-04-25", 275.420013, 7435.488, 1, 1,
     ((51865, 1), (50122, 1), (52747, 1), (52857, 1))),
    ("NVDA", "2024-05-31", 109.633, 2460, 10, 1,
     ((13507, 1), (18120, 1), (22103, 1), (26044, 1))),
)  # fmt: skip


@pytest.mark.parametrize("figures", BY_HAND, ids=lambda figures: f"{figures[0]} {figures[1]}")
def test_ten_valuations_by_hand(
    with_real_prices: duckdb.DuckDBPyConnection, figures: tuple[Any, ...]
) -> None:
    security, session, close, shares, new_per_old, per_unit, quarters = figures
    (row,) = rows(
        with_real_prices,
        "select * from marts.valuation_daily where security_key = ? and session_date = ?",
        security,
        session,
    )
    cap = close * shares * new_per_old / per_unit
    revenue = sum(value / rate for value, rate in quarters)
    assert float(row["market_cap_usd_millions"]) == pytest.approx(cap, abs=0.01)
    assert float(row["revenue_ttm_millions"]) == sum(value for value, _ in quarters)
    assert float(row["revenue_ttm_usd_millions"]) == pytest.approx(revenue, abs=0.05)
    assert row["price_to_sales"] == pytest.approx(cap / revenue, abs=1e-5)


def test_a_count_in_unknown_splits_is_not_used(
    with_real_prices: duckdb.DuckDBPyConnection,
) -> None:
    """As of 30 June 2019, published on 15 August; the shares were split on 30 July."""
    (row,) = rows(
        with_real_prices,
        "select * from marts.valuation_daily where security_key = 'BABA' "
        "and session_date = '2019-08-15'",
    )
    assert row["share_count_as_of"] == date(2019, 6, 30)
    assert row["market_cap_usd_millions"] is None
    assert row["market_cap_reason"] == row["reason"] == "share_count_in_unknown_splits"
