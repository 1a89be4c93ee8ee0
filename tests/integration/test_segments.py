"""Segments: hand-verified figures, tables that add up, growth, restatements and the as-of view."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.contracts import DOCUMENT_KINDS
from tests.plain_flags import flags_in, with_flags

DATA = Path(__file__).parents[1] / "data"
Row = dict[str, Any]


def rows(
    release: duckdb.DuckDBPyConnection, query: str, parameters: Iterable[object] = ()
) -> list[Row]:
    cursor = release.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# Read by eye in the release that the document_id names: segment, quarter, revenue and adjusted
# EBITA (None where not looked up) in RMB million.
FROM_RELEASES = [
    # "Three months ended September 30, 2018": revenue and adjusted EBITA by segment.
    ("alibaba.results.2018-09-30", "core_commerce.core_commerce", "2018-09-30", 72475, 29807),
    ("alibaba.results.2018-09-30", "core_commerce.cloud_computing", "2018-09-30", 5667, -232),
    (
        "alibaba.results.2018-09-30",
        "core_commerce.digital_media_and_entertainment",
        "2018-09-30",
        5940,
        -3802,
    ),
    # September quarter 2022, revenue by segment, after inter-segment elimination.
    ("alibaba.results.2022-09-30", "seven_segments.china_commerce", "2022-09-30", 135431, None),
    ("alibaba.results.2022-09-30", "seven_segments.cainiao", "2022-09-30", 13367, None),
    ("alibaba.results.2022-09-30", "seven_segments.cloud", "2022-09-30", 20757, None),
    # March quarter 2023, the table with both.
    ("alibaba.results.2023-03-31", "seven_segments.china_commerce", "2023-03-31", 136073, 38487),
    ("alibaba.results.2023-03-31", "seven_segments.cloud", "2023-03-31", 18582, 385),
    # The same release recasts the year before.
    ("alibaba.results.2023-03-31", "seven_segments.china_commerce", "2022-03-31", 140079, 32234),
    # June quarter 2023: the first under the business groups.
    (
        "alibaba.results.2023-06-30",
        "business_groups.taobao_and_tmall_group",
        "2023-06-30",
        114953,
        49319,
    ),
    (
        "alibaba.results.2023-06-30",
        "business_groups.cainiao_smart_logistics_network_limited",
        "2023-06-30",
        23164,
        877,
    ),
    # June quarter 2024 recasts the cloud revenue of June 2023.
    (
        "alibaba.results.2024-06-30",
        "business_groups.cloud_intelligence_group",
        "2023-06-30",
        25065,
        None,
    ),
    # December quarter 2024.
    (
        "alibaba.results.2024-12-31",
        "business_groups.cloud_intelligence_group",
        "2024-12-31",
        31742,
        None,
    ),
    # September quarter 2025, and its recast of the year before.
    (
        "alibaba.results.2025-09-30",
        "china_e_commerce.alibaba_china_e_commerce_group",
        "2025-09-30",
        132578,
        10497,
    ),
    (
        "alibaba.results.2025-09-30",
        "china_e_commerce.alibaba_china_e_commerce_group",
        "2024-09-30",
        114773,
        44327,
    ),
    (
        "alibaba.results.2025-09-30",
        "china_e_commerce.cloud_intelligence_group",
        "2025-09-30",
        39824,
        3604,
    ),
    ("alibaba.results.2025-09-30", "china_e_commerce.quick_commerce", "2025-09-30", 22906, None),
    # June quarter 2026: the first with AI Labs and Applications apart.
    (
        "alibaba.results.2026-06-30",
        "e_commerce_ai_cloud.ai_cloud_and_compute_services",
        "2026-06-30",
        48437,
        5628,
    ),
    (
        "alibaba.results.2026-06-30",
        "e_commerce_ai_cloud.ai_cloud_and_compute_services",
        "2025-06-30",
        33418,
        2419,
    ),
    (
        "alibaba.results.2026-06-30",
        "e_commerce_ai_cloud.ai_labs_and_applications",
        "2026-06-30",
        3338,
        -13861,
    ),
]


@pytest.mark.parametrize(("document", "segment", "quarter", "revenue", "ebita"), FROM_RELEASES)
def test_figure_is_the_one_in_the_release(
    release: duckdb.DuckDBPyConnection,
    document: str,
    segment: str,
    quarter: str,
    revenue: int,
    ebita: int | None,
) -> None:
    [figure] = rows(
        release,
        """
        select revenue_millions, profit_millions, profit_metric, currency, source_url
        from marts.segment_quarterly
        where segment_key = ? and period_end = cast(? as date)
        """,
        [f"alibaba.{segment}", quarter],
    )
    assert figure["revenue_millions"] == revenue
    assert figure["currency"] == "CNY"
    assert figure["source_url"].startswith("https://data.alibabagroup.com/")
    if ebita is not None:
        assert (figure["profit_metric"], figure["profit_millions"]) == ("adjusted_ebita", ebita)
    [printed] = rows(
        release,
        """
        select value_millions from core.fct_segment_result
        where segment_key = ? and metric = 'revenue' and period_end = cast(? as date)
        and document_id = ?
        """,
        [f"alibaba.{segment}", quarter, document],
    )
    assert printed["value_millions"] == revenue


@pytest.mark.parametrize(
    ("segment", "quarter", "recast_on", "before", "after"),
    [
        # Releases of June 2019 and June 2020.
        (
            "core_commerce.digital_media_and_entertainment",
            "2019-06-30",
            "2020-08-20",
            6312,
            6426,
        ),
        # Releases of March 2022 and March 2023.
        ("seven_segments.china_commerce", "2022-03-31", "2023-05-18", 140330, 140079),
        # Releases of June 2023 and June 2024.
        (
            "business_groups.cloud_intelligence_group",
            "2023-06-30",
            "2024-08-15",
            25123,
            25065,
        ),
        # A structure is not known before its first release, of June 2025.
        ("china_e_commerce.cloud_intelligence_group", "2024-06-30", "2025-08-29", None, 26549),
    ],
)
def test_a_recast_is_known_from_its_day_on(
    release: duckdb.DuckDBPyConnection,
    segment: str,
    quarter: str,
    recast_on: str,
    before: int | None,
    after: int,
) -> None:
    def known_on(day: date) -> list[Row]:
        return rows(
            release,
            """
            select value_millions, basis from core.segment_result_as_of(?)
            where segment_key = ? and metric = 'revenue' and period_end = cast(? as date)
            and is_latest
            """,
            [day, f"alibaba.{segment}", quarter],
        )

    first_day = date.fromisoformat(recast_on)
    assert [row["value_millions"] for row in known_on(first_day - timedelta(days=1))] == (
        [] if before is None else [before]
    )
    assert known_on(first_day) == [{"value_millions": Decimal(after), "basis": "recast"}]


def test_as_of_has_the_columns_of_the_fact(release: duckdb.DuckDBPyConnection) -> None:
    described = [
        [(column["column_name"], column["column_type"]) for column in rows(release, statement)]
        for statement in (
            "describe select * from core.segment_result_as_of(date '2024-01-01')",
            "describe select * from core.fct_segment_result",
        )
    ]
    assert described[0] == described[1]


def test_alibabas_134_tables_add_up_to_the_million(release: duckdb.DuckDBPyConnection) -> None:
    tables = rows(
        release,
        """
        select status, difference_millions, total_document_id = document_id as same_document
        from ops.reconciliation where company_key = 'alibaba'
        """,
    )
    assert len(tables) == 134
    assert {table["status"] for table in tables} == {"adds_up"}
    assert {table["difference_millions"] for table in tables} == {0}


def test_68_subline_tables_add_up_to_the_parent_in_their_document(
    release: duckdb.DuckDBPyConnection,
) -> None:
    tables = rows(
        release,
        """
        select status, difference_millions, parent_document_id = document_id as same_document
        from ops.subline_reconciliation
        where structure in (
            'seven_segments', 'business_groups', 'china_e_commerce', 'e_commerce_ai_cloud'
        )
        """,
    )
    assert sum(table["same_document"] for table in tables) == 68
    # Six more have their parent in an earlier document only.
    assert len(tables) == 74
    assert {(table["status"], table["difference_millions"]) for table in tables} == {("adds_up", 0)}


def test_every_complete_table_adds_up(release: duckdb.DuckDBPyConnection) -> None:
    statuses = {
        row["company_key"]: row
        for row in rows(
            release,
            """
            select
                company_key,
                count(*) filter (where status = 'adds_up') as adds_up,
                count(*) filter (where status = 'differs') as differs
            from ops.reconciliation group by all
            """,
        )
    }
    assert {company: row["differs"] for company, row in statuses.items() if row["differs"]} == {}
    assert all(row["adds_up"] for row in statuses.values())
    assert set(statuses) >= {
        "alibaba",
        "alphabet",
        "amazon",
        "jd",
        "meituan",
        "microsoft",
        "nvidia",
        "tencent",
    }


def test_the_sums_are_the_ones_that_plain_addition_gives(
    release: duckdb.DuckDBPyConnection,
) -> None:
    """Adds Alibaba's printed tables up again from the baseline, without the warehouse's SQL."""
    sums: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in baseline("segment_result"):
        if row["company_key"] == "alibaba" and row["breakdown"] == "segment":
            key = ("structure", "metric", "period_end", "document_id")
            sums[tuple(row[name] for name in key)] += Decimal(row["value"])
    recorded = {
        (row["structure"], row["metric"], row["period_end"].isoformat(), row["document_id"]): row[
            "sum_millions"
        ]
        for row in rows(release, "select * from ops.reconciliation where company_key = 'alibaba'")
    }
    assert recorded == sums


@pytest.mark.parametrize("flag", ["is_reporting_structure", "is_newest_structure"])
def test_one_structure_makes_up_the_group(release: duckdb.DuckDBPyConnection, flag: str) -> None:
    quarters = rows(
        release,
        f"""
        select
            segments.period_end,
            count(distinct segments.structure) as structures,
            sum(segments.value_millions) as of_segments,
            max(company.value_millions) as of_company
        from core.fct_segment_result as segments
        inner join core.fct_company_result as company
            using (company_key, metric, period_start, period_end)
        where segments.company_key = 'alibaba' and segments.metric = 'revenue'
        and segments.breakdown = 'segment' and segments.is_latest and segments.{flag}
        and company.is_latest
        group by all
        """,
    )
    assert len(quarters) == 45
    assert [q for q in quarters if q["of_segments"] != q["of_company"]] == []
    assert {quarter["structures"] for quarter in quarters} == {1}


def test_exactly_one_structure_has_each_flag(release: duckdb.DuckDBPyConnection) -> None:
    periods = rows(
        release,
        """
        select
            company_key, breakdown, period_start, period_end,
            count(distinct structure) filter (where is_reporting_structure) as reporting,
            count(distinct structure) filter (where is_newest_structure) as newest
        from core.fct_segment_result group by all
        having reporting <> 1 or newest <> 1
        """,
    )
    assert periods == []


def test_computed_cloud_growth_is_the_stated_one(release: duckdb.DuckDBPyConnection) -> None:
    quarters = rows(
        release,
        """
        select
            period_end,
            cloud_revenue_yoy_percent as computed,
            cloud_revenue_yoy_stated_percent as stated
        from marts.alibaba_quarterly
        where cloud_revenue_yoy_percent is not null
        and cloud_revenue_yoy_stated_percent is not null
        """,
    )
    stated = {
        row["as_of"]
        for row in baseline("kpi")
        if row["kpi"] == "cloud_revenue_growth_stated" and row["company_key"] == "alibaba"
    }
    assert {quarter["period_end"].isoformat() for quarter in quarters} == stated
    assert len(quarters) == 34
    assert [q for q in quarters if abs(q["computed"] - float(q["stated"])) > 0.5] == []


def test_cloud_growth_is_the_segments_own(release: duckdb.DuckDBPyConnection) -> None:
    """The headline and the segment's row do not compute two different growth rates."""
    differing = rows(
        release,
        """
        select quarters.period_end
        from marts.alibaba_quarterly as quarters
        inner join core.dim_comparison_segment as members
            on members.comparison = 'cloud' and members.company_key = 'alibaba'
            and members.structure = quarters.structure
        inner join marts.segment_quarterly as segments
            on segments.segment_key = members.segment_key
            and segments.period_end = quarters.period_end
        where segments.revenue_yoy_percent is distinct from quarters.cloud_revenue_yoy_percent
        or segments.revenue_millions is distinct from quarters.cloud_revenue_millions
        """,
    )
    assert differing == []


def test_no_growth_across_a_change_of_structure(release: duckdb.DuckDBPyConnection) -> None:
    """The recast quarters of a new structure have no base of their own a year earlier."""
    growth = rows(
        release,
        """
        select period_end, revenue_yoy_percent, revenue_yoy_base_document_id
        from marts.segment_quarterly
        where segment_key = 'alibaba.china_e_commerce.cloud_intelligence_group'
        order by period_end
        """,
    )
    assert [quarter["revenue_yoy_percent"] for quarter in growth[:4]] == [None] * 4
    # "an increase of 34%" in the release of September 2025, against its own comparative.
    assert growth[5]["period_end"] == date(2025, 9, 30)
    assert round(growth[5]["revenue_yoy_percent"], 1) == 34.5
    assert growth[5]["revenue_yoy_base_document_id"] == "alibaba.results.2025-09-30"


def test_domestic_commerce_is_never_a_part_of_itself(release: duckdb.DuckDBPyConnection) -> None:
    """Commission went into customer management in September 2020: adding both counts it twice."""
    [before, after] = rows(
        release,
        """
        select period_end, domestic_commerce_revenue_millions as revenue
        from marts.alibaba_quarterly
        where period_end in (date '2017-03-31', date '2019-09-30') order by period_end
        """,
    )
    # The release of March 2018, the only one that prints this quarter, lacks one of four lines.
    assert before["revenue"] is None
    # The release of September 2020: 57,576 + 18,210 + 3,283, commission inside the first.
    lines = rows(
        release,
        """
        select sum(value_millions) as revenue from core.fct_segment_result
        where document_id = 'alibaba.results.2020-09-30' and period_end = date '2019-09-30'
        and segment_key in (
            'alibaba.core_commerce.customer_management',
            'alibaba.core_commerce.others_china_commerce_retail',
            'alibaba.core_commerce.china_commerce_wholesale'
        )
        """,
    )
    assert after["revenue"] == lines[0]["revenue"]


def test_restatement_bridge(release: duckdb.DuckDBPyConnection) -> None:
    [recast] = rows(
        release,
        """
        select * from marts.restatement_bridge
        where segment_key = 'alibaba.business_groups.cloud_intelligence_group'
        and metric = 'revenue' and period_end = date '2023-06-30' and print_number = 2
        """,
    )
    assert recast["basis"] == "recast"
    assert (recast["first_value_millions"], recast["value_millions"]) == (25123, 25065)
    assert recast["difference_from_first_millions"] == -58
    assert recast["first_document_id"] == "alibaba.results.2023-06-30"
    [moved] = rows(
        release,
        """
        select * from marts.restatement_bridge
        where segment_key = 'alibaba.e_commerce_ai_cloud.ai_cloud_and_compute_services'
        and metric = 'revenue' and period_end = date '2025-06-30'
        """,
    )
    # 33,398 in the release of June 2025, 33,418 in the one of June 2026.
    assert moved["counterpart_segment_keys"] == "alibaba.china_e_commerce.cloud_intelligence_group"
    assert moved["counterpart_matched_by"] == "cloud comparison"
    assert moved["difference_from_counterpart_millions"] == 20


@pytest.mark.parametrize(
    "difference",
    list(csv.DictReader((DATA / "definition_differences.csv").open(encoding="utf-8"))),
    ids=lambda difference: f"{difference['metric']} {difference['period_end']}",
)
def test_figure_has_the_stated_definition(
    release: duckdb.DuckDBPyConnection, difference: dict[str, str]
) -> None:
    """Another public dataset has another figure; ours is the one that the release defines."""
    column = {
        "income_from_operations": "operating_income_millions",
        "capex": "capital_expenditure_millions",
    }[difference["metric"]]
    [quarter] = rows(
        release,
        f"""
        select {column} as figure from marts.alibaba_quarterly
        where period_end = cast(? as date)
        """,
        [difference["period_end"]],
    )
    assert quarter["figure"] == Decimal(difference["value_used"])
    assert quarter["figure"] != Decimal(difference["value_elsewhere"])


# The rules of the contract once more, in plain Python (`tests/plain_flags.py`) over the baseline's
# own files.

RANKS = {kind.name: kind.rank for kind in DOCUMENT_KINDS}
IN_MILLIONS = {
    "one": Decimal("0.000001"),
    "thousand": Decimal("0.001"),
    "million": Decimal(1),
    "billion": Decimal(1000),
}


def baseline(dataset: str) -> list[dict[str, str]]:
    path = files("orchestration") / "baseline" / f"{dataset}.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def registry(file: str) -> list[dict[str, str]]:
    path = files("orchestration") / "registry" / "data" / f"{file}.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def prints_of_the_baseline() -> list[Row]:
    documents = {row["document_id"]: row for row in baseline("document")}
    currencies = {row["company_key"]: row["reporting_currency"] for row in registry("companies")}
    structures = {(row["company_key"], row["structure"]): row for row in registry("structures")}
    prints = []
    for row in baseline("segment_result"):
        if row["currency"] != currencies[row["company_key"]]:
            continue
        document = documents[row["document_id"]]
        scale = IN_MILLIONS[row["unit"]]
        structure = structures[row["company_key"], row["structure"]]
        prints.append(
            {
                **row,
                "value": Decimal(row["value"]) * scale,
                "step": Decimal(row["printed_step"] or 0) * scale,
                "reported_on": document["reported_on"],
                "order": (
                    document["reported_on"] or document["period_end"],
                    document["source_quality"] != "official",
                    -RANKS[document["kind"]],
                    document["document_id"],
                ),
                "structure_age": structure["first_reported_period"],
            }
        )
    return prints


def test_flags_of_all_prints_are_those_of_the_plain_model(
    release: duckdb.DuckDBPyConnection,
) -> None:
    expected = with_flags(prints_of_the_baseline())
    assert len(expected) > 2900
    assert flags_in(release, "core.fct_segment_result") == expected


@pytest.mark.parametrize("seed", range(12))
def test_flags_known_on_a_day_are_those_of_the_plain_model(
    release: duckdb.DuckDBPyConnection, seed: int
) -> None:
    """Random days, every other one a day on which a document appeared or the day before it."""
    chance = random.Random(seed)
    if seed % 2:
        appeared = [row["reported_on"] for row in baseline("document") if row["reported_on"]]
        day = date.fromisoformat(chance.choice(appeared)) - timedelta(days=chance.choice([0, 1]))
    else:
        day = date(2016, 6, 1) + timedelta(days=chance.randrange(365 * 11))
    known = [
        row
        for row in prints_of_the_baseline()
        if row["reported_on"] and row["reported_on"] <= day.isoformat()
    ]
    relation = f"core.segment_result_as_of(date '{day.isoformat()}')"
    assert flags_in(release, relation) == with_flags(known)
