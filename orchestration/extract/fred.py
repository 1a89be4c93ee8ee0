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
from datetime import date
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.extract.series import Observation, Series, as_batch
from orchestration.extract.transport import Transport, UnexpectedAnswer, unexpected_field

NAME = "fred"
CSV_URL = "https://fred.stlouisfed.org/graph/fredgraph.csv"
API_URL = "https://api.stlouisfed.org/fred/series/observations"
PAGE = "https://fred.stlouisfed.org/series/"
_DATE_COLUMNS = ("observation_date", "DATE")
_MISSING = ("", ".")
#: The API refuses a request that spans more vintages than this: a daily series has 250 a year.
_MOST_VINTAGES = 2000
_LARGEST_PAGES = {"observations": 100_000, "vintage_dates": 10_000}


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
    for first, last in _windows(transport, series, api_key, base_url):
        for observation in _vintages(transport, series, api_key, first, last, base_url):
            # A window repeats what was said before it, as of its own first day.
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


class _Observations(BaseModel):
    model_config = ConfigDict(extra="ignore")

    count: int
    rows: list[_Row] = Field(alias="observations")


class _VintageDates(BaseModel):
    model_config = ConfigDict(extra="ignore")

    count: int
    rows: list[date] = Field(alias="vintage_dates")


def _windows(
    transport: Transport, series: Series, api_key: str, base_url: str
) -> Iterator[tuple[date, date]]:
    """Cut the vintages of a series into real-time periods that the API will answer."""
    url = f"{base_url.rsplit('/', 1)[0]}/vintagedates"
    dates = sorted(_rows(transport, url, series, api_key, {}, _VintageDates))
    for start in range(0, len(dates), _MOST_VINTAGES):
        window = dates[start : start + _MOST_VINTAGES]
        yield window[0], window[-1]


def _vintages(
    transport: Transport, series: Series, api_key: str, first: date, last: date, base_url: str
) -> Iterator[Observation]:
    period = {"realtime_start": first.isoformat(), "realtime_end": last.isoformat()}
    rows = _rows(transport, base_url, series, api_key, period, _Observations)
    for row in sorted(rows, key=lambda row: (row.date, row.realtime_start)):
        if row.value not in _MISSING:
            try:
                yield Observation(row.date, row.realtime_start, float(row.value))
            except ValueError as error:
                reason = f"{series.name_there} {row.date}: {error}"
                raise UnexpectedAnswer(NAME, base_url, reason) from error


def _rows(
    transport: Transport,
    url: str,
    series: Series,
    api_key: str,
    parameters: dict[str, str],
    page: type[_Observations] | type[_VintageDates],
) -> Iterator[Any]:
    """Ask for page after page until all rows that the first one promises have come."""
    limit = _LARGEST_PAGES[page.model_fields["rows"].alias or ""]
    offset, count = 0, 1
    while offset < count:
        answer = transport.get(
            url,
            {
                "series_id": series.name_there,
                "api_key": api_key,
                "file_type": "json",
                **parameters,
                "limit": str(limit),
                "offset": str(offset),
            },
        )
        content = _read_page(answer.content, answer.url, page)
        yield from content.rows
        if content.count > offset and not content.rows:
            raise UnexpectedAnswer(NAME, answer.url, f"promises {content.count} rows, ends early")
        count = content.count
        offset += len(content.rows)


def _read_page(
    content: bytes, url: str, page: type[_Observations] | type[_VintageDates]
) -> _Observations | _VintageDates:
    try:
        return page.model_validate(json.loads(content))
    except ValidationError as error:
        raise unexpected_field(NAME, url, error) from None
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswer(NAME, url, f"is no JSON: {error}") from None
