"""Build the warehouse from landing, and publish what was built.

The build leaves a note beside its database saying what it was built from and which checks held;
publishing believes the note, not the caller, so the two may run in different processes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from orchestration.files import write_json
from orchestration.fingerprint import PROJECT, code_fingerprint, inputs_fingerprint
from orchestration.home import Home
from orchestration.landing import Assertion, Landing
from orchestration.loading import Loader, newest_by_dataset
from orchestration.locking import write_lock
from orchestration.quality.report import READING, SHOWN_ROWS, CheckOutcome, GuardReport
from orchestration.release import CheckRow, Release, current_release, is_current, publish
from orchestration.release.agreement import agreement_checks
from orchestration.report import render_report
from orchestration.settings import settings
from orchestration.transform import dbt, going_on
from orchestration.transform.built import Table, built_tables, first_rows
from orchestration.transform.dbt import NodeOutcome
from orchestration.transform.reference import write_load_log
from orchestration.transform.spark import require_spark
from orchestration.transform.spark_build import build_on_spark


class BuildFailed(Exception):
    """A model or a blocking test failed; the current release stays as it is."""

    def __init__(self, nodes: Sequence[NodeOutcome]) -> None:
        self.nodes = tuple(nodes)
        self.failed = tuple(n for n in nodes if not n.passed and n.status != "skipped")
        super().__init__(
            "dbt failed:\n  " + "\n  ".join(f"{n.name}: {n.message}" for n in self.failed)
        )


class BatchesLost(Exception):
    """Files of landed batches are gone: a build without them would pass for a whole one."""


class NothingBuilt(Exception):
    """There is no whole build to publish."""


@dataclass(frozen=True)
class Built:
    """What a build made: the outcome of every node and the models by name."""

    nodes: tuple[NodeOutcome, ...]
    models: dict[str, Table]


def build_models(
    home: Home,
    select: Sequence[str] = (),
    *,
    on_line: Callable[[str], None] = lambda line: None,
) -> Built:
    """Build the models and run their tests; without ``select`` all of them.

    A whole build goes on from the database of the last one where it can (see
    ``orchestration.transform.going_on``), else it starts from nothing; the result is the same, and
    so is what is returned: a model or test left as it stood has taken no time.

    Raises:
        BuildFailed: when a model or a blocking test failed.
        BatchesLost: when landing lacks a batch that its log names.
        SparkMissing: when Spark shall build and is not installed.
        ValueError: when Spark shall build a part.
        WarehouseBusy: when another run does not finish in time.
    """
    with write_lock(home, settings().lock_timeout_seconds):
        landing = Landing.of(home)
        # Read once: what lands from here on waits for the next build.
        in_effect = landing.log.in_effect()
        if lost := landing.lost(in_effect):
            raise BatchesLost(
                "landing has lost batches; restore them from a backup, or land their source again: "
                + ", ".join(lost)
            )
        fingerprint, code = _fingerprint(in_effect), code_fingerprint()
        if _on_duckdb() and not select:
            start = going_on.plan(home, _read_note(home), code, in_effect)
        else:
            start = going_on.from_nothing(in_effect)
        # Whatever ends this build early, the next one finds no note and starts from nothing.
        forget_build(home)
        write_load_log(home, landing, in_effect)
        going_on.write_changed(home, start.changed)
        built = _run_models(home, select or start.select, on_line, goes_on=start.goes_on)
        if any(not node.passed for node in built):
            raise BuildFailed(built)
        nodes = start.whole(built)
        models = built_tables(home, start.models_left(nodes))
        if not select:
            note = {"inputs_fingerprint": fingerprint, "nodes": [asdict(node) for node in nodes]}
            if _on_duckdb():  # from what Spark has built, no build goes on
                note |= going_on.remark(code, in_effect, models)
            write_json(_note(home), note)
        return Built(nodes, models)


def forget_build(home: Home) -> None:
    """Make the next build start from nothing; until then there is none to publish."""
    _note(home).unlink(missing_ok=True)


def _run_models(
    home: Home, select: Sequence[str], on_line: Callable[[str], None], *, goes_on: bool
) -> list[NodeOutcome]:
    if _on_duckdb():
        nodes = dbt.build(home, select, goes_on=goes_on, on_line=on_line)
        return [_with_failing_rows(home, node) for node in nodes]
    if select:
        raise ValueError("Spark builds all models or none: its tables end with its session")
    return build_on_spark(home, on_line, shown_rows=SHOWN_ROWS)


def _fingerprint(in_effect: Sequence[Assertion]) -> str:
    return inputs_fingerprint(in_effect, on_spark=not _on_duckdb())


def _on_duckdb() -> bool:
    return settings().target == dbt.DUCKDB


def _with_failing_rows(home: Home, node: NodeOutcome) -> NodeOutcome:
    if node.failures and node.query:
        return replace(node, failing_rows=first_rows(home, node.query, SHOWN_ROWS))
    return node


def publish_build(home: Home) -> tuple[Release, bool]:
    """Publish the finished build; returns the current release and whether it is new.

    Raises:
        NothingBuilt: when no whole build stands ready.
        ReleaseRefused: when a blocking check failed or the report cannot be rendered.
    """
    with write_lock(home, settings().lock_timeout_seconds):
        note = _read_note(home)
        if not note:
            raise NothingBuilt(f"{home.build} holds no whole build; materialize all models first")
        fingerprint = note["inputs_fingerprint"]
        current = current_release(home)
        if current is not None and is_current(home, fingerprint):
            return current, False
        landing = Landing.of(home)
        release = publish(
            home,
            inputs_fingerprint=fingerprint,
            git_revision=_git_revision(),
            checks=[
                *_guard_checks(home),
                *_test_checks(note),
                *agreement_checks(home.build_database),
            ],
            assertions=landing.log.assertions(),
            newest_observations=newest_by_dataset(landing.log.in_effect()),
            docs=dbt.write_docs(home),
            report=render_report,
        )
        return release, True


def up_to_date(home: Home) -> bool:
    """Whether the current release is what a run on today's code, registry and landing would give.

    Cheap: reads the load log and hashes the code.

    Raises:
        SparkMissing: when Spark shall build and is not installed.
    """
    if not _on_duckdb():
        require_spark()
    return is_current(home, _fingerprint(Landing.of(home).log.in_effect()))


def _guard_checks(home: Home) -> list[CheckRow]:
    return [
        CheckRow(
            asset=f"landing.{report.dataset}",
            check=f"{outcome.column} {outcome.expectation}",
            severity="error" if outcome.severity == "critical" else "warn",
            passed=outcome.passed,
            observed=_observed(outcome, report),
            subject=batch_id,
        )
        for batch_id, report in Loader(home).reports().items()
        for outcome in report.outcomes
    ]


def _observed(outcome: CheckOutcome, report: GuardReport) -> str:
    if not outcome.passed:
        return outcome.line()
    # What was checked while reading a document is counted in cells, not in rows of the batch.
    return outcome.detail if outcome.check == READING else f"{report.rows} rows"


def _test_checks(note: Mapping[str, Any]) -> list[CheckRow]:
    return [
        CheckRow(
            asset="dbt",
            check=node.name,
            severity="warn" if node.status == "warn" else "error",
            passed=node.status == "pass",
            observed=f"{node.failures} failing rows",
        )
        for node in going_on.nodes_of(note)
        if node.resource_type == "test"
    ]


def _note(home: Home) -> Path:
    return home.build / "built.json"


def _read_note(home: Home) -> Mapping[str, Any]:
    """Return what the last whole build has left; empty where none stands."""
    if not _note(home).exists():
        return {}
    note: dict[str, Any] = json.loads(_note(home).read_text(encoding="utf-8"))
    return note


def _git_revision() -> str | None:
    """The revision of the code, marked when the checkout has changes; null outside a checkout."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return git.stdout.strip() or None
