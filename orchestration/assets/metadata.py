"""What a reader of the Dagster UI wants to see beside an asset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from orchestration.assets.checks import markdown_table
from orchestration.contracts import Contract
from orchestration.loading import Loaded, Loader

PREVIEW_ROWS = 5


def batch_metadata(loader: Loader, contract: Contract, loaded: Loaded) -> Mapping[str, Any]:
    """Rows, newest observation, a preview and where the batch lies under the warehouse home."""
    assertion = loaded.assertion
    path = loader.landing.path(contract.dataset, assertion.batch_id)
    newest = pq.read_table(path, columns=[c.name for c in contract.columns]).sort_by(
        [(contract.observed_on, "descending")]
    )
    return {
        "dagster/row_count": assertion.rows,
        "newest_observation": str(assertion.newest_observation),
        "status": assertion.status.replace("_", " "),
        "path": str(path.relative_to(loader.home.root)),
        "flagged": len(loaded.report.warnings),
        "preview": dg.MetadataValue.md(markdown_table(newest.slice(0, PREVIEW_ROWS).to_pylist())),
    }
