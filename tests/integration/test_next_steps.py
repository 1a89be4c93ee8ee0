"""What fails says what to do next: in the check, in the run and on the command line."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.extract import baseline
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.run import run_everything
from tests.conftest import warehouse
from tests.upstreams import ecb
from tests.upstreams.server import UpstreamServer


@pytest.fixture
def copy(published: Home, tmp_path: Path) -> Home:
    """A copy of the published warehouse that a test may change."""
    home = Home(tmp_path / "warehouse")
    shutil.copytree(published.root, home.root, symlinks=True)
    return home


def failed_checks(
    home: Home, job: str = "everything"
) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    """The failed checks of the newest run of a job, by asset and name."""
    found = {}
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        (run,) = instance.get_runs(dg.RunsFilter(job_name=job), limit=1)
        for event in instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            check = event.get_dagster_event().asset_check_evaluation_data
            if not check.passed:
                found[check.asset_key.to_user_string(), check.check_name] = check
    return found


def text(check: dg.AssetCheckEvaluation, name: str) -> str:
    return str(check.metadata[name].value)


def rows(check: dg.AssetCheckEvaluation, name: str) -> list[str]:
    value = check.metadata[name]
    assert isinstance(value, dg.TableMetadataValue)
    return [str(record.data["row"]) for record in value.records]


def test_a_rejected_batch_of_the_baseline(
    copy: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoilt = shutil.copytree(baseline.FOLDER, tmp_path / "baseline")
    prices = spoilt / "daily_price.csv"
    lines = prices.read_text().splitlines()
    lines[1] = lines[1].replace(",HKD,", ",USD,")
    prices.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(baseline, "FOLDER", spoilt)
    with warehouse(copy):
        summary = run_everything(copy)
    (entry,) = Loader(copy).quarantine.entries()
    assert summary.failures[0].endswith(
        f"`warehouse quarantine {entry.entry_id}` shows the rows and what to do next"
    )
    (((asset, name), check),) = failed_checks(copy).items()
    assert (asset, name) == ("baseline/daily_price", "currency_of_security")
    (row,) = rows(check, "failing rows: (row)")
    assert row.startswith("ticker=9988.HK, session_date=2021-03-31, adj_close=218.5592, ")
    assert "currency=USD" in row
    assert text(check, "quarantine") == entry.entry_id
    assert check.description is not None
    for step in (
        f"1. Look at the failing rows: `warehouse quarantine {entry.entry_id}`.",
        "`orchestration/baseline/`",
        "`orchestration/registry/data/`",
        '`docs/operations.md` says more under "A batch is in quarantine"',
    ):
        assert step in check.description


def test_a_rejected_batch_of_a_live_upstream(home: Home) -> None:
    played = ecb.Ecb({date(2024, 6, 3): (-1.08, 170.0, 7.8, 8.4)})
    with UpstreamServer({"/ecb": played.handle}) as server:
        url = {"WAREHOUSE_ECB_URL": f"{server.url}/ecb{ecb.PATH}"}
        with warehouse(home, url):
            summary = run_everything(home, ['key:"ecb/fx_rate"'], live=True)
    assert not summary.succeeded
    (entry,) = Loader(home).quarantine.entries()
    check = failed_checks(home, "fetch_ecb")["ecb/fx_rate", "values"]
    (row,) = rows(check, "failing rows: rate")
    assert row.startswith("base=EUR, quote=USD, rate_date=2024-06-03, rate=-1.08")
    assert text(check, "quarantine") == entry.entry_id
    assert check.description is not None
    assert "the next run of its upstream loads it again" in check.description


def test_a_failing_dbt_test_shows_the_rows_that_break_it(copy: Home) -> None:
    """A file of landing that was tampered with: a day of rates stands twice in a batch."""
    (assertion,) = (a for a in Loader(copy).landing.log.in_effect() if a.dataset == "fx_rate")
    batch = Loader(copy).landing.path("fx_rate", assertion.batch_id)
    table = pq.read_table(batch)
    pq.write_table(pa.concat_tables([table, table.slice(5, 1)]), batch)
    (copy.root / "published" / "current").unlink()
    with warehouse(copy):
        summary = run_everything(copy)
    assert "What to do next" in summary.failures[0]
    check = failed_checks(copy)["baseline/fx_rate", "what_landed_keeps_contract"]
    assert check.metadata["failing rows"].value == 1
    (row,) = rows(check, "the rows")
    twice = table.slice(5, 1).to_pylist()[0]
    assert row.startswith("broken=key stands twice, observed=")
    assert row.endswith(f"{twice['base']} {twice['quote']} {twice['rate_date']}")
    assert "having count(*) > 1" in text(check, "the query that finds them")
    assert check.description is not None
    assert '"A model or test failed"' in check.description


def test_every_section_that_is_named_is_there() -> None:
    page = Path("docs/operations.md").read_text(encoding="utf-8")
    assert "**A batch is in quarantine.**" in page
    assert "**A model or test failed.**" in page
