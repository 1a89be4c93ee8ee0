"""The dashboards as an analyst opens them: a real Superset, a real browser, the real baseline.

``make test-bi`` runs this. It takes minutes and the environment of ``make bi``, so ``make test``
leaves it out.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, Request, Response

from bi import assets
from orchestration.home import Home
from orchestration.reader import connect, current_release_id
from tests.e2e.browser import Watched, watched_page
from tests.servers import free_port, wait_until_up

pytestmark = pytest.mark.superset

ROOT = Path(__file__).parents[2]
SUPERSET = ROOT / "bi" / ".venv" / "bin" / "python"
DASHBOARDS = {page["slug"]: page for page in assets.read("dashboards")}
WIDTHS = (1280, 1920, 420)
# The whole of the longest page, so that every chart is drawn without scrolling.
TALL = 6500

#: Superset 6.1.0 calls home with an invisible picture. Our content policy blocks it, which Chromium
#: notes as an error.
BLOCKED = "https://apachesuperset.gateway.scarf.sh/"

#: Tables that list what is wrong, of which the baseline has nothing.
MAY_BE_EMPTY = {"Figures that two sources have differently, million, by quarter"}


@dataclass
class Served:
    """A Superset that serves ``home``, and what it has printed."""

    home: Home
    address: str
    printed: list[str]

    def page(self, slug: str) -> str:
        return f"{self.address}/superset/dashboard/{slug}/"


@dataclass
class Opened:
    """A dashboard in the browser, with the answer to the query of each chart by its title."""

    served: Served
    watched: Watched
    slug: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked_elsewhere: set[str] = field(default_factory=set)
    unread: list[Response] = field(default_factory=list)

    @property
    def page(self) -> Page:
        return self.watched.page

    def rows(self, title: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.answers[title]["data"]
        return rows

    def note(self, answer: Response) -> None:
        # Not read here: a page that is left for another no longer has its answers.
        if urlparse(answer.url).path == "/api/v1/chart/data":
            self.unread.append(answer)

    def note_request(self, request: Request) -> None:
        if not request.url.startswith((self.served.address, "data:", "blob:")):
            self.asked_elsewhere.add(request.url)

    def wait(self) -> None:
        """Wait until every chart is drawn, and read what each was told."""
        self.page.wait_for_function(ALL_DRAWN, arg=len(titles(self.slug)), timeout=120_000)
        self.page.wait_for_load_state("networkidle")
        names = chart_names(self.served, self.slug)
        while self.unread:
            answer = self.unread.pop(0)
            body = answer.json()
            number = json.loads(answer.request.post_data or "{}")["form_data"]["slice_id"]
            self.answers[names[number]] = body["result"][0] if answer.ok else body

    def reload(self) -> None:
        """Reload the page as a reader would."""
        self.answers.clear()
        self.unread.clear()
        self.page.reload()
        self.wait()


@pytest.fixture(scope="module")
def served(published: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Superset on a copy of the published warehouse, started as ``make bi`` starts it."""
    assert SUPERSET.exists(), "Superset is not installed: run this with `make test-bi`"
    home = Home(tmp_path_factory.mktemp("bi") / "warehouse")
    shutil.copytree(published.root, home.root, symlinks=True)
    port = free_port()
    log = home.root / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [SUPERSET, "-m", "bi.serve"],
            cwd=ROOT,
            env=os.environ | {"WAREHOUSE_HOME": str(home.root), "WAREHOUSE_BI_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_up(server, log, lambda: "Ctrl-C" in log.read_text(), 300)
        yield Served(home, f"http://127.0.0.1:{port}", log.read_text().splitlines())
    finally:
        server.terminate()
        server.wait(timeout=30)


def titles(slug: str) -> list[str]:
    """The titles of the charts on a dashboard."""
    return [
        place["meta"]["sliceName"]
        for place in DASHBOARDS[slug]["position"].values()
        if isinstance(place, dict) and place["type"] == "CHART"
    ]


def open_dashboard(served: Served, watched: Watched, slug: str) -> Opened:
    """Open a dashboard in an empty page and wait until every chart is drawn."""
    opened = Opened(served, watched, slug)
    page = watched.page
    page.on("response", opened.note)
    page.on("request", opened.note_request)
    page.set_viewport_size({"width": WIDTHS[0], "height": TALL})
    page.goto(served.page(slug))
    opened.wait()
    return opened


def chart_names(served: Served, slug: str) -> dict[int, str]:
    """The titles by the numbers that this Superset has given to the charts of a dashboard."""
    with urllib.request.urlopen(f"{served.address}/api/v1/dashboard/{slug}/charts") as answer:
        return {chart["id"]: chart["slice_name"] for chart in json.load(answer)["result"]}


def errors_of_ours(watched: Watched) -> list[str]:
    return [error for error in watched.errors if BLOCKED not in error]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("slug", DASHBOARDS)
def test_a_dashboard_shows_all_it_has_at_every_width(
    served: Served, browser: Browser, slug: str, scheme: Literal["light", "dark"]
) -> None:
    with watched_page(browser, scheme=scheme) as watched:
        opened = open_dashboard(served, watched, slug)
        page = opened.page
        assert page.title() == DASHBOARDS[slug]["dashboard_title"]
        assert opened.answers.keys() == set(titles(slug))
        wrong = {t: a for t, a in opened.answers.items() if a.get("error") or "data" not in a}
        assert wrong == {}
        empty = {title for title in titles(slug) if not opened.rows(title)}
        assert empty <= MAY_BE_EMPTY

        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": TALL})
            page.wait_for_timeout(2500)
            height = page.evaluate(BOTTOM)
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(1000)
            watched.shot(f"superset-{slug}-{width}-{scheme}", full_page=False)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width >= 1280:
                assert page.evaluate(CUT_TITLES) == []

        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"
        assert dark == (scheme == "dark")
        assert errors_of_ours(watched) == []
        assert {url for url in opened.asked_elsewhere if not url.startswith(BLOCKED)} == set()


def test_only_a_blocked_picture_is_asked_for_elsewhere(served: Served, browser: Browser) -> None:
    # By the rule of the page itself, not by the network of the machine.
    with urllib.request.urlopen(served.page("scorecard")) as answer:
        policy = answer.headers["Content-Security-Policy"]
    sources = {
        source
        for rule in policy.split(";")
        for source in rule.split()[1:]
        if not source.startswith("'")
    }
    assert sources == {"blob:", "data:"}


@dataclass(frozen=True)
class Figures:
    """Figures of a chart, and the SQL that finds the same in the release."""

    dashboard: str
    chart: str
    key: tuple[str, ...]
    value: str
    sql: str


BY_LINE = """
    select period_start, {line}, {value} from marts.business_line_quarterly
    where company_key = 'alibaba' and is_part_of_total
"""
LINE = "replace(business_line, '_', ' ')"

FIGURES = [
    Figures(
        "alibaba_overview", "Revenue by business line, CNY billion, by quarter",
        ("quarter", "line"), "revenue_cny_billion",
        BY_LINE.format(line=LINE, value="revenue_millions / 1000"),
    ),
    Figures(
        "alibaba_overview", "Adjusted EBITA by business line, CNY billion, by quarter",
        ("quarter", "line"), "profit_cny_billion",
        BY_LINE.format(line=LINE, value="profit_millions / 1000"),
    ),
    Figures(
        "alibaba_overview", "Cash flow and capital expenditure, CNY billion, by quarter",
        ("quarter",), "free_cash_flow_cny_billion",
        "select period_start, free_cash_flow_millions / 1000 from marts.alibaba_quarterly",
    ),
    Figures(
        "alibaba_overview", "Ordinary shares outstanding, billion, at quarter end",
        ("quarter",), "ordinary_shares_billion",
        "select period_start, ordinary_shares_outstanding_millions / 1000"
        " from marts.alibaba_quarterly",
    ),
    Figures(
        "alibaba_overview", "Share repurchase over four quarters, USD billion, by quarter",
        ("quarter",), "share_repurchase_ttm_usd_billion",
        "select period_start, share_repurchase_ttm_usd_millions / 1000"
        " from marts.company_quarterly where company_key = 'alibaba'",
    ),
    Figures(
        "cloud_against_peers", "Cloud revenue growth on the year before, %, by calendar quarter",
        ("calendar_quarter", "company"), "growth_percent",
        "select calendar_quarter, company_key, revenue_yoy_percent"
        " from marts.cloud_peers_quarterly where calendar_quarter >= '2019'",
    ),
    Figures(
        "cloud_against_peers", "Cloud revenue, USD billion, by calendar quarter",
        ("calendar_quarter", "company"), "revenue_usd_billion",
        "select calendar_quarter, company_key, revenue_usd_millions / 1000"
        " from marts.cloud_peers_quarterly where calendar_quarter >= '2019'",
    ),
    Figures(
        "domestic_commerce_against_peers",
        "Share of the revenue compared, where all three report, %, by quarter",
        ("calendar_quarter", "company"), "share_of_compared_percent",
        "select calendar_quarter, company_key, share_of_compared_percent"
        " from marts.commerce_peers_quarterly"
        " where calendar_quarter >= '2019' and is_in_share and compared_company_count = 3",
    ),
    Figures(
        "domestic_commerce_against_peers",
        "China's retail sales and prices, growth on the year before, %, by month",
        ("month", "name"), "yoy_percent",
        "select month, name, yoy_percent from marts.macro_monthly"
        " where series_id in ('CN_RETAIL_SALES', 'CN_CPI_YOY') and month >= date '2019-01-01'",
    ),
    Figures(
        "price_drawdown_and_events", "Drawdown from the peak, %, by month",
        ("session_date", "security_key"), "drawdown_from_peak_percent",
        "select date_trunc('month', session_date), security_key, drawdown_from_peak_percent"
        " from marts.security_performance"
        " where security_key in ('BABA', '9988.HK', 'KWEB', 'PDD') qualify session_date ="
        " max(session_date) over (partition by security_key, date_trunc('month', session_date))",
    ),
    Figures(
        "price_drawdown_and_events", "Events by category, number, by year",
        ("event_date", "category_name"), "events",
        "select date_trunc('year', event_date), replace(category, '_', ' '), count(*)"
        " from core.fct_event group by all",
    ),
    Figures(
        "data_quality_and_freshness", "Figures on record, number, by company and year",
        ("year", "company"), "figures",
        "select year(period_end), company_key, sum(figure_count) from ops.coverage group by all",
    ),
    Figures(
        "data_quality_and_freshness",
        "Tables held against consolidated figures, number, by company",
        ("company", "status_name"), "tables",
        "select company_key, replace(status, '_', ' '), count(*) from ops.reconciliation"
        " group by all",
    ),
    Figures(
        "data_quality_and_freshness", "Freshness by dataset, days",
        ("dataset",), "age_days", "select dataset, age_days from ops.freshness",
    ),
    Figures(
        "scorecard", "Claims, verdicts and sources, newest period on record",
        ("statement",), "observed_value",
        "select statement, observed_value from marts.thesis_scorecard",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def as_opened(served: Served, browser: Browser) -> Iterator[Callable[[str], Opened]]:
    """Opens each dashboard once for the tests that look at its figures."""
    with ExitStack() as stack:
        kept: dict[str, Opened] = {}

        def open_once(slug: str) -> Opened:
            if slug not in kept:
                watched = stack.enter_context(watched_page(browser))
                kept[slug] = open_dashboard(served, watched, slug)
            return kept[slug]

        yield open_once


@pytest.mark.parametrize("figures", FIGURES, ids=lambda figures: figures.chart)
def test_a_chart_holds_what_the_release_says(
    served: Served, as_opened: Callable[[str], Opened], figures: Figures
) -> None:
    rows = as_opened(figures.dashboard).rows(figures.chart)
    shown = dict(pair for row in rows for pair in figures_in(row, figures))
    with connect(served.home.root) as warehouse:
        found = {
            tuple(plain(part) for part in row[:-1]): row[-1]
            for row in warehouse.execute(figures.sql).fetchall()
        }
    known = {key: float(value) for key, value in found.items() if value is not None}
    assert known
    # A figure that is not on record is a gap: no row, or a row without a value. Never a zero.
    assert {k: v for k, v in shown.items() if v is not None} == pytest.approx(known)


def figures_in(
    row: dict[str, Any], figures: Figures
) -> Iterator[tuple[tuple[str, ...], float | None]]:
    """Key and value of each figure in a row of a chart, which has its series side by side."""
    first, *others = figures.key
    if figures.value in row:
        yield tuple(key_of(part, row) for part in figures.key), row[figures.value]
        return
    (series,) = others
    assert series not in row
    for name in row.keys() - {"quarter", first}:
        yield (key_of(first, row), plain(name)), row[name]


def key_of(part: str, row: dict[str, Any]) -> str:
    """A part of the key as the release has it: charts have a date in milliseconds."""
    if part == "calendar_quarter":
        day = datetime.fromtimestamp(row["quarter"] / 1000, UTC)
        return f"{day.year}-q{(day.month + 2) // 3}"
    value = row[part]
    if isinstance(value, int | float):
        return plain(datetime.fromtimestamp(value / 1000, UTC))
    return plain(value)


def plain(value: object) -> str:
    """A key in small letters, a day without its hour."""
    if isinstance(value, date):
        return value.strftime("%Y-%m-%d")
    return str(value).lower()


def test_figures_and_words_stand_on_the_page(
    served: Served, as_opened: Callable[[str], Opened]
) -> None:
    """What the reader sees in the browser, not only what the browser was told."""
    with connect(served.home.root) as warehouse:
        ((revenue, growth),) = warehouse.execute(
            "select revenue_millions / 1000, cloud_revenue_yoy_percent"
            " from marts.alibaba_quarterly order by period_end desc limit 1"
        ).fetchall()
        verdicts = dict(
            warehouse.execute(
                "select verdict, count(*) from marts.thesis_scorecard group by all"
            ).fetchall()
        )
        claims = warehouse.execute(
            "select statement, observed_value from marts.thesis_scorecard"
        ).fetchall()

    def text(slug: str, title: str) -> str:
        page = as_opened(slug).page
        return page.locator(f'[data-test-chart-name="{title}"]').inner_text()

    assert f"{revenue:,.1f}" in text("alibaba_overview", "Revenue, CNY billion, latest quarter")
    assert f"{growth:,.1f}" in text("cloud_against_peers", "Cloud growth, %, latest quarter")
    for verdict, count in verdicts.items():
        title = f"{verdict.replace('_', ' ').capitalize()}, claims"
        assert text("scorecard", title).split() == [*title.split(), str(count)]
    table = text("scorecard", "Claims, verdicts and sources, newest period on record")
    for statement, observed in claims:
        assert statement in table
        assert observed is None or f"{observed:,.2f}" in table
    links = as_opened("scorecard").page.locator("table a[href^='http']")
    assert links.count() > len(claims)


def test_a_publish_is_picked_up_while_superset_is_open(
    served: Served, browser: Browser, tmp_path: Path
) -> None:
    title = "Close of BABA, USD, by session on record"
    prices = tmp_path / "baba.csv"
    prices.write_text("session_date,close,currency\n2025-10-01,182.78,USD\n2025-10-02,189.34,USD\n")
    environment = os.environ | {"WAREHOUSE_HOME": str(served.home.root)}
    command = [sys.executable, "-m", "orchestration.cli"]
    with watched_page(browser) as watched:
        opened = open_dashboard(served, watched, "price_drawdown_and_events")
        before = current_release_id(served.home.root)
        old = opened.rows(title)
        imported = subprocess.run(
            [*command, "import", "prices", str(prices), "--ticker", "BABA"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert imported.returncode == 0, imported.stdout + imported.stderr
        publishing = subprocess.Popen(
            [*command, "run"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        # An analyst goes on working all the while.
        reads = 0
        while publishing.poll() is None:
            reads += 1
            opened.reload()
            assert len(opened.rows(title)) in (len(old), len(old) + 2)
        output, _ = publishing.communicate()
        assert publishing.returncode == 0, output
        assert "lock" not in output.lower()
        assert reads > 0
        assert current_release_id(served.home.root) != before

        opened.reload()
        with connect(served.home.root) as warehouse:
            ((newest, close),) = warehouse.execute(
                "select session_date, close from marts.security_performance"
                " where security_key = 'BABA' order by session_date desc limit 1"
            ).fetchall()
        last = max(opened.rows(title), key=lambda row: row["session_date"])
        assert key_of("session_date", last) == plain(newest) == "2025-10-02"
        assert last["close"] == pytest.approx(close) == pytest.approx(189.34)
        assert errors_of_ours(watched) == []
    with watched_page(browser) as watched:
        opened = open_dashboard(served, watched, "data_quality_and_freshness")
        (release,) = opened.rows("The release that is open")
        assert release["release_id"] == current_release_id(served.home.root)


def test_the_export_is_what_the_project_holds(served: Served) -> None:
    code = (
        "import json\nfrom bi.app import create\nfrom bi.assets import plain\n"
        "from bi.prepare import export\n"
        "with create().app_context():\n    print('EXPORT', json.dumps(plain(export())))"
    )
    done = subprocess.run(
        [SUPERSET, "-c", code],
        cwd=ROOT,
        env=os.environ | {"WAREHOUSE_HOME": str(served.home.root)},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("EXPORT ")]
    held = {path: text for path, text in assets.bundle().items() if path != "metadata.yaml"}
    assert json.loads(line.removeprefix("EXPORT ")) == held


def test_columns_mean_what_the_release_says(served: Served) -> None:
    with sqlite3.connect(served.home.root / "superset" / "superset.db") as superset:
        told = {
            (schema, table, column): description
            for schema, table, column, description in superset.execute(
                "select tables.schema, table_name, column_name, table_columns.description"
                " from tables join table_columns on tables.id = table_id"
                " where coalesce(expression, '') = ''"
            )
        }
    shown = {(schema, table) for schema, table, _ in told}
    with connect(served.home.root) as warehouse:
        known = {
            (schema, table, column): comment
            for schema, table, column, comment in warehouse.execute(
                "select schema_name, table_name, column_name, comment from duckdb_columns()"
            ).fetchall()
            if (schema, table) in shown
        }
    assert told == known


def test_anybody_looks_and_only_the_administrator_changes(served: Served) -> None:
    assert ask(served, "GET", "/api/v1/dashboard/scorecard")[0] == 200
    refused = [
        ask(served, "PUT", "/api/v1/dashboard/1", {"dashboard_title": "Mine"})[0],
        ask(served, "DELETE", "/api/v1/chart/1")[0],
        ask(served, "POST", "/api/v1/sqllab/execute/", {"database_id": 1, "sql": "select 1"})[0],
    ]
    assert set(refused) <= {400, 401, 403}

    password = (served.home.root / "superset" / "admin.password").read_text()
    assert any(password in line for line in served.printed)
    login = {"username": "admin", "password": password, "provider": "db"}
    status, answer = ask(served, "POST", "/api/v1/security/login", login)
    assert (status, "access_token" in answer) == (200, True)


def test_no_file_but_the_release_can_be_read(served: Served) -> None:
    """Whoever may look may send a chart's query, with SQL in it."""
    status, answer = ask(
        served,
        "POST",
        "/api/v1/chart/data",
        {
            "datasource": {"id": 1, "type": "table"},
            "queries": [
                {
                    "metrics": [
                        {
                            "expressionType": "SQL",
                            "sqlExpression": "max((select content from read_text('/etc/passwd')))",
                            "label": "stolen",
                        }
                    ]
                }
            ],
        },
    )
    assert status >= 400
    assert "root:" not in json.dumps(answer)


def ask(
    served: Served, method: str, path: str, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    """Ask Superset's API without a session."""
    request = urllib.request.Request(
        served.address + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        content = error.read().decode()
        return error.code, {"answer": content}


def test_the_addresses_are_printed_and_lead_to_the_pages(served: Served) -> None:
    for slug in DASHBOARDS:
        assert any(line.endswith(served.page(slug)) for line in served.printed)
        with urllib.request.urlopen(served.page(slug)) as answer:
            assert answer.status == 200


def test_without_a_release_it_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [SUPERSET, "-m", "bi.serve"],
        cwd=ROOT,
        env=os.environ | {"WAREHOUSE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "make run" in done.stderr


#: Whether each chart has an answer and none is still being asked for or drawn.
ALL_DRAWN = """charts => {
    const drawn = document.querySelectorAll(
        '[data-test="chart-container"] :is(canvas, table, .header-line, .ant-empty)');
    const holders = new Set([...drawn].map(e => e.closest('[data-test="chart-container"]')));
    return holders.size === charts
        && !document.querySelector('.loading, [data-test="loading-indicator"]');
}"""

#: Where the dashboard ends.
BOTTOM = "Math.ceil(document.querySelector('.dashboard-grid').getBoundingClientRect().bottom) + 32"

#: Titles of charts of which a part is cut off.
CUT_TITLES = """[...document.querySelectorAll('[data-test="slice-header"] .header-title')]
    .filter(title => [title, ...title.querySelectorAll('*')]
        .filter(part => getComputedStyle(part).display !== 'inline')
        .some(part => part.scrollWidth > part.clientWidth + 1
            || part.scrollHeight > part.clientHeight + 4))
    .map(title => title.innerText)"""
