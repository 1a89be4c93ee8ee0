"""The registry, the trading days and the load log, written where dbt reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.assets import catalogue
from orchestration.assets.baseline import baseline_facts
from orchestration.assets.live import LIVE
from orchestration.assets.metadata import reference_metadata
from orchestration.assets.tables import table
from orchestration.registry import load_registry
from orchestration.registry.loader import DATA
from orchestration.settings import warehouse_home
from orchestration.transform import reference
from orchestration.transform.sources import registry_columns

REGISTRY = dg.AssetKey(["reference", "registry"])
CALENDAR_DATES = dg.AssetKey(["reference", "calendar_dates"])
LOAD_LOG = dg.AssetKey(["landing", "load_log"])


@dg.multi_asset(
    name="reference",
    specs=[
        dg.AssetSpec(
            REGISTRY,
            group_name="reference",
            description="Companies, securities, structures, segments, metrics, series, comparisons "
            "and claims: data files, validated one by one and against each other.",
            kinds={"python", "csv"},
            owners=catalogue.owners("reference"),
            tags=catalogue.tags("reference", "reference"),
            freshness_policy=catalogue.freshness(),
            metadata=catalogue.column_schema(registry_columns())
            | catalogue.source_code(reference.write_registry, DATA),
        ),
        dg.AssetSpec(
            CALENDAR_DATES,
            group_name="reference",
            description="One row per day with the sessions of New York and Hong Kong.",
            kinds={"python", "parquet"},
            owners=catalogue.owners("reference"),
            tags=catalogue.tags("reference", "reference"),
            freshness_policy=catalogue.freshness(),
            metadata=catalogue.column_schema({"": reference.CALENDAR_DATES}, ("calendar_date",))
            | catalogue.source_code(reference.write_calendar_dates),
        ),
    ],
)
def reference_tables() -> Iterator[Any]:
    """Validate the registry and write it, with the trading days, for dbt."""
    home, entries = warehouse_home(), load_registry()
    rows = reference.write_registry(home, entries)
    files = [{"file": file, "rows": count} for file, count in rows.items()]
    yield dg.MaterializeResult(
        REGISTRY,
        metadata={
            "dagster/row_count": sum(rows.values()),
            "preview": table(files),
        },
    )
    reference.write_calendar_dates(home, entries)
    yield dg.MaterializeResult(CALENDAR_DATES, metadata=reference_metadata(home, "calendar_dates"))


#: Written with each build, under its lock, so that it is of one moment with what the models read.
load_log = dg.AssetSpec(
    LOAD_LOG,
    deps=[baseline_facts, *LIVE],
    group_name="staging",
    description="In which order batches were asserted: decides which row of a key counts. "
    "Written each time the models are built.",
    kinds={"python", "parquet"},
    owners=catalogue.owners(catalogue.WAREHOUSE),
    tags=catalogue.tags("staging", catalogue.WAREHOUSE),
    freshness_policy=catalogue.freshness(),
    metadata=catalogue.column_schema({"": reference.LOAD_LOG}, ("sequence",))
    | catalogue.source_code(reference.write_load_log),
)
