"""The static report in a browser: from a file, in light and dark, on three widths."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from orchestration.home import Home
from orchestration.release import current_release
from tests.e2e.browser import Watched, watched_page

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (375, 1280, 1920)
#: A sheet less its margins, in pixels of 1/96 inch.
A4_WIDTH = 720
VARIANTS = list(product(WIDTHS, SCHEMES))


@pytest.fixture(scope="module")
def address(published: Home, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page alone in a folder, as somebody has it who got it by mail."""
    release = current_release(published)
    assert release is not None
    alone = tmp_path_factory.mktemp("report") / "report.html"
    alone.write_bytes(release.report.read_bytes())
    return alone.as_uri()


@pytest.fixture(params=VARIANTS, ids=lambda variant: f"{variant[0]}-{variant[1]}")
def opened(
    request: pytest.FixtureRequest, browser: Browser, address: str
) -> Iterator[tuple[Watched, int, Scheme]]:
    width, scheme = request.param
    with watched_page(browser, width=width, height=900, scheme=scheme) as watched:
        watched.page.goto(address)
        yield watched, width, scheme


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")


def test_it_loads_without_errors_fits_its_width_and_is_pictured(
    opened: tuple[Watched, int, Scheme],
) -> None:
    watched, width, scheme = opened
    page = watched.page
    assert page.title().startswith("Alibaba warehouse: report of release 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "tables scroll inside"
    page.reload()
    picture = watched.shot(f"report-{width}-{scheme}")
    assert picture.stat().st_size > 100_000
    assert watched.errors == []


def test_it_fits_every_width_in_between(browser: Browser, address: str) -> None:
    with watched_page(browser) as watched:
        watched.page.goto(address)
        unfold(watched.page)
        for width in (320, 641, 768, 1024, 1200):
            watched.page.set_viewport_size({"width": width, "height": 900})
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_asks_for_nothing_but_itself(browser: Browser, address: str) -> None:
    asked: list[str] = []
    with watched_page(browser) as watched:
        watched.page.on("request", lambda request: asked.append(request.url))
        watched.page.goto(address)
        unfold(watched.page)
        watched.page.wait_for_load_state("networkidle")
        assert asked == [address]
        assert watched.errors == []


@pytest.mark.parametrize("width", WIDTHS)
def test_each_chart_is_seen_once_and_is_as_wide_as_its_place(
    browser: Browser, address: str, width: int
) -> None:
    with watched_page(browser, width=width) as watched:
        watched.page.goto(address)
        for figure in watched.page.locator("figure").all():
            seen = [svg for svg in figure.locator("svg").all() if svg.is_visible()]
            panels = figure.locator("ul.panels li").count()
            assert len(seen) == (panels or 1), figure.get_attribute("id")
            outer = figure.bounding_box()
            assert outer is not None
            for svg in seen:
                box = svg.bounding_box()
                assert box is not None
                assert box["x"] >= outer["x"] - 1
                assert box["x"] + box["width"] <= outer["x"] + outer["width"] + 1
                assert box["width"] > 100
                assert svg.get_attribute("aria-label")


def test_text_of_charts_is_large_enough_to_read(browser: Browser, address: str) -> None:
    """At least nine pixels on every width, axis labels of the smallest panels included."""
    smallest = """
        Math.min(...[...document.querySelectorAll('figure svg text')]
            .filter(text => text.checkVisibility())
            .map(text => parseFloat(getComputedStyle(text).fontSize)
                * text.ownerSVGElement.getBoundingClientRect().width
                / text.ownerSVGElement.viewBox.baseVal.width))
    """
    for width in WIDTHS:
        with watched_page(browser, width=width) as watched:
            watched.page.goto(address)
            assert watched.page.evaluate(smallest) >= 9, width


def test_the_charts_and_tables_hold_the_values_of_the_release(
    browser: Browser, address: str, release: duckdb.DuckDBPyConnection
) -> None:
    rows = release.execute(
        """
        select calendar_quarter, revenue_yoy_percent
        from marts.cloud_peers_quarterly
        where
            company_key = 'alibaba' and revenue_yoy_percent is not null
            and calendar_quarter > '2021-Q2'
        order by calendar_quarter desc
        """
    ).fetchall()
    assert len(rows) == 20
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(address)
        figure = page.locator("#cloud-growth")
        marks = figure.locator(".wide svg title").all_text_contents()
        assert [mark for mark in marks if mark.startswith("Alibaba, ")][::-1] == [
            f"Alibaba, {quarter}: {value:,.1f} percent over the same quarter a year before"
            for quarter, value in rows
        ]
        table = figure.locator("table")
        assert not table.is_visible()
        figure.locator("summary").click()
        assert table.is_visible()
        shown = table.evaluate(
            """
            table => [...table.tBodies[0].rows]
                .map(row => [row.cells[0].innerText, row.cells[1].querySelector('data')?.value])
            """
        )
        assert [(quarter, float(value)) for quarter, value in shown if value] == rows
        (claims,) = release.execute("select count(*) from marts.thesis_scorecard").fetchone() or ()
        assert page.locator(".claims > li").count() == claims
        assert watched.errors == []


def test_a_company_has_one_colour_on_every_chart_and_another_one_in_the_dark(
    browser: Browser, address: str
) -> None:
    colours = """
        [...document.querySelectorAll('.wide svg title')]
            .filter(title => title.textContent.startsWith('Alibaba, '))
            .map(title => getComputedStyle(title.parentNode).fill)
    """
    found: list[set[str]] = []
    for scheme in SCHEMES:
        with watched_page(browser, scheme=scheme) as watched:
            watched.page.goto(address)
            found.append(set(watched.page.evaluate(colours)))
    assert [len(colours) for colours in found] == [1, 1]
    assert found[0] != found[1]


def test_a_scrolling_table_is_reached_by_the_keyboard(browser: Browser, address: str) -> None:
    with watched_page(browser, width=375) as watched:
        watched.page.goto(address)
        region = watched.page.get_by_role("region", name="Coverage by company and quarter")
        region.focus()
        for _ in range(5):
            watched.page.keyboard.press("ArrowRight")
        watched.page.wait_for_function(
            "region => region.scrollLeft > 0", arg=region.element_handle()
        )


def test_it_prints_in_light_with_its_charts(browser: Browser, address: str, tmp_path: Path) -> None:
    with watched_page(browser, width=A4_WIDTH, scheme="dark") as watched:
        page = watched.page
        page.goto(address)
        page.emulate_media(media="print", color_scheme="light")
        assert page.locator("figure .wide svg").first.is_visible()
        assert not page.locator("nav").is_visible()
        # Wider than the sheet, it would be shrunk or cut.
        assert page.evaluate("document.documentElement.scrollWidth") <= A4_WIDTH
        written = page.pdf(path=tmp_path / "report.pdf", format="A4")
        assert len(written) > 50_000
        watched.shot("report-print")


#: One of each kind of what can be unfolded: all of them take axe most of a minute.
ONE_OF_EACH = ("#claim-cloud_outgrows_amazon", "#cloud-growth", "#restatements", ".documents")


@pytest.mark.parametrize(
    ("width", "scheme", "everything"),
    [(1280, "light", True), (1280, "dark", False), (375, "light", False), (375, "dark", False)],
)
def test_nothing_hinders_readers_with_assistive_technology(
    browser: Browser, address: str, width: int, scheme: Scheme, everything: bool
) -> None:
    """All rules of axe; nothing of any weight, not only nothing serious."""
    with watched_page(browser, width=width, scheme=scheme) as watched:
        watched.page.goto(address)
        if everything:
            unfold(watched.page)
        else:
            for place in ONE_OF_EACH:
                watched.page.locator(f"{place} summary").first.click()
        found = Axe().run(watched.page).response
        assert {"color-contrast", "scrollable-region-focusable"} <= {
            rule["id"] for rule in found["passes"]
        }
        assert [
            (rule["id"], rule["impact"], rule["nodes"][0]["html"][:200])
            for rule in found["violations"]
        ] == []
