"""The Dagster UI as a data engineer meets it: ``warehouse ui`` in a real browser.

One server serves all tests of this file. Its warehouse was filled by the main job; then a batch of
prices with a wrong currency was rejected by its guard.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import dagster as dg
import psutil
import pytest
from dagster._core.scheduler.instigation import InstigatorStatus
from playwright.sync_api import Browser, Locator, Page, expect

from orchestration.extract import baseline
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.release import current_release
from orchestration.run import run_everything
from orchestration.schedules import SCHEDULES, SENSORS
from tests.conftest import warehouse
from tests.e2e.browser import Watched, watched_page
from tests.servers import answers, free_port, wait_until_up

#: Five processes import Dagster, and other tests run beside them.
START_SECONDS = 240
#: The first page is drawn once the code location has told of every asset.
DRAWN_MILLISECONDS = 90_000
#: Should a schedule tick while it is on, nothing outside is asked.
NO_UPSTREAM = {
    f"WAREHOUSE_{name}_URL": "http://127.0.0.1:9"
    for name in ("YAHOO", "SEC", "FRED_CSV", "FRED_API", "WORLDBANK", "ECB")
}
AUTOMATIONS = [definition.name for definition in (*SCHEDULES, *SENSORS)]


@dataclass(frozen=True)
class Ui:
    """A running server: its address, its warehouse and the process that ``warehouse ui`` became."""

    url: str
    home: Home
    process: psutil.Process

    def opened(self, watched: Watched, path: str) -> Page:
        """Go to a page of it."""
        watched.page.set_default_timeout(DRAWN_MILLISECONDS)
        watched.page.goto(f"{self.url}{path}")
        return watched.page


@pytest.fixture(scope="module")
def ui(published: Home, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    home = Home(folder / "warehouse")
    shutil.copytree(published.root, home.root, symlinks=True)
    reject_a_batch(home, folder / "baseline")
    port = free_port()
    printed = folder / "ui.log"
    with printed.open("w", encoding="utf-8") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "ui", "--port", str(port)],
            env=os.environ | {"WAREHOUSE_HOME": str(home.root)} | NO_UPSTREAM,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Started from a script with `&` it would never hear the signal that ends it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_up(started, printed, lambda: answers(f"{url}/server_info"), START_SECONDS)
            yield Ui(url, home, psutil.Process(started.pid))
        finally:
            stop(started)


def reject_a_batch(home: Home, spoilt: Path) -> None:
    shutil.copytree(baseline.FOLDER, spoilt)
    prices = spoilt / "daily_price.csv"
    lines = prices.read_text().splitlines()
    lines[1] = lines[1].replace(",HKD,", ",USD,")
    prices.write_text("\n".join(lines) + "\n")
    with warehouse(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr(baseline, "FOLDER", spoilt)
        assert not run_everything(home, ['key:"baseline/daily_price"']).succeeded


def stop(started: subprocess.Popen[bytes]) -> None:
    family = [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]
    started.send_signal(signal.SIGINT)
    _, alive = psutil.wait_procs(family, timeout=60)
    for process in alive:
        process.kill()
    started.wait()


Scheme = Literal["light", "dark"]


def seen(locator: Locator) -> None:
    """Wait until it is there; the machine may be busy."""
    expect(locator).to_be_visible(timeout=DRAWN_MILLISECONDS)


def source_link(page: Page, file: str) -> Locator:
    """The link that opens a file in the editor; its words are shortened to fit."""
    return page.locator(f'a[href^="vscode://file/"][href*="/{file}"]')


@pytest.mark.parametrize(
    ("width", "scheme"), [(1920, "light"), (1920, "dark"), (1280, "light"), (1280, "dark")]
)
def test_groups_read_from_upstream_to_release(
    ui: Ui, browser: Browser, width: int, scheme: Scheme
) -> None:
    with watched_page(browser, width=width, height=1000, scheme=scheme) as watched:
        page = ui.opened(watched, "/asset-groups")
        graph = page.locator("svg foreignObject")
        for group in ("baseline", "yahoo", "edgar", "staging", "core", "marts", "release"):
            seen(graph.get_by_text(group, exact=True))

        def left(group: str) -> float:
            box = graph.get_by_text(group, exact=True).bounding_box()
            assert box is not None
            return box["x"]

        path = ("yahoo", "staging", "core", "intermediate", "marts", "release")
        places = [left(group) for group in path]
        assert places == sorted(places), "the data go one way"
        watched.shot(f"dagster-lineage-{width}-{scheme}", full_page=False)
        assert watched.errors == []
        is_dark = page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(c => c < 80)"
        )
        assert is_dark == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_landed_dataset(ui: Ui, browser: Browser, scheme: Scheme) -> None:
    with watched_page(browser, height=2600, scheme=scheme) as watched:
        page = ui.opened(watched, "/assets/baseline/fx_rate?view=overview")
        for words in (
            "One row per pair and day: reference rates of the European Central Bank.",
            "macro-data-maintainers",
            "source: baseline",
            "Fails if more than 10 days since last materialization",
            "Units of quote per 1 base. In quote per base.",
        ):
            seen(page.get_by_text(words))
        seen(source_link(page, "fx_rate.py"))
        seen(page.get_by_text("19,779", exact=True))
        seen(page.get_by_text("Passing").first)
        watched.shot(f"dagster-baseline-{scheme}", full_page=False)
        page.get_by_text("Plots", exact=True).click()
        seen(page.get_by_text("dagster/row_count", exact=True))
        seen(page.locator("canvas").first)
        watched.shot(f"dagster-baseline-plots-{scheme}", full_page=False)
        assert watched.errors == []


def test_a_model_with_its_columns_and_what_they_are_made_of(ui: Ui, browser: Browser) -> None:
    with watched_page(browser, height=1800) as watched:
        page = ui.opened(watched, "/assets/marts/macro_monthly?view=overview")
        for words in (
            "macro-data-maintainers",
            "DuckDB",
            "layer: marts",
            "Last value of the month in",
        ):
            seen(page.get_by_text(words).first)
        seen(source_link(page, "macro_monthly.sql"))
        release = current_release(ui.home)
        assert release is not None
        rows = f"{release.manifest.tables['marts.macro_monthly'].rows:,}"
        seen(page.get_by_text(rows, exact=True))
        of_growth = page.get_by_role("row").filter(has_text="Growth over a year in percent")
        expect(of_growth).to_contain_text("core/dim_macro_series: yoy_source")
        watched.shot("dagster-model", full_page=False)
        origin = of_growth.get_by_role("link", name="core/fct_macro_observation")
        ui.opened(watched, str(origin.get_attribute("href")))
        seen(source_link(page, "fct_macro_observation.sql"))
        assert watched.errors == []


def test_a_model_on_half_a_screen(ui: Ui, browser: Browser) -> None:
    with watched_page(browser, width=768, height=1000) as watched:
        page = ui.opened(watched, "/assets/marts/segment_quarterly?view=overview")
        page.get_by_text("Hide navigation").click()
        seen(page.get_by_text("segment-data-maintainers"))
        seen(page.get_by_text("Segments by quarter").first)
        watched.shot("dagster-model-narrow", full_page=False)
        page.get_by_role("tab", name="Lineage").click()
        seen(page.locator("svg foreignObject").get_by_text("segment_quarterly", exact=True).first)
        watched.shot("dagster-model-lineage-narrow", full_page=False)
        assert watched.errors == []


def test_the_release_counts_what_readers_see(ui: Ui, browser: Browser) -> None:
    release = current_release(ui.home)
    assert release is not None
    rows = sum(table.rows for table in release.manifest.tables.values())
    with watched_page(browser, height=1400) as watched:
        page = ui.opened(watched, "/assets/release?view=overview")
        seen(page.get_by_text(f"{rows:,}", exact=True))
        seen(page.get_by_text("marts.thesis_scorecard").first)
        watched.shot("dagster-release", full_page=False)
        page = ui.opened(watched, "/assets/release?view=events")
        seen(page.get_by_text(release.release_id, exact=True))
        watched.shot("dagster-release-events", full_page=False)
        assert watched.errors == []


def test_a_failed_guard_says_what_to_do_next(ui: Ui, browser: Browser) -> None:
    (entry,) = Loader(ui.home).quarantine.entries()
    with watched_page(browser, height=1100) as watched:
        page = ui.opened(
            watched, "/assets/baseline/daily_price?view=checks&checkDetail=currency_of_security"
        )
        for words in (
            "Currency is the security's own.",
            "What to do next",
            f"warehouse quarantine {entry.entry_id}",
            "A batch is in quarantine",
        ):
            seen(page.get_by_text(words).first)
        seen(page.get_by_text("ticker=9988.HK, session_date=2021-03-31, adj_close=218.5592"))
        watched.shot("dagster-failed-guard", full_page=False)
        assert watched.errors == []


def test_checks_have_plain_names(ui: Ui, browser: Browser) -> None:
    with watched_page(browser) as watched:
        page = ui.opened(watched, "/assets/core/fct_segment_result?view=checks")
        for name in ("one_row_per_key", "document_id_is_known", "segment_key_is_known"):
            seen(page.get_by_text(name, exact=True).first)
        page.get_by_text("segment_key_is_known", exact=True).first.click()
        seen(page.get_by_text("is one of"))
        watched.shot("dagster-checks", full_page=False)
        assert watched.errors == []


def test_everything_is_off_until_one_switch_turns_it_on(ui: Ui, browser: Browser) -> None:
    with watched_page(browser) as watched:
        page = ui.opened(watched, "/automation")
        for name in AUTOMATIONS:
            seen(page.get_by_text(name, exact=True))
        watched.shot("dagster-automation-off", full_page=False)
        assert switched_on(ui.home) == set()
        page.get_by_text("Select all").click()
        page.get_by_role("button", name="Actions").click()
        start = page.get_by_text(f"Start {len(AUTOMATIONS)} automations")
        seen(start)
        watched.shot("dagster-automation-select-all", full_page=False)
        start.click()
        page.get_by_role("button", name=f"Start {len(AUTOMATIONS)} automations").click()
        wait_for(lambda: switched_on(ui.home) == set(AUTOMATIONS))
        ui.opened(watched, "/automation")
        # Nothing is selected on a fresh page: what is checked are the switches.
        checked = page.locator("input:checked, [role=switch][aria-checked=true]")
        expect(checked).to_have_count(len(AUTOMATIONS), timeout=DRAWN_MILLISECONDS)
        watched.shot("dagster-automation-on", full_page=False)
        with warehouse(ui.home):
            subprocess.run(
                [sys.executable, "-m", "orchestration.cli", "automation", "off"],
                check=True,
                timeout=START_SECONDS,
                capture_output=True,
            )
        assert switched_on(ui.home) == set()
        assert watched.errors == []


def switched_on(home: Home) -> set[str]:
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        states = instance.all_instigator_state()
    return {state.instigator_name for state in states if state.status == InstigatorStatus.RUNNING}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DRAWN_MILLISECONDS / 1000
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.5)


def test_it_listens_on_loopback_alone(ui: Ui) -> None:
    family = [ui.process, *ui.process.children(recursive=True)]
    heard = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert heard, "the page is served by one of them"
    assert heard <= {"127.0.0.1", "::1"}
