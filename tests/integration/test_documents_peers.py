"""Releases in PDD's and in Baidu's shape are read exactly, or refused with the line to add.

The documents are written by ``tests.documents.peers``: no real release of either was at hand.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.documents.headers import Head, find_heads
from orchestration.documents.reading import DocumentRefused, Reading
from orchestration.documents.release import read_release
from orchestration.documents.vocabulary import Vocabulary
from orchestration.home import Home
from orchestration.imports import DocumentQuarantined, import_document
from orchestration.loading import Loader
from orchestration.registry import load_registry
from tests.documents.peers import BAIDU, PDD, releases
from tests.documents.writer import BASELINE, Release, to_html, to_pdf, to_text

DOCUMENTS = Path(__file__).parents[1] / "documents"
FORMS: dict[str, Callable[[Release], bytes]] = {"html": to_html, "txt": to_text, "pdf": to_pdf}
RELEASES = releases()
#: The unit that each company's releases print.
UNITS = {"pdd": "thousand", "baidu": "million"}


def company_of(name: str) -> str:
    return name.partition("_")[0]


def read(content: bytes, name: str) -> Reading:
    return read_release(content, name, company_of(name), load_registry())


def said(release: Release) -> set[tuple[object, ...]]:
    company = company_of(release.name)
    return {
        (
            fact.segment and f"{company}.{fact.segment}",
            fact.metric,
            fact.period.start,
            fact.period.end,
            fact.period.kind,
            Decimal(value),
            UNITS[company],
            "current" if fact.period.end == release.period.end else "prior_year",
        )
        for fact, value in release.truth.items()
    }


def found(reading: Reading) -> set[tuple[object, ...]]:
    figures = [
        (f.segment_key, f.metric, f.period_start, f.period_end, f.period_type, f.value, f.unit,
         f.column_role)
        for f in reading.figures
    ]  # fmt: skip
    assert len(set(figures)) == len(figures)
    return set(figures)


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RELEASES)
@pytest.mark.parametrize("form", FORMS)
def test_every_figure_is_read_back_and_no_other(name: str, form: str) -> None:
    reading = read(FORMS[form](RELEASES[name]), f"{name}.{form}")
    assert found(reading) == said(RELEASES[name])
    assert reading.document_id == f"{company_of(name)}.results.{RELEASES[name].period.end}"
    assert reading.reported_on == RELEASES[name].reported_on
    assert {(f.currency, f.printed_step) for f in reading.figures if "table" in f.locator} == {
        ("CNY", Decimal(1))
    }
    assert any("add up" in check.name for check in reading.checks)


@pytest.mark.parametrize("name", RELEASES)
@pytest.mark.parametrize("form", ["html", "txt"])
def test_the_committed_documents_are_those_that_are_tested(name: str, form: str) -> None:
    path = DOCUMENTS / f"{name}.{form}"
    assert path.read_bytes() == FORMS[form](RELEASES[name])


@pytest.mark.parametrize("company_key", ["pdd", "baidu"])
def test_the_documents_round_to_the_baseline_where_it_has_their_figures(company_key: str) -> None:
    """A made-up figure of a document never says another thing than the curated one."""
    own: dict[tuple[str, ...], Decimal] = {}
    for release in RELEASES.values():
        if company_of(release.name) == company_key:
            scale = 1000 if company_key == "pdd" else 1
            for fact, value in release.truth.items():
                key = f"{company_key}.{fact.segment}" if fact.segment else ""
                own[key, fact.metric, str(fact.period.end), fact.period.kind] = (
                    Decimal(value) / scale
                )
    compared = 0
    for dataset in ("segment_result", "company_result"):
        with (BASELINE / f"{dataset}.csv").open(encoding="utf-8") as lines:
            for line in csv.DictReader(lines):
                key = (
                    line.get("segment_key") or "", line["metric"], line["period_end"],
                    line["period_type"],
                )  # fmt: skip
                if line["company_key"] == company_key and key in own:
                    compared += 1
                    off = abs(own[key] - Decimal(line["value"]))
                    assert off <= Decimal(line["printed_step"]), (key, own[key], line["value"])
    assert compared >= 10


def test_a_comparative_under_a_newer_structure_is_of_the_prior_year() -> None:
    """The March quarter of 2025 was first printed under Baidu Core; a year on it is recast."""
    reading = read(to_html(RELEASES["baidu_2026-03"]), "baidu_2026-03.html")
    business = {
        (f.period_end, f.column_role): f.value
        for f in reading.figures
        if f.metric == "revenue"
        and f.segment_key
        == "baidu.general_business_and_iqiyi.baidu_general_business_formerly_baidu_core"
    }
    assert business[date(2026, 3, 31), "current"] == BAIDU[date(2026, 3, 31), 3].revenue[0]
    assert business[date(2025, 3, 31), "prior_year"] == BAIDU[date(2025, 3, 31), 3].revenue[0]


def test_a_line_that_is_printed_before_2024_alone_is_part_of_the_sum() -> None:
    reading = read(to_text(RELEASES["pdd_2022-12"]), "pdd_2022-12.txt")
    sales = {
        f.period_type: f.value
        for f in reading.figures
        if f.segment_key == "pdd.revenue_lines.merchandise_sales" and f.column_role == "current"
    }
    assert sales == {
        kind: PDD[date(2022, 12, 31), months].lines["merchandise_sales"]
        for kind, months in (("quarter", 3), ("year", 12))
    }


# --- heads --------------------------------------------------------------------------------------


def heads(company_key: str, text: str) -> list[Head]:
    return find_heads(text, Vocabulary.of(load_registry(), company_key))[0]


def test_dates_belong_to_the_length_whose_us_dollars_they_stand_before() -> None:
    """Four columns of quarters and three of years: nothing else says where the years begin."""
    (head,) = heads(
        "baidu",
        "(In millions except for per share (or ADS) information) Three Months Ended Twelve Months "
        "Ended December 31, 2023 September 30, 2024 December 31, 2024 December 31, 2024 "
        "December 31, 2023 December 31, 2024 December 31, 2024 RMB RMB RMB US$ RMB RMB US$ 1",
    )
    assert [(s.period.type, s.period.end, s.currency) for s in head.slots if s.period] == [
        ("quarter", date(2023, 12, 31), "CNY"),
        ("quarter", date(2024, 9, 30), "CNY"),
        ("quarter", date(2024, 12, 31), "CNY"),
        ("quarter", date(2024, 12, 31), "USD"),
        ("year", date(2023, 12, 31), "CNY"),
        ("year", date(2024, 12, 31), "CNY"),
        ("year", date(2024, 12, 31), "USD"),
    ]


def test_dates_that_nothing_shares_out_are_no_head() -> None:
    assert not heads(
        "baidu",
        "(In millions) Three Months Ended Twelve Months Ended December 31, 2023 "
        "September 30, 2024 December 31, 2024 December 31, 2023 December 31, 2024 Revenue 1",
    )


@pytest.mark.parametrize("after", ["Total revenues 1", "(Unaudited) Total revenues 1", "Costs 1"])
def test_segments_may_head_columns_below_unit_and_period(after: str) -> None:
    """The first row's own name, which may begin with a total's, is no column."""
    (head,) = heads(
        "baidu",
        "(In millions, unaudited) Three months ended December 31, 2023 Three months ended "
        "December 31, 2024 Baidu Core iQIYI Elim & adj(2) Baidu, Inc. Baidu Core iQIYI "
        f"Elim & adj(2) Baidu, Inc. {after}",
    )
    assert [(s.column_words, s.period.end.year) for s in head.slots if s.period] == [
        (words, year)
        for year in (2023, 2024)
        for words in ("Baidu Core", "iQIYI", "Elim & adj", "Baidu, Inc.")
    ]


@pytest.mark.parametrize(
    "names",
    [
        "Baidu Core iQIYI Elim & adj Baidu, Inc. iQIYI Baidu Core Elim & adj Baidu, Inc.",
        "Baidu Core iQIYI Elim & adj Baidu, Inc. Baidu Core iQIYI Elim & adj",
        "Baidu, Inc. Baidu, Inc.",
    ],
)
def test_names_that_differ_from_period_to_period_head_no_columns(names: str) -> None:
    found = heads(
        "baidu",
        "(In millions) Three months ended December 31, 2023 Three months ended December 31, 2024 "
        f"{names} 1",
    )
    assert not any(head.segments_are_columns for head in found)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "label", "other", "line"),
    [
        ("pdd_2025-06", "- Transaction services", "- Brokerage",
         "pdd.revenue_lines.brokerage,pdd,revenue_lines,"),
        ("baidu_2024-12", "Others", "Robotaxi rides",
         "baidu.consolidated_lines.robotaxi_rides,baidu,consolidated_lines,"),
    ],
)  # fmt: skip
def test_an_unknown_line_is_refused_with_the_line_to_add(
    form: str, name: str, label: str, other: str, line: str
) -> None:
    release = RELEASES[name]
    for index, table in enumerate(release.tables):
        rows = tuple(replace(row, label=other) if row.label == label else row for row in table.rows)
        release = release.with_table(index, replace(table, rows=rows))
    with pytest.raises(DocumentRefused, match="that the registry does not know") as refused:
        read(FORMS[form](release), f"{name}.{form}")
    assert line in str(refused.value)


@pytest.mark.parametrize("form", FORMS)
def test_lines_that_miss_one_do_not_add_up_and_are_refused(form: str) -> None:
    release = RELEASES["pdd_2022-12"]
    for index, table in enumerate(release.tables):
        rows = tuple(row for row in table.rows if row.label != "- Merchandise sales")
        release = release.with_table(index, replace(table, rows=rows))
    with pytest.raises(DocumentRefused, match="add up to"):
        read(FORMS[form](release), f"pdd_2022-12.{form}")


# --- landing ------------------------------------------------------------------------------------


@pytest.fixture
def loader(home: Home) -> Loader:
    return Loader(home, today=date(2026, 11, 24))


@pytest.mark.parametrize("name", RELEASES)
def test_a_document_passes_the_guard_and_lands(loader: Loader, name: str) -> None:
    company = company_of(name)
    path = DOCUMENTS / f"{name}.html"
    done = import_document(loader, path, company, f"https://example.org/{name}")
    assert done.document_id == f"{company}.results.{RELEASES[name].period.end}"
    landed = loader.landing.newest("segment_result").to_pylist()
    of_segments = {fact for fact in RELEASES[name].truth if fact.segment}
    assert len(landed) == len(of_segments)
    assert {row["source"] for row in landed} == {"document"}
    assert not loader.quarantine.entries()


def test_a_document_that_is_refused_lands_nothing(loader: Loader, tmp_path: Path) -> None:
    renamed = tmp_path / "pdd.html"
    renamed.write_bytes(
        to_html(RELEASES["pdd_2025-06"]).replace(b"Transaction services", b"Brokerage")
    )
    with pytest.raises(DocumentQuarantined, match="'Brokerage' that the registry does not know"):
        import_document(loader, renamed, "pdd", "https://example.org/pdd")
    assert loader.landing.newest("segment_result").num_rows == 0
