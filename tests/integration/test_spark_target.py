"""Asking for Spark where it is not installed, and the engine in the fingerprint of a release."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestration.fingerprint import inputs_fingerprint
from orchestration.landing import Landing
from orchestration.transform.spark import SparkMissing, require_spark

WAREHOUSE = Path(sys.executable).parent / "warehouse"


@pytest.mark.skipif(find_spec("pyspark") is not None, reason="this is Spark's own environment")
def test_the_plain_environment_has_no_spark_and_says_how_to_get_it(tmp_path: Path) -> None:
    asked = subprocess.run(
        [str(WAREHOUSE), "run", "--target", "spark"],
        env={**os.environ, "WAREHOUSE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 2
    said = " ".join(asked.stderr.split())
    assert "Spark is not installed here (pyspark" in said
    assert "make setup-spark" in said
    assert ".venv-spark/bin/warehouse run --target spark" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir()), "nothing is landed for a build that cannot be"


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    asked = subprocess.run(
        [str(WAREHOUSE), "status"],
        env={**os.environ, "WAREHOUSE_HOME": str(tmp_path), "WAREHOUSE_TARGET": "flink"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 2
    assert "target" in asked.stderr
    assert "flink" in asked.stderr


def test_without_java_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setenv("JAVA_HOME", "/no/such/java")
    with pytest.raises(SparkMissing, match=r"'/no/such/java/bin/java'.*openjdk-17-jre-headless"):
        require_spark()


def test_the_fingerprint_names_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Landing(tmp_path / "landing").log
    on_duckdb = inputs_fingerprint(log.in_effect())
    monkeypatch.setattr("orchestration.fingerprint.SPARK_PACKAGES", ("dbt-duckdb",))
    assert inputs_fingerprint(log.in_effect(), on_spark=True) != on_duckdb
    assert inputs_fingerprint(log.in_effect(), on_spark=False) == on_duckdb
