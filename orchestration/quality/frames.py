"""A batch as Great Expectations and the rules look at it."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa


def checked_frame(batch: pa.Table) -> pd.DataFrame:
    """Return the batch as Great Expectations can check it: floats, timestamps and text."""
    arrays = [
        column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column
        for column in batch.columns
    ]
    frame: pd.DataFrame = pa.table(arrays, names=batch.column_names).to_pandas(date_as_object=False)
    return frame
