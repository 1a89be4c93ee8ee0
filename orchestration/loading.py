"""Guard and land one batch: the one way into the warehouse.

Every source comes through :func:`load`, whether it runs in a Dagster asset or from the command
line. What a batch must fulfil is in its contract; how it is stored is landing's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from orchestration.contracts import Contract
from orchestration.files import write_json
from orchestration.fingerprint import guard_fingerprint
from orchestration.home import Home
from orchestration.landing import Assertion, Landing
from orchestration.landing.store import content_hash, in_key_order
from orchestration.quality.guard import Guard, SchemaMismatch, conform
from orchestration.quality.quarantine import Entry, Quarantine
from orchestration.quality.report import CheckOutcome, GuardReport
from orchestration.registry import Registry, load_registry


class BatchRejected(Exception):
    """A batch broke its contract and lies in quarantine; nothing landed was touched."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        first = entry.report.failures
        super().__init__(
            f"{entry.report.dataset}: batch of {entry.report.rows} rows from "
            f"{entry.report.source} is in quarantine as {entry.entry_id}:\n  "
            + "\n  ".join(outcome.line() for outcome in first)
            + f"\n`warehouse quarantine {entry.entry_id}` shows the rows and what to do next"
        )


@dataclass(frozen=True)
class Loaded:
    """A batch that stands in landing, its assertion and what the guard said of it."""

    assertion: Assertion
    report: GuardReport


@dataclass
class Loader:
    """Loads batches into one warehouse."""

    home: Home
    registry: Registry = field(default_factory=load_registry)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def __post_init__(self) -> None:
        self.landing = Landing(self.home.landing)
        self.landing.prepare()
        self.quarantine = Quarantine(self.home.quarantine)
        self._guard = Guard(self.registry, self.landing.read, self.today)

    def load(
        self, contract: Contract, frame: pd.DataFrame, checks: Sequence[CheckOutcome] = ()
    ) -> Loaded:
        """Check a batch and land it, or put it whole into quarantine.

        Content that has passed today's rules before is not checked again. ``checks`` are outcomes
        that the caller has seen already; they go into the report.

        Raises:
            BatchRejected: naming the columns, rows and expectations that failed.
        """
        try:
            batch = conform(contract, frame)
        except SchemaMismatch:
            _, report = self._guard.check(contract, frame)
            raise BatchRejected(self.quarantine.add(frame, report)) from None
        ordered = in_key_order(contract, batch)
        batch_id = content_hash(ordered)
        report = self._earlier_report(contract, batch_id) or self._judge(contract, batch, checks)
        if not report.passed:
            raise BatchRejected(self.quarantine.add(frame, report))
        assertion = self.landing.assert_batch(contract, ordered, batch_id)
        self._keep_report(contract, batch_id, report)
        return Loaded(assertion, report)

    def _judge(
        self, contract: Contract, batch: pa.Table, checks: Sequence[CheckOutcome]
    ) -> GuardReport:
        report = self._guard.judge(contract, batch)
        return replace(report, outcomes=(*report.outcomes, *checks))

    def reports(self) -> dict[str, GuardReport]:
        """Return the reports of the batches in effect by batch, in the order of the load log."""
        kept = {
            a.batch_id: self._read_report(a.dataset, a.batch_id)
            for a in self.landing.log.in_effect()
        }
        return {batch_id: found[1] for batch_id, found in kept.items() if found}

    def _earlier_report(self, contract: Contract, batch_id: str) -> GuardReport | None:
        kept = self._read_report(contract.dataset, batch_id)
        if kept is None or kept[0] != guard_fingerprint():
            return None
        return kept[1]

    def _keep_report(self, contract: Contract, batch_id: str, report: GuardReport) -> None:
        content = {"rules": guard_fingerprint(), "report": report.to_json()}
        write_json(self._report_path(contract.dataset, batch_id), content)

    def _read_report(self, dataset: str, batch_id: str) -> tuple[str, GuardReport] | None:
        path = self._report_path(dataset, batch_id)
        if not path.exists():
            return None
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content["rules"], GuardReport.from_json(content["report"])

    def _report_path(self, dataset: str, batch_id: str) -> Path:
        return self.landing.path(dataset, batch_id).with_suffix(".report.json")


def newest_by_dataset(assertions: Iterable[Assertion]) -> dict[str, date]:
    """Return the newest observation of each dataset that has any."""
    newest: dict[str, date] = {}
    for assertion in assertions:
        day = newest.get(assertion.dataset, assertion.newest_observation)
        newest[assertion.dataset] = max(day, assertion.newest_observation)
    return newest
