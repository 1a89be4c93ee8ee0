"""Segment and consolidated figures of a 10-K, 10-Q or 20-F, from the facts tagged in it.

What belongs here: which row a fact is. A fact without dimensions is consolidated; a fact on an axis
of ``xbrl_members.csv`` is of the segment that stands there. Segments are read for the metrics that
some structure adds up, revenue lines for revenue. What the registry does not know is refused.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from orchestration.contracts.periods import PERIOD_DAYS
from orchestration.documents.reading import Check, DocumentRefused, Figure, Reading, Statement
from orchestration.documents.vocabulary import letters, printed_names
from orchestration.documents.xbrl_facts import Context, Facts, NumericFact, Unreadable, read_facts
from orchestration.registry import Registry
from orchestration.registry.entries import (
    Company,
    MetricEntry,
    Segment,
    Structure,
    XbrlConcept,
    XbrlMember,
)

KINDS = ("10-k", "10-q", "20-f")
_TYPE, _END, _AMENDED = "dei:DocumentType", "dei:DocumentPeriodEndDate", "dei:AmendmentFlag"
_MILLION = Decimal(1_000_000)
_CURRENCY = re.compile("[A-Z]{3}")


class _Key(NamedTuple):
    """What a figure is; facts of one key say the same."""

    metric: str
    segment_key: str | None
    period_start: date
    period_end: date
    period_type: str
    currency: str


class NothingTagged(DocumentRefused):
    """A document without facts that are read, as an amendment of other parts is."""


@dataclass(frozen=True)
class _Cover:
    """What the document says of itself."""

    form: str
    period_end: date
    is_amendment: bool


def read_xbrl(content: bytes, name: str, company_key: str, registry: Registry) -> Reading:
    """Return the figures of an inline XBRL document or an XBRL instance, in units of one.

    One figure per segment, metric, period and currency; ``column_role`` is ``current`` where the
    period ends with the document's. The day of filing is not in the document.

    Raises:
        Unreadable: for what is no XBRL document.
        NothingTagged: for a document without such facts.
        DocumentRefused: for a document that is not such a report of this company, a member that
            the registry does not know, and facts that contradict each other.
    """
    concepts = {
        f"{c.taxonomy}:{c.concept}": c
        for c in registry.entries(XbrlConcept)
        if company_key not in c.except_company_keys
    }
    facts = read_facts(content, name, concepts, (_TYPE, _END, _AMENDED))
    cover = _cover(facts, name, company_key, registry)
    members = _Members(name, company_key, cover.period_end, registry)
    stocks = {m.metric for m in registry.entries(MetricEntry) if m.nature == "stock"}
    remarks: Counter[str] = Counter()
    found: dict[_Key, dict[str, list[NumericFact]]] = {}
    statements: dict[tuple[str, date], Statement] = {}
    for fact in facts.numbers:
        concept = concepts[fact.concept]
        end = fact.context.end
        if end is None or fact.context.is_typed:
            continue
        if concept.measure == "kpi":
            if fact.unit == "shares" and not fact.context.members:
                stated = Statement(concept.key, end, fact.value / _MILLION)
                statements[concept.key, end] = stated
            continue
        period_type = _period_type(fact.context, concept.key in stocks)
        if not _CURRENCY.fullmatch(fact.unit):
            continue
        if period_type is None:
            remarks[f"{concept.key} of a period of another length"] += 1
            continue
        for segment_key in members.segments(fact, concept.key, remarks):
            key = _Key(
                concept.key, segment_key, fact.context.start or end, end, period_type, fact.unit
            )
            found.setdefault(key, {}).setdefault(fact.concept, []).append(fact)
    if not found:
        raise NothingTagged(f"{name}: no fact of {company_key} is of a registered concept")
    figures, compared = [], 0
    for key, by_concept in sorted(found.items(), key=lambda item: _order(item[0])):
        kept = {tag: _agreed(same, key, name) for tag, same in by_concept.items()}
        compared += sum(len(same) - 1 for same in by_concept.values())
        best = min(kept, key=lambda tag: concepts[tag].priority)
        figures.append(_figure(key, kept[best], cover.period_end))
    segments = {figure.segment_key for figure in figures} - {None}
    return Reading(
        company_key=company_key,
        kind=cover.form.removesuffix("/A").lower(),
        period_end=cover.period_end,
        reported_on=None,
        title=f"Form {cover.form}: {name}",
        figures=tuple(figures),
        statements=tuple(statements.values()),
        checks=(
            Check("facts stated twice agree", compared, "all do"),
            Check("members are registered", len(segments), "all are"),
        ),
        remarks=tuple(f"{count} facts left out: {why}" for why, count in sorted(remarks.items()))
        + (("amends an earlier report",) if cover.is_amendment else ()),
    )


class _Members:
    """What the dimensions of a fact make it for one company and document."""

    def __init__(self, name: str, company_key: str, period_end: date, registry: Registry) -> None:
        self._name, self._company_key, self._period_end = name, company_key, period_end
        entries = registry.entries(XbrlMember)
        self._axes = {entry.axis for entry in entries}
        self._lines: dict[tuple[str, str, str | None], list[XbrlMember]] = {}
        own = {_place(entry) for entry in entries if entry.company_key == company_key}
        for entry in entries:
            # A company's own lines stand before those of every company.
            if entry.company_key == company_key or (
                entry.company_key is None and _place(entry) not in own
            ):
                self._lines.setdefault(_place(entry), []).append(entry)
        self._segments = {s.segment_key: s for s in registry.entries(Segment)}
        self._structures = {(s.company_key, s.structure): s for s in registry.entries(Structure)}
        self._metrics = {m for s in self._structures.values() for m in s.adds_up_to}

    def segments(
        self, fact: NumericFact, metric: str, remarks: Counter[str]
    ) -> tuple[str | None, ...]:
        """Return the segments that a fact is of, one per breakdown at most; ``None``: the company.

        Raises:
            DocumentRefused: for a member that is not registered.
        """
        dimensions = fact.context.members
        if not dimensions:
            return (None,)
        if metric not in self._metrics:
            return ()
        elsewhere = [axis for axis, _ in dimensions if axis not in self._axes]
        if elsewhere:
            remarks[f"{metric} by {elsewhere[0]}"] += 1
            return ()
        told = [pair for pair in dimensions if not self._is_qualifier(*pair)]
        if len(told) == 1:
            return self._single(fact, metric, told[0], remarks)
        for axis, member in told:
            beside = [f"{a}={_local(m)}" for a, m in told if a != axis]
            lines = self._lines.get((axis, _local(member), beside[0])) if len(beside) == 1 else None
            if lines:
                return self._in_use(lines, metric, remarks)
        remarks[f"{metric} of a part within a part" if told else f"{metric} of all segments"] += 1
        return ()

    def _single(
        self, fact: NumericFact, metric: str, told: tuple[str, str], remarks: Counter[str]
    ) -> tuple[str | None, ...]:
        axis, member = told
        lines = (
            self._lines.get((axis, _local(member), None))
            or self._lines.get((axis, "*", None))
            or self._named_alike(axis, member)
        )
        if not lines:
            raise DocumentRefused(self._unknown(fact, axis, member))
        return self._in_use(lines, metric, remarks)

    def _named_alike(self, axis: str, member: str) -> list[XbrlMember]:
        """Return the segments whose name the filer made the member's: ``CloudComputingMember``.

        By their letters, as names of releases are compared; anything less is not registered.
        """
        own = letters(_local(member)).removesuffix("member")
        return [
            XbrlMember(
                company_key=self._company_key,
                axis=axis,
                member=_local(member),
                use="segment",
                segment_key=segment.segment_key,
                source="named as the segment is",
            )
            for segment in self._segments.values()
            if segment.company_key == self._company_key
            and segment.breakdown != "subline"
            and own.removesuffix("segment") in {letters(name) for name in printed_names(segment)}
        ]

    def _in_use(
        self, lines: Iterable[XbrlMember], metric: str, remarks: Counter[str]
    ) -> tuple[str | None, ...]:
        """Return the segments whose structure is reported in the document's period.

        Comparatives are recast to it, so that the period of a fact does not count.
        """
        chosen: dict[str, str] = {}
        for line in lines:
            if line.segment_key is None:
                remarks[f"{metric}: {line.member} ({line.reason})"] += 1
                return ()
            segment = self._segments[line.segment_key]
            structure = self._structures[segment.company_key, segment.structure]
            last = structure.last_reported_period or date.max
            if not structure.first_reported_period <= self._period_end <= last:
                continue
            if structure.breakdown == "revenue_line" and metric != "revenue":
                continue
            if structure.breakdown in chosen:
                raise DocumentRefused(
                    f"{self._name}: {line.axis}={line.member} is of {chosen[structure.breakdown]} "
                    f"and of {segment.segment_key} at {self._period_end}"
                )
            chosen[structure.breakdown] = segment.segment_key
        if not chosen:
            remarks[f"{metric}: {line.member} (no structure with it at {self._period_end})"] += 1
        return tuple(chosen.values())

    def _is_qualifier(self, axis: str, member: str) -> bool:
        lines = self._lines.get((axis, _local(member), None), ())
        return any(line.use == "qualifier" for line in lines)

    def _unknown(self, fact: NumericFact, axis: str, member: str) -> str:
        registered = {
            line.member: line.segment_key or line.use
            for (of, _, beside), lines in self._lines.items()
            for line in lines
            if of == axis and beside is None
        }
        near = difflib.get_close_matches(_local(member), registered, n=3, cutoff=0.3)
        meant = ", ".join(f"{name} ({registered[name]})" for name in near) or "none"
        lines = (
            (
                self._company_key,
                axis,
                _local(member),
                "",
                "segment",
                "<segment_key>",
                "",
                "<source>",
            ),
            (self._company_key, axis, _local(member), "", "left out", "", "<reason>", "<source>"),
        )
        add = " or ".join(f"`{_csv(line)}`" for line in lines)
        return (
            f"{self._name}: {fact.concept}: the member {member} of {axis} is not registered for "
            f"{self._company_key}; nearest: {meant}; add to xbrl_members.csv {add}"
        )


def _cover(facts: Facts, name: str, company_key: str, registry: Registry) -> _Cover:
    form, end, amended = (facts.text(concept) for concept in (_TYPE, _END, _AMENDED))
    if form is None or end is None:
        raise Unreadable(f"{name}: {_TYPE if form is None else _END} is not tagged in it")
    if form.text.removesuffix("/A").lower() not in KINDS:
        raise DocumentRefused(f"{name}: a form {form.text} is not read, only {', '.join(KINDS)}")
    ciks = {c.company_key: c.cik for c in registry.entries(Company)}
    if company_key not in ciks:
        raise DocumentRefused(f"{name}: {company_key} is not in companies.csv")
    filer, cik = form.context.entity, ciks[company_key]
    if cik is not None and filer.lstrip("0") != str(cik):
        raise DocumentRefused(f"{name}: is of CIK {filer}, and {company_key} is CIK {cik}")
    try:
        period_end = date.fromisoformat(end.text)
    except ValueError:
        raise DocumentRefused(f"{name}: {_END}: {end.text!r} is no day") from None
    is_amendment = form.text.endswith("/A") or (amended is not None and amended.text == "true")
    return _Cover(form.text, period_end, is_amendment)


def _period_type(context: Context, is_stock: bool) -> str | None:
    if context.start is None or context.end is None or is_stock:
        return "instant" if is_stock and context.start is None else None
    days = (context.end - context.start).days + 1
    return next((name for name, lengths in PERIOD_DAYS.items() if days in lengths), None)


def _agreed(same: list[NumericFact], key: _Key, name: str) -> NumericFact:
    """Return the most precise of facts that say one thing; they may differ by its rounding."""
    best = min(same, key=lambda fact: fact.step)
    for fact in same:
        allowed = fact.step / 2 if fact.step > best.step else Decimal(0)
        if abs(fact.value - best.value) > allowed:
            raise DocumentRefused(
                f"{name}: {fact.concept} of {_dimensions(fact.context) or key.metric} from "
                f"{key.period_start} to {key.period_end} is {best.value:f} {key.currency} in "
                f"context {best.context.id} and {fact.value:f} in context {fact.context.id}"
            )
    return best


def _figure(key: _Key, fact: NumericFact, period_end: date) -> Figure:
    dimensions = _dimensions(fact.context)
    return Figure(
        segment_key=key.segment_key,
        label_printed=None,
        metric=key.metric,
        period_start=key.period_start,
        period_end=key.period_end,
        period_type=key.period_type,
        value=fact.value,
        unit="one",
        currency=key.currency,
        column_role="current" if key.period_end == period_end else "prior_year",
        printed_step=fact.step,
        locator=" ".join(filter(None, (fact.concept, dimensions, f"context {fact.context.id}"))),
    )


def _dimensions(context: Context) -> str:
    return " ".join(f"{axis}={member}" for axis, member in context.members)


def _order(key: _Key) -> tuple[str, str, date, date, str]:
    return key.segment_key or "", key.metric, key.period_end, key.period_start, key.currency


def _place(entry: XbrlMember) -> tuple[str, str, str | None]:
    return entry.axis, entry.member, entry.beside


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _csv(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
