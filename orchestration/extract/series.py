"""What FRED, the World Bank and others have in common: a series and its observations.

Observations without a value are left out, missing is null and never zero; a row said twice in the
same words is one row. Rows that contradict each other are left for the guard.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import pandas as pd

COLUMNS = ("series_id", "observation_date", "vintage_date", "value", "unit", "source", "source_url")


@dataclass(frozen=True)
class Series:
    """A series as the registry knows it (``series_id``, ``unit``) and as its upstream names it."""

    series_id: str
    unit: str
    name_there: str


class Observation(NamedTuple):
    """One value of a series, in the unit of the series."""

    observation_date: date
    vintage_date: date
    value: float


def as_batch(
    series: Series, observations: Iterable[Observation], source: str, source_url: str
) -> pd.DataFrame:
    """Return observations as a batch of ``macro_observation``, without repetitions."""
    rows = [
        (series.series_id, o.observation_date, o.vintage_date, o.value, series.unit)
        for o in dict.fromkeys(observations)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS[:5]))
    return frame.assign(source=source, source_url=source_url)
