"""Price files that a person brings: what is read, what is refused and what lands."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from orchestration.contracts import contract_for
from orchestration.extract import baseline, price_file
from orchestration.extract.price_file import PriceFileError
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.registry import load_registry
from orchestration.registry.entries import Security
from tests.real_prices import PRICES as REAL

PRICES = ("open", "high", "low", "close", "adj_close", "volume")

needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"the real price files are not in {REAL}"
)

YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2024-03-06,73.0,74.0,72.0,73.5,72.0,10000000
2024-03-07,null,null,null,null,null,null
2024-03-08,73.0,75.0,72.5,74.0,72.5,null
"""
YFINANCE = """Date,Close,High,Low,Open,Volume
,KWEB,KWEB,KWEB,KWEB,KWEB
2024-03-06,25.5,26.0,25.0,25.2,1000
2024-03-07,25.0,25.5,24.9,25.4,1100
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def row(frame: pd.DataFrame, place: int) -> tuple[object, ...]:
    """The row's values, missing ones as ``None``."""
    cells = frame.iloc[place][[*PRICES]]
    return tuple(None if pd.isna(cell) else cell for cell in cells)


def currencies() -> dict[str, str]:
    return {s.security_key: s.currency for s in load_registry().entries(Security)}


def test_yahoo_with_nulls(tmp_path: Path) -> None:
    frame = price_file.read(write(tmp_path, "BABA.csv", YAHOO))
    assert list(frame.columns) == list(price_file.COLUMNS)
    assert list(frame["session_date"]) == [date(2024, 3, 6), date(2024, 3, 8)]
    assert row(frame, 1) == (73.0, 75.0, 72.5, 74.0, 72.5, None)
    assert set(frame["ticker"]) == {"BABA"}
    assert set(frame["split_basis"]) == {date(2024, 3, 8)}
    assert set(frame["source_url"]) == {"file:BABA.csv"}
    assert set(frame["observation_frequency"]) == {"daily"}


def test_what_yfinance_adjusted_is_no_close(tmp_path: Path) -> None:
    frame = price_file.read(write(tmp_path, "download.csv", YFINANCE))
    assert set(frame["ticker"]) == {"KWEB"}
    assert row(frame, 0) == (None, None, None, None, 25.5, 1000)


def test_three_header_lines_of_a_newer_yfinance(tmp_path: Path) -> None:
    text = (
        "Price,Close,High,Low,Open,Volume\nTicker,KWEB,KWEB,KWEB,KWEB,KWEB\nDate,,,,,\n"
        "2024-03-06,25.5,26.0,25.0,25.2,1000\n"
    )
    frame = price_file.read(write(tmp_path, "download.csv", text))
    assert (len(frame), frame["ticker"][0], frame["adj_close"][0]) == (1, "KWEB", 25.5)


def test_history_of_one_ticker_as_yfinance_writes_it(tmp_path: Path) -> None:
    text = (
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2024-03-06 00:00:00-05:00,25.2,26.0,25.0,25.5,1000,0.0,0.0\n"
    )
    frame = price_file.read(write(tmp_path, "x.csv", text), "KWEB")
    assert frame["session_date"][0] == date(2024, 3, 6)
    assert row(frame, 0) == (None, None, None, None, 25.5, 1000)


def test_unadjusted_yfinance_is_as_good_as_yahoo(tmp_path: Path) -> None:
    text = (
        "Price,Adj Close,Close,High,Low,Open,Volume\nTicker" + ",BABA" * 6 + "\nDate,,,,,,\n"
        "2024-03-06,72.0,73.5,74.0,72.0,73.0,1000\n"
    )
    frame = price_file.read(write(tmp_path, "download.csv", text))
    assert row(frame, 0) == (73.0, 74.0, 72.0, 73.5, 72.0, 1000)
    assert frame["ticker"][0] == "BABA"


@pytest.mark.parametrize(
    ("name", "ticker"),
    [("baba_us_d.csv", "BABA"), ("700_hk_d.csv", "0700.HK"), ("^hsi.csv", "^HSI")],
)
def test_stooq_from_a_quote_page(tmp_path: Path, name: str, ticker: str) -> None:
    text = "Date,Open,High,Low,Close,Volume\n2024-03-06,73.0,74.0,72.0,73.5,10\n"
    frame = price_file.read(write(tmp_path, name, text))
    assert set(frame["ticker"]) == {ticker}
    assert row(frame, 0) == (73.0, 74.0, 72.0, 73.5, None, 10)


def test_stooq_in_bulk(tmp_path: Path) -> None:
    text = (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "BABA.US,D,20240306,000000,73.0,74.0,72.0,73.5,10,0\n"
    )
    frame = price_file.read(write(tmp_path, "x.txt", text))
    assert (frame["ticker"][0], frame["session_date"][0]) == ("BABA", date(2024, 3, 6))
    minutes = write(tmp_path, "minutes.txt", text.replace(",D,", ",5,"))
    with pytest.raises(PriceFileError, match=r"minutes\.txt: line 2: <PER>: '5' is not D"):
        price_file.read(minutes)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_warehouses_own_columns(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame(
        {
            "ticker": ["BABA", "BABA"],
            "session_date": [date(2024, 3, 6), date(2024, 3, 7)],
            "close": [73.5, None],
            "adj_close": [72.0, 71.0],
            "currency": ["USD", "USD"],
            "split_basis": [date(2025, 1, 2), date(2025, 1, 2)],
        }
    )
    path = tmp_path / f"mine{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    read = price_file.read(path)
    assert list(read.columns) == [*price_file.COLUMNS, "currency"]
    assert row(read, 0) == (None, None, None, 73.5, 72.0, None)
    assert set(read["split_basis"]) == {date(2025, 1, 2)}


def test_repetitions_are_left_out_and_contradictions_kept(tmp_path: Path) -> None:
    line = "2024-03-06,73.0,74.0,72.0,73.5,72.0,10000000\n"
    again = price_file.read(write(tmp_path, "BABA.csv", YAHOO + line))
    assert len(again) == 2
    other = price_file.read(write(tmp_path, "BABA.csv", YAHOO + line.replace("73.5", "73.6")))
    assert len(other) == 3


REFUSED = {
    "unknown header": ("Day,Price\n2024-03-06,73\n", r"X\.csv: line 1: header 'Day,Price' is not"),
    "no header": ("2024-03-06,73,74,72,73.5,72,10\n", r"expected one of: Yahoo \(Date,Open"),
    "empty file": ("", r"line 1: header ''"),
    "no rows": (YAHOO.splitlines()[0], "holds no row with a price"),
    "a word for a price": (YAHOO.replace("73.5", "high"), r"line 2: Close: 'high' is not a number"),
    "infinity": (YAHOO.replace("73.5", "inf"), r"line 2: Close: 'inf' is not a number"),
    "decimal comma": (YAHOO.replace("73.5", '"73,5"'), r"line 2: Close: '73,5' is not a number"),
    "no such day": (YAHOO.replace("2024-03-08", "2024-02-30"), "Date: '2024-02-30' is not a date"),
    "American date": (YAHOO.replace("2024-03-08", "03/08/2024"), "Date: '03/08/2024' is not a"),
    "cut off": (YAHOO + "2024-03-11,73", r"line 5: 2 cells under 7 column names"),
    "binary": ("\x89PNG\r\n\x1a\n\x00", "line 1: header"),
    "several tickers": (
        YFINANCE.replace(",KWEB,KWEB,KWEB,KWEB,KWEB", ",KWEB,FXI,KWEB,FXI,SPY"),
        "line 2: holds FXI, KWEB, SPY; expected one security",
    ),
    "yfinance without tickers": (YFINANCE.replace(",KWEB,KWEB,KWEB,KWEB,KWEB\n", ""), "not known"),
    "another frequency": (
        "ticker,session_date,close,observation_frequency\nBABA,2024-03-29,72,month_end\n",
        "observation_frequency: 'month_end' is not daily",
    ),
    "a foreign column": ("session_date,close,colour\n2024-03-06,7,red\n", "unknown colour"),
    "another security": (YFINANCE, "holds prices of KWEB, not BABA"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_a_file_that_is_not_understood_is_refused(tmp_path: Path, fault: str) -> None:
    text, message = REFUSED[fault]
    with pytest.raises(PriceFileError, match=message):
        price_file.read(write(tmp_path, "X.csv", text), "BABA")


def test_a_torn_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(PriceFileError, match=r"mine\.parquet: is no Parquet file"):
        price_file.read(path)


@needs_real_files
def test_the_ten_real_files_land(home: Home) -> None:
    loader = Loader(home)
    actions = contract_for("corporate_action")
    loader.load(actions, baseline.read("corporate_action", actions.batch_schema))
    rows, warnings = {}, {}
    for path in sorted(REAL.glob("*.csv")):
        frame = price_file.read(path)
        loaded = loader.load(
            contract_for("daily_price"), frame.assign(currency=frame["ticker"].map(currencies()))
        )
        rows[path.stem] = loaded.assertion.rows
        warnings[path.stem] = [outcome.check for outcome in loaded.report.warnings]
    assert rows == {
        "9988.HK": 1228, "AMZN": 6084, "BABA": 2383, "BIDU": 4679, "GOOGL": 4922, "JD": 2466,
        "KWEB": 1256, "MSFT": 6084, "NVDA": 6084, "PDD": 1414,
    }  # fmt: skip
    # No session is missing or too many in any. PDD rose by 62% on 2022-03-16, with all of China's
    # shares, when the State Council spoke up for them.
    assert warnings.pop("PDD") == ["jump_explained"]
    assert not any(warnings.values())


@needs_real_files
def test_a_real_figure_of_each_layout() -> None:
    # As the files print them: BABA on its first day, 9988.HK on the last of its file.
    first = price_file.read(REAL / "BABA.csv").iloc[0]
    assert first["session_date"] == date(2014, 9, 19)
    assert (first["close"], first["adj_close"]) == (93.889999, 92.644608)
    last = price_file.read(REAL / "9988.HK.csv").iloc[-1]
    assert (last["session_date"], last["volume"]) == (date(2026, 2, 27), 88719769)
    assert last["adj_close"] == pytest.approx(142.9, rel=1e-7)
    assert pd.isna(last["close"])
