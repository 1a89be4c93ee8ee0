"""One switch for all schedules and sensors.

The switch is Dagster's own, kept in DAGSTER_HOME: what is switched here shows in the UI at once,
and the other way round. Nothing ticks unless ``warehouse ui`` runs, which brings Dagster's daemon.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from orchestration.fingerprint import WORKSPACE


@dataclass(frozen=True)
class Automation:
    """A schedule or sensor, whether it is on, and what it does."""

    name: str
    is_on: bool
    description: str


def automations(instance: dg.DagsterInstance) -> list[Automation]:
    """Return every schedule and sensor as it stands."""
    with _known_to_dagster(instance) as known:
        return [_automation(instance, one) for one in known]


def switch_all(instance: dg.DagsterInstance, *, on: bool) -> list[Automation]:
    """Switch every schedule and sensor on or off; returns them as they stand afterwards."""
    with _known_to_dagster(instance) as known:
        for one in known:
            _switch(instance, one, on)
        return [_automation(instance, one) for one in known]


def _switch(instance: dg.DagsterInstance, one: RemoteSchedule | RemoteSensor, on: bool) -> None:
    if isinstance(one, RemoteSchedule):
        if on:
            instance.start_schedule(one)
        else:
            instance.stop_schedule(one.get_remote_origin_id(), one.selector_id, one)
    elif on:
        instance.start_sensor(one)
    else:
        instance.stop_sensor(one.get_remote_origin_id(), one.selector_id, one)


def _automation(instance: dg.DagsterInstance, one: RemoteSchedule | RemoteSensor) -> Automation:
    stored = instance.get_instigator_state(one.get_remote_origin_id(), one.selector_id)
    state = one.get_current_instigator_state(stored)
    return Automation(one.name, state.is_running, one.description or "")


@contextmanager
def _known_to_dagster(
    instance: dg.DagsterInstance,
) -> Iterator[list[RemoteSchedule | RemoteSensor]]:
    """The schedules and sensors as the UI and the daemon know them, from the same workspace."""
    workspace = WorkspaceFileTarget([str(WORKSPACE)])
    # What it loads is loaded by a process of its own, which would tell of its coming and going.
    with WorkspaceProcessContext(instance, workspace, code_server_log_level="warning") as process:
        (location,) = process.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        yield [*repository.get_schedules(), *repository.get_sensors()]
