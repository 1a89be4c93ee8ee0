"""What a figure of the report is made of: points, the table of the same points, and words.

Nothing here reads the release or knows how a figure is drawn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property

_QUARTER = re.compile(r"(\d{4})-Q([1-4])")
_MONTH = re.compile(r"\d{4}-\d{2}")


class Form(StrEnum):
    """How points are drawn."""

    lines = "lines"
    """All series in one frame; a line joins what is next to each other, and never crosses a gap."""
    bars = "bars"
    """One series, a bar a period."""
    panels = "panels"
    """A frame for each series, one scale for all of them."""
    loose_panels = "loose panels"
    """A frame for each series, each with a scale of its own: the units differ."""
    ranks = "ranks"
    """A frame for each series, a horizontal bar for each period, which is a name here."""
    timeline = "strip"
    """A row of marks for each series, one at each day; the values are not drawn."""


@dataclass(frozen=True)
class Source:
    """Where a value can be looked up: the document's id or the publisher, and the address."""

    name: str
    url: str


@dataclass(frozen=True)
class Point:
    """One value of one series.

    ``period`` is a quarter ('2025-Q3'), a month ('2025-09'), a day ('2025-09-29') or, among ranks,
    a name. Points of one series are joined only while their ``chain`` is the same: the structure
    that they stand under, where levels of two structures are not alike.
    """

    series: str
    period: str
    value: float
    sources: tuple[Source, ...] = ()
    chain: str = ""
    remark: str = ""

    @property
    def on(self) -> date:
        """Where the point stands in time: its day, or the first one of its quarter or month."""
        quarter = _QUARTER.fullmatch(self.period)
        if quarter:
            return date(int(quarter[1]), int(quarter[2]) * 3 - 2, 1)
        month = _MONTH.fullmatch(self.period)
        return date.fromisoformat(f"{self.period}-01" if month else self.period)


@dataclass(frozen=True)
class Series:
    """A series by its key in the release and as it is called on the page."""

    key: str
    label: str
    step_months: int = 3
    """How far apart two points are that no gap lies between."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table: text, the exact value behind it, and where to look it up."""

    text: str
    value: str | None = None
    sources: tuple[Source, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether there is a value behind it."""
        return self.value is not None


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @cached_property  # asked for each cell
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers."""
        return tuple(
            any(row[place].is_number for row in self.rows) for place in range(len(self.head))
        )


@dataclass(frozen=True)
class Figure:
    """A chart, or what is missing for one.

    ``key`` is its anchor on the page. ``notes`` say what to know when reading it, ``missing`` what
    the release does not have. ``table`` replaces the table of the points where that says more.
    """

    key: str
    title: str
    unit: str
    form: Form
    series: tuple[Series, ...]
    points: tuple[Point, ...]
    decimals: int = 1
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    table: Table | None = field(default=None, repr=False)
    from_zero: bool = True

    @property
    def drawn(self) -> tuple[Series, ...]:
        """The series that have a point."""
        keys = {point.series for point in self.points}
        return tuple(series for series in self.series if series.key in keys)

    @property
    def span(self) -> str:
        """First and last period, in words."""
        if not self.points or self.form is Form.ranks:
            return ""
        ordered = sorted(self.points, key=lambda point: point.on)
        return f"{ordered[0].period} to {ordered[-1].period}"

    @property
    def values(self) -> Table:
        """The table beside the chart."""
        return self.table or _by_period(self)

    @property
    def is_panelled(self) -> bool:
        """Whether each series has a frame of its own."""
        return self.form in {Form.panels, Form.loose_panels, Form.ranks}

    @property
    def alternative(self) -> str:
        """What a chart in one frame shows, for those who do not see it."""
        kinds = {Form.lines: "Line chart", Form.bars: "Bar chart", Form.timeline: "Timeline"}
        words = f"{kinds[self.form]}: {self.title}, {self.unit}, {self.span}."
        if self.form is Form.timeline:
            counts = Counter(point.series for point in self.points)
            told = (f"{series.label}: {counts[series.key]}" for series in self.drawn)
        else:
            told = (f"{s.label} {self._newest(s)}" for s in self.drawn)
        return f"{words} {'; '.join(told)}."

    def panel_alternative(self, series: Series) -> str:
        """What the panel of one series shows, for those who do not see it."""
        if self.form is Form.ranks:
            own = [point for point in self.points if point.series == series.key]
            told = "; ".join(f"{point.period} {self.text(point.value)}" for point in own)
        else:
            told = self._newest(series)
        return f"{series.label}: {told}"

    def _newest(self, series: Series) -> str:
        newest = max((p for p in self.points if p.series == series.key), key=lambda p: p.on)
        return f"{self.text(newest.value)} in {newest.period}"

    def text(self, value: float) -> str:
        """Return a value as the report prints it."""
        return number(value, self.decimals)

    def caption(self, point: Point) -> str:
        """Return what a point says when it is pointed at."""
        label = next(series.label for series in self.series if series.key == point.series)
        if self.form is Form.timeline:
            return f"{point.period}: {point.remark}"
        remark = f" ({point.remark})" if point.remark else ""
        return f"{label}, {point.period}: {self.text(point.value)} {self.unit}{remark}"


def number(value: float, decimals: int) -> str:
    """Return a number with separated thousands; never '-0'."""
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text


def exact(value: float) -> str:
    """Return a number as it is in the release."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def value_cell(value: float | None, decimals: int, sources: Sequence[Source] = ()) -> Cell:
    """Return the cell of a value; a gap is an empty one."""
    if value is None:
        return Cell("")
    return Cell(number(value, decimals), exact(value), tuple(sources))


def recent(points: Iterable[Point], years: int) -> tuple[Point, ...]:
    """Return the points of the last ``years`` up to the newest one."""
    found = tuple(points)
    if not found:
        return ()
    newest = max(point.on for point in found)
    since = (newest.year - years, newest.month)
    return tuple(point for point in found if (point.on.year, point.on.month) > since)


def runs(figure: Figure, series: Series) -> list[list[Point]]:
    """Return the points of a series in stretches that a line may join.

    A stretch ends where a period is missing and where the chain changes.
    """
    found: list[list[Point]] = []
    of_series = [point for point in figure.points if point.series == series.key]
    for point in sorted(of_series, key=lambda point: point.on):
        before = found[-1][-1] if found else None
        if (
            before is not None
            and before.chain == point.chain
            and _months(before.on, point.on) <= series.step_months
        ):
            found[-1].append(point)
        else:
            found.append([point])
    return found


def _months(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def _by_period(figure: Figure) -> Table:
    """The points by period, newest first, a column for each series."""
    periods = sorted({(p.on, p.period) for p in figure.points}, reverse=True)
    by_place = {(point.period, point.series): point for point in figure.points}
    rows = []
    for _, period in periods:
        cells = [Cell(period)]
        for series in figure.drawn:
            point = by_place.get((period, series.key))
            value = point.value if point else None
            cells.append(value_cell(value, figure.decimals, point.sources if point else ()))
        rows.append(tuple(cells))
    return Table(("Period", *(series.label for series in figure.drawn)), tuple(rows))
