"""Compares what a reader returns with what a release says, and counts.

What belongs here: when a returned figure is right, and which figures are absent. What does not:
which documents are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.documents.writer import Fact, Period, Release

if TYPE_CHECKING:
    from orchestration.documents.reading import Figure, Reading

MONTHS = {"quarter": 3, "half_year": 6, "nine_months": 9, "year": 12}


@dataclass
class Outcome:
    """How many figures are right; each wrong one and each absent one in words."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        return not self.wrong and not self.absent


def compare(release: Release, reading: Reading) -> Outcome:
    """Return how a reading fares against what the release says."""
    outcome = Outcome()
    if reading.document_id != f"alibaba.results.{release.period.end}":
        outcome.wrong.append(f"document_id {reading.document_id}")
    if reading.reported_on not in (None, release.reported_on):
        outcome.wrong.append(f"reported on {reading.reported_on}, not {release.reported_on}")
    seen: set[Fact] = set()
    for figure in reading.figures:
        problem = _problem(release, figure, seen)
        if problem:
            outcome.wrong.append(problem)
        else:
            outcome.right += 1
    outcome.absent += [str(fact) for fact in release.truth if fact.required and fact not in seen]
    return outcome


def values(figures: Iterable[Figure]) -> set[tuple[object, ...]]:
    """Return figures without where they stand, to compare the forms of one release."""
    return {
        (f.segment_key, f.metric, f.period_start, f.period_end, f.value, f.unit, f.column_role)
        for f in figures
    }


def _problem(release: Release, figure: Figure, seen: set[Fact]) -> str | None:
    said = (
        f"{figure.segment_key} {figure.metric} {figure.period_start}..{figure.period_end} "
        f"= {figure.value} {figure.unit} {figure.currency} at {figure.locator}"
    )
    if figure.period_type not in MONTHS:
        return f"{said}: period type {figure.period_type}"
    period = Period(figure.period_end, MONTHS[figure.period_type])
    if figure.period_start != period.start:
        return f"{said}: a {figure.period_type} begins on {period.start}"
    if (figure.unit, figure.currency) != ("million", "CNY"):
        return f"{said}: not in millions of renminbi"
    if figure.printed_step != Decimal(1) or not figure.locator:
        return f"{said}: step {figure.printed_step}, locator {figure.locator!r}"
    role = "current" if period.end == release.period.end else "prior_year"
    # Of a further period, such as the quarter before, the contract has no role.
    if figure.column_role != role and period.end in (
        release.period.end,
        release.period.year_before.end,
    ):
        return f"{said}: its column is {figure.column_role}, not {role}"
    segment = figure.segment_key and figure.segment_key.removeprefix(
        f"alibaba.{release.structure}."
    )
    fact = Fact(segment, figure.metric, period)
    if fact in seen:
        return f"{said}: given twice"
    if fact not in release.truth:
        return f"{said}: nothing of the release says so"
    if release.truth[fact] != figure.value:
        return f"{said}: the release says {release.truth[fact]}"
    seen.add(fact)
    return None
