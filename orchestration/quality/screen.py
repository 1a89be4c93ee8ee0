"""A batch as a DuckDB table, for conditions on its rows; ``screening`` says what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from types import TracebackType

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.contracts import Contract
from orchestration.landing.store import strictly_ascending
from orchestration.quality.frames import checked_table

#: SQL that is true of a row of ``batch``; null counts as true.
Condition = str

#: The condition that is true of no row.
NO_ROW: Condition = "false"


class Screen:
    """One batch as the DuckDB table ``batch``, and what conditions on its rows share.

    Conditions name a column by :meth:`column` and a value by :meth:`given`.
    """

    def __init__(self, contract: Contract, batch: pa.Table) -> None:
        self.contract = contract
        self.batch = checked_table(batch)
        self.connection = duckdb.connect()
        self.connection.register("batch", self.batch)
        self._given = 0
        self._failing = 0
        self._placed = False
        self._coded: dict[str, tuple[pa.Array, pa.ChunkedArray]] = {}

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
        return f"({column} is null)" if self.batch[name].null_count else NO_ROW

    def coded(self, name: str) -> tuple[pa.Array, pa.ChunkedArray]:
        """Return the distinct values of a text column, and by row the place of its value there."""
        if name not in self._coded:
            column = self.batch[name].dictionary_encode().unify_dictionaries()
            indices = [chunk.indices for chunk in column.chunks]
            self._coded[name] = column.chunk(0).dictionary, pa.chunked_array(indices, pa.int32())
        return self._coded[name]

    def among_distinct(self, names: Sequence[str], fails: Condition) -> Condition:
        """Return that a row's cells are among those that fail, each combination looked at once.

        ``names`` are text columns; ``fails`` is said of ``seen``, their distinct combinations.
        """
        self.connection.register("seen", pa.table(self._distinct(names), names=list(names)))
        self._failing += 1
        failing = f"failing_{self._failing}"
        self.connection.execute(
            f"create temp table {failing} as from seen where coalesce({fails}, true)"
        )
        if not self.connection.sql(f"select 1 from {failing} limit 1").fetchall():  # noqa: S608
            return NO_ROW
        same = " and ".join(f'f."{n}" is not distinct from {self.column(n)}' for n in names)
        return f"exists (select 1 from {failing} as f where {same})"  # noqa: S608

    def _distinct(self, names: Sequence[str]) -> list[pa.Array]:
        if len(names) == 1:
            return [pc.unique(self.batch[names[0]])]
        values, codes = zip(*map(self.coded, names), strict=True)
        places = [str(place) for place in range(len(names))]
        self.connection.register("codes", pa.table(list(codes), names=places))
        combined = self.connection.sql("select distinct * from codes").to_arrow_table()
        return [v.take(combined[place]) for v, place in zip(values, places, strict=True)]

    @cached_property
    def in_key_order(self) -> bool:
        """Whether every key is greater than the one before it; then none stands twice."""
        return strictly_ascending(self.batch, self.contract.key)

    def counts(self, conditions: Sequence[Condition]) -> list[int]:
        """Return of how many rows each condition is true, in one pass over the batch."""
        if set(conditions) <= {NO_ROW}:
            return [0] * len(conditions)
        counted = ", ".join(f"count(*) filter (where coalesce({c}, true))" for c in conditions)
        return list(self.connection.sql(f"select {counted} from batch").fetchall()[0])  # noqa: S608

    def positions(self, condition: Condition) -> pa.Array:
        """Return the positions of the rows of which a condition is true, ascending."""
        self._place_rows()
        query = (
            'select batch."place in batch" as place from placed as batch '  # noqa: S608
            f"where coalesce({condition}, true) order by place"
        )
        return self.connection.sql(query).to_arrow_table()["place"].combine_chunks()

    def _place_rows(self) -> None:
        if not self._placed:
            places = pa.array(np.arange(self.batch.num_rows))
            self.connection.register("placed", self.batch.append_column("place in batch", places))
            self._placed = True
