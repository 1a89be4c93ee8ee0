"""The load log: in which order batches were asserted.

One small file per assertion, numbered; a number is taken by creating its file, so two writers can
never share one and a crash can never leave half a line. Append-only: no file is ever changed. Where
the answer to a creation is lost, the line may stand twice, which reads the same as once.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath

from orchestration.contracts import SOURCE_RANK
from orchestration.files import as_json
from orchestration.landing.storage import Entry, Storage

FOLDER = "load_log"


@dataclass(frozen=True)
class Assertion:
    """One assertion of a batch. Grain: ``sequence``.

    ``status`` is ``landed`` for a batch seen for the first time, ``asserted_again`` for content
    that lay there already.
    """

    sequence: int
    dataset: str
    batch_id: str
    source: str
    rows: int
    newest_observation: date
    asserted_at: datetime
    status: str


class LoadLog:
    """The log of one landing area."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def append(
        self,
        dataset: str,
        batch_id: str,
        source: str,
        rows: int,
        newest_observation: date,
        *,
        new: bool,
    ) -> Assertion:
        """Record one more assertion, after all others."""
        sequence = self._last_sequence()
        while True:
            sequence += 1
            assertion = Assertion(
                sequence,
                dataset,
                batch_id,
                source,
                rows,
                newest_observation,
                datetime.now(UTC),
                "landed" if new else "asserted_again",
            )
            if self._storage.create(f"{FOLDER}/{sequence:010d}.json", as_json(asdict(assertion))):
                return assertion

    def assertions(self) -> list[Assertion]:
        """Return every assertion, oldest first."""
        return [_parse(path) for path in self._storage.files(self._lines()).values()]

    def in_effect(self) -> list[Assertion]:
        """Return the newest assertion of each batch, the one that counts last standing last.

        Two logs with the same batches in this order read the same, whatever was asserted between.
        """
        newest = {(a.dataset, a.batch_id): a for a in self.assertions()}
        return sorted(newest.values(), key=lambda a: (a.dataset, SOURCE_RANK[a.source], a.sequence))

    def _lines(self) -> dict[str, Entry]:
        found = self._storage.entries(FOLDER)
        return {key: entry for key, entry in found.items() if key.endswith(".json")}

    def _last_sequence(self) -> int:
        return max((int(PurePosixPath(key).stem) for key in self._lines()), default=0)


def _parse(path: Path) -> Assertion:
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Assertion(
        **fields
        | {
            "newest_observation": date.fromisoformat(fields["newest_observation"]),
            "asserted_at": datetime.fromisoformat(fields["asserted_at"]),
        }
    )
