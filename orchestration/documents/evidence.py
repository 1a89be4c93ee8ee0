"""What a release has shown so far: its figures, what is printed of the company, and what agrees.

What belongs here: the state of reading one release and the checks that all its tables share (the
US$ column, printed growth, a figure printed twice). How tables are read is next door.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from orchestration.documents.alignment import Amounts, Cell
from orchestration.documents.headers import SCALES, Period, Slot
from orchestration.documents.reading import DocumentRefused, Figure
from orchestration.documents.tables import Row, Table
from orchestration.documents.text import Text
from orchestration.documents.vocabulary import Vocabulary
from orchestration.registry.entries import Segment, Structure

#: How far a figure in US$ may be off, in its printed steps: three at most in the real releases.
_DOLLAR_STEPS = Decimal("3.5")


@dataclass(frozen=True)
class Print:
    """An amount in a table: of a segment, or of the company where ``label_printed`` is ``None``."""

    table: Table
    metric: str
    period: Period
    cell: Cell
    label_printed: str | None
    locator: str


@dataclass
class Evidence:
    """The state of reading one release. ``rates``: reporting currency for one US$, as stated."""

    name: str
    text: Text
    vocabulary: Vocabulary
    tables: Sequence[Table]
    period_end: date
    rates: tuple[Decimal, ...]
    #: What is printed of the company by metric and period: each value with all its prints.
    totals: dict[tuple[str, Period], dict[Decimal, list[Print]]] = field(default_factory=dict)
    #: Prints that may be of a part of the company.
    unsure: list[Print] = field(default_factory=list)
    #: Metrics and periods of which a statement proves the figure.
    proved: set[tuple[str, Period]] = field(default_factory=set)
    #: Figures that are believed, by segment (``None``: the company), metric and period.
    figures: dict[tuple[str | None, str, Period], Figure] = field(default_factory=dict)
    #: Consolidated figures that sentences alone state.
    stated: list[Figure] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)

    @property
    def currency(self) -> str:
        """The reporting currency of the issuer."""
        return self.vocabulary.company.reporting_currency

    def structures(self) -> list[Structure]:
        """Return the structures that the release may report under.

        Of each breakdown the one of the period reported, or all where the registry has none then.
        """
        every = self.vocabulary.structures
        reported = [s for s in every if s.is_reported_at(self.period_end)]
        breakdowns = {structure.breakdown for structure in reported}
        return [*reported, *(s for s in every if s.breakdown not in breakdowns)]

    def own_columns(self, table: Table) -> list[tuple[int, Slot]]:
        """Return the columns in the reporting currency, with their place among the amounts."""
        return [
            (place, slot)
            for place, slot in enumerate(table.head.amounts)
            if slot.currency == self.currency
        ]

    def agreeing(
        self, table: Table, ways: Iterable[tuple[Amounts, ...]]
    ) -> list[tuple[Amounts, ...]]:
        """Return the ways to read a row in which its US$ column is the other at a stated rate."""
        pairs = self.dollar_pairs(table)
        return [
            way
            for way in ways
            if all(self._converts(way[0][left], way[0][right]) for left, right in pairs)
        ]

    def dollar_pairs(self, table: Table) -> list[tuple[int, int]]:
        """Return the places of each amount in the reporting currency and the same in US$."""
        own = {(slot.period, slot.column): place for place, slot in self.own_columns(table)}
        return [
            (own[slot.period, slot.column], place)
            for place, slot in enumerate(table.head.amounts)
            if slot.currency == "USD" and (slot.period, slot.column) in own
        ]

    def _converts(self, own: Cell, dollars: Cell) -> bool:
        # Issuers round the parts so that they add up: they may be a few steps off.
        allowed = _DOLLAR_STEPS * dollars.step + abs(dollars.value) / 20_000
        return not self.rates or any(
            abs(own.value / rate - dollars.value) <= allowed for rate in self.rates
        )

    def other_growth(self, table: Table, row: Row, amounts: Amounts) -> str | None:
        """Return in words that the growth a row prints is not that of its amounts, if so."""
        place = table.head.growth
        printed = row.percents[place] if place is not None and place < len(row.percents) else None
        values = {slot.period: amounts[p].value for p, slot in self.own_columns(table)}
        now = max((period for period in values if period), key=lambda period: period.end)
        before = next(
            (p for p in values if p and p.type == now.type and p.end.year == now.end.year - 1),
            None,
        )
        if before is None or not values[before] or printed is None:
            return None
        growth = 100 * (values[now] - values[before]) / abs(values[before])
        allowed = 1 + abs(growth) / 100
        # Of a loss that grows some print a rise and some a fall.
        likely = (growth,) if values[before] > 0 else (growth, -growth)
        if any(abs(rate - printed) <= allowed for rate in likely):
            return None
        scale = table.head.scale
        return (
            f"table {table.number}, row {row.printed!r}: prints a growth of {printed}%, its "
            f"amounts {values[before] / scale:,} and {values[now] / scale:,} grow by {growth:.1f}%"
        )

    def read(
        self, table: Table, row: Row, place: int, metric: str, period: Period, cell: Cell
    ) -> Print:
        """Return a consolidated amount as it stands in a table."""
        return Print(table, metric, period, cell, None, self.locator(table, row, place))

    def note_total(self, read: Print) -> None:
        """Keep what is printed of the company, to be compared with other prints of it."""
        prints = self.totals.setdefault((read.metric, read.period), {})
        prints.setdefault(read.cell.value, []).append(read)

    def add_row(
        self, table: Table, row: Row, segment: Segment, metric: str, amounts: Amounts
    ) -> None:
        """Believe the amounts of a segment's row in the reporting currency."""
        for place, slot in self.own_columns(table):
            assert slot.period is not None  # a head without periods has been given one
            where = self.locator(table, row, place)
            self.add(segment, Print(table, metric, slot.period, amounts[place], row.printed, where))

    def add(self, segment: Segment | None, read: Print) -> None:
        """Believe an amount of a segment, or of the company.

        Raises:
            DocumentRefused: when another one is believed already, naming both.
        """
        key = (segment.segment_key if segment else None, read.metric, read.period)
        head = read.table.head
        figure = Figure(
            segment_key=key[0],
            label_printed=read.label_printed,
            metric=read.metric,
            period_start=read.period.start,
            period_end=read.period.end,
            period_type=read.period.type,
            value=read.cell.value / head.scale,
            unit=head.unit,
            currency=self.currency,
            column_role="current" if read.period.end == self.period_end else "prior_year",
            printed_step=read.cell.step / head.scale,
            locator=read.locator,
        )
        earlier = self.figures.setdefault(key, figure)
        if earlier.value * SCALES[earlier.unit] != read.cell.value:
            raise DocumentRefused(
                f"{self.name}: {key[0] or self.vocabulary.company.company_key} {read.metric} of "
                f"the {read.period.type} to {read.period.end} is printed twice: "
                f"{earlier.value:,} {earlier.unit} ({earlier.locator}) and "
                f"{figure.value:,} {figure.unit} ({figure.locator})"
            )

    def locator(self, table: Table, row: Row, place: int) -> str:
        """Return where an amount stands: page if there are pages, table, row and column."""
        page = self.text.page(row.start)
        where = f"page {page}, " if page else ""
        return f"{where}table {table.number}, row '{row.printed}', column {place + 1}"
