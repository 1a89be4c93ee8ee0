"""What a reader of the Dagster UI wants to see beside an asset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.assets.tables import table
from orchestration.contracts import Contract
from orchestration.home import Home
from orchestration.loading import Loaded, Loader
from orchestration.transform.built import PREVIEW_ROWS


def batch_metadata(loader: Loader, contract: Contract, loaded: Loaded) -> Mapping[str, Any]:
    """Rows, newest observation and its age, a preview, and where the batch lies."""
    assertion = loaded.assertion
    landed = loader.landing.batch(contract.dataset, assertion.batch_id)
    newest = landed.select([c.name for c in contract.columns]).sort_by(
        [(contract.observed_on, "descending")]
    )
    return {
        "dagster/row_count": assertion.rows,
        "newest_observation": str(assertion.newest_observation),
        "age_days": (loader.today - assertion.newest_observation).days,
        "status": assertion.status.replace("_", " "),
        "path": _below(loader.home, loader.landing.address(contract.dataset, assertion.batch_id)),
        "flagged": len(loaded.report.warnings),
        "preview": _first_rows(newest),
    }


def _below(home: Home, address: str) -> str:
    """Return a path in the warehouse's folder without that folder, any other place in full."""
    return address.removeprefix(f"{home.root}/")


def reference_metadata(home: Home, name: str) -> dict[str, Any]:
    """Rows and a preview of a table that was written for dbt."""
    found = pq.read_table(home.reference / f"{name}.parquet")
    return {"dagster/row_count": found.num_rows, "preview": _first_rows(found)}


def _first_rows(found: pa.Table) -> dg.MetadataValue[Any]:
    return table(found.slice(0, PREVIEW_ROWS).to_pylist())
