"""MetricFlow on the current release: the metrics of ``dbt_project/models/semantic``.

Takes several seconds to import, so it is imported when it runs. It reads the parsed project and
opens the release read-only; the build database is none of its business.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from orchestration.fingerprint import DBT_PROJECT
from orchestration.home import Home
from orchestration.transform.dbt import ensure_parsed


class _NoUpdateCheck:
    """In the place of MetricFlow's question to the package index: nothing leaves the machine."""

    def check(self, package: str, version: str) -> None:
        """Find no newer version."""


def run(home: Home, arguments: Sequence[str]) -> None:
    """Run ``mf`` with these arguments; ends the process with its exit code."""
    ensure_parsed()
    os.environ["WAREHOUSE_HOME"] = str(home.root.resolve())
    os.environ["DBT_PROJECT_DIR"] = str(DBT_PROJECT)
    os.environ["DBT_PROFILES_DIR"] = str(DBT_PROJECT / "metricflow")
    os.environ["DBT_LOG_PATH"] = str(home.build / "dbt")

    from dbt_metricflow.cli import main

    main.UpdateChecker = _NoUpdateCheck
    main.cli(list(arguments), prog_name="warehouse metrics")
