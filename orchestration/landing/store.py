"""The batches themselves."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from orchestration.contracts import CONTRACTS, Contract
from orchestration.files import as_json, write_atomically
from orchestration.home import Home
from orchestration.landing.files import KeptFiles
from orchestration.landing.load_log import Assertion, LoadLog
from orchestration.landing.packs import folder_of, packed
from orchestration.landing.storage import Entry, LocalStorage, storage_at

#: A Parquet file without rows in every folder that a build reads.
SCHEMA_FILE = "schema.parquet"
#: Rows that are compared or hashed at once, so that memory does not grow with the batch.
_PIECE = 1 << 18
_LONGEST_TEXT = 2**31 - 1
T = TypeVar("T")

#: How often a reader looks again for batches that are packed while it reads.
_READS = 3


@dataclass(frozen=True)
class _Places:
    """Where batches of a dataset lie.

    ``wanted`` says by key which of the batches a file has, ``whole`` how many a packed file has in
    all, ``found`` what lies there.
    """

    wanted: Mapping[str, Sequence[str]]
    whole: Mapping[str, int]
    found: Mapping[str, Entry]

    def lost(self) -> list[str]:
        """Return the files that are not there."""
        return [key for key in self.wanted if key not in self.found]


@dataclass(frozen=True)
class _Part:
    """A local file with batches that are wanted; ``is_all`` when there are no others in it."""

    path: Path
    batches: Sequence[str]
    is_all: bool


class Landing:
    """The landing area of one warehouse."""

    def __init__(self, place: Path | str, cache: Path | None = None) -> None:
        """``place`` is a folder or, with a ``cache`` for local copies, ``s3://bucket/prefix``."""
        self.storage = storage_at(place, cache)
        self.log = LoadLog(self.storage)
        self.files = KeptFiles(self.storage)

    @classmethod
    def of(cls, home: Home) -> Landing:
        """Return the landing area of a warehouse, wherever its settings say it is."""
        return cls(home.landing_place, home.landing_cache)

    @property
    def folder(self) -> Path:
        """The folder that it is; raises ``ValueError`` for one in object storage."""
        if not isinstance(self.storage, LocalStorage):
            raise ValueError(f"{self.storage.address('')} is no folder")
        return self.storage.root

    def assert_batch(self, contract: Contract, batch: pa.Table, batch_id: str) -> Assertion:
        """Land a batch that has passed its guard, and log the assertion.

        ``batch`` is in key order, ``batch_id`` the hash of its content.
        Content that lies there already is not written again; the log gets its line all the same.
        A crash between the two leaves a file that no line points to, which nobody reads.
        """
        new = not self._has(contract.dataset, batch_id)
        if new:
            self._write(contract, batch, batch_id)
        return self.log.append(
            contract.dataset,
            batch_id,
            source_of(batch),
            batch.num_rows,
            cast("pa.Date32Scalar", pc.max(batch[contract.observed_on])).as_py(),
            new=new,
        )

    def path(self, dataset: str, batch_id: str) -> Path:
        """Return the file that has the rows of a batch, alone or among those of others.

        Where there is none yet, where it would lie. Of object storage, a copy of what lies there.

        Raises:
            FileNotFoundError: when object storage does not have it.
        """
        if isinstance(self.storage, LocalStorage):
            return self.storage.root / self._key(dataset, batch_id)
        (part,) = self._parts(dataset, [batch_id])
        return part.path

    def address(self, dataset: str, batch_id: str) -> str:
        """Return where a batch lies, for a reader."""
        return self.storage.address(self._key(dataset, batch_id))

    def lost(self, in_effect: Sequence[Assertion]) -> list[str]:
        """Return the files of these batches that are not there: nothing of ours deletes one."""
        lost: dict[str, None] = {}
        for dataset in dict.fromkeys(a.dataset for a in in_effect):
            batches = [a.batch_id for a in in_effect if a.dataset == dataset]
            lost |= dict.fromkeys(self._places(dataset, batches).lost())
        return list(lost)

    def batch(self, dataset: str, batch_id: str) -> pa.Table:
        """Return the rows of one batch; raises ``FileNotFoundError`` when it is not there."""
        return self._read(dataset, [batch_id], _rows)

    def read(self, dataset: str) -> pa.Table:
        """Return every landed row of a dataset, all batches, in no order."""
        batches = [a.batch_id for a in self.log.in_effect() if a.dataset == dataset]
        if not batches:
            return CONTRACTS[dataset].landed_schema.empty_table()
        return self._read(dataset, batches, _rows)

    def data_files(self, dataset: str) -> list[str]:
        """Return the files with a dataset's rows: single batches and packed files, by key."""
        singles = [
            key
            for key in self.storage.entries(dataset)
            if key.endswith(".parquet") and PurePosixPath(key).name != SCHEMA_FILE
        ]
        packs = packed(self.storage, dataset).packs
        return [*singles, *dict.fromkeys(pack.key for pack in packs)]

    def newest(self, dataset: str, source: str | None = None) -> pa.Table:
        """Return for each key the row that counts, of one source or of the best that has it."""
        import duckdb

        contract = CONTRACTS[dataset]
        in_effect = [
            a for a in self.log.in_effect() if a.dataset == dataset and source in (None, a.source)
        ]
        if not in_effect:
            return contract.landed_schema.empty_table()
        batches = [a.batch_id for a in in_effect]
        # in_effect stands in the order in which assertions win, the last one over all others.
        order = pa.table({"batch_id": batches, "place": range(len(batches))})
        key = ", ".join(f'landed."{name}"' for name in contract.key)
        query = (
            "select landed.* from read_parquet(?, union_by_name = true) as landed "  # noqa: S608
            "join winning_order using (batch_id) "
            f"qualify row_number() over (partition by {key} order by place desc) = 1"
        )

        def read(parts: Sequence[_Part]) -> pa.Table:
            with duckdb.connect() as connection:
                connection.register("winning_order", order)
                paths = [str(part.path) for part in parts]
                return connection.sql(query, params=[paths]).to_arrow_table()

        found = self._read(dataset, batches, read)
        return found.select(contract.landed_schema.names).cast(contract.landed_schema)

    def gather(self, in_effect: Sequence[Assertion], folder: Path) -> None:
        """Bring the batches of these assertions, and nothing else, into a local folder.

        One folder a dataset, and in each a file without rows, so that a dataset without any batch
        reads as an empty, typed table. What lies there from the time before is kept where it still
        counts, so that only news costs anything. Nobody may be reading the folder meanwhile.

        Raises:
            FileNotFoundError: naming a batch that is not there.
        """
        for contract in CONTRACTS.values():
            batches = [a.batch_id for a in in_effect if a.dataset == contract.dataset]
            target = folder / contract.dataset
            target.mkdir(parents=True, exist_ok=True)
            _write_schema(contract, target / SCHEMA_FILE)
            bring = partial(self._gather, contract.dataset, batches, target)
            self._though_packed_meanwhile(contract.dataset, bring)

    def _gather(self, dataset: str, batches: Sequence[str], target: Path) -> None:
        parts = self._parts(dataset, batches, forget_others=True)
        wanted = {target / part.path.name: part for part in parts}
        for path in target.iterdir():
            if path not in wanted and path.name != SCHEMA_FILE:
                path.unlink()
        for path, part in wanted.items():
            if part.is_all:
                _link(part.path, path)
            else:
                rows = as_parquet(_rows([part]))
                path.unlink(missing_ok=True)
                write_atomically(path, partial(_write_bytes, rows))

    def keep_report(self, dataset: str, batch_id: str, content: Any) -> None:
        """Keep what was said of a batch beside it, over what was said before."""
        self.storage.write(_report_key(dataset, batch_id), as_json(content))

    def report(self, dataset: str, batch_id: str) -> Any | None:
        """Return what was said of a batch, if anything."""
        try:
            return json.loads(self.storage.read(_report_key(dataset, batch_id)))
        except FileNotFoundError:
            return None

    def reports(self) -> dict[str, Any]:
        """Return what was said of the batches in effect by batch, in the order of the load log."""
        in_effect = self.log.in_effect()
        found: dict[str, Entry] = {}
        for dataset in sorted({a.dataset for a in in_effect}):
            found |= self.storage.entries(dataset)
        keys = {_report_key(a.dataset, a.batch_id): a.batch_id for a in in_effect}
        paths = self.storage.files({key: found[key] for key in keys if key in found})
        return {keys[key]: json.loads(path.read_bytes()) for key, path in paths.items()}

    def _has(self, dataset: str, batch_id: str) -> bool:
        # In this order: a batch has its entry among the packed ones before its own file goes.
        return (
            self.storage.exists(batch_key(dataset, batch_id))
            or batch_id in packed(self.storage, dataset).by_batch
        )

    def _key(self, dataset: str, batch_id: str) -> str:
        pack = packed(self.storage, dataset).by_batch.get(batch_id)
        return pack.key if pack else batch_key(dataset, batch_id)

    def _places(self, dataset: str, batches: Sequence[str]) -> _Places:
        singles = self.storage.entries(dataset)
        # After the single ones: what was packed meanwhile is in both rather than in none.
        now = packed(self.storage, dataset)
        by_batch, lost = now.by_batch, now.lost
        wanted: dict[str, list[str]] = {}
        whole: dict[str, int] = {}
        for batch_id in batches:
            key = batch_key(dataset, batch_id)
            # One that lies by itself too, because its packing was killed, is read as packed.
            if pack := by_batch.get(batch_id):
                key = pack.key
                whole[key] = len(pack.batches)
            elif batch_id in lost and key not in singles:
                key = lost[batch_id].key
            wanted.setdefault(key, []).append(batch_id)
        cut_short = {pack.key for pack in lost.values()}
        files = {key: entry for key, entry in now.files.items() if key not in cut_short}
        return _Places(wanted, whole, singles | files)

    def _parts(
        self, dataset: str, batches: Sequence[str], *, forget_others: bool = False
    ) -> list[_Part]:
        """Return the local files that hold these batches; each batch is in one of them."""
        places = self._places(dataset, batches)
        for key in places.lost():
            raise FileNotFoundError(f"{self.storage.address(key)} is not there as it was written")
        if forget_others:
            self.storage.forget(dataset, places.found)
            self.storage.forget(folder_of(dataset), places.found)
        paths = self.storage.files({key: places.found[key] for key in places.wanted})
        return [
            _Part(paths[key], of_file, len(of_file) == places.whole.get(key, 1))
            for key, of_file in places.wanted.items()
        ]

    def _read(
        self,
        dataset: str,
        batches: Sequence[str],
        read: Callable[[Sequence[_Part]], pa.Table],
    ) -> pa.Table:
        return self._though_packed_meanwhile(dataset, lambda: read(self._parts(dataset, batches)))

    def _though_packed_meanwhile(self, dataset: str, action: Callable[[], T]) -> T:
        """Do it again when a file went because its batch was packed: it is found there then."""
        import duckdb

        for _ in range(_READS):
            before = packed(self.storage, dataset).last
            try:
                return action()
            except (FileNotFoundError, duckdb.IOException):
                if packed(self.storage, dataset).last == before:
                    raise
        return action()

    def _write(self, contract: Contract, batch: pa.Table, batch_id: str) -> None:
        rows = batch.num_rows
        provenance = {
            "batch_id": pa.repeat(pa.scalar(batch_id, pa.string()), rows),
            "ingested_at": pa.repeat(
                pa.scalar(datetime.now(UTC), pa.timestamp("us", tz="UTC")), rows
            ),
        }
        landed = pa.table(
            [
                provenance[f.name] if f.name in provenance else batch[f.name]
                for f in contract.landed_schema
            ],
            schema=contract.landed_schema,
        )
        self.storage.write(batch_key(contract.dataset, batch_id), as_parquet(landed))


def as_parquet(table: pa.Table) -> bytes:
    """Return a table as the content of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return cast("bytes", sink.getvalue().to_pybytes())


def batch_key(dataset: str, batch_id: str) -> str:
    """Return the key of a batch that lies by itself."""
    return f"{dataset}/{batch_id}.parquet"


def _rows(parts: Sequence[_Part]) -> pa.Table:
    """Return the rows of these batches; a file may hold others too."""
    return pa.concat_tables(
        pq.read_table(
            part.path,
            partitioning=None,
            filters=None if part.is_all else [("batch_id", "in", part.batches)],
        )
        for part in parts
    )


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _report_key(dataset: str, batch_id: str) -> str:
    return f"{dataset}/{batch_id}.report.json"


def _write_schema(contract: Contract, target: Path) -> None:
    if not target.exists() or pq.read_schema(target) != contract.landed_schema:
        empty = contract.landed_schema.empty_table()
        write_atomically(target, partial(pq.write_table, empty))


def _link(origin: Path, target: Path) -> None:
    """Give a file a second name; where the two folders are on two disks, copy it."""
    if target.exists():
        if target.samefile(origin) or _is_copy(origin, target):
            return
        target.unlink()
    try:
        target.hardlink_to(origin)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        write_atomically(target, lambda path: shutil.copy2(origin, path))


def _is_copy(origin: Path, target: Path) -> bool:
    """Whether ``copy2`` made one of the other: a file that landed anew is younger."""
    one, other = origin.stat(), target.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def in_key_order(contract: Contract, batch: pa.Table) -> pa.Table:
    """Return the batch in the order of its key, so that row order is no part of its content.

    A batch that stands in that order is not copied.
    """
    if strictly_ascending(batch, contract.key):
        return batch
    by_key = [(name, "ascending") for name in contract.key]
    if max(column.nbytes for column in batch.columns) <= _LONGEST_TEXT:
        return batch.sort_by(by_key)
    # More than 2 GiB of text cannot be gathered in one array of 32-bit offsets.
    types = [pa.large_string() if pa.types.is_string(t) else t for t in batch.schema.types]
    whole = _cast(batch, pa.schema(zip(batch.column_names, types, strict=True))).combine_chunks()
    order = pc.sort_indices(whole.select(list(contract.key)), sort_keys=by_key)
    pieces = (order[at : at + _PIECE] for at in range(0, len(order), _PIECE))
    return pa.concat_tables(_cast(whole.take(piece), batch.schema) for piece in pieces)


def _cast(batch: pa.Table, schema: pa.Schema) -> pa.Table:
    """Column by column: nulls where there should be none are the guard's affair."""
    columns = zip(batch.columns, schema.types, strict=True)
    return pa.table([column.cast(kind) for column, kind in columns], schema=schema)


def strictly_ascending(batch: pa.Table, key: Sequence[str]) -> bool:
    """Whether each row's key is complete and greater than that of the row before it."""
    keys = batch.select(list(key))
    if any(column.null_count for column in keys.columns):
        return False
    # Piece by piece, each with the row before it: an unsorted batch shows soon that it is.
    for start in range(0, max(batch.num_rows - 1, 0), _PIECE):
        piece = keys.slice(start, _PIECE + 1)
        earlier, later = piece.slice(0, piece.num_rows - 1), piece.slice(1)
        ascends = pa.scalar(False)
        for name in reversed(key):
            tied = pc.and_(pc.equal(earlier[name], later[name]), ascends)
            ascends = pc.or_(pc.less(earlier[name], later[name]), tied)
        if not pc.all(ascends).as_py():
            return False
    return True


def source_of(batch: pa.Table) -> str:
    """Return the one source of a batch; raises ``ValueError`` when it mixes several."""
    sources = pc.unique(batch["source"]).to_pylist()
    if len(sources) != 1:
        raise ValueError(f"a batch has one source, not {sources}")
    return str(sources[0])


def content_hash(batch: pa.Table) -> str:
    """Return 32 hex digits over column names, types and values of a batch in key order.

    Hashed as CSV: Arrow's buffers may differ where their values do not.
    """
    digest = hashlib.sha256()
    for column in batch.schema:
        digest.update(f"{column.name}:{column.type};".encode())
    pieces = (batch.slice(start, _PIECE) for start in range(0, max(batch.num_rows, 1), _PIECE))
    for number, piece in enumerate(pieces):
        # As one CSV file, of which never more than a piece is in memory.
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(piece, sink, pa_csv.WriteOptions(include_header=number == 0))
        digest.update(sink.getvalue())
    return digest.hexdigest()[:32]
