"""What a fetched batch says that has not landed yet.

An upstream answers with its whole history; landing the same rows every day would bury the changes.
What has landed is given as ``Landing.newest`` reads it: for each key the row that counts.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from orchestration.contracts import Contract, contract_for
from orchestration.quality.guard import SchemaMismatch, conform

MACRO = contract_for("macro_observation")


def news(contract: Contract, frame: pd.DataFrame, landed: pa.Table) -> pd.DataFrame:
    """Return the rows whose key is not in ``landed``, or which say otherwise than it does.

    A frame that is no batch of its contract, or contradicts itself, comes back whole: judging it is
    the guard's, and half of a contradiction would pass.
    """
    same = " and ".join(
        f"landed.{_q(c.name)} is not distinct from batch.{_q(c.name)}" for c in _data(contract)
    )
    return _rows_without(contract, frame, landed, same)


def new_vintages(frame: pd.DataFrame, landed: pa.Table) -> pd.DataFrame:
    """Return the observations that differ from the newest vintage in ``landed``, or have none.

    An upstream without vintages says today what it said yesterday, for all observations but the
    new and the revised ones: those alone are a vintage of today.
    """
    newest = (
        landed.sort_by([("vintage_date", "ascending")])
        .group_by(["series_id", "observation_date"], use_threads=False)
        .aggregate([("value", "last"), ("unit", "last")])
        .rename_columns({"value_last": "value", "unit_last": "unit"})
    )
    columns = ("series_id", "observation_date", "value", "unit")
    same = " and ".join(
        f"landed.{_q(name)} is not distinct from batch.{_q(name)}" for name in columns
    )
    return _rows_without(MACRO, frame, newest, same)


def _data(contract: Contract) -> list[pa.Field]:
    return [contract.batch_schema.field(column.name) for column in contract.columns]


def _rows_without(
    contract: Contract, frame: pd.DataFrame, landed: pa.Table, same: str
) -> pd.DataFrame:
    import duckdb

    try:
        batch = conform(contract, frame)
    except SchemaMismatch:
        return frame
    with duckdb.connect() as connection:
        connection.register("batch", batch.append_column("place", [range(batch.num_rows)]))
        connection.register("landed", landed)
        key = ", ".join(_q(name) for name in contract.key)
        twice = f"select 1 from batch group by {key} having count(*) > 1 limit 1"  # noqa: S608
        if connection.sql(twice).fetchall():
            return frame
        fresh = connection.sql(
            f"select place from batch where not exists (select 1 from landed where {same})"  # noqa: S608
        ).fetchall()
    return frame.iloc[sorted(place for (place,) in fresh)].reset_index(drop=True)


def _q(name: str) -> str:
    return f'"{name}"'
