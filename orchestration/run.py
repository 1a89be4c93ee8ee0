"""One run of the Dagster job from the command line, in this process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestration.build import up_to_date
from orchestration.home import Home
from orchestration.locking import write_lock
from orchestration.settings import settings

if TYPE_CHECKING:
    import dagster as dg

#: Nothing leaves the machine, and no dialog asks for an address.
#: An upstream is asked by one run at a time: its rate limit is kept within a process.
_DAGSTER_YAML = """\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    tag_concurrency_limits:
      - key: upstream
        value:
          applyLimitPerUniqueValue: true
        limit: 1
"""


@dataclass(frozen=True)
class AssetRow:
    """What a run did to one asset; ``rows`` and ``newest_observation`` where it has any."""

    asset: str
    rows: int | None = None
    newest_observation: str | None = None
    checks_passed: int = 0
    checks_warned: int = 0
    checks_failed: int = 0
    seconds: float | None = None


@dataclass(frozen=True)
class RunSummary:
    """The outcome of a run: one row per asset, the reasons it failed, if it did, and remarks."""

    succeeded: bool = True
    assets: tuple[AssetRow, ...] = ()
    failures: tuple[str, ...] = ()
    release_id: str | None = None
    release_is_new: bool = False
    remarks: tuple[str, ...] = ()

    def then(self, other: RunSummary) -> RunSummary:
        """Return the outcome of this and of what was run after it."""
        return RunSummary(
            self.succeeded and other.succeeded,
            (*self.assets, *other.assets),
            (*self.failures, *other.failures),
            other.release_id or self.release_id,
            other.release_is_new or self.release_is_new,
            (*self.remarks, *other.remarks),
        )


def prepare_dagster_home(home: Home) -> None:
    """Make DAGSTER_HOME, telemetry switched off, and tell this process of it."""
    home.dagster.mkdir(parents=True, exist_ok=True)
    configuration = home.dagster / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text(_DAGSTER_YAML, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home.dagster)


def run_everything(
    home: Home,
    select: Sequence[str] = (),
    on_line: Callable[[str], None] = lambda line: None,
    *,
    live: bool = False,
) -> RunSummary:
    """Run the main job, or the part of it that ``select`` names with what follows from it.

    With ``live`` the live upstreams are asked first; what one of them fails to give is a failure of
    the run, and what all others gave is built and published nevertheless. ``select`` is Dagster's
    asset selection syntax. Models and release are always whole: what is selected decides which
    sources are landed.

    Raises:
        WarehouseBusy: when another run does not finish in time.
        ValueError: when ``select`` matches no asset.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    prepare_dagster_home(home)
    with write_lock(home, settings().lock_timeout_seconds):
        import dagster as dg

        from orchestration.definitions import defs
        from orchestration.jobs import EVERYTHING, LIVE_JOBS

        told = dg.Definitions.merge(defs, dg.Definitions(loggers={"progress": _progress(on_line)}))
        selected = _selected(told, select)
        with dg.DagsterInstance.get() as instance:
            summary = RunSummary()
            for job in LIVE_JOBS if live else ():
                summary = summary.then(_execute(told, job.name, selected, instance, bool(select)))
            if not (live and up_to_date(home)):
                summary = summary.then(_execute(told, EVERYTHING, selected, instance))
            return summary


def _execute(
    defs: dg.Definitions,
    job_name: str,
    selected: set[dg.AssetKey],
    instance: dg.DagsterInstance,
    is_named: bool = True,
) -> RunSummary:
    from orchestration.extract.edgar import MissingContact
    from orchestration.partitions import FILINGS, range_tags
    from orchestration.schedules import add_unseen_filings

    job = defs.resolve_job_def(job_name)
    keys = selected & set(job.asset_layer.executable_asset_keys)
    if not keys:
        return RunSummary()
    tags: dict[str, str] = {}
    if job.partitions_def == FILINGS:
        try:
            unseen, failures = add_unseen_filings(instance)
        except MissingContact as error:
            words = f"{job_name}: {error}"
            if is_named:
                return RunSummary(succeeded=False, failures=(words,))
            # A warehouse without SEC is one that somebody may want.
            return RunSummary(remarks=(f"not asked: {words}",))
        if not unseen:
            lost = tuple(f"{job_name}: {failure}" for failure in failures)
            return RunSummary(succeeded=not lost, failures=lost)
        tags = range_tags(unseen)
    elif job.partitions_def is not None:
        tags = range_tags(list(job.partitions_def.get_partition_keys()))
    return _summary(
        job.execute_in_process(
            instance=instance,
            # Named, or Dagster's own logger writes every event to the screen.
            run_config={"loggers": {"progress": {}}},
            raise_on_error=False,
            asset_selection=sorted(keys),
            tags=tags,
        )
    )


def _selected(defs: dg.Definitions, select: Sequence[str]) -> set[dg.AssetKey]:
    import dagster as dg

    from orchestration.assets.baseline import baseline_facts
    from orchestration.assets.live import LIVE

    graph = defs.resolve_asset_graph()
    executable = set(graph.executable_asset_keys)
    if not select:
        return executable
    keys: set[dg.AssetKey] = set()
    for text in select:
        found = dg.AssetSelection.from_string(text).resolve(graph)
        if not found:
            raise ValueError(f"--select {text!r} matches no asset")
        keys |= found
    # A release is whole: the models are built together and published together.
    landing = {key for asset in (baseline_facts, *LIVE) for key in asset.keys}
    always = executable - landing
    return (keys | always) & executable


def _progress(on_line: Callable[[str], None]) -> dg.LoggerDefinition:
    import dagster as dg

    class Tell(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if line := _line(record):
                on_line(line)

    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("progress", logging.INFO)
        logger.addHandler(Tell())
        return logger

    return dg.LoggerDefinition(progress, description="Tells the command line what a run does.")


def _line(record: logging.LogRecord) -> str | None:
    meta: dict[str, Any] = getattr(record, "dagster_meta", {})
    event = meta.get("dagster_event")
    if event is None:
        return str(meta.get("orig_message") or "")
    if event.event_type_value == "STEP_START":
        return f"{event.step_key} ..."
    return None


def _summary(result: dg.ExecuteInProcessResult) -> RunSummary:
    import dagster as dg

    assets: dict[str, AssetRow] = {}
    failures: list[str] = []
    release: dict[str, Any] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            found = event.step_materialization_data.materialization
            name = found.asset_key.to_user_string()
            plain: dict[str, Any] = {key: value.value for key, value in found.metadata.items()}
            if name == "release":
                release = plain
            row = assets.get(name, AssetRow(name))
            assets[name] = replace(
                row,
                rows=plain.get("dagster/row_count"),
                newest_observation=plain.get("newest_observation"),
                seconds=plain.get("seconds"),
            )
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            name = check.asset_key.to_user_string()
            row = assets.get(name, AssetRow(name))
            warned = not check.passed and check.severity == dg.AssetCheckSeverity.WARN
            assets[name] = replace(
                row,
                checks_passed=row.checks_passed + check.passed,
                checks_warned=row.checks_warned + warned,
                checks_failed=row.checks_failed + (not check.passed and not warned),
            )
        elif event.is_step_failure:
            failures.append(_reason(event))
    return RunSummary(
        succeeded=result.success,
        assets=tuple(assets.values()),
        failures=tuple(failures),
        release_id=release.get("release"),
        release_is_new=bool(release.get("new")),
    )


def _reason(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return f"{event.step_key}: {failure.user_failure_data.description}"
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return f"{event.step_key}: {error.message.strip() if error else event.message}"
