"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from orchestration.home import Home
from tests import real_prices
from tests.conftest import warehouse


@pytest.fixture(scope="session")
def home_with_real_prices(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A warehouse with the baseline and real daily prices, published."""
    if not real_prices.HAVE_REAL_PRICES:
        pytest.skip(real_prices.REASON)
    from orchestration.run import run_everything

    home = Home(tmp_path_factory.mktemp("real_prices") / "warehouse")
    with warehouse(home):
        real_prices.land(home, tmp_path_factory.mktemp("made"))
        summary = run_everything(home)
        assert summary.succeeded, summary.failures
    return home


@pytest.fixture(scope="session")
def with_real_prices(home_with_real_prices: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """Its release."""
    from orchestration.reader import connect

    with connect(home_with_real_prices.root) as connection:
        yield connection
