"""The static report: what it shows is what the release holds, and nothing else gets in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from lxml import html

from orchestration.fingerprint import PACKAGE, PROJECT, _files
from orchestration.home import Home
from orchestration.reader import connect
from orchestration.release import ReleaseRefused, current_release
from orchestration.report import page as report_page
from orchestration.report import render_report
from orchestration.report.figure import Figure
from orchestration.transform import dbt
from tests.made_build import make_build, publish_build, publish_number

#: Written by the publishing itself, which records the run, not by dbt.
OF_THE_RUN = {"check_result", "release"}


@pytest.fixture(scope="module")
def text(published: Home) -> str:
    release = current_release(published)
    assert release is not None
    return release.report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> html.HtmlElement:
    return html.document_fromstring(text)


@pytest.fixture(scope="module")
def figures(release: duckdb.DuckDBPyConnection) -> list[Figure]:
    return [figure for section in report_page.sections(release) for figure in section.figures]


@contextmanager
def changed(published: Home, folder: Path, *statements: str) -> Iterator[html.HtmlElement]:
    """The page of a copy of the release that statements have changed."""
    release = current_release(published)
    assert release is not None
    copy = folder / "copy.duckdb"
    shutil.copyfile(release.database, copy)
    with duckdb.connect(str(copy)) as connection:
        for statement in statements:
            connection.execute(statement)
        yield html.document_fromstring(render_report(connection))


def table_of(page: html.HtmlElement, key: str) -> dict[tuple[str, str], float]:
    """The values of a figure's table by the name of the row and the head of the column."""
    (table,) = page.xpath(f"//figure[@id='{key}']//table")
    heads = [head.text_content() for head in table.xpath("./thead//th")]
    found = {}
    for row in table.xpath("./tbody/tr"):
        name, *cells = row.xpath("./*")
        for head, cell in zip(heads[1:], cells, strict=True):
            for value in cell.xpath(".//data/@value"):
                found[name.text_content(), head] = float(value)
    return found


def links_of(page: html.HtmlElement, key: str, row: str, column: str) -> list[str]:
    (table,) = page.xpath(f"//figure[@id='{key}']//table")
    place = [head.text_content() for head in table.xpath("./thead//th")].index(column) + 1
    (cell,) = (
        r.xpath(f"./*[{place}]")[0]
        for r in table.xpath("./tbody/tr")
        if r.xpath("./th")[0].text_content() == row
    )
    return [str(link) for link in cell.xpath(".//a/@href")]


def test_figures_are_those_worked_out_by_hand_and_lead_to_their_documents(
    page: html.HtmlElement, release: duckdb.DuckDBPyConnection
) -> None:
    # As docs/marts.md has them: 48,437 / 33,418 - 1, and 132,578 / 114,773 - 1.
    assert table_of(page, "cloud-growth")["2026-Q2", "Alibaba"] == pytest.approx(44.94, abs=0.005)
    assert table_of(page, "commerce-growth")["2025-Q3", "Alibaba"] == pytest.approx(15.51, abs=0.01)
    assert table_of(page, "cloud-margin")["2025-Q3", "Alibaba"] == pytest.approx(9.05, abs=0.005)
    assert table_of(page, "revenue-by-line")["2026-Q2", "Cloud"] == 48.437
    (address,) = release.execute(
        "select source_url from core.dim_document where document_id = 'alibaba.results.2026-06-30'"
    ).fetchone() or ("",)
    assert links_of(page, "cloud-growth", "2026-Q2", "Alibaba") == [address]
    # Growth over a figure that another document prints leads to both.
    both = links_of(page, "cloud-growth", "2025-Q3", "Microsoft")
    assert len(both) == 2
    assert len(set(both)) == 2


@pytest.mark.parametrize(
    ("key", "sql"),
    [
        (
            "cloud-growth",
            "select calendar_quarter, company_key, revenue_yoy_percent "
            "from marts.cloud_peers_quarterly where calendar_quarter > '2021-Q2'",
        ),
        (
            "commerce-share",
            "select calendar_quarter, company_key, share_of_compared_percent "
            "from marts.commerce_peers_quarterly "
            "where calendar_quarter > '2020-Q4' and compared_company_count = 3",
        ),
        (
            "capital-intensity",
            "select calendar_quarter, company_key, capital_intensity_percent "
            "from marts.company_quarterly where calendar_quarter > '2021-Q2'",
        ),
    ],
)
def test_a_table_holds_exactly_what_a_query_gives(
    page: html.HtmlElement, release: duckdb.DuckDBPyConnection, key: str, sql: str
) -> None:
    names = {
        "alibaba": "Alibaba",
        "amazon": "Amazon",
        "alphabet": "Alphabet",
        "microsoft": "Microsoft",
        "baidu": "Baidu",
        "tencent": "Tencent",
        "pdd": "PDD",
        "jd": "JD",
    }
    expected = {
        (quarter, names[company]): float(value)
        for quarter, company, value in release.execute(sql).fetchall()
        if value is not None
    }
    assert len(expected) > 20
    assert table_of(page, key) == expected


def test_cash_and_shares_are_the_marts(
    page: html.HtmlElement, release: duckdb.DuckDBPyConnection
) -> None:
    rows = release.execute(
        """
        select
            calendar_quarter, operating_cash_flow_millions, capital_expenditure_millions,
            free_cash_flow_millions, share_repurchase_usd_millions
        from marts.alibaba_quarterly where calendar_quarter > '2021-Q2'
        """
    ).fetchall()
    flows, buybacks = table_of(page, "cash-flows"), table_of(page, "buybacks")
    heads = ("Operating cash flow", "Capital expenditure", "Free cash flow")
    for quarter, *values in rows:
        for head, value in zip(heads, values[:3], strict=True):
            shown = flows.get((quarter, head))
            assert shown == (None if value is None else pytest.approx(float(value) / 1000))
        bought = buybacks.get((quarter, "Share repurchases"))
        assert bought == (None if values[3] is None else pytest.approx(float(values[3]) / 1000))
    count = table_of(page, "share-count")
    assert count["2024-12-31", "Ordinary shares outstanding"] == 18.517


def test_the_share_over_a_benchmark_begins_at_100_and_ends_where_the_mart_does(
    page: html.HtmlElement, release: duckdb.DuckDBPyConnection
) -> None:
    ((first, last),) = release.execute(
        """
        select
            any_value(relative_to_hsi) filter (where session_date = date '2020-10-30'),
            max_by(relative_to_hsi, session_date)
        from marts.security_performance where security_key = 'BABA'
        """
    ).fetchall()
    shown = table_of(page, "relative-return")
    column = "over Hang Seng Index, since 2020-10-30"
    assert shown["2020-10-30", column] == 100
    assert shown["2025-09-29", column] == pytest.approx(100 * last / first)
    assert shown["2021-03-31", "over KWEB, since 2021-03-31"] == 100


def test_every_value_has_its_mark_and_every_mark_its_value(
    page: html.HtmlElement, figures: list[Figure]
) -> None:
    assert len(figures) >= 13
    for figure in figures:
        (shown,) = page.xpath(f"//figure[@id='{figure.key}']")
        drawn = "ul[contains(@class, 'panels')]" if figure.is_panelled else "div[@class='wide']"
        marks = [title.text_content() for title in shown.xpath(f"./{drawn}//title")]
        assert sorted(marks) == sorted(figure.caption(point) for point in figure.points)
        if figure.table is None:
            values = [float(value) for value in shown.xpath(".//table//data/@value")]
            assert sorted(values) == sorted(point.value for point in figure.points)


def test_every_value_leads_to_a_source(page: html.HtmlElement) -> None:
    unsourced = [
        (figure.get("id"), value.text_content())
        for figure in page.xpath("//figure[@id!='events']")
        for value in figure.xpath(".//table//data[not(ancestor::a)]")
    ]
    assert unsourced == []
    assert page.xpath("//figure[@id='events']//tbody/tr[not(.//a)]") == []


def test_the_scorecard_has_every_claim_with_its_verdict_and_its_sources(
    page: html.HtmlElement, release: duckdb.DuckDBPyConnection
) -> None:
    claims = release.execute(
        "select claim_id, statement, verdict, observed_value, missing, source_urls, evidence "
        "from marts.thesis_scorecard"
    ).fetchall()
    assert len(page.xpath("//li[starts-with(@id, 'claim-')]")) == len(claims) > 20
    for claim_id, statement, verdict, value, missing, urls, evidence in claims:
        (shown,) = page.xpath(f"//li[@id='claim-{claim_id}']")
        words = shown.text_content()
        assert statement in words
        (badge,) = shown.find_class("badge")
        # In words, not by its colour alone.
        assert badge.text_content().split(maxsplit=1)[1] == verdict.replace("_", " ").capitalize()
        values = [float(found) for found in shown.xpath(".//data/@value")]
        assert values == ([] if value is None else [value])
        assert value is not None or missing in words
        linked = shown.xpath(".//a/@href")
        assert linked == [url for url in (urls or "").split("|") if url]
        assert all(row in words for row in (evidence or "").split("|"))
    assert [li.text_content().split(maxsplit=1)[1] for li in page.find_class("tally")[0]] == [
        f"{sum(claim[2] == verdict for claim in claims)} {verdict.replace('_', ' ')}"
        for verdict in ("supported", "mixed", "contradicted", "not_measurable")
    ]


def test_header_freshness_checks_and_sources_are_the_release_s(
    page: html.HtmlElement, text: str, release: duckdb.DuckDBPyConnection
) -> None:
    ((release_id, created_at),) = release.execute(
        "select release_id, created_at at time zone 'UTC' from ops.release"
    ).fetchall()
    (identity,) = page.find_class("identity")
    assert release_id in identity.text_content()
    assert f"{created_at:%Y-%m-%d %H:%M} UTC" in identity.text_content()
    tables = {
        table.xpath("string(./caption)"): [
            [cell.text_content() for cell in row] for row in table.xpath("./tbody/tr")
        ]
        for table in page.xpath("//table")
    }
    fresh = release.execute(
        "select replace(dataset, '_', ' '), newest_observation::varchar, status "
        "from ops.freshness order by dataset"
    ).fetchall()
    assert [(r[0], r[1], r[4]) for r in tables["Freshness by dataset"]] == fresh
    checks = release.execute(
        "select asset, count(*)::varchar from ops.check_result where passed group by 1 order by 1"
    ).fetchall()
    assert [(row[0], row[1]) for row in tables["Checks by dataset"]] == checks
    documents = [row for name, rows in tables.items() if "Documents of" in name for row in rows]
    addresses = {
        url for (url,) in release.execute("select source_url from core.dim_document").fetchall()
    }
    ((count,),) = release.execute("select count(*) from core.dim_document").fetchall()
    assert len(documents) == count
    assert addresses <= set(page.xpath("//section[@class='documents']//a/@href"))
    coverage = tables["Coverage by company and quarter"]
    assert len(coverage) == 10
    assert coverage[0][:2] == ["Alibaba Group Holding Limited", "C"]


def test_a_release_gives_one_page_whenever_it_is_rendered(text: str, published: Home) -> None:
    with connect(published.root) as release:
        assert render_report(release) == text


def test_a_value_changed_in_the_release_changes_the_page(published: Home, tmp_path: Path) -> None:
    with changed(
        published,
        tmp_path,
        "update marts.cloud_peers_quarterly set revenue_yoy_percent = 17.4 "
        "where company_key = 'amazon' and calendar_quarter = '2025-Q3'",
        "update marts.thesis_scorecard set verdict = 'contradicted', observed_value = 0.5 "
        "where claim_id = 'capex_rises'",
        "delete from marts.cloud_peers_quarterly "
        "where company_key = 'alphabet' and calendar_quarter = '2024-Q3'",
    ) as page:
        growth = table_of(page, "cloud-growth")
        assert growth["2025-Q3", "Amazon"] == 17.4
        assert ("2024-Q3", "Alphabet") not in growth
        titles = page.xpath("//figure[@id='cloud-growth']/div[@class='wide']//title")
        marks = [title.text_content() for title in titles]
        assert "Amazon, 2025-Q3: 17.4 percent over the same quarter a year before" in marks
        assert not [mark for mark in marks if mark.startswith("Alphabet, 2024-Q3")]
        (claim,) = page.xpath("//li[@id='claim-capex_rises']")
        assert "Contradicted" in claim.text_content()


def test_text_of_the_data_is_text_and_only_web_addresses_are_links(
    published: Home, tmp_path: Path
) -> None:
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7 * 7 }}"
    quoted = bad.replace("'", "''")
    with changed(
        published,
        tmp_path,
        f"update core.fct_event set title = '{quoted}', source_url = 'javascript:alert(3)'",
        f"update core.dim_document set title = '{quoted}', source_url = 'data:text/html,x'",
        f"update marts.thesis_scorecard set statement = '{quoted}', note = '{quoted}', "
        f"source_urls = 'javascript:alert(4)|{quoted}'",
        f"update core.dim_company set name = '{quoted}'",
        f"update core.dim_macro_series set name = '{quoted}'",
        f"update core.dim_structure set name = '{quoted}'",
        f"update marts.business_line_quarterly set business_line = '{quoted}', "
        "structure = structure || business_line",
    ) as page:
        assert page.xpath("//script | //img | //iframe | //object | //*[@onerror or @onload]") == []
        schemes = {str(link).split(":")[0] for link in page.xpath("//a/@href")}
        assert {scheme for scheme in schemes if not scheme.startswith("#")} == {"https", "http"}
        words = page.text_content()
        # Braces of the data are no expression of the template.
        assert bad in words


def test_what_the_release_does_not_have_is_said_in_its_place(
    published: Home, tmp_path: Path, figures: list[Figure]
) -> None:
    release = current_release(published)
    assert release is not None
    tables = [
        *release.manifest.tables,
        *(f"ops.{name}" for name in ("coverage", "freshness", "check_result", "reconciliation")),
        *(f"ops.{name}" for name in ("subline_reconciliation", "recast_reconciliation")),
    ]
    with changed(published, tmp_path, *(f"truncate {name}" for name in tables)) as page:
        for figure in figures:
            (shown,) = page.xpath(f"//figure[@id='{figure.key}']")
            assert "Nothing is on record for this chart." in shown.text_content()
        assert page.xpath("//svg") == []
        words = page.text_content()
        assert "This release judges no claim." in words
        assert "No figure of any company is on record." in words
        assert "No document is on record." in words
        assert words.count("none on record") == 3


def test_without_prices_the_rest_is_there(published: Home, tmp_path: Path) -> None:
    prices = ("core.fct_daily_price", "marts.security_performance", "marts.valuation_daily")
    with changed(published, tmp_path, *(f"truncate {name}" for name in prices)) as page:
        absent = {
            figure.get("id")
            for figure in page.xpath("//figure")
            if "Nothing is on record for this chart." in figure.text_content()
        }
        assert absent == {"relative-return", "drawdown", "valuation"}
        (relative,) = page.xpath("//figure[@id='relative-return']")
        assert "No prices of KWEB" in relative.text_content()


def test_warnings_of_checks_and_disagreeing_sources_are_listed(
    published: Home, tmp_path: Path
) -> None:
    with changed(
        published,
        tmp_path,
        "insert into ops.check_result values "
        "('core.fct_result', 'freshness', 'warn', false, '400 days', null)",
        """
        insert into ops.source_disagreement by name
        select
            'company_result' as dataset, 'different_documents' as disagreement,
            'alibaba' as company_key, 'revenue' as metric, date '2025-01-01' as period_start,
            date '2025-03-31' as period_end, 'CNY' as currency,
            'alibaba.results.2025-03-31' as document_id, 'other' as other_document_id,
            'document' as source, 'baseline' as other_source, 236454 as value_millions,
            236453 as other_value_millions, 1 as difference_millions, 'newer' as reason,
            'https://example.org/a' as source_url, 'https://example.org/b' as other_source_url
        """,
    ) as page:
        assert "freshness: 400 days" in page.text_content()
        (table,) = page.xpath("//table[caption='Sources that disagree']")
        assert table.xpath(".//a/@href") == ["https://example.org/a", "https://example.org/b"]


def test_the_page_needs_nothing_else_and_names_no_folder(
    page: html.HtmlElement, text: str, published: Home
) -> None:
    assert page.xpath("//*[@src]") == []
    assert [link.get("href") for link in page.xpath("//link")] == ["data:,"]
    assert re.findall(r"url\((?!#)|@import", text) == []
    assert page.xpath("//script") == []
    for folder in (published.root, PROJECT, Path.home()):
        assert str(folder) not in text
    assert len(text.encode()) < 2_000_000


def test_names_and_anchors_are_unique(page: html.HtmlElement) -> None:
    names = page.xpath("//@id")
    assert len(names) == len(set(names))
    inner = {str(link)[1:] for link in page.xpath("//a/@href") if str(link).startswith("#")}
    assert inner <= set(names)


def test_the_report_reads_what_its_exposure_declares(published: Home) -> None:
    class Watched:
        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self.connection = connection
            self.read: set[str] = set()

        def execute(self, sql: str, parameters: object = None) -> Any:
            self.read |= set(re.findall(r"\b(?:core|marts|ops)\.\w+", sql))
            return self.connection.execute(sql, parameters)

    with connect(published.root) as connection:
        watched = Watched(connection)
        render_report(watched)  # type: ignore[arg-type]
    manifest = json.loads(dbt.ensure_parsed().read_text())
    (exposure,) = (e for e in manifest["exposures"].values() if e["name"] == "static_report")
    declared = {
        f"{manifest['nodes'][node]['schema']}.{manifest['nodes'][node]['name']}"
        for node in exposure["depends_on"]["nodes"]
    }
    assert watched.read - {f"ops.{name}" for name in OF_THE_RUN} == declared


def test_a_release_whose_report_cannot_be_rendered_is_not_published(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    before = publish_number(home, 1)
    make_build(home, 2)

    def fail(_: duckdb.DuckDBPyConnection) -> str:
        raise ValueError("no such chart")

    with pytest.raises(ReleaseRefused, match=r"report cannot be rendered.*no such chart"):
        publish_build(home, report=fail)
    assert current_release(home) == before
    assert [path.name for path in home.releases.iterdir()] == [before.release_id]

    def rows(database: duckdb.DuckDBPyConnection) -> str:
        ((release_id, number),) = database.execute(
            "select (select release_id from ops.release), max(number) from marts.wide"
        ).fetchall()
        return f"{release_id} {number}"

    after = publish_build(home, report=rows)
    assert after.report.read_text() == f"{after.release_id} 2"
    assert after.manifest.bytes == sum(
        path.stat().st_size
        for path in after.folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    )


def test_a_change_of_the_page_is_a_change_of_the_code() -> None:
    hashed = set(_files(PACKAGE.rglob("*")))
    for path in (PACKAGE / "report").iterdir():
        if path.is_file():
            assert path.relative_to(PROJECT).as_posix().encode() in hashed


def test_the_run_shows_where_the_report_is(published: Home) -> None:
    with dg.DagsterInstance.from_config(str(published.dagster)) as instance:
        found = instance.fetch_materializations(dg.AssetKey("release"), limit=50).records
    paths = {
        (published.root / str(record.asset_materialization.metadata["report"].value)).resolve()
        for record in found
        if record.asset_materialization
    }
    release = current_release(published)
    assert release is not None
    assert release.report.resolve() in paths


def command(home: Home, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *arguments],
        env=os.environ | {"WAREHOUSE_HOME": str(home.root), "PYTHONPATH": str(PROJECT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_command_copies_the_page_of_the_current_release_or_of_a_kept_one(
    published: Home, tmp_path: Path, text: str
) -> None:
    release = current_release(published)
    assert release is not None
    written = command(published, tmp_path, "report")
    assert (written.returncode, written.stdout) == (0, "report.html\n"), written.stderr
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text
    elsewhere = tmp_path / "new" / "page.html"
    chosen = ("--release", release.release_id, "--out", str(elsewhere))
    assert command(published, tmp_path, "report", *chosen).returncode == 0
    assert elsewhere.read_text(encoding="utf-8") == text
    (tmp_path / "folder").mkdir()
    into = command(published, tmp_path, "report", "--out", "folder")
    assert into.stdout == "folder/report.html\n"
    assert (tmp_path / "folder" / "report.html").read_text(encoding="utf-8") == text


def test_the_command_says_what_is_not_there(published: Home, tmp_path: Path) -> None:
    unknown = command(published, tmp_path, "report", "--release", "nonsense")
    assert unknown.returncode == 2
    assert "no release 'nonsense'" in unknown.stderr
    nothing = command(Home(tmp_path / "empty"), tmp_path, "report")
    assert nothing.returncode == 2
    assert "no release" in nothing.stderr
    made = Home(tmp_path / "made")
    publish_number(made, 1)
    older = command(made, tmp_path, "report")
    assert older.returncode == 2
    assert "before releases had a report" in " ".join(older.stderr.split())
    assert not (tmp_path / "report.html").exists()


def test_a_run_that_finds_nothing_to_do_names_the_report(published: Home) -> None:
    told = command(published, PROJECT, "run")
    assert f"report: {published.current / 'report.html'}" in told.stdout.splitlines()
