"""The facts that ship with the project: one CSV per landing dataset in ``orchestration/baseline``.

Every row names its document or page. Figures are as printed; nothing is computed here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

FOLDER = Path(__file__).parent.parent / "baseline"


def read(dataset: str, schema: pa.Schema, folder: Path | None = None) -> pd.DataFrame:
    """Return the baseline of one dataset, columns and types as in ``schema``.

    Columns that the file does not have and that may be empty are empty; ``source`` is
    ``baseline``; rows of a document take its address where they have none of their own.

    Raises:
        ValueError: naming the file when a cell does not fit its column's type or a column that
            must be filled is missing.
    """
    folder = folder or FOLDER
    path = folder / f"{dataset}.csv"
    try:
        table = pa_csv.read_csv(
            path,
            convert_options=pa_csv.ConvertOptions(
                column_types={field.name: field.type for field in schema},
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path.name}: {error}") from error
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    frame["source"] = "baseline"
    if "source_url" not in frame:
        documents = pd.read_csv(folder / "document.csv", dtype=str).set_index("document_id")
        frame["source_url"] = frame["document_id"].astype(str).map(documents["source_url"])
    for field in schema:
        if field.name not in frame:
            if not field.nullable:
                raise ValueError(f"{path.name}: has no column {field.name}")
            frame[field.name] = pd.Series(None, index=frame.index, dtype=pd.ArrowDtype(field.type))
    return pd.DataFrame(frame[schema.names])
