"""The registry and the trading days, written where dbt reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.registry import load_registry
from orchestration.settings import warehouse_home
from orchestration.transform.reference import write_calendar_dates, write_registry

REGISTRY = dg.AssetKey(["reference", "registry"])
CALENDAR_DATES = dg.AssetKey(["reference", "calendar_dates"])


@dg.multi_asset(
    name="reference",
    specs=[
        dg.AssetSpec(
            REGISTRY,
            group_name="reference",
            description="Companies, securities, structures, segments, metrics, series, comparisons "
            "and claims: data files, validated one by one and against each other.",
            kinds={"python", "csv"},
        ),
        dg.AssetSpec(
            CALENDAR_DATES,
            group_name="reference",
            description="One row per day with the sessions of New York and Hong Kong.",
            kinds={"python", "parquet"},
        ),
    ],
)
def reference_tables() -> Iterator[Any]:
    """Validate the registry and write it, with the trading days, for dbt."""
    home, registry = warehouse_home(), load_registry()
    rows = write_registry(home, registry)
    yield dg.MaterializeResult(
        REGISTRY, metadata={"dagster/row_count": sum(rows.values()), "files": rows}
    )
    yield dg.MaterializeResult(
        CALENDAR_DATES, metadata={"dagster/row_count": write_calendar_dates(home, registry)}
    )
