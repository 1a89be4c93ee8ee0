"""The main job and its command, as a newcomer uses them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.extract import baseline
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.release import current_release, releases
from orchestration.run import run_everything
from tests.conftest import warehouse


def command(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *arguments],
        env=os.environ | {"WAREHOUSE_HOME": str(home.root), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def copy(published: Home, tmp_path: Path) -> Home:
    """A copy of the published warehouse that a test may change."""
    home = Home(tmp_path / "warehouse")
    shutil.copytree(published.root, home.root, symlinks=True)
    return home


def test_a_second_run_makes_nothing_and_imports_neither_dbt_nor_great_expectations(
    copy: Home,
) -> None:
    before = current_release(copy)
    log_before = sorted((copy.landing / "load_log").iterdir())
    code = (
        "import sys\nsys.argv = ['warehouse', 'run']\n"
        "from orchestration.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    print([m for m in ('dbt', 'great_expectations', 'dagster') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"WAREHOUSE_HOME": str(copy.root)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Nothing has changed" in ran.stdout
    assert ran.stdout.strip().endswith("[]")
    assert current_release(copy) == before
    assert sorted((copy.landing / "load_log").iterdir()) == log_before


def test_running_the_job_again_lands_nothing_new_and_makes_no_release(copy: Home) -> None:
    before = [release.release_id for release in releases(copy)]
    batches = sorted(copy.landing.glob("*/*.parquet"))
    with warehouse(copy):
        summary = run_everything(copy)
    assert summary.succeeded
    assert not summary.release_is_new
    assert [release.release_id for release in releases(copy)] == before
    assert sorted(copy.landing.glob("*/*.parquet")) == batches


def test_the_warehouse_can_be_rebuilt_from_landing_alone(copy: Home, published: Home) -> None:
    shutil.rmtree(copy.root / "published")
    shutil.rmtree(copy.build)
    with warehouse(copy):
        assert run_everything(copy).succeeded
    rebuilt, original = current_release(copy), current_release(published)
    assert rebuilt is not None
    assert original is not None
    assert rebuilt.manifest.tables == original.manifest.tables


def test_a_lost_batch_is_named_and_nothing_is_built_without_it(copy: Home, tmp_path: Path) -> None:
    from orchestration.build import BatchesLost, build_models
    from orchestration.imports import import_prices

    history = tmp_path / "TCEHY.csv"
    history.write_text("Date,Open,High,Low,Close,Volume\n2025-06-02,60,61,59,60.5,1000\n")
    with warehouse(copy):
        loader = Loader(copy)
        landed = import_prices(loader, history, "TCEHY").assertion
        loader.landing.path("daily_price", landed.batch_id).unlink()
        with pytest.raises(BatchesLost, match=f"daily_price/{landed.batch_id}.parquet"):
            build_models(copy)
        import_prices(loader, history, "TCEHY")
        assert loader.landing.lost(loader.landing.log.in_effect()) == []


def test_a_bad_batch_ends_the_run_and_the_last_good_data_stay(
    copy: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = current_release(copy)
    spoilt = shutil.copytree(baseline.FOLDER, tmp_path / "baseline")
    prices = spoilt / "daily_price.csv"
    lines = prices.read_text().splitlines()
    lines[1] = lines[1].replace(",HKD,", ",USD,")
    prices.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(baseline, "FOLDER", spoilt)
    with warehouse(copy):
        summary = run_everything(copy)
    assert not summary.succeeded
    assert summary.release_id is None
    (reason,) = summary.failures
    assert "Currency is the security's own" in reason
    assert "9988.HK USD" in reason
    (failed,) = (row for row in summary.assets if row.checks_failed)
    assert failed.asset == "baseline/daily_price"
    assert current_release(copy) == before
    # The other datasets were not held up by it.
    assert len(Loader(copy).landing.log.assertions()) == 9 + 8
    listed = command(copy, "quarantine")
    assert "daily_price/" in listed.stdout
    (entry,) = Loader(copy).quarantine.entries()
    shown = command(copy, "quarantine", entry.entry_id)
    assert "9988.HK" in shown.stdout
    assert "218.5592" in shown.stdout
    assert "1 batches in quarantine" in command(copy, "status").stdout


def test_a_failing_dbt_test_means_no_release(copy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Second-hand figures that contradict a complete table must never be published."""
    from orchestration.build import BuildFailed, build_models
    from orchestration.transform import dbt

    real = dbt.build

    def failing(*arguments: object, **keywords: object) -> list[dbt.NodeOutcome]:
        nodes = real(*arguments, **keywords)  # type: ignore[arg-type]
        spoilt = nodes[-1]
        return [*nodes[:-1], dbt.NodeOutcome(**{**vars(spoilt), "status": "fail", "failures": 3})]

    monkeypatch.setattr(dbt, "build", failing)
    before = current_release(copy)
    with warehouse(copy):
        with pytest.raises(BuildFailed):
            build_models(copy)
        assert not (copy.build / "built.json").exists()
        summary = run_everything(copy)
    assert not summary.succeeded
    assert current_release(copy) == before


def test_query_answers_as_table_csv_and_json(published: Home) -> None:
    sql = (
        "select period_end, revenue_millions from marts.segment_quarterly where segment_key = "
        "'alibaba.business_groups.cloud_intelligence_group' and period_end = date '2025-03-31'"
    )
    assert "30127" in command(published, "query", sql).stdout
    assert command(published, "query", sql, "--format", "csv").stdout.splitlines() == [
        "period_end,revenue_millions",
        "2025-03-31,30127.000000",
    ]
    (row,) = json.loads(command(published, "query", sql, "--format", "json").stdout)
    assert row == {"period_end": "2025-03-31", "revenue_millions": "30127.000000"}


def test_query_can_not_write(published: Home) -> None:
    answer = command(published, "query", "drop table core.dim_company")
    assert answer.returncode == 2
    assert "read-only" in answer.stderr


def test_mistakes_are_one_message(home: Home) -> None:
    for arguments, message in (
        (("query", "select 1"), "no release"),
        (("rollback",), "no "),
        (("quarantine", "nonsense"), "no quarantined batch 'nonsense'"),
        (("run", "--select", "group:nonsense"), "matches no asset"),
    ):
        answer = command(home, *arguments)
        assert answer.returncode == 2, (arguments, answer.stdout, answer.stderr)
        assert message in answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_selection_lands_only_what_it_names(home: Home) -> None:
    summary = run_everything(home, ['key:"baseline/macro_observation"', 'key:"baseline/fx_rate"'])
    assert summary.succeeded, summary.failures
    landed = {a.dataset for a in Loader(home).landing.log.assertions()}
    assert landed == {"macro_observation", "fx_rate"}
    assert summary.release_is_new


def test_two_runs_at_once_both_end_well(home: Home) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "run"],
            env=os.environ | {"WAREHOUSE_HOME": str(home.root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [(*run.communicate(timeout=600), run.returncode) for run in started]
    assert [code for *_, code in ended] == [0, 0], ended
    assert len(releases(home)) == 1, "the one that waited found nothing left to do"


def test_a_run_that_waited_long_enough_is_told_who_is_at_work(copy: Home) -> None:
    from orchestration.locking import write_lock

    with warehouse(copy, {"WAREHOUSE_LOCK_TIMEOUT_SECONDS": "1"}), write_lock(copy, 1):
        (copy.root / "published" / "current").unlink()
        answer = command(copy, "run")
    assert answer.returncode == 2
    said = " ".join(answer.stderr.split())
    assert f"is being written by process {os.getpid()}" in said
    assert "gave up after 1 seconds" in said
