"""The scorecard: what each claim observes, by hand; what turns its verdict; what is missing."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.home import Home
from orchestration.registry import load_registry
from orchestration.registry.entries import Claim
from orchestration.transform import dbt
from tests.conftest import warehouse

README = Path(__file__).parents[2] / "README.md"
Row = dict[str, Any]

VERDICTS = {
    "cloud_growth_double_digit": "supported",
    "cloud_growth_accelerates": "supported",
    "ai_revenue_triple_digit": "supported",
    "cloud_share_of_group_rises": "supported",
    "cloud_outgrows_amazon": "supported",
    "cloud_outgrows_alphabet": "mixed",
    "cloud_outgrows_microsoft": "supported",
    "cloud_outgrows_baidu": "mixed",
    "commerce_share_stable": "mixed",
    "cloud_margin_holds": "supported",
    "capex_rises": "supported",
    "capex_funded_by_operations": "contradicted",
    "buybacks_shrink_share_count": "supported",
    "outperforms_kweb_since_trough": "supported",
    "outperforms_hang_seng_since_trough": "supported",
    "share_recovered_2020_peak": "contradicted",
    "export_controls_cost_return": "not_measurable",
    "six_groups_replaced": "supported",
    "qwen_ecosystem": "supported",
    "ai_copilots_reported": "not_measurable",
    "t_head_chips_reported": "not_measurable",
    "less_a_retailer_revenue": "mixed",
    "less_a_retailer_profit": "contradicted",
    "retail_sales_backdrop": "mixed",
}


def scorecard(connection: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    cursor = connection.execute("from marts.thesis_scorecard")
    names = [column[0] for column in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row["claim_id"]: row for row in found}


@pytest.fixture(scope="module")
def case(release: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    return scorecard(release)


def test_every_claim_of_the_registry_is_judged(case: dict[str, Row]) -> None:
    claims = {claim.claim_id: claim for claim in load_registry().entries(Claim)}
    assert case.keys() == claims.keys() == VERDICTS.keys()
    for claim_id, row in case.items():
        claim = claims[claim_id]
        assert (row["statement"], row["metric"], row["rule"], row["threshold"]) == (
            claim.statement,
            claim.metric,
            claim.rule,
            claim.threshold,
        )
        assert (row["unit"], row["period"]) == (claim.unit, claim.period)
        if claim.second_metric and row["verdict"] != "not_measurable":
            assert f"{claim.second_metric}: " in row["note"]  # there is a figure by that name


def test_verdicts_on_the_baseline(case: dict[str, Row]) -> None:
    assert {claim_id: row["verdict"] for claim_id, row in case.items()} == VERDICTS


def test_what_is_measured_has_evidence_and_what_is_not_says_why(case: dict[str, Row]) -> None:
    for claim_id, row in case.items():
        if row["verdict"] == "not_measurable":
            assert row["missing"], claim_id
            assert row["observed_value"] is row["evidence"] is row["source_urls"] is None, claim_id
        else:
            assert row["missing"] is None, claim_id
            assert row["observed_value"] is not None, claim_id
            assert row["observed_period"], claim_id
            urls = row["source_urls"].split("|")
            assert all(url.startswith("http") for url in urls), claim_id
            assert len(set(urls)) == len(urls), claim_id


def test_each_reference_is_to_one_row(
    release: duckdb.DuckDBPyConnection, case: dict[str, Row]
) -> None:
    references = {
        reference
        for row in case.values()
        if row["evidence"]
        for reference in row["evidence"].split("|")
    }
    assert len(references) > 60
    for reference in sorted(references):
        table, *keys = reference.split(" ")
        pairs = [key.split("=", 1) for key in keys]
        where = " and ".join(f"{column}::varchar = ?" for column, _ in pairs)
        [(rows,)] = release.execute(
            f"select count(*) from {table} where {where}", [value for _, value in pairs]
        ).fetchall()
        assert rows == 1, reference


def test_the_readme_prints_the_baseline_as_it_stands(published: Home) -> None:
    from orchestration.scorecard import scorecard as printed

    with warehouse(published):
        table = printed()
    section = README.read_text(encoding="utf-8").split("## The case, as the baseline stands\n")[1]
    section = section.split("\n## ")[0]
    assert table == "\n".join(line for line in section.splitlines() if line.startswith("|"))


# By hand: the figures as the releases print them, from the baseline's own files.


@cache
def baseline(dataset: str) -> tuple[dict[str, str], ...]:
    path = files("orchestration") / "baseline" / f"{dataset}.csv"
    with path.open(encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


def segment(document: str, segment_key: str, period_end: str, metric: str = "revenue") -> float:
    [value] = {
        float(row["value"])
        for row in baseline("segment_result")
        if row["document_id"] == document
        and row["segment_key"] == segment_key
        and row["period_end"] == period_end
        and row["period_type"] == "quarter"
        and row["metric"] == metric
        and row["unit"] == "million"
    }
    return value


def company(metric: str, period_end: str, company_key: str = "alibaba") -> float:
    """The newest print of a quarter's figure: that of the release or of the year after."""
    found = {
        row["document_id"].split(".", 2)[2][:10]: float(row["value"])
        for row in baseline("company_result")
        if row["company_key"] == company_key
        and row["metric"] == metric
        and row["period_end"] == period_end
        and row["period_type"] == "quarter"
        and row["currency"] == "CNY"
    }
    return found[max(found)]


def kpi(name: str, as_of: str) -> float:
    [value] = [
        float(row["value"])
        for row in baseline("kpi")
        if row["kpi"] == name and row["as_of"] == as_of
    ]
    return value


NOW, YEAR_BEFORE = "2026-06-30", "2025-06-30"
JUNE_2026, JUNE_2025 = "alibaba.results.2026-06-30", "alibaba.results.2025-06-30"
CLOUD = "alibaba.e_commerce_ai_cloud.ai_cloud_and_compute_services"
CLOUD_GROUP = "alibaba.china_e_commerce.cloud_intelligence_group"
CHINA = "alibaba.china_e_commerce.alibaba_china_e_commerce_group"
DOMESTIC = [
    f"alibaba.e_commerce_ai_cloud.{label}"
    for label in (
        "customer_management",
        "direct_sales_logistics_and_others",
        "china_quick_commerce",
    )
]
QUARTERS = [
    f"{year}-{day}"
    for year in (2024, 2025, 2026)
    for day in ("03-31", "06-30", "09-30", "12-31")
]  # fmt: skip


def year_to(period_end: str) -> list[str]:
    last = QUARTERS.index(period_end)
    return QUARTERS[last - 3 : last + 1]


def growth(now: float, before: float) -> float:
    return 100 * (now / before - 1)


def cloud_growth() -> float:
    return growth(segment(JUNE_2026, CLOUD, NOW), segment(JUNE_2026, CLOUD, YEAR_BEFORE))


def cloud_acceleration() -> float:
    before = growth(
        segment(JUNE_2025, CLOUD_GROUP, YEAR_BEFORE), segment(JUNE_2025, CLOUD_GROUP, "2024-06-30")
    )
    return cloud_growth() - before


def cloud_share() -> float:
    now = segment(JUNE_2026, CLOUD, NOW) / company("revenue", NOW)
    before = segment(JUNE_2026, CLOUD, YEAR_BEFORE) / company("revenue", YEAR_BEFORE)
    return 100 * (now - before)


def cloud_margin() -> float:
    def margin(day: str) -> float:
        return segment(JUNE_2026, CLOUD, day, "adjusted_ebita") / segment(JUNE_2026, CLOUD, day)

    return 100 * (margin(NOW) - margin(YEAR_BEFORE))


def cloud_beside_aws() -> float:
    release, aws = "alibaba.results.2025-12-31", "amazon.product_lines_2021.aws"
    own = growth(
        segment(release, CLOUD_GROUP, "2025-12-31"), segment(release, CLOUD_GROUP, "2024-12-31")
    )
    peer = growth(
        segment("amazon.10-k.2025-12-31", aws, "2025-12-31"),
        segment("amazon.10-k.2024-12-31", aws, "2024-12-31"),
    )
    return own - peer


def commerce_share() -> float:
    alibaba = [
        segment("alibaba.results.2025-12-31", CHINA, day) for day in ("2025-12-31", "2024-12-31")
    ]
    jd = [
        segment("jd.results.2025-12-31", "jd.dada_in_new_businesses.jd_retail", day)
        for day in ("2025-12-31", "2024-12-31")
    ]
    pdd = [company("revenue", day, "pdd") for day in ("2025-12-31", "2024-12-31")]
    now, before = (100 * a / (a + j + p) for a, j, p in zip(alibaba, jd, pdd, strict=True))
    return now - before


def capex_change() -> float:
    latest = sum(company("capital_expenditure", day) for day in year_to(NOW))
    return growth(latest, sum(company("capital_expenditure", day) for day in year_to(YEAR_BEFORE)))


def capex_cover() -> float:
    quarters = year_to("2025-12-31")
    return sum(company("operating_cash_flow", day) for day in quarters) / sum(
        company("capital_expenditure", day) for day in quarters
    )


def share_count() -> float:
    count = "ordinary_shares_outstanding"
    return growth(kpi(count, "2024-12-31"), kpi(count, "2023-12-31"))


def domestic_share_of_revenue() -> float:
    def share(document: str, keys: list[str], day: str) -> float:
        return 100 * sum(segment(document, key, day) for key in keys) / company("revenue", day)

    second = share(JUNE_2026, DOMESTIC, NOW) - share(JUNE_2026, DOMESTIC, YEAR_BEFORE)
    first = share(JUNE_2025, [CHINA], YEAR_BEFORE) - share(JUNE_2025, [CHINA], "2024-06-30")
    return first + second


def domestic_share_of_profit() -> float:
    def share(quarters: list[str], documents: list[str]) -> float:
        own = [
            segment(f"alibaba.results.{document}", CHINA, day, "adjusted_ebita")
            for document, day in zip(documents, quarters, strict=True)
        ]
        return 100 * sum(own) / sum(company("adjusted_ebita", day) for day in quarters)

    latest, before = year_to("2026-03-31"), year_to("2025-03-31")
    # The year before as the releases of the latest year print it again.
    return share(latest, latest) - share(before, latest)


def retail_sales() -> float:
    rows = [
        row for row in baseline("macro_observation") if row["series_id"] == "CN_RETAIL_SALES_YOY"
    ]
    return float(max(rows, key=lambda row: row["observation_date"])["value"])


def price_since_2020_peak() -> float:
    closes = {
        row["session_date"]: float(row["close"])
        for row in baseline("daily_price")
        if row["ticker"] == "BABA" and row["close"]
    }
    peak = max(close for day, close in closes.items() if day.startswith("2020"))
    return growth(closes[max(closes)], peak)


@pytest.mark.parametrize(
    ("claim_id", "expected", "rounded"),
    [
        ("cloud_growth_double_digit", cloud_growth, 44.94),
        ("cloud_growth_accelerates", cloud_acceleration, 19.15),
        ("ai_revenue_triple_digit", lambda: kpi("ai_product_revenue_triple_digit_streak", NOW), 12),
        ("cloud_share_of_group_rises", cloud_share, 4.52),
        ("cloud_margin_holds", cloud_margin, 4.38),
        ("cloud_outgrows_amazon", cloud_beside_aws, 12.76),
        ("commerce_share_stable", commerce_share, 0.73),
        ("capex_rises", capex_change, 37.77),
        ("capex_funded_by_operations", capex_cover, 0.76),
        ("buybacks_shrink_share_count", share_count, -7.41),
        ("qwen_ecosystem", lambda: kpi("qwen_derivative_models", "2025-10-31"), 180000),
        ("less_a_retailer_revenue", domestic_share_of_revenue, 1.48),
        ("less_a_retailer_profit", domestic_share_of_profit, 29.04),
        ("retail_sales_backdrop", retail_sales, 5.1),
    ],
)
def test_observed_value_by_hand(
    case: dict[str, Row], claim_id: str, expected: Any, rounded: float
) -> None:
    assert case[claim_id]["observed_value"] == pytest.approx(expected(), abs=1e-6)
    assert expected() == pytest.approx(rounded, abs=0.0051)


def test_distance_from_the_peak_of_2020_without_dividends(case: dict[str, Row]) -> None:
    """No split lies between: the closes of 2020 and 2025 compare. Dividends narrow the distance."""
    price = price_since_2020_peak()
    assert (
        f"ads_price_drawdown_from_2020_peak: {price:.2f}"
        in case["share_recovered_2020_peak"]["note"]
    )
    assert price < case["share_recovered_2020_peak"]["observed_value"] < 0


def test_the_six_groups_end_with_the_release_that_recast_a_year(case: dict[str, Row]) -> None:
    row = case["six_groups_replaced"]
    assert row["observed_period"] == "quarter to 2025-06-30"
    assert "first printed 2025-08-29" in row["note"]
    assert "4 quarters from 2024-06-30 to 2025-03-31" in row["note"]


# What turns the verdicts. The facts of a finished build are changed and the marts built again.

CHANGES = """
-- Cloud a year before as printed later: larger, and with ten times the profit.
update core.fct_segment_result set value_millions = value_millions * 3
where segment_key in ('alibaba.china_e_commerce.cloud_intelligence_group',
    'alibaba.e_commerce_ai_cloud.ai_cloud_and_compute_services')
    and metric = 'revenue' and column_role = 'prior_year'
    and document_id >= 'alibaba.results.2025-09-30';
update core.fct_segment_result set value_millions = value_millions * 10
where segment_key in ('alibaba.china_e_commerce.cloud_intelligence_group',
    'alibaba.e_commerce_ai_cloud.ai_cloud_and_compute_services')
    and metric = 'adjusted_ebita' and column_role = 'prior_year'
    and document_id >= 'alibaba.results.2025-09-30';
-- The cloud of Google and Baidu shrinks, PDD grows.
update core.fct_segment_result set value_millions = value_millions / 10
where metric = 'revenue'
    and (
        (segment_key = 'alphabet.revenue_sources.google_cloud' and period_end > '2025-01-01')
        or (segment_key = 'baidu.core_lines.baidu_ai_cloud' and period_end > '2024-10-01')
    );
update core.fct_company_result set value_millions = value_millions * 10
where company_key = 'pdd' and metric = 'revenue' and period_end >= '2025-01-01';
-- Stated figures.
update core.fct_kpi set value = 3
where kpi = 'ai_product_revenue_triple_digit_streak' and as_of = '2026-06-30';
update core.fct_kpi set value = 5 where kpi = 'cloud_external_revenue_growth_stated';
update core.fct_kpi set value = 25000
where kpi = 'ordinary_shares_outstanding' and as_of = '2024-12-31';
update core.fct_kpi set value = 1000 where kpi = 'qwen_derivative_models';
insert into core.fct_company_result by name
select * replace (stated.metric as metric, 7 as value_millions)
from core.fct_company_result, (values ('ai_copilot_revenue'), ('t_head_revenue')) as stated (metric)
where company_key = 'alibaba' and fct_company_result.metric = 'revenue' and is_latest
    and period_end = '2026-06-30' and period_type = 'quarter';
-- Capital expenditure stops.
update core.fct_company_result set value_millions = 1
where company_key = 'alibaba' and metric = 'capital_expenditure' and period_end >= '2025-09-30';
-- The share triples at the end, the benchmarks do ten times as well.
update core.fct_daily_price set close = close * 3, adj_close = adj_close * 3
where security_key = 'BABA' and session_date >= '2025-09-01';
update core.fct_daily_price set close = close * 10, adj_close = adj_close * 10
where security_key in ('KWEB', '^HSI') and session_date >= '2025-09-01';
-- Domestic commerce halves; a year before it earned five times as much.
update core.fct_segment_result set value_millions = value_millions / 2
where structure = 'e_commerce_ai_cloud' and breakdown = 'subline' and metric = 'revenue'
    and period_end = '2026-06-30';
update core.fct_segment_result set value_millions = value_millions * 5
where segment_key = 'alibaba.china_e_commerce.alibaba_china_e_commerce_group'
    and metric = 'adjusted_ebita' and column_role = 'prior_year';
update core.fct_macro_observation set value = 9 where series_id = 'CN_RETAIL_SALES_YOY';
"""

AFTER_CHANGES = {
    "cloud_growth_double_digit": "contradicted",
    "cloud_growth_accelerates": "mixed",
    "ai_revenue_triple_digit": "contradicted",
    "cloud_share_of_group_rises": "contradicted",
    "cloud_outgrows_amazon": "mixed",
    "cloud_outgrows_alphabet": "supported",
    "cloud_outgrows_microsoft": "contradicted",
    "cloud_outgrows_baidu": "supported",
    "commerce_share_stable": "contradicted",
    "cloud_margin_holds": "contradicted",
    "capex_rises": "contradicted",
    "capex_funded_by_operations": "supported",
    "buybacks_shrink_share_count": "contradicted",
    "outperforms_kweb_since_trough": "contradicted",
    "outperforms_hang_seng_since_trough": "contradicted",
    "share_recovered_2020_peak": "supported",
    "qwen_ecosystem": "contradicted",
    "ai_copilots_reported": "supported",
    "t_head_chips_reported": "supported",
    "less_a_retailer_revenue": "supported",
    "less_a_retailer_profit": "supported",
    "retail_sales_backdrop": "supported",
}

#: A market that goes up and down, and a share that follows it but for one event.
DAILY_PRICES = """
create temp table sessions as
select calendar_date as session_date, row_number() over (order by calendar_date) as number
from core.dim_date where is_xnys_session and calendar_date between '2022-03-01' and '2022-12-30';
create temp table made as
select *, case when session_date = '2022-10-07' then -0.1 else 0 end as shock,
    0.01 * sin(number) as market, 0.001 * cos(3 * number) as noise
from sessions;
delete from core.fct_daily_price
where security_key in ('BABA', 'SPY') and session_date between '2022-03-01' and '2022-12-30';
insert into core.fct_daily_price by name
select 'BABA' as security_key, session_date, 'daily' as observation_frequency, 'USD' as currency,
    100 * exp(sum(ln(1 + market + noise + shock)) over (order by session_date)) as close,
    market + noise + shock as daily_return, 1 as split_factor, 'made' as source_url
from made
union all by name
select 'SPY' as security_key, session_date, 'daily' as observation_frequency, 'USD' as currency,
    100 * exp(sum(ln(1 + market)) over (order by session_date)) as close,
    market as daily_return, 1 as split_factor, 'made' as source_url
from made;
-- And the six groups are reported to this day.
delete from core.fct_segment_result
where structure in ('china_e_commerce', 'e_commerce_ai_cloud');
"""


def rebuilt(published: Home, root: Path, changes: str) -> dict[str, Row]:
    home = Home(root)
    shutil.copytree(published.root, root, symlinks=True)
    with warehouse(home):
        with duckdb.connect(str(home.build_database)) as build:
            build.execute(changes)
        nodes = dbt.build(home, ["path:models/marts", "int_security_performance"])
        assert [(node.name, node.message) for node in nodes if not node.passed] == []
        with duckdb.connect(str(home.build_database), read_only=True) as build:
            return scorecard(build)


@pytest.fixture(scope="module")
def changed(published: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    return rebuilt(published, tmp_path_factory.mktemp("changed") / "warehouse", CHANGES)


@pytest.fixture(scope="module")
def with_daily_prices(published: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    return rebuilt(published, tmp_path_factory.mktemp("daily") / "warehouse", DAILY_PRICES)


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_other_facts_turn_the_verdict(
    changed: dict[str, Row], with_daily_prices: dict[str, Row], claim_id: str
) -> None:
    expected = AFTER_CHANGES | {
        "export_controls_cost_return": "supported",
        "six_groups_replaced": "contradicted",
    }
    assert expected[claim_id] != VERDICTS[claim_id]
    turned = changed if claim_id in AFTER_CHANGES else with_daily_prices
    assert turned[claim_id]["verdict"] == expected[claim_id], turned[claim_id]


def test_events_without_prices_are_left_out_of_the_mean(with_daily_prices: dict[str, Row]) -> None:
    row = with_daily_prices["export_controls_cost_return"]
    assert row["observed_value"] < 0
    measured = [part for part in row["evidence"].split("|") if "2022-10-07.export_control" in part]
    assert measured == ["marts.event_returns event_id=2022-10-07.export_control security_key=BABA"]
    assert "of 8 events" in row["note"]


def test_without_later_structures_the_newest_quarter_is_of_the_last_one(
    with_daily_prices: dict[str, Row],
) -> None:
    row = with_daily_prices["six_groups_replaced"]
    assert row["observed_value"] == 0
    assert row["observed_period"] == f"quarter to {date(2025, 3, 31)}"
