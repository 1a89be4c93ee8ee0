"""How gunicorn serves Superset: one process with threads, on loopback only."""

from __future__ import annotations

import os
from typing import Any

from bi.assets import read
from bi.home import HOME

bind = f"127.0.0.1:{os.environ.get('WAREHOUSE_BI_PORT') or 8088}"
workers = 1
worker_class = "gthread"
threads = 8
# A worker that has said nothing for so many seconds is replaced.
timeout = 60
loglevel = "warning"


def post_worker_init(worker: Any) -> None:
    """Say where the pages are, once they can be opened."""
    print("\nThe dashboards, on the current release:\n")
    for page in read("dashboards"):
        print(f"  {page['dashboard_title']:<34}http://{bind}/superset/dashboard/{page['slug']}/")
    password = (HOME.superset / "admin.password").read_text()
    print(f"\nTo change them, log in as admin with {password}\nCtrl-C ends the server.", flush=True)
