"""Real daily prices in a warehouse of the baseline, with what they need beside them.

The files in shared/upstream are not part of the project. They have neither SPY nor the Hang Seng
day by day: SPY is stood in for by the mean return of 800 real US shares, the Hang Seng is made.
Share counts are of the size that the filings state, and there are some before and after splits.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from orchestration import calendars
from orchestration.contracts import contract_for
from orchestration.extract import baseline
from orchestration.home import Home
from orchestration.imports import import_prices
from orchestration.loading import Loader
from tests.shared_data import UPSTREAM

PRICES = UPSTREAM / "prices"
US_SHARES = UPSTREAM / "us_daily_800_tickers.parquet"
HAVE_REAL_PRICES = PRICES.is_dir() and US_SHARES.is_file()
REASON = f"the real price files are not in {UPSTREAM}"

#: document, date of the count, millions of ordinary shares.
COUNTS = (
    ("alibaba.results.2019-03-31", date(2019, 3, 31), "2587"),
    ("alibaba.results.2019-06-30", date(2019, 6, 30), "20830"),
    ("alibaba.results.2019-09-30", date(2019, 9, 30), "20870"),
    ("amazon.10-k.2021-12-31", date(2022, 1, 26), "508.845"),
    ("amazon.10-q.2022-03-31", date(2022, 4, 20), "508.720"),
    ("amazon.10-q.2022-06-30", date(2022, 7, 20), "10187.557"),
    ("microsoft.10-q.2022-12-31", date(2023, 1, 19), "7443.804"),
    ("microsoft.10-q.2023-03-31", date(2023, 4, 20), "7435.488"),
    ("nvidia.10-k.2021-01-31", date(2021, 2, 19), "620"),
    ("nvidia.10-q.2021-05-02", date(2021, 5, 21), "623"),
    ("nvidia.10-q.2021-08-01", date(2021, 8, 13), "2500"),
    ("nvidia.10-k.2024-01-28", date(2024, 2, 16), "2500"),
    ("nvidia.10-q.2024-04-28", date(2024, 5, 24), "2460"),
    ("nvidia.10-q.2024-07-28", date(2024, 8, 23), "24530"),
)


def land(home: Home, folder: Path) -> None:
    """Land the prices and the counts; ``folder`` takes the files that are made."""
    loader = Loader(home)
    for path in sorted(PRICES.glob("*.csv")):
        import_prices(loader, path)
    for ticker, levels in (("SPY", _mean_of_us_shares()), ("^HSI", _made_index(loader))):
        made = folder / f"{ticker}.csv"
        levels.rename("close").rename_axis("session_date").to_csv(made)
        import_prices(loader, made, ticker)
    documents = contract_for("document")
    loader.load(documents, baseline.read("document", documents.batch_schema))
    contract = contract_for("kpi")
    rows = [
        {
            "company_key": document.split(".")[0],
            "kpi": "ordinary_shares_outstanding",
            "as_of": as_of,
            "document_id": document,
            "value": value,
            "unit": "million shares",
            "qualifier": None,
            "note": None,
            "source": "import",
            "source_url": f"https://example.org/{document}",
        }
        for document, as_of, value in COUNTS
    ]
    frame = pd.DataFrame(rows)
    frame["value"] = pa.array(frame["value"]).cast(pa.decimal128(24, 6)).to_pylist()
    loader.load(contract, frame[contract.batch_schema.names])


def _mean_of_us_shares() -> pd.Series[float]:
    prices = pd.read_parquet(US_SHARES, columns=["ticker", "session_date", "adj_close"])
    prices = prices[pd.to_datetime(prices["session_date"]) >= "2014-06-02"]
    wide = prices.pivot(index="session_date", columns="ticker", values="adj_close")
    returns = wide.astype("float64").pct_change(fill_method=None)
    mean = returns.where(returns.abs() < 0.25).mean(axis=1).iloc[1:]
    return (100 * (1 + mean).cumprod()).round(6)


def _made_index(loader: Loader) -> pd.Series[float]:
    held = calendars.sessions(loader.registry, "XHKG")
    held = held[(held >= "2021-03-01") & (held <= "2026-02-27")]
    moves = np.random.default_rng(20210301).normal(0, 0.012, len(held))
    return pd.Series(25_000 * np.exp(np.cumsum(moves)), index=held.date).round(2)
