"""Guard and land one batch: the one way into the warehouse.

Every source comes through :func:`load`, whether it runs in a Dagster asset or from the command
line. What a batch must fulfil is in its contract; how it is stored is landing's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa

from orchestration.contracts import Contract
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
        self.landing = Landing.of(self.home)
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
        return {
            batch_id: GuardReport.from_json(kept["report"])
            for batch_id, kept in self.landing.reports().items()
        }

    def _earlier_report(self, contract: Contract, batch_id: str) -> GuardReport | None:
        kept = self.landing.report(contract.dataset, batch_id)
        if kept is None or kept["rules"] != guard_fingerprint():
            return None
        return GuardReport.from_json(kept["report"])

    def _keep_report(self, contract: Contract, batch_id: str, report: GuardReport) -> None:
        content = {"rules": guard_fingerprint(), "report": report.to_json()}
        self.landing.keep_report(contract.dataset, batch_id, content)


def newest_by_dataset(assertions: Iterable[Assertion]) -> dict[str, date]:
    """Return the newest observation of each dataset that has any."""
    newest: dict[str, date] = {}
    for assertion in assertions:
        day = newest.get(assertion.dataset, assertion.newest_observation)
        newest[assertion.dataset] = max(day, assertion.newest_observation)
    return newest
