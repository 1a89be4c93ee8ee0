"""Superset as this project configures it. gunicorn serves ``bi.app:create()``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from superset.app import SupersetApp


def create() -> SupersetApp:
    """Make the application. Superset reads its configuration while it is imported, so here."""
    os.environ["SUPERSET_CONFIG_PATH"] = str(Path(__file__).with_name("superset_config.py"))
    from superset.app import create_app

    return create_app()
