"""Which figure of a row stands in which column.

A row is a run of figures, dashes, percentages and footnote marks. Some of it is not certain on its
own: ``(2)`` is a footnote mark or minus two, "1 5,151" is two numbers or one that the text layer
parted, a lone number at the end may be the page's. All ways that fit the columns are returned; the
sums of the table decide between them, and where they cannot, the table is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestration.documents.tokens import Token

#: A run with more ways than this says nothing.
MAX_WAYS = 64
#: A row and the rows without a name that may follow it: the sum of a group, and of a group of them.
MAX_ROWS = 3


@dataclass(frozen=True)
class Cell:
    """An amount as printed: a dash is nil; ``is_joined`` says that a space parted its digits."""

    value: Decimal
    decimals: int
    text: str

    @property
    def is_joined(self) -> bool:
        """Whether its digits were parted, so that it needs a sum to be believed."""
        return " " in self.text.strip()


Amounts = tuple[Cell, ...]


def align(
    tokens: Sequence[Token], amounts: int, percents: int, is_parted: bool = False
) -> list[tuple[Amounts, ...]]:
    """Return the ways to read a run as one row of ``amounts`` columns, or several.

    Each way is one tuple of cells for every row in the run: the named row first. Percentages are
    not returned; a row has at most ``percents`` of them. ``is_parted`` tries, too, what split
    numbers and the number of a note before the first amount would explain.
    """
    run = tuple(t for t in tokens if t.kind != "currency")
    runs = [run]
    if is_parted and run and run[0].is_bare:
        runs.append(run[1:])
    # With split numbers a run can be so many rows of anything: one row is tried first.
    for most_rows in (1, MAX_ROWS) if is_parted else (MAX_ROWS,):
        ways: dict[tuple[Amounts, ...], None] = {}
        for of_run in runs:
            for way in _rows(of_run, amounts, percents, most_rows, is_parted):
                ways.setdefault(way)
                if len(ways) > MAX_WAYS:
                    return []
        if ways:
            return list(ways)
    return []


def _rows(
    tokens: tuple[Token, ...], amounts: int, percents: int, rows: int, is_parted: bool
) -> Iterator[tuple[Amounts, ...]]:
    for cells, rest in _row(tokens, amounts, percents, is_parted):
        if not _is_more(rest):
            yield (cells,)
        if rest and rows > 1:
            for others in _rows(rest, amounts, percents, rows - 1, is_parted):
                yield (cells, *others)


def _is_more(rest: Sequence[Token]) -> bool:
    """Whether what is left of a run must be figures: marks, a bullet and a page number need not."""
    left = [t for t in rest if not (t.kind in ("note", "dash") or t.may_be_note)]
    return bool(left) and not (len(left) == 1 and left[0].is_bare)


def _row(
    tokens: tuple[Token, ...], amounts: int, percents: int, is_parted: bool
) -> Iterator[tuple[Amounts, tuple[Token, ...]]]:
    if amounts == 0:
        yield from (((), rest) for rest in _tail(tokens, percents))
        return
    if not tokens:
        return
    token, rest = tokens[0], tokens[1:]
    if token.kind == "note" or (token.may_be_note and token.gap == ""):
        yield from _row(rest, amounts, percents, is_parted)
        return
    if token.is_percent or token.kind == "na":
        if percents:
            yield from _row(rest, amounts, percents - 1, is_parted)
        return
    if token.kind == "dash":
        if percents:
            yield from _row(rest, amounts, percents - 1, is_parted)
        yield from _with(Cell(Decimal(0), 0, token.text), rest, amounts, percents, is_parted)
        return
    assert token.value is not None  # what is left is a number
    cell = Cell(token.value, token.decimals, token.text)
    yield from _with(cell, rest, amounts, percents, is_parted)
    if token.may_be_note:
        yield from _row(rest, amounts, percents, is_parted)
    if is_parted and token.is_bare and rest and rest[0].kind == "number" and rest[0].gap == " ":
        merged = _merged(token, rest[0])
        if merged is not None:
            yield from _with(merged, rest[1:], amounts, percents, is_parted)


def _with(
    cell: Cell, rest: tuple[Token, ...], amounts: int, percents: int, is_parted: bool
) -> Iterator[tuple[Amounts, tuple[Token, ...]]]:
    for cells, left in _row(rest, amounts - 1, percents, is_parted):
        yield (cell, *cells), left


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


def _merged(first: Token, second: Token) -> Cell | None:
    """Join the parts of a number that a space parts, if together they are grouped rightly."""
    if second.is_percent or not second.text.strip()[0].isdigit():
        return None
    groups = (first.text + second.text.strip()).split(",")
    if len(groups[0]) > 3 or any(len(group.split(".")[0]) != 3 for group in groups[1:]):
        return None
    text = f"{first.text} {second.text}"
    return Cell(Decimal("".join(groups)), second.decimals, text)
