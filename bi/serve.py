"""Serve the dashboards on loopback: ``python -m bi.serve``.

Each start puts the dashboards of ``bi/superset`` into Superset as they stand in the project, over
whatever was changed in the browser; ``python -m bi.assets`` saves such changes first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from bi.home import HOME

ROOT = Path(__file__).parents[1]


def main() -> NoReturn:
    """Prepare, then become the server. Ends with 2 where nothing has been published yet."""
    if not HOME.current.exists():
        print(f"No release in {HOME.root} yet: run `make run` first.", file=sys.stderr)
        sys.exit(2)
    HOME.superset.mkdir(parents=True, exist_ok=True)
    log = HOME.superset / "prepare.log"
    print("Preparing Superset (the first time about half a minute) ...", flush=True)
    with log.open("w") as output:
        prepared = subprocess.run(
            [sys.executable, "-m", "bi.prepare"],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if prepared.returncode:
        print(log.read_text()[-4000:], f"Superset could not be prepared: {log}", file=sys.stderr)
        sys.exit(1)
    os.chdir(ROOT)
    server = ["-m", "gunicorn", "--config", "python:bi.server", "bi.app:create()"]
    os.execv(sys.executable, [sys.executable, *server])


if __name__ == "__main__":
    main()
