"""The guard's verdict as Dagster asset checks, one per rule that a reader can name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

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
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=spec.name,
            passed=not failed,
            severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
            description="\n".join(outcome.line() for outcome in failed) or None,
            metadata={"expectations": len(outcomes)}
            | {f"failing rows: {o.column}": dg.MetadataValue.md(_rows(o)) for o in failed}
            | next_steps(broken_in.get(spec.name, ())),
        )


def next_steps(rejected: Sequence[Entry]) -> dict[str, Any]:
    """Return the metadata that says in which quarantine entries batches lie and what to do."""
    if not rejected:
        return {}
    names = ", ".join(f"`{entry.entry_id}`" for entry in rejected)
    return {
        "quarantine": dg.MetadataValue.md(names),
        "what to do next": steps(rejected[0].next_steps()),
    }


def steps(sentences: Iterable[str]) -> dg.MarkdownMetadataValue:
    """Return sentences as a numbered list, as the Dagster UI shows it."""
    lines = (f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1))
    return dg.MetadataValue.md("\n".join(lines))


def _rows(outcome: CheckOutcome) -> str:
    if not outcome.failing_rows:
        return outcome.detail or outcome.expectation
    return markdown_table(outcome.failing_rows)


def markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as a Markdown table, as the Dagster UI shows it."""

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join("" if c is None else str(c) for c in cells) + " |"

    if not rows:
        return "(no rows)"
    header = list(rows[0])
    return "\n".join([line(header), line("---" for _ in header), *(line(r.values()) for r in rows)])
