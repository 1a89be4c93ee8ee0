"""Yahoo as a local server plays it: the v8 chart API and the cookie and crumb before it.

A moment is set and everything is answered as Yahoo would have then: history in the splits and
dividends up to that day, the last session unfinished while the exchange is open, and twice on the
evening after. Prices are the real ones of ``shared/upstream/prices`` where that is present; what
comes after them, and every other ticker, is made, the same at every call.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from orchestration import calendars
from orchestration.extract import price_file
from orchestration.registry import load_registry
from orchestration.registry.entries import Exchange, Security
from tests.shared_data import UPSTREAM
from tests.upstreams.misbehaviours import FORMAT_FAULTS as NAMES
from tests.upstreams.misbehaviours import with_body
from tests.upstreams.server import Fault, Reply, Request

REAL_PRICES = UPSTREAM / "prices"
REGISTRY = load_registry()
SECURITIES = {security.security_key: security for security in REGISTRY.entries(Security)}
CHART = "/v8/finance/chart/"
_ZONES = {"XNYS": "America/New_York", "XHKG": "Asia/Hong_Kong"}
_KINDS = {"etf": "ETF", "index": "INDEX"}
_PRICES = ("open", "high", "low", "close")
_FIRST_SESSION = "2010-01-04"

Chart = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """A dividend in currency per share of its day, or a split in new shares per old one.

    A security of these tests has one or the other, never both.
    """

    ex_date: date
    value: float


@dataclass(frozen=True)
class Correction:
    """A price that Yahoo gives otherwise from a day on."""

    session_date: date
    column: str
    value: float
    known_from: date


@dataclass
class Market:
    """What has happened to the securities; tests add to it."""

    now: datetime
    dividends: dict[str, list[Event]] = field(default_factory=dict)
    splits: dict[str, list[Event]] = field(default_factory=dict)
    corrections: dict[str, list[Correction]] = field(default_factory=dict)
    #: What a chart may be asked with; another one is refused, and yfinance gets a new one.
    crumb: str = "made.crumb"
    #: Splits that stand among the events while prices are still in the old shares.
    not_adjusted_yet: set[str] = field(default_factory=set)

    @property
    def today(self) -> date:
        return self.now.astimezone(UTC).date()

    def handle(self, request: Request) -> Reply:
        """Answer one request, whichever of Yahoo's hosts it was meant for."""
        if request.path.startswith(CHART):
            return self._answer_chart(unquote(request.path.removeprefix(CHART)), request.query)
        if request.path == "/v1/test/getcrumb":
            return Reply(self.crumb.encode(), headers={"Content-Type": "text/plain"})
        if request.path in ("/consent", "/copyConsent"):
            return Reply(_CONSENT, headers={"Content-Type": "text/html"})
        # fc.yahoo.com: nothing to see, but a cookie to take along.
        lifetime = "Expires=Fri, 31 Dec 2027 23:59:59 GMT; Path=/"
        return Reply(b"", 404, {"Set-Cookie": f"A3=made; {lifetime}"})

    def _answer_chart(self, ticker: str, query: Mapping[str, str]) -> Reply:
        if query.get("crumb", self.crumb) != self.crumb:
            error = {"code": "Unauthorized", "description": "Invalid Crumb"}
            return _json({"finance": {"result": None, "error": error}}, 401)
        if ticker not in SECURITIES:
            return _json(not_found(), 404)
        now = int(self.now.timestamp())
        day = 24 * 60 * 60
        period1 = int(query.get("period1", now - day))
        return _json(self.chart(ticker, period1, int(query.get("period2", now + day))))

    def chart(self, ticker: str, period1: int, period2: int) -> Chart:
        """The answer for one ticker; time stamps from ``period1`` on and before ``period2``."""
        security = SECURITIES[ticker]
        rows = self._as_known(ticker)
        rows = rows[(rows["timestamp"] >= period1) & (rows["timestamp"] < period2)]
        calendar = _calendar_of(security)
        meta = {
            "currency": security.currency,
            "symbol": ticker,
            "exchangeName": security.exchange_mic,
            "instrumentType": _KINDS.get(security.security_type, "EQUITY"),
            "firstTradeDate": 1262615400,
            "regularMarketTime": int(self.now.timestamp()),
            "gmtoffset": -18000 if calendar == "XNYS" else 28800,
            "timezone": "EST" if calendar == "XNYS" else "HKT",
            "exchangeTimezoneName": _ZONES[calendar],
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "max"],
        }
        if rows.empty:
            # So Yahoo answers where there is nothing: no time stamps, and empty objects.
            empty = {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
            return {"chart": {"result": [empty], "error": None}}
        quotes = {name: _column(rows[name]) for name in (*_PRICES, "volume")}
        result: dict[str, Any] = {
            "meta": meta,
            "timestamp": rows["timestamp"].tolist(),
            "indicators": {
                "quote": [quotes],
                "adjclose": [{"adjclose": _column(rows["adj_close"])}],
            },
        }
        events = self._events(ticker, period1, period2)
        if events:
            result["events"] = events
        return {"chart": {"result": [result], "error": None}}

    def _as_known(self, ticker: str) -> pd.DataFrame:
        """The history as it stands on the day, with the session under way."""
        calendar = _calendar_of(SECURITIES[ticker])
        base, since = base_history(ticker)
        held = calendars.calendar(calendar)
        opens = held.opens.reindex(base.index)
        rows = base[(opens <= pd.Timestamp(self.now)).to_numpy()].copy()
        for fault in self.corrections.get(ticker, []):
            if fault.known_from <= self.today:
                rows.loc[pd.Timestamp(fault.session_date), fault.column] = fault.value
        factor = pd.Series(1.0, index=rows.index)
        for split in self.splits.get(ticker, []):
            if since < split.ex_date <= self.today:
                late = ticker in self.not_adjusted_yet
                in_new_shares = rows.index >= pd.Timestamp(split.ex_date) if late else slice(None)
                factor[in_new_shares] *= split.value
        paid = pd.Series(1.0, index=rows.index)
        for dividend in self.dividends.get(ticker, []):
            before = rows.index < pd.Timestamp(dividend.ex_date)
            if since < dividend.ex_date <= self.today and before.any():
                paid[before] *= 1 - dividend.value / rows["close"][before].iloc[-1]
        rows["adj_close"] *= paid
        for name in (*_PRICES, "adj_close"):
            rows[name] = (rows[name] / factor).astype("float32").astype("float64")
        rows["volume"] = (rows["volume"] * factor).round()
        rows["timestamp"] = _seconds(held.opens.reindex(rows.index))
        return self._with_last_session(rows, held.closes)

    def _with_last_session(self, rows: pd.DataFrame, closes: Any) -> pd.DataFrame:
        """Give the last row as it stands at the moment.

        While its session is under way it is unfinished; on the evening after it stands twice, first
        with a volume that is a little short.
        """
        if rows.empty:
            return rows
        session = rows.index[-1]
        newest = rows.iloc[[-1]].copy()
        closed = closes[session] <= pd.Timestamp(self.now)
        if not closed:
            newest["close"] = newest[["open", "close"]].mean(axis=1)
            newest["adj_close"] = newest["close"]
            newest["volume"] = (newest["volume"] / 2).round()
            newest["timestamp"] = int(self.now.timestamp())
            return pd.concat([rows.iloc[:-1], newest])
        if session.date() == self.today:
            early = rows.iloc[[-1]].copy()
            early["volume"] = (early["volume"] * 0.99).round()
            newest["timestamp"] = int(closes[session].timestamp()) + 1
            return pd.concat([rows.iloc[:-1], early, newest])
        return rows

    def _events(self, ticker: str, period1: int, period2: int) -> dict[str, Any]:
        opens = calendars.calendar(_calendar_of(SECURITIES[ticker])).opens
        known: dict[str, Any] = {}
        for dividend in self.dividends.get(ticker, []):
            moment = int(opens[pd.Timestamp(dividend.ex_date)].timestamp())
            if dividend.ex_date <= self.today and period1 <= moment < period2:
                event: dict[str, Any] = {"amount": dividend.value, "date": moment}
                known.setdefault("dividends", {})[str(moment)] = event
        for split in self.splits.get(ticker, []):
            moment = int(opens[pd.Timestamp(split.ex_date)].timestamp())
            if split.ex_date <= self.today and period1 <= moment < period2:
                event = {"date": moment, "numerator": split.value, "denominator": 1.0,
                         "splitRatio": f"{split.value:g}:1"}  # fmt: skip
                known.setdefault("splits", {})[str(moment)] = event
        return known


_CONSENT = (
    b"<html><body><form><input name='csrfToken' value='made'>"
    b"<input name='sessionId' value='made'></form></body></html>"
)


def _json(content: Chart, status: int = 200) -> Reply:
    headers = {"Content-Type": "application/json;charset=utf-8"}
    return Reply(json.dumps(content).encode(), status, headers)


def not_found() -> Chart:
    """What Yahoo says of a ticker that it does not know; goes with status 404."""
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return {"chart": {"result": None, "error": error}}


@cache
def base_history(ticker: str) -> tuple[pd.DataFrame, date]:
    """Rows by session, and the day up to whose splits and dividends they are adjusted."""
    mic = SECURITIES[ticker].exchange_mic
    held = calendars.sessions(REGISTRY, mic)
    held = held[held >= pd.Timestamp(_FIRST_SESSION)]
    path = REAL_PRICES / f"{ticker}.csv"
    real = pd.DataFrame()
    if path.is_file():
        read = price_file.read(path)
        if read["close"].notna().all():
            real = read.set_index(pd.DatetimeIndex(read["session_date"]))
            real = real.loc[_FIRST_SESSION:, [*_PRICES, "adj_close", "volume"]]
    after = held if real.empty else held[held > real.index[-1]]
    # A random walk, seeded by the name.
    random = np.random.default_rng(zlib.crc32(ticker.encode()))
    start = float(real["close"].iloc[-1]) if len(real) else float(random.uniform(20, 400))
    moves = np.clip(random.normal(0.0002, 0.015, len(after)), -0.06, 0.06)
    close = start * np.exp(np.cumsum(moves))
    opened = close * np.exp(random.normal(0, 0.004, len(after)))
    made = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * 1.01,
            "low": np.minimum(opened, close) * 0.99,
            "close": close,
            "adj_close": close,
            "volume": random.integers(1_000_000, 90_000_000, len(after)).astype(float),
        },
        index=after,
    )
    since = real.index[-1].date() if len(real) else date(2000, 1, 1)
    return pd.concat([real, made]) if len(real) else made, since


def _calendar_of(security: Security) -> str:
    exchanges = {e.exchange_mic: e.calendar for e in REGISTRY.entries(Exchange)}
    return exchanges[security.exchange_mic]


def _seconds(moments: Any) -> Any:
    return (moments - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)


def _column(values: Any) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]


# How a chart is made wrong.


def _changed(change: Callable[[Chart, Chart], None]) -> Fault:
    """A fault that changes a chart, given the result and its quotes."""

    def spoil(body: bytes) -> bytes:
        content = json.loads(body)
        (result,) = content["chart"]["result"]
        change(result, result["indicators"]["quote"][0])
        return json.dumps(content).encode()

    return with_body(spoil)


def _lists(result: Chart) -> list[list[Any]]:
    quotes = result["indicators"]["quote"][0]
    adjusted = result["indicators"]["adjclose"][0]
    return [result["timestamp"], *quotes.values(), *adjusted.values()]


def _empty(result: Chart, quotes: Chart) -> None:
    del result["timestamp"]
    result["indicators"] = {"quote": [{}], "adjclose": [{}]}


def _null_values(result: Chart, quotes: Chart) -> None:
    """The third newest session has no value at all, the one before no volume."""
    for values in _lists(result)[1:]:
        values[-3] = None
    quotes["volume"][-4] = None


def _repeated(result: Chart, place: int) -> None:
    for values in _lists(result):
        values.insert(place, values[place])


def _contradicting(result: Chart, quotes: Chart) -> None:
    _repeated(result, -4)
    quotes["close"][-4] = quotes["low"][-4]


def _unsorted(result: Chart, quotes: Chart) -> None:
    for values in _lists(result):
        values.reverse()


def _future(result: Chart, quotes: Chart) -> None:
    """The newest session twice, the second time dated 30 days later."""
    for values in _lists(result):
        values.append(values[-1])
    result["timestamp"][-1] += 30 * 24 * 60 * 60


def _changed_type(result: Chart, quotes: Chart) -> None:
    quotes["close"] = [str(close) for close in quotes["close"]]


FORMAT_FAULTS: Mapping[str, Fault] = {
    "empty result": _changed(_empty),
    "renamed field": _changed(lambda result, quotes: quotes.update(last=quotes.pop("close"))),
    "extra field": _changed(lambda result, quotes: quotes.update(vwap=quotes["close"])),
    "changed type": _changed(_changed_type),
    "null values": _changed(_null_values),
    "duplicated rows": _changed(lambda result, quotes: _repeated(result, -4)),
    "unsorted rows": _changed(_unsorted),
    "future date": _changed(_future),
}
#: Faults that yfinance would pass over in silence.
YAHOO_FAULTS: Mapping[str, Fault] = {
    "contradicting rows": _changed(_contradicting),
    "no adjusted closes": _changed(lambda result, quotes: result["indicators"].pop("adjclose")),
    "another ticker's chart": _changed(lambda result, quotes: result["meta"].update(symbol="JD")),
}
assert {*FORMAT_FAULTS, "rewritten history"} == set(NAMES)
