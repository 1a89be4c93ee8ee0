"""A run that is killed at any moment leaves the release alone and is made good by the next one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from orchestration.contracts import contract_for
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.reader import connect
from orchestration.release import current_release
from orchestration.run import run_everything
from tests.conftest import warehouse

SEED = 20261124
#: Longer than an undisturbed run in a process of its own takes on a slow machine.
LATEST_KILL_SECONDS = 13.0


def new_observation() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "series_id": ["DGS10"],
            "observation_date": [date(2026, 6, 1)],
            "vintage_date": [date(2026, 6, 2)],
            "value": [4.44],
            "unit": ["percent"],
            "source": ["fred"],
            "source_url": ["https://fred.stlouisfed.org/series/DGS10"],
        }
    )


@pytest.fixture(scope="module")
def pending(published: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A warehouse with a release and a landed batch that the release does not hold yet."""
    root = tmp_path_factory.mktemp("crash") / "pending"
    shutil.copytree(published.root, root, symlinks=True)
    Loader(Home(root)).load(contract_for("macro_observation"), new_observation())
    return Home(root)


@pytest.fixture(scope="module")
def undisturbed(pending: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The hashes that a run which nobody kills ends with."""
    home = Home(tmp_path_factory.mktemp("undisturbed") / "warehouse")
    shutil.copytree(pending.root, home.root, symlinks=True)
    with warehouse(home):
        assert run_everything(home).succeeded
    return hashes(home)


def hashes(home: Home) -> dict[str, str]:
    release = current_release(home)
    assert release is not None
    return {name: table.content_hash for name, table in release.manifest.tables.items()}


def readable_rows(home: Home) -> tuple[str, int]:
    """Read the release as a stranger would; the id inside and the link must agree."""
    with connect(home.root) as connection:
        ((release_id, rows),) = connection.execute(
            "select (select release_id from ops.release), "
            "(select count(*) from core.fct_segment_result)"
        ).fetchall()
    assert release_id == Path(home.current).resolve().name
    return release_id, rows


def kill_and_recover(
    pending: Home, undisturbed: dict[str, str], root: Path, seconds: float
) -> None:
    home = Home(root)
    shutil.copytree(pending.root, home.root, symlinks=True)
    before = readable_rows(home)
    run = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "run"],
        env=os.environ | {"WAREHOUSE_HOME": str(home.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(seconds)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    after = readable_rows(home)
    # Killed after the switch, the new release is there, whole; otherwise the old one is.
    assert after == before or hashes(home) == undisturbed
    with warehouse(home):
        summary = run_everything(home)
    assert summary.succeeded, summary.failures
    assert hashes(home) == undisturbed
    assert not list(home.releases.glob(".*")), "a killed publish is cleared away"
    shutil.rmtree(home.root)


def moments(count: int) -> list[float]:
    return [
        round(random.Random(SEED + i).uniform(0.3, LATEST_KILL_SECONDS), 2) for i in range(count)
    ]


@pytest.mark.parametrize("seconds", moments(4))
def test_killed_run(
    pending: Home, undisturbed: dict[str, str], tmp_path: Path, seconds: float
) -> None:
    kill_and_recover(pending, undisturbed, tmp_path / "warehouse", seconds)


@pytest.mark.long
@pytest.mark.parametrize("seconds", moments(20))
def test_killed_run_at_many_moments(
    pending: Home, undisturbed: dict[str, str], tmp_path: Path, seconds: float
) -> None:
    kill_and_recover(pending, undisturbed, tmp_path / "warehouse", seconds)
