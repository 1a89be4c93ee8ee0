"""A release that looks otherwise, or is damaged, never gives a wrong figure.

Two kinds of change to documents of ``tests.documents.writer``: those that leave the meaning alone
(other separators, marks, dashes, markup, order of columns) and those that damage it (a digit, a
label, a cell, a head). The property is one: every figure that is returned is right. A refusal or an
absent figure is allowed and counted; the counts are printed at the end (``pytest -s``). What a
person would read without a second look (``READ``) must be read whole.

What no reader of one document can notice is not asked for: the labels of two lines exchanged where
the document prints both lines in that one table alone.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestration.documents.reading import DocumentRefused
from orchestration.documents.release import read_release
from orchestration.registry import load_registry
from tests.documents.compare import compare
from tests.documents.writer import (
    PLANS,
    WITH_COLUMNS,
    Cell,
    Column,
    Release,
    Row,
    Style,
    Table,
    release,
    to_html,
    to_text,
    written,
)

NAMES = [plan.name for plan in PLANS]
#: Documents that print each segment's figure in two tables, so that one can contradict the other.
TWICE = [plan.name for plan in PLANS if plan.structure in WITH_COLUMNS]
FORMS = {"html": to_html, "txt": to_text}
A_FEW, MANY = 9, 400

#: Changes after which every figure must come back all the same.
READ = {
    "full_width",
    "minus",
    "nil",
    "spaces",
    "case",
    "soft_hyphens",
    "list_dash",
    "cells",
    "current_year_first",
    "blank_rows",
    "tables_reordered",
    "marks_anywhere",
    "marks_in_heads",
    "hong_kong_dollars",
    "a_table_printed_twice",
    "heads_as_th",
    "rowspan",
    "colspan_of_one",
    "narrower_heads",
    "divisions",
    "spans",
    "digits_in_spans",
    "comments",
    "bracket_apart",
    "dollar_signs",
    "yuan_signs",
    "entities",
    "named_entities",
    "windows_lines",
    "no_lines",
    "capital_tags",
    "unclosed_cells",
    "extra_cells",
    "breaks_in_heads",
    "one_row_per_body",
    "hidden_row",
}

COUNTS: dict[str, Counter[str]] = defaultdict(Counter)


@pytest.fixture(scope="module", autouse=True)
def _counts() -> Iterator[None]:
    yield
    print(f"\n{'mutation':34}{'documents':>10}{'refused':>9}{'right':>8}{'absent':>8}{'wrong':>7}")
    for name, counts in [*COUNTS.items(), ("all", sum(COUNTS.values(), Counter()))]:
        print(
            f"{name:34}{counts['documents']:>10}{counts['refused']:>9}"
            f"{counts['right']:>8}{counts['absent']:>8}{counts['wrong']:>7}"
        )


@cache
def _release(name: str) -> Release:
    return release(name)


def never_wrong(mutation: str, document: Release, content: bytes, form: str) -> None:
    """Read a changed document; fail on a wrong figure, count everything."""
    counts = COUNTS[mutation]
    counts["documents"] += 1
    try:
        reading = read_release(content, f"{document.name}.{form}", "alibaba", load_registry())
    except DocumentRefused as refused:
        counts["refused"] += 1
        if mutation in READ:
            raise AssertionError(f"{mutation}, {document.name}.{form} was refused") from refused
        return
    outcome = compare(document, reading)
    counts["right"] += outcome.right
    counts["absent"] += len(outcome.absent)
    counts["wrong"] += len(outcome.wrong)
    assert not outcome.wrong, f"{mutation}, {document.name}.{form}: {outcome.wrong[:5]}"
    assert mutation not in READ or not outcome.absent, f"{mutation}: {outcome.absent[:5]}"


def counted(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """How often a property is tried, and without a deadline: the machine may be busy."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=count == A_FEW,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


names = st.sampled_from(NAMES)
forms = st.sampled_from(list(FORMS))
seeds = st.integers(0, 2**32 - 1)

# --- another look -------------------------------------------------------------------------------

LOOKS: dict[str, list[Style]] = {
    "thousands": [
        Style(thousands=each) for each in (" ", "\u2009", "\u00a0", "\uff0c", "'", "\u2019", "")
    ],
    "thousands_as_points": [Style(thousands=".")],
    "full_width": [Style(full_width=True), Style(full_width=True, signs_apart=False)],
    "minus": [
        Style(minus=each, signs_apart=apart)
        for each in ("-", "\u2212", "\u2013", "\u2014", "\u2010")
        for apart in (True, False)
    ],
    "nil": [
        Style(nil=each) for each in ("-", "\u2013", "\u2014", "\u2015", "\u2500", "--", "\u2212")
    ],
    "nil_in_words": [Style(nil=each) for each in ("nil", "0", "\u2014\u2014", "N/A")],
    "marks": [
        Style(mark=each)
        for each in ("*", "**", "\u2020", "\u2021", "[{}]", "letter", "superscript", "{}", "({})")
    ],
    "spaces": [Style(space=each) for each in ("\u00a0", "  ", "\u2009", "\u202f", "\n", "\t")],
    "case": [Style(case=each) for each in ("upper", "lower", "title")],
    "soft_hyphens": [Style(soft_hyphens=True)],
    "list_dash": [Style(dash=each) for each in ("\u2013", "\u2014", "\u2022", "\u00b7", "\u2212")],
    "no_growth_rate": [
        Style(not_available=each) for each in ("NM", "n/a", "N.A.", "\u2014", "", "N/M")
    ],
    "no_percent_sign": [Style(percent=each) for each in ("", " %", "pp", "\uff05")],
    "split_digits": [Style(split_digits=True), Style(split_digits=True, line_per_row=True)],
    "cells": [
        Style(signs_apart=apart, spacers=spacers, merged_headers=merged)
        for apart in (True, False)
        for spacers in (True, False)
        for merged in (True, False)
    ],
}


@pytest.mark.parametrize("look", LOOKS)
def test_another_look(look: str) -> None:
    _look(look, A_FEW)


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS)
def test_another_look_at_length(look: str) -> None:
    _look(look, MANY)


def _look(look: str, count: int) -> None:
    @counted(count)
    @given(names, forms, st.sampled_from(LOOKS[look]))
    def check(name: str, form: str, style: Style) -> None:
        document = _release(name)
        never_wrong(look, document, FORMS[form](document, style), form)

    check()


@st.composite
def styles(draw: st.DrawFn) -> Style:
    """Several looks at once."""
    style = Style()
    for look in draw(st.lists(st.sampled_from(list(LOOKS)), unique=True, max_size=5)):
        other = draw(st.sampled_from(LOOKS[look]))
        fields = {
            key: value for key, value in vars(other).items() if value != getattr(Style(), key)
        }
        style = replace(style, **fields)
    return style


# --- another layout -----------------------------------------------------------------------------


def _permuted(table: Table, order: list[int]) -> Table:
    return replace(
        table,
        columns=tuple(table.columns[i] for i in order),
        rows=tuple(
            replace(row, cells=tuple(row.cells[i] for i in order)) if row.cells else row
            for row in table.rows
        ),
    )


def columns_reordered(document: Release, draw: random.Random) -> Release:
    """The columns of every table in another order, each below its own head."""
    for index, table in enumerate(document.tables):
        order = list(range(len(table.columns)))
        draw.shuffle(order)
        document = document.with_table(index, _permuted(table, order))
    return document


def current_year_first(document: Release, draw: random.Random) -> Release:
    """The current year left of the year before, as other issuers print it."""
    for index, table in enumerate(document.tables):
        order = sorted(range(len(table.columns)), key=lambda i: table.columns[i].path[1], reverse=1)
        document = document.with_table(index, _permuted(table, order))
    return document


def blank_columns(document: Release, draw: random.Random) -> Release:
    """Columns without a head and without figures."""
    for index, table in enumerate(document.tables):
        at = draw.randrange(len(table.columns) + 1)
        blank = Column(tuple("" for _ in table.columns[0].path))
        columns = (*table.columns[:at], blank, *table.columns[at:])
        rows = tuple(
            replace(row, cells=(*row.cells[:at], Cell(), *row.cells[at:])) if row.cells else row
            for row in table.rows
        )
        document = document.with_table(index, replace(table, columns=columns, rows=rows))
    return document


def blank_rows(document: Release, draw: random.Random) -> Release:
    """Rows without words and figures."""
    for index, table in enumerate(document.tables):
        rows: list[Row] = []
        for row in table.rows:
            rows += [row, Row("")] if draw.random() < 0.3 else [row]
        document = document.with_table(index, replace(table, rows=tuple(rows)))
    return document


def tables_reordered(document: Release, draw: random.Random) -> Release:
    """The parts of the document in another order; what stands before the first table stays."""
    first = next(i for i, block in enumerate(document.blocks) if isinstance(block, Table))
    rest = list(document.blocks[first:])
    draw.shuffle(rest)
    return replace(document, blocks=(*document.blocks[:first], *rest))


def unit_words(document: Release, draw: random.Random) -> Release:
    """The unit in other words, the same in every table."""
    unit = draw.choice(
        [
            "(RMB in millions)",
            "(in RMB millions, except percentages)",
            "(in millions of RMB, except percentages)",
            "(In millions, except for percentages)",
            "(Amounts in millions)",
            "(RMB and US$ in millions)",
        ]
    )
    for index, table in enumerate(document.tables):
        document = document.with_table(index, replace(table, unit=unit))
    return document


def marks_anywhere(document: Release, draw: random.Random) -> Release:
    """Footnote marks after any figure and label, glued or apart."""
    for index, table in enumerate(document.tables):
        rows = []
        for row in table.rows:
            cells = tuple(
                replace(cell, mark=draw.choice(["(1)", "(2)", " (2)", " (3)"]))
                if cell.kind == "money" and draw.random() < 0.06
                else cell
                for cell in row.cells
            )
            mark = "(2)" if row.label and draw.random() < 0.2 else row.mark
            rows.append(replace(row, cells=cells, mark=mark))
        document = document.with_table(index, replace(table, rows=tuple(rows)))
    return document


def marks_in_heads(document: Release, draw: random.Random) -> Release:
    """Footnote marks after years, currencies and names of columns."""
    for index, table in enumerate(document.tables):
        columns = tuple(
            replace(
                column,
                marks=tuple(
                    draw.choice(["(1)", "(3)", " (2)"]) if text and draw.random() < 0.3 else ""
                    for text in column.path
                ),
            )
            for column in table.columns
        )
        document = document.with_table(index, replace(table, columns=columns))
    return document


def hong_kong_dollars(document: Release, draw: random.Random) -> Release:
    """A column in HK$ after each one in US$."""
    for index, table in enumerate(document.tables):
        places = [i for i, column in enumerate(table.columns) if column.path[-1] == "US$"]
        columns, rows = list(table.columns), [list(row.cells) for row in table.rows]
        for at in reversed(places):
            path = (*columns[at].path[:-1], "HK$")
            columns.insert(at + 1, replace(columns[at], path=path))
            for cells in rows:
                if cells:
                    cells.insert(at + 1, replace(cells[at], value=round(cells[at].value * 7.8)))
        document = document.with_table(
            index,
            replace(
                table,
                columns=tuple(columns),
                rows=tuple(
                    replace(row, cells=tuple(cells))
                    for row, cells in zip(table.rows, rows, strict=True)
                ),
            ),
        )
    return document


def a_table_printed_twice(document: Release, draw: random.Random) -> Release:
    """One table again at the end."""
    return replace(document, blocks=(*document.blocks, draw.choice(document.tables)))


def the_quarter_before(document: Release, draw: random.Random) -> Release:
    """A third column of amounts, of the quarter before, as tables of costs have it."""
    before = document.period.quarters[0]
    previous = replace(before, months=6).quarters[1]
    truth = dict(document.truth)
    for index, table in enumerate(document.tables):
        last = str(before.end.year)
        places = [
            i
            for i, column in enumerate(table.columns)
            if column.path == (before.heading, last, "RMB")
        ]
        if len(places) != 1:
            continue
        at = places[0]
        head = (f"{previous.heading}", str(previous.end.year), "RMB")
        rows = []
        for row in table.rows:
            if not row.cells:
                rows.append(row)
                continue
            # Twice the current amount: any column of multiples adds up as the first does.
            cell = replace(row.cells[at], value=2 * row.cells[at].value)
            if cell.fact:
                fact = replace(cell.fact, period=previous, required=False)
                truth[fact] = cell.value
                cell = replace(cell, fact=fact)
            rows.append(replace(row, cells=(*row.cells[:at], cell, *row.cells[at:])))
        columns = (*table.columns[:at], Column(head), *table.columns[at:])
        document = document.with_table(index, replace(table, columns=columns, rows=tuple(rows)))
    return replace(document, truth=truth)


def rows_exchanged(document: Release, draw: random.Random) -> Release:
    """Two rows, with label and figures, change places in each table; not two "Others"."""
    for index, table in enumerate(document.tables):
        labels = Counter(row.label.strip("- ") for row in table.rows)
        rows = list(table.rows)
        places = [
            r for r, row in enumerate(rows) if row.cells and labels[row.label.strip("- ")] == 1
        ]
        one, other = draw.sample(places, 2)
        rows[one], rows[other] = rows[other], rows[one]
        document = document.with_table(index, replace(table, rows=tuple(rows)))
    return document


def label_dots(document: Release, draw: random.Random) -> Release:
    """Leaders or a colon after the labels."""
    end = draw.choice([" .....", ":", " \u2026", " \u2014", " "])
    for index, table in enumerate(document.tables):
        rows = tuple(
            replace(row, label=row.label + end) if row.label else row for row in table.rows
        )
        document = document.with_table(index, replace(table, rows=rows))
    return document


# --- damage -------------------------------------------------------------------------------------


def _change_cell(
    document: Release, draw: random.Random, change: Callable[[Cell, random.Random], Cell]
) -> Release:
    """One cell of one table, with a figure in it, changed."""
    places = [
        (index, r, c)
        for index, table in enumerate(document.tables)
        for r, row in enumerate(table.rows)
        for c, cell in enumerate(row.cells)
        if cell.kind == "money"
    ]
    index, r, c = draw.choice(places)
    table = document.tables[index]
    row = table.rows[r]
    cells = (*row.cells[:c], change(row.cells[c], draw), *row.cells[c + 1 :])
    rows = (*table.rows[:r], replace(row, cells=cells), *table.rows[r + 1 :])
    return document.with_table(index, replace(table, rows=rows))


def a_digit_changed(document: Release, draw: random.Random) -> Release:
    """One digit of one figure is another."""

    def change(cell: Cell, draw: random.Random) -> Cell:
        digits = list(str(abs(cell.value)))
        at = draw.randrange(len(digits))
        digits[at] = draw.choice([d for d in "0123456789" if d != digits[at]])
        value = int("".join(digits))
        return replace(cell, value=-value if cell.value < 0 else value)

    return _change_cell(document, draw, change)


def a_sign_changed(document: Release, draw: random.Random) -> Release:
    """One figure with the other sign."""
    return _change_cell(document, draw, lambda cell, _: replace(cell, value=-cell.value))


def two_digits_exchanged(document: Release, draw: random.Random) -> Release:
    """A slip of the pen: 12,345 for 12,354."""

    def change(cell: Cell, draw: random.Random) -> Cell:
        digits = list(str(abs(cell.value)))
        pairs = [i for i in range(len(digits) - 1) if digits[i] != digits[i + 1]]
        if not pairs:
            return replace(cell, value=cell.value + 1)
        at = draw.choice(pairs)
        digits[at], digits[at + 1] = digits[at + 1], digits[at]
        value = int("".join(digits))
        return replace(cell, value=-value if cell.value < 0 else value)

    return _change_cell(document, draw, change)


def a_cell_dropped(document: Release, draw: random.Random) -> Release:
    """One figure is not there."""
    return _change_cell(document, draw, lambda cell, _: Cell())


def a_cell_doubled(document: Release, draw: random.Random) -> Release:
    """One figure stands twice in its cell, as in text layers that print a word over another."""
    return _change_cell(
        document,
        draw,
        lambda cell, _: Cell("words", words=f"{cell.value:,} {cell.value:,}"),
    )


def two_cells_compensate(document: Release, draw: random.Random) -> Release:
    """An amount moved from one segment to another within a column: the sum stays.

    One of the two prints a growth rate: between two whose sign has changed, nothing printed would
    show it.
    """
    index = draw.choice(
        [i for i, table in enumerate(document.tables) if " by segment" in table.caption]
    )
    table = document.tables[index]
    at = draw.choice([i for i, each in enumerate(table.columns) if each.path[-1] == "RMB"])
    known = ("Unallocated", "Inter-segment elimination", "Consolidation adjustments")
    rows = [
        r
        for r, row in enumerate(table.rows)
        if row.cells
        and row.cells[at].fact
        and row.cells[at].fact.segment
        and row.label not in known
        and abs(row.cells[at].value) > 100
    ]
    one = draw.choice([r for r in rows if all(cell.kind != "na" for cell in table.rows[r].cells)])
    other = draw.choice([r for r in rows if r != one])
    amount = max(abs(table.rows[r].cells[at].value) for r in (one, other)) // 5
    changed = list(table.rows)
    for r, step in ((one, amount), (other, -amount)):
        cells = list(changed[r].cells)
        cells[at] = replace(cells[at], value=cells[at].value + step)
        changed[r] = replace(changed[r], cells=tuple(cells))
    return document.with_table(index, replace(table, rows=tuple(changed)))


def _rows_of(document: Release, draw: random.Random) -> tuple[int, Table, list[int]]:
    index = draw.randrange(len(document.tables))
    table = document.tables[index]
    return index, table, [r for r, row in enumerate(table.rows) if row.cells]


def a_row_dropped(document: Release, draw: random.Random) -> Release:
    """One row is not there."""
    index, table, rows = _rows_of(document, draw)
    at = draw.choice(rows)
    return document.with_table(
        index, replace(table, rows=(*table.rows[:at], *table.rows[at + 1 :]))
    )


def a_heading_dropped(document: Release, draw: random.Random) -> Release:
    """One heading of rows is not there: two lines are called "Others" below two headings."""
    places = [
        (index, r)
        for index, table in enumerate(document.tables)
        for r, row in enumerate(table.rows)
        if not row.cells
    ]
    if not places:
        return document
    index, at = draw.choice(places)
    table = document.tables[index]
    return document.with_table(
        index, replace(table, rows=(*table.rows[:at], *table.rows[at + 1 :]))
    )


def a_row_doubled(document: Release, draw: random.Random) -> Release:
    """One row stands twice."""
    index, table, rows = _rows_of(document, draw)
    at = draw.choice(rows)
    return document.with_table(
        index, replace(table, rows=(*table.rows[: at + 1], *table.rows[at:]))
    )


def a_column_dropped(document: Release, draw: random.Random) -> Release:
    """The figures of one column are not there, its head is."""
    index, table, _ = _rows_of(document, draw)
    at = draw.randrange(len(table.columns))
    rows = tuple(
        replace(row, cells=(*row.cells[:at], Cell(), *row.cells[at + 1 :])) if row.cells else row
        for row in table.rows
    )
    return document.with_table(index, replace(table, rows=rows))


def heads_exchanged(document: Release, draw: random.Random) -> Release:
    """Two heads of one table exchanged, the figures below them not."""
    index, table, _ = _rows_of(document, draw)
    columns = list(table.columns)
    one, other = draw.sample(range(len(columns)), 2)
    columns[one], columns[other] = columns[other], columns[one]
    return document.with_table(index, replace(table, columns=tuple(columns)))


def another_period(document: Release, draw: random.Random) -> Release:
    """Other words of the period above one table."""
    index, table, _ = _rows_of(document, draw)
    old = re.search(r"(Three months|Six months|Nine months|Year) ended", table.columns[0].path[0])
    assert old
    others = [w for w in ("Three months", "Six months", "Nine months", "Year") if w != old[1]]
    new = draw.choice(others)
    columns = tuple(
        replace(column, path=(column.path[0].replace(old[1], new), *column.path[1:]))
        for column in table.columns
    )
    return document.with_table(index, replace(table, columns=columns))


def another_year(document: Release, draw: random.Random) -> Release:
    """Both years above one table are one year off."""
    index, table, _ = _rows_of(document, draw)
    step = draw.choice([-1, 1])

    def moved(text: str) -> str:
        return re.sub(r"\b20\d\d\b", lambda match: str(int(match[0]) + step), text)

    columns = tuple(
        replace(column, path=tuple(moved(text) for text in column.path)) for column in table.columns
    )
    return document.with_table(index, replace(table, columns=columns))


def another_day(document: Release, draw: random.Random) -> Release:
    """The quarter's end above one table is that of another quarter."""
    index, table, _ = _rows_of(document, draw)
    days = ["March 31", "June 30", "September 30", "December 31"]
    old = next(day for day in days if day in table.columns[0].path[0])
    new = draw.choice([day for day in days if day != old])
    columns = tuple(
        replace(column, path=(column.path[0].replace(old, new), *column.path[1:]))
        for column in table.columns
    )
    return document.with_table(index, replace(table, columns=columns))


def another_unit(document: Release, draw: random.Random) -> Release:
    """One table in thousands or billions, by its own words."""
    index, table, _ = _rows_of(document, draw)
    unit = draw.choice(
        ["(in thousands)", "(in billions)", "(in millions, except percentages) RMB'000"]
    )
    return document.with_table(index, replace(table, unit=unit))


def another_caption(document: Release, draw: random.Random) -> Release:
    """The words above two tables exchanged: revenue announced as adjusted EBITA."""
    places = [i for i, table in enumerate(document.tables) if " by segment" in table.caption]
    one, other = draw.sample(places, 2)
    first, second = document.tables[one], document.tables[other]
    document = document.with_table(one, replace(first, caption=second.caption))
    return document.with_table(other, replace(second, caption=first.caption))


def two_labels_exchanged(document: Release, draw: random.Random) -> Release:
    """The labels of two segments exchanged in one of the tables that print them."""
    index = draw.choice(
        [i for i, table in enumerate(document.tables) if " by segment" in table.caption]
    )
    table = document.tables[index]
    # Only rows of whole segments: those are printed in two tables.
    segments = {
        column.path[1].lower()
        for other in document.tables
        for column in other.columns
        if len(column.path) == 3
    }
    rows = [
        r
        for r, row in enumerate(table.rows)
        if row.cells and row.label.removeprefix("Total ").removesuffix(":").lower() in segments
    ]
    one, other = draw.sample(rows, 2)
    changed = list(table.rows)
    changed[one] = replace(changed[one], label=table.rows[other].label)
    changed[other] = replace(changed[other], label=table.rows[one].label)
    return document.with_table(index, replace(table, rows=tuple(changed)))


def a_label_unknown(document: Release, draw: random.Random) -> Release:
    """A letter of one label is another."""
    index, table, _ = _rows_of(document, draw)
    rows = [r for r, row in enumerate(table.rows) if len(row.label) > 3]
    at = draw.choice(rows)
    label = table.rows[at].label
    letters = [i for i, c in enumerate(label) if c.isalpha()]
    i = draw.choice(letters)
    label = label[:i] + draw.choice("bgkqxz") + label[i + 1 :]
    changed = list(table.rows)
    changed[at] = replace(changed[at], label=label)
    return document.with_table(index, replace(table, rows=tuple(changed)))


Change = Callable[[Release, random.Random], Release]
LAYOUTS: tuple[Change, ...] = (
    columns_reordered,
    current_year_first,
    blank_columns,
    blank_rows,
    tables_reordered,
    unit_words,
    label_dots,
    marks_anywhere,
    marks_in_heads,
    the_quarter_before,
    rows_exchanged,
    hong_kong_dollars,
    a_table_printed_twice,
)
DAMAGES: tuple[Change, ...] = (
    a_digit_changed,
    a_sign_changed,
    two_digits_exchanged,
    two_cells_compensate,
    a_cell_dropped,
    a_cell_doubled,
    a_row_dropped,
    a_heading_dropped,
    a_row_doubled,
    a_column_dropped,
    heads_exchanged,
    another_period,
    another_year,
    another_day,
    another_unit,
    another_caption,
    two_labels_exchanged,
    a_label_unknown,
)


@pytest.mark.parametrize("change", LAYOUTS + DAMAGES, ids=lambda change: change.__name__)
def test_another_layout_or_damage(change: Change) -> None:
    _changed(change, A_FEW)


@pytest.mark.long
@pytest.mark.parametrize("change", LAYOUTS + DAMAGES, ids=lambda change: change.__name__)
def test_another_layout_or_damage_at_length(change: Change) -> None:
    _changed(change, MANY)


def _changed(change: Change, count: int) -> None:
    chosen = st.sampled_from(TWICE) if change is two_labels_exchanged else names

    @counted(count)
    @given(chosen, forms, seeds)
    def check(name: str, form: str, seed: int) -> None:
        document = change(_release(name), random.Random(seed))
        never_wrong(change.__name__, document, FORMS[form](document, Style()), form)

    check()


@pytest.mark.parametrize("count", [A_FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_several_at_once(count: int) -> None:
    @counted(count)
    @given(names, forms, seeds, styles(), st.lists(st.sampled_from(LAYOUTS), max_size=3))
    def check(name: str, form: str, seed: int, style: Style, changes: list[Change]) -> None:
        document, draw = _release(name), random.Random(seed)
        for change in changes:
            document = change(document, draw)
        never_wrong("several_at_once", document, FORMS[form](document, style), form)

    check()


# --- markup and characters ----------------------------------------------------------------------


def _replaced(pattern: str, new: str | Callable[[re.Match[str]], str]) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, new, text)


def _cell_number(wrap: str) -> Callable[[str], str]:
    return _replaced(r"(?<=>)(\(?[\d,]{3,})(?=<)", lambda match: wrap.format(match[1]))


MARKUP: dict[str, Callable[[str], str]] = {
    "heads_as_th": lambda text: text.replace("<td colspan", "<th colspan"),
    "rowspan": _replaced(r"<tr><td>&nbsp;</td>(?=<td colspan)", "<tr><td rowspan='1'></td>"),
    "colspan_of_one": lambda text: text.replace("<td></td>", "<td colspan='1'></td>"),
    "narrower_heads": _replaced(
        r"colspan='(\d+)'", lambda match: f"colspan='{max(1, int(match[1]) - 1)}'"
    ),
    "divisions": _replaced(r"(<td[^>]*>)([^<]*)(?=</?\w)", r"\1<div><font>\2</font></div>"),
    "spans": _cell_number("<span><ix:nonfraction>{0}</ix:nonfraction></span>"),
    "digits_in_spans": _replaced(
        r"(?<=>)(\(?\d{1,3})(,\d{3})(?=<)", r"<span>\1</span><span>\2</span>"
    ),
    "comments": _replaced(r"(?<=>)(\(?\d{1,3})(,\d{3})(?=<)", r"\1<!-- -->\2"),
    "bracket_apart": _replaced(r"<td></td>(<td[^>]*>)\((?=[\d,])", r"<td>(</td>\1"),
    "dollar_signs": _replaced(r"<td></td>(?=<td[^>]*>\d)", "<td>$</td>"),
    "yuan_signs": _replaced(r"<td></td>(?=<td[^>]*>\d)", "<td>\u00a5</td>"),
    "entities": lambda text: text.replace("\u2014", "&#8212;").replace("&nbsp;", "&#160;"),
    "named_entities": lambda text: text.replace("\u2014", "&mdash;").replace("&nbsp;", "&#xa0;"),
    "windows_lines": lambda text: text.replace("\n", "\r\n"),
    "no_lines": lambda text: text.replace("\n", ""),
    "capital_tags": _replaced(r"</?[a-z]+", lambda match: match[0].upper()),
    "unclosed_cells": lambda text: text.replace("</td>", "").replace("</tr>", ""),
    "extra_cells": lambda text: text.replace("</tr>", "<td></td><td>&nbsp;</td></tr>"),
    "breaks_in_heads": lambda text: text.replace(" ended ", " ended<br>"),
    "nested_table": _replaced(
        r"(<td style='text-align: right'>)([^<]+)(</td>)",
        r"\1<table><tr><td>\2</td></tr></table>\3",
    ),
    "one_row_per_body": lambda text: text.replace("<tr>", "<tbody><tr>").replace(
        "</tr>", "</tr></tbody>"
    ),
    "hidden_row": lambda text: text.replace(
        "</table>", "<tr style='display: none'><td>Total</td><td>1</td></tr></table>"
    ),
}


@pytest.mark.parametrize("documents", [5, pytest.param(len(NAMES), marks=pytest.mark.long)])
@pytest.mark.parametrize("markup", MARKUP)
def test_another_markup(markup: str, documents: int) -> None:
    """The same cells in other HTML, one document of each structure from the newest on."""
    for name in NAMES[-documents:]:
        document = _release(name)
        content = MARKUP[markup](to_html(document).decode()).encode()
        assert content != to_html(document)
        never_wrong(markup, document, content, "html")


@pytest.mark.parametrize("count", [4 * A_FEW, pytest.param(4 * MANY, marks=pytest.mark.long)])
def test_one_character_changed_anywhere_in_a_table(count: int) -> None:
    """One character deleted, put in, or replaced, in a line that holds figures or a head."""

    @counted(count)
    @given(names, forms, seeds)
    def check(name: str, form: str, seed: int) -> None:
        document, draw = _release(name), random.Random(seed)
        text = FORMS[form](document, Style()).decode()
        # After the title and the paragraphs: a wrong rate or date there is another matter.
        at = draw.randrange(text.index("SUMMARY FINANCIAL"), len(text))
        new = draw.choice(["", draw.choice("0123456789"), draw.choice("(),.%- \u2014OlSB")])
        text = text[:at] + new + text[at + draw.choice([0, 1]) :]
        never_wrong("one_character", document, text.encode(), form)

    check()


PAGES = (
    "\n \n {page}   \n",
    "\n{page}\n",
    " {page} ",
    "\n \n {page}   \nALIBABA GROUP HOLDING LIMITED  ",
    "\f",
)


@pytest.mark.parametrize("count", [A_FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_a_page_ends_within_a_table(count: int) -> None:
    """The page's number, and at times the issuer's name, stand between two rows of a text."""

    @counted(count)
    @given(names, seeds, st.sampled_from(PAGES))
    def check(name: str, seed: int, page: str) -> None:
        document, draw = _release(name), random.Random(seed)
        lines = to_text(document, Style(line_per_row=True)).decode().split("\n")
        for _ in range(3):
            at = draw.randrange(5, len(lines))
            lines[at] = page.format(page=draw.randrange(1, 60)) + lines[at]
        never_wrong("page_ends", document, "\n".join(lines).encode(), "txt")

    check()


@pytest.mark.parametrize("count", [A_FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("parted", [r"\d,\d{3}", r"[a-z]{4}"], ids=["figures", "words"])
def test_spaces_that_the_page_does_not_show(parted: str, count: int) -> None:
    """Text layers part figures ("1 6,051", "16,0 51") and words ("Serv ices") anywhere."""

    @counted(count)
    @given(names, seeds, st.sampled_from([0.01, 0.05, 0.2]))
    def check(name: str, seed: int, share: float) -> None:
        document, draw = _release(name), random.Random(seed)

        def part(match: re.Match[str]) -> str:
            if draw.random() > share:
                return match[0]
            at = draw.randrange(1, len(match[0]))
            return f"{match[0][:at]} {match[0][at:]}"

        head, mark, tables = to_text(document).decode().partition("SUMMARY FINANCIAL")
        text = head + mark + re.sub(parted, part, tables)
        kind = "figures" if parted.startswith(r"\d") else "words"
        never_wrong(f"spaces_in_{kind}", document, text.encode(), "txt")

    check()


@pytest.mark.parametrize("divisor", [1000, 4000, 20_000])
def test_figures_that_look_like_footnote_marks(divisor: int) -> None:
    """Segments that lose 2 or earn 3, with marks such as "(2)" among them."""
    for plan in PLANS:
        small = written(replace(plan, divisor=divisor))
        for form, style in (
            ("html", Style()),
            ("html", Style(mark="{}")),
            ("txt", Style()),
            ("txt", Style(line_per_row=True)),
        ):
            never_wrong("small_figures", small, FORMS[form](small, style), form)


@pytest.mark.parametrize("count", [A_FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_a_document_that_ends_too_soon(count: int) -> None:
    @counted(count)
    @given(names, forms, st.floats(0.05, 0.999))
    @example("core_commerce_2019-03", "txt", 0.5)
    def check(name: str, form: str, part: float) -> None:
        document = _release(name)
        content = FORMS[form](document, Style())
        never_wrong("cut_off", document, content[: int(len(content) * part)], form)

    check()
