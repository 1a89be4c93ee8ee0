"""Rules that need more than one row, column or registry entry.

A rule takes the batch (floats, timestamps, text) and says which rows break it, with a sentence
that helps to find the cause. What a rule means is written in the contract that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

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
    failing = pd.Series(False, index=frame.index)
    for held, rows in _by_exchange(frame, context):
        failing.loc[rows.index[~rows["session_date"].isin(held)]] = True
    return failing, _pairs(frame.loc[failing], "ticker", "session_date")


def no_missing_session(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """No session is missing between a ticker's daily rows; a row after a gap is flagged."""
    gaps, _ = _gaps(frame, context)
    first = [
        f"{ticker} {day:%Y-%m-%d}"
        for ticker, held, after, before in gaps[["ticker", "held", "after", "before"]]
        .head(_LISTED)
        .itertuples(index=False, name=None)
        for day in held[after:before][:_LISTED]
    ]
    failing = frame.index.to_series().isin(gaps.index)
    return failing, f"missing: {_some(first, int(gaps['days'].sum()))}"


def sessions_complete(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """Daily rows cover nearly all of the exchange's sessions between first and last."""
    gaps, rows = _gaps(frame, context)
    absent = gaps.groupby("ticker")["days"].sum()
    present = rows[absent.index]
    covered = present / (present + absent)
    thin = covered[(absent > 1) & (covered < MINIMUM_COVERAGE)]
    failing = frame.index.to_series().isin(gaps.index[gaps["ticker"].isin(thin.index)])
    return failing, _some([f"{ticker} {share:.1%} of sessions" for ticker, share in thin.items()])


def jump_explained(frame: pd.DataFrame, context: RuleContext) -> tuple[BoolSeries, str]:
    """No close moves more than 50% in a session without a corporate action on that day.

    Where a history has adjusted closes alone, they stand for the closes.
    """
    daily = _daily(frame)
    has_closes = daily["close"].notna().groupby(daily["ticker"]).transform("any")
    closes = daily["close"].where(has_closes, daily["adj_close"])
    move = (closes / closes.shift() - 1).abs()
    jumps = daily[(move > MAXIMUM_UNEXPLAINED_MOVE) & _follows(daily)]
    failing = pd.Series(False, index=frame.index)
    if len(jumps):
        explained = _action_days(set(jumps["ticker"]), context)
        days = zip(jumps.index, jumps["ticker"], jumps["session_date"], strict=True)
        failing.loc[
            [
                place
                for place, ticker, day in days
                if pd.isna(day) or (ticker, day.date()) not in explained
            ]
        ] = True
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


#: Columns that rules of large datasets look at; a rule that is not here looks at all.
COLUMNS: dict[str, tuple[str, ...]] = {
    "has_a_price": ("close", "adj_close"),
    "currency_of_security": ("ticker", "currency"),
    "on_trading_session": ("ticker", "session_date", "observation_frequency"),
    "no_missing_session": ("ticker", "session_date", "observation_frequency"),
    "sessions_complete": ("ticker", "session_date", "observation_frequency"),
    "jump_explained": ("ticker", "session_date", "observation_frequency", "close", "adj_close"),
    "unit_of_action": ("action", "unit"),
    "unit_of_series": ("series_id", "unit"),
}


def _daily(frame: pd.DataFrame) -> pd.DataFrame:
    """Daily rows by ticker and day; rows of one day keep the order in which they came."""
    daily = frame[(frame["observation_frequency"] == "daily") & frame["ticker"].notna()]
    return daily.sort_values(["ticker", "session_date"], kind="stable")


def _follows(daily: pd.DataFrame) -> BoolSeries:
    """Whether the row before is of the same ticker."""
    return daily["ticker"] == daily["ticker"].shift()


def _by_exchange(
    frame: pd.DataFrame, context: RuleContext
) -> Iterator[tuple[pd.DatetimeIndex, pd.DataFrame]]:
    """Yield the sessions of each exchange with the daily rows of its securities.

    An unknown ticker is left out: it is refused by its own expectation.
    """
    mics = {s.security_key: s.exchange_mic for s in context.registry.entries(Security)}
    daily = _daily(frame)
    for mic, rows in daily.groupby(daily["ticker"].map(mics)):
        # In the unit of a batch's days, or a day of the year 2300 ends the comparison.
        yield calendars.sessions(context.registry, str(mic)).as_unit("ms"), rows


def _gaps(frame: pd.DataFrame, context: RuleContext) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Return the rows before which sessions of their ticker are missing, and its count of rows.

    By ticker and day; the missing sessions are ``held[after:before]``, ``days`` many.
    """
    found = []
    counts = []
    for held, rows in _by_exchange(frame, context):
        days = rows["session_date"].astype("datetime64[ms]")
        before = held.to_numpy().searchsorted(days.to_numpy())
        after = held.to_numpy().searchsorted(days.shift().to_numpy(), side="right")
        gaps = pd.DataFrame(
            {"ticker": rows["ticker"], "after": after, "before": before, "days": before - after}
        )
        gaps = gaps[(gaps["days"] > 0) & _follows(rows) & days.notna()]
        found.append(gaps.assign(held=[held] * len(gaps)))
        counts.append(rows["ticker"].value_counts())
    if not found:
        nothing = pd.DataFrame(columns=["ticker", "after", "before", "days", "held"])
        return nothing.astype({"days": int}), pd.Series(dtype=int)
    return pd.concat(found).sort_values(["ticker", "before"], kind="stable"), pd.concat(counts)


def _action_days(tickers: set[str], context: RuleContext) -> set[tuple[str, date]]:
    actions = context.landed("corporate_action").select(["ticker", "ex_date"])
    actions = actions.filter(pc.is_in(actions["ticker"], pa.array(sorted(tickers), pa.string())))
    return set(zip(actions["ticker"].to_pylist(), actions["ex_date"].to_pylist(), strict=True))


def _pairs(rows: pd.DataFrame, left: str, right: str) -> str:
    pairs = zip(rows[left], rows[right], strict=True)
    return _some(sorted({f"{_shown(a)} {_shown(b)}" for a, b in pairs}))


def _shown(cell: object) -> str:
    return f"{cell:%Y-%m-%d}" if isinstance(cell, pd.Timestamp) else str(cell)


def _some(items: list[str], total: int | None = None) -> str:
    """The first of ``total`` items, or of all that are given."""
    others = (len(items) if total is None else total) - _LISTED
    return ", ".join(items[:_LISTED]) + (f" and {others} more" if others > 0 else "")
