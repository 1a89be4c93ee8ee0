"""What a document says, once read: rows of landing datasets, and what was checked on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


class DocumentRefused(ValueError):
    """A document was not read, or not rightly: nothing of it may land.

    The message names the file, the table and the label or figure.
    """


@dataclass(frozen=True)
class Figure:
    """One figure of a document: a row of ``segment_result``, or of ``company_result``.

    ``segment_key`` is ``None`` for a consolidated figure. ``value`` and ``printed_step`` are in
    ``unit`` (one, thousand, million, billion) of ``currency``; ``locator`` says where it stands.
    """

    segment_key: str | None
    label_printed: str | None
    metric: str
    period_start: date
    period_end: date
    period_type: str
    value: Decimal
    unit: str
    currency: str
    column_role: str
    printed_step: Decimal
    locator: str
    note: str | None = None


@dataclass(frozen=True)
class Statement:
    """One stated count or percentage: a row of ``kpi``. ``value`` is in the unit of its entry."""

    kpi: str
    as_of: date
    value: Decimal
    qualifier: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Check:
    """One thing that was checked while reading: how many cells it was asked of, and what it saw."""

    name: str
    checked: int
    observed: str


@dataclass(frozen=True)
class Reading:
    """A document that was read whole. ``kind`` and ``period_end`` make its ``document_id``."""

    company_key: str
    kind: str
    period_end: date
    reported_on: date | None
    title: str
    figures: tuple[Figure, ...]
    statements: tuple[Statement, ...] = ()
    checks: tuple[Check, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    @property
    def document_id(self) -> str:
        """The id the document has, unless one with another accession number has it already."""
        return f"{self.company_key}.{self.kind}.{self.period_end}"
