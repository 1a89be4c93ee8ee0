"""Macroeconomic series by month: where their growth comes from."""

from __future__ import annotations

import csv
from importlib.resources import files

import duckdb
import pytest


def by_month(release: duckdb.DuckDBPyConnection, series: str, column: str) -> dict[str, float]:
    assert column in {"value", "yoy_percent"}
    return {
        str(month): number
        for month, number in release.execute(
            f"select month, {column} from marts.macro_monthly where series_id = ?", [series]
        ).fetchall()
    }


def baseline(series: str) -> dict[str, float]:
    path = files("orchestration") / "baseline" / "macro_observation.csv"
    with path.open(encoding="utf-8") as file:
        return {
            f"{row['observation_date'][:7]}-01": float(row["value"])
            for row in csv.DictReader(file)
            if row["series_id"] == series
        }


def test_growth_of_retail_sales_is_the_official_one(release: duckdb.DuckDBPyConnection) -> None:
    growth = by_month(release, "CN_RETAIL_SALES", "yoy_percent")
    # April 2025: the statistics bureau states 5.1%. Its levels of 37,174.0 and 35,699.1 would make
    # it 4.13%, because the year before was revised and never restated.
    assert growth["2025-04-01"] == 5.1
    level = by_month(release, "CN_RETAIL_SALES", "value")
    computed = 100 * (level["2025-04-01"] / level["2024-04-01"] - 1)
    assert computed == pytest.approx(4.13, abs=0.005)
    assert len(growth) == 122
    assert growth == baseline("CN_RETAIL_SALES_YOY")


def test_nominal_gdp_takes_the_official_real_growth(release: duckdb.DuckDBPyConnection) -> None:
    assert by_month(release, "CN_GDP_YTD", "yoy_percent") == baseline("CN_GDP_YTD_YOY")
    assert by_month(release, "CN_GDP_YTD", "yoy_percent")["2025-03-01"] == 5.4


@pytest.mark.parametrize("series", ["CN_CPI_YOY", "CN_PPI_YOY", "CN_RETAIL_SALES_YOY"])
def test_a_growth_rate_is_not_grown_again(release: duckdb.DuckDBPyConnection, series: str) -> None:
    assert by_month(release, series, "yoy_percent") == by_month(release, series, "value")


@pytest.mark.parametrize("series", ["DGS10", "DGS2", "CN_PMI_MANUFACTURING", "CN_RETAIL_SALES_YTD"])
def test_series_without_growth(release: duckdb.DuckDBPyConnection, series: str) -> None:
    growth = by_month(release, series, "yoy_percent")
    assert growth
    assert set(growth.values()) == {None}


def test_every_observed_month_is_served_once(release: duckdb.DuckDBPyConnection) -> None:
    for (series,) in release.execute("select series_id from core.dim_macro_series").fetchall():
        assert by_month(release, series, "value") == baseline(series)


def test_every_landing_dataset_has_an_age(release: duckdb.DuckDBPyConnection) -> None:
    served = release.execute(
        "select dataset, newest_observation, age_days, status from ops.freshness"
    ).fetchall()
    assert len(served) == 9
    for dataset, newest, age_days, status in served:
        assert newest is not None, dataset
        assert age_days >= 0, dataset
        assert status in {"fresh", "warn", "error"}, dataset
