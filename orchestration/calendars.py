"""Trading sessions, from exchange_calendars and the registry's exchanges."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING

from orchestration.registry import Registry
from orchestration.registry.entries import Exchange, LostSession

if TYPE_CHECKING:
    import pandas as pd
    from exchange_calendars import ExchangeCalendar

#: Days that dim_date holds: fixed, so that the same input gives the same release on any day.
FIRST_DAY, LAST_DAY = date(1999, 1, 1), date(2029, 12, 31)


def sessions(registry: Registry, exchange_mic: str) -> pd.DatetimeIndex:
    """Return the exchange's sessions from FIRST_DAY to LAST_DAY, without those it lost.

    Raises:
        KeyError: for an exchange that the registry does not know.
    """
    exchange = _exchange_calendar(registry, exchange_mic)
    lost = [
        closed.session_date.isoformat()
        for closed in registry.entries(LostSession)
        if closed.exchange_mic == exchange_mic
    ]
    held: pd.DatetimeIndex = exchange.sessions.drop(lost, errors="ignore")
    return held


def closes_at(registry: Registry, exchange_mic: str, session: date) -> datetime | None:
    """Return when the exchange closes on a day, in UTC; ``None`` when it holds no session.

    Half days close early; daylight saving is the exchange's.
    """
    import pandas as pd

    day = pd.Timestamp(session)
    if day not in sessions(registry, exchange_mic):
        return None
    closes: datetime = _exchange_calendar(registry, exchange_mic).session_close(day).to_pydatetime()
    return closes


def _exchange_calendar(registry: Registry, exchange_mic: str) -> ExchangeCalendar:
    exchange = {e.exchange_mic: e for e in registry.entries(Exchange)}[exchange_mic]
    return calendar(exchange.calendar)


@cache
def calendar(name: str) -> ExchangeCalendar:
    """Return a calendar of exchange_calendars over the days that the warehouse knows."""
    import exchange_calendars

    return exchange_calendars.get_calendar(name, start=str(FIRST_DAY), end=str(LAST_DAY))
