"""What the guard found in one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

#: More failing rows than this help nobody to find the cause.
SHOWN_ROWS = 20

#: The check that a document was read whole, and what was compared on the way.
READING = "reading"

Severity = Literal["critical", "warning"]


def row_in_words(row: Mapping[str, Any]) -> str:
    """A row as ``column=value`` by column, without those that are empty."""
    return ", ".join(f"{name}={cell}" for name, cell in row.items() if cell is not None)


@dataclass(frozen=True)
class CheckOutcome:
    """One expectation on one batch.

    ``check`` is the check it belongs to: ``schema``, ``keys``, ``values`` or a rule of the
    contract. ``failing_rows`` holds at most ``SHOWN_ROWS`` of ``failing``.
    """

    check: str
    expectation: str
    column: str
    severity: Severity
    passed: bool
    failing: int = 0
    failing_rows: tuple[Mapping[str, Any], ...] = ()
    detail: str = ""

    def line(self) -> str:
        """The outcome in one line."""
        rows = f": {self.failing} failing rows" if self.failing else ""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.column}: {self.expectation}{rows}{detail}"


@dataclass(frozen=True)
class GuardReport:
    """Every expectation on one batch. A batch with a failed critical one does not land."""

    dataset: str
    source: str
    rows: int
    checked_at: datetime
    outcomes: tuple[CheckOutcome, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether the batch may land."""
        return not self.failures

    @property
    def failures(self) -> tuple[CheckOutcome, ...]:
        """The failed critical outcomes."""
        return tuple(o for o in self.outcomes if not o.passed and o.severity == "critical")

    @property
    def warnings(self) -> tuple[CheckOutcome, ...]:
        """The failed outcomes that only flag rows."""
        return tuple(o for o in self.outcomes if not o.passed and o.severity == "warning")

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> GuardReport:
        """Read what :meth:`to_json` gave."""
        outcomes = tuple(
            CheckOutcome(**{**outcome, "failing_rows": tuple(outcome["failing_rows"])})
            for outcome in content["outcomes"]
        )
        checked_at = datetime.fromisoformat(str(content["checked_at"]))
        return GuardReport(**{**content, "outcomes": outcomes, "checked_at": checked_at})
