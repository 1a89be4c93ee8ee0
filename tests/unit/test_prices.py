"""Which window of a history is asked for, and which rows of the answer are landed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from orchestration import prices
from orchestration.extract.transport import UnexpectedAnswer
from orchestration.prices import PriceUpdate, update_prices
from orchestration.registry import load_registry

REGISTRY = load_registry()
FIRST = date(2024, 2, 1)
#: After the close of Friday, 15 March 2024.
FRIDAY_NIGHT = datetime(2024, 3, 15, 22, 0, tzinfo=UTC)
OLD_BASIS, NEW_BASIS = date(2024, 3, 1), date(2024, 3, 15)
#: The sessions of XNYS in the first half of March 2024.
MARCH = [date(2024, 3, day) for day in (1, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15)]


def history(days: list[date], basis: date | None = NEW_BASIS, **columns: object) -> pd.DataFrame:
    """A history whose closes are 100, 101, 102 ... by session of March."""
    closes = [100.0 + MARCH.index(day) for day in days]
    frame = pd.DataFrame(
        {
            "ticker": "BABA",
            "session_date": days,
            "open": closes,
            "high": [close + 1 for close in closes],
            "low": [close - 1 for close in closes],
            "close": closes,
            "adj_close": [close * 0.9 for close in closes],
            "volume": 1e6,
            "currency": "USD",
            "observation_frequency": "daily",
            "split_basis": basis,
            "source": "yahoo",
            "source_url": "https://finance.yahoo.com/quote/BABA/history",
        }
    )
    return frame.assign(**columns)


def changed(frame: pd.DataFrame, day: date, column: str, value: float | None) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[frame["session_date"] == day, column] = value
    return frame


def actions(*rows: tuple[date, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["ex_date", "action", "value"])
    return frame.assign(ticker="BABA", unit="ratio")


class Upstream:
    """Answers with the part of a history that is asked for, and remembers the questions."""

    def __init__(self, history: pd.DataFrame, events: pd.DataFrame | None = None) -> None:
        self.history, self.events = history, actions() if events is None else events
        self.asked: list[tuple[date, date]] = []

    def __call__(self, ticker: str, first: date, last: date) -> tuple[pd.DataFrame, pd.DataFrame]:
        self.asked.append((first, last))
        return (
            self.history[self.history["session_date"] >= first],
            self.events[self.events["ex_date"] >= first] if len(self.events) else self.events,
        )


def update(landed: pd.DataFrame, upstream: Upstream, now: datetime = FRIDAY_NIGHT) -> PriceUpdate:
    return update_prices("BABA", landed, upstream, now, REGISTRY, FIRST)


def landed_until(day: int) -> pd.DataFrame:
    return history([d for d in MARCH if d.day <= day], OLD_BASIS)


def days(update: PriceUpdate) -> list[int]:
    return [day.day for day in update.prices["session_date"]]


def test_without_anything_landed_the_whole_history_is_asked_for() -> None:
    upstream = Upstream(history(MARCH))
    result = update(landed_until(0), upstream)
    assert upstream.asked == [(FIRST, date(2024, 3, 15))]
    assert len(result.prices) == len(MARCH)
    assert result.rewritten is None


def test_a_day_on_only_the_new_session_lands_in_the_landed_basis() -> None:
    upstream = Upstream(history(MARCH))
    result = update(landed_until(14), upstream)
    assert upstream.asked == [(date(2024, 3, 4), date(2024, 3, 15))]
    assert days(result) == [15]
    assert set(result.prices["split_basis"]) == {OLD_BASIS}


def test_the_window_begins_ten_days_before_the_newest_session_however_long_ago() -> None:
    upstream = Upstream(history(MARCH))
    result = update(landed_until(5), upstream)
    assert upstream.asked[0][0] == date(2024, 2, 24)
    assert days(result) == [6, 7, 8, 11, 12, 13, 14, 15]


def test_nothing_new_lands_nothing() -> None:
    result = update(landed_until(15), Upstream(history(MARCH)))
    assert result.prices.empty
    assert result.rewritten is None


def test_rounding_is_no_difference() -> None:
    upstream = Upstream(changed(history(MARCH), date(2024, 3, 12), "close", 107.005))
    assert days(update(landed_until(14), upstream)) == [15]
    assert len(upstream.asked) == 1


def test_a_revised_volume_lands_without_asking_again() -> None:
    upstream = Upstream(changed(history(MARCH), date(2024, 3, 13), "volume", 2e6))
    result = update(landed_until(14), upstream)
    assert len(upstream.asked) == 1
    assert days(result) == [13, 14, 15]
    assert result.prices["volume"].tolist() == [2e6, 1e6, 1e6]
    assert result.rewritten is None


def test_a_price_that_was_missing_lands_without_asking_again() -> None:
    landed = changed(landed_until(14), date(2024, 3, 14), "open", None)
    upstream = Upstream(history(MARCH))
    assert days(update(landed, upstream)) == [14, 15]
    assert len(upstream.asked) == 1


def test_what_the_upstream_has_lost_stays_as_it_landed() -> None:
    lost = changed(history(MARCH), date(2024, 3, 13), "adj_close", None)
    lost = changed(lost, date(2024, 3, 12), "volume", 5e6)
    upstream = Upstream(lost[lost["session_date"] != date(2024, 3, 14)])
    result = update(landed_until(14), upstream)
    assert days(result) == [12, 13, 14, 15], "no hole: the guard asks for complete sessions"
    kept = result.prices.set_index("session_date")
    assert kept.loc[date(2024, 3, 13), "adj_close"] == pytest.approx(108 * 0.9)
    assert kept.loc[date(2024, 3, 14), "close"] == 109
    assert result.rewritten is None


def test_a_corrected_price_is_recorded_and_lands_alone() -> None:
    upstream = Upstream(changed(history(MARCH), date(2024, 3, 13), "close", 108.5))
    result = update(landed_until(15), upstream)
    assert upstream.asked[1] == (FIRST, date(2024, 3, 15))
    assert days(result) == [13]
    assert set(result.prices["split_basis"]) == {OLD_BASIS}
    assert str(result.rewritten) == (
        "BABA: whole history fetched again after a correction; "
        "first difference: close of 2024-03-13 was 108, is 108.5"
    )


def test_a_correction_beyond_the_window_is_found_when_one_in_it_is() -> None:
    deep = changed(history(MARCH), date(2024, 3, 4), "high", 103.0)
    upstream = Upstream(changed(deep, date(2024, 3, 15), "low", 108.5))
    result = update(landed_until(15), upstream)
    assert (days(result)[0], days(result)[-1]) == (4, 15)
    assert result.rewritten is not None
    first = result.rewritten.first_difference
    assert first == prices.Difference(date(2024, 3, 4), "high", 102.0, 103.0)


def test_a_split_lands_the_whole_history_in_its_new_basis() -> None:
    halved = history(MARCH)
    for name in prices.PRICES:
        halved[name] = halved[name] / 2
    upstream = Upstream(halved, actions((date(2024, 3, 15), "split", 2.0)))
    result = update(landed_until(14), upstream)
    assert days(result) == [d.day for d in MARCH]
    assert set(result.prices["split_basis"]) == {NEW_BASIS}
    assert str(result.rewritten) == (
        "BABA: whole history fetched again after a split; "
        "first difference: close of 2024-03-01 was 100, is 50"
    )


def test_a_split_recorded_late_is_a_split() -> None:
    halved = history(MARCH)
    for name in prices.PRICES:
        halved[name] = halved[name] / 2
    upstream = Upstream(halved, actions((date(2024, 3, 13), "split", 2.0)))
    result = update(landed_until(15), upstream)
    assert result.rewritten is not None
    assert result.rewritten.reason == "split"


def test_a_history_that_is_not_in_the_new_shares_yet_is_refused() -> None:
    old = history(MARCH)
    for name in prices.PRICES:
        old.loc[old["session_date"] == date(2024, 3, 15), name] /= 2
    upstream = Upstream(old, actions((date(2024, 3, 15), "split", 2.0)))
    with pytest.raises(
        UnexpectedAnswer, match=r"split of 2024-03-15 \(2 for 1\) are not in the new"
    ):
        update(landed_until(14), upstream)


def test_a_dividend_lands_the_whole_history() -> None:
    moved = history(MARCH)
    moved["adj_close"] *= 0.98
    upstream = Upstream(moved, actions((date(2024, 3, 15), "dividend", 2.0)))
    result = update(landed_until(14), upstream)
    assert len(result.prices) == len(MARCH)
    assert str(result.rewritten) == (
        "BABA: whole history fetched again after a dividend; "
        "first difference: adj_close of 2024-03-01 was 90, is 88.2"
    )


def test_a_dividend_smaller_than_rounding_lands_the_whole_history_too() -> None:
    moved = history(MARCH)
    moved["adj_close"] *= 0.99995
    upstream = Upstream(moved, actions((date(2024, 3, 15), "dividend", 0.005)))
    result = update(landed_until(14), upstream)
    assert len(result.prices) == len(MARCH)
    assert str(result.rewritten).endswith("no landed price moved beyond rounding")


def test_a_dividend_that_has_landed_moves_nothing() -> None:
    upstream = Upstream(history(MARCH), actions((date(2024, 3, 13), "dividend", 2.0)))
    result = update(landed_until(14), upstream)
    assert days(result) == [15]
    assert len(result.actions) == 1


def test_a_contradiction_is_left_to_the_guard() -> None:
    twice = pd.concat([history(MARCH), history(MARCH[-1:], close=114.0)], ignore_index=True)
    assert days(update(landed_until(14), Upstream(twice))) == [15, 15]


def test_a_whole_history_with_fewer_sessions_replaces_nothing() -> None:
    upstream = Upstream(history(MARCH[-3:], close=90.0))
    with pytest.raises(UnexpectedAnswer, match="lacks 8 of 10 sessions that have landed"):
        update(landed_until(14), upstream)


def test_a_history_without_a_common_session_is_asked_for_as_a_whole() -> None:
    # Only the sessions after the landed ones come back: nothing proves the basis.
    upstream = Upstream(history(MARCH))
    answers = iter([history(MARCH[-1:]), history(MARCH)])
    fetch_window = upstream.__call__

    def fetch(ticker: str, first: date, last: date) -> tuple[pd.DataFrame, pd.DataFrame]:
        fetch_window(ticker, first, last)
        return next(answers), actions()

    result = update_prices("BABA", landed_until(14), fetch, FRIDAY_NIGHT, REGISTRY, FIRST)
    assert len(upstream.asked) == 2
    assert days(result) == [15]
    assert result.rewritten is None


# Sessions.


@pytest.mark.parametrize(
    ("exchange", "now", "expected"),
    [
        # Daylight saving began in New York on 10 March 2024: closes at 21:00, then 20:00 UTC.
        ("XNYS", datetime(2024, 3, 8, 20, 59, tzinfo=UTC), date(2024, 3, 7)),
        ("XNYS", datetime(2024, 3, 8, 21, 0, tzinfo=UTC), date(2024, 3, 8)),
        ("XNYS", datetime(2024, 3, 11, 19, 59, tzinfo=UTC), date(2024, 3, 8)),
        ("XNYS", datetime(2024, 3, 11, 20, 0, tzinfo=UTC), date(2024, 3, 11)),
        # It ended on 3 November 2024.
        ("XNYS", datetime(2024, 11, 4, 20, 30, tzinfo=UTC), date(2024, 11, 1)),
        ("XNYS", datetime(2024, 11, 4, 21, 0, tzinfo=UTC), date(2024, 11, 4)),
        # The day after Thanksgiving closes at 13:00 in New York.
        ("XNYS", datetime(2024, 11, 29, 17, 59, tzinfo=UTC), date(2024, 11, 27)),
        ("XNYS", datetime(2024, 11, 29, 18, 0, tzinfo=UTC), date(2024, 11, 29)),
        # Christmas Eve closes at noon in Hong Kong, an ordinary session at 16:00.
        ("XHKG", datetime(2024, 12, 24, 3, 59, tzinfo=UTC), date(2024, 12, 23)),
        ("XHKG", datetime(2024, 12, 24, 4, 0, tzinfo=UTC), date(2024, 12, 24)),
        ("XHKG", datetime(2024, 12, 30, 8, 0, tzinfo=UTC), date(2024, 12, 30)),
        # Typhoon Saola: the calendar lists 1 September 2023, the registry says it was lost.
        ("XHKG", datetime(2023, 9, 1, 12, 0, tzinfo=UTC), date(2023, 8, 31)),
        # Saturday.
        ("XNAS", datetime(2024, 3, 16, 12, 0, tzinfo=UTC), date(2024, 3, 15)),
    ],
)
def test_the_newest_session_that_has_closed(exchange: str, now: datetime, expected: date) -> None:
    assert prices.last_closed_session(REGISTRY, exchange, now) == expected


def test_the_session_under_way_is_left_out() -> None:
    upstream = Upstream(history(MARCH), actions((date(2024, 3, 15), "dividend", 2.0)))
    noon = datetime(2024, 3, 15, 16, 0, tzinfo=UTC)
    result = update(landed_until(13), upstream, noon)
    assert upstream.asked == [(date(2024, 3, 3), date(2024, 3, 14))]
    assert days(result) == [14]
    assert result.actions.empty


def test_a_day_to_come_is_left_to_the_guard() -> None:
    tomorrow = history(MARCH[-1:]).assign(session_date=[date(2024, 3, 18)])
    upstream = Upstream(pd.concat([history(MARCH), tomorrow], ignore_index=True))
    assert days(update(landed_until(14), upstream)) == [15, 18]


def test_an_unknown_ticker_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        update_prices("NOPE", landed_until(0), Upstream(history([])), FRIDAY_NIGHT, REGISTRY, FIRST)
