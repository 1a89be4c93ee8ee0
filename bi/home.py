"""Where Superset finds the warehouse and the dashboards."""

from __future__ import annotations

import os
from pathlib import Path

from orchestration.home import Home

HOME = Home(Path(os.environ.get("WAREHOUSE_HOME") or "data").resolve())

#: The dashboards as Superset exports and imports them.
ASSETS = Path(__file__).parent / "superset"
