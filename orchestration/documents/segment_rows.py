"""Tables whose rows are segments: read if their rows add up, refused if they cannot.

A block of rows is taken for one structure of the issuer and one metric, by the one way to read its
rows that makes every column add up to the consolidated figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from orchestration.documents.alignment import Amounts, Cell, align
from orchestration.documents.evidence import Evidence
from orchestration.documents.headers import Period
from orchestration.documents.reading import DocumentRefused
from orchestration.documents.tables import Block, Line, Row, solutions
from orchestration.registry.entries import Segment, Structure

#: Combinations of readings of one table that are tried.
_MAX_COMBINATIONS = 20_000
#: The total of each column, by its place among the amounts; a column without is not asked.
Totals = Mapping[int, Decimal]


def read_block(evidence: Evidence, block: Block) -> None:
    """Believe the figures of a block that adds up; pass over one that is of something else.

    Raises:
        DocumentRefused: when it is a table of segments and contradicts itself or the rest of the
            release, or has a row that the registry does not know.
    """
    if len(block.lines) > 1:
        _Reader(evidence, block).read()
    elif block.lines and block.unknown:
        _Reader(evidence, block).refuse_unknown_parts()


class _Reader:
    """Reads one block."""

    def __init__(self, evidence: Evidence, block: Block) -> None:
        self.evidence, self.block, self.table = evidence, block, block.table
        self.own = evidence.own_columns(block.table)
        self.contradicted: str | None = None
        #: Of each line the ways to read it in which its US$ column agrees.
        self.rows = {id(line): self._agreeing(line) for line in block.lines}
        self.structures = [s for s in evidence.structures() if self._knows_all(s)]

    def read(self) -> None:
        if not self.structures:
            return
        candidates = self._totals()
        if not candidates:
            self._refuse_contradicted_total()
            return
        for metric, total in candidates:
            structure = max(self.structures, key=lambda s: metric in s.adds_up_to)
            parts = self._parts(structure)
            found = self._solutions([self.rows[id(line)] for line in parts], total)
            if len(found) != 1:
                continue
            if metric not in structure.adds_up_to:
                self._note_total(metric, total)
                return
            if self.block.unknown:
                raise DocumentRefused(self._unknown_label(structure))
            if self.contradicted:
                raise DocumentRefused(f"{self.evidence.name}: {self.contradicted}")
            self._accept(metric, structure, dict(zip(map(id, parts), found[0], strict=True)), total)
            return
        self._refuse_if_it_should_add_up(*candidates[0])

    def refuse_unknown_parts(self) -> None:
        """Refuse a table of one known row if it adds up with the rows that nobody knows.

        Short of that it may be a table of anything.
        """
        head = self.table.head
        amounts = len(head.amounts)
        unknown = [
            replace(row, ways=tuple(align(row.run, amounts, len(head.slots) - amounts, head.scale)))
            for row in self.block.unknown
        ]
        rows = [*(self.rows[id(line)] for line in self.block.lines), *unknown]
        for structure in self.structures:
            for metric, total in self._totals():
                if metric in structure.adds_up_to and self._solutions(rows, total):
                    raise DocumentRefused(self._unknown_label(structure))

    # What the rows and totals are

    def _agreeing(self, line: Line) -> Row:
        row = line.row
        ways = self.evidence.agreeing(self.table, row.ways)
        parted = self.evidence.agreeing(self.table, row.parted_ways)
        if not ways and not parted and row.ways:
            self.contradicted = self.contradicted or (
                f"table {self.table.number}, row {row.label.printed!r}: its US$ column is not the "
                f"{self.evidence.currency} column at the stated rate "
                f"{', '.join(map(str, self.evidence.rates))}: "
                + " ".join(cell.text for cell in row.ways[0][0])
            )
            ways = list(row.ways)
        return replace(row, ways=tuple(ways), parted_ways=tuple(parted))

    def _segment(self, structure: Structure, line: Line) -> Segment | None:
        name = line.row.label.name
        assert name is not None  # a line is of a segment
        return self.evidence.vocabulary.segment_in(structure.structure, name.printed, line.heading)

    def _knows_all(self, structure: Structure) -> bool:
        return all(self._segment(structure, line) is not None for line in self.block.lines)

    def _parts(self, structure: Structure) -> list[Line]:
        """Return the lines that the total is the sum of."""
        of_lines = ((line, self._segment(structure, line)) for line in self.block.lines)
        return [line for line, segment in of_lines if segment and segment.breakdown != "subline"]

    def _totals(self) -> list[tuple[str, Totals]]:
        """Return what the block may have to add up to: metric and the total of each column.

        The total that the block prints counts, if it is not contradicted by what the release
        prints elsewhere; a block without one has the consolidated figures of the release.
        """
        totals, block = self.evidence.totals, self.block
        metrics = [block.metric] if block.metric else sorted({metric for metric, _ in totals})
        found: list[tuple[str, Totals]] = []
        for metric in metrics:
            if block.total is not None:
                every = (*block.total.ways, *block.total.parted_ways)
                ways = self.evidence.agreeing(self.table, every)
                for cells in {tuple(c.value for c in way[0]): way[0] for way in ways}.values():
                    total = {place: cells[place].value for place, _ in self.own}
                    if all(self._agrees(metric, s.period, total[p]) for p, s in self.own):
                        found.append((metric, total))
            else:
                known = {
                    place: next(iter(values))
                    for place, slot in self.own
                    if slot.period and len(values := totals.get((metric, slot.period), {})) == 1
                }
                if len(known) == len(self.own):
                    found.append((metric, known))
        return found

    def _agrees(self, metric: str, period: Period | None, value: Decimal) -> bool:
        """Whether the release prints no other total; where it prints none, a name must do."""
        known = self.evidence.totals.get((metric, period)) if period else None
        return known.keys() == {value} if known else self.block.metric is not None

    def _solutions(self, rows: Sequence[Row], total: Totals) -> list[tuple[Amounts, ...]]:
        places = range(len(self.table.head.amounts))
        return solutions(rows, [total.get(place) for place in places], _MAX_COMBINATIONS)

    # What is believed

    def _note_total(self, metric: str, total: Totals) -> None:
        """Note what segments add up to in a metric that the registry does not want by segment."""
        if self.block.total is None:
            return
        for place, slot in self.own:
            if slot.period is not None:
                cell = Cell(total[place], self.table.head.scale, "")
                self.evidence.note_total(
                    self.evidence.read(
                        self.table, self.block.total, place, metric, slot.period, cell
                    )
                )

    def _accept(
        self, metric: str, structure: Structure, cells: Mapping[int, Amounts], total: Totals
    ) -> None:
        evidence = self.evidence
        by_key: dict[str, Amounts] = {}
        for line in self._parts(structure):
            segment = self._segment(structure, line)
            assert segment is not None  # a part is of a segment
            by_key[segment.segment_key] = cells[id(line)]
            self._accept_row(line.row, segment, metric, cells[id(line)])
        evidence.counts["rows add up to the consolidated figure"] += len(self.own)
        pairs = evidence.dollar_pairs(self.table)
        if evidence.rates and pairs:
            evidence.counts["US$ column at the stated rate"] += len(cells) * len(pairs)
        if self.block.total is not None:
            for place, slot in self.own:
                assert slot.period is not None  # rows are read under a whole head
                cell = Cell(total[place], max(row[place].step for row in cells.values()), "")
                evidence.add(
                    None,
                    evidence.read(self.table, self.block.total, place, metric, slot.period, cell),
                )
        self._accept_sublines(metric, structure, by_key)

    def _accept_row(self, row: Row, segment: Segment, metric: str, amounts: Amounts) -> None:
        other = self.evidence.other_growth(self.table, row, amounts)
        if other:
            raise DocumentRefused(f"{self.evidence.name}: {other}")
        if row.percents and self.table.head.growth is not None:
            self.evidence.counts["printed growth is that of the amounts"] += 1
        self.evidence.add_row(self.table, row, segment, metric, amounts)

    def _accept_sublines(
        self, metric: str, structure: Structure, parents: Mapping[str, Amounts]
    ) -> None:
        """Believe the parts of segments that add up to their segment."""
        by_parent: dict[str, list[tuple[Segment, Line]]] = {}
        for line in self.block.lines:
            segment = self._segment(structure, line)
            parent_key = segment.parent_segment_key if segment else None
            if segment and parent_key and parent_key in parents:
                by_parent.setdefault(parent_key, []).append((segment, line))
        for parent, children in by_parent.items():
            wanted = {place: parents[parent][place].value for place, _ in self.own}
            rows = [self.rows[id(line)] for _, line in children]
            found = self._solutions(rows, wanted)
            if not found:
                # A sum whose own parts are not printed is a part itself.
                whole = self._solutions([*rows, *self.block.subtotals], wanted)
                found = [amounts[: len(rows)] for amounts in whole]
            if len(found) == 1:
                for (segment, line), amounts in zip(children, found[0], strict=True):
                    self._accept_row(line.row, segment, metric, amounts)
                self.evidence.counts["parts add up to their segment"] += len(self.own)
            elif _is_clean(rows):
                raise DocumentRefused(
                    f"{self.evidence.name}: table {self.table.number}: "
                    f"{', '.join(row.printed for row in rows)} do not add up to {parent}: "
                    + " ".join(cell.text for cell in parents[parent])
                )
            else:
                self.evidence.remarks.append(
                    f"table {self.table.number}: the parts of {parent} cannot be read; left out"
                )

    # What is refused

    def _refuse_contradicted_total(self) -> None:
        metric = self.block.metric
        if self.block.total is None or not any(metric in s.adds_up_to for s in self.structures):
            return
        for way in self.block.total.ways:
            for place, slot in self.own:
                assert slot.period is not None  # rows are read under a whole head
                known = self.evidence.totals.get((str(metric), slot.period))
                if known and known.keys() != {way[0][place].value}:
                    raise DocumentRefused(
                        f"{self.evidence.name}: table {self.table.number}: its total of {metric} "
                        f"for the {slot.period.type} to {slot.period.end} is "
                        f"{way[0][place].text}, elsewhere in the document it is "
                        f"{', '.join(f'{value:,}' for value in known)}"
                    )

    def _refuse_if_it_should_add_up(self, metric: str, total: Totals) -> None:
        """Refuse the release for a table that has all it needs and does not add up."""
        if self.block.total is None or self.block.metric is None:
            return
        if self.block.unknown:
            raise DocumentRefused(self._unknown_label(self.structures[0]))
        wanted = [s for s in self.structures if metric in s.adds_up_to]
        if not wanted:
            return
        rows = [self.rows[id(line)] for line in self._parts(wanted[0])]
        if not _is_clean(rows):
            self.evidence.remarks.append(
                f"table {self.table.number}: a row cannot be read; left out"
            )
            return
        place, slot = self.own[-1]
        assert slot.period is not None  # rows are read under a whole head
        head = self.table.head
        sums = sum((row.ways[0][0][place].value for row in rows), Decimal(0))
        raise DocumentRefused(
            f"{self.evidence.name}: table {self.table.number}: the rows of {metric} for the "
            f"{slot.period.type} to {slot.period.end} add up to {sums / head.scale:,}, its total "
            f"is {total[place] / head.scale:,} {head.unit}"
        )

    def _unknown_label(self, structure: Structure) -> str:
        words = " ".join(self.block.unknown[0].label.printed.split())
        label = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
        key = f"{structure.company_key}.{structure.structure}.{label}"
        nearest = self.evidence.vocabulary.nearest(words)
        return (
            f"{self.evidence.name}: table {self.table.number} has a row {words!r} that the "
            f"registry does not know. Nearest names: {', '.join(nearest) or 'none'}. If it is one "
            "of them, add it to the aliases of its line in segments.csv; if it is new, add the "
            f"line\n  {key},{structure.company_key},{structure.structure},"
            f'"{words}",{structure.breakdown},,<business_line>,no,\n'
            "  or, if it is a sum or an aside, add it to printed_names.csv"
        )


def _is_clean(rows: Iterable[Row]) -> bool:
    """Whether rows can be read in one way: if they do not add up, they do not."""
    return all(len(row.ways) == 1 and not row.parted_ways for row in rows)
