"""Makes the data that is measured: securities, prices, dividends, splits and filings of any number.

Everything is drawn from one seed, so that two runs measure the same rows. The figures are invented
and marked so in their ``source_url``; they never leave the benchmark's own home.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration import calendars
from orchestration.contracts import CONTRACTS
from orchestration.registry import Registry, load_registry
from orchestration.registry.loader import DATA

SEED = 20260930
#: Twenty-five years of sessions; histories are between three fifths and all of it.
FIRST_SESSION, LAST_SESSION = date(2001, 10, 1), date(2026, 9, 29)
NEXT_SESSION = date(2026, 9, 30)
MEAN_SESSIONS = 5_000
#: A batch of prices, about as many rows as fit in memory several times over.
SECURITIES_PER_BATCH = 400
#: One company in five reports its segments quarter by quarter, the others their revenue by year.
SEGMENT_FILER_EVERY = 5
SEGMENTS = ("products", "services", "other")
SOURCE_URL = "https://example.invalid/made-by-the-benchmark"
#: No listed security is called so.
TICKER_PREFIX = "ZZ"
BENCHMARKS = ("SPY", "KWEB", "^HSI")


@dataclass(frozen=True)
class Shapes:
    """One session's move and candle, drawn from at random; equal lengths, no unit."""

    growth: np.ndarray
    open_: np.ndarray
    high: np.ndarray
    low: np.ndarray

    @classmethod
    def drawn(cls) -> Shapes:
        """Return moves of 1.8 percent a session, with candles around them."""
        draw = np.random.default_rng(SEED)
        growth = np.exp(np.clip(draw.normal(0.0003, 0.018, 200_000), -0.3, 0.3))
        open_ = np.exp(draw.normal(0, 0.006, growth.size))
        above, below = draw.exponential(0.006, growth.size), draw.exponential(0.006, growth.size)
        return cls(
            growth, open_, np.maximum(open_, 1) * (1 + above), np.minimum(open_, 1) / (1 + below)
        )

    @classmethod
    def read(cls, path: Path) -> Shapes:
        """Return the moves and candles of real daily prices.

        ``path`` is a Parquet file with ``ticker, session_date, open, high, low, close``.
        """
        rows = duckdb.execute(
            """
            select
                close / lag(close) over of_ticker as growth,
                open / close as open_,
                greatest(high, open, close) / close as high,
                least(low, open, close) / close as low
            from read_parquet($1)
            where least(open, high, low, close) > 0
            window of_ticker as (partition by ticker order by session_date)
            qualify growth between 0.5 and 1.5
            order by ticker, session_date
            """,
            [str(path)],
        ).fetchnumpy()
        return cls(
            *(np.asarray(rows[name], dtype=float) for name in ("growth", "open_", "high", "low"))
        )


@dataclass(frozen=True)
class Made:
    """A market of about ``rows`` prices: which securities there are and what is loaded of them."""

    rows: int
    folder: Path
    shapes: Shapes

    @property
    def securities(self) -> int:
        """How many securities are listed, benchmarks left out."""
        return max(1, round(self.rows / MEAN_SESSIONS))

    @cached_property
    def sessions(self) -> np.ndarray:
        """New York's sessions of the twenty-five years, as days."""
        held = calendars.sessions(load_registry(), "XNYS")
        return held[(held >= str(FIRST_SESSION)) & (held <= str(LAST_SESSION))].to_numpy(
            dtype="datetime64[D]"
        )

    @cached_property
    def listed_from(self) -> np.ndarray:
        """For each security the position of its first session."""
        longest = len(self.sessions)
        lengths = np.random.default_rng(SEED).integers(
            2 * MEAN_SESSIONS - longest, longest, self.securities, endpoint=True
        )
        return longest - lengths

    def ticker(self, number: int) -> str:
        """Return the ticker of a made security."""
        return f"{TICKER_PREFIX}{number:05d}"

    def company(self, number: int) -> str:
        """Return the company of a made security."""
        return f"made_{number:05d}"

    def registry(self) -> Registry:
        """Return the project's registry with the made companies, securities and segments."""
        folder = self.folder / "registry"
        if not folder.exists():
            shutil.copytree(DATA, folder)
            self._list(folder)
        return load_registry(folder)

    def _list(self, folder: Path) -> None:
        _append(
            folder / "companies.csv",
            (
                [self.company(n), f"Made {n}", "", "US", "USD", "31 December", "commerce", "made"]
                for n in range(self.securities)
            ),
        )
        _append(
            folder / "securities.csv",
            (
                [
                    self.ticker(n),
                    self.company(n),
                    f"Made {n}",
                    "XNYS",
                    "USD",
                    "common",
                    "1",
                    "peer",
                    "",
                ]
                for n in range(self.securities)
            ),
        )
        filers = range(0, self.securities, SEGMENT_FILER_EVERY)
        _append(
            folder / "structures.csv",
            (
                [self.company(n), "lines", "Lines", "segment", "revenue", FIRST_SESSION, ""]
                for n in filers
            ),
        )
        _append(
            folder / "segments.csv",
            (
                [
                    f"{company}.lines.{name}",
                    company,
                    "lines",
                    name,
                    "segment",
                    "",
                    "other",
                    "yes",
                    "",
                ]
                for company in map(self.company, filers)
                for name in SEGMENTS
            ),
        )

    def write(self) -> None:
        """Write every batch as a Parquet file under ``source``, unless that was done before."""
        done = self.folder / "source" / "done"
        if done.exists():
            return
        for dataset in (
            "document",
            "daily_price",
            "corporate_action",
            "company_result",
            "kpi",
            "segment_result",
            "next",
        ):
            (self.folder / "source" / dataset).mkdir(parents=True, exist_ok=True)
        self._write_prices()
        for number, first in enumerate(range(0, self.securities, 50 * SECURITIES_PER_BATCH)):
            last = min(first + 50 * SECURITIES_PER_BATCH, self.securities)
            for dataset, table in self._filings(first, last).items():
                self._keep(dataset, number, table)
        done.touch()

    def batches(self, dataset: str) -> list[Path]:
        """Return the files of a dataset's batches, in the order of loading; ``next`` is the day."""
        return sorted((self.folder / "source" / dataset).glob("*.parquet"))

    def _keep(self, folder: str, number: int, table: pa.Table) -> None:
        pq.write_table(
            table, self.folder / "source" / folder / f"{number:04d}.parquet", compression="zstd"
        )

    def _write_prices(self) -> None:
        next_day = []
        actions = []
        groups = [
            list(range(first, min(first + SECURITIES_PER_BATCH, self.securities)))
            for first in range(0, self.securities, SECURITIES_PER_BATCH)
        ]
        for number, group in enumerate(groups):
            made = [self._history(n) for n in group]
            frame = pd.concat([history for history, _ in made], ignore_index=True)
            is_next = frame["session_date"] == np.datetime64(NEXT_SESSION)
            self._keep("daily_price", number, _batch("daily_price", frame[~is_next]))
            next_day.append(frame[is_next].assign(split_basis=np.datetime64(NEXT_SESSION)))
            actions += [found for _, found in made]
        of_benchmarks = [self._history(-1 - n, ticker)[0] for n, ticker in enumerate(BENCHMARKS)]
        frame = pd.concat(of_benchmarks, ignore_index=True)
        is_next = frame["session_date"] == np.datetime64(NEXT_SESSION)
        self._keep("daily_price", len(groups), _batch("daily_price", frame[~is_next]))
        next_day.append(frame[is_next].assign(split_basis=np.datetime64(NEXT_SESSION)))
        next_frame = pd.concat(next_day, ignore_index=True)
        self._keep("next", 0, _batch("daily_price", next_frame))
        self._keep("corporate_action", 0, _batch("corporate_action", pd.concat(actions)))

    def _history(self, number: int, ticker: str | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All sessions of one security with the one after, and its dividends and splits."""
        draw = np.random.default_rng([SEED, abs(number), int(number < 0)])
        first = self.listed_from[number] if number >= 0 else 0
        days = np.append(self.sessions[first:], np.datetime64(NEXT_SESSION))
        if ticker == "^HSI":
            held = calendars.sessions(load_registry(), "XHKG")
            days = held[(held >= str(FIRST_SESSION)) & (held <= str(NEXT_SESSION))].to_numpy(
                dtype="datetime64[D]"
            )
        drawn = draw.integers(0, self.shapes.growth.size, days.size)
        # Whole histories wander off; a pull to where they began keeps prices within the plausible.
        log = np.cumsum(np.log(self.shapes.growth[drawn]))
        log -= np.linspace(0, log[-1] * 0.8, days.size)
        close = np.exp(np.log(draw.uniform(8, 200)) + log)
        pays = np.zeros(days.size, dtype=bool)
        if ticker is None and number % 2:
            pays[draw.integers(0, 250) :: 252] = True
            pays[[0, -1]] = False
        adjusting = np.where(pays, 0.995, 1.0)
        adj_close = close * (np.prod(adjusting) / np.cumprod(adjusting))
        frame = pd.DataFrame(
            {
                "ticker": ticker or self.ticker(number),
                "session_date": days,
                "open": close * self.shapes.open_[drawn],
                "high": close * self.shapes.high[drawn],
                "low": close * self.shapes.low[drawn],
                "close": close,
                "adj_close": adj_close,
                "volume": np.round(np.exp(draw.normal(13, 1, days.size))),
                "currency": "HKD" if ticker == "^HSI" else "USD",
                "observation_frequency": "daily",
                "split_basis": np.datetime64(LAST_SESSION),
                "source": "yahoo",
            }
        )
        price_before = np.append(close[:1], close[:-1])
        actions = pd.DataFrame(
            {
                "ticker": ticker or self.ticker(number),
                "ex_date": days[pays],
                "action": "dividend",
                "value": price_before[pays] * 0.005,
                "unit": "USD per share",
                "source": "yahoo",
            }
        )
        if ticker is None and number % 20 == 0:
            split = {
                "ticker": self.ticker(number),
                "ex_date": days[days.size // 2],
                "action": "split",
                "value": 2.0,
                "unit": "ratio",
                "source": "yahoo",
            }
            actions = pd.concat([actions, pd.DataFrame([split])], ignore_index=True)
        return frame, actions

    def _filings(self, first: int, last: int) -> dict[str, pa.Table]:
        """Documents, share counts, revenue and segments of the companies from first to last."""
        quarters = pd.date_range(FIRST_SESSION, LAST_SESSION, freq="QE")
        rows = []
        for n in range(first, last):
            is_segment_filer = n % SEGMENT_FILER_EVERY == 0
            listed = pd.Timestamp(self.sessions[self.listed_from[n]])
            ends = quarters[quarters >= listed]
            ends = ends if is_segment_filer else ends[ends.month == 12]
            grown = np.cumprod(np.random.default_rng([SEED, n, 2]).normal(1.02, 0.05, ends.size))
            rows.append(
                pd.DataFrame(
                    {
                        "company_key": self.company(n),
                        "period_end": ends,
                        "revenue": np.round(100 * grown, 1),
                        "is_segment_filer": is_segment_filer,
                    }
                )
            )
        filed = pd.concat(rows, ignore_index=True)
        filed["period_type"] = np.where(filed["is_segment_filer"], "quarter", "year")
        filed["document_id"] = (
            filed["company_key"] + ".results." + filed["period_end"].dt.strftime("%Y-%m-%d")
        )
        filed["source"] = "edgar"
        months = np.where(filed["is_segment_filer"], 2, 11)
        filed["period_start"] = (filed["period_end"].dt.to_period("M") - months).dt.start_time
        return {
            "document": _batch(
                "document",
                filed.assign(
                    kind="results",
                    reported_on=np.minimum(
                        filed["period_end"] + pd.Timedelta(days=40), pd.Timestamp(LAST_SESSION)
                    ),
                    title="Made results",
                    source_quality="official",
                ),
            ),
            "kpi": _batch(
                "kpi",
                filed.assign(
                    kpi="ordinary_shares_outstanding",
                    as_of=filed["period_end"],
                    value=np.round(filed["revenue"] * 3, 1),
                    unit="million shares",
                ),
            ),
            "company_result": _batch("company_result", _printed(filed, filed["revenue"])),
            "segment_result": _batch(
                "segment_result",
                pd.concat(
                    [
                        _printed(
                            of_filers := filed[filed["is_segment_filer"]],
                            _part(of_filers["revenue"], number),
                        ).assign(
                            structure="lines",
                            breakdown="segment",
                            segment_key=of_filers["company_key"] + f".lines.{name}",
                            segment_label=name,
                            label_printed=name,
                        )
                        for number, name in enumerate(SEGMENTS)
                    ],
                    ignore_index=True,
                ),
            ),
        }


def _part(revenue: pd.Series[float], number: int) -> pd.Series[float]:
    """Three parts that add up to the whole as printed."""
    first, second = (revenue * 0.5).round(1), (revenue * 0.3).round(1)
    return (first, second, (revenue - first - second).round(1))[number]


def _printed(filed: pd.DataFrame, value: pd.Series[float]) -> pd.DataFrame:
    return filed.assign(
        metric="revenue",
        value=value,
        unit="million",
        currency="USD",
        column_role="current",
        printed_step=0.1,
        locator="made",
    )


def _batch(dataset: str, frame: pd.DataFrame) -> pa.Table:
    """The frame in the batch schema of its contract; columns that may be empty are."""
    arrays = []
    schema = CONTRACTS[dataset].batch_schema
    for field in schema:
        if field.name == "source_url":
            arrays.append(pa.array([SOURCE_URL] * len(frame), pa.string()))
        elif field.name not in frame:
            arrays.append(pa.nulls(len(frame), field.type))
        elif pa.types.is_decimal(field.type):
            floats = pa.array(frame[field.name], pa.float64())
            arrays.append(floats.cast(pa.decimal128(24, 6), safe=False))
        else:
            arrays.append(pa.array(frame[field.name], from_pandas=True).cast(field.type))
    return pa.table(arrays, names=schema.names)


def _append(path: Path, lines: Iterator[list[Any]]) -> None:
    with path.open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)
