"""Writes results releases in the shape of Alibaba's, with figures that are known.

What belongs here: how such a release is laid out (which tables, rows, columns and header rows,
one set per structure), where its figures come from, and how it looks as an SEC exhibit, as the
text layer of a PDF, and as a PDF. What does not: any expectation of the reader; the tests compare
what it returns with ``Release.truth``.

Prose is ours. Figures are those of ``orchestration/baseline`` where it has them, of the real
releases for a few lines that it lacks (``PRINTED``), and sums of them for the year to date.
Segments' operating income is made up, but adds up.
"""

from __future__ import annotations

import csv
import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

BASELINE = Path(__file__).parents[2] / "orchestration" / "baseline"
REGISTRY = Path(__file__).parents[2] / "orchestration" / "registry" / "data"

MONTHS = {3: "quarter", 6: "half_year", 9: "nine_months", 12: "year"}
SPANS = {
    "quarter": "Three months ended",
    "half_year": "Six months ended",
    "nine_months": "Nine months ended",
    "year": "Year ended",
}


@dataclass(frozen=True, order=True)
class Period:
    """A period of whole months that ends at ``end``."""

    end: date
    months: int = 3

    @property
    def start(self) -> date:
        months = self.end.year * 12 + self.end.month - self.months
        return date(months // 12, months % 12 + 1, 1)

    @property
    def kind(self) -> str:
        return MONTHS[self.months]

    @property
    def year_before(self) -> Period:
        return Period(_month_end(self.end.year - 1, self.end.month), self.months)

    @property
    def quarters(self) -> list[Period]:
        ends, end = [], self.end
        for _ in range(self.months // 3):
            ends.append(Period(end))
            end = Period(end).start - timedelta(days=1)
        return ends

    @property
    def day(self) -> str:
        return f"{self.end:%B} {self.end.day},"

    @property
    def heading(self) -> str:
        return f"{SPANS[self.kind]} {self.day}"


@dataclass(frozen=True)
class Fact:
    """What a cell says: ``segment`` is the key inside the structure, ``None`` for the whole.

    A reader may leave out what is not ``required``: a line that the registry does not name, the
    nil comparative of a new line, a segment's operating income.
    """

    segment: str | None
    metric: str
    period: Period
    required: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class Cell:
    """``kind``: money, percent, nil (a dash), na (no growth rate), words, blank."""

    kind: str = "blank"
    value: int = 0
    mark: str = ""
    fact: Fact | None = None
    words: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table; a row without cells is a heading of the rows below it."""

    label: str
    cells: tuple[Cell, ...] = ()
    mark: str = ""
    indent: int = 0


@dataclass(frozen=True)
class Column:
    """A column, by what stands above it: one text per header row, equal neighbours merged."""

    path: tuple[str, ...]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table with the line above it and the notes below it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    unit: str = "(in millions, except percentages)"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heading:
    """A heading in capitals."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Prose."""

    text: str


Block = Heading | Paragraph | Table


@dataclass(frozen=True)
class Release:
    """A release: its blocks in order, and what they say. ``truth`` stays when blocks change."""

    name: str
    structure: str
    period: Period
    reported_on: date
    blocks: tuple[Block, ...]
    truth: Mapping[Fact, int]

    @property
    def tables(self) -> list[Table]:
        return [block for block in self.blocks if isinstance(block, Table)]

    def with_table(self, index: int, table: Table) -> Release:
        """The same release with its table number ``index`` replaced."""
        old = self.tables[index]
        return replace(
            self, blocks=tuple(table if block is old else block for block in self.blocks)
        )


# --- figures ------------------------------------------------------------------------------------


@cache
def _baseline() -> dict[tuple[str | None, str, date], dict[str, int]]:
    """(segment key, metric, quarter's end) -> document -> value."""
    known: dict[tuple[str | None, str, date], dict[str, int]] = {}
    for name in ("segment_result", "company_result"):
        with (BASELINE / f"{name}.csv").open(encoding="utf-8") as lines:
            for line in csv.DictReader(lines):
                if line["company_key"] == "alibaba" and line["period_type"] == "quarter":
                    key = (
                        line.get("segment_key"),
                        line["metric"],
                        date.fromisoformat(line["period_end"]),
                    )
                    known.setdefault(key, {})[line["document_id"]] = int(Decimal(line["value"]))
    return known


_LOCAL = "local_consumer_services_line_in_core_commerce"

#: Lines that the baseline lacks, as the real releases print them: (end, months) -> metric and
#: key -> (year before, current); ``None`` is a dash.
PRINTED: dict[tuple[date, int], dict[tuple[str, str], tuple[int | None, int | None]]] = {
    (date(2016, 6, 30), 3): {
        ("revenue", "china_commerce_retail"): (15712, 23383),
        ("revenue", "china_commerce_wholesale"): (997, 1261),
        ("revenue", "international_commerce_retail"): (501, 1117),
        ("revenue", "international_commerce_wholesale"): (1245, 1432),
    },
    (date(2019, 3, 31), 3): {("revenue", _LOCAL): (None, 5266)},
    (date(2019, 3, 31), 12): {
        ("revenue", "customer_management"): (114285, 145684),
        ("revenue", "commission"): (46525, 61847),
        ("revenue", "others_china_commerce_retail"): (15749, 40084),
        ("revenue", "china_commerce_wholesale"): (7164, 9988),
        ("revenue", "international_commerce_retail"): (14216, 19558),
        ("revenue", "international_commerce_wholesale"): (6625, 8167),
        ("revenue", "cainiao_logistics_services"): (6759, 14885),
        ("revenue", _LOCAL): (None, 18058),
        ("revenue", "core_commerce"): (214020, 323400),
        ("revenue", "cloud_computing"): (13390, 24702),
        ("revenue", "digital_media_and_entertainment"): (19564, 24077),
        ("revenue", "innovation_initiatives_and_others"): (3292, 4665),
        ("adjusted_ebita", "core_commerce"): (114100, 136167),
        ("adjusted_ebita", "cloud_computing"): (-799, -1158),
        ("adjusted_ebita", "digital_media_and_entertainment"): (-8305, -15796),
        ("adjusted_ebita", "innovation_initiatives_and_others"): (-2996, -5971),
        ("adjusted_ebita", "unallocated"): (-4997, -6261),
    },
    (date(2021, 6, 30), 3): {("revenue", "local_consumer_services_line_in_commerce"): (7101, 8757)},
}


@dataclass(frozen=True)
class Figures:
    """Figures of one release: by segment key, metric and period."""

    structure: str
    period: Period

    def of(self, segment: str | None, metric: str, period: Period) -> int | None:
        """The figure, ``None`` where it is a dash.

        Raises:
            KeyError: when neither the baseline nor ``PRINTED`` has it.
        """
        current = self.period.end == period.end
        printed = PRINTED.get((self.period.end, period.months), {})
        if segment is not None and (metric, segment) in printed:
            return printed[metric, segment][current]
        if segment == "unallocated" and metric == "revenue" and self.structure in WITH_COLUMNS:
            return None
        if period.months > 3:
            return sum(self.of(segment, metric, quarter) or 0 for quarter in period.quarters)
        key = None if segment is None else f"alibaba.{self.structure}.{segment}"
        prints = _baseline()[key, metric, period.end]
        own = f"alibaba.results.{self.period.end}"
        return prints.get(own, prints[min(prints)])


def _bare(label: str) -> str:
    """A segment's name from the label of its total."""
    name = label.removeprefix("Total ").removesuffix(":")
    return name[0].upper() + name[1:]


def half_up(value: Decimal | float) -> int:
    return int(Decimal(value).quantize(Decimal(1), ROUND_HALF_UP))


def _month_end(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


# --- layouts ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A row of a breakdown of revenue: ``kind`` is heading, part, subtotal or segment."""

    kind: str
    label: str = ""
    key: str = ""
    mark: str = ""
    of: tuple[str, ...] = ()


#: The structures whose releases also print segments as columns.
WITH_COLUMNS = ("core_commerce", "commerce", "seven_segments")

_MEDIA = Line("segment", "Digital media and entertainment", "digital_media_and_entertainment")
_INNOVATION = Line(
    "segment", "Innovation initiatives and others", "innovation_initiatives_and_others"
)
_WHOLESALE = Line("part", "China commerce wholesale", "china_commerce_wholesale")
_ABROAD = (
    Line("part", "International commerce retail", "international_commerce_retail"),
    Line("part", "International commerce wholesale", "international_commerce_wholesale"),
)
_AIDC = "Alibaba International Digital Commerce Group"
_AIDC_LINES = (
    Line("heading", f"{_AIDC}:"),
    *_ABROAD,
    Line("segment", f"Total {_AIDC}", "alibaba_international_digital_commerce_group"),
)

#: Breakdown of revenue, top to bottom. "remainder" is the segment less its other lines.
LAYOUTS: dict[str, tuple[Line, ...]] = {
    "core_commerce_2016": (
        Line("heading", "Core commerce:"),
        Line("part", "China commerce retail", "china_commerce_retail"),
        _WHOLESALE,
        *_ABROAD,
        Line("remainder", "Others", "others_core_commerce", of=("core_commerce",)),
        Line("segment", "Total core commerce:", "core_commerce"),
        Line("segment", "Cloud computing", "cloud_computing"),
        _MEDIA,
        _INNOVATION,
    ),
    "core_commerce": (
        Line("heading", "Core commerce:"),
        Line("heading", "China commerce retail"),
        Line("part", "- Customer management", "customer_management"),
        Line("part", "- Commission", "commission"),
        Line("part", "- Others", "others_china_commerce_retail"),
        Line("subtotal", of=("customer_management", "commission", "others_china_commerce_retail")),
        _WHOLESALE,
        *_ABROAD,
        Line("part", "Cainiao logistics services", "cainiao_logistics_services"),
        Line("part", "Local consumer services", _LOCAL),
        Line("remainder", "Others", "others_core_commerce", of=("core_commerce",)),
        Line("segment", "Total core commerce", "core_commerce"),
        Line("segment", "Cloud computing", "cloud_computing"),
        _MEDIA,
        _INNOVATION,
    ),
    "commerce": (
        Line("heading", "Commerce:"),
        Line("heading", "China commerce retail"),
        Line("part", "- Customer management", "customer_management", "(1)"),
        Line("part", "- Others", "others_china_commerce_retail", "(2)"),
        Line("subtotal", of=("customer_management", "others_china_commerce_retail")),
        _WHOLESALE,
        *_ABROAD,
        Line("part", "Cainiao logistics services", "cainiao_logistics_services"),
        Line("part", "Local Consumer Services", "local_consumer_services_line_in_commerce"),
        Line("remainder", "Others", "others_commerce", of=("commerce",)),
        Line("segment", "Total commerce", "commerce"),
        Line("segment", "Cloud computing", "cloud_computing", "(3)"),
        _MEDIA,
        replace(_INNOVATION, mark="(3)"),
    ),
    "seven_segments": (
        Line("heading", "China commerce:"),
        Line("heading", "China commerce retail"),
        Line("part", "- Customer management", "customer_management"),
        Line("part", "- Direct sales and others", "direct_sales_and_others", "(1)"),
        Line("subtotal", of=("customer_management", "direct_sales_and_others")),
        _WHOLESALE,
        Line("segment", "Total China commerce", "china_commerce"),
        Line("heading", "International commerce:"),
        *_ABROAD,
        Line("segment", "Total International commerce", "international_commerce"),
        Line("segment", "Local consumer services", "local_consumer_services"),
        Line("segment", "Cainiao", "cainiao"),
        Line("segment", "Cloud", "cloud"),
        _MEDIA,
        _INNOVATION,
    ),
    "business_groups": (
        Line("heading", "Taobao and Tmall Group:"),
        Line("heading", "China commerce retail"),
        Line("part", "- Customer management", "customer_management"),
        Line("part", "- Direct sales and others", "direct_sales_and_others", "(1)"),
        Line("subtotal", of=("customer_management", "direct_sales_and_others")),
        _WHOLESALE,
        Line("segment", "Total Taobao and Tmall Group", "taobao_and_tmall_group"),
        *_AIDC_LINES,
        Line("segment", "Cloud Intelligence Group", "cloud_intelligence_group"),
        Line(
            "segment",
            "Cainiao Smart Logistics Network Limited",
            "cainiao_smart_logistics_network_limited",
        ),
        Line("segment", "Local Services Group", "local_services_group"),
        Line(
            "segment",
            "Digital Media and Entertainment Group",
            "digital_media_and_entertainment_group",
        ),
        Line("segment", "All others", "all_others", "(2)"),
        Line("unallocated", "Unallocated", "unallocated"),
        Line("unallocated", "Inter-segment elimination", "inter_segment_elimination"),
    ),
    "china_e_commerce": (
        Line("heading", "Alibaba China E-commerce Group:"),
        Line("heading", "E-commerce"),
        Line("part", "- Customer management", "customer_management"),
        Line(
            "part",
            "- Direct sales, logistics and others",
            "direct_sales_logistics_and_others",
            "(2)",
        ),
        Line("subtotal", of=("customer_management", "direct_sales_logistics_and_others")),
        Line("part", "Quick commerce", "quick_commerce", "(3)"),
        _WHOLESALE,
        Line("segment", "Total Alibaba China E-commerce Group", "alibaba_china_e_commerce_group"),
        *_AIDC_LINES,
        Line("segment", "Cloud Intelligence Group", "cloud_intelligence_group"),
        Line("segment", "All others", "all_others", "(4)"),
        Line("unallocated", "Unallocated", "unallocated"),
        Line("unallocated", "Inter-segment elimination", "inter_segment_elimination"),
    ),
    "e_commerce_ai_cloud": (
        Line("heading", "Alibaba E-commerce Group:"),
        Line("heading", "China E-commerce"),
        Line("part", "- Customer management", "customer_management"),
        Line(
            "part",
            "- Direct sales, logistics and others",
            "direct_sales_logistics_and_others",
            "(2)",
        ),
        Line("subtotal", of=("customer_management", "direct_sales_logistics_and_others")),
        Line("part", "China Quick Commerce", "china_quick_commerce", "(3)"),
        Line("part", "International E-commerce", "international_e_commerce"),
        Line("part", "Global Wholesale", "global_wholesale"),
        Line("segment", "Total Alibaba E-commerce Group", "alibaba_e_commerce_group"),
        Line("segment", "AI Cloud and Compute Services", "ai_cloud_and_compute_services"),
        Line("segment", "AI Labs and Applications", "ai_labs_and_applications"),
        Line("segment", "All others", "all_others"),
        Line("unallocated", "Unallocated", "unallocated"),
        Line("unallocated", "Inter-segment elimination", "inter_segment_elimination"),
    ),
}

#: The lines "Others" of a whole segment, which the real releases round to fit.
REMAINDERS = ("others_core_commerce", "others_commerce")

#: A line that the registry of segments does not name: its parts are named, not their sum.
UNNAMED = "china_commerce_retail"


# --- building -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """The small description that a release is written from."""

    name: str
    structure: str
    end: date
    reported_on: date
    rate: str
    year_to_date: int = 0
    layout: str = ""
    wording: int = 0
    totals: str = ""
    relabelled: Mapping[str, str] = field(default_factory=dict)
    segment_total: bool = False
    growth_rows: bool = False
    marked: Mapping[tuple[str, int], str] = field(default_factory=dict)
    #: Figures are divided by it: small ones look like footnote marks.
    divisor: int = 1


#: Two ways to announce each table. Short, and not those of any real release.
CAPTIONS = {
    "revenue": (
        "Breakdown of our revenue by segment, in the periods indicated:",
        "Our revenue by segments was as follows:",
    ),
    "adjusted_ebita": (
        "Breakdown of our adjusted EBITA by segment, in the periods indicated:",
        "Our adjusted EBITA by segments was as follows:",
    ),
    "operating_income": (
        "Breakdown of our income (loss) from operations by segment, in the periods indicated:",
        "Our income (loss) from operations by segments was as follows:",
    ),
    "columns": (
        "Selected financial information of our operating segments, in the periods indicated:",
        "Supplemental information of each operating segment:",
    ),
}


class Writer:
    """Builds the blocks of one release and notes what each cell says."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.period = Period(plan.end)
        self.figures = Figures(plan.structure, self.period)
        self.layout = tuple(self._known(LAYOUTS[plan.layout or plan.structure]))
        self.rate = Decimal(plan.rate)
        self.truth: dict[Fact, int] = {}

    def _known(self, layout: tuple[Line, ...]) -> Iterator[Line]:
        """The lines whose figures are known; a segment without lines below it has no heading."""
        periods = [self.period]
        if self.plan.year_to_date:
            periods.append(Period(self.period.end, self.plan.year_to_date))
        periods += [period.year_before for period in periods]
        known = {
            line.key
            for line in layout
            if line.kind in ("segment", "unallocated", "part")
            and all(self._has(line, period) for period in periods)
        }
        missing = {line.key for line in layout if line.kind in ("segment", "unallocated")} - known
        if missing:
            raise KeyError(f"{self.plan.name}: no figures of {', '.join(sorted(missing))}")
        parted = any(line.kind == "part" and line.key in known for line in layout)
        for line in layout:
            if not parted and line.kind == "segment":
                yield replace(line, label=_bare(line.label))
            elif (
                line.key in known
                or (parted and line.kind in ("heading", "remainder"))
                or (line.kind == "subtotal" and known.issuperset(line.of))
            ):
                yield line

    def _has(self, line: Line, period: Period) -> bool:
        try:
            self.figures.of(line.key, "revenue", period)
        except KeyError:
            return False
        return True

    # cells

    def value(self, key: str | None, metric: str, period: Period) -> int | None:
        if metric == "operating_income":
            return self.operating_income(key, period)
        if key is None:
            return sum(self.value(each.key, metric, period) or 0 for each in self.segments)
        remainder = next((one for one in self.layout if one.key == key and one.of), None)
        if remainder is not None:
            parts = [each.key for each in self._parts_of(remainder.of[0]) if each.key != key]
            whole = self.value(remainder.of[0], metric, period) or 0
            return whole - sum(self.value(each, metric, period) or 0 for each in parts)
        parts = [each.key for each in self._parts_of(key)]
        if (
            self.plan.divisor > 1
            and metric == "revenue"
            and parts
            and not set(REMAINDERS) & set(parts)
        ):
            return sum(self.value(each, metric, period) or 0 for each in parts)
        value = self.figures.of(key, metric, period)
        return None if value is None else half_up(value / Decimal(self.plan.divisor))

    def _parts_of(self, segment: str) -> Iterator[Line]:
        parts: list[Line] = []
        for line in self.layout:
            if line.kind in ("part", "remainder"):
                parts.append(line)
            if line.kind == "segment":
                if line.key == segment:
                    yield from parts
                parts = []

    @property
    def segments(self) -> list[Line]:
        lines = [each for each in self.layout if each.kind in ("segment", "unallocated")]
        if "unallocated" not in {each.key for each in lines}:
            lines.append(Line("unallocated", "Unallocated", "unallocated", "(1)"))
        return lines

    def shares(self, key: str, period: Period) -> tuple[int, int]:
        """Made-up share-based compensation and amortisation of a segment."""
        place = [each.key for each in self.segments].index(key) + 1
        size = period.months // 3
        return (907 + 131 * place) * size, (19 + 97 * place) * size

    def operating_income(self, key: str | None, period: Period) -> int | None:
        if key is None:
            return sum(self.operating_income(each.key, period) or 0 for each in self.segments)
        return (self.value(key, "adjusted_ebita", period) or 0) - sum(self.shares(key, period))

    def money(self, key: str | None, metric: str, period: Period, mark: str = "") -> Cell:
        value = self.value(key, metric, period)
        whole = key is None or key in {each.key for each in self.segments}
        # Only adjusted EBITA and revenue must add up by the registry; a line that is new has no
        # figure of the year before.
        required = key != UNNAMED and (whole or value is not None)
        if metric == "operating_income":
            required = key is None and period.months == 3
        fact = Fact(key, metric, period, required)
        self.truth[fact] = value or 0
        mark = mark or self.plan.marked.get((f"{metric}.{key}", period.months), "")
        if value is None:
            return Cell("nil", 0, mark, fact)
        return Cell("money", value, mark, fact)

    def dollars(self, value: int | None, key: str = "") -> Cell:
        if value is None:
            return Cell("nil")
        # The real releases round the smallest line so that the column in US$ adds up.
        return Cell("money", half_up(value / self.rate) - (key in REMAINDERS))

    def growth(self, before: int | None, now: int | None) -> Cell:
        if not before or not now or (before < 0) != (now < 0):
            return Cell("na")
        return Cell("percent", half_up(Decimal(now - before) * 100 / abs(before)))

    def share(self, part: int | None, whole: int | None) -> Cell:
        if part is None or not whole:
            return Cell("nil")
        return Cell("percent", half_up(Decimal(part) * 100 / abs(whole)))

    # tables

    def breakdown(self, metric: str, period: Period, shares: bool, growth: bool = True) -> Table:
        """Segments as rows: the year before, the period, US$, shares of revenue, growth."""
        before = period.year_before
        top = period.heading
        year, last = str(period.end.year), str(before.end.year)
        paths = [(top, last, "RMB")]
        paths += [(top, last, "% of Revenue")] if shares else []
        paths += [(top, year, "RMB"), (top, year, "US$")]
        paths += [(top, year, "% of Revenue")] if shares else []
        paths += [(top, "", "YoY % Change")] if growth else []

        def cells(old: Cell, new: Cell, rate: bool = True, key: str = "") -> tuple[Cell, ...]:
            was = None if old.kind == "nil" else old.value
            now = None if new.kind == "nil" else new.value
            row = [old]
            row += [self.share(was, self.value(None, metric, before))] if shares else []
            row += [new, self.dollars(now, key)]
            row += [self.share(now, self.value(None, metric, period))] if shares else []
            row += [self.growth(was, now) if rate else Cell()] if growth else []
            return tuple(row)

        rows: list[Row] = []
        lines = self.layout if metric == "revenue" else self.segments
        for line in lines:
            label = self.plan.relabelled.get(line.key, line.label)
            if metric != "revenue":
                label = _bare(label)
            if self.plan.segment_total and line.key == "unallocated":
                whole = [each.key for each in self.segments if each.kind == "segment"]
                old = sum(self.value(each, metric, before) or 0 for each in whole)
                new = sum(self.value(each, metric, period) or 0 for each in whole)
                words = {"revenue": "revenue", "adjusted_ebita": "adjusted EBITA"}[metric]
                both = cells(Cell("money", old), Cell("money", new))
                rows.append(Row(f"Total segment {words}", both))
            if line.kind == "heading":
                rows.append(Row(label, indent=0 if label.endswith(":") else 1))
            elif line.kind == "subtotal":
                old = sum(self.value(each, metric, before) or 0 for each in line.of)
                new = sum(self.value(each, metric, period) or 0 for each in line.of)
                rows.append(Row("", cells(Cell("money", old), Cell("money", new))))
            else:
                both = cells(
                    self.money(line.key, metric, before),
                    self.money(line.key, metric, period),
                    rate=line.kind != "unallocated",
                    key=line.key,
                )
                rows.append(Row(label, both, line.mark, 2 if label.startswith("-") else 0))
        words = {"revenue": "revenue", "adjusted_ebita": "adjusted EBITA"}.get(metric, "")
        total = f"Consolidated {words}" if self.plan.totals == "consolidated" else "Total"
        both = cells(self.money(None, metric, before), self.money(None, metric, period))
        rows.append(Row(total, both))
        if metric == "adjusted_ebita" and self.plan.totals == "consolidated":
            rows += self._down_to_operations(period, cells)
        return Table(
            CAPTIONS[metric][self.plan.wording],
            tuple(Column(path) for path in paths),
            tuple(rows),
            notes=self.notes(rows),
        )

    def _down_to_operations(
        self, period: Period, cells: Callable[..., tuple[Cell, ...]]
    ) -> list[Row]:
        """The rows below adjusted EBITA that lead to income from operations."""
        rows = []
        labels = (
            "Less: Non-cash share-based compensation expense",
            "Less: Amortization of intangible assets",
        )
        for place, label in enumerate(labels):
            old, new = (
                -sum(self.shares(each.key, when)[place] for each in self.segments)
                for when in (period.year_before, period)
            )
            rows.append(Row(label, cells(Cell("money", old), Cell("money", new), rate=False)))
        both = cells(
            self.money(None, "operating_income", period.year_before),
            self.money(None, "operating_income", period),
        )
        rows.append(Row("Income (Loss) from operations", both))
        return rows

    def side_by_side(self, metric: str, periods: list[Period]) -> Table:
        """Segments as rows, two periods beside each other, each with its year before."""
        paths, rows = [], []
        for period in periods:
            year, last = str(period.end.year), str(period.end.year - 1)
            top = period.heading
            paths += [(top, last, "RMB"), (top, year, "RMB"), (top, year, "US$")]

        def cells(key: str | None) -> tuple[Cell, ...]:
            row: list[Cell] = []
            for period in periods:
                now = self.money(key, metric, period)
                row += [
                    self.money(key, metric, period.year_before),
                    now,
                    self.dollars(None if now.kind == "nil" else now.value),
                ]
            return tuple(row)

        for place, line in enumerate(self.segments, start=1):
            if metric == "revenue" and line.key == "unallocated":
                continue
            mark = f"({place})" if metric == "revenue" else ""
            rows.append(Row(_bare(line.label), cells(line.key), mark))
        rows.append(Row("Total", cells(None)))
        return Table(
            CAPTIONS[metric][1],
            tuple(Column(path) for path in paths),
            tuple(rows),
            unit="(in millions)",
            notes=self.notes(rows),
        )

    def columns(self, period: Period, dollars: bool) -> Table:
        """Segments as columns: revenue down to adjusted EBITA and margins, one period."""
        top = f"{period.heading} {period.end.year}"
        columns = [
            Column((top, _bare(line.label), "RMB"), ("", line.mark, "")) for line in self.segments
        ]
        columns.append(Column((top, "Consolidated", "RMB")))
        if dollars:
            columns.append(Column((top, "Consolidated", "US$")))
        keys = [line.key for line in self.segments]

        def row(label: str, cells: list[Cell], total: Cell) -> Row:
            last = [self.dollars(total.value)] if dollars else []
            return Row(label, (*cells, total, *last))

        def rates(label: str, cells: list[Cell]) -> Row:
            return Row(label, (*cells, Cell()) if dollars else tuple(cells))

        def metric_row(label: str, metric: str) -> Row:
            cells = [self.money(key, metric, period) for key in keys]
            return row(label, cells, self.money(None, metric, period))

        def growth_row(label: str, metric: str) -> Row:
            before = period.year_before
            pairs = [
                (self.value(key, metric, before), self.value(key, metric, period))
                for key in [*keys, None]
            ]
            return rates(label, [self.growth(old, new) for old, new in pairs])

        rows = [metric_row("Revenue", "revenue")]
        if self.plan.growth_rows and dollars:
            rows.append(growth_row("YoY % change", "revenue"))
        rows.append(metric_row("Income (loss) from operations", "operating_income"))
        labels = (
            "Add: Share-based compensation expense",
            "Add: Amortization of intangible assets",
        )
        for place, label in enumerate(labels):
            added = [self.shares(key, period)[place] for key in keys]
            rows.append(
                row(label, [Cell("money", each) for each in added], Cell("money", sum(added)))
            )
        rows.append(metric_row("Adjusted EBITA", "adjusted_ebita"))
        if self.plan.growth_rows and dollars:
            rows.append(growth_row("Adjusted EBITA YoY % change", "adjusted_ebita"))
        margins = [
            self.share(
                self.value(key, "adjusted_ebita", period), self.value(key, "revenue", period)
            )
            for key in [*keys, None]
        ]
        blank = [
            Cell() if key == "unallocated" else cell
            for key, cell in zip([*keys, None], margins, strict=True)
        ]
        rows.append(rates("Adjusted EBITA margin", blank))
        return Table(
            CAPTIONS["columns"][self.plan.wording] if dollars else "",
            tuple(columns),
            tuple(rows),
            notes=("(1) Costs of the group that no segment bears.",),
        )

    def summary(self) -> Table:
        """The first table of a release: consolidated figures only."""
        table = self.breakdown("revenue", self.period, shares=False)
        rows = []
        before = self.period.year_before
        for label, metric in (
            ("Revenue", "revenue"),
            ("Income (Loss) from operations", "operating_income"),
            ("Adjusted EBITA", "adjusted_ebita"),
        ):
            old, new = self.money(None, metric, before), self.money(None, metric, self.period)
            mark = "(1)" if label.startswith("Adjusted") else ""
            both = (old, new, self.dollars(new.value), self.growth(old.value, new.value))
            rows.append(Row(label, both, mark))
        return Table("", table.columns, tuple(rows), notes=("(1) No measure of U.S. GAAP.",))

    def costs(self) -> Table:
        """A table by function, which no reader of segments should take for one of segments."""
        before = self.period.year_before
        top = self.period.heading
        paths = [
            (top, str(before.end.year), "RMB"),
            (top, str(self.period.end.year), "RMB"),
            (top, str(self.period.end.year), "US$"),
        ]
        numbers = {"Cost of revenue": (1205, 1311), "Product development": (2540, 2398)}
        total = tuple(sum(pair) for pair in zip(*numbers.values(), strict=True))
        rows = [
            Row(label, (Cell("money", old), Cell("money", new), self.dollars(new)))
            for label, (old, new) in [*numbers.items(), ("Total", total)]
        ]
        return Table(
            "Share-based compensation expense by function:",
            tuple(Column(path) for path in paths),
            tuple(rows),
            unit="(in millions)",
        )

    def notes(self, rows: Iterable[Row]) -> tuple[str, ...]:
        marks = {row.mark for row in rows} | {cell.mark for row in rows for cell in row.cells}
        return tuple(
            f"{mark} This note explains what the line above holds; it was RMB1,234 million "
            "(US$190 million) in another period."
            for mark in sorted(marks - {""})
        )

    # the whole

    def write(self) -> Release:
        plan, period = self.plan, self.period
        quarter = f"{period.end:%B} Quarter"
        revenue = self.value(None, "revenue", period) or 0
        before = self.value(None, "revenue", period.year_before) or 0
        title = f"Alibaba Group Announces {quarter} {period.end.year} Results"
        whole_year = plan.year_to_date == 12
        if whole_year:
            title = (
                f"Alibaba Group Announces {quarter} and Full Fiscal Year {period.end.year} Results"
            )
        ended = f"{period.end:%B} {period.end.day}, {period.end.year}"
        reported = f"{plan.reported_on:%B} {plan.reported_on.day}, {plan.reported_on.year}"
        blocks: list[Block] = [
            Heading(title),
            Paragraph(
                f"Hangzhou, China, {reported} \u2013 A document for tests, in the shape of a "
                "release of Alibaba Group Holding Limited, about the quarter "
                + ("and fiscal year " if whole_year else "")
                + f"ended {ended}."
            ),
            Paragraph(
                f"Revenue came to RMB{revenue:,} million "
                f"(US${half_up(revenue / self.rate):,} million), against RMB{before:,} million "
                f"one year earlier. Renminbi are shown in US dollars at RMB{plan.rate} to "
                f"US$1.00, the rate of {ended}, for convenience alone."
            ),
            Heading(f"{quarter.upper()} SUMMARY FINANCIAL RESULTS"),
            self.summary(),
        ]
        periods = [period]
        if plan.year_to_date:
            periods.append(Period(period.end, plan.year_to_date))
        old = plan.structure in WITH_COLUMNS
        for each in periods:
            if old:
                blocks += [
                    Heading("INFORMATION BY SEGMENTS"),
                    self.columns(each, dollars=True),
                    self.columns(each.year_before, dollars=False),
                ]
            blocks += [
                Heading("SEGMENT RESULTS" if not old else "OPERATIONAL AND FINANCIAL RESULTS"),
                Paragraph("What each segment sold is in the next table."),
                self.breakdown("revenue", each, shares=old),
            ]
            if not old:
                blocks += [
                    Paragraph("What each segment earned is in the next table."),
                    self.breakdown("adjusted_ebita", each, shares=False),
                ]
            if each is period:
                blocks += [Heading("COSTS AND EXPENSES"), self.costs()]
        if old:
            blocks += [
                Heading("REVENUE"),
                self.side_by_side("revenue", periods),
                Heading("INFORMATION ABOUT SEGMENTS"),
                self.side_by_side("operating_income", periods),
                self.side_by_side("adjusted_ebita", periods),
            ]
        return Release(
            plan.name, plan.structure, period, plan.reported_on, tuple(blocks), dict(self.truth)
        )


PLANS = (
    Plan(
        "core_commerce_2016-06",
        "core_commerce",
        date(2016, 6, 30),
        date(2016, 8, 11),
        "6.6459",
        layout="core_commerce_2016",
        wording=1,
    ),
    Plan(
        "core_commerce_2019-03",
        "core_commerce",
        date(2019, 3, 31),
        date(2019, 5, 15),
        "6.7112",
        year_to_date=12,
        marked={
            ("adjusted_ebita.core_commerce", 3): " (2)",
            ("adjusted_ebita.core_commerce", 12): "(2)",
        },
    ),
    Plan(
        "commerce_2021-06",
        "commerce",
        date(2021, 6, 30),
        date(2021, 8, 3),
        "6.4566",
        wording=1,
        marked={("adjusted_ebita.commerce", 3): "(4)"},
    ),
    Plan(
        "seven_segments_2022-09",
        "seven_segments",
        date(2022, 9, 30),
        date(2022, 11, 17),
        "7.1135",
        year_to_date=6,
        growth_rows=True,
    ),
    Plan(
        "business_groups_2023-06",
        "business_groups",
        date(2023, 6, 30),
        date(2023, 8, 10),
        "7.2513",
        totals="consolidated",
        segment_total=True,
        relabelled={"inter_segment_elimination": "Consolidation adjustments"},
    ),
    Plan(
        "business_groups_2024-12",
        "business_groups",
        date(2024, 12, 31),
        date(2025, 2, 20),
        "7.2993",
        year_to_date=9,
        totals="consolidated",
    ),
    Plan(
        "china_e_commerce_2025-09",
        "china_e_commerce",
        date(2025, 9, 30),
        date(2025, 11, 25),
        "7.119",
        year_to_date=6,
        totals="consolidated",
        wording=1,
    ),
    Plan(
        "e_commerce_ai_cloud_2026-06",
        "e_commerce_ai_cloud",
        date(2026, 6, 30),
        date(2026, 8, 20),
        "6.7850",
        totals="consolidated",
    ),
)


#: Rates that the real releases state; for the others a like one is made up.
RATES = {
    "2016-09": "6.6685",
    "2017-03": "6.8832",
    "2017-06": "6.7793",
    "2017-09": "6.6533",
    "2017-12": "6.5063",
    "2018-03": "6.2726",
    "2018-09": "6.8680",
    "2018-12": "6.8755",
    "2019-06": "6.8650",
    "2019-09": "7.1477",
    "2020-03": "7.0808",
    "2020-06": "7.0651",
    "2020-12": "6.5250",
    "2021-03": "6.5518",
    "2021-09": "6.4434",
    "2022-03": "6.3393",
    "2023-03": "6.8676",
    "2023-12": "7.0999",
    "2024-06": "7.2672",
    "2025-03": "7.2567",
}


@cache
def quarterly_plans() -> tuple[Plan, ...]:
    """A plan for every results release of the baseline, the eight of ``PLANS`` among them."""
    known = {plan.end: plan for plan in PLANS}
    with (REGISTRY / "structures.csv").open(encoding="utf-8") as lines:
        structures = [line for line in csv.DictReader(lines) if line["company_key"] == "alibaba"]
    plans = []
    with (BASELINE / "document.csv").open(encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            if (line["company_key"], line["kind"]) != ("alibaba", "results"):
                continue
            end = date.fromisoformat(line["period_end"])
            structure = next(
                one["structure"]
                for one in structures
                if not one["last_reported_period"]
                or line["period_end"] <= one["last_reported_period"]
            )
            plan = Plan(
                f"{structure}_{end:%Y-%m}",
                structure,
                end,
                date.fromisoformat(line["reported_on"]),
                RATES.get(f"{end:%Y-%m}", "6.9311"),
                year_to_date={9: 6, 12: 9, 3: 12}.get(end.month, 0),
                totals="" if structure in WITH_COLUMNS else "consolidated",
                wording=end.year % 2,
                growth_rows=structure == "seven_segments",
            )
            plans.append(known.get(end) or plan)
    return tuple(plans)


def release(name: str) -> Release:
    """The release that is called ``name``."""
    return written(next(plan for plan in quarterly_plans() if plan.name == name))


def written(plan: Plan) -> Release:
    """The release of a plan; without its year to date where quarters of it are not known."""
    try:
        return Writer(plan).write()
    except KeyError:
        return Writer(replace(plan, year_to_date=0)).write()


# --- looks --------------------------------------------------------------------------------------

FULL_WIDTH = {ord(each): ord(each) + 0xFEE0 for each in "0123456789(),%"}

#: What closes a figure in a cell of its own.
CLOSINGS = [")%", "%", ")"] + [each.translate(FULL_WIDTH) for each in (")%", "%", ")")]


@dataclass(frozen=True)
class Style:
    """How the same release looks."""

    thousands: str = ","
    minus: str = "()"
    nil: str = "\u2014"
    not_available: str = "N/A"
    percent: str = "%"
    full_width: bool = False
    space: str = " "
    mark: str = "({})"
    mark_apart: bool = False
    signs_apart: bool = True
    spacers: bool = True
    dash: str = "-"
    case: str = ""
    soft_hyphens: bool = False
    split_digits: bool = False
    line_per_row: bool = False
    merged_headers: bool = True

    def number(self, cell: Cell) -> str:
        """A cell's text without its mark."""
        if cell.kind in ("blank", "words"):
            return cell.words
        if cell.kind == "nil":
            return self.nil
        if cell.kind == "na":
            return self.not_available
        digits = f"{abs(cell.value):,}".replace(",", self.thousands)
        if self.split_digits and len(digits) > 4:
            digits = (
                f"{digits[:-4]} {digits[-4:]}" if cell.value % 2 else f"{digits[0]} {digits[1:]}"
            )
        if cell.value < 0:
            digits = f"({digits})" if self.minus == "()" else f"{self.minus}{digits}"
        if cell.kind == "percent":
            digits += self.percent
        return digits.translate(FULL_WIDTH) if self.full_width else digits

    def label(self, text: str) -> str:
        """A label's text."""
        if text.startswith("- "):
            text = self.dash + text[1:]
        if self.case:
            text = getattr(text, self.case)()
        if self.soft_hyphens:
            text = " ".join(
                f"{word[:4]}\u00ad{word[4:]}" if len(word) > 6 else word for word in text.split(" ")
            )
        return text.replace(" ", self.space)

    def marked(self, mark: str) -> str:
        """A footnote mark: ``(2)`` in this style's own form."""
        if not mark:
            return ""
        lead = " " * (len(mark) - len(mark.lstrip()))
        inside = mark.strip().strip("()")
        if self.mark == "superscript":
            return lead + inside.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        if self.mark == "letter":
            return f"{lead}({chr(96 + int(inside))})" if inside.isdigit() else lead + mark.strip()
        return lead + self.mark.format(inside)


PLAIN = Style()


def to_html(release: Release, style: Style = PLAIN) -> bytes:
    """The release as an SEC exhibit 99.1."""
    parts = [
        "<!DOCTYPE html>\n<html><head><meta charset='utf-8'>"
        "<title>EX-99.1</title></head>\n<body style='font: 10pt Times New Roman'>"
    ]
    page = 1
    for block in release.blocks:
        if isinstance(block, Heading):
            parts.append(f"<p style='margin: 0'><b>{html.escape(block.text)}</b></p>")
        elif isinstance(block, Paragraph):
            parts.append(f"<p style='margin: 0'>{html.escape(block.text)}</p>")
        else:
            parts.append(table_html(block, style))
            parts.append(f"<p style='text-align: center'>{page}</p><hr>")
            page += 1
    parts.append("</body></html>\n")
    return "\n".join(parts).encode("utf-8")


def header_rows(table: Table) -> list[list[tuple[str, str, int]]]:
    """Header rows as (text, mark, span): equal neighbours below the same parent are one cell."""
    depth = max(len(column.path) for column in table.columns)
    rows = []
    for level in range(depth):
        row: list[tuple[str, str, int]] = []
        previous: tuple[str, ...] | None = None
        for column in table.columns:
            path = column.path[: level + 1]
            mark = column.marks[level] if column.marks else ""
            # The bottom row names every column, even where neighbours are alike.
            if row and path == previous and level < depth - 1:
                text, old, span = row[-1]
                row[-1] = (text, old, span + 1)
            else:
                row.append((column.path[level], mark, 1))
            previous = path
        rows.append(row)
    return rows


def table_html(table: Table, style: Style) -> str:
    """A table as the printers of exhibits set it: a spacer, a sign and a closing cell a column."""
    width = 1 + int(style.spacers) + (2 if style.signs_apart else 0)
    out = []
    if table.caption:
        out.append(f"<p>{html.escape(table.caption)}</p>")
    out.append("<table cellspacing='0' cellpadding='0' style='border-collapse: collapse'>")

    def mark_html(mark: str) -> str:
        return f"<sup>{html.escape(style.marked(mark.strip()))}</sup>" if mark else ""

    for row in header_rows(table):
        cells = ["<td>&nbsp;</td>"]
        for text, mark, span in row:
            inner = html.escape(style.label(text)) or "&nbsp;"
            if style.merged_headers:
                cells.append(
                    f"<td colspan='{width * span}' style='text-align: center'>"
                    f"{inner}{mark_html(mark)}</td>"
                )
            else:
                cells += [f"<td>{inner}{mark_html(mark)}</td>"] + ["<td></td>"] * (width * span - 1)
        out.append(f"<tr>{''.join(cells)}</tr>")
    out.append(
        f"<tr><td>&nbsp;</td><td colspan='{width * len(table.columns)}' "
        f"style='text-align: center'>{html.escape(table.unit)}</td></tr>"
    )
    for line in table.rows:
        label = html.escape(style.label(line.label)) or "&nbsp;"
        cells = [f"<td style='padding-left: {line.indent}em'>{label}{mark_html(line.mark)}</td>"]
        for cell in line.cells or [Cell()] * len(table.columns):
            cells += _cell_html(cell, style, mark_html(cell.mark))
        out.append(f"<tr>{''.join(cells)}</tr>")
    out.append("</table>")
    out += [f"<p style='font-size: 8pt'>{html.escape(note)}</p>" for note in table.notes]
    return "\n".join(out)


def _cell_html(cell: Cell, style: Style, mark: str) -> list[str]:
    text = style.number(cell)
    spacer = ["<td>&nbsp;</td>"] if style.spacers else []
    if not style.signs_apart:
        return [*spacer, f"<td style='text-align: right'>{html.escape(text)}{mark}</td>"]
    closing = ""
    for end in CLOSINGS:
        if text.endswith(end):
            text, closing = text[: -len(end)], end
            break
    number = html.escape(text) or "&nbsp;"
    return [
        *spacer,
        "<td></td>",
        f"<td style='text-align: right'>{number}</td>",
        f"<td>{closing}{mark}</td>",
    ]


def to_text(release: Release, style: Style = PLAIN) -> bytes:
    """The release as the text layer of its PDF: a page is one running line, tables too."""
    out, page = [], 1
    for block in release.blocks:
        if isinstance(block, Heading | Paragraph):
            out.append(f"{block.text} ")
        else:
            out.append(table_text(block, style))
            page += 1
            out.append(f"\n \n {page}   \n")
    return "".join(out).encode("utf-8")


def table_text(table: Table, style: Style) -> str:
    """A table's words in reading order."""
    end = "\n" if style.line_per_row else " "
    out = [f"{table.caption}  "] if table.caption else []
    for row in header_rows(table):
        texts = [style.label(text) + style.marked(mark) for text, mark, _ in row if text]
        # Names of two and more words stand on lines of their own in older text layers.
        out.append(f" {end.join(texts) if style.line_per_row else ' '.join(texts)}  {end}")
    out.append(f"{table.unit} {end}")
    for line in table.rows:
        label = style.label(line.label)
        words = [f"{label}{style.marked(line.mark)}"] if label else [""]
        for cell in line.cells:
            text = style.number(cell)
            if text:
                words.append(text + style.marked(cell.mark))
        out.append(f"{' '.join(words)} {end}")
    out.append("  ")
    out += [f"{note} " for note in table.notes]
    return "".join(out)


def to_pdf(release: Release, style: Style = PLAIN) -> bytes:
    """The release as a PDF with a text layer."""
    from fpdf import FPDF

    pdf = FPDF(orientation="landscape")
    # The built-in fonts reach the em dash through this encoding alone.
    pdf.core_fonts_encoding = "windows-1252"
    pdf.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    pdf.set_auto_page_break(True, margin=12)
    pdf.add_page()
    pdf.set_font("Times", size=8)
    for block in release.blocks:
        if isinstance(block, Heading):
            pdf.set_font("Times", "B", 9)
            pdf.cell(0, 6, block.text, new_x="LMARGIN", new_y="NEXT")
            pdf.set_font("Times", size=8)
        elif isinstance(block, Paragraph):
            pdf.multi_cell(0, 4, block.text, new_x="LMARGIN", new_y="NEXT")
        else:
            _table_pdf(pdf, block, style)
    return bytes(pdf.output())


def _table_pdf(pdf: Any, table: Table, style: Style) -> None:
    if table.caption:
        pdf.multi_cell(0, 5, table.caption, new_x="LMARGIN", new_y="NEXT")
    first = 74.0
    width = min(26.0, (pdf.epw - first) / len(table.columns))

    def line(label: str, cells: Iterable[tuple[str, int]], align: str) -> None:
        if pdf.will_page_break(4):
            pdf.add_page()
        pdf.cell(first, 4, label)
        for text, span in cells:
            pdf.cell(width * span, 4, text, align=align)
        pdf.ln(4)

    for row in header_rows(table):
        _header_pdf(
            pdf, [(text + style.marked(mark), span) for text, mark, span in row], first, width
        )
    line("", [(table.unit, len(table.columns))], "C")
    for each in table.rows:
        line(
            "  " * each.indent + each.label + style.marked(each.mark),
            [(style.number(cell) + style.marked(cell.mark), 1) for cell in each.cells],
            "R",
        )
    for note in table.notes:
        pdf.multi_cell(0, 4, note, new_x="LMARGIN", new_y="NEXT")


def _header_pdf(pdf: Any, row: list[tuple[str, int]], first: float, width: float) -> None:
    """Cell after cell, so that the words of a name that fills several lines stay together."""
    top, left, lines = pdf.get_y(), pdf.l_margin + first, 1
    for text, span in row:
        parts = _broken(text, width * span, pdf)
        for level, part in enumerate(parts):
            pdf.set_xy(left, top + 4 * level)
            pdf.cell(width * span, 4, part, align="C")
        lines, left = max(lines, len(parts)), left + width * span
    pdf.set_xy(pdf.l_margin, top + 4 * lines)


def _broken(text: str, width: float, pdf: Any) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and pdf.get_string_width(longer) > width - 2:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


if __name__ == "__main__":
    # Writes the committed documents anew: python -m tests.documents.writer
    for each in PLANS:
        Path(__file__).with_name(f"{each.name}.html").write_bytes(to_html(release(each.name)))
        Path(__file__).with_name(f"{each.name}.txt").write_bytes(to_text(release(each.name)))
