"""Everything Dagster knows, gathered."""

import dagster as dg

from orchestration.assets import baseline, models, reference
from orchestration.assets import release as release_assets
from orchestration.jobs import JOBS

defs = dg.Definitions(
    assets=[
        baseline.baseline_facts,
        reference.reference_tables,
        models.load_log,
        models.warehouse_models,
        release_assets.release,
    ],
    jobs=JOBS,
    executor=dg.in_process_executor,
)
