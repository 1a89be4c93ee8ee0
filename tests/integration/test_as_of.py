"""What was known on a day: the release's own macro over made prints, against a plain model.

The SQL is the table macro as published; only the tables below it are made. Days of publication lie
close together, so that several documents of one day, comparatives before their originals and
documents of unknown date are common.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.contracts import DOCUMENT_KINDS
from tests.plain_flags import flags_in, with_flags

Row = dict[str, Any]
RANKS = {kind.name: kind.rank for kind in DOCUMENT_KINDS}
FIRST_DAY = date(2024, 1, 10)
DAYS = st.integers(0, 6).map(lambda days: FIRST_DAY + timedelta(days=days))
#: Two structures of one age, so that their names decide between them.
STRUCTURES = {"old": date(2022, 3, 31), "new": date(2023, 3, 31), "newer": date(2023, 3, 31)}
SEGMENTS = [
    (f"acme.{structure}.{label}", structure, breakdown)
    for structure in STRUCTURES
    for label, breakdown in (("cloud", "segment"), ("media", "segment"), ("ads", "subline"))
]
PERIODS = [(date(2023, 1, 1), date(2023, 3, 31)), (date(2023, 4, 1), date(2023, 6, 30))]
COLUMNS = pa.schema(
    [
        ("segment_key", pa.string()),
        ("metric", pa.string()),
        ("period_start", pa.date32()),
        ("period_end", pa.date32()),
        ("document_id", pa.string()),
        ("company_key", pa.string()),
        ("structure", pa.string()),
        ("breakdown", pa.string()),
        ("segment_label", pa.string()),
        ("period_type", pa.string()),
        ("value_millions", pa.decimal128(24, 6)),
        ("printed_step_millions", pa.decimal128(24, 6)),
        ("currency", pa.string()),
        ("column_role", pa.string()),
        ("reported_on", pa.date32()),
        ("ordered_on", pa.date32()),
        ("source_quality", pa.string()),
        ("document_rank", pa.int32()),
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> list[Row]:
    """Up to six documents, most of which name their day."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["10-q", "results", "secondary"]))
        reported_on = draw(st.none() | DAYS | DAYS)
        found.append(
            {
                "document_id": f"acme.{kind}.{number}",
                "reported_on": reported_on,
                "ordered_on": reported_on or draw(st.sampled_from([end for _, end in PERIODS])),
                "source_quality": "secondary" if kind == "secondary" else "official",
                "document_rank": RANKS[kind],
            }
        )
    return found


@st.composite
def batches(draw: st.DrawFn) -> list[Row]:
    """Prints of a few figures in the columns of the fact, one per document and figure."""
    figure = st.tuples(
        st.sampled_from(SEGMENTS),
        st.sampled_from(["revenue", "adjusted_ebita"]),
        st.sampled_from(PERIODS),
        st.sampled_from(["current", "prior_year", "derived"]),
        # Close to each other, so that some differ by less than the last printed digit.
        st.sampled_from(["100", "100.4", "100.5", "101", "107", "-3"]).map(Decimal),
        st.sampled_from([None, "0.1", "1", "10"]).map(lambda step: step and Decimal(step)),
    )
    prints = []
    for document in draw(documents()):
        printed = draw(
            st.lists(figure, min_size=1, max_size=8, unique_by=lambda f: (f[0][0], f[1], f[2]))
        )
        for (segment_key, structure, breakdown), metric, period, role, value, step in printed:
            prints.append(
                {
                    **document,
                    "segment_key": segment_key,
                    "segment_label": segment_key.rsplit(".", 1)[1],
                    "company_key": "acme",
                    "structure": structure,
                    "breakdown": breakdown,
                    "metric": metric,
                    "period_start": period[0],
                    "period_end": period[1],
                    "period_type": "quarter",
                    "currency": "CNY",
                    "column_role": role,
                    "value_millions": value,
                    "printed_step_millions": step,
                }
            )
    return prints


def plain(row: Row) -> Row:
    """A print as the plain model reads it."""
    return {
        **row,
        "period_start": row["period_start"].isoformat(),
        "period_end": row["period_end"].isoformat(),
        "structure_age": STRUCTURES[row["structure"]].isoformat(),
        "value": row["value_millions"],
        "step": row["printed_step_millions"] or Decimal(0),
        "order": (
            row["ordered_on"].isoformat(),
            row["source_quality"] != "official",
            -row["document_rank"],
            row["document_id"],
        ),
    }


@pytest.fixture(scope="module")
def made(release: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The macro of the release over empty tables of the release's own columns."""
    [(definition,)] = release.execute(
        "select macro_definition from duckdb_functions() "
        "where schema_name = 'core' and function_name = 'segment_result_as_of'"
    ).fetchall()
    with duckdb.connect() as connection:
        connection.execute("create schema core")
        for table in ("fct_segment_result", "dim_structure"):
            columns = release.execute(f"describe core.{table}").fetchall()
            connection.execute(
                f"create table core.{table} ("
                + ", ".join(f'"{name}" {type_}' for name, type_, *_ in columns)
                + ")"
            )
        connection.executemany(
            "insert into core.dim_structure (company_key, structure, first_reported_period) "
            "values ('acme', ?, ?)",
            list(STRUCTURES.items()),
        )
        connection.execute(
            f"create macro core.segment_result_as_of(as_of_date) as table {definition}"
        )
        yield connection


def check(made: duckdb.DuckDBPyConnection, prints: list[Row], day: date) -> None:
    batch = pa.Table.from_pylist(prints, schema=COLUMNS)
    made.execute("delete from core.fct_segment_result")
    # Flags are null in the table: what the macro gives, it has computed.
    made.execute("insert into core.fct_segment_result by name from batch")
    del batch
    known = [row for row in prints if row["reported_on"] and row["reported_on"] <= day]
    found = flags_in(made, f"core.segment_result_as_of(date '{day}')")
    assert found == with_flags([plain(row) for row in known])


FEW = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(FEW, max_examples=3000, derandomize=False)


@FEW
@given(prints=batches(), day=DAYS)
def test_nothing_later_is_known(
    made: duckdb.DuckDBPyConnection, prints: list[Row], day: date
) -> None:
    check(made, prints, day)


@pytest.mark.long
@MANY
@given(prints=batches(), day=DAYS)
def test_nothing_later_is_known_at_full_count(
    made: duckdb.DuckDBPyConnection, prints: list[Row], day: date
) -> None:
    check(made, prints, day)
