"""Writes a contract down as expectations of Great Expectations, by their names there.

Plain data: Great Expectations takes seconds to import, and is only needed once there are rows to
judge (``expectations``). A batch that ``screening`` finds no suspicious row in has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from orchestration.contracts import PROVENANCE, Column, Contract
from orchestration.quality.report import Severity
from orchestration.registry import Registry

UNIQUE = "expect_column_values_to_be_unique"
UNIQUE_TOGETHER = "expect_compound_columns_to_be_unique"
NOT_NULL = "expect_column_values_to_not_be_null"
IN_SET = "expect_column_values_to_be_in_set"
MATCHES = "expect_column_values_to_match_regex"
BETWEEN = "expect_column_values_to_be_between"
PAIR_IN_ORDER = "expect_column_pair_values_a_to_be_greater_than_b"


@dataclass(frozen=True)
class Planned:
    """An expectation with the check it belongs to and what it says in plain words.

    ``kind`` and ``arguments`` (columns, bounds and sets) are named as in Great Expectations.
    """

    kind: str
    arguments: Mapping[str, Any]
    check: str
    column: str
    words: str
    severity: Severity = "critical"

    @property
    def is_rule(self) -> bool:
        """Whether a rule of the contract decides; it is named by ``check``."""
        return self.columns == (rule_column(self.check),)

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
                PAIR_IN_ORDER,
                {
                    "column_A": c.larger,
                    "column_B": c.smaller,
                    "or_equal": c.or_equal,
                    "ignore_row_if": "either_value_is_missing",
                },
                "values",
                c.larger,
                f"is at least {c.smaller}",
            )
            for c in contract.comparisons
        ),
        *(
            Planned(
                IN_SET,
                {"column": rule_column(rule.name), "value_set": [True]},
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
        yield Planned(UNIQUE, {"column": contract.key[0]}, "keys", contract.key[0], words)
    else:
        listed = {"column_list": list(contract.key)}
        yield Planned(UNIQUE_TOGETHER, listed, "keys", ", ".join(contract.key), words)
    for name in contract.key:
        yield Planned(NOT_NULL, {"column": name}, "keys", name, "is never empty")


def _values(column: Column, in_key: bool, registry: Registry, today: date) -> Iterator[Planned]:
    name = column.name

    def expected(kind: str, words: str, **arguments: Any) -> Planned:
        return Planned(kind, {"column": name, **arguments}, "values", name, words)

    if not column.nullable and not in_key:
        yield expected(NOT_NULL, "is never empty")
    if column.allowed:
        yield expected(
            IN_SET, f"is one of {', '.join(column.allowed)}", value_set=list(column.allowed)
        )
    if column.pattern:
        yield expected(MATCHES, f"matches {column.pattern}", regex=column.pattern)
    if column.minimum is not None or column.maximum is not None:
        yield expected(
            BETWEEN,
            _range_words(column),
            min_value=column.minimum,
            max_value=column.maximum,
            strict_min=column.strict_minimum,
        )
    if column.not_in_future:
        midnight = datetime(today.year, today.month, today.day)
        yield expected(BETWEEN, f"is not after {today}", max_value=midnight)
    if column.references:
        reference = column.references
        keys = sorted(registry.keys(reference.registry, reference.key))
        words = f"is in the registry's {reference.registry}"
        if reference.separator:
            yield expected(MATCHES, words, regex=_listed(keys, reference.separator))
        else:
            yield expected(IN_SET, words, value_set=keys)


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
