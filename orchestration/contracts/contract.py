"""The vocabulary in which a dataset contract is written.

Nothing here knows a dataset; nothing here checks anything. Types are Arrow types, because Arrow is
what DuckDB, Spark, pandas and Parquet agree on (Great Expectations cannot see a type through
pandas 3 strings).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from orchestration.contracts.precedence import SOURCE_RANK

STRING = pa.string()
DATE = pa.date32()
FLOAT = pa.float64()
TIMESTAMP_UTC = pa.timestamp("us", tz="UTC")
#: Money and counts as printed: exact, wide enough for trillions in units of one.
AMOUNT = pa.decimal128(24, 6)


@dataclass(frozen=True)
class Reference:
    """A column whose values must be keys of a registry file.

    ``separator`` splits a cell that lists several keys.
    """

    registry: str
    key: str
    separator: str | None = None


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, meaning and the values it may hold.

    ``minimum`` and ``maximum`` are inclusive unless ``strict_minimum`` is set. ``unit`` says what
    one counts in, where the column itself fixes it.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = False
    unit: str | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    strict_minimum: bool = False
    references: Reference | None = None
    not_in_future: bool = False


@dataclass(frozen=True)
class Comparison:
    """In every row where both are present, ``larger`` is at least ``smaller``."""

    larger: str
    smaller: str
    or_equal: bool = True


@dataclass(frozen=True)
class RowRule:
    """A rule that needs more than one row, column or registry entry.

    ``name`` is looked up in ``orchestration.quality.rules``; ``severity`` ``warning`` flags rows
    and lets the batch land, ``critical`` sends the whole batch to quarantine.
    """

    name: str
    severity: Literal["critical", "warning"]
    description: str


@dataclass(frozen=True)
class Contract:
    """One landing dataset.

    ``key`` is the grain: no batch holds the same key twice, and of all batches the best and newest
    assertion of a key counts. ``observed_on`` is the date column that freshness is measured by.
    """

    dataset: str
    group: Literal["market", "segments", "macro", "reference"]
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    observed_on: str
    comparisons: tuple[Comparison, ...] = ()
    rules: tuple[RowRule, ...] = ()
    known_flaws: str = ""
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {column.name: column for column in self.columns}
        unknown = {*self.key, self.observed_on} - by_name.keys()
        if len(by_name) != len(self.columns) or unknown:
            raise ValueError(f"contract {self.dataset}: repeated or unknown columns {unknown}")
        object.__setattr__(self, "_by_name", by_name)

    def column(self, name: str) -> Column:
        """Return the column of that name; raises ``KeyError`` for an unknown one."""
        return self._by_name[name]

    @property
    def batch_schema(self) -> pa.Schema:
        """Arrow schema of a batch as extracted: the data columns, ``source`` and ``source_url``."""
        columns = (*self.columns, *(c for c in PROVENANCE if c.name in ("source", "source_url")))
        return _schema(columns)

    @property
    def landed_schema(self) -> pa.Schema:
        """Arrow schema of a landed Parquet file: the data columns and all provenance."""
        return _schema((*self.columns, *PROVENANCE))


#: Carried by every landed row, after the data columns.
PROVENANCE: tuple[Column, ...] = (
    Column("batch_id", STRING, "Content hash of the batch the row landed in."),
    Column(
        "source",
        STRING,
        "Where the row came from; decides which of two assertions counts.",
        allowed=tuple(SOURCE_RANK),
    ),
    Column("source_url", STRING, "Address of the document or page the row was taken from."),
    Column("ingested_at", TIMESTAMP_UTC, "When the batch landed.", unit="UTC"),
)


def _schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in columns])
