"""A warehouse for two engines: the baseline and made daily prices, and how two builds compare."""

from __future__ import annotations

import math
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from orchestration import calendars
from orchestration.home import Home
from orchestration.imports import import_prices
from orchestration.loading import Loader
from orchestration.release.tables import Table, columns_of, quoted
from orchestration.transform.spark import table_files

#: Floats of the two engines may differ by this part of the larger one, and no more.
TOLERANCE = 1e-9
#: Securities with daily prices, by the calendar that they keep.
MADE = {"BABA": "XNYS", "KWEB": "XNYS", "SPY": "XNYS", "9988.HK": "XHKG", "^HSI": "XHKG"}


def land_made_prices(home: Home, folder: Path) -> None:
    """Land three years of daily prices with gaps; the baseline has hardly any."""
    folder.mkdir(parents=True, exist_ok=True)
    loader = Loader(home)
    for number, (ticker, calendar) in enumerate(MADE.items()):
        held = calendars.sessions(loader.registry, calendar)
        held = held[(held >= "2022-06-01") & (held <= "2025-06-30")]
        random = np.random.default_rng(number)
        held = held[random.random(len(held)) > 0.01]
        closes = (100 + 10 * number) * np.exp(np.cumsum(random.normal(0, 0.02, len(held))))
        made = folder / f"{ticker}.csv"
        levels = pd.Series(closes.round(4), index=held.date, name="close")
        levels.rename_axis("session_date").to_csv(made)
        import_prices(loader, made, ticker)


def differences(built: duckdb.DuckDBPyConnection, spark: Home, table: Table) -> list[str]:
    """Return how a table that Spark has built differs from the one that DuckDB has built.

    Columns and types must be the same, rows pair by all that is no float, and floats agree.
    """
    files = str(table_files(spark, table.schema, table.name) / "*.parquet")
    columns = columns_of(built, table)
    found = built.execute("describe (from read_parquet($1))", [files]).fetchall()
    if (given := {name: kind for name, kind, *_ in found}) != columns:
        return [f"columns: {columns} on DuckDB, {given} on Spark"]
    floats = [name for name, kind in columns.items() if kind == "DOUBLE"]
    exact = [name for name in columns if name not in floats]
    listed = ", ".join(map(quoted, [*exact, *floats]))
    ordered = f"select {listed} from {{}} order by {', '.join(map(quoted, [*exact, *floats]))}"
    ours = built.execute(ordered.format(table.sql)).fetchall()
    theirs = built.execute(ordered.format("read_parquet($1)"), [files]).fetchall()
    if len(ours) != len(theirs):
        return [f"{len(ours)} rows on DuckDB, {len(theirs)} on Spark"]
    apart = []
    for our, their in zip(ours, theirs, strict=True):
        if our[: len(exact)] != their[: len(exact)]:
            apart.append(f"{our[: len(exact)]} on DuckDB, {their[: len(exact)]} on Spark")
        for name, one, other in zip(floats, our[len(exact) :], their[len(exact) :], strict=True):
            if not agree(one, other):
                apart.append(f"{our[: len(exact)]}: {name} {one} on DuckDB, {other} on Spark")
    return apart


def agree(one: float | None, other: float | None) -> bool:
    """Whether two floats are the same within the tolerance; nothing agrees with null but null."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=0)
