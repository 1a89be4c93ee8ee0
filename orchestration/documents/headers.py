"""The heads of tables: which periods, currencies and segments their columns stand for.

A head is a run of the pieces that heads are made of (periods, dates, currencies, units, names of
percentages and segments) with nothing else between. It is understood whole or not at all.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile
from typing import Literal

from orchestration.documents.text import NOTE_END, NOTE_START
from orchestration.documents.vocabulary import Name, Vocabulary, letters, loosely
from orchestration.registry.entries import MONTHS

_MONTH = "|".join([*(loosely(month) for month in MONTHS), *(rf"{m[:3]}\b\.?" for m in MONTHS)])
_YEAR = r"2[ ]?0[ ]?\d[ ]?\d(?!\d)"
#: "June 30, 2016" or "30 June 2016", parted anywhere; the case of letters is not asked.
DATE = rf"(?:{_MONTH})\s*\d[ ]?\d?\s?,?\s*{_YEAR}|\d{{1,2}}\s+(?:{_MONTH}),?\s+{_YEAR}"
_LENGTHS = {"quarter": 3, "half_year": 6, "nine_months": 9, "year": 12}
_PERIODS = {
    "three months ended": "quarter",
    "quarter ended": "quarter",
    "six months ended": "half_year",
    "half year ended": "half_year",
    "nine months ended": "nine_months",
    "fiscal year ended": "year",
    "twelve months ended": "year",
    "year ended": "year",
}
_PERCENTAGES = (
    "As a percentage of total revenues", "As a percentage of revenues",
    "As a percentage of total revenue", "As a percentage of segment revenue",
    "% of Segment Revenue", "% of Total Revenue", "% of Revenues", "% of Revenue", "% of revenue",
    "Year-over-year change", "Year-on-year change", "Quarter-on-quarter change", "YoY % Change",
    "YoY% Change", "QoQ % Change", "YoY change", "QoQ change", "% Change", "YoY %", "YoY", "QoQ",
    "Change",
)  # fmt: skip
_CURRENCIES = {"RMB": "CNY", "CNY": "CNY", "US$": "USD", "HK$": "HKD"}
_YEAR_AT_END = re.compile(r"2\s?0\s?\d\s?\d$")
_UNITS = {"thousand": "thousand", "million": "million", "billion": "billion"}
SCALES = {"thousand": Decimal("0.001"), "million": Decimal(1), "billion": Decimal(1000)}
_NOISE = ("Unaudited", "Audited", "Restated", "As restated", "For the", "Notes", "Note")
#: What may stand between two pieces of one head: marks and notes, no words and no figures.
_BETWEEN = re.compile(
    rf"(?:[\s:;,.*†‡§|\[\]()]|{NOTE_START}[^{NOTE_END}]*{NOTE_END}|\(\d{{1,2}}\)|(?<=[\sA-Za-z])\d(?=\s))*"
)


@dataclass(frozen=True)
class Period:
    """A fiscal period of a column."""

    type: str
    end: date

    @property
    def start(self) -> date:
        """Its first day: fiscal periods here are whole months."""
        months = self.end.year * 12 + self.end.month - _LENGTHS[self.type]
        return date(months // 12, months % 12 + 1, 1)


@dataclass(frozen=True)
class Slot:
    """A column of figures: an amount of a period in a currency, or a percentage.

    ``is_growth``: a percentage that says the growth over the year before. ``column`` names the
    segment or total that heads it, where segments are columns.
    """

    kind: Literal["amount", "percent"]
    period: Period | None = None
    currency: str | None = None
    is_growth: bool = False
    column: Name | None = None
    column_words: str | None = None


@dataclass(frozen=True)
class Head:
    """The head of a table: its columns in order, the unit of its amounts, where it stands."""

    slots: tuple[Slot, ...]
    unit: str
    start: int
    end: int

    @property
    def scale(self) -> Decimal:
        """Millions to one of its unit."""
        return SCALES[self.unit]

    @property
    def amounts(self) -> list[Slot]:
        """Its columns of amounts, in order."""
        return [slot for slot in self.slots if slot.kind == "amount"]

    @property
    def growth(self) -> int | None:
        """Place of the growth over the year before among the percentages, if there is one."""
        percents = [slot for slot in self.slots if slot.kind == "percent"]
        places = [place for place, slot in enumerate(percents) if slot.is_growth]
        return places[0] if len(places) == 1 else None

    @property
    def segments_are_columns(self) -> bool:
        """Whether its columns are headed by segments."""
        return any(slot.column for slot in self.slots)


@dataclass(frozen=True)
class _Piece:
    kind: str
    text: str
    start: int
    end: int


def find_heads(text: str, vocabulary: Vocabulary) -> tuple[list[Head], list[int]]:
    """Return the heads of tables in the order of the text, and where other periods are named.

    What names a period without being a whole head may head a table that is not understood: no
    table above goes on beyond it.
    """
    own = vocabulary.company.reporting_currency
    heads, ends = [], []
    for run in _runs(text, vocabulary):
        head = _head(run, own, vocabulary) if len(run) > 1 else None
        if head is not None:
            heads.append(head)
        elif _may_head_a_table(run):
            ends.append(run[0].start)
    return heads, ends


def _may_head_a_table(run: Sequence[_Piece]) -> bool:
    kinds = [piece.kind for piece in run]
    named = sum(kind in ("period", "quarter", "unit", "date") for kind in kinds)
    # "Year-over-year change" above the names of segments heads percentages.
    return named > 1 or ("percent" in kinds and kinds.count("label") > 1)


def _runs(text: str, vocabulary: Vocabulary) -> Iterator[list[_Piece]]:
    run: list[_Piece] = []
    for piece in _pieces(text, vocabulary):
        if run and not _BETWEEN.fullmatch(text, run[-1].end, piece.start):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _pieces(text: str, vocabulary: Vocabulary) -> Iterator[_Piece]:
    labels = {
        name.printed
        for names in vocabulary.by_letters.values()
        for name in names
        if name.role in ("segment", "total")
    }
    pattern = _pattern(tuple(sorted(labels, key=len, reverse=True)))
    lower = text.lower()
    if len(lower) != len(text):
        # A few letters of other scripts become two.
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    for start, end in _windows(lower):
        for match in pattern.finditer(lower, start, end):
            begin, stop = match.span()
            yield _Piece(str(match.lastgroup), text[begin:stop], begin, stop)


#: Letters that no head is without, and the characters before and after them that may be of it.
#: A period alone is looked at to see where a table ends.
_ANCHORS = {
    **{f"in{sign}{unit}": (1_000, 1_000) for sign in ("", "rmb", "us") for unit in _UNITS},
    **{f"{words}ended": (30, 150) for words in ("months", "quarter", "year")},
}
_QUARTER = re.compile(r"\b[1-4]q ?20\d\d")
_AROUND_QUARTER = (300, 600)


def _windows(text: str) -> list[tuple[int, int]]:
    """Return the stretches of a text in lower case that may hold a head.

    Looking for one everywhere takes long.
    """
    # Looked for in letters alone: text layers part words.
    places = [place for place, letter in enumerate(text) if letter.isalpha()]
    within = "".join(map(text.__getitem__, places))
    found = [(match.start(), _AROUND_QUARTER) for match in _QUARTER.finditer(text)]
    for anchor, around in _ANCHORS.items():
        position = within.find(anchor)
        while position >= 0:
            found.append((places[position], around))
            position = within.find(anchor, position + 1)
    windows: list[tuple[int, int]] = []
    for start, end in sorted((at - before, at + after) for at, (before, after) in found):
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], max(end, windows[-1][1]))
        else:
            windows.append((max(start, 0), end))
    return windows


@lru_cache(maxsize=32)
def _pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    units = "|".join(rf"{loosely('in')}\s*(?:RMB|US\$)?\s*{loosely(unit)}[ ]?s?" for unit in _UNITS)
    alternatives = {
        "period": "|".join(loosely(words) for words in _PERIODS),
        "quarter": r"[1-4]Q[ ]?20\d\d",
        "date": DATE,
        "monthday": rf"(?:{_MONTH})\s*\d[ ]?\d?(?!\d)|\d{{1,2}}\s+(?:{_MONTH})",
        "unit": rf"\(\s*(?:amounts?\s+)?(?:RMB|US\$)?\s*(?:{units})\b[^()]{{0,90}}"
        # "(in thousands of Renminbi ("RMB"))", "(in millions except for per share (or ADS) data)"
        r"(?:\([^()]{0,20}\)[^()]{0,60}){0,2}\)"
        rf"|(?:RMB|US\$)\s*(?:{units})\b(?:,?\s*(?:unless|except)[a-z ]{{0,40}}"
        r"(?:specified|stated|noted|data|percentages))?",
        "year": rf"(?<![\d,.]){_YEAR}(?![,.]\d)",
        "currency": r"RMB|CNY|US[ ]?\$|HK[ ]?\$",
        "percent": "|".join(loosely(words) for words in _PERCENTAGES),
        "amount": loosely("Amount"),
        "noise": "|".join(loosely(words) for words in _NOISE),
        "label": "|".join(loosely(label) for label in labels) or r"(?!)",
    }
    anywhere = ("unit", "quarter", "year", "currency")
    # Lower case is much faster than a pattern that takes both.
    lower = {kind: words.lower() for kind, words in alternatives.items()}
    words = "|".join(f"(?P<{k}>{w})" for k, w in lower.items() if k not in anywhere)
    others = "|".join(f"(?P<{k}>{lower[k]})" for k in anywhere)
    # Asked once, not for each name: whether a word begins here.
    return re.compile(f"(?<![a-z])(?:{words})(?![a-z])|{others}")


def _head(run: Sequence[_Piece], own: str, vocabulary: Vocabulary) -> Head | None:
    # The name of the first row may follow; columns are mostly named before their currency or unit.
    last = max((i for i, p in enumerate(run) if p.kind not in ("label", "noise")), default=-1)
    after = next((i for i, p in enumerate(run) if i > last and p.kind == "label"), len(run))
    run, below = run[:after], run[after:]
    if not any(p.kind in ("currency", "amount", "percent", "label") for p in run):
        run = [*run, *_columns_below(below, len(_periods(run, own)), vocabulary)]
    of = {kind: [p for p in run if p.kind == kind] for kind in {p.kind for p in run}}
    unit = _unit(of.get("unit", []))
    periods = _periods(run, own)
    ends = vocabulary.company.fiscal_year_end_month
    if unit is None or not all(_is_fiscal(period, ends) for period in periods):
        return None
    if not periods and "label" not in of:
        return None
    units_currency = next((c for piece in of.get("unit", []) if (c := _currency(piece.text))), own)
    slots = (
        _label_slots(run, periods, units_currency, vocabulary)
        if "label" in of
        else _period_slots(run, periods, units_currency)
    )
    return Head(slots, unit, run[0].start, run[-1].end) if slots else None


def _columns_below(
    below: Sequence[_Piece], periods: int, vocabulary: Vocabulary
) -> Sequence[_Piece]:
    """Return the names of columns that stand below all else of a head, as the first row's may.

    They are the same for each period: segments, and the consolidated column last.
    """
    places = [place for place, piece in enumerate(below) if piece.kind == "label"]
    names = [_name(below[place].text, vocabulary) for place in places]
    each = next((n for n, name in enumerate(names, 1) if name.role == "total"), 0)
    columns = each * periods
    if each < 3 or not 0 < columns <= len(names) or names[:columns] != names[:each] * periods:
        return ()
    end = places[columns - 1] + 1
    return below[: end + sum(1 for _ in takewhile(lambda p: p.kind == "noise", below[end:]))]


def _unit(pieces: Sequence[_Piece]) -> str | None:
    found = {unit for p in pieces for word, unit in _UNITS.items() if word in letters(p.text)}
    return found.pop() if len(found) == 1 else None


def _currency(words: str) -> str | None:
    compact = words.replace(" ", "").upper()
    return next((code for sign, code in _CURRENCIES.items() if sign in compact), None)


def _periods(run: Sequence[_Piece], own: str) -> list[Period]:
    """Return the period of each date in the head, in the order of the dates."""
    if any(p.kind == "quarter" for p in run):
        # "4Q2019 4Q2018 2019 2018": years beside quarters are whole ones.
        return [
            _of_quarter(p.text)
            if p.kind == "quarter"
            else Period("year", _day(_year(p.text), 12, 31))
            for p in run
            if p.kind in ("quarter", "year")
        ]
    types: list[str] = []
    monthdays: list[tuple[int, int] | None] = []
    #: Year, its own month and day if it has them, and how many period names stood before it.
    years: list[tuple[int, tuple[int, int] | None, int]] = []
    for piece in run:
        if piece.kind == "period":
            types.append(_type(piece.text))
            monthdays.append(None)
        elif not types:
            continue
        elif piece.kind == "monthday":
            monthdays[-1] = _month_and_day(piece.text)
        elif piece.kind == "date":
            monthday = _month_and_day(_YEAR_AT_END.sub("", piece.text))
            monthdays[-1] = monthdays[-1] or monthday
            years.append((_year(piece.text), monthday, len(types)))
        elif piece.kind == "year":
            years.append((_year(piece.text), None, len(types)))
    if not years:
        return []
    codes = [_currency(piece.text) or own for piece in run if piece.kind == "currency"]
    owners = _owners([place for _, _, place in years], len(types), [c == own for c in codes])
    if owners is None:
        return []
    # "March 31, 2018 2019": the day is said once, for all the years.
    each_has_its_own = all(monthday for _, monthday, _ in years)
    found = []
    for (year, own_monthday, _), owner in zip(years, owners, strict=True):
        of_type = own_monthday if each_has_its_own else monthdays[owner]
        if of_type is None:
            return []
        found.append(Period(types[owner], _day(year, *of_type)))
    return found


def _owners(places: list[int], types: int, are_own: list[bool]) -> list[int] | None:
    """Return for each date the period name it belongs to, ``None`` where that is unclear.

    Either every name is followed by its own dates, or all names come first. Then columns in a
    further currency part the dates, as each ends a period's; without, they are shared out evenly.
    """
    if any(place != types for place in places):
        return [place - 1 for place in places] if len(places) % types == 0 else None
    owners, owner = [], 0
    for position, is_own in enumerate(are_own):
        owner += is_own and position > 0 and not are_own[position - 1]
        owners.append(owner)
    if owner + 1 == types and len(places) == len(are_own):
        return owners
    if owner + 1 == types and len(places) == sum(are_own):
        return [of for of, is_own in zip(owners, are_own, strict=True) if is_own]
    if len(places) % types == 0:
        return [position // (len(places) // types) for position in range(len(places))]
    return None


def _is_fiscal(period: Period, year_ends: int) -> bool:
    """Whether a period is one of the fiscal calendar: twelve months to any month are none."""
    since_year_end = (period.end.month - year_ends) % 12 or 12
    if period.type == "quarter":
        return since_year_end % 3 == 0
    return since_year_end == _LENGTHS[period.type]


def _type(words: str) -> str:
    found = letters(words)
    return next(kind for name, kind in _PERIODS.items() if letters(name) in found)


def day_of(words: str) -> date:
    """Return the day that words in the form of ``DATE`` name."""
    month, day = _month_and_day(_YEAR_AT_END.sub("", words))
    return _day(_year(words), month, day)


def _month_and_day(words: str) -> tuple[int, int]:
    # Its first letters tell a month, "Sept." included.
    begin = letters(words)[:3]
    month = next(i for i, name in enumerate(MONTHS, 1) if name.lower().startswith(begin))
    return month, int(re.sub(r"\D", "", words) or 0)


def _year(words: str) -> int:
    return int(re.sub(r"\D", "", words)[-4:])


def _day(year: int, month: int, day: int) -> date:
    # A period ends on the last day of its month, whatever a misprint says of February.
    last = monthrange(year, month)[1]
    return date(year, month, min(max(day, 1), last))


def _of_quarter(words: str) -> Period:
    quarter, year = int(words[0]), _year(words)
    first_after = date(year + quarter // 4, quarter * 3 % 12 + 1, 1)
    return Period("quarter", first_after - timedelta(days=1))


def _period_slots(run: Sequence[_Piece], periods: list[Period], currency: str) -> tuple[Slot, ...]:
    columns = [p for p in run if p.kind in ("currency", "amount", "percent")]
    amounts = [p for p in columns if p.kind != "percent"]
    if not amounts:
        # Dates alone head the columns; percentages may follow them.
        percents = [_percent(piece) for piece in columns]
        return (*(Slot("amount", period, currency) for period in periods), *percents)
    codes = [_currency(p.text) or currency for p in amounts]
    own = sum(code == currency for code in codes)
    if len(periods) == len(amounts):
        of_amount = list(periods)
    elif own == len(periods) and codes[0] == currency:
        of_amount = [periods[sum(c == currency for c in codes[: i + 1]) - 1]
                     for i in range(len(codes))]  # fmt: skip
    else:
        return ()
    slots, position = [], 0
    for piece in columns:
        if piece.kind == "percent":
            slots.append(_percent(piece))
        else:
            slots.append(Slot("amount", of_amount[position], codes[position]))
            position += 1
    return tuple(slots)


def _percent(piece: _Piece) -> Slot:
    words = letters(piece.text)
    return Slot("percent", is_growth="change" in words or words == "yoy")


def _label_slots(
    run: Sequence[_Piece], periods: list[Period], currency: str, vocabulary: Vocabulary
) -> tuple[Slot, ...]:
    """Return columns headed by segments; without a period where the text layer has it elsewhere."""
    labels = [p for p in run if p.kind == "label"]
    first, last = labels[0].start, labels[-1].start
    starts = [p.start for p in run]
    inside = run[bisect_left(starts, first) : bisect_left(starts, last) + 1]
    if any(p.kind not in ("label", "noise") for p in inside) or len(labels) < 2:
        return ()
    if periods and len(labels) % len(periods):
        return ()
    if any(p.kind in ("amount", "percent") for p in run):
        return ()
    each = len(labels) // max(len(periods), 1)
    codes = [str(_currency(p.text)) for p in run if p.kind == "currency"]
    if not codes:
        codes = [currency] * len(labels)
    if sum(code == currency for code in codes) != len(labels) or codes[0] != currency:
        return ()
    slots = []
    column = -1
    for code in codes:
        column += code == currency
        words = labels[column].text
        period = periods[column // each] if periods else None
        name = _name(words, vocabulary)
        slots.append(Slot("amount", period, code, column=name, column_words=words))
    return tuple(slots)


def _name(words: str, vocabulary: Vocabulary) -> Name:
    names = vocabulary.by_letters[letters(words)]
    return next(name for name in names if name.role in ("total", "segment"))
