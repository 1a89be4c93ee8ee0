"""FRED, the data service of the Federal Reserve Bank of St. Louis.

Without a key the public CSV gives the newest value of every observation; its vintage is the day of
collection. With a key the API gives every vintage since a value was first published. Values are in
the unit of the series. Known flaws: missing values are ``.`` or empty; the CSV's date column was
called ``DATE`` before December 2024.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.extract.series import Observation, Series, as_batch
from orchestration.extract.transport import Transport, UnexpectedAnswer

NAME = "fred"
CSV_URL = "https://fred.stlouisfed.org/graph/fredgraph.csv"
API_URL = "https://api.stlouisfed.org/fred/series/observations"
PAGE = "https://fred.stlouisfed.org/series/"
_DATE_COLUMNS = ("observation_date", "DATE")
_MISSING = ("", ".")
#: The API refuses a request that spans more than 2,000 vintages: a daily series has 250 a year.
_FIRST_WINDOW_ENDS, _YEARS_A_WINDOW = 1994, 5
_LARGEST_PAGE = 100_000


def fetch_csv(
    transport: Transport, series: Series, *, collected_on: date, base_url: str = CSV_URL
) -> pd.DataFrame:
    """Return the newest value of every observation, as a batch of ``macro_observation``.

    Raises:
        UpstreamUnavailable, UpstreamRefused: when FRED does not answer, or not this series.
        UnexpectedAnswer: when the answer is no CSV of this series, or holds no value.
    """
    answer = transport.get(base_url, {"id": series.name_there})
    observations = list(_read_csv(answer.content, series, collected_on, answer.url))
    if not observations:
        raise UnexpectedAnswer(NAME, answer.url, "is empty: holds no value")
    return as_batch(series, observations, NAME, PAGE + series.name_there)


def fetch_vintages(
    transport: Transport,
    series: Series,
    *,
    api_key: str,
    collected_on: date,
    base_url: str = API_URL,
) -> pd.DataFrame:
    """Return every vintage of every observation, as a batch of ``macro_observation``.

    A vintage that repeats the value before it is no revision and no row.

    Raises:
        UpstreamUnavailable, UpstreamRefused: when FRED does not answer, or not this series.
        UnexpectedAnswer: when the answer is not as the API describes it, or holds no value.
    """
    known: dict[date, float] = {}
    observations: list[Observation] = []
    for first, last in _windows(collected_on):
        for observation in _vintages(transport, series, api_key, first, last, base_url):
            if known.get(observation.observation_date) != observation.value:
                known[observation.observation_date] = observation.value
                observations.append(observation)
    if not observations:
        raise UnexpectedAnswer(NAME, base_url, f"{series.name_there}: holds no value")
    return as_batch(series, observations, NAME, PAGE + series.name_there)


def _read_csv(
    content: bytes, series: Series, collected_on: date, url: str
) -> Iterator[Observation]:
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnexpectedAnswer(NAME, url, f"is no CSV: {error}") from error
    header = rows[0] if rows else []
    dated = next((name for name in _DATE_COLUMNS if name in header), None)
    if dated is None or series.name_there not in header:
        raise UnexpectedAnswer(
            NAME, url, f"columns are {header[:4]}, not observation_date and {series.name_there}"
        )
    if not content.endswith(b"\n"):
        # FRED ends its last line; a body cut off within a number would read as another number.
        raise UnexpectedAnswer(NAME, url, "ends in mid-line")
    day, value = header.index(dated), header.index(series.name_there)
    for number, cells in enumerate(rows[1:], start=2):
        try:
            if cells[value] not in _MISSING:
                yield Observation(date.fromisoformat(cells[day]), collected_on, float(cells[value]))
        except (IndexError, ValueError) as error:
            raise UnexpectedAnswer(NAME, url, f"line {number}: {cells}: {error}") from error


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")

    realtime_start: date
    date: date
    value: str


class _Page(BaseModel):
    model_config = ConfigDict(extra="ignore")

    count: int
    offset: int
    observations: list[_Row]


def _windows(until: date) -> Iterator[tuple[date, date]]:
    yield date(1776, 7, 4), date(_FIRST_WINDOW_ENDS, 12, 31)
    first = date(_FIRST_WINDOW_ENDS + 1, 1, 1)
    while first <= until:
        following = date(first.year + _YEARS_A_WINDOW, 1, 1)
        yield first, min(following - timedelta(days=1), until)
        first = following


def _vintages(
    transport: Transport, series: Series, api_key: str, first: date, last: date, base_url: str
) -> Iterator[Observation]:
    offset, count = 0, 1
    while offset < count:
        answer = transport.get(
            base_url,
            {
                "series_id": series.name_there,
                "api_key": api_key,
                "file_type": "json",
                "realtime_start": first.isoformat(),
                "realtime_end": last.isoformat(),
                "limit": str(_LARGEST_PAGE),
                "offset": str(offset),
            },
        )
        page = _read_page(answer.content, answer.url)
        for row in sorted(page.observations, key=lambda row: (row.date, row.realtime_start)):
            if row.value not in _MISSING:
                try:
                    value = float(row.value)
                except ValueError as error:
                    raise UnexpectedAnswer(NAME, answer.url, f"{row.date}: {error}") from error
                yield Observation(row.date, row.realtime_start, value)
        if page.count > offset and not page.observations:
            raise UnexpectedAnswer(NAME, answer.url, f"promises {page.count} rows, ends early")
        count = page.count
        offset += len(page.observations)


def _read_page(content: bytes, url: str) -> _Page:
    try:
        return _Page.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UnexpectedAnswer(NAME, url, f"{field}: {first['msg']}") from None
    except ValueError as error:
        raise UnexpectedAnswer(NAME, url, f"is no JSON: {error}") from None
