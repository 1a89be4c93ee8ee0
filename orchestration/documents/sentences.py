"""Figures that a release states in sentences, found by the wordings that the registry has for them.

What belongs here: reading ``StatedFigure`` templates, and the period, currency and sign of what
they find. What does not: tables, and any wording of an issuer. Nothing is guessed: a figure whose
period is not named, or not that of the release, or that the release contradicts, is left out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile

from orchestration.contracts.periods import LONGEST_AFTER_PERIOD
from orchestration.documents.headers import Period
from orchestration.documents.reading import Figure, Statement
from orchestration.documents.text import NOTE_END, NOTE_START
from orchestration.documents.vocabulary import letters, loosely
from orchestration.registry.entries import MONTHS, Company, StatedFigure

_LONGEST_GAP = 160
#: A period named further back than this says nothing of a sentence, nor a list's heading.
_FARTHEST_PERIOD = 3_000
_LONGEST_LIST = 6_000
_SHORTENED = 110

_POWERS = {"thousand": 3, "million": 6, "billion": 9}
_CURRENCIES = {"RMB": "CNY", "CNY": "CNY", "US$": "USD", "USD": "USD", "HK$": "HKD", "HKD": "HKD",
               "$": "USD"}  # fmt: skip
_NTH = ("first", "second", "third", "fourth")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth", "twenty-first", "twenty-second", "twenty-third",
    "twenty-fourth", "twenty-fifth", "twenty-sixth", "twenty-seventh", "twenty-eighth",
    "twenty-ninth", "thirtieth",
)  # fmt: skip


def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(loosely(w) for w in sorted(words, key=len, reverse=True))})"


# The end of a sentence. Text layers set spaces around the point of a number ("7. 3 billion") and
# break lines anywhere; cells of a table and bullets are sentences of their own.
_SENTENCE_END = re.compile(
    r"(?:(?<![^A-Za-z][A-Z])(?<!Inc)(?<!Ltd)(?<!Co)(?<!No)[.!?][\"”\u2019')]*(?=\s+[A-Z“\"(])"
    r"|[\t•▪●■◆⚫\uf000-\uf0ff])"
)
_NOTE = rf"(?:{NOTE_START}[^{NOTE_END}]*{NOTE_END}|\(\d{{1,2}}\)|\([a-z]\)|[*†‡§>])"
_BETWEEN_WORDS = rf"[\s\-]*(?:{_NOTE}[\s\-]*){{0,3}}"
_UNIT = _any(_POWERS) + r"(?![A-Za-z])"
_SIGN = r"RMB|CNY|US\s?\$|HK\s?\$|USD|HKD|(?<![A-Z])\$"
#: Between a currency and a unit stands one number, however its digits are parted.
_DIGITS = r"\d(?:[\d, ]{0,20}\d)?(?:[ ]?\.[ ]?\d(?:[\d ]{0,8}\d)?)?"
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_ABOUT = rf"(?:(?:{_any(('approximately', 'about'))})\s*)?"
_AMOUNT = (
    rf"{_ABOUT}(?P<sign>{_SIGN})\s?(?P<digits>{_DIGITS})\s*(?P<unit>{_any(_POWERS)})(?![A-Za-z])"
)
_IN_BRACKETS = re.compile(rf"\s*{_NOTE}?\s*\(\s*{_AMOUNT}\s*\)", re.IGNORECASE)
_ANY_SIGN = rf"(?:{_SIGN})\s?\d"
_COMPARED = _any(("compared", "versus", "as against"))

_YEAR = r"2[ ]?0[ ]?\d[ ]?\d(?!\d)"
_MONTH = _any((*MONTHS, *(month[:3] for month in MONTHS)))
_DATE = rf"(?:(?:{_MONTH})\.?\s*\d[ ]?\d?\s?,?\s*{_YEAR}|\d{{1,2}}\s+(?:{_MONTH}),?\s+{_YEAR})"
_THE = rf"(?:{_any(('the', 'our', 'its', 'full'))})"
#: Names of lengths; the letters that tell them apart are looked up in ``_types``.
_LENGTH = (
    rf"(?:(?:three|six|nine)\s+and\s+)?(?:{_any(('three', 'six', 'nine', 'twelve'))})\s*"
    rf"{loosely('months')}|(?:{_any(('full', 'fiscal'))}\s*){{0,2}}{loosely('year')}"
    rf"|{loosely('half')}[\s\-]*{loosely('year')}|{loosely('quarter')}"
)
_TYPES = {"quarter": "quarter", "three": "quarter", "half": "half_year", "six": "half_year",
          "nine": "nine_months"}  # fmt: skip
_NTH_QUARTER = rf"(?:{_any(_NTH)})\s*{loosely('quarter')}"
_OF = rf"(?:\s*{loosely('of')})?\s*(?:{loosely('the')}\s*)?"
_FISCAL = rf"(?:{loosely('fiscal')}\s*(?:{loosely('year')}\s*)?)"
_OTHER = _any(("same", "corresponding", "prior", "previous", "preceding", "last", "comparable"))
_OPEN = _any(("since", "from", "between", "through", "until", "up to"))
_MENTION = re.compile(
    "|".join(
        f"(?<![A-Za-z])(?P<{kind}>{words})"
        for kind, words in {
            # Of another period: "in the same quarter of 2023", "last year".
            "other": rf"{_OTHER}\s*(?:{_FISCAL}?{_any(('quarter', 'period', 'year'))}|{_LENGTH})"
            rf"(?:{_OF}(?:{_FISCAL}|in\s*)?{_YEAR}|{_OF}{loosely('last year')})?",
            # Not one period of the calendar: "since April 1, 2021", "from ... to ...".
            "open": rf"{_OPEN}\s*{_DATE}",
            "as_of": rf"{loosely('as')}\s*(?:of|at)\s*(?:the\s*end\s*of\s*)?{_DATE}",
            "ended": rf"(?:{_LENGTH})(?:\s*(?:,|and|/)\s*(?:{_THE}\s*)?(?:{_LENGTH})){{0,2}}"
            rf"\s*(?:\([^()]{{1,12}}\)\s*)?{loosely('ended')}\s*{_DATE}",
            "month_quarter": rf"(?:{_any(MONTHS)})\s*(?:{_YEAR}\s*)?{loosely('quarter')}"
            rf"(?:{_OF}{_FISCAL}?{_YEAR})?",
            "nth": rf"{_NTH_QUARTER}(?:{_OF}{_FISCAL}?{_YEAR})?|{_YEAR}\s*{_NTH_QUARTER}"
            r"|[1-4]\s?Q\s?(?:20)?\d\d(?!\d)|Q[1-4]\s?20\d\d(?!\d)",
            "half": rf"(?:{_any(('first', 'second'))})\s*half{_OF}{_FISCAL}?{_YEAR}"
            rf"|(?:{_any(('first',))})\s*{loosely('nine months')}{_OF}{_FISCAL}?{_YEAR}",
            "fiscal_year": rf"{_FISCAL}{_YEAR}|FY\s?20\d\d(?!\d)",
            "year": rf"(?:{_any(('full year', 'year'))}){_OF}{_YEAR}"
            rf"|{_YEAR}\s*(?:{_any(('calendar year', 'full year', 'annual'))})"
            rf"|{loosely('calendar year')}\s*{_YEAR}"
            rf"|(?:{_any(('in', 'for', 'during'))})\s*{_YEAR}(?![,.]?\d)",
            "quarter": rf"(?:{_any(('the', 'this'))})\s*{loosely('quarter')}"
            rf"(?!\s*(?:{_any(('ended', 'of', 'and', 'over'))})|[\s\-]*on|s)",
            "date": _DATE,
        }.items()
    ),
    re.IGNORECASE,
)
_JOINED = re.compile(rf"\s*(?:and|/|,)\s*(?:{_THE}\s*)?", re.IGNORECASE)
#: What stands before a period and makes it a beginning only; after it, a span beyond it.
_SINCE = re.compile(
    rf"(?:{_any(('since', 'from', 'after', 'before', 'until'))})\s*(?:the\s*)?$", re.I
)
#: Before a period that another is compared with: "up 13% over the fourth quarter of 2024".
_THAN = re.compile(
    rf"(?:(?:{_any(('over', 'than', 'from'))})\s*(?:{_any(('that', 'those'))}\s*)?"
    rf"(?:(?:of|in|for)\s*)?(?:the\s*)?|(?:{_COMPARED})[^.;]{{0,60}})$",
    re.I,
)
_BEYOND = re.compile(
    rf"\s*,?\s*and\s*(?:{_any(('through', 'up to', 'until', 'as of', 'as at'))}|{_DATE}|{_YEAR})",
    re.I,
)
#: Before a match: the change of a figure, another figure's name, or a comparison.
_CHANGE = _any(("increase", "decrease", "growth", "change", "rise", "decline", "reduction"))
_ADJUSTED = _any(("non-GAAP", "non-IFRS", "adjusted", "restated", "pro forma"))
_NOT_THE_FIGURE = re.compile(
    rf"(?:(?:{_CHANGE})s?\s*(?:in|of)\s*(?:(?:our|the)\s*)?(?:[^\d,;:().]{{0,60}}\s(?:and|or)\s*)?"
    rf"|{_ADJUSTED}[\s\-]*(?:{_NOTE}\s*)?"
    rf"|(?:{_COMPARED})\s*(?:to|with)?\s*(?:(?:an?|the|our)\s*)?)$",
    re.IGNORECASE,
)
#: In the sentence before a match: what is meant to be, or would have been.
_NOT_YET = re.compile(
    r"(?<![A-Za-z])"
    + _any(
        ("expect", "expects", "expected", "plan to", "plans to", "will", "would", "target",
         "forecast", "anticipate", "intend", "guidance", "if")
    )
    + r"(?![A-Za-z])",
    re.IGNORECASE,
)  # fmt: skip
#: After an amount: what it is compared with.
_SAME_QUARTER = re.compile(
    rf"[\s\S]{{0,160}}?{_COMPARED}[^.;]{{0,80}}{loosely('same quarter')}", re.I
)
_OTHER_YEAR = re.compile(
    rf"[\s\S]{{0,160}}?{_COMPARED}[^.;]{{0,80}}\b(?:in|for)\s+(?:the\s+)?{_FISCAL}{_YEAR}", re.I
)
#: After an amount: its own period may follow, unless another amount or a comparison comes first.
_FOLLOWING = re.compile(
    rf"(?:(?!{_ANY_SIGN}|{_COMPARED}|\bfrom\b|\bthan\b)[^,;:.()]){{0,60}}", re.I
)

_PLACEHOLDERS = {
    "amount": _AMOUNT,
    "outflow": _AMOUNT,
    "count": rf"{_ABOUT}(?P<digits>{_DIGITS})\s*"
    rf"(?P<unit>{_any(('million', 'billion'))})(?![A-Za-z])",
    "ordinal": rf"(?P<ordinal>{_any(_ORDINALS)}|\d{{1,2}}(?=[ ]?(?:st|nd|rd|th)))"
    r"(?:[ ]?(?:st|nd|rd|th))?(?![A-Za-z])",
    "percent": rf"{_ABOUT}(?P<digits>{_DIGITS})\s*(?:%|{loosely('per cent')})",
    "floor": rf"{_any(('more than', 'over'))}\s*(?P<digits>{_DIGITS})"
    rf"(?:\s*(?P<unit>{_any(_POWERS)}))?(?![A-Za-z\d])",
    "date": rf"(?P<date>{_DATE})",
}  # fmt: skip


@dataclass(frozen=True)
class _Mention:
    """A period or day that the text names. Several periods: it is one of them."""

    start: int
    end: int
    kind: str
    periods: tuple[Period, ...] = ()
    day: date | None = None


@dataclass(frozen=True)
class _Found:
    """A wording found: the template's match, and the amount in brackets after it."""

    entry: StatedFigure
    match: re.Match[str]
    value: Decimal
    step: Decimal
    unit: str
    end: int
    dollars: tuple[str, Decimal, Decimal] | None

    @property
    def in_ones(self) -> tuple[Decimal, Decimal]:
        """Value and half its printed step, in ones."""
        power = _POWERS.get(self.unit, 0)
        return self.value.scaleb(power), (self.step / 2).scaleb(power)

    @property
    def words(self) -> str:
        """The words matched, shortened."""
        words = " ".join(re.sub(rf"[{NOTE_START}{NOTE_END}]", "", self.match[0]).split())
        if len(words) <= _SHORTENED:
            return words
        return f"{words[: _SHORTENED // 2].rstrip()} ... {words[-_SHORTENED // 2 :].lstrip()}"


class _Sentences:
    """A text with its sentences and the periods it names."""

    def __init__(self, text: str, company: Company, period_end: date) -> None:
        self.text = text
        self.year_ends = company.fiscal_year_end_month
        self.period_end = period_end
        self._ends = [match.end() for match in _SENTENCE_END.finditer(text)]
        self.mentions = tuple(self._mentions())
        self._starts = [mention.start for mention in self.mentions]

    def start(self, position: int) -> int:
        """Return where the sentence of a position starts."""
        place = bisect_right(self._ends, position)
        return max(self._ends[place - 1] if place else 0, position - _FARTHEST_PERIOD)

    def end(self, position: int) -> int:
        """Return where it ends."""
        place = bisect_right(self._ends, position)
        end = self._ends[place] if place < len(self._ends) else len(self.text)
        return min(end, position + _FARTHEST_PERIOD)

    def before(self, position: int) -> Iterator[_Mention]:
        """Yield the mentions before a position, the nearest first."""
        for place in range(bisect_right(self._starts, position) - 1, -1, -1):
            yield self.mentions[place]

    def following(self, position: int) -> _Mention | None:
        """Return the mention that directly follows an amount and says of when it is."""
        place = bisect_right(self._starts, position - 1)
        if place == len(self.mentions):
            return None
        mention = self.mentions[place]
        between = self.text[position : mention.start]
        if mention.start >= self.end(position) or not _FOLLOWING.fullmatch(between):
            return None
        return mention

    def _mentions(self) -> Iterator[_Mention]:
        last: _Mention | None = None
        for match in _MENTION.finditer(self.text):
            mention = self._mention(match)
            if last is not None and last.periods and mention.periods:
                between = self.text[last.end : mention.start]
                if _JOINED.fullmatch(between):
                    # "for the quarter and the fiscal year ended ...": one of them.
                    periods = (*last.periods, *mention.periods)
                    last = _Mention(last.start, mention.end, "period", periods)
                    continue
            if last is not None:
                yield last
            last = mention
        if last is not None:
            yield last

    def _mention(self, match: re.Match[str]) -> _Mention:
        kind = str(match.lastgroup)
        words = match[0]
        if kind == "as_of":
            return _Mention(match.start(), match.end(), kind, day=_day(words))
        if kind in ("other", "date"):
            return _Mention(match.start(), match.end(), kind)
        before = self.text[max(0, match.start() - 80) : match.start()]
        if kind == "open" or _SINCE.search(before) or _BEYOND.match(self.text, match.end()):
            return _Mention(match.start(), match.end(), "open")
        periods = tuple(p for p in self._periods(kind, words) if self._is_fiscal(p))
        if not any(p.end == self.period_end for p in periods) and _THAN.search(before):
            return _Mention(match.start(), match.end(), "other")
        kind = "this_quarter" if kind == "quarter" else "period"
        return _Mention(match.start(), match.end(), kind, periods)

    def _periods(self, kind: str, words: str) -> Iterator[Period]:
        if kind == "ended":
            end = _day(words)
            before = re.split(loosely("ended"), words, flags=re.IGNORECASE)[0]
            if end is not None:
                yield from (Period(type_, end) for type_ in _types(before))
        elif kind == "month_quarter":
            month = _month(words)
            year = _year(words) or (
                self.period_end.year if month == self.period_end.month else None
            )
            if month and year:
                yield Period("quarter", _last_day(year, month))
        elif kind == "nth":
            yield from self._nth_quarter(words)
        elif kind == "half" and (year := _year(words)):
            is_second = letters(words).startswith("second")
            type_, months = ("nine_months", 9) if "nine" in letters(words) else ("half_year", 6)
            # The second half ends with the year and is no period from its beginning.
            if not is_second and (self.year_ends == 12 or "fiscal" in letters(words)):
                yield Period(type_, self._end_of(year, months))
        elif (kind == "fiscal_year" and (year := _year(words))) or (
            kind == "year" and (year := _year(words)) and self.year_ends == 12
        ):
            yield Period("year", self._end_of(year, 12))
        elif kind == "quarter":
            yield Period("quarter", self.period_end)

    def _nth_quarter(self, words: str) -> Iterator[Period]:
        compact = letters(words)
        place = next((i for i, name in enumerate(_NTH, 1) if compact.startswith(name)), None)
        year = _year(words)
        if place is None:
            digits = re.sub(r"\D", "", words)
            by_number = re.match(r"\s*[Qq]", words) is not None
            place = int(digits[0]) if "q" in compact else None
            year = int(digits[1:]) if by_number or len(digits) in (3, 5) else year
            if place is None:
                place = next((i for i, name in enumerate(_NTH, 1) if name in compact), None)
            year = year + 2000 if year is not None and year < 100 else year
        if place is None:
            return
        if year is None:
            # Named without a year: that of the release, if it is the release's own quarter.
            since = (self.period_end.month - self.year_ends) % 12 or 12
            if since == 3 * place:
                yield Period("quarter", self.period_end)
        elif self.year_ends == 12 or "fiscal" in compact:
            yield Period("quarter", self._end_of(year, 3 * place))

    def _end_of(self, fiscal_year: int, months: int) -> date:
        """Return the last day of the first months of a fiscal year."""
        total = fiscal_year * 12 + self.year_ends - 12 + months - 1
        return _last_day(total // 12, total % 12 + 1)

    def _is_fiscal(self, period: Period) -> bool:
        since = (period.end.month - self.year_ends) % 12 or 12
        if period.end != _last_day(period.end.year, period.end.month):
            return False
        wanted = {"half_year": 6, "nine_months": 9, "year": 12}.get(period.type)
        return since % 3 == 0 if wanted is None else since == wanted


def read_sentences(
    text: str,
    company: Company,
    entries: Sequence[StatedFigure],
    natures: Mapping[str, str],
    period_end: date,
    rates: Sequence[Decimal],
) -> tuple[list[Figure], list[Statement], list[str]]:
    """Return the figures and indicators that sentences state of periods that end at ``period_end``.

    ``text`` is running text whose split digits are joined, ``natures`` says of each metric whether
    it is a flow or a stock, ``rates`` are the stated ones, in the reporting currency for one US$.
    Amounts keep the unit and step they are printed with. What contradicts itself (its US$ in
    brackets, another print of it) is left out and said in the remarks.
    """
    # Runs of spaces and empty lines mean nothing here, and cost time.
    text = re.sub(r"\s{2,}", lambda m: next(c for c in "\t\n " if c in m[0] or c == " "), text)
    sentences = _Sentences(text, company, period_end)
    remarks: list[str] = []
    amounts: dict[tuple[str, Period | None], list[_Found]] = {}
    indicators: dict[tuple[str, date], list[_Found]] = {}
    for entry in entries:
        if entry.company_key != company.company_key:
            continue
        for found in _find(text, entry):
            if _is_meant_otherwise(sentences, found):
                continue
            if entry.measure == "kpi":
                day = _as_of(sentences, found)
                if day is not None:
                    indicators.setdefault((entry.key, day), []).append(found)
                continue
            is_stock = natures.get(entry.key) == "stock"
            period = None if is_stock else _period(sentences, found)
            if period is None and not (is_stock and _is_of_day(sentences, found)):
                continue
            if not _converts(found, company.reporting_currency, rates):
                assert found.dollars is not None
                remarks.append(
                    f"{entry.key}: {found.words!r}: the {found.dollars[0]} in brackets, "
                    f"{found.dollars[1]:,f}, are not that at the stated rate "
                    f"{', '.join(map(str, rates))}; left out"
                )
                # It counts as a print all the same, so that a good one beside it is not believed.
            amounts.setdefault((entry.key, period), []).append(found)
    figures = []
    for (metric, period), prints in amounts.items():
        best = _agreed(f"{metric} of the {period.type if period else 'day'}", period_end,
                       prints, remarks)  # fmt: skip
        if best is not None and all(
            _converts(p, company.reporting_currency, rates) for p in prints
        ):
            figures.append(_figure(metric, period, period_end, best))
    statements = []
    for (kpi, day), prints in indicators.items():
        best = _agreed(kpi, day, prints, remarks)
        if best is not None:
            statements.append(_statement(kpi, day, best))
    return figures, statements, remarks


def _find(text: str, entry: StatedFigure) -> Iterator[_Found]:
    for match in _pattern(entry.template).finditer(text):
        groups = match.groupdict()
        if groups.get("ordinal"):
            yield _Found(entry, match, _ordinal(groups["ordinal"]), Decimal(1), "one",
                         match.end(), None)  # fmt: skip
            continue
        value = _value(groups["digits"])
        if value is None:
            continue
        if "sign" in groups and entry.currency not in (None, _currency(groups["sign"])):
            continue
        dollars = None
        end = match.end()
        bracket = _IN_BRACKETS.match(text, end) if "sign" in groups else None
        if bracket is not None:
            other = _value(bracket["digits"])
            if other is not None:
                power = _POWERS[_unit(bracket["unit"])]
                dollars = (_currency(bracket["sign"]), other.scaleb(power),
                           Decimal(1).scaleb(_exponent(other) + power))  # fmt: skip
            end = bracket.end()
        unit = _unit(groups["unit"]) if groups.get("unit") else "one"
        step = Decimal(1).scaleb(_exponent(value))
        if "{outflow}" in entry.template:
            value = -value
        yield _Found(entry, match, value, step, unit, end, dollars)


@lru_cache(maxsize=512)
def _pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of a template."""
    gap = (
        rf"(?:(?!{_SENTENCE_END.pattern}|(?:{_COMPARED})|{_ANY_SIGN})[\s\S]){{0,{_LONGEST_GAP}}}?"
        r"(?<![A-Za-z])"
    )
    pieces: list[str] = []
    for part in re.findall(r"\{[^{}]*\}|\.\.\.|[^{}.\s]+(?:\.(?!\.)[^{}.\s]*)*|\.", template):
        optional = False
        if part == "...":
            pieces.append(gap)
            continue
        if part.startswith("{"):
            inner = part[1:-1]
            if "|" in inner:
                choices = [choice.strip() for choice in inner.split("|")]
                optional = "" in choices
                piece = "|".join(_words(choice) for choice in choices if choice)
            elif inner == "period":
                piece = rf"(?:the\s*)?(?:{_without_names(_MENTION.pattern)})"
            else:
                piece = _PLACEHOLDERS[inner]
        else:
            piece = _words(part)
        ahead = _BETWEEN_WORDS if pieces and not _is_mark(part) else r"\s?" if pieces else ""
        pieces.append(rf"(?:{ahead}(?:{piece}))" + ("?" if optional else ""))
    return re.compile(rf"(?<![A-Za-z])(?:{''.join(pieces)})", re.IGNORECASE)


def _words(words: str) -> str:
    return _BETWEEN_WORDS.join(_word(word) for word in words.split())


def _word(word: str) -> str:
    # A word ends where its letters end: "was" is not the beginning of "wasted".
    end = r"(?![A-Za-z])" if word[-1].isalpha() else ""
    return loosely(word).replace("'", "['\u2019]") + end


def _is_mark(part: str) -> bool:
    return not any(c.isalnum() or c == "{" for c in part)


def _without_names(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def _is_meant_otherwise(sentences: _Sentences, found: _Found) -> bool:
    """Whether the words before make it a change, a plan, a comparison or an adjusted figure."""
    start = sentences.start(found.match.start())
    before = sentences.text[max(start, found.match.start() - 400) : found.match.start()]
    return bool(_NOT_THE_FIGURE.search(before) or _NOT_YET.search(before))


def _period(sentences: _Sentences, found: _Found) -> Period | None:
    """Return the period of a flow if it ends with the release's: the one named nearest."""
    mention = sentences.following(found.end)
    if mention is not None:
        return _one_period(sentences, found, mention.periods)
    start = sentences.start(found.match.start())
    for mention in sentences.before(found.match.end()):
        if mention.start < start:
            break
        if mention.kind != "other":
            return _one_period(sentences, found, mention.periods)
    return _period_of_section(sentences, found, start)


def _period_of_section(sentences: _Sentences, found: _Found, start: int) -> Period | None:
    """Return the period that the text before a sentence speaks of.

    The heading of a list ("In the quarter ended June 30, 2024:") must not be of another.
    """
    nearest: Period | None = None
    for mention in sentences.before(start):
        far = found.match.start() - mention.start
        if far > _LONGEST_LIST:
            break
        if mention.kind in ("other", "as_of", "this_quarter", "date"):
            continue
        if nearest is None:
            if far > _FARTHEST_PERIOD:
                return None
            nearest = _one_period(sentences, found, mention.periods)
            if nearest is None:
                return None
        if re.match(r"\s*:", sentences.text[mention.end :][:4]):
            return nearest if _one_period(sentences, found, mention.periods) == nearest else None
    return nearest


def _one_period(sentences: _Sentences, found: _Found, periods: Iterable[Period]) -> Period | None:
    ending = {p for p in periods if p.end == sentences.period_end}
    # "compared to ... in the same quarter of 2023" says which is meant, and which is not.
    rest = sentences.text[found.end : sentences.end(found.end)]
    for words, type_ in ((_SAME_QUARTER, "quarter"), (_OTHER_YEAR, "year")):
        if words.match(rest):
            ending = {p for p in ending if p.type == type_}
    return ending.pop() if len(ending) == 1 else None


def _is_of_day(sentences: _Sentences, found: _Found) -> bool:
    """Whether a balance is as of the end of the release's period, by its own sentence."""
    mention = sentences.following(found.end)
    if mention is not None:
        return mention.day == sentences.period_end
    start = sentences.start(found.match.start())
    for mention in sentences.before(found.match.end()):
        if mention.start < start:
            return False
        if mention.kind == "as_of":
            return mention.day == sentences.period_end
    return False


def _as_of(sentences: _Sentences, found: _Found) -> date | None:
    """Return the day of an indicator: the one its template asks for, or the period's end."""
    end = sentences.period_end
    if found.match.groupdict().get("date"):
        day = _day(found.match["date"])
        # Indicators may be of a day after the period's end, as long as releases take to come out.
        return day if day is not None and end <= day <= end + LONGEST_AFTER_PERIOD else None
    start = sentences.start(found.match.start())
    mention = sentences.following(found.end)
    named = [mention] if mention is not None else []
    named += takewhile(lambda m: m.start >= start, sentences.before(found.match.end()))
    for mention in named:
        if mention.day is not None:
            return end if mention.day == end else None
        if mention.kind == "other" and mention.start > found.match.end():
            return None
        if mention.kind != "other":
            return end if any(p.end == end for p in mention.periods) else None
    return end


def _converts(found: _Found, own: str, rates: Sequence[Decimal]) -> bool:
    """Whether the amount in brackets is the other at a stated rate, both as rounded."""
    groups = found.match.groupdict()
    if found.dollars is None or not rates:
        return True
    pair = {_currency(groups["sign"]): found.in_ones}
    currency, value, step = found.dollars
    pair[currency] = (value.copy_sign(found.value), step / 2)
    if pair.keys() != {own, "USD"}:
        return own == "USD" or currency not in (own, "USD")
    (amount, half), (dollars, half_dollars) = pair[own], pair["USD"]
    return any(
        # Issuers shift the last digit so that parts add up in US$ too; a rate has five digits.
        abs(amount / rate - dollars) <= half / rate + 3 * half_dollars + abs(dollars) / 20_000
        for rate in rates
    )


def _agreed(name: str, day: date, prints: Sequence[_Found], remarks: list[str]) -> _Found | None:
    """Return the most exact of the prints, or none and a remark if they are not one figure."""
    best = min(prints, key=lambda found: found.in_ones[1])
    for other in prints:
        (left, half), (right, other_half) = best.in_ones, other.in_ones
        currencies = {_currency(s) for f in (best, other) if (s := f.match.groupdict().get("sign"))}
        # Prints of one step must be equal; a coarser one must be the other rounded.
        tolerance = other_half if other_half > half else Decimal(0)
        if abs(left - right) > tolerance or len(currencies) > 1:
            remarks.append(
                f"{name} to {day}: printed as {best.value:,} {best.unit} ({best.words!r}) and "
                f"{other.value:,} {other.unit} ({other.words!r}); left out"
            )
            return None
    return best


def _figure(metric: str, period: Period | None, period_end: date, found: _Found) -> Figure:
    return Figure(
        None,
        None,
        metric,
        period.start if period else period_end,
        period_end,
        period.type if period else "instant",
        found.value,
        found.unit,
        _currency(found.match["sign"]),
        "current",
        found.step,
        f"text: '{found.words}'",
    )


def _statement(kpi: str, day: date, found: _Found) -> Statement:
    template = found.entry.template
    qualifier = None
    value = found.value
    if "{floor}" in template:
        qualifier = "more than"
        value = found.in_ones[0]
    elif "{count}" in template:
        qualifier = "rounded" if found.unit == "billion" else None
        value = found.in_ones[0].scaleb(-6)
    return Statement(kpi, day, Decimal(f"{value.normalize():f}"), qualifier, f"'{found.words}'")


# Numbers and dates


def _value(digits: str) -> Decimal | None:
    compact = digits.replace(" ", "")
    return Decimal(compact.replace(",", "")) if _NUMBER.fullmatch(compact) else None


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _unit(words: str) -> str:
    return letters(words)


def _currency(sign: str) -> str:
    return _CURRENCIES[sign.replace(" ", "").replace("\n", "").upper()]


def _ordinal(words: str) -> Decimal:
    if words.isdigit():
        return Decimal(words)
    names = [letters(name) for name in _ORDINALS]
    return Decimal(names.index(letters(words)) + 1)


def _types(words: str) -> tuple[str, ...]:
    """Return the types of period that words name, in their order."""
    compact = letters(words)
    found = [(compact.index(name), type_) for name, type_ in _TYPES.items() if name in compact]
    years = compact.replace("halfyear", "")
    if "year" in years or "twelve" in years:
        found.append((len(compact), "year"))
    return tuple(type_ for _, type_ in sorted(found))


def _month(words: str) -> int | None:
    compact = letters(words)
    return next((i for i, m in enumerate(MONTHS, 1) if m[:3].lower() in compact), None)


def _year(words: str) -> int | None:
    match = re.search(_YEAR, words)
    return int(match[0].replace(" ", "")) if match else None


def _day(words: str) -> date | None:
    """Return the day that words end with or hold, if there is such a day."""
    match = re.search(_DATE, words, re.IGNORECASE)
    if match is None:
        return None
    month = _month(match[0])
    digits = re.sub(r"\D", "", match[0])
    try:
        return date(int(digits[-4:]), month or 0, int(digits[:-4]))
    except ValueError:
        return None


def _last_day(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])
