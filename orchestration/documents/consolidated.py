"""The consolidated figures of a release: what statements, summaries and sentences say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from orchestration.documents.evidence import Evidence, Print
from orchestration.documents.headers import SCALES
from orchestration.documents.reading import Figure
from orchestration.documents.tables import bridged


def collect_totals(evidence: Evidence) -> None:
    """Gather what statements and summaries say of the company as a whole.

    A statement has several metrics. A table with one of them may be of a part of the company
    ("Revenue" under "Marketplaces"): it counts only where a sentence says the same.
    """
    for table in evidence.tables:
        if table.head.segments_are_columns:
            continue
        names = (row.label.name for row in table.rows)
        metrics = {name.key for name in names if name and name.role == "metric"}
        places = [place for place, _ in evidence.own_columns(table)]
        bridges = [id(row) for pair in bridged(table, places) for row in pair]
        for row in table.rows:
            name = row.label.name
            if name is None or name.role != "metric" or not row.ways:
                continue
            ways = evidence.agreeing(table, row.ways)
            values = {tuple(cell.value for cell in way[0]) for way in ways}
            if len(values) != 1 or any(cell.is_joined for cell in ways[0][0]):
                continue
            if evidence.other_growth(table, row, ways[0][0]):
                continue
            for place, slot in evidence.own_columns(table):
                assert slot.period is not None
                assert name.key is not None
                read = evidence.read(table, row, place, name.key, slot.period, ways[0][0][place])
                if len(metrics) < 2:
                    evidence.unsure.append(read)
                    continue
                evidence.note_total(read)
                if id(row) in bridges:
                    evidence.proved.add((name.key, slot.period))


def add_company_figures(evidence: Evidence, stated: Sequence[Figure]) -> None:
    """Take the consolidated figures that are printed twice, or that a statement proves.

    A sentence is a print as a table is. What sentences alone state is taken from them.
    """
    own = evidence.currency
    in_words = {(f.metric, f.period_type, f.period_end): f for f in stated if f.currency == own}
    for (metric, period), values in evidence.totals.items():
        if (None, metric, period) in evidence.figures:
            # Whatever contradicts a figure that tables add up to makes the document unsafe.
            for prints in values.values():
                evidence.add(None, prints[0])
            continue
        if len(values) > 1:
            shown = ", ".join(f"{value:,}" for value in values)
            evidence.remarks.append(
                f"{metric} of the {period.type} to {period.end}: printed as {shown}; left out"
            )
            continue
        prints = next(iter(values.values()))
        tables = {read.table.number for read in prints}
        is_proved = len(tables) > 1 or (metric, period) in evidence.proved
        if is_proved or _is_said(in_words, prints[0]):
            evidence.add(None, prints[0])
    for read in evidence.unsure:
        key = (None, read.metric, read.period)
        if key not in evidence.figures and _is_said(in_words, read):
            evidence.add(None, read)
    for figure in stated:
        _add_stated(evidence, figure)


def _add_stated(evidence: Evidence, figure: Figure) -> None:
    printed = next(
        (
            f
            for (segment, metric, period), f in evidence.figures.items()
            if segment is None
            and (metric, period.type, period.end, f.currency)
            == (figure.metric, figure.period_type, figure.period_end, figure.currency)
        ),
        None,
    )
    if printed is None:
        evidence.stated.append(figure)
    elif not _is_rounding(figure, printed.value * SCALES[printed.unit]):
        evidence.remarks.append(
            f"{figure.metric}: {figure.locator} says {figure.value:,f} {figure.unit}, "
            f"{printed.locator} {printed.value:,f} {printed.unit}; the table counts"
        )


def _is_said(in_words: Mapping[tuple[str, str, date], Figure], read: Print) -> bool:
    said = in_words.get((read.metric, read.period.type, read.period.end))
    return said is not None and _is_rounding(said, read.cell.value)


def _is_rounding(stated: Figure, millions: Decimal) -> bool:
    """Whether a stated figure is an amount in millions, rounded as it is printed."""
    scale = SCALES[stated.unit]
    return abs(stated.value * scale - millions) <= stated.printed_step * scale / 2
