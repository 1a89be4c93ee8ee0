"""Words, figures and marks of a running text.

Text layers of PDFs part digits and words by spaces that the page does not show ("(4 ,112)",
"7,1 64", "15, 151"). What the form of a number forces is joined here; what it leaves open is
decided by the columns of the table (``orchestration.documents.alignment``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from orchestration.documents.text import NOTE_END, NOTE_START
from orchestration.registry.entries import MONTHS

#: Joins that the grouping of digits forces, never across a tab (cell) or line break (row); exhibits
#: set brackets and percent signs in cells of their own.
_JOINS = (
    (re.compile(r"\([ \t]+(?=\d)"), "("),
    (re.compile(r"(?<=[\d%])[ \t]+(?=\))"), ""),
    (re.compile(r"(?<=[\d)])[ \t]+(?=%)"), ""),
    (re.compile(r"(?<=\d) +(?=,\d{3}(?!\d))"), ""),
    (re.compile(r"(?<=\d,\d) +(?=\d{2}(?!\d))"), ""),
    (re.compile(r"(?<=\d,\d\d) +(?=\d(?!\d))"), ""),
    (re.compile(r"(?<=\d,) +(?=\d \d\d(?!\d)|\d\d \d(?!\d))"), ""),
)
#: A bracket that holds digits, commas and spaces alone is one number.
_BRACKETED = re.compile(r"\(([\d,]+(?: [\d,]+)+)\)")

_DASHES = "-\u2010-\u2015\u2500\ufe58\ufe63"
_TOKEN = re.compile(
    rf"""
      (?P<note>{NOTE_START}[^{NOTE_END}]*{NOTE_END}|\[(?:\d{{1,2}}|[a-z])\]
      |\((?:[a-z]|[ivx]{{1,4}})\)|[*†‡§]{{1,4}})
    | (?P<quarter>\b[1-4]Q ?20\d\d\b)
    | (?P<number>
          \([ ]?-?\d+(?:,\d+)*(?:\.\d+)?[ ]?%?[ ]?\)(?:[ ]?%)?
        | (?:(?<=RMB)|(?<![\w.,]))[{_DASHES}]?\d+(?:,\d+)*(?:\.\d+)?(?![A-Za-z\d])(?:[ ]?%)?
      )
    | (?P<currency>RMB|CNY|US\s?\$|HK\s?\$|\$|¥)
    | (?P<na>\b(?:N\.?/?A\.?|N/?M|n/a|n/m|n\.a\.|n\.m\.)(?![A-Za-z]))
    | (?P<dash>[{_DASHES}]{{1,3}}(?![A-Za-z\d]))
    | (?P<word>[^\W\d_](?:[^\s\d({NOTE_START}\t]|(?<=\w)\d(?=\w))*)
    | (?P<other>\S)
    """,
    re.VERBOSE,
)


_NOTES = frozenset(f"{number:0{width}}" for width in (1, 2) for number in range(100))


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text. ``value`` is set for numbers; a dash is the number nil where one is due.

    ``gap`` is what stands before it: nothing, a space, a tab or a line break.
    """

    kind: str
    text: str
    start: int
    end: int
    gap: str
    value: Decimal | None = None
    is_percent: bool = False

    @property
    def is_figure(self) -> bool:
        """Whether it may stand in a column of figures."""
        return self.kind in ("number", "dash", "na", "note", "currency")

    @property
    def decimals(self) -> int:
        """Digits after the decimal point."""
        _, _, decimals = self.text.partition(".")
        return sum(c.isdecimal() for c in decimals)

    @property
    def may_be_note(self) -> bool:
        """Whether it has the form of a footnote mark, such as ``(2)``."""
        return self.text[0] == "(" and self.text[-1] == ")" and self.text[1:-1] in _NOTES

    @property
    def is_bare(self) -> bool:
        """Whether it is digits alone, as a page number or the first part of a split number is."""
        return len(self.text) <= 3 and self.text.isdecimal()


#: "15, 151" is one number, "December 31, 201 8" a day and a year.
_AFTER_COMMA = re.compile(
    r"(?:(?<![A-Za-z])([A-Za-z]{1,10}) ?)?(?<!\d)(\d{1,3}(?:,\d{3})*), +(\d{3})(?!\d)"
)


def join_split_digits(text: str) -> str:
    """Return text with the digits joined that belong to one number by its grouping."""
    text = _AFTER_COMMA.sub(_unless_date, text)
    for pattern, joined in _JOINS:
        text = pattern.sub(joined, text)
    return _BRACKETED.sub(lambda m: f"({m[1].replace(' ', '')})", text)


def _unless_date(match: re.Match[str]) -> str:
    word = (match[1] or "").lower()
    # The last letters of a month are enough: text layers part words.
    if len(word) > 1 and any(month.lower().endswith(word) for month in MONTHS):
        return match[0]
    return re.sub(r", +", ",", match[0])


def tokenise(text: str, start: int = 0, stop: int | None = None) -> list[Token]:
    """Return the tokens between two places of a text whose split digits are joined."""
    return list(_tokens(text, start, len(text) if stop is None else stop))


def _tokens(text: str, start: int, stop: int) -> Iterator[Token]:
    end = start
    for match in _TOKEN.finditer(text, start, stop):
        kind, piece = str(match.lastgroup), match[0]
        between = text[end : match.start()]
        gap = next((mark for mark in "\n\t " if mark in between), between[:1])
        value = _number(piece) if kind == "number" else None
        is_percent = kind == "number" and "%" in piece
        yield Token(kind, piece, match.start(), match.end(), gap, value, is_percent)
        end = match.end()


def _number(piece: str) -> Decimal:
    digits = re.sub(r"[^\d.]", "", piece)
    is_negative = piece.startswith("(") or piece[0] in "-\u2010\u2011\u2012\u2013\u2014\u2015"
    return -Decimal(digits) if is_negative else Decimal(digits)
