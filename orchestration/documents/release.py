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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from orchestration.documents import tables as tables_of
from orchestration.documents.alignment import Amounts, Cell
from orchestration.documents.headers import DATE, SCALES, Period, Slot, day_of, find_heads
from orchestration.documents.reading import Check, DocumentRefused, Figure, Reading
from orchestration.documents.sentences import read_sentences
from orchestration.documents.tables import Block, Line, Row, Table, bridged, find_blocks, solutions
from orchestration.documents.text import NOTE_END, NOTE_START, Text, extract
from orchestration.documents.tokens import join_split_digits
from orchestration.documents.vocabulary import Vocabulary, letters
from orchestration.registry import Registry
from orchestration.registry.entries import Segment, Structure

#: How far a figure in US$ may be off, in its printed steps: three at most in the real releases.
_DOLLAR_STEPS = Decimal("3.5")
#: Combinations of readings of one table that are tried.
_MAX_COMBINATIONS = 20_000
#: Releases come out within four months of the period's end.
_LONGEST_AFTER_PERIOD = timedelta(days=125)
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


@dataclass(frozen=True)
class _Read:
    """A cell of a table: of a segment, or of the company where ``label_printed`` is ``None``."""

    table: Table
    metric: str
    period: Period
    cell: Cell
    label_printed: str | None
    locator: str


@dataclass
class _Release:
    name: str
    text: Text
    content: str
    vocabulary: Vocabulary
    tables: Sequence[Table]
    period_end: date
    rates: tuple[Decimal, ...]
    #: What is printed of the company by metric and period: each value with all its prints.
    totals: dict[tuple[str, Period], dict[Decimal, list[_Read]]] = field(default_factory=dict)
    #: Prints that may be of a part of the company.
    unsure: list[_Read] = field(default_factory=list)
    #: Metrics and periods of which a statement proves the figure.
    proved: set[tuple[str, Period]] = field(default_factory=set)
    figures: dict[tuple[str | None, str, Period], Figure] = field(default_factory=dict)
    #: Consolidated figures that sentences alone state.
    stated: list[Figure] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)


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
    _refuse_other_period(joined, name, period_end)
    usable = _usable(tables, period_end)
    release = _Release(name, text, joined, vocabulary, usable, period_end, _rates(joined))
    _collect_totals(release)
    for table in release.tables:
        if table.head.segments_are_columns:
            _read_columns(release, table)
        else:
            for block in find_blocks(table, vocabulary):
                _read_block(release, block)
    if not any(key[0] for key in release.figures):
        raise DocumentRefused(
            f"{name}: no table of segments that adds up to a consolidated figure was found"
            + "".join(f"; {remark}" for remark in release.remarks[:3])
        )
    stated, statements, remarks = read_sentences(
        joined,
        vocabulary.company,
        vocabulary.stated,
        vocabulary.natures,
        period_end,
        release.rates,
    )
    _add_company_figures(release, stated)
    return Reading(
        company_key,
        "results",
        release.period_end,
        _reported_on(joined, release.period_end),
        _title(joined, name),
        (*release.figures.values(), *release.stated),
        tuple(statements),
        checks=tuple(
            Check(check, count, f"{count} agree") for check, count in sorted(release.counts.items())
        ),
        remarks=(*release.remarks, *remarks),
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
    """Refuse a document whose first words speak of another period than its tables.

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
        if period_end < day <= period_end + _LONGEST_AFTER_PERIOD:
            return day
    return None


# Consolidated figures


def _collect_totals(release: _Release) -> None:
    """Gather what statements and summaries say of the company as a whole.

    A statement has several metrics. A table with one of them may be of a part of the company
    ("Revenue" under "Marketplaces"): it counts only where a sentence says the same.
    """
    for table in release.tables:
        names = (row.label.name for row in table.rows)
        metrics = {name.key for name in names if name and name.role == "metric"}
        if table.head.segments_are_columns:
            continue
        places = [place for place, _ in _own(release, table.head.slots)]
        bridges = [id(row) for pair in bridged(table, places) for row in pair]
        for row in table.rows:
            name = row.label.name
            if name is None or name.role != "metric" or not row.ways:
                continue
            ways = _agreeing(release, row.ways, table.head.slots)
            values = {tuple(cell.value for cell in way[0]) for way in ways}
            if len(values) != 1 or any(cell.is_joined for cell in ways[0][0]):
                continue
            if _other_growth(release, table, row, ways[0][0]):
                continue
            for place, slot in _own(release, table.head.slots):
                assert slot.period is not None
                assert name.key is not None
                cell = ways[0][0][place]
                if len(metrics) < 2:
                    where = _locator(release, table, row, place)
                    release.unsure.append(_Read(table, name.key, slot.period, cell, None, where))
                    continue
                _note_total(release, table, name.key, slot.period, cell, row, place)
                if id(row) in bridges:
                    release.proved.add((name.key, slot.period))


def _note_total(
    release: _Release, table: Table, metric: str, period: Period, cell: Cell, row: Row, place: int
) -> None:
    read = _Read(table, metric, period, cell, None, _locator(release, table, row, place))
    release.totals.setdefault((metric, period), {}).setdefault(cell.value, []).append(read)


def _add_company_figures(release: _Release, stated: Sequence[Figure]) -> None:
    """Take the consolidated figures that are printed twice, or that a statement proves.

    A sentence is a print as a table is. What sentences alone state is taken from them.
    """
    own = release.vocabulary.company.reporting_currency
    in_words = {(f.metric, f.period_type, f.period_end): f for f in stated if f.currency == own}
    for (metric, period), values in release.totals.items():
        if (None, metric, period) in release.figures:
            # Whatever contradicts a figure that tables add up to makes the document unsafe.
            for prints in values.values():
                _add(release, None, prints[0])
            continue
        if len(values) > 1:
            shown = ", ".join(f"{value:,}" for value in values)
            release.remarks.append(
                f"{metric} of the {period.type} to {period.end}: printed as {shown}; left out"
            )
            continue
        prints = next(iter(values.values()))
        tables = {read.table.number for read in prints}
        is_proved = len(tables) > 1 or (metric, period) in release.proved
        if is_proved or _is_said(in_words, prints[0]):
            _add(release, None, prints[0])
    for read in release.unsure:
        key = (None, read.metric, read.period)
        if key not in release.figures and _is_said(in_words, read):
            _add(release, None, read)
    for figure in stated:
        _add_stated(release, figure)


def _add_stated(release: _Release, figure: Figure) -> None:
    printed = next(
        (
            f
            for (segment, metric, period), f in release.figures.items()
            if segment is None
            and (metric, period.type, period.end, f.currency)
            == (figure.metric, figure.period_type, figure.period_end, figure.currency)
        ),
        None,
    )
    if printed is None:
        release.stated.append(figure)
    elif not _is_rounding(figure, printed.value * SCALES[printed.unit]):
        release.remarks.append(
            f"{figure.metric}: {figure.locator} says {figure.value:,f} {figure.unit}, "
            f"{printed.locator} {printed.value:,f} {printed.unit}; the table counts"
        )


def _is_said(in_words: Mapping[tuple[str, str, date], Figure], read: _Read) -> bool:
    said = in_words.get((read.metric, read.period.type, read.period.end))
    return said is not None and _is_rounding(said, read.cell.value)


def _is_rounding(stated: Figure, millions: Decimal) -> bool:
    """Whether a stated figure is an amount in millions, rounded as it is printed."""
    scale = SCALES[stated.unit]
    return abs(stated.value * scale - millions) <= stated.printed_step * scale / 2


# Tables whose rows are segments


def _read_block(release: _Release, block: Block) -> None:
    vocabulary = release.vocabulary
    table = block.table
    if len(block.lines) < 2:
        return
    own = _own(release, table.head.slots)
    kept, contradicted = _agreeing_rows(release, block)
    structures = _structures(release, block.lines)
    if not structures:
        return
    totals = _totals_of(release, block, own)
    if not totals:
        _refuse_contradicted_total(release, block, structures, own)
        return
    sums_only = [
        line
        for line in block.lines
        if any(_is_part_of_sum(vocabulary, s, line) for s in structures)
    ]
    for metric, total in totals:
        structure = max(structures, key=lambda s: metric in s.adds_up_to)
        parts = [line for line in sums_only if _is_part_of_sum(vocabulary, structure, line)]
        found = solutions(
            [kept[id(line)] for line in parts],
            _wanted(table.head.slots, own, total),
            [Decimal(0)] * _amounts(table.head.slots),
            _MAX_COMBINATIONS,
        )
        if len(found) != 1:
            continue
        if metric not in structure.adds_up_to:
            _note_verified(release, block, metric, total)
            return
        if block.unknown:
            raise DocumentRefused(_unknown_label(release, block, structure))
        if contradicted:
            raise DocumentRefused(f"{release.name}: {contradicted}")
        _accept(release, block, metric, structure, parts, found[0], total, kept)
        return
    _explain(release, block, totals, structures, kept, own)


def _note_verified(
    release: _Release, block: Block, metric: str, total: Mapping[int, Decimal]
) -> None:
    """Note what segments add up to in a metric that the registry does not want by segment."""
    if block.total is None:
        return
    for place, slot in _own(release, block.table.head.slots):
        if slot.period is not None:
            cell = Cell(total[place], block.table.head.scale, "")
            _note_total(release, block.table, metric, slot.period, cell, block.total, place)


def _own(release: _Release, slots: Sequence[Slot]) -> list[tuple[int, Slot]]:
    """Return the amounts in the reporting currency, by their place among the amounts."""
    amounts = [slot for slot in slots if slot.kind == "amount"]
    own = release.vocabulary.company.reporting_currency
    return [(place, slot) for place, slot in enumerate(amounts) if slot.currency == own]


def _amounts(slots: Sequence[Slot]) -> int:
    return sum(slot.kind == "amount" for slot in slots)


def _totals_of(
    release: _Release, block: Block, own: Sequence[tuple[int, Slot]]
) -> list[tuple[str, dict[int, Decimal]]]:
    """Return what a block may have to add up to: metric and the total of each column.

    The total that the block prints counts, if it is not contradicted by what the release prints
    elsewhere; a block without one has the consolidated figures of the release.
    """
    metrics = [block.metric] if block.metric else sorted({m for m, _ in release.totals})
    found = []
    for metric in metrics:
        if block.total is not None:
            slots = block.table.head.slots
            ways = _agreeing(release, (*block.total.ways, *block.total.parted_ways), slots)
            choices = {tuple(cell.value for cell in way[0]): way[0] for way in ways}
            for cells in choices.values():
                total = {place: cells[place].value for place, _ in own}
                if all(
                    _agrees(release, metric, slot.period, total[place], bool(block.metric))
                    for place, slot in own
                ):
                    found.append((metric, total))
        else:
            known = {
                place: next(iter(values))
                for place, slot in own
                if len(values := release.totals.get((metric, slot.period), {})) == 1  # type: ignore[arg-type]
            }
            if len(known) == len(own):
                found.append((metric, known))
    return found


def _refuse_contradicted_total(
    release: _Release,
    block: Block,
    structures: Sequence[Structure],
    own: Sequence[tuple[int, Slot]],
) -> None:
    if block.total is None or not any(block.metric in s.adds_up_to for s in structures):
        return
    for way in block.total.ways:
        for place, slot in own:
            assert slot.period is not None
            known = release.totals.get((str(block.metric), slot.period))
            if known and known.keys() != {way[0][place].value}:
                raise DocumentRefused(
                    f"{release.name}: table {block.table.number}: its total of {block.metric} for "
                    f"the {slot.period.type} to {slot.period.end} is {way[0][place].text}, "
                    f"elsewhere in the document it is {', '.join(f'{v:,}' for v in known)}"
                )


def _agrees(
    release: _Release, metric: str, period: Period | None, value: Decimal, is_named: bool
) -> bool:
    assert period is not None
    known = release.totals.get((metric, period))
    return known.keys() == {value} if known else is_named


def _wanted(
    slots: Sequence[Slot], own: Sequence[tuple[int, Slot]], total: Mapping[int, Decimal]
) -> list[Decimal | None]:
    return [total.get(place) for place in range(_amounts(slots))]


def _agreeing(
    release: _Release, ways: Iterable[tuple[Amounts, ...]], slots: Sequence[Slot]
) -> list[tuple[Amounts, ...]]:
    """Return the ways to read a row in which its US$ column is the other at a stated rate."""
    pairs = _dollar_pairs(release, slots)
    return [
        way
        for way in ways
        if all(_converts(release, way[0][left], way[0][right]) for left, right in pairs)
    ]


def _agreeing_rows(release: _Release, block: Block) -> tuple[dict[int, Row], str | None]:
    kept: dict[int, Row] = {}
    contradicted = None
    slots = block.table.head.slots
    for line in block.lines:
        ways = _agreeing(release, line.row.ways, slots)
        parted = _agreeing(release, line.row.parted_ways, slots)
        if not ways and not parted and line.row.ways:
            contradicted = contradicted or (
                f"table {block.table.number}, row {line.row.label.printed!r}: its US$ column is "
                f"not the {release.vocabulary.company.reporting_currency} column at the stated "
                f"rate {', '.join(map(str, release.rates))}: "
                + " ".join(cell.text for cell in line.row.ways[0][0])
            )
            ways = list(line.row.ways)
        kept[id(line)] = replace(line.row, ways=tuple(ways), parted_ways=tuple(parted))
    return kept, contradicted


def _dollar_pairs(release: _Release, slots: Sequence[Slot]) -> list[tuple[int, int]]:
    amounts = [slot for slot in slots if slot.kind == "amount"]
    own = {
        (slot.period, slot.column): place
        for place, slot in enumerate(amounts)
        if slot.currency == release.vocabulary.company.reporting_currency
    }
    return [
        (own[slot.period, slot.column], place)
        for place, slot in enumerate(amounts)
        if slot.currency == "USD" and (slot.period, slot.column) in own
    ]


def _converts(release: _Release, own: Cell, dollars: Cell) -> bool:
    """Whether an amount in US$ is the other at a stated rate.

    Issuers round the parts so that they add up: they may be a few steps off.
    """
    return not release.rates or any(
        abs(own.value / rate - dollars.value)
        <= _DOLLAR_STEPS * dollars.step + abs(dollars.value) / 20_000
        for rate in release.rates
    )


def _structures(release: _Release, lines: Sequence[Line]) -> list[Structure]:
    """Return the structures that know every row, the one in force in the period first."""
    vocabulary = release.vocabulary
    known = [
        structure
        for structure in vocabulary.structures
        if all(_segment(vocabulary, structure, line) is not None for line in lines)
    ]
    return sorted(known, key=lambda s: not _is_in_force(s, release.period_end))


def _is_in_force(structure: Structure, day: date) -> bool:
    return structure.first_reported_period <= day and (
        structure.last_reported_period is None or day <= structure.last_reported_period
    )


def _segment(vocabulary: Vocabulary, structure: Structure, line: Line) -> Segment | None:
    name = line.row.label.name
    assert name is not None  # a line is of a segment
    return vocabulary.segment_in(structure.structure, name.printed, line.heading)


def _is_part_of_sum(vocabulary: Vocabulary, structure: Structure, line: Line) -> bool:
    segment = _segment(vocabulary, structure, line)
    return segment is not None and segment.breakdown != "subline"


def _accept(
    release: _Release,
    block: Block,
    metric: str,
    structure: Structure,
    parts: Sequence[Line],
    cells: Sequence[Amounts],
    total: Mapping[int, Decimal],
    kept: Mapping[int, Row],
) -> None:
    slots = block.table.head.slots
    own = _own(release, slots)
    by_key: dict[str, Amounts] = {}
    for line, amounts in zip(parts, cells, strict=True):
        segment = _segment(release.vocabulary, structure, line)
        assert segment is not None
        by_key[segment.segment_key] = amounts
        _refuse_other_growth(release, block.table, line.row, amounts)
        _add_row(release, block.table, line.row, segment, metric, amounts, own)
    release.counts["rows add up to the consolidated figure"] += len(own)
    pairs = _dollar_pairs(release, slots)
    if release.rates and pairs:
        release.counts["US$ column at the stated rate"] += len(parts) * len(pairs)
    if block.total is not None:
        for place, slot in own:
            assert slot.period is not None
            cell = Cell(total[place], max(amounts[place].step for amounts in cells), "")
            where = _locator(release, block.table, block.total, place)
            read = _Read(block.table, metric, slot.period, cell, None, where)
            _add(release, None, read)
    _accept_sublines(release, block, metric, structure, by_key, kept)


def _accept_sublines(
    release: _Release,
    block: Block,
    metric: str,
    structure: Structure,
    parents: Mapping[str, Amounts],
    kept: Mapping[int, Row],
) -> None:
    """Take the parts of segments that add up to their segment, with the sums among them or not."""
    own = _own(release, block.table.head.slots)
    by_parent: dict[str, list[tuple[Segment, Line]]] = {}
    for line in block.lines:
        segment = _segment(release.vocabulary, structure, line)
        if segment is not None and segment.parent_segment_key:
            by_parent.setdefault(segment.parent_segment_key, []).append((segment, line))
    for parent, children in by_parent.items():
        if parent not in parents:
            continue
        wanted = [
            parents[parent][place].value if any(place == p for p, _ in own) else None
            for place in range(_amounts(block.table.head.slots))
        ]
        rows = [kept[id(line)] for _, line in children]
        exact = [Decimal(0)] * len(wanted)
        found = solutions(rows, wanted, exact, _MAX_COMBINATIONS)
        if not found:
            # A sum whose own parts are not printed is a part itself.
            whole = [*rows, *block.subtotals]
            found = solutions(whole, wanted, exact, _MAX_COMBINATIONS)
            found = [amounts[: len(rows)] for amounts in found]
        if len(found) != 1 and not _is_clean(rows):
            release.remarks.append(
                f"table {block.table.number}: the parts of {parent} cannot be read; left out"
            )
            continue
        if len(found) != 1:
            parts = ", ".join(_printed(row) for row in rows)
            raise DocumentRefused(
                f"{release.name}: table {block.table.number}: {parts} do not add up to {parent}: "
                + " ".join(cell.text for cell in parents[parent])
            )
        for (segment, line), amounts in zip(children, found[0], strict=True):
            _refuse_other_growth(release, block.table, line.row, amounts)
            _add_row(release, block.table, line.row, segment, metric, amounts, own)
        release.counts["parts add up to their segment"] += len(own)


def _refuse_other_growth(release: _Release, table: Table, row: Row, amounts: Amounts) -> None:
    """Refuse the release if the growth that a row prints is not that of its amounts.

    Raises:
        DocumentRefused: naming the row, both amounts and both rates.
    """
    other = _other_growth(release, table, row, amounts)
    if other:
        raise DocumentRefused(f"{release.name}: {other}")
    if row.percents and table.head.growth is not None:
        release.counts["printed growth is that of the amounts"] += 1


def _other_growth(release: _Release, table: Table, row: Row, amounts: Amounts) -> str | None:
    """Return in words that the growth a row prints is not that of its amounts, if it is not."""
    place = table.head.growth
    printed = row.percents[place] if place is not None and place < len(row.percents) else None
    own = {slot.period: amounts[p].value for p, slot in _own(release, table.head.slots)}
    now = max((period for period in own if period), key=lambda period: period.end)
    before = next(
        (p for p in own if p and p.type == now.type and p.end.year == now.end.year - 1), None
    )
    if before is None or not own[before] or printed is None:
        return None
    growth = 100 * (own[now] - own[before]) / abs(own[before])
    # Of a loss that grows some print a rise and some a fall.
    if abs(abs(growth) - abs(printed)) <= 1 + abs(growth) / 100:
        return None
    return (
        f"table {table.number}, row {_printed(row)!r}: prints a growth of {printed}%, its amounts "
        f"{own[before] / table.head.scale:,} and {own[now] / table.head.scale:,} grow by "
        f"{growth:.1f}%"
    )


def _explain(
    release: _Release,
    block: Block,
    totals: Sequence[tuple[str, dict[int, Decimal]]],
    structures: Sequence[Structure],
    kept: Mapping[int, Row],
    own: Sequence[tuple[int, Slot]],
) -> None:
    """Refuse the release for a table that has all it needs and does not add up."""
    if block.total is None or block.metric is None or block.unknown:
        if block.unknown and block.total is not None and block.metric is not None:
            raise DocumentRefused(_unknown_label(release, block, structures[0]))
        return
    metric, total = totals[0]
    wanted = [s for s in structures if metric in s.adds_up_to]
    if not wanted or metric != block.metric:
        return
    parts = [line for line in block.lines if _is_part_of_sum(release.vocabulary, wanted[0], line)]
    if not _is_clean([kept[id(line)] for line in parts]):
        release.remarks.append(f"table {block.table.number}: a row cannot be read; left out")
        return
    place, slot = own[-1]
    assert slot.period is not None
    scale = block.table.head.scale
    sums = sum(
        (kept[id(line)].ways[0][0][place].value for line in parts if kept[id(line)].ways),
        Decimal(0),
    )
    raise DocumentRefused(
        f"{release.name}: table {block.table.number}: the rows of {metric} for the "
        f"{slot.period.type} to {slot.period.end} add up to {sums / scale:,}, its total is "
        f"{total[place] / scale:,} {block.table.head.unit}"
    )


def _is_clean(rows: Iterable[Row]) -> bool:
    """Whether rows can be read in one way: if they do not add up, they do not."""
    return all(len(row.ways) == 1 and not row.parted_ways for row in rows)


def _unknown_label(release: _Release, block: Block, structure: Structure) -> str:
    words = " ".join(block.unknown[0].label.printed.split())
    key = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    company = release.vocabulary.company.company_key
    nearest = release.vocabulary.nearest(words)
    return (
        f"{release.name}: table {block.table.number} has a row {words!r} that the registry does "
        f"not know. Nearest names: {', '.join(nearest) or 'none'}. If it is one of them, add it to "
        "the aliases of its line in segments.csv; if it is new, add the line\n"
        f"  {company}.{structure.structure}.{key},{company},{structure.structure},"
        f'"{words}",{structure.breakdown},,<business_line>,no,\n'
        f"  or, if it is a sum or an aside, add it to printed_names.csv"
    )


# Tables whose columns are segments


def _read_columns(release: _Release, table: Table) -> None:
    rows = list(_metric_rows(release, table))
    period = _period_by_totals(release, table, rows)
    if period is not None:
        slots = tuple(replace(slot, period=period) for slot in table.head.slots)
        table = replace(table, head=replace(table.head, slots=slots))
        release.remarks.append(
            f"table {table.number}: its heading stands elsewhere in the text; its totals are those "
            f"of the {period.type} to {period.end}"
        )
    for row, metric in rows:
        ways = _agreeing(release, (*row.ways, *row.parted_ways), table.head.slots)
        for period in dict.fromkeys(slot.period for slot in table.head.slots):
            if period is not None:
                _read_row_of_columns(release, table, row, ways, metric, period)


def _metric_rows(release: _Release, table: Table) -> Iterator[tuple[Row, str]]:
    heading = None
    for row in table.rows:
        name = row.label.name
        if name is None:
            heading = release.vocabulary.metric_heading(row.label.printed) or heading
            continue
        # "Total" sums what stands under the last heading.
        metric = {"metric": name.key, "total": heading}.get(name.role)
        heading = None
        if metric is not None:
            yield row, metric


def _period_by_totals(
    release: _Release, table: Table, rows: Sequence[tuple[Row, str]]
) -> Period | None:
    """Return the period of columns that the text layer has parted from their heading.

    It is the one period whose consolidated figures the totals are, in two metrics at least. A
    heading that the totals do not contradict is believed.
    """
    headed = {slot.period for slot in table.head.slots}
    own = _own(release, table.head.slots)
    totals = [place for place, slot in own if slot.column and slot.column.role == "total"]
    if len(headed) != 1 or len(totals) != 1:
        return None
    matching: Counter[Period] = Counter()
    for row, metric in rows:
        if len(row.ways) == 1:
            value = row.ways[0][0][totals[0]].value
            matching.update(
                period
                for (of, period), known in release.totals.items()
                if of == metric and value in known
            )
    likely = [period for period, count in matching.items() if count >= 2]
    if len(likely) != 1 or matching.total() != matching[likely[0]] or likely[0] in headed:
        return None
    return likely[0]


def _read_row_of_columns(
    release: _Release,
    table: Table,
    row: Row,
    ways: Sequence[tuple[Amounts, ...]],
    metric: str,
    period: Period,
) -> None:
    own = [(p, s) for p, s in _own(release, table.head.slots) if s.period == period]
    segments = [(p, s) for p, s in own if s.column and s.column.role == "segment"]
    totals = [p for p, s in own if s.column and s.column.role == "total"]
    structure = next(
        (
            s
            for s in sorted(
                release.vocabulary.structures, key=lambda s: not _is_in_force(s, release.period_end)
            )
            if all(_of_column(release, s, slot) is not None for _, slot in segments)
        ),
        None,
    )
    if structure is None or len(totals) > 1 or len(segments) < 2:
        return
    known = set(release.totals.get((metric, period), {}))
    found = {}
    for way in ways:
        cells = way[0]
        total = cells[totals[0]].value if totals else None
        if total is None and len(known) == 1:
            total = next(iter(known))
        sums = sum(cells[place].value for place, _ in segments)
        if total is not None and sums == total:
            if totals and total not in known:
                _note_total(release, table, metric, period, cells[totals[0]], row, totals[0])
            if not known or total in known:
                found[tuple(cell.value for cell in cells)] = cells
    if len(found) != 1:
        if totals and ways and len(found) == 0:
            sums = sum(ways[0][0][place].value for place, _ in segments)
            release.remarks.append(
                f"table {table.number}: row {row.label.printed!r} adds up to "
                f"{sums / table.head.scale:,}, its total is {ways[0][0][totals[0]].text}; left out"
            )
        return
    cells = next(iter(found.values()))
    for place, slot in segments if metric in structure.adds_up_to else ():
        segment = _of_column(release, structure, slot)
        assert segment is not None
        read = _Read(table, metric, period, cells[place], slot.column_words,
                     _locator(release, table, row, place))  # fmt: skip
        _add(release, segment, read)
    release.counts["rows add up to the consolidated figure"] += 1
    if totals:
        read = _Read(table, metric, period, cells[totals[0]], None,
                     _locator(release, table, row, totals[0]))  # fmt: skip
        _add(release, None, read)


def _of_column(release: _Release, structure: Structure, slot: Slot) -> Segment | None:
    assert slot.column is not None
    return release.vocabulary.segment_in(structure.structure, slot.column.printed, None)


# Figures


def _add_row(
    release: _Release,
    table: Table,
    row: Row,
    segment: Segment,
    metric: str,
    amounts: Amounts,
    own: Iterable[tuple[int, Slot]],
) -> None:
    for place, slot in own:
        assert slot.period is not None
        read = _Read(table, metric, slot.period, amounts[place], _printed(row),
                     _locator(release, table, row, place))  # fmt: skip
        _add(release, segment, read)


def _add(release: _Release, segment: Segment | None, read: _Read) -> None:
    key = (segment.segment_key if segment else None, read.metric, read.period)
    head = read.table.head
    figure = Figure(
        key[0],
        read.label_printed,
        read.metric,
        read.period.start,
        read.period.end,
        read.period.type,
        read.cell.value / head.scale,
        head.unit,
        release.vocabulary.company.reporting_currency,
        "current" if read.period.end == release.period_end else "prior_year",
        read.cell.step / head.scale,
        read.locator,
    )
    earlier = release.figures.setdefault(key, figure)
    if earlier.value * SCALES[earlier.unit] != read.cell.value:
        raise DocumentRefused(
            f"{release.name}: {key[0] or release.vocabulary.company.company_key} {read.metric} of "
            f"the {read.period.type} to {read.period.end} is printed twice: {earlier.value:,} "
            f"{earlier.unit} ({earlier.locator}) and {figure.value:,} {figure.unit} "
            f"({figure.locator})"
        )


def _printed(row: Row) -> str:
    words = re.sub(rf"{NOTE_START}[^{NOTE_END}]*{NOTE_END}", "", row.label.printed)
    name = row.label.name
    if name is None or letters(words) == letters(name.printed):
        return " ".join(words.split())
    # Headings stand before the row's own words.
    return name.printed


def _locator(release: _Release, table: Table, row: Row, place: int) -> str:
    page = release.text.page(row.start)
    where = f"page {page}, " if page else ""
    return f"{where}table {table.number}, row '{_printed(row)}', column {place + 1}"


def figures_of(reading: Reading) -> Iterator[Figure]:
    """Return the figures of segments."""
    return (figure for figure in reading.figures if figure.segment_key)
