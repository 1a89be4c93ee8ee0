"""Everything Dagster knows, gathered."""

import dagster as dg

from orchestration.assets import baseline, live, models, reference
from orchestration.assets import release as release_assets
from orchestration.jobs import JOBS
from orchestration.schedules import SCHEDULES, SENSORS

defs = dg.Definitions(
    assets=[
        baseline.baseline_facts,
        *live.LIVE,
        reference.reference_tables,
        reference.load_log,
        models.warehouse_models,
        release_assets.release,
    ],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    executor=dg.in_process_executor,
)
