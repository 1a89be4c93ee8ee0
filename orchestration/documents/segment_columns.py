"""Tables whose columns are segments: rows of metrics, read if the segments add up to the total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from orchestration.documents.alignment import Amounts
from orchestration.documents.evidence import Evidence, Print
from orchestration.documents.headers import Period, Slot
from orchestration.documents.tables import Row, Table
from orchestration.registry.entries import Segment, Structure


def read_columns(evidence: Evidence, table: Table) -> None:
    """Believe the rows of metrics that add up; the others are left out.

    Raises:
        DocumentRefused: when another table prints one of the figures differently.
    """
    rows = list(_metric_rows(evidence, table))
    period = _period_by_totals(evidence, table, rows)
    if period is not None:
        slots = tuple(replace(slot, period=period) for slot in table.head.slots)
        table = replace(table, head=replace(table.head, slots=slots))
        evidence.remarks.append(
            f"table {table.number}: its heading stands elsewhere in the text; its totals are those "
            f"of the {period.type} to {period.end}"
        )
    for row, metric in rows:
        ways = evidence.agreeing(table, (*row.ways, *row.parted_ways))
        for period in dict.fromkeys(slot.period for slot in table.head.slots):
            if period is not None:
                _read_row_of_columns(evidence, table, row, ways, metric, period)


def _metric_rows(evidence: Evidence, table: Table) -> Iterator[tuple[Row, str]]:
    heading = None
    for row in table.rows:
        name = row.label.name
        if name is None:
            heading = evidence.vocabulary.metric_heading(row.label.printed) or heading
            continue
        # "Total" sums what stands under the last heading.
        metric = {"metric": name.key, "total": heading}.get(name.role)
        heading = None
        if metric is not None:
            yield row, metric


def _period_by_totals(
    evidence: Evidence, table: Table, rows: Sequence[tuple[Row, str]]
) -> Period | None:
    """Return the period of columns that the text layer has parted from their heading.

    It is the one period whose consolidated figures the totals are, in two metrics at least. A
    heading that the totals do not contradict is believed.
    """
    headed = {slot.period for slot in table.head.slots}
    own = evidence.own_columns(table)
    totals = [place for place, slot in own if slot.column and slot.column.role == "total"]
    if len(headed) != 1 or len(totals) != 1:
        return None
    matching: Counter[Period] = Counter()
    for row, metric in rows:
        if len(row.ways) == 1:
            value = row.ways[0][0][totals[0]].value
            matching.update(
                period
                for (of, period), known in evidence.totals.items()
                if of == metric and value in known
            )
    likely = [period for period, count in matching.items() if count >= 2]
    if len(likely) != 1 or matching.total() != matching[likely[0]] or likely[0] in headed:
        return None
    return likely[0]


def _read_row_of_columns(
    evidence: Evidence,
    table: Table,
    row: Row,
    ways: Sequence[tuple[Amounts, ...]],
    metric: str,
    period: Period,
) -> None:
    own = [(p, s) for p, s in evidence.own_columns(table) if s.period == period]
    segments = [(p, s) for p, s in own if s.column and s.column.role == "segment"]
    totals = [p for p, s in own if s.column and s.column.role == "total"]
    structure = next(
        (
            s
            for s in evidence.structures()
            if all(_of_column(evidence, s, slot) is not None for _, slot in segments)
        ),
        None,
    )
    if structure is None or len(totals) > 1 or len(segments) < 2:
        return
    known = set(evidence.totals.get((metric, period), {}))
    found = {}
    for way in ways:
        cells = way[0]
        total = cells[totals[0]].value if totals else None
        if total is None and len(known) == 1:
            total = next(iter(known))
        sums = sum(cells[place].value for place, _ in segments)
        if total is not None and sums == total:
            if totals and total not in known:
                read = evidence.read(table, row, totals[0], metric, period, cells[totals[0]])
                evidence.note_total(read)
            if not known or total in known:
                # Of other periods the ways may say different things.
                found[tuple(cells[place].value for place, _ in own)] = cells
    if len(found) != 1:
        if totals and ways and len(found) == 0:
            sums = sum(ways[0][0][place].value for place, _ in segments)
            evidence.remarks.append(
                f"table {table.number}: row {row.label.printed!r} adds up to "
                f"{sums / table.head.scale:,}, its total is {ways[0][0][totals[0]].text}; left out"
            )
        return
    cells = next(iter(found.values()))
    for place, slot in segments if metric in structure.adds_up_to else ():
        segment = _of_column(evidence, structure, slot)
        assert segment is not None
        read = Print(table, metric, period, cells[place], slot.column_words,
                     evidence.locator(table, row, place))  # fmt: skip
        evidence.add(segment, read)
    evidence.counts["rows add up to the consolidated figure"] += 1
    if totals:
        evidence.add(None, evidence.read(table, row, totals[0], metric, period, cells[totals[0]]))


def _of_column(evidence: Evidence, structure: Structure, slot: Slot) -> Segment | None:
    assert slot.column is not None
    return evidence.vocabulary.segment_in(structure.structure, slot.column.printed, None)
