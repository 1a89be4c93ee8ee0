"""Which figure of a row stands in which column.

A row is a run of figures, dashes, percentages and footnote marks. Some of it is not certain on its
own: ``(2)`` is a footnote mark or minus two, "1 5,151" is two numbers or one that the text layer
parted, a lone number at the end may be the page's. All ways that fit the columns are returned; the
sums of the table decide between them, and where they cannot, the table is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from orchestration.documents.tokens import Token

#: A run with more ways than this says nothing, nor does one that takes more steps to read.
MAX_WAYS = 64
MAX_STEPS = 20_000
#: A row and the rows without a name that may follow it: the sum of a group, and of a group of them.
MAX_ROWS = 3


@dataclass(frozen=True)
class Cell:
    """An amount and the step it is printed in, both in millions; a dash is nil."""

    value: Decimal
    step: Decimal
    text: str

    @property
    def is_joined(self) -> bool:
        """Whether its digits were parted, so that it needs a sum to be believed."""
        return " " in self.text.strip()


Amounts = tuple[Cell, ...]


def align(
    tokens: Sequence[Token],
    amounts: int,
    percents: int,
    scale: Decimal = Decimal(1),
    is_parted: bool = False,
) -> list[tuple[Amounts, ...]]:
    """Return the ways to read a run as one row of ``amounts`` columns, or several.

    Each way is one tuple of cells for every row in the run: the named row first. Percentages are
    not returned; a row has at most ``percents`` of them. ``scale``: a printed one in millions.
    ``is_parted`` tries, too, what split numbers and the number of a note before the first amount
    would explain.
    """
    run = tuple(t for t in tokens if t.kind != "currency")
    if is_parted and not _may_be_parted(run):
        return []
    runs = [run]
    if is_parted and run and run[0].is_bare:
        runs.append(run[1:])
    # With split numbers a run can be so many rows of anything: one row is tried first.
    for rows in (1, MAX_ROWS) if is_parted else (MAX_ROWS,):
        ways: dict[tuple[Amounts, ...], None] = {}
        search = _Search(scale, is_parted)
        for of_run in runs:
            if len(of_run) > rows * (2 * amounts + percents + 4):
                continue
            for way in search.rows(of_run, amounts, percents, rows):
                ways.setdefault(way)
                if len(ways) > MAX_WAYS:
                    return []
        if search.steps > MAX_STEPS:
            return []
        if ways:
            return list(ways)
    return []


def _may_be_parted(run: Sequence[Token]) -> bool:
    return bool(run) and (
        run[0].is_bare
        or any(token.is_bare and _goes_on(after) for token, after in itertools.pairwise(run))
    )


@dataclass
class _Search:
    """All ways to read a run, until they are too many to mean anything."""

    scale: Decimal
    is_parted: bool
    steps: int = 0

    def rows(
        self, tokens: tuple[Token, ...], amounts: int, percents: int, rows: int
    ) -> Iterator[tuple[Amounts, ...]]:
        for cells, rest in self.row(tokens, amounts, percents):
            if not _is_more(rest):
                yield (cells,)
            if rest and rows > 1:
                for others in self.rows(rest, amounts, percents, rows - 1):
                    yield (cells, *others)

    def row(
        self, tokens: tuple[Token, ...], amounts: int, percents: int
    ) -> Iterator[tuple[Amounts, tuple[Token, ...]]]:
        self.steps += 1
        if self.steps > MAX_STEPS:
            return
        if amounts == 0:
            yield from (((), rest) for rest in _tail(tokens, percents))
            return
        if not tokens:
            return
        token, rest = tokens[0], tokens[1:]
        if token.kind == "note" or (token.may_be_note and token.gap == ""):
            yield from self.row(rest, amounts, percents)
            return
        if token.is_percent or token.kind == "na":
            if percents:
                yield from self.row(rest, amounts, percents - 1)
            return
        if token.kind == "dash":
            if percents:
                yield from self.row(rest, amounts, percents - 1)
            nil = self.cell(token, Decimal(0))
            yield from self.with_cell(nil, rest, amounts, percents)
            return
        assert token.value is not None  # what is left is a number
        if token.decimals == 3:
            return  # "8.755" is 8,755 where points part thousands
        cell = self.cell(token, token.value)
        yield from self.with_cell(cell, rest, amounts, percents)
        if token.may_be_note:
            yield from self.row(rest, amounts, percents)
        if self.is_parted and token.is_bare and rest and _goes_on(rest[0]):
            merged = _merged(token, rest[0])
            if merged is not None:
                cell = replace(self.cell(rest[0], merged), text=f"{token.text} {rest[0].text}")
                yield from self.with_cell(cell, rest[1:], amounts, percents)

    def cell(self, token: Token, value: Decimal) -> Cell:
        step = Decimal(1).scaleb(-token.decimals)
        return Cell(value * self.scale, step * self.scale, token.text)

    def with_cell(
        self, cell: Cell, rest: tuple[Token, ...], amounts: int, percents: int
    ) -> Iterator[tuple[Amounts, tuple[Token, ...]]]:
        for cells, left in self.row(rest, amounts - 1, percents):
            yield (cell, *cells), left


def _is_more(rest: Sequence[Token]) -> bool:
    """Whether what is left of a run must be figures: marks, a bullet and a page number need not."""
    left = [t for t in rest if not (t.kind in ("note", "dash") or t.may_be_note)]
    return bool(left) and not (len(left) == 1 and left[0].is_bare)


def _tail(tokens: tuple[Token, ...], percents: int) -> Iterator[tuple[Token, ...]]:
    """Return what is left after the percentages and marks that follow the last amount."""
    if not tokens:
        yield ()
        return
    token, rest = tokens[0], tokens[1:]
    if token.is_percent or token.kind == "na":
        if percents:
            yield from _tail(rest, percents - 1)
    elif token.kind == "note" or (token.may_be_note and token.gap == ""):
        yield from _tail(rest, percents)
    else:
        yield tokens
        if token.kind == "dash" and percents:
            yield from _tail(rest, percents - 1)
        if token.may_be_note:
            yield from _tail(rest, percents)


def _goes_on(token: Token) -> bool:
    return token.kind == "number" and token.gap == " "


def _merged(first: Token, second: Token) -> Decimal | None:
    """Join the parts of a number that a space parts, if together they are grouped rightly."""
    if second.is_percent or not second.text.strip()[0].isdigit():
        return None
    groups = (first.text + second.text.strip()).split(",")
    if len(groups[0]) > 3 or any(len(group.split(".")[0]) != 3 for group in groups[1:]):
        return None
    return Decimal("".join(groups))
