"""The batches themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from orchestration.contracts import CONTRACTS, Contract
from orchestration.files import write_atomically
from orchestration.landing.load_log import Assertion, LoadLog

#: A Parquet file without rows in every dataset's folder, so that a dataset without any batch
#: reads as an empty, typed table.
SCHEMA_FILE = "schema.parquet"
#: Rows that are compared or hashed at once, so that memory does not grow with the batch.
_PIECE = 1 << 18
_LONGEST_TEXT = 2**31 - 1


class Landing:
    """The landing area of one warehouse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = LoadLog(folder / "load_log")

    def prepare(self) -> None:
        """Make every dataset readable, whether or not a batch of it ever landed."""
        for contract in CONTRACTS.values():
            target = self.folder / contract.dataset / SCHEMA_FILE
            if not target.exists() or pq.read_schema(target) != contract.landed_schema:
                empty = contract.landed_schema.empty_table()
                write_atomically(target, partial(pq.write_table, empty))

    def assert_batch(self, contract: Contract, batch: pa.Table, batch_id: str) -> Assertion:
        """Land a batch that has passed its guard, and log the assertion.

        ``batch`` is in key order, ``batch_id`` the hash of its content.
        Content that lies there already is not written again; the log gets its line all the same.
        A crash between the two leaves a file that no line points to, which nobody reads.
        """
        new = not self.path(contract.dataset, batch_id).exists()
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
        """Return where a batch lies."""
        return self.folder / dataset / f"{batch_id}.parquet"

    def lost(self) -> list[Path]:
        """Return the files of logged batches that are not there: nothing of ours deletes one."""
        paths = (self.path(a.dataset, a.batch_id) for a in self.log.in_effect())
        return [path for path in paths if not path.exists()]

    def read(self, dataset: str) -> pa.Table:
        """Return every landed row of a dataset, all batches, in no order."""
        paths = [
            self.path(dataset, a.batch_id) for a in self.log.in_effect() if a.dataset == dataset
        ]
        if not paths:
            return CONTRACTS[dataset].landed_schema.empty_table()
        return pa.concat_tables(pq.read_table(path) for path in paths)

    def newest(self, dataset: str, source: str | None = None) -> pa.Table:
        """Return for each key the row that counts, of one source or of the best that has it."""
        import duckdb

        contract = CONTRACTS[dataset]
        in_effect = [
            a for a in self.log.in_effect() if a.dataset == dataset and source in (None, a.source)
        ]
        if not in_effect:
            return contract.landed_schema.empty_table()
        paths = [str(self.path(dataset, a.batch_id)) for a in in_effect]
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
        write_atomically(
            self.path(contract.dataset, batch_id),
            lambda path: pq.write_table(landed, path, compression="zstd"),
        )


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
