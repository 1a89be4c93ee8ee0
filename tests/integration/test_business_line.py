"""Business lines across structures: hand-verified figures, breaks, growth between like and like."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

Row = dict[str, Any]


def rows(release: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    cursor = release.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def line(release: duckdb.DuckDBPyConnection, company: str, business_line: str) -> dict[date, Row]:
    found = rows(
        release,
        f"""
        from marts.business_line_quarterly
        where company_key = '{company}' and business_line = '{business_line}'
        """,
    )
    return {row["period_end"]: row for row in found}


def test_cloud_of_september_2025_is_the_one_in_the_release(
    release: duckdb.DuckDBPyConnection,
) -> None:
    """Revenue RMB39,824 million, "an increase of 34%", adjusted EBITA RMB3,604 million."""
    cloud = line(release, "alibaba", "cloud")[date(2025, 9, 30)]
    assert (cloud["revenue_millions"], cloud["currency"]) == (39824, "CNY")
    assert (cloud["profit_metric"], cloud["profit_millions"]) == ("adjusted_ebita", 3604)
    assert round(cloud["revenue_yoy_percent"], 1) == 34.5
    assert cloud["document_id"] == "alibaba.results.2025-09-30"
    assert cloud["source_url"].startswith("https://data.alibabagroup.com/")
    assert 5000 < cloud["revenue_usd_millions"] < 6000
    # Of RMB247,795 million.
    assert round(cloud["share_of_company_revenue_percent"], 1) == 16.1
    assert cloud["is_part_of_total"]
    assert not cloud["from_sublines"]


def test_each_change_of_structure_is_marked(release: duckdb.DuckDBPyConnection) -> None:
    cloud = line(release, "alibaba", "cloud")
    breaks = {
        day: (row["structure_before"], row["structure"])
        for day, row in sorted(cloud.items())
        if row["is_structure_break"]
    }
    assert breaks == {
        date(2021, 6, 30): ("core_commerce", "commerce"),
        date(2021, 12, 31): ("commerce", "seven_segments"),
        date(2023, 6, 30): ("seven_segments", "business_groups"),
        date(2025, 6, 30): ("business_groups", "china_e_commerce"),
        date(2026, 6, 30): ("china_e_commerce", "e_commerce_ai_cloud"),
    }


def test_domestic_commerce_comes_from_sublines_only_without_a_segment(
    release: duckdb.DuckDBPyConnection,
) -> None:
    domestic = line(release, "alibaba", "domestic_commerce")
    # September quarter 2019: customer management 41,301, commission 16,275, other retail 18,210,
    # wholesale 3,283.
    before = domestic[date(2019, 9, 30)]
    assert before["from_sublines"]
    assert before["revenue_millions"] == 41301 + 16275 + 18210 + 3283
    assert not before["is_part_of_total"]
    # A segment from December 2021 on; its sublines are not added to it.
    after = domestic[date(2022, 9, 30)]
    assert not after["from_sublines"]
    assert after["segment_keys"] == "alibaba.seven_segments.china_commerce"
    assert after["revenue_millions"] == 135431
    # And a part of the E-commerce Group again.
    again = domestic[date(2026, 6, 30)]
    assert again["from_sublines"]
    commerce = line(release, "alibaba", "commerce")[date(2026, 6, 30)]
    assert again["revenue_millions"] < commerce["revenue_millions"]


def test_the_newest_structure_stands_beside_the_reported_one(
    release: duckdb.DuckDBPyConnection,
) -> None:
    """June 2025: RMB33,398 million of the Cloud Intelligence Group, 33,418 after the recast."""
    cloud = line(release, "alibaba", "cloud")[date(2025, 6, 30)]
    assert (cloud["structure"], cloud["revenue_millions"]) == ("china_e_commerce", 33398)
    assert cloud["newest_structure"] == "e_commerce_ai_cloud"
    assert cloud["newest_structure_revenue_millions"] == 33418


@pytest.mark.parametrize(
    ("column", "metric"),
    [("revenue_millions", "revenue"), ("profit_millions", "adjusted_ebita")],
)
def test_the_lines_of_a_quarter_add_up_to_the_group(
    release: duckdb.DuckDBPyConnection, column: str, metric: str
) -> None:
    quarters = rows(
        release,
        f"""
        select
            lines.period_end,
            sum(lines.{column}) as of_lines,
            max(company.value_millions) as of_company,
            count(distinct lines.structure) as structures
        from marts.business_line_quarterly as lines
        inner join core.fct_company_result as company using (company_key, period_start, period_end)
        where lines.company_key = 'alibaba' and lines.is_part_of_total
        and company.metric = '{metric}' and company.is_latest
        group by all
        """,
    )
    assert len(quarters) == 45
    assert [q for q in quarters if q["of_lines"] != q["of_company"]] == []
    assert {q["structures"] for q in quarters} == {1}


def test_no_company_counts_a_quarter_twice(release: duckdb.DuckDBPyConnection) -> None:
    """JD prints product and service revenue beside its segments: one division is marked."""
    twice = rows(
        release,
        """
        select company_key, period_end from marts.business_line_quarterly
        where is_part_of_total group by all having count(distinct structure) > 1
        """,
    )
    assert twice == []
    commerce = line(release, "jd", "commerce")
    assert not commerce[date(2025, 3, 31)]["is_part_of_total"]
    assert line(release, "jd", "domestic_commerce")[date(2025, 3, 31)]["is_part_of_total"]


def test_the_parts_of_a_line_are_not_added_to_it(release: duckdb.DuckDBPyConnection) -> None:
    """Baidu prints its AI-powered business, RMB 13.6 billion, and its applications below it."""
    applications = line(release, "baidu", "ai_applications")
    assert applications[date(2026, 3, 31)]["revenue_millions"] == 13_600
    assert not any(row["from_sublines"] for row in applications.values())


def test_growth_is_that_of_two_like_sums(release: duckdb.DuckDBPyConnection) -> None:
    """Every growth rate once more in plain Python, from the prints of the documents it names."""
    printed: defaultdict[tuple[str, str, date], dict[str, Decimal]] = defaultdict(dict)
    carried: dict[str, tuple[str, str, bool]] = {
        row["segment_key"]: (row["structure"], row["business_line"], row["subline"])
        for row in rows(
            release,
            "select *, breakdown = 'subline' as subline from core.dim_segment",
        )
    }
    for row in rows(
        release,
        "from core.fct_segment_result where metric = 'revenue' and period_type = 'quarter'",
    ):
        group = "|".join(map(str, carried[row["segment_key"]]))
        printed[row["document_id"], group, row["period_end"]][row["segment_key"]] = row[
            "value_millions"
        ]
    growing = rows(
        release,
        """
        select lines.*, base.period_end as base_period_end
        from marts.business_line_quarterly as lines
        inner join core.dim_fiscal_period as this_quarter
            on lines.company_key = this_quarter.company_key
            and lines.period_end = this_quarter.period_end
        inner join core.dim_fiscal_period as base
            on base.company_key = this_quarter.company_key
            and base.fiscal_quarter_index = this_quarter.fiscal_quarter_index - 4
        where revenue_yoy_percent is not null
        """,
    )
    assert len(growing) > 800
    same_document = 0
    for row in growing:
        group = "|".join(map(str, (row["structure"], row["business_line"], row["from_sublines"])))
        this_year = printed[row["revenue_yoy_document_id"], group, row["period_end"]]
        year_before = printed[row["revenue_yoy_base_document_id"], group, row["base_period_end"]]
        assert this_year.keys() == year_before.keys()
        base = sum(year_before.values())
        expected = 100 * float((sum(this_year.values()) - base) / base)
        assert row["revenue_yoy_percent"] == pytest.approx(expected)
        same_document += row["revenue_yoy_document_id"] == row["revenue_yoy_base_document_id"]
    assert same_document > 300


def test_twelve_months_are_four_quarters_of_one_structure(
    release: duckdb.DuckDBPyConnection,
) -> None:
    cloud = line(release, "alibaba", "cloud")
    quarters = [date(2024, 6, 30), date(2024, 9, 30), date(2024, 12, 31), date(2025, 3, 31)]
    assert {cloud[day]["structure"] for day in quarters} == {"business_groups"}
    assert cloud[quarters[-1]]["revenue_ttm_millions"] == sum(
        cloud[day]["revenue_millions"] for day in quarters
    )
    # The next quarter is of another structure. Its sum is of the quarters as that one divides them,
    # which the releases of the following year print: 29,610, 31,742 and 30,127 beside 33,398.
    first = cloud[date(2025, 6, 30)]
    assert first["structure"] == "china_e_commerce"
    assert first["revenue_ttm_millions"] == 29610 + 31742 + 30127 + 33398
    # Commission went into customer management in 2020: quarters on both sides are not added.
    domestic = line(release, "alibaba", "domestic_commerce")
    assert domestic[date(2020, 9, 30)]["revenue_ttm_millions"] is None
