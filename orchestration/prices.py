"""What of a security's history is fetched, and which rows of it are landed.

A history grows by its newest sessions. Yahoo rewrites the rest of it without notice: closes after a
split, adjusted closes after every dividend, single prices when they are corrected. So a window that
overlaps what has landed is fetched; when the two disagree, or a split or a dividend has happened
since, the whole history is fetched again.

Nothing here fetches by itself or writes: :func:`update_prices` is given what has landed and a
function that asks the upstream, and returns the rows to land.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pandas as pd

from orchestration import calendars
from orchestration.extract.transport import UnexpectedAnswer
from orchestration.registry import Registry
from orchestration.registry.entries import Security

#: How far before the newest landed session a window begins.
OVERLAP = timedelta(days=10)
#: Relative difference up to which two prices are the same; Yahoo's are single-precision floats.
ROUNDING = 1e-4
#: Share of the landed sessions that a history fetched again must still have.
MINIMUM_KEPT = 0.98
#: How near a move on a split's day may come to the split itself, as a fraction of it.
NEAR_A_SPLIT = 0.15
PRICES = ("open", "high", "low", "close", "adj_close")

#: Asks the upstream for a ticker's prices and corporate actions, first and last day included.
Fetch = Callable[[str, date, date], tuple[pd.DataFrame, pd.DataFrame]]
Reason = Literal["split", "dividend", "correction"]


@dataclass(frozen=True)
class Difference:
    """A landed price that the upstream now gives otherwise."""

    session_date: date
    column: str
    old: float
    new: float


@dataclass(frozen=True)
class Rewritten:
    """A history that was fetched again as a whole, and why.

    ``first_difference`` is the oldest one; ``None`` when a dividend moved nothing beyond rounding.
    """

    ticker: str
    reason: Reason
    first_difference: Difference | None

    def __str__(self) -> str:
        words = f"{self.ticker}: whole history fetched again after a {self.reason}"
        first = self.first_difference
        if first is None:
            return f"{words}; no landed price moved beyond rounding"
        day, old, new = first.session_date, first.old, first.new
        return f"{words}; first difference: {first.column} of {day} was {old:g}, is {new:g}"


@dataclass(frozen=True)
class PriceUpdate:
    """Rows to land, either may be none, and what was found when history had been rewritten."""

    prices: pd.DataFrame
    actions: pd.DataFrame
    rewritten: Rewritten | None = None


def update_prices(
    ticker: str,
    landed: pd.DataFrame,
    fetch: Fetch,
    now: datetime,
    registry: Registry,
    first: date,
) -> PriceUpdate:
    """Fetch what is new of a ticker and return the rows to land.

    ``landed`` holds the rows of this ticker that count, of this upstream alone; when it is empty
    the whole history from ``first`` on is fetched. A session that has not closed by ``now`` is left
    out. Of rows that have landed, only those between the first and the last new or changed one
    return: the guard asks a batch for complete sessions.

    Raises:
        UnexpectedAnswer: when a history fetched again lacks sessions that have landed, or is not in
            the splits it names.
        KeyError: for a ticker that the registry does not know.
    """
    exchange_mic = {s.security_key: s.exchange_mic for s in registry.entries(Security)}[ticker]
    last = last_closed_session(registry, exchange_mic, now)
    under_way = _sessions_under_way(registry, exchange_mic, last, now)
    known = by_session(landed[landed["observation_frequency"] == "daily"])

    def ask(start: date) -> tuple[pd.DataFrame, pd.DataFrame]:
        prices, actions = fetch(ticker, start, last)
        prices = prices[~prices["session_date"].isin(under_way)]
        actions = actions[~actions["ex_date"].isin(under_way)]
        return by_session(prices), actions.reset_index(drop=True)

    prices, actions = ask(window_start(known, first))
    rewritten = None
    if not known.empty and not continues(known, prices, actions):
        prices, actions = ask(min(first, known.index[0].date()))
        _must_keep_sessions(ticker, known, prices)
        rewritten = what_changed(ticker, known, prices, actions)
    _must_be_adjusted(ticker, prices, actions)
    if not known.empty and is_in_the_same_basis(known, prices, actions):
        prices = new_rows(known, prices)
    return PriceUpdate(prices.reset_index(drop=True), actions, rewritten)


def last_closed_session(registry: Registry, exchange_mic: str, now: datetime) -> date:
    """Return the newest session that has closed by ``now``; half days close early."""
    held = calendars.sessions(registry, exchange_mic)
    for session in reversed(held[held <= pd.Timestamp(_utc_day(now))]):
        closes = calendars.closes_at(registry, exchange_mic, session.date())
        if closes is not None and closes <= now:
            last: date = session.date()
            return last
    raise ValueError(f"{exchange_mic}: no session known before {now}")


def by_session(prices: pd.DataFrame) -> pd.DataFrame:
    """Return rows of ``daily_price`` indexed by session, oldest first, numbers as floats."""
    frame = prices.copy()
    for name in (*PRICES, "volume"):
        frame[name] = frame[name].astype("float64")
    frame.index = pd.DatetimeIndex(pd.to_datetime(frame["session_date"]), name="session")
    return frame.sort_index(kind="stable")


def window_start(known: pd.DataFrame, first: date) -> date:
    """Return the day from which to ask: so much before the newest landed session."""
    if known.empty:
        return first
    watermark: date = known.index[-1].date()
    return max(first, watermark - OVERLAP)


def continues(known: pd.DataFrame, prices: pd.DataFrame, actions: pd.DataFrame) -> bool:
    """Whether a window goes on with the landed history, and nothing of that was rewritten.

    It must share a session with it, agree in every price of those, and hold no newer split or
    dividend. A small dividend moves adjusted closes by less than their rounding: so its being there
    is enough.
    """
    shared = known.reindex(known.index.intersection(prices.index))
    one_basis = shared["split_basis"].nunique(dropna=False) == 1
    return one_basis and _newer(known, actions).empty and not _differs(known, prices).any(axis=None)


def is_in_the_same_basis(known: pd.DataFrame, prices: pd.DataFrame, actions: pd.DataFrame) -> bool:
    """Whether fetched prices stand in the splits and dividends of the landed ones.

    Every split and dividend rewrites all that went before: the oldest session that both have says
    whether there was one. Then a difference elsewhere is a correction of that session alone.
    """
    shared = prices.index.intersection(known.index)
    if shared.empty or not _newer(known, actions).empty:
        return False
    return not _differs(known, prices.loc[shared[:1]]).any(axis=None)


def what_changed(
    ticker: str, known: pd.DataFrame, prices: pd.DataFrame, actions: pd.DataFrame
) -> Rewritten | None:
    """Return how a history fetched again differs from what has landed; ``None`` if it does not."""
    newer = _newer(known, actions)
    differs = _differs(known, prices)
    found = differs.any(axis=1).to_numpy()
    basis = known["split_basis"].iloc[-1]
    splits = actions[actions["action"] == "split"]
    reason: Reason
    if not pd.isna(basis) and (pd.to_datetime(splits["ex_date"]) > pd.Timestamp(basis)).any():
        reason = "split"
    elif not newer.empty or (found.any() and set(differs.columns[differs.any()]) == {"adj_close"}):
        reason = "dividend"
    elif found.any():
        reason = "correction"
    else:
        return None
    return Rewritten(ticker, reason, _first_difference(known, prices, differs))


def new_rows(known: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Return the fetched rows from the first to the last that is new or says something else.

    They keep the landed history's ``split_basis``, in which they stand. What the upstream no longer
    gives, a value or a session, is taken from what has landed.
    """
    before = known.reindex(prices.index)
    is_news = ~prices.index.isin(known.index) | _differs(known, prices).any(axis=1).to_numpy()
    for name in (*PRICES, "volume"):
        is_news |= (prices[name].notna() & before[name].isna()).to_numpy()
    is_news |= (prices["volume"] != before["volume"]).to_numpy() & prices["volume"].notna()
    if not is_news.any():
        return prices.iloc[:0]
    span = prices.index[is_news]
    rows = prices.loc[span[0] : span[-1]].copy()
    for name in (*PRICES, "volume"):
        rows[name] = rows[name].fillna(before[name].loc[span[0] : span[-1]])
    rows["split_basis"] = known["split_basis"].iloc[-1]
    between = known.loc[span[0] : span[-1]]
    lost = between[~between.index.isin(rows.index)]
    return pd.concat([rows, lost[rows.columns]]).sort_index(kind="stable")


def _differs(known: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Say for each fetched row and price whether it has landed otherwise."""
    before = known.reindex(prices.index)[list(PRICES)]
    differs: pd.DataFrame = (prices[list(PRICES)] - before).abs() > ROUNDING * before.abs()
    return differs


def _first_difference(
    known: pd.DataFrame, prices: pd.DataFrame, differs: pd.DataFrame
) -> Difference | None:
    rows = differs.any(axis=1).to_numpy().nonzero()[0]
    if not len(rows):
        return None
    place = int(rows[0])
    # The close says most to a reader; the other prices only where it stayed.
    column = next(name for name in ("close", "adj_close", *PRICES) if differs.iloc[place][name])
    session = prices.index[place]
    old, new = float(known.loc[session, column]), float(prices.iloc[place][column])
    return Difference(session.date(), column, old, new)


def _newer(known: pd.DataFrame, actions: pd.DataFrame) -> pd.DataFrame:
    newer: pd.DataFrame = actions[pd.to_datetime(actions["ex_date"]) > known.index[-1]]
    return newer


def _must_keep_sessions(ticker: str, known: pd.DataFrame, prices: pd.DataFrame) -> None:
    lost = known.index.difference(prices.index)
    if len(lost) > (1 - MINIMUM_KEPT) * len(known):
        raise _unexpected(
            ticker,
            f"the history lacks {len(lost)} of {len(known)} sessions that have landed, "
            f"the first on {lost[0].date()}",
        )


def _must_be_adjusted(ticker: str, prices: pd.DataFrame, actions: pd.DataFrame) -> None:
    """Refuse a history that lists a split but still stands in the old shares."""
    closes = prices["close"].dropna()
    splits = actions[actions["action"] == "split"]
    for day, ratio in zip(splits["ex_date"], splits["value"], strict=True):
        ex_date = pd.Timestamp(day)
        before, after = closes[closes.index < ex_date], closes[closes.index >= ex_date]
        if before.empty or after.empty or abs(ratio - 1) < 2 * NEAR_A_SPLIT:
            continue
        if abs(before.iloc[-1] / after.iloc[0] / ratio - 1) < NEAR_A_SPLIT:
            raise _unexpected(
                ticker,
                f"prices before the split of {ex_date.date()} ({ratio:g} for 1) are not in the new "
                f"shares: close {before.iloc[-1]:g}, then {after.iloc[0]:g}",
            )


def _unexpected(ticker: str, reason: str) -> UnexpectedAnswer:
    return UnexpectedAnswer("yahoo", ticker, reason)


def _sessions_under_way(
    registry: Registry, exchange_mic: str, last: date, now: datetime
) -> list[date]:
    """Return today's session if it has not closed; a later day is an error that the guard sees."""
    held = calendars.sessions(registry, exchange_mic)
    days = held[(held > pd.Timestamp(last)) & (held <= pd.Timestamp(_utc_day(now)))]
    return [day.date() for day in days]


def _utc_day(now: datetime) -> date:
    return now.astimezone(UTC).date()
