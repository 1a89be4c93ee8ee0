"""Reads the registry files and refuses a wrong entry with file, line and field."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa
from pydantic import ValidationError

from orchestration.registry.entries import (
    Claim,
    Company,
    Comparison,
    Entry,
    Exchange,
    FreshnessLimit,
    Kpi,
    LostSession,
    MacroSeries,
    MetricEntry,
    PrintedName,
    Security,
    Segment,
    ShareSplit,
    StatedFigure,
    Structure,
    XbrlConcept,
    XbrlMember,
)

DATA = Path(__file__).parent / "data"
COMPANY_TOTAL = "company:"

#: File name -> schema of its lines and the columns of its key.
FILES: dict[str, tuple[type[Entry], tuple[str, ...]]] = {
    "companies": (Company, ("company_key",)),
    "exchanges": (Exchange, ("exchange_mic",)),
    "lost_sessions": (LostSession, ("exchange_mic", "session_date")),
    "securities": (Security, ("security_key",)),
    "share_splits": (ShareSplit, ("company_key", "effective_on")),
    "structures": (Structure, ("company_key", "structure")),
    "segments": (Segment, ("segment_key",)),
    "metrics": (MetricEntry, ("metric",)),
    "kpis": (Kpi, ("kpi",)),
    "xbrl_concepts": (XbrlConcept, ("measure", "key", "taxonomy", "concept")),
    "xbrl_members": (XbrlMember, ("company_key", "axis", "member", "beside", "segment_key")),
    "macro_series": (MacroSeries, ("series_id",)),
    "comparisons": (Comparison, ("comparison", "company_key", "structure")),
    "claims": (Claim, ("claim_id",)),
    "freshness_limits": (FreshnessLimit, ("dataset",)),
    "printed_names": (PrintedName, ("company_key", "role", "key")),
    "stated_figures": (StatedFigure, ("company_key", "measure", "key", "template")),
}

E_ = TypeVar("E_", bound=Entry)


class RegistryError(ValueError):
    """Wrong registry entries; each problem names file, line, field and value."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("the registry has wrong entries:\n  " + "\n  ".join(self.problems))


@dataclass(frozen=True)
class _Line:
    """An entry and where it stands."""

    file: str
    number: int
    entry: Entry

    def problem(self, field: str, reason: str) -> str:
        cell = self.entry.row().get(field)
        return f"{self.file}.csv:{self.number}: {field}: {cell!r} {reason}"


class Registry:
    """All registry files, validated one by one and against each other."""

    def __init__(self, lines: dict[str, list[_Line]]) -> None:
        self._lines = lines

    def entries(self, kind: type[E_]) -> tuple[E_, ...]:
        """Return all entries of one kind, in the order of their file."""
        file = next(name for name, (schema, _) in FILES.items() if schema is kind)
        return tuple(cast("E_", line.entry) for line in self._lines[file])

    def keys(self, file: str, field: str) -> frozenset[str]:
        """Return the values of a field over a file, the domain of a contract's reference."""
        return frozenset(str(getattr(line.entry, field)) for line in self._lines[file])

    def tables(self) -> dict[str, pa.Table]:
        """Return every file as an Arrow table, comparisons one row per segment, for dbt to read."""
        tables = {
            file: _table(file, (line.entry.row() for line in lines))
            for file, lines in self._lines.items()
        }
        tables["comparison_segments"] = _table(
            "comparison_segments",
            (
                {
                    "comparison": comparison.comparison,
                    "company_key": comparison.company_key,
                    "structure": comparison.structure,
                    "segment_key": None if key.startswith(COMPANY_TOTAL) else key,
                    "in_share": comparison.in_share,
                    "note": comparison.note,
                }
                for comparison in self.entries(Comparison)
                for key in comparison.segment_keys
            ),
        )
        return tables


_SCHEMAS: dict[str, dict[str, pa.DataType]] = {
    # Only the columns that are not text.
    "companies": {"cik": pa.int64(), "fiscal_year_end_month": pa.int32()},
    "securities": {
        "ordinary_shares_per_unit": pa.int32(),
        "dividends_recorded_after": pa.date32(),
    },
    "share_splits": {"effective_on": pa.date32(), "new_shares_per_old": pa.float64()},
    "structures": {"first_reported_period": pa.date32(), "last_reported_period": pa.date32()},
    "segments": {"required": pa.bool_()},
    "metrics": {"gaap": pa.bool_()},
    "comparisons": {"in_share": pa.bool_()},
    "comparison_segments": {"in_share": pa.bool_()},
    "claims": {"threshold": pa.float64(), "observations": pa.int32()},
    "freshness_limits": {"warn_after_days": pa.int32(), "error_after_days": pa.int32()},
    "lost_sessions": {"session_date": pa.date32()},
    "xbrl_concepts": {"priority": pa.int32()},
}


def _table(file: str, rows: Iterable[dict[str, Any]]) -> pa.Table:
    rows = list(rows)
    typed = _SCHEMAS.get(file, {})
    schema = pa.schema([(name, typed.get(name, pa.string())) for name in rows[0]])
    return pa.Table.from_pylist(rows, schema=schema)


def load_registry(folder: Path = DATA) -> Registry:
    """Read and validate every registry file of ``folder``.

    Raises:
        RegistryError: naming file, line and field of every wrong entry.
        FileNotFoundError: when a file is missing.
    """
    return _load(folder)


@cache
def _load(folder: Path) -> Registry:
    problems: list[str] = []
    lines = {file: list(_read(folder, file, problems)) for file in FILES}
    if not problems:
        for check in _CHECKS:
            problems.extend(check(lines))
    if problems:
        raise RegistryError(problems)
    return Registry(lines)


def _read(folder: Path, file: str, problems: list[str]) -> Iterator[_Line]:
    schema, key = FILES[file]
    with (folder / f"{file}.csv").open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream, restkey="(too many cells)")
        for cells in reader:
            filled = {name: cell for name, cell in cells.items() if cell not in ("", None)}
            try:
                yield _Line(file, reader.line_num, schema.model_validate(filled))
            except ValidationError as error:
                problems.extend(
                    f"{file}.csv:{reader.line_num}: {'.'.join(map(str, detail['loc'])) or key[0]}: "
                    f"{cells.get(str(detail['loc'][0]) if detail['loc'] else key[0])!r} "
                    f"{detail['msg']}"
                    for detail in error.errors()
                )


# Checks of one file against itself or another. Each yields problems.

_Lines = dict[str, list[_Line]]


def _duplicate_keys(lines: _Lines) -> Iterator[str]:
    for file, (_, key) in FILES.items():
        seen: dict[tuple[object, ...], int] = {}
        for line in lines[file]:
            values = tuple(getattr(line.entry, name) for name in key)
            if values in seen:
                yield line.problem(key[-1], f"repeats the key of line {seen[values]}: {values}")
            seen.setdefault(values, line.number)


#: (file, field) -> (file, field) that must know it. Empty cells are not looked up.
_REFERENCES: dict[tuple[str, str], tuple[str, str]] = {
    ("securities", "exchange_mic"): ("exchanges", "exchange_mic"),
    ("securities", "company_key"): ("companies", "company_key"),
    ("exchanges", "market_benchmark"): ("securities", "security_key"),
    ("share_splits", "company_key"): ("companies", "company_key"),
    ("lost_sessions", "exchange_mic"): ("exchanges", "exchange_mic"),
    ("structures", "company_key"): ("companies", "company_key"),
    ("structures", "adds_up_to"): ("metrics", "metric"),
    ("segments", "parent_segment_key"): ("segments", "segment_key"),
    ("macro_series", "official_yoy_series"): ("macro_series", "series_id"),
    ("comparisons", "company_key"): ("companies", "company_key"),
    ("printed_names", "company_key"): ("companies", "company_key"),
    ("printed_names", "key"): ("metrics", "metric"),
    ("stated_figures", "company_key"): ("companies", "company_key"),
    ("xbrl_concepts", "except_company_keys"): ("companies", "company_key"),
    ("xbrl_members", "company_key"): ("companies", "company_key"),
    ("xbrl_members", "segment_key"): ("segments", "segment_key"),
}


def _unknown_references(lines: _Lines) -> Iterator[str]:
    for (file, field), (target, target_field) in _REFERENCES.items():
        known = {getattr(line.entry, target_field) for line in lines[target]}
        for line in lines[file]:
            cell = getattr(line.entry, field)
            for value in cell if isinstance(cell, tuple) else (cell,):
                if value is not None and value not in known:
                    yield line.problem(field, f"is not in {target}.csv")


def _calendars_unknown(lines: _Lines) -> Iterator[str]:
    from exchange_calendars import get_calendar_names

    known = set(get_calendar_names(include_aliases=True))
    for line in lines["exchanges"]:
        if cast("Exchange", line.entry).calendar not in known:
            yield line.problem("calendar", "is not a calendar of exchange_calendars")


def _benchmarks_of_other_sessions(lines: _Lines) -> Iterator[str]:
    """A benchmark is one by its role, and holds the sessions of the exchange it stands for."""
    calendars = {
        entry.exchange_mic: entry.calendar
        for entry in (cast("Exchange", line.entry) for line in lines["exchanges"])
    }
    securities = {
        entry.security_key: entry
        for entry in (cast("Security", line.entry) for line in lines["securities"])
    }
    for line in lines["exchanges"]:
        exchange = cast("Exchange", line.entry)
        benchmark = securities.get(exchange.market_benchmark)
        if benchmark is None:
            continue
        if benchmark.role != "benchmark":
            yield line.problem("market_benchmark", "is no benchmark in securities.csv")
        if calendars.get(benchmark.exchange_mic) != exchange.calendar:
            yield line.problem("market_benchmark", "keeps the sessions of another calendar")


def _segments_without_structure(lines: _Lines) -> Iterator[str]:
    structures = {
        (entry.company_key, entry.structure): entry
        for entry in (cast("Structure", line.entry) for line in lines["structures"])
    }
    for line in lines["segments"]:
        segment = cast("Segment", line.entry)
        structure = structures.get((segment.company_key, segment.structure))
        if structure is None:
            yield line.problem("structure", "is no structure of this company in structures.csv")
        elif segment.breakdown not in (structure.breakdown, "subline"):
            yield line.problem("breakdown", f"is not that of its structure, {structure.breakdown}")
        if not segment.segment_key.startswith(f"{segment.company_key}.{segment.structure}."):
            yield line.problem("segment_key", "is not <company>.<structure>.<label>")
        if (segment.parent_segment_key is None) == (segment.breakdown == "subline"):
            yield line.problem("parent_segment_key", "must be given for a subline and only there")


def _overlapping_structures(lines: _Lines) -> Iterator[str]:
    """Structures that add up follow one another; extracts that do not may stand side by side."""
    last: dict[tuple[str, str], Structure] = {}
    ordered = sorted(
        (line for line in lines["structures"] if cast("Structure", line.entry).adds_up_to),
        key=lambda line: cast("Structure", line.entry).first_reported_period,
    )
    for line in ordered:
        structure = cast("Structure", line.entry)
        until = structure.last_reported_period
        if until is not None and until < structure.first_reported_period:
            yield line.problem("last_reported_period", "is before first_reported_period")
        before = last.get((structure.company_key, structure.breakdown))
        if before is not None and (
            before.last_reported_period is None
            or before.last_reported_period >= structure.first_reported_period
        ):
            yield line.problem(
                "first_reported_period",
                f"overlaps the reported periods of {before.structure}, "
                f"{before.first_reported_period} to {before.last_reported_period or 'today'}",
            )
        last[structure.company_key, structure.breakdown] = structure


def _comparisons_of_other_segments(lines: _Lines) -> Iterator[str]:
    segments = {
        entry.segment_key: entry
        for entry in (cast("Segment", line.entry) for line in lines["segments"])
    }
    for line in lines["comparisons"]:
        comparison = cast("Comparison", line.entry)
        for key in comparison.segment_keys:
            if key == f"{COMPANY_TOTAL}{comparison.company_key}":
                continue
            segment = segments.get(key)
            if segment is None:
                yield line.problem("segment_keys", f"{key} is not in segments.csv")
            elif (segment.company_key, segment.structure) != (
                comparison.company_key,
                comparison.structure,
            ):
                yield line.problem("segment_keys", f"{key} is of another company or structure")


def _live_series_half_given(lines: _Lines) -> Iterator[str]:
    for line in lines["macro_series"]:
        series = cast("MacroSeries", line.entry)
        if (series.live_upstream is None) != (series.live_series is None):
            yield line.problem("live_series", "must be given together with live_upstream")
        if (series.yoy_source == "official series") != (series.official_yoy_series is not None):
            yield line.problem("official_yoy_series", "must be given for an official series only")


def _measures_of_nothing(lines: _Lines) -> Iterator[str]:
    known = {
        "metric": {cast("MetricEntry", line.entry).metric for line in lines["metrics"]},
        "kpi": {cast("Kpi", line.entry).kpi for line in lines["kpis"]},
    }
    for line in (*lines["xbrl_concepts"], *lines["stated_figures"]):
        entry = cast("XbrlConcept | StatedFigure", line.entry)
        if entry.key not in known[entry.measure]:
            yield line.problem("key", f"is not in {entry.measure}s.csv")


def _members_of_nothing(lines: _Lines) -> Iterator[str]:
    seen: set[tuple[str | None, str, str, str | None, str]] = set()
    for line in lines["xbrl_members"]:
        member = cast("XbrlMember", line.entry)
        if (member.segment_key is None) == (member.use == "segment"):
            yield line.problem("segment_key", "must be given for a segment and only there")
        if (member.reason is None) == (member.use == "left out"):
            yield line.problem("reason", "must be given for what is left out and only there")
        if member.segment_key is not None:
            company_key, structure, _ = member.segment_key.split(".")
            if company_key != member.company_key:
                yield line.problem("segment_key", "is of another company")
            place = (company_key, member.axis, member.member, member.beside, structure)
            if place in seen:
                yield line.problem("segment_key", "is a second segment of one structure")
            seen.add(place)


def _limits_out_of_order(lines: _Lines) -> Iterator[str]:
    for line in lines["freshness_limits"]:
        limit = cast("FreshnessLimit", line.entry)
        if limit.error_after_days <= limit.warn_after_days:
            yield line.problem("error_after_days", "must be more than warn_after_days")


_CHECKS: tuple[Callable[[_Lines], Iterator[str]], ...] = (
    _duplicate_keys,
    _unknown_references,
    _calendars_unknown,
    _benchmarks_of_other_sessions,
    _segments_without_structure,
    _overlapping_structures,
    _comparisons_of_other_segments,
    _live_series_half_given,
    _measures_of_nothing,
    _members_of_nothing,
    _limits_out_of_order,
)
