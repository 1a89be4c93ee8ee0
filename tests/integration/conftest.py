"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from orchestration.home import Home
from tests import real_prices
from tests.conftest import warehouse


@pytest.fixture(scope="session")
def with_real_prices(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The release of a warehouse with the baseline and real daily prices."""
    if not real_prices.HAVE_REAL_PRICES:
        pytest.skip(real_prices.REASON)
    from orchestration.reader import connect
    from orchestration.run import run_everything

    home = Home(tmp_path_factory.mktemp("real_prices") / "warehouse")
    with warehouse(home):
        real_prices.land(home, tmp_path_factory.mktemp("made"))
        summary = run_everything(home)
        assert summary.succeeded, summary.failures
    with connect(home.root) as connection:
        yield connection
