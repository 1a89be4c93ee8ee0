"""What the live sources are divided by: prices by security, macro by series, filings one by one."""

from __future__ import annotations

import dagster as dg

from orchestration.registry import load_registry
from orchestration.registry.entries import Exchange, MacroSeries, Security

_REGISTRY = load_registry()
_CALENDARS = {e.exchange_mic: e.calendar for e in _REGISTRY.entries(Exchange)}


def securities_of(calendar: str) -> list[str]:
    """Return the securities whose exchange keeps the sessions of ``calendar``."""
    return sorted(
        s.security_key
        for s in _REGISTRY.entries(Security)
        if _CALENDARS[s.exchange_mic] == calendar
    )


def series_of(upstream: str) -> list[str]:
    """Return the series that ``upstream`` serves."""
    return sorted(
        s.series_id for s in _REGISTRY.entries(MacroSeries) if s.live_upstream == upstream
    )


#: Securities of one calendar stand together, so that a schedule can ask for them as one range.
SECURITIES = dg.StaticPartitionsDefinition(
    [s for calendar in sorted(set(_CALENDARS.values())) for s in securities_of(calendar)]
)
FRED_SERIES = dg.StaticPartitionsDefinition(series_of("fred"))
WORLDBANK_SERIES = dg.StaticPartitionsDefinition(series_of("worldbank"))
#: SEC accession numbers, added as they are seen.
FILINGS = dg.DynamicPartitionsDefinition(name="filings")


def range_tags(keys: list[str]) -> dict[str, str]:
    """Return the tags that make one run of a range of partitions."""
    return {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
