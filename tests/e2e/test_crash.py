"""A run that is killed at any moment leaves the release alone and is made good by the next one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.home import Home
from orchestration.reader import connect
from orchestration.release import current_release
from orchestration.run import run_everything
from tests.conftest import warehouse
from tests.upstreams.world import world

SEED = 20261124
#: Longer than an undisturbed live run in a process of its own takes.
LATEST_KILL_SECONDS = 17.0


@dataclass(frozen=True)
class Interrupted:
    """A warehouse with a release, upstreams with news for it, and what it should end as."""

    home: Home
    environment: Mapping[str, str]
    hashes: Mapping[str, str]


@pytest.fixture(scope="module")
def interrupted(published: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interrupted]:
    now = datetime.now(UTC)
    folder = tmp_path_factory.mktemp("crash")
    pending, undisturbed = Home(folder / "pending"), Home(folder / "undisturbed")
    with world(now - timedelta(days=30)) as played:
        shutil.copytree(published.root, pending.root, symlinks=True)
        environment = played.environment() | {
            "WAREHOUSE_PRICES_SINCE": str(now.date() - timedelta(days=90))
        }
        with warehouse(pending, environment):
            assert run_everything(pending, live=True).succeeded
        played.move_to(now)
        shutil.copytree(pending.root, undisturbed.root, symlinks=True)
        with warehouse(undisturbed, environment):
            summary = run_everything(undisturbed, live=True)
            assert summary.succeeded, summary.failures
        assert hashes(undisturbed) != hashes(pending), "there is something to lose"
        yield Interrupted(pending, environment, hashes(undisturbed))


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


def kill_and_recover(interrupted: Interrupted, root: Path, seconds: float) -> None:
    home = Home(root)
    shutil.copytree(interrupted.home.root, home.root, symlinks=True)
    before = readable_rows(home)
    run = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "run", "--live"],
        env=os.environ | interrupted.environment | {"WAREHOUSE_HOME": str(home.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(seconds)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    after = readable_rows(home)
    # Killed after the switch, the new release is there, whole; otherwise the old one is.
    assert after == before or hashes(home) == interrupted.hashes
    with warehouse(home, interrupted.environment):
        summary = run_everything(home, live=True)
    assert summary.succeeded, summary.failures
    assert hashes(home) == interrupted.hashes
    assert not list(home.releases.glob(".*")), "a killed publish is cleared away"
    shutil.rmtree(home.root)


def moments(count: int) -> list[float]:
    """Moments spread evenly over a run, from extraction to release, each moved a little."""
    step = LATEST_KILL_SECONDS / count
    dice = random.Random(SEED)
    return [round((place + dice.random()) * step, 2) for place in range(count)]


@pytest.mark.parametrize("seconds", moments(4))
def test_killed_run(interrupted: Interrupted, tmp_path: Path, seconds: float) -> None:
    kill_and_recover(interrupted, tmp_path / "warehouse", seconds)


@pytest.mark.long
@pytest.mark.parametrize("seconds", moments(100))
def test_killed_run_at_many_moments(
    interrupted: Interrupted, tmp_path: Path, seconds: float
) -> None:
    kill_and_recover(interrupted, tmp_path / "warehouse", seconds)
