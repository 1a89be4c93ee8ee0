"""Fourth quarters are differences of printed figures of one segment key, or are not there."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from orchestration.contracts import contract_for
from orchestration.documents.fourth_quarters import derive
from orchestration.registry import load_registry

AWS = "amazon.segments.aws"
YEAR = ("2024-01-01", "2024-12-31", "year")
NINE_MONTHS = ("2024-01-01", "2024-09-30", "nine_months")
QUARTERS = (
    ("2024-01-01", "2024-03-31", "quarter"),
    ("2024-04-01", "2024-06-30", "quarter"),
    ("2024-07-01", "2024-09-30", "quarter"),
)


def figure(
    period: tuple[str, str, str], value: int, document_id: str = "", **cells: Any
) -> dict[str, Any]:
    start, end, period_type = period
    kind = "10-k" if period_type == "year" else "10-q"
    row = {
        "document_id": document_id or f"amazon.{kind}.{end}",
        "company_key": "amazon",
        "structure": "segments",
        "breakdown": "segment",
        "segment_key": AWS,
        "segment_label": "AWS",
        "label_printed": None,
        "metric": "revenue",
        "period_start": date.fromisoformat(start),
        "period_end": date.fromisoformat(end),
        "period_type": period_type,
        "value": Decimal(value),
        "unit": "million",
        "currency": "USD",
        "column_role": "current",
        "printed_step": Decimal(1),
        "locator": f"row of {end}",
        "note": None,
        "source": "edgar",
        "source_url": "https://www.sec.gov/x",
    }
    return row | cells


def table(dataset: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = contract_for(dataset).batch_schema
    return pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in rows], schema)


def fourth(
    *rows: dict[str, Any],
    reported: dict[str, date] | None = None,
    quality: dict[str, str] | None = None,
    company: tuple[dict[str, Any], ...] = (),
    company_key: str = "amazon",
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    documents = [
        {
            "document_id": document_id,
            "company_key": company_key,
            "kind": document_id.split(".")[1],
            "period_end": date.fromisoformat(document_id.split(".")[2]),
            "reported_on": (reported or {}).get(document_id),
            "source_quality": (quality or {}).get(document_id, "official"),
        }
        for document_id in {row["document_id"] for row in (*rows, *company)}
    ]
    frames: tuple[pd.DataFrame, pd.DataFrame] = derive(
        load_registry(),
        company_key,
        table("segment_result", list(rows)),
        table("company_result", list(company)),
        table("document", documents),
        "edgar",
    )
    segments, totals = (frame.to_dict("records") for frame in frames)
    return segments, totals


def test_the_year_less_nine_months() -> None:
    (row,), _ = fourth(figure(YEAR, 107_556), figure(NINE_MONTHS, 78_770))
    assert row["value"] == Decimal(28_786)
    assert (row["period_start"], row["period_end"]) == (date(2024, 10, 1), date(2024, 12, 31))
    assert (row["period_type"], row["column_role"]) == ("quarter", "derived")
    assert (row["document_id"], row["printed_step"]) == ("amazon.10-k.2024-12-31", Decimal(2))
    assert "amazon.10-k.2024-12-31 (row of 2024-12-31)" in row["locator"]
    assert "amazon.10-q.2024-09-30 (row of 2024-09-30)" in row["locator"]
    assert row["note"] == "year minus nine months"


def test_without_nine_months_the_three_quarters_and_with_one_missing_nothing() -> None:
    year = figure(YEAR, 100)
    quarters = [figure(q, value) for q, value in zip(QUARTERS, (20, 22, 26), strict=True)]
    (row,), _ = fourth(year, *quarters)
    assert (row["value"], row["printed_step"]) == (Decimal(32), Decimal(4))
    assert row["note"] == "year minus three quarters"
    assert fourth(year, *quarters[:2]) == ([], [])


def test_units_differ_and_the_years_is_kept() -> None:
    nine = figure(NINE_MONTHS, 70_000_000, unit="one", printed_step=Decimal(1_000_000))
    (row,), _ = fourth(figure(YEAR, 100), nine)
    assert (row["value"], row["unit"], row["printed_step"]) == (Decimal(30), "million", Decimal(2))


@pytest.mark.parametrize(
    "other",
    [
        {"segment_key": "amazon.segments.international"},
        {"metric": "operating_income"},
        {"currency": "CNY"},
        {"segment_key": "amazon.product_lines_2021.aws", "structure": "product_lines_2021"},
        {"column_role": "derived"},
    ],
    ids=lambda cells: next(iter(cells)),
)
def test_never_across_segments_structures_metrics_or_currencies(other: dict[str, Any]) -> None:
    assert fourth(figure(YEAR, 100), figure(NINE_MONTHS, 70, **other)) == ([], [])


def test_a_figure_printed_after_the_year_is_of_another_definition() -> None:
    restated = figure(NINE_MONTHS, 60, "amazon.10-q.2025-09-30", column_role="prior_year")
    days = {
        "amazon.10-q.2024-09-30": date(2024, 11, 1),
        "amazon.10-k.2024-12-31": date(2025, 2, 7),
        "amazon.10-q.2025-09-30": date(2025, 10, 31),
    }
    (row,), _ = fourth(figure(YEAR, 100), figure(NINE_MONTHS, 70), restated, reported=days)
    assert row["value"] == Decimal(30)
    assert fourth(figure(YEAR, 100), restated, reported=days) == ([], [])


def test_what_is_printed_by_then_is_not_derived_and_later_prints_count_not() -> None:
    printed = figure(("2024-10-01", "2024-12-31", "quarter"), 31, "amazon.results.2024-12-31")
    assert fourth(figure(YEAR, 100), figure(NINE_MONTHS, 70), printed) == ([], [])


def test_second_hand_figures_and_comparatives_make_no_fourth_quarter() -> None:
    rows = (figure(YEAR, 100), figure(NINE_MONTHS, 70))
    assert fourth(*rows, quality={"amazon.10-q.2024-09-30": "secondary"}) == ([], [])
    assert fourth(figure(YEAR, 100, column_role="prior_year"), rows[1]) == ([], [])


def test_consolidated_figures_and_no_balances() -> None:
    cash = {"metric": "cash_and_investments"}
    company = (
        figure(YEAR, 637_959),
        figure(NINE_MONTHS, 450_167),
        figure(YEAR, 1, **cash),
        figure(NINE_MONTHS, 1, **cash),
    )
    segments, (row,) = fourth(company=company)
    assert segments == []
    assert (row["metric"], row["value"]) == ("revenue", Decimal(187_792))


@pytest.mark.parametrize(
    ("company_key", "segment_key", "year", "nine", "expected"),
    [
        (
            "microsoft",
            "microsoft.segments_before_fy2025.intelligent_cloud",
            ("2023-07-01", "2024-06-30", "year"),
            ("2023-07-01", "2024-03-31", "nine_months"),
            date(2024, 4, 1),
        ),
        (  # 52 weeks
            "nvidia",
            "nvidia.markets.data_center",
            ("2023-01-30", "2024-01-28", "year"),
            ("2023-01-30", "2023-10-29", "nine_months"),
            date(2023, 10, 30),
        ),
        (  # 53 weeks: the fourth quarter has 14
            "nvidia",
            "nvidia.markets.data_center",
            ("2022-01-31", "2023-02-05", "year"),
            ("2022-01-31", "2022-10-30", "nine_months"),
            date(2022, 10, 31),
        ),
    ],
)
def test_in_the_fiscal_calendar_of_the_company(
    company_key: str,
    segment_key: str,
    year: tuple[str, str, str],
    nine: tuple[str, str, str],
    expected: date,
) -> None:
    structure = segment_key.split(".")[1]
    cells = {"company_key": company_key, "segment_key": segment_key, "structure": structure}
    rows = (
        figure(year, 100, f"{company_key}.10-k.{year[1]}", **cells),
        figure(nine, 70, f"{company_key}.10-q.{nine[1]}", **cells),
    )
    (row,), _ = fourth(*rows, company_key=company_key)
    assert (row["period_start"], row["value"]) == (expected, Decimal(30))
