"""Jobs: one for everything that works offline, one per live upstream, each in one process.

A run from the web UI would otherwise start a process per step, and importing costs more than the
steps do. Live jobs only land; what they landed is published by a run of ``everything``, which a
sensor starts whether they succeeded or failed in part, so that one upstream that is down never
keeps the others from being served.
"""

from __future__ import annotations

import dagster as dg

from orchestration.assets.live import LIVE

EVERYTHING = "everything"
_LIVE = dg.AssetSelection.assets(*LIVE)

JOBS = [
    dg.define_asset_job(
        EVERYTHING,
        selection=dg.AssetSelection.all() - _LIVE,
        executor_def=dg.in_process_executor,
        description="Land the baseline, build all models, publish a release.",
    ),
    *(
        dg.define_asset_job(
            f"fetch_{upstream.node_def.name}",
            selection=dg.AssetSelection.assets(upstream),
            executor_def=dg.in_process_executor,
            tags={"upstream": upstream.node_def.name},
            description=f"Land what {upstream.node_def.name} has that is new.",
        )
        for upstream in LIVE
    ),
]
EVERYTHING_JOB, *LIVE_JOBS = JOBS
BY_NAME = {job.name: job for job in JOBS}
