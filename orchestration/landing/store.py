"""The batches themselves."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from orchestration.contracts import CONTRACTS, Contract
from orchestration.files import as_json, write_atomically
from orchestration.home import Home
from orchestration.landing.files import KeptFiles
from orchestration.landing.load_log import Assertion, LoadLog
from orchestration.landing.storage import Entry, LocalStorage, storage_at

#: A Parquet file without rows in every folder that a build reads.
SCHEMA_FILE = "schema.parquet"


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
        new = not self.storage.exists(_key(contract.dataset, batch_id))
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
        """Return where a batch lies or would lie; of object storage, a copy of what lies there.

        Raises:
            FileNotFoundError: when object storage does not have it.
        """
        key = _key(dataset, batch_id)
        if isinstance(self.storage, LocalStorage):
            return self.storage.root / key
        found = self.storage.entries(dataset)
        if key not in found:
            raise FileNotFoundError(f"{self.storage.address(key)} is not there")
        return self.storage.files({key: found[key]})[key]

    def address(self, dataset: str, batch_id: str) -> str:
        """Return where a batch lies, for a reader."""
        return self.storage.address(_key(dataset, batch_id))

    def lost(self) -> list[str]:
        """Return the files of logged batches that are not there: nothing of ours deletes one."""
        in_effect = self.log.in_effect()
        found = {
            dataset: self.storage.entries(dataset) for dataset in {a.dataset for a in in_effect}
        }
        keys = ((a.dataset, _key(a.dataset, a.batch_id)) for a in in_effect)
        return [key for dataset, key in keys if key not in found[dataset]]

    def batch(self, dataset: str, batch_id: str) -> pa.Table:
        """Return the rows of one batch; raises ``FileNotFoundError`` when it is not there."""
        return pq.read_table(self.path(dataset, batch_id), partitioning=None)

    def read(self, dataset: str) -> pa.Table:
        """Return every landed row of a dataset, all batches, in no order."""
        in_effect = [a for a in self.log.in_effect() if a.dataset == dataset]
        if not in_effect:
            return CONTRACTS[dataset].landed_schema.empty_table()
        paths = self._files(dataset, in_effect)
        return pa.concat_tables(pq.read_table(path, partitioning=None) for path in paths)

    def newest(self, dataset: str, source: str | None = None) -> pa.Table:
        """Return for each key the row that counts, of one source or of the best that has it."""
        import duckdb

        contract = CONTRACTS[dataset]
        in_effect = [
            a for a in self.log.in_effect() if a.dataset == dataset and source in (None, a.source)
        ]
        if not in_effect:
            return contract.landed_schema.empty_table()
        paths = [str(path) for path in self._files(dataset, in_effect)]
        # in_effect stands in the order in which assertions win, the last one over all others.
        order = pa.table(
            {"batch_id": [a.batch_id for a in in_effect], "place": range(len(in_effect))}
        )
        key = ", ".join(f'landed."{name}"' for name in contract.key)
        with duckdb.connect() as connection:
            connection.register("winning_order", order)
            query = (
                "select landed.* from read_parquet(?, union_by_name = true) as landed "  # noqa: S608
                "join winning_order using (batch_id) "
                f"qualify row_number() over (partition by {key} order by place desc) = 1"
            )
            found = connection.sql(query, params=[paths]).to_arrow_table()
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
            of_dataset = [a for a in in_effect if a.dataset == contract.dataset]
            paths = self._files(contract.dataset, of_dataset, forget_others=True)
            target = folder / contract.dataset
            target.mkdir(parents=True, exist_ok=True)
            _write_schema(contract, target / SCHEMA_FILE)
            wanted = {target / path.name: path for path in paths}
            for path in target.iterdir():
                if path not in wanted and path.name != SCHEMA_FILE:
                    path.unlink()
            for path, origin in wanted.items():
                _link(origin, path)

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

    def _files(
        self, dataset: str, assertions: Sequence[Assertion], *, forget_others: bool = False
    ) -> list[Path]:
        """Return the local files that hold the rows of these assertions' batches."""
        listed = self.storage.entries(dataset)
        keys = dict.fromkeys(_key(dataset, a.batch_id) for a in assertions)
        for key in keys:
            if key not in listed:
                raise FileNotFoundError(f"{self.storage.address(key)} is not there")
        if forget_others:
            self.storage.forget(dataset, listed)
        return list(self.storage.files({key: listed[key] for key in keys}).values())

    def _write(self, contract: Contract, batch: pa.Table, batch_id: str) -> None:
        rows = batch.num_rows
        provenance = {
            "batch_id": pa.array([batch_id] * rows, pa.string()),
            "ingested_at": pa.array([datetime.now(UTC)] * rows, pa.timestamp("us", tz="UTC")),
        }
        landed = pa.table(
            [
                provenance[f.name] if f.name in provenance else batch[f.name]
                for f in contract.landed_schema
            ],
            schema=contract.landed_schema,
        )
        self.storage.write(_key(contract.dataset, batch_id), as_parquet(landed))


def as_parquet(table: pa.Table) -> bytes:
    """Return a table as the content of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return cast("bytes", sink.getvalue().to_pybytes())


def _key(dataset: str, batch_id: str) -> str:
    return f"{dataset}/{batch_id}.parquet"


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
    """Return the batch in the order of its key, so that row order is no part of its content."""
    return batch.sort_by([(name, "ascending") for name in contract.key])


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
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(batch, sink)
    digest.update(sink.getvalue())
    return digest.hexdigest()[:32]
