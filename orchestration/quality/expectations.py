"""Makes a Great Expectations suite from a contract and runs it.

The only module that knows Great Expectations; it takes seconds to import, so it is imported when
a batch is checked and not before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from orchestration.contracts import PROVENANCE, Column, Contract
from orchestration.quality.report import SHOWN_ROWS, Severity
from orchestration.registry import Registry

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import great_expectations.expectations as gxe

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@dataclass(frozen=True)
class Planned:
    """An expectation with the check it belongs to and what it says in plain words."""

    expectation: Expectation
    check: str
    column: str
    words: str
    severity: Severity = "critical"

    @property
    def is_rule(self) -> bool:
        """Whether a rule of the contract decides; it is named by ``check``."""
        return self.columns == (rule_column(self.check),)

    @property
    def kind(self) -> str:
        """Type of the expectation, as Great Expectations names it."""
        return str(self.expectation.configuration.type)

    @property
    def arguments(self) -> dict[str, Any]:
        """Columns, bounds and sets of the expectation, as Great Expectations names them."""
        return dict(self.expectation.configuration.kwargs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the expectation looks at."""
        listed = self.arguments.get("column_list") or (
            self.arguments.get(name) for name in ("column", "column_A", "column_B")
        )
        return tuple(name for name in listed if name is not None)


@dataclass(frozen=True)
class Result:
    """Whether an expectation was met, how many rows broke it, and the labels of the first."""

    passed: bool
    failing: int
    first_rows: tuple[int, ...]


def rule_column(rule: str) -> str:
    """Name of the helper column that says whether a row keeps a rule."""
    return f"keeps {rule}"


def suite(contract: Contract, registry: Registry, today: date) -> list[Planned]:
    """Return every expectation that the contract states."""
    carried = [column for column in PROVENANCE if column.name in contract.batch_schema.names]
    return [
        *_keys(contract),
        *(
            planned
            for column in (*contract.columns, *carried)
            for planned in _values(column, column.name in contract.key, registry, today)
        ),
        *(
            Planned(
                gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                    column_A=c.larger,
                    column_B=c.smaller,
                    or_equal=c.or_equal,
                    ignore_row_if="either_value_is_missing",
                ),
                "values",
                c.larger,
                f"is at least {c.smaller}",
            )
            for c in contract.comparisons
        ),
        *(
            Planned(
                gxe.ExpectColumnValuesToBeInSet(column=rule_column(rule.name), value_set=[True]),
                rule.name,
                "(row)",
                rule.description,
                rule.severity,
            )
            for rule in contract.rules
        ),
    ]


def _keys(contract: Contract) -> Iterator[Planned]:
    words = f"no key ({', '.join(contract.key)}) stands twice"
    if len(contract.key) == 1:
        unique = gxe.ExpectColumnValuesToBeUnique(column=contract.key[0])
    else:
        unique = gxe.ExpectCompoundColumnsToBeUnique(column_list=list(contract.key))
    yield Planned(unique, "keys", ", ".join(contract.key), words)
    for name in contract.key:
        yield Planned(
            gxe.ExpectColumnValuesToNotBeNull(column=name), "keys", name, "is never empty"
        )


def _values(column: Column, in_key: bool, registry: Registry, today: date) -> Iterator[Planned]:
    name = column.name
    if not column.nullable and not in_key:
        yield Planned(
            gxe.ExpectColumnValuesToNotBeNull(column=name), "values", name, "is never empty"
        )
    if column.allowed:
        yield Planned(
            gxe.ExpectColumnValuesToBeInSet(column=name, value_set=list(column.allowed)),
            "values",
            name,
            f"is one of {', '.join(column.allowed)}",
        )
    if column.pattern:
        yield Planned(
            gxe.ExpectColumnValuesToMatchRegex(column=name, regex=column.pattern),
            "values",
            name,
            f"matches {column.pattern}",
        )
    if column.minimum is not None or column.maximum is not None:
        yield Planned(
            gxe.ExpectColumnValuesToBeBetween(
                column=name,
                min_value=column.minimum,
                max_value=column.maximum,
                strict_min=column.strict_minimum,
            ),
            "values",
            name,
            _range_words(column),
        )
    if column.not_in_future:
        yield Planned(
            gxe.ExpectColumnValuesToBeBetween(
                column=name, max_value=datetime(today.year, today.month, today.day)
            ),
            "values",
            name,
            f"is not after {today}",
        )
    if column.references:
        reference = column.references
        keys = sorted(registry.keys(reference.registry, reference.key))
        expectation = (
            gxe.ExpectColumnValuesToMatchRegex(
                column=name, regex=_listed(keys, reference.separator)
            )
            if reference.separator
            else gxe.ExpectColumnValuesToBeInSet(column=name, value_set=keys)
        )
        yield Planned(expectation, "values", name, f"is in the registry's {reference.registry}")


def _range_words(column: Column) -> str:
    bounds = []
    if column.minimum is not None:
        bounds.append(f"{'more than' if column.strict_minimum else 'at least'} {column.minimum:g}")
    if column.maximum is not None:
        bounds.append(f"at most {column.maximum:g}")
    return f"is {' and '.join(bounds)}"


def _listed(keys: Sequence[str], separator: str) -> str:
    one = f"(?:{'|'.join(map(re.escape, keys))})"
    return f"^{one}(?:{re.escape(separator)}{one})*$"


@cache
def _context() -> Any:
    """One ephemeral context a process: it writes nothing and asks nobody."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def validate(
    dataset: str, frame: pd.DataFrame, planned: Sequence[Planned]
) -> Iterator[tuple[Planned, Result]]:
    """Run a suite on a frame; yields each expectation with its result.

    Great Expectations lists every failing row, so a long frame is given to it in pieces where an
    expectation looks at one row at a time.
    """
    whole = [plan for plan in planned if plan.kind in _ACROSS_ROWS]
    by_row = [plan for plan in planned if plan.kind not in _ACROSS_ROWS]
    results: dict[int, Result] = {}
    if len(frame) <= _PIECE:
        pieces = [(frame, list(planned))]
    else:
        starts = range(0, len(frame), _PIECE)
        pieces = [(frame.iloc[at : at + _PIECE], by_row) for at in starts] + [(frame, whole)]
    for piece, plans in pieces:
        for plan, found in zip(plans, _validated(dataset, piece, plans), strict=True):
            before = results.get(id(plan), Result(True, 0, ()))
            results[id(plan)] = Result(
                before.passed and found.passed,
                before.failing + found.failing,
                (*before.first_rows, *found.first_rows)[:SHOWN_ROWS],
            )
    yield from ((plan, results[id(plan)]) for plan in planned)


#: Rows of one piece.
_PIECE = 1_000_000
#: Expectations that look at several rows at once.
_ACROSS_ROWS = frozenset(
    {"expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"}
)


def _validated(dataset: str, frame: pd.DataFrame, planned: Sequence[Planned]) -> Iterator[Result]:
    if not planned:
        return
    source = _context().data_sources.add_or_update_pandas(dataset)
    definition = source.add_dataframe_asset("batch").add_batch_definition_whole_dataframe("whole")
    batch = definition.get_batch({"dataframe": frame})
    outcome = batch.validate(
        gx.ExpectationSuite(name=dataset, expectations=[p.expectation for p in planned]),
        result_format={"result_format": "COMPLETE"},
    )
    for plan, result in zip(planned, _in_order(planned, outcome.results), strict=True):
        if _raised(result.exception_info or {}):
            raise RuntimeError(f"{dataset}: {plan.column}: {plan.words}: {result.exception_info}")
        failing = result.result.get("unexpected_index_list") or []
        yield Result(bool(result.success), len(failing), tuple(map(int, failing[:SHOWN_ROWS])))


def _raised(info: dict[str, Any]) -> bool:
    """Whether an expectation could not be evaluated: that is our fault, never a verdict."""
    return bool(info.get("raised_exception")) or any(
        isinstance(part, dict) and part.get("raised_exception") for part in info.values()
    )


def _in_order(planned: Sequence[Planned], results: Sequence[Any]) -> Iterator[Any]:
    """Great Expectations returns results grouped by column; bring them back into our order."""
    by_id = {}
    for result in results:
        config = result.expectation_config
        by_id[config.type, _frozen(config.kwargs)] = result
    for plan in planned:
        config = plan.expectation.configuration
        yield by_id[config.type, _frozen(config.kwargs)]


def _frozen(kwargs: dict[str, Any]) -> str:
    return repr(sorted((k, v) for k, v in kwargs.items() if k not in ("batch_id",)))
