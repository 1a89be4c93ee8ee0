"""Jobs: one for everything and one per cadence, each in one process.

A run from the web UI would otherwise start a process per step, and importing costs more than the
steps do.
"""

from __future__ import annotations

import dagster as dg

from orchestration.assets.baseline import baseline_key
from orchestration.contracts import CONTRACTS

#: The cadence at which a group of sources changes.
CADENCES = {
    "market": "Daily, after the exchanges close.",
    "macro": "Daily.",
    "segments": "When a company files.",
}
_IN_PROCESS = dg.in_process_executor


def _baseline_beside(group: str) -> dg.AssetSelection:
    return dg.AssetSelection.assets(
        *(baseline_key(c.dataset) for c in CONTRACTS.values() if c.group != group)
    )


everything = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all(),
    executor_def=_IN_PROCESS,
    description="The main job: land all sources, build all models, publish a release.",
)

by_cadence = [
    dg.define_asset_job(
        group,
        selection=dg.AssetSelection.all() - _baseline_beside(group),
        executor_def=_IN_PROCESS,
        description=f"{when} Lands the {group} sources, then builds and publishes the whole.",
    )
    for group, when in CADENCES.items()
]

JOBS = [everything, *by_cadence]
