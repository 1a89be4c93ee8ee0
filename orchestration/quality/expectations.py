"""Runs Great Expectations.

The only module that knows it; it takes seconds to import, so this one is imported when there are
rows to judge and not before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pandas as pd

from orchestration.quality.report import SHOWN_ROWS
from orchestration.quality.suite import UNIQUE, UNIQUE_TOGETHER, Planned, Result

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration


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
_ACROSS_ROWS = frozenset({UNIQUE, UNIQUE_TOGETHER})


def _validated(dataset: str, frame: pd.DataFrame, planned: Sequence[Planned]) -> Iterator[Result]:
    if not planned:
        return
    source = _context().data_sources.add_or_update_pandas(dataset)
    definition = source.add_dataframe_asset("batch").add_batch_definition_whole_dataframe("whole")
    batch = definition.get_batch({"dataframe": frame})
    expectations = [
        ExpectationConfiguration(type=plan.kind, kwargs=dict(plan.arguments)).to_domain_obj()
        for plan in planned
    ]
    outcome = batch.validate(
        gx.ExpectationSuite(name=dataset, expectations=expectations),
        result_format={"result_format": "COMPLETE"},
    )
    asked = [expectation.configuration for expectation in expectations]
    for plan, result in zip(planned, _in_order(asked, outcome.results), strict=True):
        if _raised(result.exception_info or {}):
            raise RuntimeError(f"{dataset}: {plan.column}: {plan.words}: {result.exception_info}")
        failing = result.result.get("unexpected_index_list") or []
        yield Result(bool(result.success), len(failing), tuple(map(int, failing[:SHOWN_ROWS])))


def _raised(info: dict[str, Any]) -> bool:
    """Whether an expectation could not be evaluated: that is our fault, never a verdict."""
    return bool(info.get("raised_exception")) or any(
        isinstance(part, dict) and part.get("raised_exception") for part in info.values()
    )


def _in_order(asked: Sequence[ExpectationConfiguration], results: Sequence[Any]) -> Iterator[Any]:
    """Great Expectations returns results grouped by column; bring them back into our order."""
    by_id = {_identity(result.expectation_config): result for result in results}
    yield from (by_id[_identity(configuration)] for configuration in asked)


def _identity(configuration: ExpectationConfiguration) -> tuple[str, str]:
    given = ((k, v) for k, v in configuration.kwargs.items() if k != "batch_id")
    return configuration.type, repr(sorted(given))
