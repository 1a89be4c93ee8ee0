"""Landing: which assertion counts, and what a repetition costs."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from orchestration.build import build_models
from orchestration.contracts import contract_for
from orchestration.extract import baseline
from orchestration.home import Home
from orchestration.landing import Landing
from orchestration.loading import BatchRejected, Loader
from orchestration.registry import load_registry
from orchestration.transform.dbt import build as dbt_build
from orchestration.transform.reference import (
    write_calendar_dates,
    write_load_log,
    write_registry,
)

MACRO = contract_for("macro_observation")


def observation(value: float, source: str = "fred") -> pd.DataFrame:
    """One value of DGS10 on one day, in one vintage."""
    return pd.DataFrame(
        {
            "series_id": ["DGS10"],
            "observation_date": [date(2024, 1, 31)],
            "vintage_date": [date(2024, 2, 1)],
            "value": [value],
            "unit": ["percent"],
            "source": [source],
            "source_url": ["https://fred.stlouisfed.org/series/DGS10"],
        }
    )


def served(home: Home, dataset: str = "macro_observation") -> list[tuple[object, ...]]:
    """The rows that count, as staging gives them."""
    landing = Landing.of(home)
    write_load_log(home, landing, landing.log.in_effect())
    write_registry(home, load_registry())
    write_calendar_dates(home, load_registry())
    nodes = dbt_build(home, [f"stg_landing__{dataset}"])
    assert all(node.passed for node in nodes), nodes
    with duckdb.connect(str(home.build / "scratch.duckdb"), read_only=True) as connection:
        connection.execute(f"set file_search_path = '{home.root}'")
        return connection.execute(f"select * from staging.stg_landing__{dataset}").fetchall()


def batches(home: Home, dataset: str) -> int:
    return len([p for p in (home.landing / dataset).glob("*.parquet") if p.stem != "schema"])


def test_a_value_corrected_and_corrected_back_reads_as_asserted_last(home: Home) -> None:
    loader = Loader(home)
    for value in (4.0, 4.5, 4.0):
        loader.load(MACRO, observation(value))
        assert [row[3] for row in served(home)] == [value]
    assert batches(home, "macro_observation") == 2
    log = loader.landing.log.assertions()
    assert [a.status for a in log] == ["landed", "landed", "asserted_again"]
    assert log[0].batch_id == log[2].batch_id


def test_the_baseline_loaded_again_hides_no_newer_data(home: Home) -> None:
    loader = Loader(home)
    facts = baseline.read("macro_observation", MACRO.batch_schema)
    loader.load(MACRO, facts)
    (old,) = (r for r in served(home) if r[0] == "DGS10" and r[1] == date(2024, 1, 31))
    fresh = observation(9.99).assign(vintage_date=old[2])
    loader.load(MACRO, fresh)
    loader.load(MACRO, facts)
    (new,) = (r for r in served(home) if r[0] == "DGS10" and r[1] == date(2024, 1, 31))
    assert (old[3], new[3]) != (9.99, old[3])
    assert new[3] == 9.99


def test_a_daily_price_outranks_a_month_end_one_of_the_same_day(home: Home) -> None:
    loader, contract = Loader(home), contract_for("daily_price")
    loader.load(contract_for("corporate_action"), baseline.read(
        "corporate_action", contract_for("corporate_action").batch_schema))  # fmt: skip
    month_end = {
        "ticker": "BABA", "session_date": date(2024, 1, 31), "open": None, "high": None,
        "low": None, "close": 72.0, "adj_close": None, "volume": None, "currency": "USD",
        "observation_frequency": "month_end", "split_basis": date(2024, 3, 8),
        "source": "yahoo", "source_url": "https://finance.yahoo.com/quote/BABA/history",
    }  # fmt: skip
    daily = month_end | {
        "open": 71.0, "high": 73.0, "low": 70.0, "close": 72.17, "adj_close": 71.0,
        "observation_frequency": "daily", "source": "import",
    }  # fmt: skip
    loader.load(contract, pd.DataFrame([daily]))
    loader.load(contract, pd.DataFrame([month_end]))
    assert [row[5] for row in served(home, "daily_price")] == [72.17]


def batch(dataset: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as an extractor would give them; columns that are left out are empty."""
    schema = contract_for(dataset).batch_schema
    table = pa.Table.from_pylist(rows, schema=schema)
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def pdd_revenue(kind: str, quality: str, value: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A document of PDD's June 2026 quarter and the revenue it prints."""
    document_id, end = f"pdd.{kind}.2026-06-30", date(2026, 6, 30)
    document = {
        "document_id": document_id, "company_key": "pdd", "kind": kind, "period_end": end,
        "reported_on": date(2026, 8, 30), "title": "Made", "source_quality": quality,
        "source": "import", "source_url": "https://example.org/made",
    }  # fmt: skip
    figure = {
        "document_id": document_id, "company_key": "pdd", "metric": "revenue",
        "period_start": date(2026, 4, 1), "period_end": end, "period_type": "quarter",
        "value": Decimal(value), "unit": "million", "currency": "CNY", "column_role": "current",
        "printed_step": Decimal(1), "source": "import", "source_url": "https://example.org/made",
    }  # fmt: skip
    return batch("document", [document]), batch("company_result", [figure])


@pytest.mark.parametrize("official_first", [False, True])
def test_an_official_print_counts_over_a_second_hand_one(home: Home, official_first: bool) -> None:
    loader = Loader(home)
    for dataset in ("document", "company_result"):
        loader.load(
            contract_for(dataset), baseline.read(dataset, contract_for(dataset).batch_schema)
        )
    prints = [
        pdd_revenue("secondary", "secondary", 110000),
        pdd_revenue("results", "official", 109876),
    ]
    for document, figure in reversed(prints) if official_first else prints:
        loader.load(contract_for("document"), document)
        loader.load(contract_for("company_result"), figure)
    write_registry(home, load_registry())
    write_calendar_dates(home, load_registry())
    build_models(home)
    with duckdb.connect(str(home.build_database), read_only=True) as connection:
        latest = connection.execute(
            "select document_id, value_millions from core.fct_company_result "
            "where company_key = 'pdd' and metric = 'revenue' and is_latest "
            "and period_end = date '2026-06-30'"
        ).fetchall()
    assert latest == [("pdd.results.2026-06-30", Decimal(109876))]


def test_a_rejected_batch_goes_to_quarantine_whole_and_touches_nothing(home: Home) -> None:
    loader = Loader(home)
    loader.load(MACRO, observation(4.0))
    bad = pd.concat([observation(4.1), observation(4.2)], ignore_index=True)
    with pytest.raises(BatchRejected, match=r"no key .* stands twice: 2 failing rows"):
        loader.load(MACRO, bad)
    assert len(loader.landing.log.assertions()) == 1
    assert [row[3] for row in served(home)] == [4.0]
    (entry,) = loader.quarantine.entries()
    assert entry.report.rows == 2
    assert len(pd.read_parquet(entry.folder / "batch.parquet")) == 2
    assert entry.report.failures[0].failing_rows[1]["value"] == "4.2"


def test_a_frame_of_mixed_types_can_be_quarantined(home: Home) -> None:
    loader = Loader(home)
    mixed = pd.concat([observation(4.0), observation(4.0)], ignore_index=True)
    mixed["value"] = pd.Series([4.0, "n/a"], dtype=object)
    with pytest.raises(BatchRejected, match="value: is of type double"):
        loader.load(MACRO, mixed)
    (entry,) = loader.quarantine.entries()
    assert list(pd.read_parquet(entry.folder / "batch.parquet")["value"]) == ["4.0", "n/a"]


def test_a_dataset_without_any_batch_reads_as_an_empty_typed_table(home: Home) -> None:
    Loader(home)
    assert served(home) == []


def test_a_batch_that_no_assertion_points_to_is_not_read(home: Home) -> None:
    loader = Loader(home)
    kept = loader.load(MACRO, observation(4.0)).assertion
    orphan = loader.landing.path("macro_observation", "0" * 32)
    os.link(loader.landing.path("macro_observation", kept.batch_id), orphan)
    assert len(served(home)) == 1


def test_the_same_rows_in_another_order_are_the_same_batch(home: Home) -> None:
    loader = Loader(home)
    facts = baseline.read("macro_observation", MACRO.batch_schema)
    first = loader.load(MACRO, facts).assertion
    again = loader.load(MACRO, facts.sample(frac=1, random_state=1)).assertion
    assert first.batch_id == again.batch_id
    assert batches(home, "macro_observation") == 1
