"""Exports, opened by the programs that would read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from orchestration import cli
from orchestration.export import ExportRefused, Format, UnknownTable, export, unit_of
from orchestration.home import Home
from orchestration.reader import NoRelease, connect
from orchestration.release import current_release
from tests.conftest import warehouse
from tests.made_build import make_build, publish_build

FORMULAS = ['=HYPERLINK("http://example.org")', "-1+1", "@x", "+x", "\tx", "\rx", "\n=x"]
HARMLESS = ["plain, with a comma", "a=b", 'quoted "text"', "", None]
WIDE = "marts.wide"


@pytest.fixture
def made(tmp_path: Path) -> Home:
    """A release with a mart whose texts are formulas and whose numbers are negative."""
    home = Home(tmp_path / "home")
    make_build(home, 1)
    with duckdb.connect(str(home.build_database)) as build:
        build.execute(
            """
            drop table marts.wide;
            create table marts.wide (
                place integer, note varchar, day date, seen timestamptz, flag boolean,
                revenue_usd_millions decimal(24, 6), growth_percent double,
                value decimal(24, 6), unit varchar
            );
            comment on table marts.wide is 'One row a text. Grain: place.';
            comment on column marts.wide.note is 'Any text.';
            comment on column marts.wide.revenue_usd_millions is 'Revenue in US dollars.';
            comment on column marts.wide.value is 'The figure in `unit`.';
            """
        )
        for place, text in enumerate([*FORMULAS, *HARMLESS]):
            build.execute(
                "insert into marts.wide values ($1, $2, date '2025-03-31', "
                "timestamptz '2025-03-31 08:00:00+08', true, -1.5, -0.25, -1000, 'CNY')",
                [place, text],
            )
    publish_build(home)
    return home


def cells(path: Path, sheet: str) -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(path)
    return [tuple(cell.value for cell in row) for row in book[sheet].iter_rows()]


def test_csv_is_what_the_table_holds_with_units_in_its_header(made: Home, tmp_path: Path) -> None:
    [path] = export(made.root, Format.csv, [], tmp_path / "out")
    assert path == tmp_path / "out" / "marts.wide.csv"
    frame = pd.read_csv(path, parse_dates=["day"])
    assert list(frame) == [
        "place",
        "note",
        "day",
        "seen",
        "flag",
        "revenue_usd_millions (USD millions)",
        "growth_percent (percent)",
        "value (see unit)",
        "unit",
    ]
    assert frame["revenue_usd_millions (USD millions)"].tolist() == [-1.5] * len(frame)
    assert frame["growth_percent (percent)"].dtype == float
    assert frame["value (see unit)"].sum() == -1000 * len(frame)
    assert frame["flag"].all()
    assert set(frame["day"]) == {pd.Timestamp("2025-03-31")}
    assert set(frame["seen"]) == {"2025-03-31 00:00:00"}


def test_text_that_would_run_as_a_formula_is_escaped_in_csv_and_excel(
    made: Home, tmp_path: Path
) -> None:
    [csv_file] = export(made.root, Format.csv, [WIDE], tmp_path)
    [workbook] = export(made.root, Format.xlsx, [WIDE], tmp_path)
    with duckdb.connect() as connection:
        read = connection.execute(
            "select note from read_csv($1, header = true, all_varchar = true) "
            "order by place::integer",
            [str(csv_file)],
        ).fetchall()
    in_csv = [note for (note,) in read]
    in_excel = [row[1] for row in cells(workbook, WIDE)[1:]]
    assert in_csv[: len(FORMULAS)] == [f"'{text}" for text in FORMULAS]
    assert in_csv[len(FORMULAS) :][:3] == HARMLESS[:3]
    assert [text.replace("_x000D_", "\r") for text in in_excel[: len(FORMULAS)]] == [
        f"'{text}" for text in FORMULAS
    ]
    assert in_excel[len(FORMULAS) :][:3] == HARMLESS[:3]
    sheet = openpyxl.load_workbook(workbook)[WIDE]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d", "b"}


def test_excel_has_numbers_as_numbers_dates_as_dates_and_a_sheet_about_it_all(
    made: Home, tmp_path: Path
) -> None:
    [path] = export(made.root, Format.xlsx, [WIDE, "core.dim_segment"], tmp_path)
    assert path.name == "warehouse.xlsx"
    assert openpyxl.load_workbook(path).sheetnames == ["About", WIDE, "core.dim_segment"]
    header, first, *_ = cells(path, WIDE)
    assert header[5] == "revenue_usd_millions (USD millions)"
    assert first[2:] == (
        datetime(2025, 3, 31),
        datetime(2025, 3, 31, 0, 0),
        True,
        -1.5,
        -0.25,
        -1000,
        "CNY",
    )
    frame = pd.read_excel(path, sheet_name=WIDE)
    assert frame["growth_percent (percent)"].dtype == float

    release = current_release(made)
    assert release is not None
    about = cells(path, "About")
    told = {row[0]: row[1] for row in about[:5]}
    assert told["Release"] == release.release_id
    assert told["Created at (UTC)"] == f"{release.manifest.created_at:%Y-%m-%d %H:%M:%S}"
    assert "source_url" in told["Source"]
    assert (WIDE, WIDE, 12, None, "One row a text. Grain: place.") in about
    assert (
        WIDE,
        "revenue_usd_millions",
        "DECIMAL(24,6)",
        "USD millions",
        "Revenue in US dollars.",
    ) in about


def test_two_workbooks_of_one_release_are_equal_byte_for_byte(made: Home, tmp_path: Path) -> None:
    [one] = export(made.root, Format.xlsx, [WIDE], tmp_path / "one")
    [two] = export(made.root, Format.xlsx, [WIDE], tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()


def test_parquet_keeps_names_types_and_texts_and_says_units_and_release(
    made: Home, tmp_path: Path
) -> None:
    [path] = export(made.root, Format.parquet, [WIDE], tmp_path)
    table = parquet.read_table(path)
    with connect(made.root) as connection:
        rows = connection.execute("from marts.wide order by all").fetchall()
    assert table.num_rows == len(rows)
    assert table.column("note").to_pylist() == [row[1] for row in rows]
    assert table.column("revenue_usd_millions").to_pylist() == [Decimal("-1.500000")] * len(rows)
    assert table.schema.field("revenue_usd_millions").metadata[b"unit"] == b"USD millions"
    release = current_release(made)
    assert release is not None
    assert table.schema.metadata[b"release_id"].decode() == release.release_id


def test_what_excel_cannot_hold_is_refused_and_leaves_no_file(
    made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.export._SHEET_ROWS", 12)
    with pytest.raises(ExportRefused, match=r"marts\.wide has 12 rows, a sheet holds 11"):
        export(made.root, Format.xlsx, [WIDE], tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr("orchestration.export._CELL_CHARACTERS", 10)
    with pytest.raises(ExportRefused, match=r"marts\.wide\.note has a text of 33 characters"):
        export(made.root, Format.xlsx, [WIDE], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_an_unknown_table_is_refused_with_the_nearest(made: Home, tmp_path: Path) -> None:
    with pytest.raises(UnknownTable, match=r"no table 'wide'; nearest: marts\.wide"):
        export(made.root, Format.csv, ["wide"], tmp_path / "out")
    with pytest.raises(UnknownTable, match=r"nearest: core\.fct_result"):
        export(made.root, Format.csv, [WIDE, "core.fct_resullt"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(NoRelease):
        export(tmp_path / "nothing", Format.csv, [], tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "description", "unit"),
    [
        ("revenue_usd_millions", "Revenue in millions of US dollars.", "USD millions"),
        ("revenue_millions", "Revenue in millions of `currency`.", "millions, see currency"),
        ("profit_ttm_millions", "The same sum of profit.", "millions, see currency"),
        ("ordinary_shares_millions", "Shares in millions, as stated.", "millions"),
        ("yoy_percent", "Growth of revenue in `currency`.", "percent"),
        ("value", "The figure in `unit`.", "see unit"),
        ("close", "Last price in `currency`, unadjusted.", "see currency"),
        ("margin_percent", "Profit as a percentage of revenue.", "percent"),
        ("age_days", "Age.", "days"),
        ("average_units_per_usd", "Rate.", "units per USD"),
        ("daily_return", "Change of the close, as a fraction.", "fraction"),
        ("value", "In `other`, which is no column.", None),
        ("print_number", "Place among the prints.", None),
    ],
)
def test_the_unit_comes_from_the_name_and_then_from_the_description(
    name: str, description: str, unit: str | None
) -> None:
    assert unit_of(name, description, ["value", "unit", "currency"]) == unit


def run(home: Home, *arguments: str) -> tuple[int, str]:
    """Run the command as its entry point does."""
    with warehouse(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["warehouse", *arguments])
        try:
            cli.main()
        except SystemExit as ended:
            return int(ended.code or 0), ""
    return 0, ""


@pytest.mark.parametrize("format", list(Format))
def test_the_command_writes_each_format(made: Home, tmp_path: Path, format: Format) -> None:
    with warehouse(made):
        result = CliRunner().invoke(
            cli.app, ["export", "--format", format, "--table", WIDE, "--out", str(tmp_path / "o")]
        )
    assert result.exit_code == 0, result.output
    [path] = [Path(line) for line in result.stdout.split()]
    assert path.suffix == f".{format}"
    assert path.exists()


def test_a_day_of_a_table_that_has_none_is_refused(
    made: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "--as-of", "2025-01-01", "--out", str(tmp_path / "out")]
    assert run(made, *arguments)[0] == 2
    said = " ".join(capfd.readouterr().err.split())
    assert "marts.wide has no state of a day" in said
    assert "core.fct_segment_result" in said
    assert not (tmp_path / "out").exists()


def as_of_rows(connection: duckdb.DuckDBPyConnection, query: str, day: date) -> Sequence[Any]:
    return connection.execute(query, [day]).fetchall()


@pytest.mark.parametrize("day", [date(2019, 6, 30), date(2024, 6, 30)])
def test_segment_results_of_a_day_equal_the_macro(
    published: Home, release: duckdb.DuckDBPyConnection, tmp_path: Path, day: date
) -> None:
    [path] = export(
        published.root, Format.parquet, ["core.fct_segment_result"], tmp_path, as_of=day
    )
    assert path.name == f"core.fct_segment_result.as_of_{day}.parquet"
    macro = as_of_rows(release, "from core.segment_result_as_of($1) order by all", day)
    assert macro
    assert release.execute("from read_parquet($1)", [str(path)]).fetchall() == macro
    assert parquet.read_schema(path).metadata[b"as_of"].decode() == day.isoformat()


@pytest.mark.parametrize("table", ["core.fct_company_result", "core.fct_kpi", "core.dim_document"])
def test_other_tables_of_a_day_have_no_later_document_and_no_flag_that_knows_one(
    published: Home, release: duckdb.DuckDBPyConnection, tmp_path: Path, table: str
) -> None:
    day = date(2024, 6, 30)
    [path] = export(published.root, Format.parquet, [table], tmp_path, as_of=day)
    frame = parquet.read_table(path)
    assert "is_latest" not in frame.column_names
    assert max(frame.column("reported_on").to_pylist()) <= day
    expected = as_of_rows(release, f"select count(*) from {table} where reported_on <= $1", day)
    assert [(frame.num_rows,)] == expected


def test_all_marts_of_the_release_go_into_one_workbook(published: Home, tmp_path: Path) -> None:
    [path] = export(published.root, Format.xlsx, [], tmp_path)
    book = openpyxl.load_workbook(path, read_only=True)
    with connect(published.root) as connection:
        marts = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' order by all"
        ).fetchall()
    assert book.sheetnames == ["About", *(f"marts.{name}" for (name,) in marts)]
    header = [cell.value for cell in next(book["marts.segment_quarterly"].iter_rows(max_row=1))]
    assert "revenue_millions (millions, see currency)" in header
    assert json.dumps(header).count("(USD millions)") == 2
