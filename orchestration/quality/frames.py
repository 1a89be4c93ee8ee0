"""A batch as Great Expectations, the rules and their SQL look at it."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa


def checked_table(batch: pa.Table) -> pa.Table:
    """Return the batch with floats for decimals, in which every check counts."""
    arrays = [
        column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column
        for column in batch.columns
    ]
    return pa.table(arrays, names=batch.column_names)


def checked_frame(batch: pa.Table) -> pd.DataFrame:
    """Return the batch as Great Expectations can check it: floats, timestamps and text."""
    frame: pd.DataFrame = checked_table(batch).to_pandas(date_as_object=False)
    return frame
