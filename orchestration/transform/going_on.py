"""Whether a build may go on from the database of the last one, and what has changed since.

The note of a whole build says which code made it, where every batch stood in the load log, what
became of every model and test and what the models look like. The next build goes on from its
database when the code is the same and no batch has gone; the batches that are new or were asserted
again are all that can make a difference. Models and tests that read none of their datasets are left
as they stand. Anything else, a note that is missing included, means: from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import Column
from orchestration.contracts.contract import STRING
from orchestration.files import write_atomically
from orchestration.home import Home
from orchestration.landing import Assertion
from orchestration.transform.built import Table
from orchestration.transform.dbt import NodeOutcome

#: Tag of the models that a build makes whatever has landed: they read all of the load log, today's
#: date, or which batches are new.
EVERY_BUILD = "every_build"

#: Grain: dataset, batch_id.
CHANGED = (
    Column("dataset", STRING, "Landing dataset."),
    Column("batch_id", STRING, "Batch that the build database has not seen in its present place."),
)


@dataclass(frozen=True)
class Plan:
    """How a build starts: from the kept database or from nothing, and the batches new to it.

    ``kept`` is what became of every model and test when they were last built, ``kept_models`` what
    the models looked like then.
    """

    goes_on: bool
    changed: tuple[Assertion, ...]
    kept: tuple[NodeOutcome, ...] = ()
    kept_models: Mapping[str, Table] = field(default_factory=dict)

    @property
    def select(self) -> tuple[str, ...]:
        """What must be built, in dbt's selection syntax; empty for everything."""
        if not self.goes_on:
            return ()
        datasets = sorted({assertion.dataset for assertion in self.changed})
        return (f"tag:{EVERY_BUILD}", *(f"source:landing.{dataset}+" for dataset in datasets))

    def whole(self, built: Sequence[NodeOutcome]) -> tuple[NodeOutcome, ...]:
        """Return what became of every model and test: of those left as they stood, what had."""
        anew = {node.unique_id for node in built}
        stood = (node for node in self.kept if node.unique_id not in anew)
        left = (replace(node, seconds=0.0, is_left=True) for node in stood)
        return (*left, *built)

    def models_left(self, nodes: Sequence[NodeOutcome]) -> dict[str, Table]:
        """Return the models that were left as they stood, by name: they look as they did."""
        left = {node.name for node in nodes if node.is_left}
        return {name: model for name, model in self.kept_models.items() if name in left}


def from_nothing(in_effect: Sequence[Assertion]) -> Plan:
    """Return how a build starts that has nothing to go on from."""
    return Plan(goes_on=False, changed=tuple(in_effect))


def plan(home: Home, note: Mapping[str, Any], code: str, in_effect: Sequence[Assertion]) -> Plan:
    """Return how a build of these assertions by this code starts, given the note of the last one.

    The note is empty where no whole build stands.
    """
    databases = (home.build_database, home.scratch_database)
    if note.get("code") != code or not all(database.exists() for database in databases):
        return from_nothing(in_effect)
    before = {(dataset, batch_id): sequence for dataset, batch_id, sequence in note["places"]}
    now = {(a.dataset, a.batch_id): a for a in in_effect}
    if not before.keys() <= now.keys():
        return from_nothing(in_effect)
    changed = (a for key, a in now.items() if before.get(key) != a.sequence)
    return Plan(True, tuple(changed), nodes_of(note), _models_of(note))


def remark(
    code: str, in_effect: Sequence[Assertion], models: Mapping[str, Table]
) -> dict[str, Any]:
    """Return what the note of a whole build must say, beside its nodes, to be gone on from."""
    return {
        "code": code,
        "places": [[a.dataset, a.batch_id, a.sequence] for a in in_effect],
        "models": {name: asdict(model) for name, model in models.items()},
    }


def nodes_of(note: Mapping[str, Any]) -> tuple[NodeOutcome, ...]:
    """Return what the note of a build says of its models and tests."""
    return tuple(
        NodeOutcome(**node | {"failing_rows": tuple(node["failing_rows"])})
        for node in note["nodes"]
    )


def _models_of(note: Mapping[str, Any]) -> dict[str, Table]:
    return {
        name: Table(**model | {"preview": tuple(model["preview"])})
        for name, model in note["models"].items()
    }


def write_changed(home: Home, changed: Sequence[Assertion]) -> None:
    """Write the changed batches where dbt reads them."""
    table = pa.table(
        {name: [getattr(a, name) for a in changed] for name in ("dataset", "batch_id")},
        schema=pa.schema([(column.name, column.type) for column in CHANGED]),
    )
    write_atomically(home.reference / "changed.parquet", lambda path: pq.write_table(table, path))
