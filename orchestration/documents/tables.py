"""Rows of a table, and the blocks of them that add up to a consolidated figure.

A block is the rows of segments between a metric's heading or total and its end. It is read rightly
if one way to align its rows makes every column add up to the total; otherwise it is not used.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from orchestration.documents.alignment import Amounts, align
from orchestration.documents.headers import Head
from orchestration.documents.tokens import Token, tokenise
from orchestration.documents.vocabulary import Label, Vocabulary, letters

#: More words than a row's name and its headings have: running text.
_MAX_WORDS = 40
#: Figures of a table beyond which something else must have begun.
_MAX_ROWS = 80
_MAX_LENGTH = 12_000


@dataclass(frozen=True)
class Row:
    """The name of a row and the ways to read its figures; unnamed rows may follow in a way.

    ``percents`` are its percentages in order, ``None`` for N/A, nothing where that is unclear.
    ``parted_ways`` are those in which a space parts a number; they are asked where no other way
    makes a table add up. ``has_bullet``: a dash stands before its own words, so it is one of a
    list under a heading.
    """

    label: Label
    ways: tuple[tuple[Amounts, ...], ...]
    parted_ways: tuple[tuple[Amounts, ...], ...]
    start: int
    run: tuple[Token, ...] = ()
    percents: tuple[Decimal | None, ...] = ()
    has_bullet: bool = False

    @property
    def printed(self) -> str:
        """Its own words, without the headings before them."""
        name = self.label.name
        if name is None or letters(self.label.printed) == letters(name.printed):
            return " ".join(self.label.printed.split())
        return name.printed


@dataclass(frozen=True)
class Table:
    """A head and the rows under it; ``number`` counts the tables of the document from one."""

    number: int
    head: Head
    rows: tuple[Row, ...]
    caption: str


@dataclass
class Line:
    """A row of a block and the heading it stands under."""

    row: Row
    heading: str | None


@dataclass
class Block:
    """Rows of segments, and their total if it is printed."""

    table: Table
    metric: str | None
    lines: list[Line] = field(default_factory=list)
    #: Rows that sum others, which stand for their parts where those are not printed.
    subtotals: list[Row] = field(default_factory=list)
    total: Row | None = None
    unknown: list[Row] = field(default_factory=list)
    starts_with_total: bool = False


def read_tables(
    text: str,
    heads: Sequence[Head],
    ends: Sequence[int],
    vocabulary: Vocabulary,
) -> list[Table]:
    """Return the tables under heads, in the order of the text; none goes on beyond an end."""
    tables = []
    previous_end = 0
    for number, head in enumerate(heads, start=1):
        limit = heads[number].start if number < len(heads) else len(text)
        next_end = bisect_left(ends, head.end)
        limit = min([limit, *ends[next_end : next_end + 1]])
        rows = tuple(_rows(text, limit, head, vocabulary))
        caption = text[max(previous_end, head.start - 1500) : head.start]
        tables.append(Table(number, head, rows, caption))
        previous_end = rows[-1].start if rows else head.end
    return tables


def _rows(text: str, limit: int, head: Head, vocabulary: Vocabulary) -> Iterator[Row]:
    amounts = len(head.amounts)
    percents = len(head.slots) - amounts
    # The last row may end with a mark that stands where the next head begins.
    tokens = tokenise(text, head.end, min(limit + 20, head.end + _MAX_LENGTH))
    position, count = 0, 0
    while position < len(tokens) and tokens[position].start < limit and count < _MAX_ROWS:
        begin = position
        while position < len(tokens) and not _starts_run(tokens, position, amounts):
            position += 1
        if position - begin > _MAX_WORDS or position >= len(tokens):
            return
        words = _words(tokens[begin:position])
        run_start = position
        while position < len(tokens) and tokens[position].is_figure:
            position += 1
        run = tokens[run_start:position]
        count += 1
        if tokens[run_start].start < limit:
            label = vocabulary.label(words)
            # Rows that nobody knows are many, and their figures are rarely asked for.
            ways = align(run, amounts, percents, head.scale) if label.name else []
            parted = align(run, amounts, percents, head.scale, is_parted=True) if label.name else []
            yield Row(
                label,
                tuple(ways),
                tuple(way for way in parted if way not in ways),
                tokens[begin].start,
                tuple(run),
                _percents(run, percents),
                _has_bullet(tokens[max(begin - 1, 0) : run_start]),
            )


def bridged(table: Table, places: Sequence[int]) -> Iterator[tuple[Row, Row]]:
    """Return pairs of metrics of which the one is the other and the rows between.

    In each of the columns at ``places``: those in US$ are rounded one by one.

    So a statement proves two of its figures: cash flow less purchases is free cash flow.
    """
    amounts = len(table.head.amounts)
    percents = len(table.head.slots) - amounts
    begin: Row | None = None
    sums: list[Decimal] | None = None
    for row in table.rows:
        ways = row.ways or align(row.run, amounts, percents, table.head.scale)
        is_certain = len(ways) == 1 and len(ways[0]) == 1
        cells = [ways[0][0][place] for place in places] if is_certain else None
        if row.label.name and row.label.name.role == "metric":
            if begin and cells and sums == [cell.value for cell in cells]:
                yield begin, row
            begin, sums = row, [cell.value for cell in cells] if cells else None
        elif sums is not None:
            # A row of percentages alone is outside any sum.
            if cells:
                sums = [total + cell.value for total, cell in zip(sums, cells, strict=True)]
            elif any(token.kind == "number" and not token.is_percent for token in row.run):
                sums = None


def _starts_run(tokens: Sequence[Token], position: int, amounts: int) -> bool:
    """Whether figures begin here: a mark, or one dash between words, is part of the name."""
    token = tokens[position]
    if not token.is_figure:
        return False
    for following in tokens[position : position + 12]:
        if not following.is_figure:
            break
        if following.kind == "number" and not (following.may_be_note and following.gap == ""):
            return True
        if following.kind == "na":
            return True
    dashes = sum(following.kind == "dash" for following in tokens[position : position + amounts])
    return dashes >= max(amounts, 2)


def _percents(run: Sequence[Token], percents: int) -> tuple[Decimal | None, ...]:
    places = [at for at, token in enumerate(run) if token.is_percent or token.kind == "na"]
    if not percents or len(places) < percents:
        return ()
    # A dash before may be one of them. One after is of the next row, often its bullet.
    if any(token.kind == "dash" for token in run[: places[percents - 1]]):
        return ()
    return tuple(run[at].value for at in places[:percents])


def _has_bullet(name: Sequence[Token]) -> bool:
    """Whether the words of a row, or the last of its headings, follow a dash.

    A dash at the end of the figures before is a bullet of this row as often as nil of that one:
    where it is nil, no list is open, and it changes nothing.
    """
    return any(
        token.kind == "dash" and following.kind == "word"
        for token, following in itertools.pairwise(name)
    )


def _words(tokens: Sequence[Token]) -> str:
    return " ".join(token.text for token in tokens if token.kind in ("word", "other", "quarter"))


def find_blocks(table: Table, vocabulary: Vocabulary) -> list[Block]:
    """Return the blocks of a table whose rows are segments; their totals may be missing."""
    caption = vocabulary.metric_above(table.caption)
    found: list[Block] = []
    block = Block(table, caption)
    headings: list[str] = []
    # "Including: ..., ...": unknown rows after such a one go on with it; the sum proves it.
    is_aside = False
    is_in_list = False

    def close() -> None:
        nonlocal block
        if block.lines:
            found.append(block)
        block = Block(table, caption)
        headings.clear()

    for row in table.rows:
        label = row.label
        if is_in_list and not row.has_bullet and headings:
            # The list ends without a sum of its own.
            headings.pop()
        is_in_list = row.has_bullet and (is_in_list or bool(label.headings))
        for heading in label.headings:
            if heading.role == "metric":
                close()
                block.metric = heading.key
            else:
                headings.append(heading.printed)
        name = label.name
        if name is None:
            if block.starts_with_total:
                close()
            elif block.lines and not is_aside:
                block.unknown.append(row)
            continue
        is_aside = name.role == "aside"
        if name.role == "metric":
            if block.lines and not block.starts_with_total and block.metric in (None, name.key):
                block.metric, block.total = name.key, row
                close()
            else:
                close()
                block = Block(table, name.key, total=row, starts_with_total=True)
        elif name.role == "total":
            if block.lines:
                block.total = block.total or row
            close()
        elif name.role == "segment":
            if label.is_total:
                while headings and name.printed != headings[-1]:
                    headings.pop()
                if headings:
                    headings.pop()
            block.lines.append(Line(row, headings[-1] if headings else None))
        elif name.role == "subtotal":
            block.subtotals.append(row)
        ways = (*row.ways, *row.parted_ways)
        unnamed = min((len(way) for way in ways), default=1) - 1
        for _ in range(unnamed):
            if headings:
                headings.pop()
        is_in_list = is_in_list and not unnamed
    close()
    return found


Column = tuple[Decimal, ...]


def solutions(
    rows: Sequence[Row], total: Sequence[Decimal | None], limit: int
) -> list[tuple[Amounts, ...]]:
    """Return the ways to read rows so that every column adds up to its total, to the last digit.

    A column without a total is not asked. More than ``limit`` combinations are not tried. Numbers
    that a space parts are put together only if the table does not add up without.
    """
    found = _solutions([row.ways for row in rows], total, limit)
    if not found and any(row.parted_ways for row in rows):
        found = _solutions([(*row.ways, *row.parted_ways) for row in rows], total, limit)
    return found


def _solutions(
    ways: Sequence[Sequence[tuple[Amounts, ...]]], total: Sequence[Decimal | None], limit: int
) -> list[tuple[Amounts, ...]]:
    choices = [list(dict.fromkeys(way[0] for way in of_row)) for of_row in ways]
    if not 0 < math.prod(map(len, choices)) <= limit:
        return []
    found: dict[tuple[tuple[Decimal, ...], ...], tuple[Amounts, ...]] = {}
    for combination in itertools.product(*choices):
        sums = (sum(cells[c].value for cells in combination) for c in range(len(total)))
        if all(wanted is None or wanted == is_ for wanted, is_ in zip(total, sums, strict=True)):
            values = tuple(tuple(cell.value for cell in cells) for cells in combination)
            found.setdefault(values, combination)
    return list(found.values())
