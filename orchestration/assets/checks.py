"""The guard's verdict as Dagster asset checks, one per rule that a reader can name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from orchestration.assets.tables import failing_rows
from orchestration.contracts import Contract
from orchestration.quality import CheckOutcome, GuardReport
from orchestration.quality.quarantine import Entry

_COMMON = {
    "schema": "Columns and types are the contract's, and there are rows.",
    "keys": "No key stands twice or is empty.",
    "values": "Required columns are filled; values are listed, known to the registry and in range.",
}


def guard_check_specs(key: dg.AssetKey, contract: Contract) -> Iterator[dg.AssetCheckSpec]:
    """Return the checks that a dataset's guard makes."""
    described = _COMMON | {rule.name: rule.description for rule in contract.rules}
    warnings = {rule.name for rule in contract.rules if rule.severity == "warning"}
    for name, description in described.items():
        yield dg.AssetCheckSpec(
            name, asset=key, description=description, blocking=name not in warnings
        )


def guard_check_results(
    key: dg.AssetKey,
    contract: Contract,
    reports: Iterable[GuardReport],
    rejected: Sequence[Entry] = (),
) -> Iterator[dg.AssetCheckResult]:
    """Return the result of each check that was made, of batches that landed and of rejected ones.

    After a schema mismatch nothing else could be checked, so nothing else is said.
    """
    by_check: dict[str, list[CheckOutcome]] = {}
    broken_in: dict[str, list[Entry]] = {}
    for report in (*reports, *(entry.report for entry in rejected)):
        for outcome in report.outcomes:
            by_check.setdefault(outcome.check, []).append(outcome)
    for entry in rejected:
        for check in {outcome.check for outcome in entry.report.failures}:
            broken_in.setdefault(check, []).append(entry)
    for spec in guard_check_specs(key, contract):
        outcomes = by_check.get(spec.name)
        if outcomes is None:
            continue
        failed = [outcome for outcome in outcomes if not outcome.passed]
        in_quarantine = broken_in.get(spec.name, ())
        said = "\n".join(outcome.line() for outcome in failed)
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=spec.name,
            passed=not failed,
            severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
            description=(said + what_to_do(next_steps(in_quarantine))) or None,
            metadata={"expectations": len(outcomes)}
            | {f"failing rows: {o.column}": _rows(o) for o in failed}
            | quarantined(in_quarantine),
        )


def quarantined(rejected: Sequence[Entry]) -> dict[str, Any]:
    """Return the metadata that names the quarantine entries in which batches lie."""
    return {"quarantine": ", ".join(e.entry_id for e in rejected)} if rejected else {}


def next_steps(rejected: Sequence[Entry]) -> tuple[str, ...]:
    """Return what to do about rejected batches: the same for each, said of the first."""
    return rejected[0].next_steps() if rejected else ()


def what_to_do(sentences: Sequence[str]) -> str:
    """Return sentences as a numbered list under a heading, in Markdown; nothing for none."""
    steps = [f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1)]
    return "\n\n**What to do next**\n\n" + "\n".join(steps) if steps else ""


def _rows(outcome: CheckOutcome) -> dg.MetadataValue[Any]:
    if not outcome.failing_rows:
        return dg.MetadataValue.text(outcome.detail or outcome.expectation)
    return failing_rows(outcome.failing_rows)
