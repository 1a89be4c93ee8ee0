"""What a release says has changed: two builds of made figures, published one after the other."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from orchestration import cli
from orchestration.home import Home
from orchestration.release import NoSuchRelease, Release, rollback
from orchestration.release.changes_report import LISTED, changes, chosen
from orchestration.release.differences import FIGURE_TABLES, ROW_KEYS, compared
from tests.conftest import warehouse
from tests.made_build import publish_build

CLOUD = "alibaba.business_groups.cloud"
RETAIL = "jd.segments.retail"
FIRST, SECOND, THIRD = (f"alibaba.results.{day}" for day in ("2024-06-30", "2025-06-30", "x"))

#: segment, quarter's end, document, value, whether it counts
Print = tuple[str, str, str, str, bool]
BEFORE: list[Print] = [
    (CLOUD, "2024-06-30", FIRST, "26549", True),
    (CLOUD, "2024-03-31", FIRST, "25595", True),
    (CLOUD, "2023-12-31", FIRST, "28066.5", True),
    (RETAIL, "2024-06-30", "jd.results.2024-06-30", "257072", True),
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def build(
    home: Home,
    prints: Sequence[Print],
    *,
    kpis: Sequence[tuple[str, str, str]] = (),
    vintages: Sequence[tuple[str, str, float]] = (),
    prices: Sequence[tuple[str, str, float, float]] = (),
    events: Sequence[tuple[str, str]] = (),
    then: str = "",
) -> None:
    """Build core tables of these rows; ``then`` is SQL run at the end."""
    home.build.mkdir(parents=True, exist_ok=True)
    home.build_database.unlink(missing_ok=True)
    with duckdb.connect(str(home.build_database)) as made:
        made.execute(
            """
            create schema core;
            create schema marts;
            create schema ops;
            create table core.fct_segment_result (
                segment_key varchar, metric varchar, period_start date, period_end date,
                document_id varchar, company_key varchar, value_millions decimal(24, 6),
                currency varchar, basis varchar, is_latest boolean
            );
            create table core.fct_kpi (
                company_key varchar, kpi varchar, as_of date, document_id varchar,
                value decimal(24, 6), unit varchar, is_latest boolean
            );
            create table core.fct_macro_observation (
                series_id varchar, observation_date date, vintage_date date, value double,
                unit varchar
            );
            create table core.fct_daily_price (
                security_key varchar, session_date date, close double, volume double,
                daily_return double
            );
            create table core.fct_event (event_id varchar, title varchar);
            create table marts.wide (figures bigint);
            """
        )
        for segment, end, document, value, latest in prints:
            made.execute(
                "insert into core.fct_segment_result values ($1, 'revenue', "
                "$2::date - interval 3 month, $2, $3, split_part($1, '.', 1), $4, 'CNY', "
                "'as_reported', $5)",
                [segment, end, document, value, latest],
            )
        for day, document, value in kpis:
            made.execute(
                "insert into core.fct_kpi values "
                "('alibaba', 'employees', $1, $2, $3, 'people', true)",
                [day, document, value],
            )
        for day, vintage, number in vintages:
            made.execute(
                "insert into core.fct_macro_observation values ('CHN_CPI', $1, $2, $3, 'index')",
                [day, vintage, number],
            )
        for security, day, close, volume in prices:
            made.execute(
                "insert into core.fct_daily_price values ($1, $2, $3, $4, 0)",
                [security, day, close, volume],
            )
        for event, title in events:
            made.execute("insert into core.fct_event values ($1, $2)", [event, title])
        made.execute("insert into marts.wide select count(*) from core.fct_segment_result")
        made.execute(then)


def text_of(release: Release) -> str:
    return (release.folder / "changes.md").read_text(encoding="utf-8")


def every_change(home: Home, *releases: str) -> list[dict[str, str]]:
    with warehouse(home):
        result = CliRunner().invoke(cli.app, ["diff", *releases, "--format", "csv"])
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_the_first_release_says_what_it_holds(home: Home) -> None:
    build(home, BEFORE)
    release = publish_build(home)
    text = text_of(release)
    assert "The first release" in text
    assert "| core.fct_segment_result | 4 |" in text
    with pytest.raises(NoSuchRelease, match="before the current one"):
        chosen(home, None, None)


def test_each_kind_of_change_is_told_with_values_and_documents(home: Home) -> None:
    build(home, BEFORE)
    first = publish_build(home)
    build(
        home,
        [
            # restated: a newer document prints another value
            (CLOUD, "2024-06-30", FIRST, "26549", False),
            (CLOUD, "2024-06-30", SECOND, "26600", True),
            # corrected: the same document is read otherwise
            (CLOUD, "2024-03-31", FIRST, "25959", True),
            # printed again with the same value
            (CLOUD, "2023-12-31", FIRST, "28066.5", False),
            (CLOUD, "2023-12-31", SECOND, "28066.5", True),
            # new, in two documents: one figure
            (CLOUD, "2025-06-30", SECOND, "33398", False),
            (CLOUD, "2025-06-30", THIRD, "33399", True),
            # gone: JD's
        ],
    )
    second = publish_build(home)
    text = text_of(second)
    assert f"Since {first.release_id}." in text
    assert "| core.fct_segment_result | 1 | 1 | 1 | 1 | 1 |" in text
    assert "| alibaba | core.fct_segment_result | 1 | 1 | 1 | 0 | 1 |" in text
    assert "| jd | core.fct_segment_result | 0 | 0 | 0 | 1 | 0 |" in text
    quarter = "2024-03-30 to 2024-06-30 | CNY millions"
    assert f"| {CLOUD} revenue | {quarter} | 26,549 | 26,600 | {FIRST}, now {SECOND} |" in text
    assert f"| 2023-12-31 to 2024-03-31 | CNY millions | 25,595 | 25,959 | {FIRST} |" in text
    assert f"| {RETAIL} revenue | {quarter} | 257,072 | none | jd.results.2024-06-30 |" in text
    assert f"| CNY millions | 33,399 | {THIRD} |" in text
    assert "28,066.5" not in text
    assert "- core.fct_segment_result: is_latest 2" in text
    assert "| marts.wide | 1 | 1 |" in text

    rows = {row["change"]: row for row in every_change(home)}
    assert len(rows) == 5
    assert rows["restated"] == {
        "table_name": "core.fct_segment_result",
        "change": "restated",
        "company_key": "alibaba",
        "subject": CLOUD,
        "item": "revenue",
        "period_start": "2024-03-30",
        "period_end": "2024-06-30",
        "unit": "CNY millions",
        "old_value": "26549",
        "new_value": "26600",
        "old_document_id": FIRST,
        "new_document_id": SECOND,
    }
    assert rows["printed_again"]["new_value"] == "28066.5"


def test_a_newer_print_that_goes_is_gone_and_not_a_restatement(home: Home) -> None:
    build(
        home,
        [(CLOUD, "2024-06-30", FIRST, "1", False), (CLOUD, "2024-06-30", SECOND, "-2", True)],
    )
    publish_build(home)
    build(home, [(CLOUD, "2024-06-30", FIRST, "1", True)])
    publish_build(home)
    [row] = every_change(home)
    assert (row["change"], row["old_value"], row["new_value"]) == ("gone", "-2", "1")
    assert (row["old_document_id"], row["new_document_id"]) == (SECOND, FIRST)


def test_another_currency_of_the_same_number_is_a_correction(home: Home) -> None:
    build(home, BEFORE)
    publish_build(home)
    build(
        home,
        BEFORE,
        then=f"update core.fct_segment_result set currency = 'USD' where segment_key = '{RETAIL}'",
    )
    text = text_of(publish_build(home))
    assert "| CNY millions, now USD millions | 257,072 | 257,072 |" in text


def test_equal_releases_say_that_no_figure_has_changed(home: Home) -> None:
    build(home, BEFORE)
    publish_build(home)
    build(home, list(reversed(BEFORE)))
    text = text_of(publish_build(home))
    assert text.endswith("\nNo figure has changed.\n")
    assert "## " not in text
    assert every_change(home) == []


def test_kpis_series_prices_and_events(home: Home) -> None:
    build(
        home,
        [],
        kpis=[("2024-06-30", FIRST, "198162")],
        vintages=[("2025-05-31", "2025-06-15", 100.5), ("2025-06-30", "2025-07-15", 101)],
        prices=[("BABA", f"2025-06-{day}", 110 + day, 5) for day in (26, 27)]
        + [("JD", "2025-06-27", 30, 1)],
        events=[("ban", "Ban"), ("listing", "=Listing | of")],
    )
    publish_build(home)
    build(
        home,
        [],
        kpis=[("2024-06-30", FIRST, "198126"), ("2025-06-30", SECOND, "123711")],
        vintages=[
            ("2025-05-31", "2025-06-15", 100.5),
            ("2025-05-31", "2025-08-15", 100.7),
            ("2025-06-30", "2025-07-15", 101),
            ("2025-06-30", "2025-08-15", 101),
        ],
        prices=[
            ("BABA", "2025-06-26", 136, 6),
            ("BABA", "2025-06-27", 136.5, 5),
            ("BABA", "2025-06-30", 140, 5),
        ],
        events=[("ban", "Ban"), ("listing", "-Listing"), ("lift", "Lifted")],
    )
    text = text_of(publish_build(home))
    assert "| core.fct_kpi | 1 | 0 | 1 | 0 | 0 |" in text
    assert f"| alibaba employees | 2024-06-30 | people | 198,162 | 198,126 | {FIRST} |" in text
    assert "| CHN_CPI | core.fct_macro_observation | 0 | 1 | 0 | 0 | 1 |" in text
    assert "| CHN_CPI | 2025-05-31 | index | 100.5 | 100.7 | 2025-06-15, now 2025-08-15 |" in text
    assert "| BABA | 1 | 2 | 0 | 2025-06-26 to 2025-06-30 |" in text
    assert "| JD | 0 | 0 | 1 | 2025-06-27 to 2025-06-27 |" in text
    assert "| core.fct_event | 1 | 1 | 0 | title |" in text
    assert "- core.fct_event, new: lift" in text

    rows = every_change(home)
    prices = [
        (row["subject"], row["period_end"], row["item"], row["old_value"], row["new_value"])
        for row in rows
        if row["table_name"] == "core.fct_daily_price" and row["change"] == "changed"
    ]
    assert prices == [
        ("BABA", "2025-06-27", "close", "137", "136.5"),
        ("BABA", "2025-06-26", "volume", "5", "6"),
    ]
    [title] = [row for row in rows if row["item"] == "title"]
    assert (title["old_value"], title["new_value"]) == ("'=Listing | of", "'-Listing")


def test_a_long_section_is_cut_and_says_by_how_much(home: Home) -> None:
    build(home, [])
    publish_build(home)
    many = [(f"alibaba.s.{n:03}", "2025-06-30", SECOND, "1", True) for n in range(LISTED + 7)]
    build(home, many)
    text = text_of(publish_build(home))
    assert "and 7 more" in text
    assert "alibaba.s.019" in text
    assert "alibaba.s.020" not in text
    assert len(every_change(home)) == LISTED + 7


def test_releases_with_other_tables_and_columns_are_compared_by_what_both_have(
    home: Home,
) -> None:
    build(
        home,
        BEFORE,
        events=[("ban", "Ban")],
        then="""
            drop table core.fct_kpi;
            alter table core.fct_segment_result drop basis;
            alter table core.fct_segment_result drop is_latest;
            alter table core.fct_segment_result alter value_millions type double;
            alter table core.fct_event drop title;
            alter table core.fct_event add severity integer;
            create table core.dim_old (a integer);
        """,
    )
    first = publish_build(home)
    corrected = [(*BEFORE[0][:3], "26550", True), *BEFORE[1:]]
    build(home, corrected, events=[("ban", "Ban"), ("lift", "Lifted")])
    text = text_of(publish_build(home))
    assert "| core.fct_segment_result | 0 | 0 | 1 | 0 | 0 |" in text
    assert "| core.fct_event | 1 | 0 | 0 |  |" in text
    assert "- new tables: core.fct_kpi" in text
    assert "- tables no longer there: core.dim_old" in text
    assert "core.fct_segment_result.basis" in text
    assert "- columns no longer there: core.fct_event.severity" in text
    assert "core.fct_segment_result.value_millions (DOUBLE, now DECIMAL(24,6))" in text

    build(home, [], then="alter table core.fct_segment_result drop value_millions")
    third = publish_build(home)
    assert "| core.fct_segment_result | 0 |  | 4 |  |" in text_of(third)
    assert "core.fct_segment_result.value_millions" in changes(first, third, home.build / "s")


def test_changes_are_told_against_the_release_that_readers_saw(home: Home) -> None:
    build(home, BEFORE)
    first = publish_build(home)
    build(home, BEFORE[:1])
    second = publish_build(home)
    rollback(home, first.release_id)
    build(home, BEFORE)
    third = publish_build(home)
    assert f"Since {first.release_id}" in text_of(third)
    assert "No figure has changed." in text_of(third)
    assert chosen(home, None, None) == (second, third)
    assert chosen(home, first.release_id, None) == (first, third)
    assert chosen(home, second.release_id, first.release_id) == (second, first)
    with pytest.raises(NoSuchRelease, match="no release 'nonsense'"):
        chosen(home, "nonsense", None)


def test_the_report_is_made_of_the_two_releases_alone(home: Home) -> None:
    build(home, BEFORE)
    first = publish_build(home)
    build(home, BEFORE[1:])
    second = publish_build(home)
    again = changes(first, second, home.build / "spill")
    assert again == text_of(second)
    assert second.manifest.bytes == sum(
        path.stat().st_size
        for path in second.folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    )
    with warehouse(home):
        result = CliRunner().invoke(cli.app, ["diff"])
    assert result.stdout == again


def test_a_release_before_that_cannot_be_read_hinders_no_publishing(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    build(home, BEFORE)
    first = publish_build(home)
    damaged = first.folder / "parquet" / "core" / "fct_segment_result.parquet"
    damaged.write_bytes(b"PAR1 no more")
    build(home, BEFORE[1:])
    second = publish_build(home)
    assert f"{first.release_id}, the release before, could not be read whole" in text_of(second)
    with warehouse(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["warehouse", "diff"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 2
    assert "a release cannot be read whole" in " ".join(capfd.readouterr().err.split())


def test_the_keys_are_those_of_the_tables(release: duckdb.DuckDBPyConnection) -> None:
    tables = {
        f"core.{name}"
        for (name,) in release.execute(
            "select table_name from duckdb_tables() where schema_name = 'core'"
        ).fetchall()
    }
    keys = {name: (*f.key, f.document) for name, f in FIGURE_TABLES.items()} | dict(ROW_KEYS)
    assert set(FIGURE_TABLES) <= tables
    for name in sorted(tables):
        # One that is in neither is compared by whole rows, which needs no key.
        key = keys.get(name, ("*",))
        twice = release.execute(
            f"select *, count(*) as rows from (select {', '.join(key)} from {name}) "
            "group by all having rows > 1 limit 1"
        ).fetchall()
        assert twice == [], name


def test_each_figure_has_one_print_that_counts(release: duckdb.DuckDBPyConnection) -> None:
    for name, figures in FIGURE_TABLES.items():
        counts = release.execute(
            f"select {', '.join(figures.key)} from (select *, {figures.latest} as counts from "
            f"{name}) group by all having count(*) filter (where counts) != 1 limit 3"
        ).fetchall()
        assert counts == [], name


def test_two_whole_releases_are_compared_without_a_difference(
    published: Home,
) -> None:
    from orchestration.release import current_release

    current = current_release(published)
    assert current is not None
    with compared(current, current, published.build / "spill") as found:
        assert found.changed_tables == ()
        assert found.connection.execute("select count(*) from difference").fetchall() == [(0,)]
