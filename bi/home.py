"""Where Superset finds the warehouse and keeps its own things."""

from __future__ import annotations

import os
from pathlib import Path

from orchestration.home import Home

HOME = Home(Path(os.environ.get("WAREHOUSE_HOME") or "data").resolve())

#: Users, sessions and keys of Superset. It may be deleted: the dashboards come from the project.
SUPERSET = HOME.root / "superset"

#: The dashboards as Superset exports and imports them.
ASSETS = Path(__file__).parent / "superset"
