"""Releases in Alibaba's shape are read exactly, or refused with the reason.

The documents are written by ``tests.documents.writer``: every results release of the baseline, in
both orientations of its tables, as HTML, text and PDF; and each thing that is known to trip a
reader, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.documents.reading import DocumentRefused, Reading
from orchestration.documents.release import read_release
from orchestration.registry import load_registry
from tests.documents.compare import Outcome, compare, values
from tests.documents.writer import (
    PLANS,
    Cell,
    Column,
    Paragraph,
    Plan,
    Release,
    Row,
    Style,
    Table,
    quarterly_plans,
    release,
    to_html,
    to_pdf,
    to_text,
    written,
)

DOCUMENTS = Path(__file__).parents[1] / "documents"
FORMS: dict[str, Callable[[Release, Style], bytes]] = {
    "html": to_html,
    "txt": to_text,
    "pdf": to_pdf,
}
#: As the text layers of older releases look: names over several lines, digits apart.
OLD_TEXT = Style(line_per_row=True, nil="-", split_digits=True)


def read(content: bytes, name: str) -> Reading:
    return read_release(content, name, "alibaba", load_registry())


@pytest.fixture(scope="module")
def tally() -> Iterator[Outcome]:
    """Counts over the whole file, printed at its end."""
    total = Outcome()
    yield total
    print(
        f"\nfigures right {total.right}, wrong {len(total.wrong)}, absent {len(total.absent)}",
    )


def assert_exact(
    document: Release, form: str, tally: Outcome, style: Style | None = None
) -> Reading:
    reading = read(FORMS[form](document, style or Style()), f"{document.name}.{form}")
    outcome = compare(document, reading)
    tally.right += outcome.right
    tally.wrong += outcome.wrong
    tally.absent += outcome.absent
    assert outcome.is_exact, "\n".join(
        [f"{document.name}.{form}: {outcome.right} right"]
        + [f"wrong: {each}" for each in outcome.wrong[:12]]
        + [f"absent: {each}" for each in outcome.absent[:12]]
    )
    return reading


# --- every release of the baseline --------------------------------------------------------------


@pytest.mark.parametrize("plan", quarterly_plans(), ids=lambda plan: plan.name)
def test_each_release_is_read_exactly_and_alike_in_each_form(plan: Plan, tally: Outcome) -> None:
    document = written(plan)
    readings = {form: assert_exact(document, form, tally) for form in FORMS}
    assert values(readings["txt"].figures) == values(readings["html"].figures)
    assert values(readings["pdf"].figures) == values(readings["html"].figures)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_another_wording_of_the_captions_gives_the_same_figures(plan: Plan, tally: Outcome) -> None:
    assert_exact(written(replace(plan, wording=1 - plan.wording)), "html", tally)
    assert_exact(written(replace(plan, wording=1 - plan.wording)), "txt", tally)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
@pytest.mark.parametrize("form", ["html", "txt"])
def test_the_committed_documents_are_read_exactly(plan: Plan, form: str, tally: Outcome) -> None:
    path = DOCUMENTS / f"{plan.name}.{form}"
    outcome = compare(release(plan.name), read(path.read_bytes(), path.name))
    tally.right += outcome.right
    assert outcome.is_exact, outcome


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_the_committed_documents_are_those_that_the_writer_writes(plan: Plan) -> None:
    """So that what a person looks at is what is tested; the README says how to write them anew."""
    document = release(plan.name)
    assert (DOCUMENTS / f"{plan.name}.html").read_bytes() == to_html(document)
    assert (DOCUMENTS / f"{plan.name}.txt").read_bytes() == to_text(document)


# --- what trips a reader ------------------------------------------------------------------------


def test_a_footnote_mark_after_a_figure_is_no_negative_figure(tally: Outcome) -> None:
    """Column for the core: "27,484 (2) (164)" in text; the mark is not the cloud's figure."""
    document = release("core_commerce_2019-03")
    assert b"27,484 (2) (164)" in to_text(document)
    assert b"136,167(2)" in to_text(document)
    for form in FORMS:
        assert_exact(document, form, tally)


@pytest.mark.parametrize("name", ["core_commerce_2016-06", "core_commerce_2019-03"])
def test_split_digits_and_words_over_several_lines(name: str, tally: Outcome) -> None:
    document = release(name)
    content = to_text(document, OLD_TEXT)
    assert re.search(rb"\(\d ,\d|\d,\d \d\d|\d \d,\d", content)
    assert_exact(document, "txt", tally, OLD_TEXT)


def test_words_that_a_text_layer_parts(tally: Outcome) -> None:
    document = release("business_groups_2024-12")
    content = to_text(document).decode()
    for whole, parted in (
        ("Inter-segment", "Inter -segment"),
        ("Local Services Group", "Local Serv ices Group"),
        ("2024    RMB", "202 4    RMB"),
        ("(4,952)", "(4 ,952)"),
        ("31,553", "31 ,553"),
        ("6,575", "6,5 75"),
    ):
        assert whole in content
        content = content.replace(whole, parted)
    outcome = compare(document, read(content.encode(), "parted.txt"))
    assert outcome.is_exact, outcome


def test_a_new_line_with_a_dash_for_last_year(tally: Outcome) -> None:
    """Local consumer services in 2019: no figure of the year before, and no growth rate."""
    document = release("core_commerce_2019-03")
    row = next(
        row
        for table in document.tables
        for row in table.rows
        if row.label == "Local consumer services"
    )
    assert row.cells[0].kind == "nil"
    assert row.cells[-1].kind == "na"
    assert_exact(document, "html", tally)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("china_e_commerce_2025-09", "half_year"),
        ("business_groups_2024-12", "nine_months"),
        ("core_commerce_2019-03", "year"),
    ],
)
def test_a_year_to_date_is_told_from_its_quarter(name: str, kind: str, tally: Outcome) -> None:
    reading = assert_exact(release(name), "txt", tally)
    assert {figure.period_type for figure in reading.figures} == {"quarter", kind}


def test_a_recast_comparative_stands_under_the_new_structure(tally: Outcome) -> None:
    reading = assert_exact(release("business_groups_2023-06"), "html", tally)
    cloud = [
        (figure.column_role, str(figure.value))
        for figure in reading.figures
        if figure.metric == "revenue"
        and figure.segment_key == "alibaba.business_groups.cloud_intelligence_group"
    ]
    # The June quarter of 2022 was first printed as 17,685 of a segment "Cloud".
    assert sorted(cloud) == [("current", "25123"), ("prior_year", "24127")]


def test_a_mark_alone_in_its_cell_and_a_plain_table_without_spacers(tally: Outcome) -> None:
    document = release("china_e_commerce_2025-09")
    for style in (
        Style(signs_apart=False, spacers=False),
        Style(signs_apart=True, spacers=False),
        Style(signs_apart=False, spacers=True, merged_headers=False),
    ):
        assert_exact(document, "html", tally, style)


def test_headings_alone_are_passed_over(tally: Outcome) -> None:
    """A caption that no table follows, as in a table of contents."""
    document = release("e_commerce_ai_cloud_2026-06")
    contents = Paragraph(
        "In this document: a breakdown of our revenue by segment; a breakdown of our adjusted "
        "EBITA by segment; costs."
    )
    document = replace(document, blocks=(document.blocks[0], contents, *document.blocks[1:]))
    for form in FORMS:
        assert_exact(document, form, tally)


# --- refusals -----------------------------------------------------------------------------------


def refusal(document: Release, form: str = "html") -> str:
    """The reason for which a document is refused; each form must be refused."""
    with pytest.raises(DocumentRefused) as refused:
        read(FORMS[form](document, Style()), f"{document.name}.{form}")
    assert document.name in str(refused.value), "a reason names its file"
    return str(refused.value)


def changed(
    document: Release, where: tuple[str, str], change: Callable[[Row], Row], every: bool = False
) -> Release:
    """A release with one row of the table under a caption changed, or that row of every table."""
    caption, label = where
    for index, table in enumerate(document.tables):
        if caption.lower() not in table.caption.lower():
            continue
        rows = tuple(change(row) if row.label == label else row for row in table.rows)
        if rows != table.rows:
            document = document.with_table(index, replace(table, rows=rows))
            if not every:
                return document
    return document


def with_value(place: int, step: int) -> Callable[[Row], Row]:
    def change(row: Row) -> Row:
        cells = list(row.cells)
        cells[place] = replace(cells[place], value=cells[place].value + step)
        return replace(row, cells=tuple(cells))

    return change


@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_label_is_refused_with_the_line_to_add(form: str) -> None:
    document = changed(
        release("e_commerce_ai_cloud_2026-06"),
        ("", "AI Labs and Applications"),
        lambda row: replace(row, label="AI Laboratories and Apps"),
        every=True,
    )
    reason = refusal(document, form)
    assert "AI Laboratories and Apps" in reason
    assert "AI Labs and Applications" in reason, "the nearest names are named"
    assert "segments.csv" in reason
    line = re.search(r"alibaba\.e_commerce_ai_cloud\.[a-z_]+,alibaba,e_commerce_ai_cloud,", reason)
    assert line, f"the line to add is given: {reason}"


@pytest.mark.parametrize("form", FORMS)
def test_a_table_that_does_not_add_up_is_refused_with_both_numbers(form: str) -> None:
    """Cloud revenue of the quarter is 1,000 too high: rows 269,953, total 268,953."""
    document = changed(
        release("e_commerce_ai_cloud_2026-06"),
        ("revenue by segment", "AI Cloud and Compute Services"),
        with_value(1, 1000),
    )
    reason = refusal(document, form)
    assert re.search(r"269,?953|49,?437", reason), reason
    assert re.search(r"268,?953|48,?437", reason), reason


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_us_dollar_figure_is_refused(form: str) -> None:
    document = changed(
        release("china_e_commerce_2025-09"),
        ("revenue by segment", "Cloud Intelligence Group"),
        with_value(2, 90),
    )
    reason = refusal(document, form)
    assert re.search(r"5,?684", reason), reason


@pytest.mark.parametrize("form", FORMS)
def test_a_printed_growth_counts_though_the_dash_of_the_next_row_follows(form: str) -> None:
    """Amounts of the year before that still add up: nothing else says that they are wrong."""
    document = release("core_commerce_2019-03")
    for label, step in (("- Customer management", 5_000), ("- Commission", -5_000)):
        document = changed(document, ("revenue by segment", label), with_value(0, step))
    reason = refusal(document, form)
    assert "'Customer management': prints a growth of 31%" in reason


@pytest.mark.parametrize("form", FORMS)
def test_columns_that_contradict_their_heads_are_refused(form: str) -> None:
    """The years above the columns are exchanged, the figures below them are not."""
    document = release("china_e_commerce_2025-09")
    for index, table in enumerate(document.tables):
        years = {"2024": "2025", "2025": "2024"}
        columns = tuple(
            replace(column, path=tuple(years.get(text, text) for text in column.path))
            for column in table.columns
        )
        if table.caption and "revenue" in table.caption:
            document = document.with_table(index, replace(table, columns=columns))
    refusal(document, form)


@pytest.mark.parametrize("form", FORMS)
def test_swapped_columns_with_contradicting_totals_are_refused(form: str) -> None:
    """Two columns of segments are exchanged in their figures, but not the names above them."""
    document = release("commerce_2021-06")
    index, table = next(
        (index, table)
        for index, table in enumerate(document.tables)
        if table.columns[0].path[1] == "Commerce"
    )
    rows = tuple(
        replace(row, cells=(row.cells[1], row.cells[0], *row.cells[2:])) for row in table.rows
    )
    refusal(document.with_table(index, replace(table, rows=rows)), form)


@pytest.mark.parametrize("form", FORMS)
def test_two_tables_of_one_release_that_contradict_each_other_are_refused(form: str) -> None:
    """Each adds up, but the table at the end says another cloud revenue than the one before."""
    document = release("seven_segments_2022-09")
    last = len(document.tables) - 3
    table = document.tables[last]
    assert "revenue by segment" in table.caption

    def moved(row: Row) -> Row:
        step = {"Cloud": 640, "Cainiao": -640}.get(row.label, 0)
        cells = list(row.cells)
        cells[1] = replace(cells[1], value=cells[1].value + step)
        cells[2] = replace(cells[2], value=cells[2].value + round(step / 7.1135))
        return replace(row, cells=tuple(cells))

    rows = tuple(moved(row) for row in table.rows)
    reason = refusal(document.with_table(last, replace(table, rows=rows)), form)
    assert re.search(r"21,?397|20,?757|14,?007|13,?367|12,?727", reason), reason


@pytest.mark.parametrize("form", FORMS)
def test_a_release_without_segment_tables_is_refused(form: str) -> None:
    document = release("e_commerce_ai_cloud_2026-06")
    blocks = tuple(block for block in document.blocks if not isinstance(block, Table))
    reason = refusal(replace(document, blocks=blocks), form)
    assert "segment" in reason or "table" in reason


def test_a_table_without_its_last_segment_is_refused() -> None:
    document = release("china_e_commerce_2025-09")
    for index, table in enumerate(document.tables):
        rows = tuple(row for row in table.rows if row.label != "All others")
        document = document.with_table(index, replace(table, rows=rows))
    refusal(document)


def test_a_company_that_the_registry_does_not_know_is_refused() -> None:
    content = to_html(release("e_commerce_ai_cloud_2026-06"))
    with pytest.raises((DocumentRefused, LookupError)) as refused:
        read_release(content, "release.html", "no_such_company", load_registry())
    assert "no_such_company" in str(refused.value)


def test_a_release_of_another_company_is_refused() -> None:
    """No table of it has the segments of the company that was asked for."""
    content = to_html(release("e_commerce_ai_cloud_2026-06"))
    with pytest.raises(DocumentRefused):
        read_release(content, "release.html", "jd", load_registry())


def test_a_table_of_another_shape_is_not_taken_for_segments(tally: Outcome) -> None:
    """A table of regions with a total of its own, between the two of segments."""
    document = release("e_commerce_ai_cloud_2026-06")
    head = ("Three months ended June 30,", "2026", "RMB")
    numbers = {"North": 1200, "South": 800, "Total": 2000}
    table = Table(
        "Orders by region:",
        (Column(head),),
        tuple(Row(label, (Cell("money", each),)) for label, each in numbers.items()),
        unit="(in millions)",
    )
    at = document.blocks.index(document.tables[2])
    blocks = (*document.blocks[:at], table, *document.blocks[at:])
    for form in FORMS:
        assert_exact(replace(document, blocks=blocks), form, tally)
