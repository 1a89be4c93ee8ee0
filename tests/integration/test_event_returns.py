"""Event returns, against a plain regression and against figures worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from orchestration import calendars
from orchestration.home import Home
from orchestration.registry import load_registry
from orchestration.registry.entries import Exchange, Security
from tests.notebooks import execute, says_period_and_source

WINDOWS = {"m1_to_p1": (-1, 1), "p0_to_p5": (0, 5), "p0_to_p20": (0, 20)}
ESTIMATION = (-129, -10)


def row_of(release: duckdb.DuckDBPyConnection, event: str, security: str) -> dict[str, Any]:
    cursor = release.execute(
        "select * from marts.event_returns where event_id = ? and security_key = ?",
        [event, security],
    )
    names = [column[0] for column in cursor.description]
    (row,) = cursor.fetchall()
    return dict(zip(names, row, strict=True))


def test_the_baseline_has_no_daily_prices_and_says_so(release: duckdb.DuckDBPyConnection) -> None:
    reasons = dict(
        release.execute("select reason, count(*) from marts.event_returns group by all").fetchall()
    )
    assert set(reasons) == {"no_daily_prices", "month_only_event"}
    figures = release.execute(
        "select count(*) from marts.event_returns where coalesce(beta, "
        "return_p0_to_p5_percent, abnormal_return_m1_to_p1_percent) is not null"
    ).fetchone()
    assert figures == (0,)


def test_every_event_is_there_for_every_security_of_its_companies(
    release: duckdb.DuckDBPyConnection,
) -> None:
    securities: dict[str, list[str]] = {}
    for security in load_registry().entries(Security):
        if security.company_key:
            securities.setdefault(security.company_key, []).append(security.security_key)
    expected = {
        (event, security)
        for event, companies in release.execute(
            "select event_id, coalesce(company_keys, 'alibaba') from core.fct_event"
        ).fetchall()
        for company in companies.split("|")
        for security in securities[company]
    }
    served = release.execute("select event_id, security_key from marts.event_returns").fetchall()
    assert sorted(served) == sorted(expected)


# A plain model: one event after the other, by numpy.


def session_returns(prices: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.Series[float]:
    """Return of each session over the session before, adjusted closes of one collection first."""
    daily = prices[prices["observation_frequency"] == "daily"].set_index("session_date")
    daily = daily.reindex(sessions)
    same = daily["split_basis"] == daily["split_basis"].shift()
    adjusted = (daily["adj_close"] / daily["adj_close"].shift() - 1).where(same)
    return adjusted.fillna(daily["daily_return"])


def study(own: pd.Series[float], market: pd.Series[float], zero: int) -> dict[str, Any]:
    """Fit the market model before place ``zero`` and measure the windows around it."""

    def of(series: pd.Series[float], first: int, last: int) -> np.ndarray[Any, Any]:
        return series.iloc[zero + first : zero + last + 1].to_numpy(dtype=float)

    y, x = of(own, *ESTIMATION), of(market, *ESTIMATION)
    both = ~np.isnan(y) & ~np.isnan(x)
    found: dict[str, Any] = {"estimation_sessions": int(both.sum())}
    for name, window in WINDOWS.items():
        returns = of(own, *window)
        if not np.isnan(returns).any():
            found[f"return_{name}_percent"] = 100 * (np.prod(1 + returns) - 1)
    if both.sum() < 100:
        return found
    design = np.column_stack([np.ones(both.sum()), x[both]])
    coefficients, squares, _, _ = np.linalg.lstsq(design, y[both], rcond=None)
    variance = squares[0] / (both.sum() - 2)
    found |= {
        "alpha_percent_per_session": 100 * coefficients[0],
        "beta": coefficients[1],
        "r_squared": np.corrcoef(x[both], y[both])[0, 1] ** 2,
        "residual_standard_deviation_percent": 100 * np.sqrt(variance),
    }
    for name, window in WINDOWS.items():
        y, x = of(own, *window), of(market, *window)
        if np.isnan(y).any() or np.isnan(x).any():
            continue
        inside = np.column_stack([np.ones(len(x)), x])
        # Errors of prediction of each session, with their covariance.
        covariance = variance * (
            np.eye(len(x)) + inside @ np.linalg.inv(design.T @ design) @ inside.T
        )
        abnormal, error = (y - inside @ coefficients).sum(), np.sqrt(covariance.sum())
        found |= {
            f"market_return_{name}_percent": 100 * (np.prod(1 + x) - 1),
            f"abnormal_return_{name}_percent": 100 * abnormal,
            f"standard_error_{name}_percent": 100 * error,
            f"t_statistic_{name}": abnormal / error,
        }
    return found


FIGURES = (
    "alpha_percent_per_session", "beta", "r_squared", "residual_standard_deviation_percent",
    *(f"{figure}_{name}{unit}" for name in WINDOWS for figure, unit in (
        ("return", "_percent"), ("abnormal_return", "_percent"), ("standard_error", "_percent"),
        ("t_statistic", ""),
    )),
)  # fmt: skip


def test_every_row_recomputed(with_real_prices: duckdb.DuckDBPyConnection) -> None:
    registry = load_registry()
    exchanges = {e.exchange_mic: e for e in registry.entries(Exchange)}
    securities = {s.security_key: s for s in registry.entries(Security)}
    prices = with_real_prices.execute("select * from core.fct_daily_price").df()
    returns = {
        str(security): session_returns(
            of_security, calendars.sessions(registry, securities[str(security)].exchange_mic)
        )
        for security, of_security in prices.groupby("security_key")
    }
    served = with_real_prices.execute("select * from marts.event_returns").df()
    studied = 0
    for row in served.to_dict("records"):
        security = securities[row["security_key"]]
        own = returns.get(security.security_key)
        expected: dict[str, Any] = {}
        if row["date_precision"] == "day" and own is not None and own.notna().any():
            market = returns[exchanges[security.exchange_mic].market_benchmark]
            zero = int(own.index.searchsorted(pd.Timestamp(row["event_date"])))
            assert row["event_session"] == own.index[zero]
            expected = study(own, market, zero)
        where = f"{row['event_id']} {row['security_key']}"
        for name in FIGURES:
            value = expected.get(name)
            if value is None:
                assert pd.isna(row[name]), f"{where} {name}"
            else:
                assert row[name] == pytest.approx(value, rel=1e-7, abs=6e-7), f"{where} {name}"
        assert pd.isna(row["reason"]) == ("beta" in expected), where
        for name in WINDOWS:
            is_there = f"abnormal_return_{name}_percent" in expected
            assert pd.isna(row[f"reason_{name}"]) == is_there, where
        studied += "beta" in expected
    assert studied > 90


#: Event of Alibaba; closes of its ADS and of the market in the sessions -2, -1, 0 and +1; alpha in
#: percent and beta by numpy.polyfit over the 120 sessions.
BY_HAND = (
    ("2019-11-26.listing", (186.779999, 190.449997, 194.699997, 200.820007),
     (105.848683, 107.034011, 107.062567, 107.724541), 0.145911, 1.504754),
    ("2020-05-22.results", (216.789993, 212.160004, 199.699997, 201.720001),
     (90.900353, 90.838296, 91.201759, 93.656301), 0.174718, 0.591772),
    ("2020-11-03.regulatory", (304.690002, 310.839996, 285.570007, 295.709991),
     (97.316033, 98.709430, 100.750800, 100.517211), 0.305397, 0.560682),
    ("2020-12-24.regulatory", (255.830002, 256.179993, 222.0, 222.360001),
     (119.471741, 120.615595, 120.394801, 120.219770), 0.137418, 0.270692),
    ("2021-04-10.regulatory", (228.240005, 223.309998, 244.009995, 241.889999),
     (136.521327, 135.935459, 134.305728, 134.148660), -0.254750, 0.365424),
    ("2021-11-18.results", (168.429993, 161.580002, 143.600006, 140.339996),
     (137.260236, 135.706998, 134.022382, 133.009123), -0.211049, 1.149090),
    ("2022-05-26.results", (82.470001, 82.309998, 94.480003, 93.410004),
     (96.616036, 98.016571, 100.106890, 102.383625), 0.160959, 1.847740),
    ("2023-03-28.restructuring", (86.900002, 86.120003, 98.400002, 99.919998),
     (88.451923, 89.040843, 88.985204, 90.063553), 0.078685, 1.343349),
    ("2023-11-16.results", (83.870003, 87.070000, 79.110001, 77.599998),
     (82.336481, 82.792597, 81.883696, 82.704005), 0.098543, 1.366771),
    ("2024-02-07.results", (74.629997, 78.230003, 73.639999, 70.779999),
     (86.112998, 86.925193, 86.508242, 87.211622), -0.113973, 0.769369),
)  # fmt: skip


@pytest.mark.parametrize("figures", BY_HAND, ids=lambda figures: figures[0])
def test_ten_events_by_hand(
    with_real_prices: duckdb.DuckDBPyConnection, figures: tuple[Any, ...]
) -> None:
    """No dividend of Alibaba went ex in these windows: the closes alone give the returns."""
    event, closes, levels, alpha, beta = figures
    row = row_of(with_real_prices, event, "BABA")
    own = [100 * (now / before - 1) for before, now in pairwise(closes)]
    market = [100 * (now / before - 1) for before, now in pairwise(levels)]
    abnormal = sum(own) - 3 * alpha - beta * sum(market)
    assert row["return_m1_to_p1_percent"] == pytest.approx(
        100 * (closes[-1] / closes[0] - 1), abs=2e-5
    )
    assert row["alpha_percent_per_session"] == pytest.approx(alpha, abs=1e-6)
    assert row["beta"] == pytest.approx(beta, abs=1e-6)
    assert row["abnormal_return_m1_to_p1_percent"] == pytest.approx(abnormal, abs=5e-5)


def test_the_error_of_one_event_by_hand(with_real_prices: duckdb.DuckDBPyConnection) -> None:
    """The antitrust inquiry of 24 December 2020, from the sums over its 120 sessions.

    Sums of market x and share y: x 0.19139769, y 0.21671104, xx 0.01580973, xy 0.00454258,
    yy 0.07505698. Sxx = 0.01550446, Sxy = 0.00419693, Syy = 0.07466561; beta = 0.27069212;
    residual variance (Syy - Sxy^2 / Sxx) / 118 = 0.00062313 = 2.49626%^2. The market's three
    sessions sum to 0.62899%, 0.15050% above three means: variance of the window
    0.00062313 * (3 + 9/120 + 0.0015050^2 / 0.01550446) = 4.37747%^2; t = -13.62573 / 4.37747.
    """
    row = row_of(with_real_prices, "2020-12-24.regulatory", "BABA")
    assert row["residual_standard_deviation_percent"] == pytest.approx(2.49626, abs=5e-5)
    assert row["standard_error_m1_to_p1_percent"] == pytest.approx(4.37747, abs=5e-5)
    assert row["t_statistic_m1_to_p1"] == pytest.approx(-13.62573 / 4.37747, abs=5e-5)


def test_the_notebook_draws_what_is_measured(
    home_with_real_prices: Home, with_real_prices: duckdb.DuckDBPyConnection
) -> None:
    notebook = execute(
        "event_study",
        home_with_real_prices,
        """{
            "drawn": long[["event_id", "security_key", "abnormal_return"]].values.tolist(),
            "mean": mean.set_index(["security_key", "category", "window"]).loc[
                ("BABA", "regulation", "sessions -1 to +1"), ["events", "mean_percent", "t"]
            ].tolist(),
        }""",
    )
    measured = with_real_prices.execute(
        """
        unpivot (
            from marts.event_returns
            where company_key = 'alibaba' and category in ('export_control', 'regulation')
        )
        on columns('^abnormal_return_.*_percent$')
        """
    ).df()
    expected = measured[["event_id", "security_key", "value"]].values.tolist()
    assert len(expected) > 20
    assert sorted(notebook.values["drawn"]) == sorted(expected)
    rows = with_real_prices.execute(
        """
        select abnormal_return_m1_to_p1_percent, standard_error_m1_to_p1_percent
        from marts.event_returns
        where security_key = 'BABA' and category = 'regulation' and reason_m1_to_p1 is null
        """
    ).fetchall()
    returns, errors = np.array(rows, dtype=float).T
    assert notebook.values["mean"] == pytest.approx(
        [len(rows), returns.mean(), returns.mean() / np.sqrt((errors**2).sum()) * len(rows)]
    )
    # The abnormal returns, a panel for each security, and the months.
    assert len(notebook.charts) == 2
    assert all(says_period_and_source(chart) for chart in notebook.charts)
    assert "BABA: abnormal return around the event, percent" in notebook.charts[0]
    assert notebook.complaints == []
