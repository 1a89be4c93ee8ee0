"""Checks a batch against its contract with Great Expectations.

Columns and types are checked by the Arrow schema of the contract (Great Expectations sees neither
an Arrow type nor a pandas string rightly), everything else by an expectation suite made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.contracts import Contract
from orchestration.quality.frames import checked_frame
from orchestration.quality.report import CheckOutcome, GuardReport
from orchestration.quality.rules import COLUMNS, RULES, RuleContext
from orchestration.quality.suite import Planned, Result, rule_column, suite
from orchestration.registry import Registry


class SchemaMismatch(ValueError):
    """A frame that is no batch of its contract; ``outcomes`` says why."""

    def __init__(self, outcomes: tuple[CheckOutcome, ...]) -> None:
        self.outcomes = outcomes
        super().__init__("; ".join(outcome.line() for outcome in outcomes))


@dataclass(frozen=True)
class Guard:
    """Checks batches, knowing the registry, the day and what has landed before.

    ``landed`` gives the rows of a dataset that have landed, for rules that look beyond the batch.
    A batch of more than ``looked_at_whole`` rows is screened in DuckDB first, with the same report.
    """

    registry: Registry
    landed: Callable[[str], pa.Table]
    today: date
    looked_at_whole: int = 5_000

    def check(self, contract: Contract, frame: pd.DataFrame) -> tuple[pa.Table | None, GuardReport]:
        """Check one batch; return it as an Arrow table unless its columns or types are wrong."""
        try:
            batch = conform(contract, frame)
        except SchemaMismatch as mismatch:
            sources = frame["source"].astype(str) if "source" in frame else ["?"]
            return None, _report(contract, sources, len(frame), mismatch.outcomes)
        return batch, self.judge(contract, batch)

    def judge(self, contract: Contract, batch: pa.Table) -> GuardReport:
        """Check the content of a batch whose columns and types are right."""
        outcomes = (_schema_outcome(), *self._expect(contract, batch))
        sources = map(str, batch["source"].unique().to_pylist())
        return _report(contract, sources, batch.num_rows, outcomes)

    def _expect(self, contract: Contract, batch: pa.Table) -> Iterator[CheckOutcome]:
        plans = suite(contract, self.registry, self.today)
        context = RuleContext(self.registry, self.landed, self.today)
        found: dict[int, CheckOutcome] = {}
        for planned, rows in self._looked_at(contract, batch, plans, context):
            for plan, outcome in _judged(contract, batch, planned, rows, context):
                found[id(plan)] = outcome
        yield from (found[id(plan)] for plan in plans)

    def _looked_at(
        self, contract: Contract, batch: pa.Table, plans: list[Planned], context: RuleContext
    ) -> Iterator[tuple[list[Planned], pa.Array | None]]:
        """Yield expectations with the positions of the rows to judge them by; ``None`` for all."""
        if batch.num_rows <= self.looked_at_whole:
            yield plans, None
            return
        from orchestration.quality.screening import suspects

        yield from suspects(contract, batch, plans, context)


def _judged(
    contract: Contract,
    batch: pa.Table,
    planned: Sequence[Planned],
    rows: pa.Array | None,
    context: RuleContext,
) -> Iterator[tuple[Planned, CheckOutcome]]:
    """Judge expectations by some rows of a batch, or by all of them."""
    if rows is not None and len(rows) == 0:
        yield from ((plan, _outcome(plan, Result(True, 0, ()), (), "")) for plan in planned)
        return
    from orchestration.quality.expectations import validate

    frame = _frame(contract, batch, planned, rows)
    details = {}
    for plan in planned:
        if plan.is_rule:
            failing, details[plan.check] = RULES[plan.check](frame, context)
            frame[rule_column(plan.check)] = ~failing.astype(bool)
    # Great Expectations hashes all that it is given.
    given = frame[list(dict.fromkeys(name for plan in planned for name in plan.columns))]
    for plan, result in validate(contract.dataset, given, planned):
        shown = batch.take(pa.array(result.first_rows, pa.int64())).to_pylist()
        yield plan, _outcome(plan, result, map(_plain, shown), details.get(plan.check, ""))


def _frame(
    contract: Contract, batch: pa.Table, planned: Sequence[Planned], rows: pa.Array | None
) -> pd.DataFrame:
    """Return what expectations look at as a frame, each row labelled by its place in the batch."""
    every = [column.name for column in contract.columns]
    names = {
        name
        for plan in planned
        for name in (COLUMNS.get(plan.check, every) if plan.is_rule else plan.columns)
    }
    looked_at = batch.select([name for name in batch.column_names if name in names])
    if rows is None:
        return checked_frame(looked_at)
    frame = checked_frame(looked_at.take(rows))
    frame.index = pd.Index(rows.to_numpy())
    return frame


def _outcome(
    plan: Planned, result: Result, rows: Iterable[dict[str, Any]], detail: str
) -> CheckOutcome:
    return CheckOutcome(
        check=plan.check,
        expectation=plan.words,
        column=plan.column,
        severity=plan.severity,
        passed=result.passed,
        failing=result.failing,
        failing_rows=tuple(rows),
        detail=detail if not result.passed else "",
    )


def conform(contract: Contract, frame: pd.DataFrame) -> pa.Table:
    """Return the frame as an Arrow table of the contract's batch schema, columns in its order.

    Nothing is converted but what loses nothing: an integer column may serve as float, text never
    serves as a date.

    Raises:
        SchemaMismatch: for a missing, extra or wrongly typed column, or a frame without rows.
    """
    schema = contract.batch_schema
    problems = [
        _schema_outcome(name, "is a column of the contract", "missing")
        for name in schema.names
        if name not in frame.columns
    ]
    problems += [
        _schema_outcome(str(name), "is no column of the contract", "unexpected")
        for name in frame.columns
        if name not in schema.names
    ]
    if frame.empty:
        problems.append(_schema_outcome("(batch)", "has rows", "empty batch"))
    if problems:
        raise SchemaMismatch(tuple(problems))
    arrays = []
    for field in schema:
        try:
            arrays.append(_typed(frame[field.name], field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            problems.append(_schema_outcome(field.name, f"is of type {field.type}", str(error)))
    if problems:
        raise SchemaMismatch(tuple(problems))
    # Nullability is an expectation, not a type: a null must be reported with its row.
    return pa.table(arrays, names=schema.names)


def _typed(series: pd.Series[Any], expected: pa.DataType) -> pa.Array | pa.ChunkedArray:
    array = pa.Array.from_pandas(series)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.type == expected or pa.types.is_null(array.type):
        return array.cast(expected)
    lossless = (
        (pa.types.is_integer(array.type) and _is_number(expected))
        or (pa.types.is_large_string(array.type) and pa.types.is_string(expected))
        or (pa.types.is_decimal(array.type) and pa.types.is_decimal(expected))
        or (pa.types.is_timestamp(array.type) and pa.types.is_date(expected))
        or (pa.types.is_floating(array.type) and pa.types.is_floating(expected))
    )
    if not lossless:
        raise pa.ArrowTypeError(f"is {array.type}, first value {series.iloc[0]!r}")
    if pa.types.is_large_string(array.type) and array.nbytes > _LONGEST_TEXT:
        # Text of more than 2 GiB in a column does not fit one array of 32-bit offsets.
        places = np.arange(len(array))
        pieces = (places[at : at + _PIECE] for at in range(0, len(array), _PIECE))
        return pa.chunked_array([array.take(pa.array(p)).cast(expected) for p in pieces])
    if pa.types.is_timestamp(array.type):
        return _days(array)
    return array.cast(expected, safe=True)


def _is_number(expected: pa.DataType) -> bool:
    return bool(pa.types.is_floating(expected) or pa.types.is_decimal(expected))


def _days(timestamps: pa.Array) -> pa.Array:
    """Return timestamps as the days that they are; one within a day is none."""
    if timestamps.type.tz is not None:
        raise pa.ArrowTypeError(f"is {timestamps.type}: which day that is depends on the time zone")
    days = timestamps.cast(pa.date32())
    within = pc.fill_null(pc.not_equal(days.cast(timestamps.type), timestamps), False)
    if pc.any(within).as_py():
        first = timestamps.filter(within)[0].as_py()
        raise pa.ArrowInvalid(f"has a time of day, first {first}")
    return days


_LONGEST_TEXT = 2**31 - 1
#: Rows of one array of a longer text, at up to 2 kB each.
_PIECE = 1_000_000


def _report(
    contract: Contract, sources: Iterable[str], rows: int, outcomes: tuple[CheckOutcome, ...]
) -> GuardReport:
    source = ", ".join(sorted(set(sources)))
    return GuardReport(contract.dataset, source, rows, datetime.now(UTC), outcomes)


def _schema_outcome(
    column: str = "(all)",
    expectation: str = "columns and types are the contract's",
    detail: str = "",
) -> CheckOutcome:
    return CheckOutcome("schema", expectation, column, "critical", not detail, detail=detail)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: str(cell) if cell is not None else None for name, cell in row.items()}
