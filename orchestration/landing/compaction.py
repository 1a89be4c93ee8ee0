"""Compaction: small batches of a dataset move, as they are, into packed files.

What counts does not change, nor does the load log: only where rows lie. The steps are in such an
order that a batch can be read at every moment and is read once: the packed file is written and
read back, then an entry names its batches, then the single files go. From the entry on, the packed
file is the one that is read. Killed in between, the next compaction finishes; a packed file that
was never named stays behind, unread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.packs import Pack, add, folder_of, packed
from orchestration.landing.storage import Entry, StorageFailed
from orchestration.landing.store import Landing, as_parquet, batch_key

#: Fewer single files than this are left as they are, so that packed files do not become many in
#: their turn.
AT_LEAST = 16
#: A packed file takes in batches up to this size, and a batch of half of it stays by itself.
PACK_BYTES = 64_000_000


class CompactionFailed(RuntimeError):
    """A batch could not be moved; it lies where it lay."""


class _Overtaken(Exception):
    """Another compaction has moved a batch first."""


@dataclass(frozen=True)
class Compacted:
    """What became of a dataset: batches moved, packed files made, and files before and after."""

    dataset: str
    batches: int
    packs: int
    files_before: int
    files_after: int


def compact(
    landing: Landing, dataset: str, *, at_least: int = AT_LEAST, pack_bytes: int = PACK_BYTES
) -> Compacted:
    """Pack the small batches of a dataset that lie by themselves, if they are ``at_least`` so many.

    Only batches that the load log names are packed. Safe beside readers and writers, and beside
    another compaction, which then has the better of it.

    Raises:
        CompactionFailed: naming a batch that is lost, damaged or not as its log line says.
        StorageFailed: when landing's place does not answer as it should.
    """
    before = len(landing.data_files(dataset))
    _finish(landing, dataset)
    small = _small(landing, dataset, pack_bytes // 2)
    made: list[Pack] = []
    if len(small) >= at_least:
        with suppress(_Overtaken):
            for batches, rows in _groups(landing, dataset, small, pack_bytes):
                made.append(_pack(landing, dataset, batches, rows))
                for batch_id in batches:
                    landing.storage.remove(batch_key(dataset, batch_id))
    return Compacted(
        dataset,
        sum(len(pack.batches) for pack in made),
        len(made),
        before,
        len(landing.data_files(dataset)),
    )


def _finish(landing: Landing, dataset: str) -> None:
    """Remove the single files of packed batches, which a compaction that was killed left."""
    singles = landing.storage.entries(dataset)
    for batch_id in packed(landing.storage, dataset).by_batch:
        if batch_key(dataset, batch_id) in singles:
            landing.storage.remove(batch_key(dataset, batch_id))


def _small(landing: Landing, dataset: str, below: int) -> dict[str, int]:
    """Return the rows that the log gives each small single batch, in the order of landing."""
    # In this order, what lands or is packed meanwhile is not taken for lost.
    log = [line for line in landing.log.assertions() if line.dataset == dataset]
    singles = landing.storage.entries(dataset)
    now = packed(landing.storage, dataset)
    by_batch = now.by_batch
    small: dict[str, int] = {}
    for line in log:
        if line.batch_id in by_batch:
            continue
        key = batch_key(dataset, line.batch_id)
        entry = singles.get(key)
        if entry is None:
            lost = now.lost.get(line.batch_id)
            raise CompactionFailed(
                f"{landing.storage.address(lost.key if lost else key)}: is lost or cut short; "
                "restore it from a backup, or land its source again"
            )
        if entry.size < below:
            small[line.batch_id] = line.rows
    return small


def _groups(
    landing: Landing, dataset: str, small: dict[str, int], pack_bytes: int
) -> Iterator[tuple[Sequence[str], pa.Table]]:
    """Yield batches that make one packed file, with their rows: of one schema, two at least."""
    singles = landing.storage.entries(dataset)
    batches: list[str] = []
    tables: list[pa.Table] = []
    size = 0
    for batch_id, rows in small.items():
        key = batch_key(dataset, batch_id)
        table = _whole_batch(landing, key, singles[key], batch_id, rows)
        is_full = size + singles[key].size > pack_bytes
        if tables and (is_full or table.schema != tables[0].schema):
            if len(batches) > 1:
                yield batches, pa.concat_tables(tables)
            batches, tables, size = [], [], 0
        batches.append(batch_id)
        tables.append(table)
        size += singles[key].size
    if len(batches) > 1:
        yield batches, pa.concat_tables(tables)


def _whole_batch(landing: Landing, key: str, entry: Entry, batch_id: str, rows: int) -> pa.Table:
    address = landing.storage.address(key)
    try:
        table = pq.read_table(landing.storage.files({key: entry})[key], partitioning=None)
    except FileNotFoundError:
        dataset = key.partition("/")[0]
        if batch_id in packed(landing.storage, dataset).by_batch:
            raise _Overtaken from None
        raise CompactionFailed(f"{address}: is lost") from None
    except (pa.ArrowException, OSError) as error:
        raise CompactionFailed(f"{address}: cannot be read: {error}") from None
    ids = set(table["batch_id"].to_pylist())
    if table.num_rows != rows or ids - {batch_id}:
        raise CompactionFailed(
            f"{address}: has {table.num_rows} rows of {sorted(ids)}; the load log says "
            f"{rows} rows of {batch_id}"
        )
    return table


def _pack(landing: Landing, dataset: str, batches: Sequence[str], rows: pa.Table) -> Pack:
    """Write a packed file and its entry; raises :class:`_Overtaken` without having named it."""
    storage = landing.storage
    before = packed(storage, dataset)
    if before.by_batch.keys() & set(batches):
        raise _Overtaken
    content = as_parquet(rows)
    key = f"{folder_of(dataset)}/{hashlib.sha256(content).hexdigest()[:32]}.parquet"
    storage.write(key, content)
    if not pq.read_table(pa.BufferReader(storage.read(key))).equals(rows):
        raise StorageFailed(f"{storage.address(key)}: does not read as it was written")
    pack = Pack(key, len(content), tuple(batches))
    if not add(storage, dataset, pack, before.last):
        raise _Overtaken
    return pack
