"""docs/dictionary.md is what the models say, and the models agree with the release."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from orchestration.dictionary import (
    Column,
    Described,
    described_tables,
    dictionary_page,
    split_grain,
)
from orchestration.release.tables import Table, columns_of, tables_in
from orchestration.transform.dbt import ensure_parsed


def test_the_page_is_that_of_the_models() -> None:
    page = Path("docs/dictionary.md").read_text(encoding="utf-8")
    assert page == dictionary_page(described_tables()), (
        "docs/dictionary.md is out of date: run `make docs`"
    )


def test_every_table_and_column_of_a_release_is_there(release: duckdb.DuckDBPyConnection) -> None:
    served = {
        (table.schema, table.name): list(columns_of(release, table))
        for table in tables_in(release, ("core", "marts", "ops"))
    }
    described = {
        (table.schema, table.name): [column.name for column in table.columns]
        for table in described_tables()
        if not table.arguments
    }
    assert described == served


def test_every_table_has_a_grain_and_every_column_a_meaning(
    release: duckdb.DuckDBPyConnection,
) -> None:
    for table in described_tables():
        assert table.description, table.title
        assert [column for column in table.columns if not column.description] == [], table.title
        if table.arguments:
            continue
        grain = ", ".join(f'"{column}"' for column in table.grain) or "1"
        served = Table(table.schema, table.name)
        repeated = release.execute(
            f"select {grain} from {served.sql} group by {grain} having count(*) > 1"
        ).fetchall()
        assert repeated == [], table.title


def test_a_grain_in_words_is_the_one_that_is_tested() -> None:
    manifest = json.loads(ensure_parsed().read_text(encoding="utf-8"))
    tested = {f"{table.schema}.{table.name}": table.grain for table in described_tables()}
    said = {
        f"{node['schema']}.{node['name']}": split_grain(node["description"])[1]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    in_words = {name: grain for name, grain in said.items() if grain and name in tested}
    assert len(in_words) > 10
    assert in_words == {name: tested[name] for name in in_words}


def test_a_section_is_readable_and_linked() -> None:
    made = Described(
        "marts",
        "made_up",
        (),
        "One row\n  a day.",
        ("day",),
        (
            Column("day", "date", "", "Which day."),
            Column("revenue_usd_millions", "decimal(24,6)", "USD millions", "Keys as `a|b`."),
        ),
    )
    page = dictionary_page([made])
    assert "[`made_up`](#martsmade_up)" in page
    assert page.split("### ", 1)[1].split("\n## ")[0].rstrip().splitlines() == [
        "marts.made_up",
        "",
        "One row a day.",
        "",
        "Grain: `day`.",
        "",
        "| Column | Type | Unit | Meaning |",
        "|---|---|---|---|",
        "| `day` | date |  | Which day. |",
        r"| `revenue_usd_millions` | decimal(24,6) | USD millions | Keys as `a\|b`. |",
    ]
