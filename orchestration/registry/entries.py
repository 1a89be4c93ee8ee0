"""Schema of one line in each registry file.

Fields keep the columns' names. An empty cell is ``None``; a field that may not be empty has no
default, so a missing source or currency is refused by its own field.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_FISCAL_YEAR_END = re.compile(rf"^(?:\d{{1,2}}|last Sunday of) ({'|'.join(MONTHS)})$")


def _split(separator: str | None) -> BeforeValidator:
    def split(cell: object) -> object:
        return (
            tuple(part.strip() for part in cell.split(separator)) if isinstance(cell, str) else ()
        )

    return BeforeValidator(split)


Key = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
SegmentKey = Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Text = Annotated[str, Field(min_length=1)]
Words = Annotated[tuple[Text, ...], _split(None)]
Listed = Annotated[tuple[Text, ...], _split("|")]
YesNo = Annotated[bool, BeforeValidator({"yes": True, "no": False}.get)]


class Entry(BaseModel):
    """One line of a registry file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def row(self) -> dict[str, Any]:
        """The entry as plain columns; lists joined by ``|``."""
        return {
            name: "|".join(cell) if isinstance(cell, tuple) else cell
            for name, cell in self.model_dump().items()
        }


class Company(Entry):
    """A company whose figures are kept. Key: ``company_key``."""

    company_key: Key
    name: Text
    cik: int | None = Field(None, gt=0)
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    reporting_currency: Currency
    fiscal_year_end: Annotated[str, Field(pattern=_FISCAL_YEAR_END.pattern)]
    peer_group: Literal["subject", "commerce", "cloud", "chips"]
    results_source: Text

    @property
    def fiscal_year_end_month(self) -> int:
        """The month in which the fiscal year ends, from 1 to 12."""
        month = _FISCAL_YEAR_END.match(self.fiscal_year_end)
        assert month is not None  # the pattern has been checked
        return MONTHS.index(month[1]) + 1

    def row(self) -> dict[str, Any]:
        """The columns, and the month in which the fiscal year ends."""
        return super().row() | {"fiscal_year_end_month": self.fiscal_year_end_month}


class Exchange(Entry):
    """An exchange and the exchange_calendars calendar whose sessions it keeps. Key: MIC.

    ``market_benchmark`` stands for the market as a whole where a security listed on the exchange
    is held against it (market model of event studies).
    """

    exchange_mic: Annotated[str, Field(pattern=r"^[A-Z]{4}$")]
    name: Text
    calendar: Text
    market_benchmark: Text
    source: Text


class LostSession(Entry):
    """A session that the calendar lists but that was not held. Key: MIC and date."""

    exchange_mic: Text
    session_date: date
    reason: Text
    source: Text


class Security(Entry):
    """A listed security, index or fund. Key: ``security_key``, its Yahoo ticker."""

    security_key: Annotated[str, Field(pattern=r"^\^?[A-Z0-9.\-=]+$")]
    company_key: Key | None = None
    name: Text
    exchange_mic: Text
    currency: Currency
    security_type: Literal["ads", "adr", "ordinary", "common", "etf", "index"]
    ordinary_shares_per_unit: int | None = Field(None, gt=0)
    role: Literal["subject", "peer", "benchmark"]
    dividends_recorded_after: date | None = None


class ShareSplit(Entry):
    """A split of a company's ordinary shares, whatever became of its ADSs. Key: company and day.

    A count dated before ``effective_on`` is in old shares. Splits of a listed security are
    corporate actions; this file holds what those leave out or what is not landed.
    """

    company_key: Key
    effective_on: date
    new_shares_per_old: float = Field(gt=0)
    note: str | None = None
    source: Text


class Structure(Entry):
    """A set of segments or revenue lines that adds up on its own. Key: company and structure."""

    company_key: Key
    structure: Key
    name: Text
    breakdown: Literal["segment", "revenue_line"]
    adds_up_to: Words = ()
    first_reported_period: date
    last_reported_period: date | None = None

    def is_reported_at(self, day: date) -> bool:
        """Whether the company reports under it in the period that ends on a day."""
        last = self.last_reported_period or date.max
        return self.first_reported_period <= day <= last


class Segment(Entry):
    """A segment, revenue line or part of one, within its structure. Key: ``segment_key``."""

    segment_key: SegmentKey
    company_key: Key
    structure: Key
    name: Text
    breakdown: Literal["segment", "revenue_line", "subline"]
    parent_segment_key: SegmentKey | None = None
    business_line: Key
    required: YesNo
    aliases: Listed = ()


class MetricEntry(Entry):
    """What a result row measures. Key: ``metric``."""

    metric: Key
    measure: Literal["money"]
    nature: Literal["flow", "stock"]
    gaap: YesNo
    definition: Text


class Kpi(Entry):
    """A stated count or percentage. Key: ``kpi``."""

    kpi: Key
    unit: Text
    definition: Text


class XbrlConcept(Entry):
    """The XBRL concept that a metric or indicator is tagged with in filings.

    Key: measure, key, taxonomy, concept. Of several concepts in one document the one with the
    lowest ``priority`` counts. ``except_company_keys``: companies that mean something else by it.
    """

    measure: Literal["metric", "kpi"]
    key: Key
    taxonomy: Literal["us-gaap", "ifrs-full", "dei"]
    concept: Annotated[str, Field(pattern=r"^[A-Za-z]+$")]
    priority: int = Field(gt=0)
    except_company_keys: Listed = ()
    source: Text


class XbrlMember(Entry):
    """What a member of an XBRL axis stands for when a fact carries it.

    Key: company, axis, member, ``beside`` and segment. ``company_key`` empty: of every company
    that says nothing else. ``member`` ``*``: every member of the axis that has no line of its own.
    ``beside``: a second dimension, ``axis=member``, that the fact must carry too. ``use``:
    ``segment`` (several lines: the segment whose structure is reported in the document's period),
    ``qualifier`` (says how a figure was consolidated and not what it is of, so it is passed over)
    or ``left out`` for the ``reason`` given.
    """

    company_key: Key | None = None
    axis: Annotated[str, Field(pattern=r"^[a-z0-9-]+:[A-Za-z0-9]+$")]
    member: Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9_.-]+)$")]
    beside: str | None = Field(None, pattern=r"^[a-z0-9-]+:[A-Za-z0-9]+=[A-Za-z0-9_.-]+$")
    use: Literal["segment", "qualifier", "left out"]
    segment_key: SegmentKey | None = None
    reason: str | None = None
    source: Text


class MacroSeries(Entry):
    """A macroeconomic series. Key: ``series_id``."""

    series_id: Annotated[str, Field(pattern=r"^[A-Z0-9._]+$")]
    name: Text
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    unit: Text
    frequency: Literal["daily", "monthly", "quarterly", "annual"]
    yoy_source: Literal["official series", "computed", "is a growth rate", "none"]
    official_yoy_series: str | None = None
    live_upstream: Literal["fred", "worldbank"] | None = None
    live_series: str | None = None
    source: Text
    note: str | None = None


class Comparison(Entry):
    """What stands for "cloud" or "commerce" at a company under a structure.

    ``segment_keys`` holds segments to add up, or ``company:<key>`` for the company's total.
    """

    comparison: Key
    company_key: Key
    structure: Key | None = None
    segment_keys: Listed
    in_share: YesNo
    note: str | None = None


class Claim(Entry):
    """A claim of the investment case and the rule that decides it. Key: ``claim_id``.

    Judged are the newest ``observations`` of ``metric`` and, where there is a ``second_metric``,
    the newest of that, all by the same rule and threshold: if they disagree the verdict is
    ``mixed``. ``if_missing`` says what would have to be on record where nothing can be observed.
    """

    claim_id: Key
    statement: Text
    metric: Key
    rule: Literal["at_least", "at_most", "equals"]
    threshold: float
    unit: Text
    period: Text
    observations: int = Field(1, gt=0)
    second_metric: Key | None = None
    if_missing: Text

    @model_validator(mode="after")
    def _compares_two_metrics(self) -> Claim:
        if self.second_metric == self.metric:
            raise ValueError("second_metric is the metric itself")
        return self


class FreshnessLimit(Entry):
    """How old the newest observation of a dataset may be. Key: ``dataset``."""

    dataset: Key
    warn_after_days: int = Field(gt=0)
    error_after_days: int = Field(gt=0)
    reason: Text


class PrintedName(Entry):
    """What an issuer's releases call something. Key: company, role and key.

    ``role`` says where the words stand: ``metric`` names a row, heading or total of the metric
    ``key``; ``caption`` stands above a table of that metric; ``total`` heads the consolidated row
    or column of any table; ``subtotal`` and ``aside`` are rows that are no segment (sums of other
    rows, and rows outside the sum).
    """

    company_key: Key
    role: Literal["metric", "caption", "total", "subtotal", "aside"]
    key: Key | None = None
    printed: Listed
    note: str | None = None


_BRACED = re.compile(r"\{([^{}]*)\}")
_AMOUNTS = frozenset(("amount", "outflow"))
_COUNTS = frozenset(("count", "ordinal", "percent", "floor"))
_TIMES = frozenset(("period", "date"))


class StatedFigure(Entry):
    """A sentence of an issuer's releases that states a figure. Key: all but currency and note.

    ``template`` is the sentence's own words, in lower or upper case; the text layer may have
    parted their letters, and footnote marks may stand between them. In it

    - ``{a|b}`` stands for either wording, ``{a|}`` for words that may be left out,
    - ``...`` for up to 160 characters of the same sentence without an amount or a comparison,
    - ``{amount}`` for currency, number and thousand, million or billion ("approximately" may
      stand before), ``{outflow}`` for the same where the words make it negative (a loss),
    - ``{count}`` for a number of millions or billions, kept in millions,
    - ``{ordinal}`` for "sixth" or "6th", ``{percent}`` for a percentage, ``{floor}`` for the
      number after "more than" or "over",
    - ``{period}`` for a period ("the quarter ended June 30, 2024"), ``{date}`` for a date on or
      after the period's end, which an indicator is then as of.

    One of amount and outflow (metrics) or of the counts (indicators) stands in it, once.
    ``currency``: amounts in another are passed over; empty: as printed.
    """

    company_key: Key
    measure: Literal["metric", "kpi"]
    key: Key
    template: Text
    currency: Currency | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _holds_one_figure(self) -> StatedFigure:
        braced = _BRACED.findall(self.template)
        names = [name for name in braced if "|" not in name]
        if re.search(r"[{}]", _BRACED.sub("", self.template)):
            raise ValueError("a brace of template is not closed, or inside another")
        unknown = set(names) - _AMOUNTS - _COUNTS - _TIMES
        if unknown:
            raise ValueError(f"template: {{{min(unknown)}}} is not known")
        wanted = _AMOUNTS if self.measure == "metric" else _COUNTS
        figures = [name for name in names if name not in _TIMES]
        if len(figures) != 1 or figures[0] not in wanted or len(set(names)) != len(names):
            raise ValueError(f"template must hold one of {', '.join(sorted(wanted))}, once")
        return self
