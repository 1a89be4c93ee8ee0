"""A batch as a DuckDB table, for conditions on its rows; ``screening`` says what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from types import TracebackType

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.contracts import Contract
from orchestration.landing.store import strictly_ascending
from orchestration.quality.frames import checked_table

#: SQL that is true of a row of ``batch``; null counts as true.
Condition = str


class Screen:
    """One batch as the DuckDB table ``batch``, and what conditions on its rows share.

    Conditions name a column by :meth:`column`, a value by :meth:`given`, and see what belongs to a
    row elsewhere by :meth:`join`.
    """

    def __init__(self, contract: Contract, batch: pa.Table) -> None:
        self.contract = contract
        self.batch = checked_table(batch)
        self.connection = duckdb.connect()
        self.connection.register("batch", self.batch)
        self._given = 0
        self._joins: dict[str, str] = {}

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.connection.close()

    def given(self, value: object) -> str:
        """Return the SQL of a value: a variable of the connection, whatever it holds."""
        self._given += 1
        self.connection.execute(f"set variable given_{self._given} = $value", {"value": value})
        return f"getvariable('given_{self._given}')"

    def column(self, name: str) -> str:
        """Return the SQL of a column; raises ``KeyError`` for one that the batch has not."""
        self.batch.schema.field(name)
        return f'batch."{name}"'

    def missing(self, name: str) -> Condition:
        """Return the condition that a cell is empty as pandas sees it: null, or not a number."""
        column = self.column(name)
        if pa.types.is_floating(self.batch.schema.field(name).type):
            return f"({column} is null or isnan({column}))"
        return f"({column} is null)"

    def join(self, name: str, table: pa.Table, on: Condition) -> None:
        """Give every row of the batch the one row of a table that belongs to it, or nulls."""
        if name not in self._joins:
            self.connection.register(name, table)
            self._joins[name] = f"left join {name} on {on}"

    @cached_property
    def in_key_order(self) -> bool:
        """Whether every key is greater than the one before it; then none stands twice."""
        return strictly_ascending(self.batch, self.contract.key)

    def counts(self, conditions: Sequence[Condition]) -> list[int]:
        """Return of how many rows each condition is true, in one pass over the batch."""
        if not conditions:
            return []
        counted = ", ".join(f"count(*) filter (where coalesce({c}, true))" for c in conditions)
        query = f"select {counted} from batch {self.joined()}"  # noqa: S608
        return list(self.connection.sql(query).fetchall()[0])

    def positions(self, condition: Condition) -> pa.Array:
        """Return the positions of the rows of which a condition is true, ascending."""
        places = pa.array(np.arange(self.batch.num_rows))
        self.connection.register("placed", self.batch.append_column("place in batch", places))
        query = (
            f'select batch."place in batch" as place from placed as batch {self.joined()} '  # noqa: S608
            f"where coalesce({condition}, true) order by place"
        )
        return self.connection.sql(query).to_arrow_table()["place"].combine_chunks()

    def joined(self) -> str:
        """Return the joins that conditions rely on, to stand after ``batch``."""
        return " ".join(self._joins.values())
