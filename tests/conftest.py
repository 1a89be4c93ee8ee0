"""Fixtures that several tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from orchestration.settings import settings


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A warehouse that the main job has filled from the baseline, once for all tests.

    It is not the warehouse of this process: a test that needs that says ``with warehouse(...)``.
    """
    home = Home(tmp_path_factory.mktemp("warehouse"))
    with warehouse(home):
        from orchestration.run import run_everything

        summary = run_everything(home)
        assert summary.succeeded, summary.failures
    return home


@pytest.fixture(scope="session")
def release(published: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the published release."""
    from orchestration.reader import connect

    with connect(published.root) as connection:
        yield connection


class warehouse:  # noqa: N801
    """Makes ``home`` the warehouse of this process, with other settings, while the block runs."""

    def __init__(self, home: Home, others: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.environment = {"WAREHOUSE_HOME": str(home.root), **(others or {})}

    def __enter__(self) -> Home:
        names = {"DAGSTER_HOME", *self.environment}
        self.before = {name: os.environ.get(name) for name in names}
        os.environ.update(self.environment)
        settings.cache_clear()
        return self.home

    def __exit__(self, *_: object) -> None:
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        settings.cache_clear()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty warehouse of one test."""
    with warehouse(Home(tmp_path / "warehouse")) as made:
        yield made
