"""The notebooks run top to bottom on the published release, and say what the release says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date

import duckdb
import numpy as np
import pytest

from orchestration.home import Home
from tests.notebooks import FOLDER, NAMES, Executed, execute, says_period_and_source

ASKED = {
    "first_look": """{
        "release": release.release_id,
        "revenue": newest.cloud_revenue_millions,
        "period_end": newest.period_end.date(),
        "cash": cash.groupby("flow").sum_billions.last().to_dict(),
        "verdicts": claims.verdict.value_counts().to_dict(),
        "document": figure.document_id[0],
    }""",
    "cloud_race": """{
        "quarter": quarter,
        "growth": of_quarter.set_index("company_key").revenue_yoy_percent.dropna().to_dict(),
        "shared": sorted(shared.company_key.unique()),
        "traced": traced.set_index(["company_key", "period_end"]).value_millions.tolist(),
    }""",
    "restatements": """{
        "largest": largest.segment_key,
        "known": known.value_millions.tolist(),
        "moved": {str(row.day.date()): int(row.moved_since) for row in ahead.itertuples()},
    }""",
    "event_study": """{
        "events": len(events),
        "measured": len(measured),
        "lacking": lacking,
        "months": len(monthly),
        "beta": beta,
    }""",
}


@pytest.fixture(scope="module")
def executed(published: Home) -> dict[str, Executed]:
    return {name: execute(name, published, ASKED[name]) for name in NAMES}


def one(release: duckdb.DuckDBPyConnection, sql: str, *values: object) -> tuple[object, ...]:
    (row,) = release.execute(sql, values).fetchall()
    return row


def test_the_four_are_there_and_take_less_than_a_minute(executed: dict[str, Executed]) -> None:
    assert NAMES == ["cloud_race", "event_study", "first_look", "restatements"]
    assert sum(notebook.seconds for notebook in executed.values()) < 60


def test_every_chart_says_its_period_and_source_and_no_code_complains(
    executed: dict[str, Executed],
) -> None:
    charts = {name: len(notebook.charts) for name, notebook in executed.items()}
    # Without daily prices the chart of abnormal returns is a sentence.
    assert charts == {"cloud_race": 3, "event_study": 1, "first_look": 2, "restatements": 3}
    for name, notebook in executed.items():
        assert [chart for chart in notebook.charts if not says_period_and_source(chart)] == []
        unit = re.compile(r"\b(percent|CNY billion|USD billion|count)\b")
        assert [chart for chart in notebook.charts if not unit.search(chart)] == []
        assert notebook.complaints == [], name


def test_first_look_shows_the_release(
    executed: dict[str, Executed], release: duckdb.DuckDBPyConnection
) -> None:
    said = executed["first_look"].values
    assert [said["release"]] == list(one(release, "select release_id from ops.release"))
    revenue, document = one(
        release,
        """
        select facts.value_millions, facts.document_id
        from core.fct_segment_result as facts
        inner join core.dim_comparison_segment as compared using (segment_key)
        where compared.comparison = 'cloud' and facts.company_key = 'alibaba'
            and metric = 'revenue' and period_type = 'quarter'
            and column_role = 'current' and is_latest
        order by period_end desc limit 1
        """,
    )
    assert said["revenue"] == float(str(revenue)) == 48437
    assert said["document"] == document == "alibaba.results.2026-06-30"
    assert f"CNY {said['revenue']:,.0f} million" in executed["first_look"].text
    for metric, flow in (
        ("operating_cash_flow", "operating cash flow"),
        ("capital_expenditure", "capital expenditure"),
    ):
        (four,) = one(
            release,
            """
            select sum(value_millions) / 1000 from (
                from core.fct_company_result
                where company_key = 'alibaba' and metric = $1 and is_latest
                    and period_type = 'quarter'
                order by period_end desc limit 4
            )
            """,
            metric,
        )
        assert said["cash"][flow] == pytest.approx(float(str(four)))
    verdicts = release.execute(
        "select verdict, count(*) from marts.thesis_scorecard group by all"
    ).fetchall()
    assert said["verdicts"] == dict(verdicts)


def test_cloud_race_computes_from_what_is_printed(executed: dict[str, Executed]) -> None:
    said = executed["cloud_race"].values
    assert said["quarter"] == "2025-Q4"
    # 35,579 / 28,786 and 17,664 / 11,955: AWS and Google Cloud as their reports print them.
    assert said["growth"]["amazon"] == pytest.approx(100 * (35579 / 28786 - 1))
    assert said["growth"]["alphabet"] == pytest.approx(100 * (17664 / 11955 - 1))
    assert {35579, 28786, 17664, 11955} <= set(said["traced"])
    assert said["shared"] == ["alibaba", "alphabet", "amazon", "microsoft"]


def test_restatements_know_only_what_had_been_printed(
    executed: dict[str, Executed], release: duckdb.DuckDBPyConnection
) -> None:
    said = executed["restatements"].values
    assert said["largest"] == "alibaba.business_groups.cloud_intelligence_group"
    # Its adjusted EBITA of June 2023: not known, then as first printed, then as restated.
    assert said["known"] == [pytest.approx(float("nan"), nan_ok=True), 387, 387, 916]
    prints = release.execute(
        """
        select segment_key, metric, period_end, reported_on, value_millions
        from core.fct_segment_result
        where company_key = 'alibaba' and breakdown = 'segment' and period_type = 'quarter'
            and reported_on is not null
        order by reported_on
        """
    ).fetchall()
    assert len(said["moved"]) == 41
    for day, moved in said["moved"].items():
        then = {row[:3]: row[4] for row in prints if row[3] <= date.fromisoformat(day)}
        now = {row[:3]: row[4] for row in prints}
        assert moved == sum(now[key] != value for key, value in then.items()), day
    assert max(said["moved"].values()) > 10


def test_event_study_measures_nothing_on_month_ends_and_says_so(
    executed: dict[str, Executed], release: duckdb.DuckDBPyConnection
) -> None:
    notebook = executed["event_study"]
    assert notebook.values["measured"] == 0
    assert notebook.values["lacking"] == ["9988.HK", "BABA", "SPY", "^HSI"]
    assert "Daily prices are missing of 9988.HK, BABA, SPY, ^HSI" in notebook.text
    assert "no event is measured in this release" in notebook.text
    (events,) = one(
        release,
        "select count(*) from core.fct_event where category in ('export_control', 'regulation') "
        "and list_contains(string_split(company_keys, '|'), 'alibaba')",
    )
    assert notebook.values["events"] == events
    levels = release.execute(
        """
        select share.total_return_index, market.price_return_index
        from marts.security_performance as share
        inner join marts.security_performance as market
            on last_day(share.session_date) = last_day(market.session_date)
        where share.security_key = 'BABA' and market.security_key = '^HSI'
        order by share.session_date
        """
    ).fetchall()
    returns = np.diff(np.log(np.array(levels, dtype=float)), axis=0)
    slope, _ = np.polyfit(np.expm1(returns[:, 1]), np.expm1(returns[:, 0]), 1)
    assert notebook.values["months"] == len(returns)
    assert notebook.values["beta"] == pytest.approx(slope, rel=1e-6)


def test_git_holds_no_outputs() -> None:
    paths = [FOLDER / f"{name}.ipynb" for name in NAMES]
    for path in paths:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code
        assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    verified = subprocess.run(
        [sys.executable, "-m", "nbstripout", "--verify", *map(str, paths)], check=False
    )
    assert verified.returncode == 0, "run .venv/bin/nbstripout notebooks/*.ipynb"
