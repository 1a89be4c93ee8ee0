"""One switch for all schedules and sensors: it really starts them, and stops them again."""

from __future__ import annotations

import os
import subprocess
import sys

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus

from orchestration.home import Home
from orchestration.run import prepare_dagster_home
from orchestration.schedules import SCHEDULES, SENSORS

NAMES = {definition.name for definition in (*SCHEDULES, *SENSORS)}


def switched_on(home: Home) -> set[str]:
    """What Dagster itself holds to be running."""
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        states = instance.all_instigator_state()
    return {state.instigator_name for state in states if state.status == InstigatorStatus.RUNNING}


def switch(home: Home, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "automation", *arguments],
        env=os.environ | {"WAREHOUSE_HOME": str(home.root), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    assert "Traceback" not in ran.stderr
    return ran.stdout


def told_state(table: str, name: str) -> str:
    """The cell beside the name in the table that the command prints."""
    (line,) = (line for line in table.splitlines() if f" {name} " in line)
    return line.split("│")[2].strip()


def test_off_until_switched_on_and_off_again(home: Home) -> None:
    prepare_dagster_home(home)
    assert switched_on(home) == set()
    told = switch(home)
    assert {name: told_state(told, name) for name in NAMES} == dict.fromkeys(NAMES, "off")
    assert switched_on(home) == set()
    told = switch(home, "on")
    assert {name: told_state(told, name) for name in NAMES} == dict.fromkeys(NAMES, "on")
    assert "They work while `warehouse ui` runs" in told
    assert switched_on(home) == NAMES
    assert "`warehouse automation on` starts them all" in switch(home, "off")
    assert switched_on(home) == set()
