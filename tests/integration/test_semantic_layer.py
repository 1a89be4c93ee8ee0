"""The metrics, asked with MetricFlow as a BI tool would, against the marts and the documents."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.home import Home
from orchestration.transform import dbt

QUARTER = "metric_time__quarter"
#: A sum in dollars is rounded to six places; ratios of such sums are not exact.
CLOSE = {"rel": 1e-6, "abs": 1e-6}

Answer = dict[tuple[Any, ...], dict[str, float | None]]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def ask(published: Home, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask for metrics by quarter and by what is named; gives rows by calendar quarter and names."""
    folder = tmp_path_factory.mktemp("answers")

    def query(metrics: list[str], *by: str, where: str = "", quarter: str = QUARTER) -> Answer:
        answer = folder / f"{len(list(folder.iterdir()))}.csv"
        arguments = [
            "query",
            "--metrics",
            ",".join(metrics),
            "--group-by",
            ",".join((quarter, *by)),
        ]
        arguments += ["--csv", str(answer), "--decimals", "12"]
        _metrics(published, *arguments, *(["--where", where] if where else []))
        with answer.open() as stream:
            rows = list(csv.DictReader(stream))
        keyed = {
            (_calendar_quarter(row[quarter]), *(row[name] or None for name in by)): {
                metric: float(row[metric]) if row[metric] else None for metric in metrics
            }
            for row in rows
        }
        assert len(keyed) == len(rows)
        return keyed

    return query


@pytest.fixture(scope="module")
def companies(ask: Ask) -> Answer:
    metrics = ["revenue", "revenue_reporting_currency", "revenue_growth", "capital_expenditure"]
    return ask(
        [*metrics, "capex_intensity", "cloud_revenue", "cloud_margin", "buyback_yield"], "company"
    )


@pytest.fixture(scope="module")
def segments(ask: Ask) -> Answer:
    metrics = ["segment_revenue", "segment_revenue_reporting_currency", "segment_revenue_growth"]
    return ask([*metrics, "share_of_group", "segment_margin"], "company", "segment")


@pytest.fixture(scope="module")
def business_lines(ask: Ask) -> Answer:
    metrics = ["business_line_revenue", "business_line_revenue_growth"]
    return ask(
        [*metrics, "business_line_share_of_group", "business_line_margin"],
        "company",
        "business_line",
    )


@pytest.fixture(scope="module")
def drawdowns(ask: Ask) -> Answer:
    return ask(["drawdown", "deepest_drawdown"], "security")


def test_companies_equal_the_mart(companies: Answer, release: duckdb.DuckDBPyConnection) -> None:
    _assert_equal(
        companies,
        release,
        """
        select
            calendar_quarter, company_key, revenue_usd_millions, revenue_millions,
            revenue_yoy_percent, capital_expenditure_usd_millions, capital_intensity_percent,
            cloud_revenue_usd_millions, cloud_margin_percent, buyback_yield_percent
        from marts.company_quarterly
        """,
    )


def test_alibaba_equals_its_own_mart(companies: Answer, release: duckdb.DuckDBPyConnection) -> None:
    names = ["revenue", "revenue_growth", "capex_intensity", "cloud_revenue", "cloud_margin"]
    alibaba = {
        key: {name: values[name] for name in names}
        for key, values in companies.items()
        if key[1] == "alibaba"
    }
    _assert_equal(
        alibaba,
        release,
        """
        select
            calendar_quarter, 'alibaba', revenue_usd_millions, revenue_yoy_percent,
            capital_intensity_percent, cloud_revenue_usd_millions, cloud_margin_percent
        from marts.alibaba_quarterly
        """,
    )


def test_clouds_equal_the_mart_of_the_peers(
    companies: Answer, release: duckdb.DuckDBPyConnection
) -> None:
    names = ["cloud_revenue", "cloud_margin"]
    clouds = {
        key: {name: values[name] for name in names}
        for key, values in companies.items()
        if values["cloud_revenue"] is not None
    }
    _assert_equal(
        clouds,
        release,
        """
        select calendar_quarter, company_key, revenue_usd_millions, margin_percent
        from marts.cloud_peers_quarterly
        """,
    )


def test_segments_equal_the_mart(segments: Answer, release: duckdb.DuckDBPyConnection) -> None:
    _assert_equal(
        {key: values for key, values in segments.items() if any(values.values())},
        release,
        """
        select
            calendar_quarter, company_key, segment_key, revenue_usd_millions, revenue_millions,
            revenue_yoy_percent, share_of_company_revenue_percent, margin_percent
        from marts.segment_quarterly
        where is_reporting_structure and revenue_usd_millions <> 0
        """,
    )


def test_business_lines_equal_the_mart(
    business_lines: Answer, release: duckdb.DuckDBPyConnection
) -> None:
    _assert_equal(
        business_lines,
        release,
        """
        select
            calendar_quarter, company_key, business_line, revenue_usd_millions,
            revenue_yoy_percent, share_of_company_revenue_percent, margin_percent
        from marts.business_line_quarterly
        """,
    )


def test_drawdown_equals_the_mart(drawdowns: Answer, release: duckdb.DuckDBPyConnection) -> None:
    _assert_equal(
        drawdowns,
        release,
        """
        select
            year(session_date) || '-Q' || quarter(session_date), security_key,
            arg_max_null(drawdown_from_peak_percent, session_date),
            min(drawdown_from_peak_percent)
        from marts.security_performance
        group by all
        """,
    )


@pytest.mark.parametrize(
    ("metric", "key", "by_hand"),
    [
        # Alibaba, June quarter 2025, its release of 29 August 2025: RMB 247,652 million after
        # 243,236; capital expenditure 38,676; cloud 33,398 after 26,549, adjusted EBITA 2,954.
        ("revenue_reporting_currency", ("2025-Q2", "alibaba"), 247_652),
        ("revenue_growth", ("2025-Q2", "alibaba"), 100 * (247_652 / 243_236 - 1)),
        ("capex_intensity", ("2025-Q2", "alibaba"), 100 * 38_676 / 247_652),
        ("cloud_margin", ("2025-Q2", "alibaba"), 100 * 2_954 / 33_398),
        (
            "share_of_group",
            ("2025-Q2", "alibaba", "alibaba.china_e_commerce.cloud_intelligence_group"),
            100 * 33_398 / 247_652,
        ),
        (
            "segment_revenue_growth",
            ("2025-Q2", "alibaba", "alibaba.china_e_commerce.cloud_intelligence_group"),
            100 * (33_398 / 26_549 - 1),
        ),
        # US$ 4.8, 5.8, 4.1 and 1.3 billion; 18,620 million shares in the release that was out by
        # then, of the September quarter, 8 to an ADS at US$ 84.79.
        (
            "buyback_yield",
            ("2024-Q4", "alibaba"),
            100 * (4_800 + 5_800 + 4_100 + 1_300) / (18_620 / 8 * 84.79),
        ),
        # Month-end closes of BABA: US$ 304.69 in October 2020, 88.09 in December 2022; the first
        # dividend came a year later.
        ("drawdown", ("2022-Q4", "BABA"), 100 * (88.09 / 304.69 - 1)),
        # Alphabet, June quarter 2025: US$ 96,428 million, capital expenditure 22,446.
        ("capex_intensity", ("2025-Q2", "alphabet"), 100 * 22_446 / 96_428),
        # Amazon, June quarter 2025: US$ 167,702 million, AWS 30,873 after 26,281.
        ("revenue", ("2025-Q2", "amazon"), 167_702),
        ("business_line_share_of_group", ("2025-Q2", "amazon", "cloud"), 100 * 30_873 / 167_702),
        (
            "business_line_revenue_growth",
            ("2025-Q2", "amazon", "cloud"),
            100 * (30_873 / 26_281 - 1),
        ),
        # PDD, June quarter 2025: RMB 103,984.8 million after 97,059.5.
        ("revenue_growth", ("2025-Q2", "pdd"), 100 * (103_984.8 / 97_059.5 - 1)),
    ],
)
def test_metrics_by_hand(
    metric: str,
    key: tuple[str, ...],
    by_hand: float,
    companies: Answer,
    segments: Answer,
    business_lines: Answer,
    drawdowns: Answer,
) -> None:
    rows = [
        answer[key][metric]
        for answer in (companies, segments, business_lines, drawdowns)
        if key in answer and metric in answer[key]
    ]
    assert rows == [pytest.approx(by_hand, **CLOSE)]


def test_a_sum_that_would_count_twice_is_null(ask: Ask, release: duckdb.DuckDBPyConnection) -> None:
    answer = ask(["segment_revenue", "share_of_group"], "company")
    breakdowns = release.execute(
        """
        select calendar_quarter, company_key, count(distinct breakdown), sum(revenue_usd_millions)
        from marts.segment_quarterly
        where is_reporting_structure
        group by all
        """
    ).fetchall()
    assert {count for _, _, count, _ in breakdowns} >= {1, 2}
    for quarter, company, count, total in breakdowns:
        revenue = answer[quarter, company]["segment_revenue"]
        expected = None if count > 1 or total is None else pytest.approx(float(total), **CLOSE)
        assert revenue == expected, (quarter, company)


def test_a_buyback_yield_is_null_where_a_part_is_missing(companies: Answer) -> None:
    # No price of December 2025; no repurchases were stated for June 2021.
    assert companies["2025-Q4", "alibaba"]["buyback_yield"] is None
    assert companies["2021-Q4", "alibaba"]["buyback_yield"] is None
    assert companies["2024-Q4", "amazon"]["buyback_yield"] is None


def test_growth_over_several_companies_is_at_one_rate(ask: Ask, companies: Answer) -> None:
    where = "{{ Entity('company') }} in ('alibaba', 'pdd')"
    answer = ask(["revenue", "revenue_growth"], where=where)["2025-Q2",]
    two = [companies["2025-Q2", name] for name in ("alibaba", "pdd")]
    assert answer["revenue"] == pytest.approx(sum(row["revenue"] or 0 for row in two), **CLOSE)
    # Both report in RMB, so that the rate cancels out.
    by_hand = 100 * ((247_652 + 103_984.8) / (243_236 + 97_059.5) - 1)
    assert answer["revenue_growth"] == pytest.approx(by_hand, **CLOSE)


def test_the_release_is_only_read(published: Home) -> None:
    database = published.current / "warehouse.duckdb"
    before = database.stat().st_mtime_ns
    _metrics(published, "validate-configs")
    assert database.stat().st_mtime_ns == before
    assert not database.with_suffix(".duckdb.wal").exists()


def test_a_metric_that_is_not_there_is_said_so(published: Home) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _metrics(published, "query", "--metrics", "nonsense")
    assert "known metrics" in failed.value.stdout


def test_without_a_release_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _metrics(Home(tmp_path), "list", "metrics")
    assert failed.value.returncode == 2
    assert "no release" in failed.value.stderr


def test_every_metric_is_described_once() -> None:
    manifest = json.loads(dbt.ensure_parsed().read_text())
    metrics = list(manifest["metrics"].values())
    names = [metric["name"] for metric in metrics]
    assert len(names) == len(set(names))
    assert [m["name"] for m in metrics if not (m["description"] and m["label"])] == []
    asked_for = {"revenue", "revenue_growth", "share_of_group", "cloud_margin", "capex_intensity"}
    assert asked_for | {"buyback_yield", "drawdown"} <= set(names)
    used = {part["name"] for m in metrics for part in m["type_params"]["metrics"] or ()}
    parts = {m["name"] for m in metrics if m["description"].startswith(("Part of", "Guard,"))}
    assert parts <= used


def _metrics(home: Home, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "metrics", *arguments],
        env=os.environ | {"WAREHOUSE_HOME": str(home.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    done.check_returncode()
    return done.stdout


def _calendar_quarter(day: str) -> str:
    first = date.fromisoformat(day[:10])
    return f"{first.year}-Q{(first.month + 2) // 3}"


def _assert_equal(answer: Answer, release: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Each row of the mart, its keys first, is a row of the answer, and there are no others."""
    keys = len(next(iter(answer)))
    rows = {tuple(row[:keys]): row[keys:] for row in release.execute(sql).fetchall()}
    assert answer.keys() == rows.keys()
    wrong = [
        (key, metric, got, cell)
        for key, values in answer.items()
        for (metric, got), cell in zip(values.items(), rows[key], strict=True)
        if got != (None if cell is None else pytest.approx(float(cell), **CLOSE))
    ]
    assert wrong == []
