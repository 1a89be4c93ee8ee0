"""Checks a batch against its contract with Great Expectations.

Columns and types are checked by the Arrow schema of the contract (Great Expectations sees neither
an Arrow type nor a pandas string rightly), everything else by an expectation suite made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from orchestration.contracts import Contract
from orchestration.quality.frames import checked_frame
from orchestration.quality.report import SHOWN_ROWS, CheckOutcome, GuardReport
from orchestration.quality.rules import RULES, RuleContext
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
    """

    registry: Registry
    landed: Callable[[str], pa.Table]
    today: date

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
        from orchestration.quality import expectations

        frame = checked_frame(batch)
        context = RuleContext(self.registry, self.landed, self.today)
        details = {}
        for rule in contract.rules:
            failing, details[rule.name] = RULES[rule.name](frame, context)
            frame[expectations.rule_column(rule.name)] = ~failing.astype(bool)
        suite = expectations.suite(contract, self.registry, self.today)
        for planned, result in expectations.validate(contract.dataset, frame, suite):
            rows = pa.array(result.failing_rows[:SHOWN_ROWS], pa.int64())
            yield CheckOutcome(
                check=planned.check,
                expectation=planned.words,
                column=planned.column,
                severity=planned.severity,
                passed=result.passed,
                failing=len(result.failing_rows),
                failing_rows=tuple(_plain(row) for row in batch.take(rows).to_pylist()),
                detail=details.get(planned.check, "") if not result.passed else "",
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


def _typed(series: pd.Series[Any], expected: pa.DataType) -> pa.Array:
    array = pa.Array.from_pandas(series)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.type == expected or pa.types.is_null(array.type):
        return array.cast(expected)
    lossless = (
        (pa.types.is_integer(array.type) and not pa.types.is_string(expected))
        or (pa.types.is_large_string(array.type) and pa.types.is_string(expected))
        or (pa.types.is_decimal(array.type) and pa.types.is_decimal(expected))
        or (pa.types.is_timestamp(array.type) and pa.types.is_date(expected))
        or (pa.types.is_floating(array.type) and pa.types.is_floating(expected))
    )
    if not lossless:
        raise pa.ArrowTypeError(f"is {array.type}, first value {series.iloc[0]!r}")
    return array.cast(expected, safe=True)


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
