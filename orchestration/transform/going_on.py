"""Whether a build may go on from the database of the last one, and what has changed since.

The note of a whole build says which code made it and where every batch stood in the load log. The
next build goes on from its database when the code is the same and no batch has gone; the batches
that are new or were asserted again are all that can make a difference. Anything else, a note that
is missing included, means: from nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import Column
from orchestration.contracts.contract import STRING
from orchestration.files import write_atomically
from orchestration.home import Home
from orchestration.landing import Assertion

#: Grain: dataset, batch_id.
CHANGED = (
    Column("dataset", STRING, "Landing dataset."),
    Column("batch_id", STRING, "Batch that the build database has not seen in its present place."),
)


@dataclass(frozen=True)
class Plan:
    """How a build starts: from the kept database or from nothing, and the batches new to it."""

    goes_on: bool
    changed: tuple[Assertion, ...]


def from_nothing(in_effect: Sequence[Assertion]) -> Plan:
    """Return how a build starts that has nothing to go on from."""
    return Plan(goes_on=False, changed=tuple(in_effect))


def plan(home: Home, note: Path, code: str, in_effect: Sequence[Assertion]) -> Plan:
    """Return how a build of these assertions by this code starts."""
    before = _places(note, code)
    now = {(a.dataset, a.batch_id): a for a in in_effect}
    databases = (home.build_database, home.scratch_database)
    if before is None or not before.keys() <= now.keys() or not all(d.exists() for d in databases):
        return from_nothing(in_effect)
    changed = (a for key, a in now.items() if before.get(key) != a.sequence)
    return Plan(goes_on=True, changed=tuple(changed))


def remark(code: str, in_effect: Sequence[Assertion]) -> dict[str, Any]:
    """Return what the note of a whole build must say for the next one to go on from it."""
    return {"code": code, "places": [[a.dataset, a.batch_id, a.sequence] for a in in_effect]}


def write_changed(home: Home, changed: Sequence[Assertion]) -> None:
    """Write the changed batches where dbt reads them."""
    table = pa.table(
        {name: [getattr(a, name) for a in changed] for name in ("dataset", "batch_id")},
        schema=pa.schema([(column.name, column.type) for column in CHANGED]),
    )
    write_atomically(home.reference / "changed.parquet", lambda path: pq.write_table(table, path))


def _places(note: Path, code: str) -> dict[tuple[str, str], int] | None:
    """Where each batch stood, by dataset and batch; none unless this code built the database."""
    if not note.exists():
        return None
    content = json.loads(note.read_text(encoding="utf-8"))
    if content.get("code") != code:
        return None
    return {(dataset, batch_id): sequence for dataset, batch_id, sequence in content["places"]}
