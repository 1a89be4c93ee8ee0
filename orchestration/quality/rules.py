"""Rules that need more than one row, column or registry entry.

A rule takes the batch (floats, timestamps, text) and says which rows break it, with a sentence
that helps to find the cause. What a rule means is written in the contract that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa

from orchestration import calendars
from orchestration.contracts.periods import PERIOD_DAYS
from orchestration.quality.frames import checked_frame
from orchestration.quality.reconciliation import reconcile
from orchestration.registry import Registry
from orchestration.registry.entries import Kpi, MacroSeries, Security, Segment

BoolSeries = Any  # pd.Series[bool]; pandas' own alias cannot be used at run time

#: Share of the exchange's sessions that daily rows must cover between first and last; one session
#: may always be missing, or a gap in a window of few days would keep all of them out.
MINIMUM_COVERAGE = 0.98
#: A close that moves by more than this in a session needs an explanation.
MAXIMUM_UNEXPLAINED_MOVE = 0.5
_LISTED = 5


@dataclass(frozen=True)
class RuleContext:
    """What a rule may look at beside the batch."""

    registry: Registry
    landed: Callable[[str], pa.Table]
    today: date


Rule = Callable[[pd.DataFrame, RuleContext], tuple[BoolSeries, str]]


def has_a_price(frame: pd.DataFrame, _: RuleContext) -> tuple[BoolSeries, str]:
    """A row holds close or adj_close."""
    empty = frame["close"].isna() & frame["adj_close"].isna()
    return empty, "an empty row is left out by its upstream, not landed"


def currency_of_security(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Currency is the security's own."""
    own = {s.security_key: s.currency for s in context.registry.entries(Security)}
    wrong = frame["currency"] != frame["ticker"].map(own)
    return wrong, _pairs(frame.loc[wrong], "ticker", "currency")


def on_trading_session(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Daily rows fall on the exchange's sessions."""
    broken: list[int] = []
    sessions = _Sessions(context)
    for ticker, rows in _daily(frame):
        held = sessions.of(ticker)
        if held is not None:
            broken.extend(rows.index[~rows["session_date"].isin(held)])
    failing = _marked(frame, broken)
    return failing, _pairs(frame.loc[failing], "ticker", "session_date")


def no_missing_session(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """No session is missing between a ticker's daily rows; a row after a gap is flagged."""
    after_gaps: list[int] = []
    missing: list[str] = []
    sessions = _Sessions(context)
    for ticker, rows in _daily(frame):
        absent = _absent(sessions.of(ticker), rows)
        if len(absent):
            missing += [f"{ticker} {day:%Y-%m-%d}" for day in absent]
            after_gaps += _after_gaps(rows, absent)
    return _marked(frame, after_gaps), f"missing: {_some(missing)}"


def sessions_complete(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Daily rows cover nearly all of the exchange's sessions between first and last."""
    after_gaps: list[int] = []
    thin: list[str] = []
    sessions = _Sessions(context)
    for ticker, rows in _daily(frame):
        absent = _absent(sessions.of(ticker), rows)
        covered = len(rows) / (len(rows) + len(absent))
        if len(absent) > 1 and covered < MINIMUM_COVERAGE:
            thin.append(f"{ticker} {covered:.1%} of sessions")
            after_gaps += _after_gaps(rows, absent)
    return _marked(frame, after_gaps), _some(thin)


def jump_explained(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """No close moves more than 50% in a session without a corporate action on that day.

    Where a history has adjusted closes alone, they stand for the closes.
    """
    unexplained: list[int] = []
    actions = context.landed("corporate_action")
    explained = set(zip(actions["ticker"].to_pylist(), actions["ex_date"].to_pylist(), strict=True))
    for ticker, rows in _daily(frame):
        closes = rows["close"] if rows["close"].notna().any() else rows["adj_close"]
        move = closes.pct_change(fill_method=None).abs()
        jumps = rows.loc[move > MAXIMUM_UNEXPLAINED_MOVE, "session_date"]
        unexplained.extend(
            place
            for place, day in zip(jumps.index, jumps, strict=True)
            if pd.isna(day) or (ticker, day.date()) not in explained
        )
    failing = _marked(frame, unexplained)
    return failing, _pairs(frame.loc[failing], "ticker", "session_date")


def unit_of_action(frame: pd.DataFrame, _: RuleContext) -> tuple[BoolSeries, str]:
    """A dividend is in a currency per share, a split a ratio."""
    wrong = (frame["action"] == "split") != (frame["unit"] == "ratio")
    return wrong, _pairs(frame.loc[wrong], "action", "unit")


def unit_of_series(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Unit is the one the registry gives the series."""
    units = {s.series_id: s.unit for s in context.registry.entries(MacroSeries)}
    wrong = frame["unit"] != frame["series_id"].map(units)
    return wrong, _pairs(frame.loc[wrong], "series_id", "unit")


def unit_of_kpi(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Unit is the one the registry gives the indicator."""
    units = {k.kpi: k.unit for k in context.registry.entries(Kpi)}
    wrong = frame["unit"] != frame["kpi"].map(units)
    return wrong, _pairs(frame.loc[wrong], "kpi", "unit")


def document_known(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """The document has landed, and is of the row's company."""
    documents = context.landed("document")
    company = dict(
        zip(documents["document_id"].to_pylist(), documents["company_key"].to_pylist(), strict=True)
    )
    unknown = frame["company_key"] != frame["document_id"].map(company)
    named = sorted(set(map(_shown, frame.loc[unknown, "document_id"])))
    return unknown, f"land first: {_some(named)}"


def period_fits_type(frame: pd.DataFrame, _: RuleContext) -> tuple[BoolSeries, str]:
    """The period is as long as its type says, a 52-or-53-week quarter included."""
    days = (frame["period_end"] - frame["period_start"]).dt.days + 1
    shortest = frame["period_type"].map({name: r[0] for name, r in PERIOD_DAYS.items()})
    longest = frame["period_type"].map({name: r[-1] for name, r in PERIOD_DAYS.items()})
    wrong = (days < shortest) | (days > longest)
    return wrong, _pairs(frame.loc[wrong], "period_type", "period_end")


def segment_as_registered(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Company, structure, breakdown and label are the segment's own."""
    registered = pd.DataFrame(
        [
            (s.segment_key, s.company_key, s.structure, s.breakdown, s.name)
            for s in context.registry.entries(Segment)
        ],
        columns=["segment_key", "company_key", "structure", "breakdown", "segment_label"],
    )
    own = frame[["segment_key"]].merge(registered, on="segment_key", how="left")
    wrong = pd.Series(False, index=frame.index)
    for column in ("company_key", "structure", "breakdown", "segment_label"):
        wrong |= frame[column].to_numpy() != own[column].to_numpy()
    return wrong, _pairs(frame.loc[wrong], "segment_key", "segment_label")


def adds_up(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Complete tables add up to the consolidated figure."""
    tables = reconcile(
        frame,
        checked_frame(context.landed("company_result")),
        checked_frame(context.landed("document")),
        context.registry,
    )
    wrong = tables[tables["status"] == "differs"]
    failing = frame.set_index(list(_TABLE)).index.isin(wrong.set_index(list(_TABLE)).index)
    words = [
        f"{t.document_id} {t.structure} {t.metric} {t.period_end:%Y-%m-%d}: rows add up to "
        f"{t.segments:g}, consolidated {t.consolidated:g}, allowed {t.allowed:g} million"
        for t in wrong.itertuples()
    ]
    return pd.Series(failing & (frame["breakdown"] != "subline"), index=frame.index), _some(words)


_TABLE = ("document_id", "structure", "metric", "period_start", "period_end", "currency")

RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        has_a_price,
        currency_of_security,
        on_trading_session,
        no_missing_session,
        sessions_complete,
        jump_explained,
        unit_of_action,
        unit_of_series,
        unit_of_kpi,
        document_known,
        period_fits_type,
        segment_as_registered,
        adds_up,
    )
}


def _daily(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    daily = frame[frame["observation_frequency"] == "daily"]
    # Stable: rows of one day keep the order in which they came, whatever other rows there are.
    daily = daily.sort_values("session_date", kind="stable")
    return [(str(ticker), rows) for ticker, rows in daily.groupby("ticker")]


def _marked(frame: pd.DataFrame, places: list[int]) -> BoolSeries:
    failing = pd.Series(False, index=frame.index)
    failing.loc[places] = True
    return failing


class _Sessions:
    """The sessions of tickers, each exchange's asked for once."""

    def __init__(self, context: RuleContext) -> None:
        self._registry = context.registry
        self._mics = {s.security_key: s.exchange_mic for s in context.registry.entries(Security)}
        self._held: dict[str, pd.DatetimeIndex] = {}

    def of(self, ticker: str) -> pd.DatetimeIndex | None:
        """Return the sessions of a ticker's exchange; ``None`` for an unknown ticker.

        That is refused by its own expectation.
        """
        mic = self._mics.get(ticker)
        if mic is None:
            return None
        if mic not in self._held:
            # In the unit of a batch's days, or a day of the year 2300 ends the comparison.
            self._held[mic] = calendars.sessions(self._registry, mic).as_unit("ms")
        return self._held[mic]


def _absent(held: pd.DatetimeIndex | None, rows: pd.DataFrame) -> pd.DatetimeIndex:
    if held is None:
        return pd.DatetimeIndex([])
    first, last = rows["session_date"].min(), rows["session_date"].max()
    between: pd.DatetimeIndex = held[(held >= first) & (held <= last)]
    return between.difference(pd.DatetimeIndex(rows["session_date"]))


def _after_gaps(rows: pd.DataFrame, absent: pd.DatetimeIndex) -> list[int]:
    days = pd.DatetimeIndex(rows["session_date"])
    return [int(rows.index[int(position)]) for position in set(days.searchsorted(absent))]


def _pairs(rows: pd.DataFrame, left: str, right: str) -> str:
    pairs = zip(rows[left], rows[right], strict=True)
    return _some(sorted({f"{_shown(a)} {_shown(b)}" for a, b in pairs}))


def _shown(cell: object) -> str:
    return f"{cell:%Y-%m-%d}" if isinstance(cell, pd.Timestamp) else str(cell)


def _some(items: list[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more
