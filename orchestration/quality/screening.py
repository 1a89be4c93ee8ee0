"""Finds the rows of a large batch that may break an expectation, with DuckDB over the Arrow table.

Great Expectations looks at pandas: minutes and gigabytes for millions of rows that are well. So an
expectation that can be said in SQL is said there first, as a condition that holds for every row
that may break it; the verdict stays with Great Expectations and the rules, on those rows alone. A
condition may hold for too many rows, never for too few, and where a row is judged by its
neighbours it holds for all of them: every row of a key that stands twice, every row of a ticker.

What belongs here: the SQL of the expectation types that contracts use. That of the rules is in
``rule_screens``. An expectation without SQL is checked on all rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.contracts import Contract
from orchestration.quality.rule_screens import RuleScreens
from orchestration.quality.rules import RuleContext
from orchestration.quality.screen import NO_ROW, Condition, Screen
from orchestration.quality.suite import (
    BETWEEN,
    IN_SET,
    MATCHES,
    NOT_NULL,
    PAIR_IN_ORDER,
    UNIQUE,
    UNIQUE_TOGETHER,
    Planned,
)

#: A regular expression that DuckDB's engine may match where Python's does not: its classes are of
#: ASCII, so their complements are wider. Narrower is right, a row too many is looked at again.
_WIDER_IN_DUCKDB = re.compile(r"\\[DWSB]|\[\^|\(\?[^:]")


def suspects(
    contract: Contract, batch: pa.Table, suite: Sequence[Planned], context: RuleContext
) -> Iterator[tuple[list[Planned], pa.Array | None]]:
    """Yield expectations with the positions of the rows that may break them; ``None`` for all."""
    with Screen(contract, batch) as screen:
        rules = RuleScreens(screen, context)
        conditions = [(plan, condition(screen, plan, rules)) for plan in suite]
        unscreened = [plan for plan, sql in conditions if sql is None]
        if unscreened:
            yield unscreened, None
        screened = [(plan, sql) for plan, sql in conditions if sql is not None]
        counts = screen.counts([sql for _, sql in screened])
        met = [plan for (plan, _), count in zip(screened, counts, strict=True) if not count]
        yield met, pa.array([], pa.int64())
        together: dict[Condition, list[Planned]] = {}
        by_few = []
        for (plan, sql), count in zip(screened, counts, strict=True):
            if count and count <= _FEW and not plan.is_rule:
                by_few.append((plan, sql))
            elif count:
                together.setdefault(sql, []).append(plan)
        if by_few:
            either = " or ".join(f"coalesce({sql}, true)" for _, sql in by_few)
            yield [plan for plan, _ in by_few], screen.positions(f"({either})")
        for sql, plans in together.items():
            yield plans, screen.positions(sql)


#: Failing rows so few that those of several expectations are looked at in one go. Rules are not:
#: some would take rows that others need for gaps of their own.
_FEW = 100_000


def condition(screen: Screen, plan: Planned, rules: RuleScreens) -> Condition | None:
    """Return when a row may break an expectation; ``None`` where there is no SQL for it."""
    if plan.is_rule:
        return rules.condition(plan.check)
    form = FORMS.get(plan.kind)
    unknown = plan.arguments.keys() - _ARGUMENTS.get(plan.kind, frozenset())
    return None if form is None or unknown else form(screen, plan.arguments)


def _null(screen: Screen, arguments: Mapping[str, Any]) -> Condition | None:
    return screen.missing(arguments["column"])


def _out_of_set(screen: Screen, arguments: Mapping[str, Any]) -> Condition | None:
    name, allowed = arguments["column"], arguments["value_set"]
    is_text = pa.types.is_string(screen.batch.schema.field(name).type)
    if not is_text or not allowed or not all(isinstance(value, str) for value in allowed):
        return None
    values = screen.given(list(allowed))
    return screen.among_distinct(
        [name], f'seen."{name}" is not null and seen."{name}" not in (select unnest({values}))'
    )


def _no_match(screen: Screen, arguments: Mapping[str, Any]) -> Condition | None:
    name, pattern = arguments["column"], arguments["regex"]
    is_text = pa.types.is_string(screen.batch.schema.field(name).type)
    if not is_text or _WIDER_IN_DUCKDB.search(pattern):
        return None
    given = screen.given(pattern)
    try:
        screen.connection.sql(f"select regexp_matches('', {given})").fetchall()
    except duckdb.Error:
        return None
    return screen.among_distinct(
        [name], f'seen."{name}" is not null and not regexp_matches(seen."{name}", {given})'
    )


def _out_of_range(screen: Screen, arguments: Mapping[str, Any]) -> Condition | None:
    name = arguments["column"]
    kept = []
    for bound, sign, strict in (("min_value", ">", "strict_min"), ("max_value", "<", "strict_max")):
        value = arguments.get(bound)
        if value is None:
            continue
        of_day = pa.types.is_date(screen.batch.schema.field(name).type)
        if of_day != isinstance(value, datetime) or (of_day and value.time() != time.min):
            return None
        operator = sign if arguments.get(strict) else f"{sign}="
        given = screen.given(value.date() if of_day else value)
        kept.append(f"{screen.column(name)} {operator} {given}")
    return f"not {screen.missing(name)} and not ({' and '.join(kept)})"


def _pair_out_of_order(screen: Screen, arguments: Mapping[str, Any]) -> Condition | None:
    larger, smaller = arguments["column_A"], arguments["column_B"]
    if arguments.get("ignore_row_if") != "either_value_is_missing":
        return None
    operator = ">=" if arguments.get("or_equal") else ">"
    return (
        f"not {screen.missing(larger)} and not {screen.missing(smaller)} "
        f"and not {screen.column(larger)} {operator} {screen.column(smaller)}"
    )


def _repeated(screen: Screen, arguments: Mapping[str, Any]) -> Condition | None:
    names = arguments.get("column_list") or [arguments["column"]]
    if any(pa.types.is_floating(screen.batch.schema.field(name).type) for name in names):
        return None
    if set(screen.contract.key) <= set(names) and screen.in_key_order:
        return NO_ROW
    columns = ", ".join(f'"{name}"' for name in names)
    table = f"repeated {', '.join(names)}"
    screen.connection.execute(
        f'create or replace temp table "{table}" as '  # noqa: S608
        f"select {columns} from batch group by {columns} having count(*) > 1"
    )
    same = " and ".join(f'r."{n}" is not distinct from {screen.column(n)}' for n in names)
    return f'exists (select 1 from "{table}" as r where {same})'  # noqa: S608


FORMS: dict[str, Callable[[Screen, Mapping[str, Any]], Condition | None]] = {
    NOT_NULL: _null,
    IN_SET: _out_of_set,
    MATCHES: _no_match,
    BETWEEN: _out_of_range,
    PAIR_IN_ORDER: _pair_out_of_order,
    UNIQUE: _repeated,
    UNIQUE_TOGETHER: _repeated,
}
#: The arguments that a form honours: an expectation that has another is not screened.
_ARGUMENTS: dict[str, frozenset[str]] = {
    NOT_NULL: frozenset({"column"}),
    IN_SET: frozenset({"column", "value_set"}),
    MATCHES: frozenset({"column", "regex"}),
    BETWEEN: frozenset({"column", "min_value", "max_value", "strict_min", "strict_max"}),
    PAIR_IN_ORDER: frozenset({"column_A", "column_B", "or_equal", "ignore_row_if"}),
    UNIQUE: frozenset({"column"}),
    UNIQUE_TOGETHER: frozenset({"column_list"}),
}
