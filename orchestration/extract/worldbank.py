"""World Bank Open Data, API version 2.

One series is one country's indicator, named ``CHN/NY.GDP.MKTP.KD.ZG``. A year's value stands on its
last day; the vintage is the day the World Bank last updated its database. Known flaws: errors come
with status 200; the API answers 502 and HTML at times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.extract.series import Observation, Series, as_batch
from orchestration.extract.transport import Transport, UnexpectedAnswer, unexpected_field

NAME = "worldbank"
API_URL = "https://api.worldbank.org/v2"
PAGE = "https://data.worldbank.org/indicator/"
_ROWS_A_PAGE = 100


class _Head(BaseModel):
    model_config = ConfigDict(extra="ignore")

    page: int
    pages: int
    updated: date = Field(alias="lastupdated")


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    date: str = Field(pattern=r"^\d{4}$")
    value: float | None


def fetch(transport: Transport, series: Series, *, base_url: str = API_URL) -> pd.DataFrame:
    """Return a series as a batch of ``macro_observation``.

    Raises:
        UpstreamUnavailable, UpstreamRefused: when the World Bank does not answer.
        UnexpectedAnswer: when it answers with an error, in another form, or with no value.
    """
    country, indicator = series.name_there.split("/")
    observations = list(_pages(transport, country, indicator, base_url))
    if not observations:
        raise UnexpectedAnswer(NAME, base_url, f"{series.name_there}: holds no value")
    return as_batch(series, observations, NAME, f"{PAGE}{indicator}?locations={country}")


def _pages(
    transport: Transport, country: str, indicator: str, base_url: str
) -> Iterator[Observation]:
    page, pages = 1, 1
    while page <= pages:
        answer = transport.get(
            f"{base_url}/country/{country}/indicator/{indicator}",
            {"format": "json", "per_page": str(_ROWS_A_PAGE), "page": str(page)},
        )
        head, rows = _read(answer.content, answer.url)
        if head.pages > page and not rows:
            reason = f"promises {head.pages} pages, ends at page {page}"
            raise UnexpectedAnswer(NAME, answer.url, reason)
        for row in rows:
            if row.value is not None:
                yield Observation(date(int(row.date), 12, 31), head.updated, row.value)
        page, pages = page + 1, head.pages


def _read(content: bytes, url: str) -> tuple[_Head, list[_Row]]:
    try:
        answer: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswer(NAME, url, f"is no JSON: {error}") from None
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        if "message" in answer[0]:
            said = "; ".join(str(m.get("value", m)) for m in answer[0]["message"])
            raise UnexpectedAnswer(NAME, url, f"says: {said}")
        try:
            rows = answer[1] if len(answer) > 1 and answer[1] else []
            if not rows and answer[0].get("total") == 0:
                # Such a header has no day of update.
                raise UnexpectedAnswer(NAME, url, "is empty: holds no value")
            return _Head.model_validate(answer[0]), [_Row.model_validate(row) for row in rows]
        except ValidationError as error:
            raise unexpected_field(NAME, url, error) from None
    raise UnexpectedAnswer(NAME, url, "is not a header and rows")
