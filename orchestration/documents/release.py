"""An issuer's results release, read by the entries that the registry has for the issuer.

The same reader takes HTML, PDF and plain text of every issuer. Nothing is guessed: a table is used
only if its rows add up to the consolidated figure in every column, its US$ column is the other
divided by the stated rate, and every name in it is known. A release that contradicts itself, or
names a segment that the registry does not know, is refused whole.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from orchestration.contracts.periods import LONGEST_AFTER_PERIOD
from orchestration.documents import tables as tables_of
from orchestration.documents.consolidated import add_company_figures, collect_totals
from orchestration.documents.evidence import Evidence
from orchestration.documents.headers import DATE, day_of, find_heads
from orchestration.documents.reading import Check, DocumentRefused, Reading
from orchestration.documents.segment_columns import read_columns
from orchestration.documents.segment_rows import read_block
from orchestration.documents.sentences import read_sentences
from orchestration.documents.tables import Table, find_blocks
from orchestration.documents.text import extract
from orchestration.documents.tokens import join_split_digits
from orchestration.documents.vocabulary import Vocabulary
from orchestration.registry import Registry

_RATE = re.compile(r"RMB\s?(\d{1,2} ?\. ?\d(?: ?\d){2,5})\s*(?:to|=|per)\s*US ?\$\s?1(?![\d,])")
#: Characters in which a release says what it is of and when it came out.
_OPENING = 8_000
_DAY = re.compile(rf"\b(?:{DATE})", re.IGNORECASE)
_WEEKDAY = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? $")
_SIGNED = re.compile(rf"\b[A-Z][a-z]+(?: [A-Z][a-z]+)?, +((?i:{DATE}))")
_ENDED = re.compile(rf"\bended\s+({DATE})", re.IGNORECASE)
_TITLE = re.compile(r"[A-Z][^\n.]{2,60}? (?:Announces|Reports|Announce)\b[^\n.]{3,120}?\bResults")


class NothingPrinted(DocumentRefused):
    """A document without a table of figures, as an invitation to a call is."""


def read_release(content: bytes, name: str, company_key: str, registry: Registry) -> Reading:
    """Return what a release says of segments and of the company as a whole.

    Raises:
        DocumentRefused: when it cannot be read, contradicts itself or names an unknown segment;
            the message names file, table, row and figures.
        LookupError: when the registry has no entry for the issuer.
    """
    vocabulary = Vocabulary.of(registry, company_key)
    text = extract(content, name)
    joined = join_split_digits(text.content)
    heads, ends = find_heads(joined, vocabulary)
    tables = tables_of.read_tables(joined, heads, ends, vocabulary)
    period_ends = {s.period.end for t in tables for s in t.head.slots if s.period is not None}
    if not period_ends:
        raise NothingPrinted(f"{name}: no table of figures with a head that can be read")
    period_end = max(period_ends)
    reported_on = _reported_on(joined, period_end)
    if reported_on is None:
        _refuse_other_period(joined[: heads[0].start], name, period_end)
    usable = _usable(tables, period_end)
    evidence = Evidence(name, text, vocabulary, usable, period_end, _rates(joined))
    collect_totals(evidence)
    for table in evidence.tables:
        if table.head.segments_are_columns:
            read_columns(evidence, table)
        else:
            for block in find_blocks(table, vocabulary):
                read_block(evidence, block)
    if not any(key[0] for key in evidence.figures):
        raise DocumentRefused(
            f"{name}: no table of segments that adds up to a consolidated figure was found"
            + "".join(f"; {remark}" for remark in evidence.remarks[:3])
        )
    stated, statements, remarks = read_sentences(
        joined,
        vocabulary.company,
        vocabulary.stated,
        vocabulary.natures,
        period_end,
        evidence.rates,
    )
    add_company_figures(evidence, stated)
    return Reading(
        company_key,
        "results",
        evidence.period_end,
        reported_on,
        _title(joined, name),
        (*evidence.figures.values(), *evidence.stated),
        tuple(statements),
        checks=tuple(
            Check(check, count, f"{count} agree")
            for check, count in sorted(evidence.counts.items())
        ),
        remarks=(*evidence.remarks, *remarks),
    )


def _usable(tables: Sequence[Table], period_end: date) -> list[Table]:
    """Return the tables in the unit of most of them and of periods that a release compares.

    Those end with the period reported, a year before it or, beside it, with the quarter before.
    """
    named = [t for t in tables if any(row.label.name for row in t.rows)]
    units = Counter(table.head.unit for table in named)
    compared = {period_end, *(_months_before(period_end, months) for months in (3, 12))}
    return [
        table
        for table in named
        if table.head.unit == units.most_common(1)[0][0]
        and {slot.period.end for slot in table.head.slots if slot.period} <= compared
    ]


def _months_before(day: date, months: int) -> date:
    months = day.year * 12 + day.month - 1 - months
    year, month = divmod(months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def _refuse_other_period(text: str, name: str, period_end: date) -> None:
    """Refuse a document whose words before the first table speak of another period than it.

    Asked where the document is not dated to the months after the period of its tables.

    Raises:
        DocumentRefused: naming both.
    """
    named = {day_of(match[1]) for match in _ENDED.finditer(text[:_OPENING])}
    if named and period_end not in named:
        raise DocumentRefused(
            f"{name}: its words are of periods ended "
            f"{', '.join(map(str, sorted(named)))}, its tables go to {period_end}"
        )


def _rates(text: str) -> tuple[Decimal, ...]:
    return tuple(sorted({Decimal(m[1].replace(" ", "")) for m in _RATE.finditer(text)}))


def _title(text: str, name: str) -> str:
    match = _TITLE.search(text[:4000])
    return " ".join(match[0].split()) if match else name


def _reported_on(text: str, period_end: date) -> date | None:
    """Return the day in the dateline, or under the signature as exchanges want it."""
    dateline = (
        match[0]
        for match in _DAY.finditer(text[:_OPENING])
        # Of a web page that the text was taken from.
        if not _WEEKDAY.search(text, max(match.start() - 12, 0), match.start())
    )
    signature = (match[1] for match in reversed(list(_SIGNED.finditer(text))))
    for words in (*dateline, *signature):
        day = day_of(words)
        if period_end < day <= period_end + LONGEST_AFTER_PERIOD:
            return day
    return None
