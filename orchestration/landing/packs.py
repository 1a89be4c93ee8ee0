"""Packed files: many small batches of a dataset in one Parquet file.

``<dataset>/packed/<hash>.parquet`` holds the rows of its batches as they landed. Which batches
those are is said by ``<dataset>/packed/<number>.json``, written after it: a packed file that no
such entry names is read by nobody. Numbers are taken as those of the load log are, and whoever
packs reads all entries before taking the next one, so a batch is in a second entry only after the
file of the first one was lost. Entries are never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from orchestration.files import as_json
from orchestration.landing.storage import Entry, Storage


@dataclass(frozen=True)
class Pack:
    """A packed file, its size in bytes and the batches in it, in the order in which they landed."""

    key: str
    size: int
    batches: tuple[str, ...]


@dataclass(frozen=True)
class Packed:
    """What the packed files of a dataset are at one moment."""

    packs: tuple[Pack, ...]
    #: Number of the newest entry.
    last: int
    #: All that lies in their folder, by key.
    files: Mapping[str, Entry]

    @property
    def by_batch(self) -> dict[str, Pack]:
        """The pack that each packed batch is read from; what was lost gives nothing to read."""
        return {batch: p for p in self.packs if self._is_whole(p) for batch in p.batches}

    @property
    def lost(self) -> dict[str, Pack]:
        """The pack of each batch whose packed file is not there as it was written."""
        return {batch: p for p in self.packs if not self._is_whole(p) for batch in p.batches}

    def _is_whole(self, pack: Pack) -> bool:
        return pack.key in self.files and self.files[pack.key].size == pack.size


def folder_of(dataset: str) -> str:
    """Return the folder of a dataset's packed files."""
    return f"{dataset}/packed"


def packed(storage: Storage, dataset: str) -> Packed:
    """Return the packed files of a dataset, oldest first."""
    files = storage.entries(folder_of(dataset))
    lines = {key: entry for key, entry in files.items() if key.endswith(".json")}
    contents = [json.loads(path.read_bytes()) for path in storage.files(lines).values()]
    packs = (Pack(c["key"], c["size"], tuple(c["batches"])) for c in contents)
    last = max((int(PurePosixPath(key).stem) for key in lines), default=0)
    return Packed(tuple(packs), last, files)


def add(storage: Storage, dataset: str, pack: Pack, after: int) -> bool:
    """Add an entry after that number; ``False`` when another one has come in between."""
    key = f"{folder_of(dataset)}/{after + 1:010d}.json"
    content = as_json(asdict(pack))
    # Told no, it may still be ours, and only the answer was lost.
    return storage.create(key, content) or storage.read(key) == content
