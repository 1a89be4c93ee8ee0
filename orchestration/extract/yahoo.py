"""Daily prices and corporate actions of Yahoo Finance, through yfinance.

yfinance does the talking: cookie, crumb, consent page, time zone and the request itself, over a
session of ours. Rows are read from the answer that it was given and not from the frame it returns,
because on the way there it writes 0 for a missing volume, takes the close for an adjusted close
that is missing, keeps the first of two rows that contradict each other, and moves a dividend to the
session before when its own is missing; all of it in silence.

Known flaws of the data: prices are adjusted for every split up to the day of collection and
rewritten at the next one; adjusted closes are rewritten at every dividend; sessions come without
prices, twice, or not at all. While an exchange is open the last row is that of an unfinished
session.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd
from curl_cffi import CurlECode, CurlOpt
from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import (
    ContentDecodingError,
    RequestException,
    Timeout,
    TooManyRedirects,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.extract.transport import (
    MayHeal,
    Policy,
    TooLarge,
    UnexpectedAnswer,
    UpstreamError,
    UpstreamRefused,
    asked_patiently,
    host_of,
    judge_status,
    unexpected_field,
)

NAME = "yahoo"
#: Yahoo names no limit; people are locked out above some 2,000 requests an hour.
REQUESTS_PER_SECOND = 2.0
PRICES = ("open", "high", "low", "close", "adj_close")
#: The oldest day that a time stamp of the API can name.
OLDEST = date(1970, 1, 1)
_HOST = "https://query2.finance.yahoo.com"
_CHART = "/v8/finance/chart/"
#: Bars begin at the opening of their session, or at a midnight that daylight saving has moved by an
#: hour or two: so much later it is the day of the session in either case.
_INTO_THE_DAY = timedelta(hours=2)


class GuardedSession(Session[Response]):
    """The session that yfinance asks through, with the limits of a :class:`Policy`.

    Charts are asked for with retries, breaker and a limit on size. The handshake before them
    (cookie, crumb, consent) is asked for once: yfinance goes on without it, and so does Yahoo. With
    a ``base_url`` every host of Yahoo stands there, yfinance itself stays as it is.

    Safe for several threads, which share cookies, rate limit and breaker.
    """

    def __init__(self, policy: Policy | None = None, base_url: str | None = None) -> None:
        self.policy = policy or Policy(requests_per_second=REQUESTS_PER_SECOND)
        self._stand_in = base_url.rstrip("/") if base_url else None
        self._of_thread = threading.local()
        super().__init__(
            # Yahoo turns away whatever does not look like a browser.
            impersonate="chrome",
            max_redirects=self.policy.max_redirects,
            curl_options={
                CurlOpt.CONNECTTIMEOUT_MS: int(self.policy.connect_timeout_seconds * 1000),
                # A body that stalls: fewer bytes a second than this for so many seconds.
                CurlOpt.LOW_SPEED_LIMIT: 1,
                CurlOpt.LOW_SPEED_TIME: max(1, int(self.policy.read_timeout_seconds)),
            },
        )

    def chart_url(self, ticker: str) -> str:
        """Return the address of a ticker's chart, as messages name it."""
        return self._address(f"{_HOST}{_CHART}{quote(ticker)}")

    @contextmanager
    def recording(self) -> Iterator[list[Response]]:
        """Collect the charts that this thread is answered with while the block runs."""
        charts: list[Response] = []
        self._of_thread.charts = charts
        try:
            yield charts
        finally:
            del self._of_thread.charts

    def request(self, method: Any, url: str, **options: Any) -> Response:  # type: ignore[override]
        """Send one request of yfinance's, whose own time-out is left out of account.

        Raises:
            UpstreamUnavailable, UpstreamRefused, UnexpectedAnswer: for a chart that did not come.
        """
        is_chart = urlsplit(url).path.startswith(_CHART)
        url = self._address(url)
        if not is_chart:
            return self._shake_hands(method, url, options)
        try:
            chart = asked_patiently(
                lambda: self._ask(method, url, options), upstream=NAME, url=url, policy=self.policy
            )
        except TooManyRedirects as error:
            reason = f"redirects more than {self.policy.max_redirects} times"
            raise UnexpectedAnswer(NAME, url, reason) from error
        except ContentDecodingError as error:
            raise UnexpectedAnswer(NAME, url, "body cannot be unpacked") from error
        except TooLarge as error:
            raise UnexpectedAnswer(NAME, url, str(error)) from error
        if hasattr(self._of_thread, "charts"):
            self._of_thread.charts.append(chart)
        return chart

    def _shake_hands(self, method: Any, url: str, options: dict[str, Any]) -> Response:
        host_of(url, self.policy).limiter.wait()
        response = self._send(method, url, options)
        if url.endswith("getcrumb"):
            # yfinance would take the words of an error for a crumb, and keep them.
            response.raise_for_status()  # type: ignore[no-untyped-call]
        return response

    def _ask(self, method: Any, url: str, options: dict[str, Any]) -> Response:
        try:
            response = self._send(method, url, options)
        except (TooManyRedirects, ContentDecodingError):
            raise
        except Timeout as error:
            raise MayHeal(f"no answer in time ({type(error).__name__})") from error
        except RequestException as error:
            if error.code == CurlECode.WRITE_ERROR:
                raise TooLarge(f"goes on beyond {self.policy.max_bytes:,} bytes") from error
            raise MayHeal(f"connection failed ({type(error).__name__})") from error
        # A crumb that has run out: yfinance gets a new one and asks once more.
        if response.status_code != 401:
            if reason := _refusal(response):
                raise UpstreamRefused(NAME, url, reason)
            headers = {name: value or "" for name, value in response.headers.items()}
            judge_status(NAME, url, response.status_code, headers)
        return response

    def _send(self, method: Any, url: str, options: dict[str, Any]) -> Response:
        content = bytearray()

        def take(piece: bytes) -> int:
            if len(content) + len(piece) > self.policy.max_bytes:
                return CURL_WRITEFUNC_ERROR
            content.extend(piece)
            return len(piece)

        limits = {"timeout": self.policy.total_timeout_seconds, "content_callback": take}
        response = super().request(method, url, **options | limits)
        response.content = bytes(content)
        return response

    def _address(self, url: str) -> str:
        parts = urlsplit(url)
        if self._stand_in is None or not (parts.hostname or "").endswith("yahoo.com"):
            return url
        query = f"?{parts.query}" if parts.query else ""
        return f"{self._stand_in}{parts.path or '/'}{query}"


def fetch_history(
    ticker: str,
    first: date | None,
    last: date,
    *,
    session: GuardedSession,
    collected_on: date,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return daily prices and corporate actions of a ticker from ``first`` to ``last``.

    The columns are those of a batch of ``daily_price`` and of ``corporate_action``; ``first`` empty
    asks for all there is. Prices are in the ticker's currency, unadjusted for dividends, in the
    splits of ``collected_on`` (none for an index). Rows without any price and exact repetitions are
    left out; what is wrong otherwise is left to the guard. Yahoo may add the session under way
    after ``last``: up to ``collected_on`` that is cut off, later days are an error and stay.

    Raises:
        UpstreamUnavailable, UpstreamRefused: when Yahoo does not answer, or not this request.
        UnexpectedAnswer: when the answer is none that we know, is of another ticker, or is empty.
    """
    yfinance = _yfinance()
    url = session.chart_url(ticker)
    with session.recording() as charts:
        try:
            yfinance.Ticker(ticker, session=session).history(
                start=first or OLDEST,
                end=last + timedelta(days=1),
                interval="1d",
                auto_adjust=False,
                actions=True,
            )
        except UpstreamError:
            raise
        # yfinance raises whatever its reading of an answer happens to run into.
        except Exception as error:
            if charts:
                _read(charts[-1], url)
            raise UnexpectedAnswer(NAME, url, f"yfinance: {error}") from error
    chart = _read(charts[-1], url)
    if chart.meta.symbol.upper() != ticker.upper():
        raise UnexpectedAnswer(NAME, url, f"is of {chart.meta.symbol}, not of {ticker}")
    source_url = f"https://finance.yahoo.com/quote/{quote(ticker)}/history"
    provenance = {"source": NAME, "source_url": source_url}
    try:
        prices, actions = _prices(chart, ticker, collected_on), _actions(chart, ticker)
    except (ValueError, OverflowError) as error:
        raise UnexpectedAnswer(NAME, url, str(error)) from error
    prices = prices[_is_asked_for(prices["session_date"], last, collected_on)]
    actions = actions[_is_asked_for(actions["ex_date"], last, collected_on)]
    prices, actions = prices.reset_index(drop=True), actions.reset_index(drop=True)
    if prices.empty:
        raise UnexpectedAnswer(NAME, url, f"has no price from {first or 'the first'} to {last}")
    return prices.assign(**provenance), actions.assign(**provenance)


def set_cache_folder(folder: Path) -> None:
    """Keep yfinance's cookies and time zones in ``folder`` from now on."""
    yfinance = _yfinance()
    from yfinance import cache

    folder.mkdir(parents=True, exist_ok=True)
    if cache._TzDBManager.get_location() == str(folder):
        return
    yfinance.set_tz_cache_location(str(folder))
    # What has been opened once stays with its file: it would go on in the folder of before.
    cache._TzCacheManager._tz_cache = None
    cache._CookieCacheManager._Cookie_cache = None


def _yfinance() -> Any:
    """Import yfinance, which takes seconds, and make it say what goes wrong."""
    import yfinance
    from yfinance.data import YfData

    yfinance.config.debug.hide_exceptions = False
    # What pandas will deprecate is for yfinance to read, not for our users.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"yfinance\.")
    # It keeps answers for as long as the process lives: a history fetched again would be the old.
    YfData.cache_get.cache_clear()
    return yfinance


# The answer. Fields that are not listed may come and go; one that is listed may not.


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Meta(_Part):
    symbol: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    instrument: str = Field(alias="instrumentType")
    time_zone: str = Field(alias="exchangeTimezoneName")
    granularity: str = Field(alias="dataGranularity", pattern="^1d$")


class _Quote(_Part):
    open: list[float | None]
    high: list[float | None]
    low: list[float | None]
    close: list[float | None]
    volume: list[float | None]


class _AdjustedClose(_Part):
    adj_close: list[float | None] = Field(alias="adjclose")


class _Indicators(_Part):
    quote: list[_Quote] = Field(min_length=1)
    adjusted: list[_AdjustedClose] = Field(alias="adjclose", min_length=1)


class _Dividend(_Part):
    amount: float
    date: int
    currency: str = ""


class _Split(_Part):
    numerator: float
    denominator: float = Field(gt=0)
    date: int


class _Events(_Part):
    dividends: dict[str, _Dividend] = {}
    splits: dict[str, _Split] = {}


class _Chart(_Part):
    meta: _Meta
    timestamp: list[int]
    indicators: _Indicators
    events: _Events = _Events()


def _refusal(response: Response) -> str | None:
    """Yahoo's own words for a request that it will not answer, a ticker unknown to it, say."""
    if not 400 <= response.status_code < 500 or response.status_code == 429:
        return None
    try:
        words = json.loads(response.content)["chart"]["error"]["description"]
    except (ValueError, KeyError, TypeError):
        return None
    return f"answers {response.status_code}: {words}"


def _read(response: Response, url: str) -> _Chart:
    if response.status_code == 401:
        raise UpstreamRefused(NAME, url, "answers 401, with a new crumb too")
    try:
        content = json.loads(response.content)
    except ValueError as error:
        beginning = response.content[:60].decode("utf-8", errors="replace")
        raise UnexpectedAnswer(NAME, url, f"is no JSON, begins with {beginning!r}") from error
    try:
        chart = content["chart"]
        if chart["error"]:
            raise UnexpectedAnswer(NAME, url, str(chart["error"]["description"]))
        results = chart["result"]
        if not results or "timestamp" not in results[0]:
            raise UnexpectedAnswer(NAME, url, "is empty: holds no session")
        return _Chart.model_validate(results[0])
    except ValidationError as error:
        raise unexpected_field(NAME, url, error) from error
    except (KeyError, TypeError, IndexError) as error:
        raise UnexpectedAnswer(NAME, url, f"is no chart: {error!r}") from error


def _prices(chart: _Chart, ticker: str, collected_on: date) -> pd.DataFrame:
    rows = pd.DataFrame({"timestamp": chart.timestamp})
    given = chart.indicators.quote[0].model_dump() | chart.indicators.adjusted[0].model_dump()
    for name, values in given.items():
        if len(values) != len(rows):
            raise ValueError(f"{name} has {len(values)} values for {len(rows)} time stamps")
        rows[name] = pd.array(values, dtype="float64")
    rows = rows.dropna(how="all", subset=list(PRICES)).drop_duplicates()
    rows = rows.sort_values("timestamp", kind="stable", ignore_index=True)
    rows["session_date"] = _days(rows["timestamp"].tolist(), chart.meta)
    # On the evening after it Yahoo gives a session twice, the second time with its final volume.
    newest = rows["session_date"] == max(
        (day for day in rows["session_date"] if day <= collected_on), default=None
    )
    rows = rows[~newest | (rows["timestamp"] == rows["timestamp"][newest].max())]
    is_index = chart.meta.instrument == "INDEX"
    return pd.DataFrame(
        {
            "ticker": ticker,
            "session_date": rows["session_date"],
            **{name: rows[name] for name in (*PRICES, "volume")},
            "currency": chart.meta.currency,
            "observation_frequency": "daily",
            "split_basis": None if is_index else collected_on,
        }
    )


def _actions(chart: _Chart, ticker: str) -> pd.DataFrame:
    dividends = [
        (d.date, "dividend", d.amount, f"{d.currency or chart.meta.currency} per share")
        for d in chart.events.dividends.values()
    ]
    splits = [
        (s.date, "split", s.numerator / s.denominator, "ratio")
        for s in chart.events.splits.values()
    ]
    actions = sorted({*dividends, *splits})
    frame = pd.DataFrame(actions, columns=["timestamp", "action", "value", "unit"])
    frame.insert(0, "ticker", ticker)
    frame.insert(1, "ex_date", _days(frame.pop("timestamp").tolist(), chart.meta))
    return frame


def _days(timestamps: list[int], meta: _Meta) -> Any:
    moments = pd.to_datetime(pd.Series(timestamps, dtype="int64"), unit="s", utc=True)
    return (moments.dt.tz_convert(meta.time_zone) + _INTO_THE_DAY).dt.date


def _is_asked_for(days: Any, last: date, collected_on: date) -> Any:
    return days.map(lambda day: not last < day <= collected_on).astype(bool)
