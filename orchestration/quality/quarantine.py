"""Rejected batches, kept whole with the report that says why.

One folder a batch: ``quarantine/<dataset>/<entry>/batch.parquet`` and ``report.json``. Nothing
reads a quarantined batch but a person; the same content rejected again replaces its entry.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.files import write_atomically, write_json
from orchestration.quality.report import GuardReport

#: By source, where it is not a live upstream.
_LOADED_AGAIN = {
    "baseline": "the facts that ship lie in `orchestration/baseline/`, `warehouse run` loads them",
    "import": "`warehouse import` loads the mended file",
    "document": "`warehouse import document` loads the mended file",
}


@dataclass(frozen=True)
class Entry:
    """One quarantined batch. ``entry_id`` is ``<dataset>/<hash of content>``."""

    entry_id: str
    folder: Path
    report: GuardReport

    def next_steps(self) -> tuple[str, ...]:
        """What to do about it, one sentence a step, in Markdown."""
        dataset = self.report.dataset
        again = _LOADED_AGAIN.get(self.report.source, "the next run of its upstream loads it again")
        return (
            f"Look at the failing rows: `warehouse quarantine {self.entry_id}`.",
            f"If the batch is wrong, mend it where it comes from; {again}.",
            "If the batch is right, a line of `orchestration/registry/data/` is missing or wrong, "
            f"or the contract is (`orchestration/contracts/datasets/{dataset}.py`): mend that and "
            "load the batch again.",
            "Delete the entry when its rows have landed. What landed before is served all the "
            'while. `docs/operations.md` says more under "A batch is in quarantine".',
        )


class Quarantine:
    """The quarantine of one warehouse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, frame: pd.DataFrame, report: GuardReport) -> Entry:
        """Keep a rejected batch and its report."""
        table = _as_arrow(frame)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        content = sink.getvalue()
        digest = hashlib.sha256(content).hexdigest()[:12]
        folder = self.folder / report.dataset / digest
        write_atomically(folder / "batch.parquet", lambda path: path.write_bytes(content))
        # The report goes last: an entry without one is not listed.
        write_json(folder / "report.json", report.to_json())
        return Entry(f"{report.dataset}/{digest}", folder, report)

    def remove(self, entry: Entry) -> None:
        """Take an entry out, when its rows have been judged apart."""
        shutil.rmtree(entry.folder)

    def entries(self) -> list[Entry]:
        """Return every entry, newest first."""
        entries = [self._read(path.parent) for path in self.folder.glob("*/*/report.json")]
        return sorted(entries, key=lambda entry: entry.report.checked_at, reverse=True)

    def entry(self, entry_id: str) -> Entry:
        """Return one entry; raises ``KeyError`` naming the known ones."""
        known = {entry.entry_id: entry for entry in self.entries()}
        try:
            return known[entry_id]
        except KeyError:
            raise KeyError(
                f"no quarantined batch {entry_id!r}; there are: {', '.join(known) or 'none'}"
            ) from None

    def _read(self, folder: Path) -> Entry:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return Entry(f"{folder.parent.name}/{folder.name}", folder, GuardReport.from_json(report))


def _as_arrow(frame: pd.DataFrame) -> pa.Table:
    """Keep what came, whatever it is: a column of mixed types is kept as text."""
    columns = {}
    for name in frame.columns:
        try:
            columns[str(name)] = pa.Array.from_pandas(frame[name])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns[str(name)] = pa.array([None if c is None else str(c) for c in frame[name]])
    return pa.table(columns)
