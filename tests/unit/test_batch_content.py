"""The order and the hash of a batch's content, whatever its size."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from orchestration.contracts import contract_for
from orchestration.landing import store
from orchestration.landing.store import content_hash, in_key_order, strictly_ascending
from orchestration.quality import guard
from orchestration.quality.guard import SchemaMismatch, conform

RATES = contract_for("fx_rate")
TEXTS = ("a", 'qu"oted', "two\nlines", "comma, too", "", "日本", None)


def rates(rows: int) -> pa.Table:
    """Rates of three pairs in the order of their key, with sources that CSV must quote."""
    places = range(rows)
    return pa.table(
        {
            "base": ["EUR"] * rows,
            "quote": [("CNY", "HKD", "USD")[3 * place // rows] for place in places],
            "rate_date": [date(2000, 1, 1) + timedelta(days=place) for place in places],
            "rate": [None if place % 7 == 0 else place / 3 for place in places],
            "source": ["baseline"] * rows,
            "source_url": [TEXTS[place % len(TEXTS)] for place in places],
        },
        schema=RATES.batch_schema.remove_metadata(),
    )


def shuffled(batch: pa.Table) -> pa.Table:
    places = list(range(batch.num_rows))
    random.Random(1).shuffle(places)
    return batch.take(pa.array(places, pa.int64()))


def hash_at_once(batch: pa.Table) -> str:
    """The hash of batches that have landed: of one CSV, whole in memory."""
    digest = hashlib.sha256()
    for column in batch.schema:
        digest.update(f"{column.name}:{column.type};".encode())
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(batch, sink)
    digest.update(sink.getvalue())
    return digest.hexdigest()[:32]


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 30, 31])
@pytest.mark.parametrize("piece", [1, 10, 1 << 18])
def test_the_hash_in_pieces_is_that_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, rows: int, piece: int
) -> None:
    monkeypatch.setattr(store, "_PIECE", piece)
    assert content_hash(rates(rows)) == hash_at_once(rates(rows))


def test_the_hash_of_landed_content_stays() -> None:
    assert content_hash(rates(30)) == "3f66ed40fa7c0ea17b44525c782d2a13"


@pytest.mark.parametrize("piece", [1, 3, 1 << 18])
def test_a_batch_in_key_order_is_known_as_such(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(store, "_PIECE", piece)
    batch = rates(30)
    assert strictly_ascending(batch, RATES.key)
    assert in_key_order(RATES, batch) is batch
    for place in range(29):
        swapped = [*range(place), place + 1, place, *range(place + 2, 30)]
        assert not strictly_ascending(batch.take(pa.array(swapped)), RATES.key)
        twice = [*range(place + 1), *range(place, 30)]
        assert not strictly_ascending(batch.take(pa.array(twice)), RATES.key)
    empty_key = batch.set_column(1, "quote", pa.array([*["CNY"] * 29, None], pa.string()))
    assert not strictly_ascending(empty_key, RATES.key)


def test_text_of_more_than_one_array_is_sorted_and_conformed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = rates(100)
    mixed = shuffled(pa.concat_tables([batch, batch.slice(3, 4)]))
    frame = mixed.to_pandas()
    expected = in_key_order(RATES, mixed)
    assert expected["rate_date"].to_pylist() != mixed["rate_date"].to_pylist()
    for module in (store, guard):
        monkeypatch.setattr(module, "_LONGEST_TEXT", 10)
        monkeypatch.setattr(module, "_PIECE", 7)
    assert in_key_order(RATES, mixed).equals(expected)
    conformed = conform(RATES, frame)
    assert conformed["source_url"].num_chunks > 1
    assert conformed.to_pylist() == mixed.to_pylist()
    assert conformed.schema.types == mixed.schema.types


def rates_with(column: str, cells: Sequence[Any] | pd.Series[Any]) -> pd.DataFrame:
    frame = rates(2).to_pandas()
    frame[column] = cells
    return frame


@pytest.mark.parametrize(
    ("column", "cells", "meant"),
    [
        ("rate", [1, 2], [1.0, 2.0]),
        ("rate", pd.Series([1.5, 2.5], dtype="float32"), [1.5, 2.5]),
        ("rate_date", [datetime(2000, 1, 1), None], [date(2000, 1, 1), None]),
    ],
)
def test_what_loses_nothing_is_converted(
    column: str, cells: Sequence[Any], meant: Sequence[Any]
) -> None:
    assert conform(RATES, rates_with(column, cells))[column].to_pylist() == meant


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        ("rate", ["1.0", "2.0"], "first value '1.0'"),
        ("rate", [True, False], "is bool"),
        ("rate", [Decimal("0.1"), Decimal("0.2")], "is decimal"),
        ("rate", [2**53 + 1, 1], "9007199254740993"),
        ("rate_date", ["2000-01-01", "2000-01-02"], "first value '2000-01-01'"),
        ("rate_date", pd.Series([10957, 10958], dtype="int32"), "is int32"),
        ("rate_date", [datetime(2000, 1, 1), datetime(2000, 1, 2, 12)], "2000-01-02 12:00:00"),
        ("rate_date", pd.to_datetime(["2000-01-01", "2000-01-02"], utc=True), "time zone"),
        ("source", [1, 2], "is int64"),
    ],
)
def test_what_could_lose_something_is_no_batch(
    column: str, cells: Sequence[Any], words: str
) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        conform(RATES, rates_with(column, cells))
    (outcome,) = caught.value.outcomes
    assert (outcome.column, words in outcome.detail) == (column, True), outcome.detail
