"""The pieces of reading a release: split numbers, heads, rows, names."""

from __future__ import annotations

from datetime import date

import pytest

from orchestration.documents.alignment import align
from orchestration.documents.headers import Head, find_heads
from orchestration.documents.text import DocumentRefused, extract
from orchestration.documents.tokens import join_split_digits, tokenise
from orchestration.documents.vocabulary import Vocabulary
from orchestration.registry import load_registry


@pytest.fixture(scope="module")
def alibaba() -> Vocabulary:
    return Vocabulary.of(load_registry(), "alibaba")


@pytest.mark.parametrize(
    ("printed", "joined"),
    [
        ("7,1 64", "7,164"),
        ("(4 ,112)", "(4,112)"),
        ("15, 151", "15,151"),
        ("23,932,27 8", "23,932,278"),
        ("(11,003 )", "(11,003)"),
        ("(57) %", "(57)%"),
        # Two numbers, and a day with its year: the form forces nothing.
        ("1 5,151", "1 5,151"),
        ("December 31, 201 8", "December 31, 201 8"),
    ],
)
def test_digits_are_joined_where_their_grouping_forces_it(printed: str, joined: str) -> None:
    assert join_split_digits(printed) == joined


def _rows(text: str, amounts: int, percents: int, *, is_parted: bool = False) -> list[list[str]]:
    ways = align(tokenise(text), amounts, percents, is_parted=is_parted)
    return [[" ".join(str(cell.value) for cell in row) for row in way] for way in ways]


def test_a_mark_may_be_a_note_or_minus_two_and_both_ways_are_kept() -> None:
    rows = _rows("28,126 (2) (179) (3,378)", 3, 0)
    assert ["28126 -179 -3378"] in rows
    # With minus two the last figure would be of a row of its own, which is not whole.
    assert all(row[0] == "28126 -179 -3378" for row in rows)


def test_a_mark_glued_to_a_figure_is_a_note() -> None:
    assert _rows("136,167(2) (1,158)", 2, 0) == [["136167 -1158"]]


def test_dashes_are_nil_and_percentages_are_passed_over() -> None:
    assert ["0 5266 785"] in _rows("— — 5,266 785 5% N/A", 3, 3)


def test_a_row_without_a_name_may_follow_and_a_page_number_is_none() -> None:
    assert _rows("5,825 13,532 132% 40,185 58,441 45%", 2, 1) == [["5825 13532", "40185 58441"]]
    assert _rows("9,803 13,759 26", 2, 0) == [["9803 13759"]]


def test_a_number_that_a_space_parts_is_one_only_if_asked() -> None:
    assert _rows("1 5,151 2,201", 2, 0) == []
    assert ["15151 2201"] in _rows("1 5,151 2,201", 2, 0, is_parted=True)


def test_points_part_no_thousands() -> None:
    assert _rows("8.755 9.120", 2, 0) == []


def _head(text: str, vocabulary: Vocabulary) -> Head:
    (head,) = find_heads(text, vocabulary)[0]
    return head


def test_years_below_two_periods_are_shared_out(alibaba: Vocabulary) -> None:
    head = _head(
        "Three months ended March 31, Year ended March 31, 2018 2019 2018 2019 "
        "RMB RMB US$ RMB RMB US$ (in millions) (in millions) Core commerce 1 2 3 4 5 6",
        alibaba,
    )
    assert head.unit == "million"
    assert [(s.period.type, s.period.end.year, s.currency) for s in head.slots if s.period] == [
        ("quarter", 2018, "CNY"), ("quarter", 2019, "CNY"), ("quarter", 2019, "USD"),
        ("year", 2018, "CNY"), ("year", 2019, "CNY"), ("year", 2019, "USD"),
    ]  # fmt: skip
    assert head.slots[0].period
    assert head.slots[0].period.start == date(2018, 1, 1)


def test_segments_are_columns_where_they_stand_before_currency_and_unit(
    alibaba: Vocabulary,
) -> None:
    head = _head(
        "Three months ended June 30, 2021 Commerce(1) Cloud computing(2) Unallocated(3) "
        "Consolidated RMB RMB RMB RMB US$ (in millions, except percentages) Revenue 1",
        alibaba,
    )
    assert head.segments_are_columns
    assert [slot.column_words for slot in head.slots] == [
        "Commerce", "Cloud computing", "Unallocated", "Consolidated", "Consolidated",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        # Twelve months to June are no year of a company that closes in March.
        "Twelve months ended June 30, 2023 2024 RMB RMB (in millions) Revenue 1 2",
        # One currency too many.
        "Three months ended June 30, 2023 2024 RMB RMB RMB (in millions) Revenue 1 2 3",
        # A word that nobody knows.
        "Three months ended June 30, 2023 2024 pro forma RMB RMB (in millions) Revenue 1 2",
    ],
)
def test_a_head_is_understood_whole_or_not_at_all(text: str, alibaba: Vocabulary) -> None:
    heads, _ = find_heads(text, alibaba)
    assert all(not head.amounts or head.amounts[0].period is None for head in heads)


def test_a_label_is_headings_and_a_name_from_end_to_end(alibaba: Vocabulary) -> None:
    label = alibaba.label("Core commerce: China commerce retail - Customer management")
    assert label.name
    assert label.name.printed == "Customer management"
    assert [heading.printed for heading in label.headings] == [
        "Core commerce", "China commerce retail",
    ]  # fmt: skip
    assert alibaba.label("Inter -seg ment elimination").name
    assert alibaba.label("Marketplace Cloud").name is None
    assert alibaba.label("Total Taobao and Tmall Group").is_total


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no words"),
        (b"1,234 5,678", "has no words"),
        (b"%PDF-1.7 broken", "is no readable PDF"),
        (b"<html>" + b"<table>" * 6_000, "more than 5,000 times <table>"),
        (b"\x00\x01\x02\x03" * 1000, "its encoding"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(DocumentRefused, match=reason):
        extract(content, "file")


def test_footnotes_in_superscript_are_marks_and_cells_are_parted() -> None:
    html = (
        "<html><table><tr><td>Cloud<sup>(1)</sup></td><td>1 234</td><td>(7</td><td>)%</td></tr>"
        "</table></html>"
    )
    text = join_split_digits(extract(html.encode(), "file").content)
    assert [(t.kind, t.text) for t in tokenise(text) if t.kind != "note"] == [
        ("word", "Cloud"), ("number", "1,234"), ("number", "(7)%"),
    ]  # fmt: skip
