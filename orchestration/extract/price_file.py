"""Daily price history that a person brings as a file.

The layout is recognised from the header, or the file is refused with what was expected:

- **Yahoo's CSV** (``Date,Open,High,Low,Close,Adj Close,Volume``): closes adjusted for splits,
  ``Adj Close`` for dividends too. yfinance with ``auto_adjust=False`` writes the same columns.
- **yfinance's CSV** (``Close,High,Low,Open,Volume`` and a line of tickers, or ``Dividends`` and
  ``Stock Splits`` at the end): adjusted for splits and dividends. The closes are adjusted closes
  and nothing else is known of the session but its volume.
- **Stooq's CSV**, as one downloads it from a quote page (``Date,Open,High,Low,Close,Volume``) or in
  bulk (``<TICKER>,<PER>,<DATE>,...``): prices and volumes adjusted for splits. The site adjusts for
  dividends as well unless "skip dividends" is ticked, and the file does not say which: tick it.
- **Plain CSV or Parquet** with the column names of the landing dataset.

Known flaws: such files have ``null`` cells, rows without any price and repeated rows. The first are
missing values and the others are left out; whatever contradicts itself is left to the guard.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

PRICES = ("open", "high", "low", "close", "adj_close")
#: Columns of a batch, ``currency`` added only where a plain file states it.
COLUMNS = (
    "ticker", "session_date", *PRICES, "volume", "observation_frequency", "split_basis",
    "source", "source_url",
)  # fmt: skip
#: What stands in a cell without a value.
MISSING = frozenset({"", "null", "nan", "none", "n/a", "na", "-"})

_YAHOO = ("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume")
_YFINANCE = ("Close", "High", "Low", "Open", "Volume")
_STOOQ = ("Date", "Open", "High", "Low", "Close", "Volume")
_STOOQ_BULK = (
    "<TICKER>", "<PER>", "<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>",
    "<OPENINT>",
)  # fmt: skip
_PLAIN = (*COLUMNS, "currency", "batch_id", "ingested_at")
_EXPECTED = "expected one of: " + "; ".join(
    (
        f"Yahoo ({','.join(_YAHOO)})",
        f"yfinance (Date,{','.join(_YFINANCE)} and a line of tickers)",
        f"Stooq ({','.join(_STOOQ)} or {','.join(_STOOQ_BULK[:3])},...)",
        "plain (session_date, close or adj_close, and other columns of daily_price)",
    )
)
_DATE = re.compile(r"^(\d{4})-?(\d{2})-?(\d{2})(?:[ T]\d{2}:\d{2}.*)?$")
#: A ticker and no number: Yahoo's are letters, or have a market's suffix or a mark.
_TICKER = re.compile(r"^\^?[A-Z0-9.=-]*[A-Z][A-Z0-9.=-]*$")
#: File names that Stooq gives its downloads: ``baba_us_d.csv``.
_STOOQ_NAME = re.compile(r"^(\^?[A-Z0-9.-]+)_(US|HK)_D$")


class PriceFileError(ValueError):
    """A file that is no price history we know; the message names file, line, field and value."""


@dataclass(frozen=True)
class _Cells:
    """A file as text: its header and its rows, each with the line it stands in."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, Any]], ...]


def read(path: Path, ticker: str | None = None, split_basis: date | None = None) -> pd.DataFrame:
    """Return the daily prices of a file, in the columns of ``daily_price`` but ``currency``.

    The ticker is the file's own where it names one, else ``ticker``, else the file's name. Prices
    are in the splits of ``split_basis``, else of the last session in the file: a file is adjusted
    for every split up to the day it was written, which is that day or later.

    Raises:
        PriceFileError: for an unknown layout, a cell that cannot be read, a file without a price,
            or one that names another ticker than ``ticker``.
        FileNotFoundError: when there is no such file.
    """
    cells = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    layout = _layout(cells)
    rows = [row for _, row in layout(cells) if _has_price(row)]
    if not rows:
        raise PriceFileError(f"{path.name}: holds no row with a price")
    frame = pd.DataFrame(rows)
    given = frame["ticker"] if "ticker" in frame else pd.Series(None, index=frame.index, dtype=str)
    frame["ticker"] = given.fillna(ticker or _ticker_of_name(path))
    other = set(frame["ticker"]) - {ticker}
    if ticker is not None and other:
        raise PriceFileError(
            f"{path.name}: holds prices of {', '.join(sorted(other))}, not {ticker}"
        )
    if "split_basis" not in frame:
        frame["split_basis"] = split_basis or max(frame["session_date"])
    frame["observation_frequency"] = "daily"
    frame["source"] = "import"
    frame["source_url"] = f"file:{path.name}"
    for name in (*PRICES, "volume"):
        frame[name] = pd.to_numeric(frame[name]) if name in frame else math.nan
    stated = [name for name in ("currency",) if name in frame]
    frame = frame[[*COLUMNS, *stated]].drop_duplicates()
    return frame.sort_values(["ticker", "session_date"], ignore_index=True)


# Layouts. Each yields the line and the values of a row, under the names of the contract.

_Rows = Iterator[tuple[int, dict[str, Any]]]


def _layout(cells: _Cells) -> Callable[[_Cells], _Rows]:
    header = cells.header
    if "session_date" in header:
        return _plain
    if header[: len(_STOOQ_BULK) - 1] == _STOOQ_BULK[:-1]:
        return _stooq_bulk
    if set(_YAHOO) <= set(header) or (header[0] == "Price" and set(_YAHOO[1:]) <= set(header)):
        return _yahoo
    tickers_follow = bool(cells.rows) and _is_ticker_line(cells.rows[0][1], header)
    if set(_YFINANCE) <= set(header) and (tickers_follow or "Stock Splits" in header):
        return _yfinance
    if header in (_STOOQ, _STOOQ[:-1]):
        return _stooq
    raise PriceFileError(
        f"{cells.path.name}: line 1: header {','.join(header)!r} is not known; {_EXPECTED}"
    )


def _yahoo(cells: _Cells) -> _Rows:
    names = {name: name.lower().replace(" ", "_") for name in _YAHOO[1:]}
    yield from _dated(cells, names)


def _yfinance(cells: _Cells) -> _Rows:
    yield from _dated(cells, {"Close": "adj_close", "Volume": "volume"})


def _stooq(cells: _Cells) -> _Rows:
    yield from _dated(cells, {name: name.lower() for name in cells.header[1:]})


def _stooq_bulk(cells: _Cells) -> _Rows:
    names = {
        "<OPEN>": "open",
        "<HIGH>": "high",
        "<LOW>": "low",
        "<CLOSE>": "close",
        "<VOL>": "volume",
    }
    for number, row in cells.rows:
        if row["<PER>"] != "D":
            raise _unreadable(cells.path, number, "<PER>", row["<PER>"], "is not D, for daily")
        values = _values(cells.path, number, row, names)
        values["session_date"] = _date(cells.path, number, "<DATE>", row["<DATE>"])
        values["ticker"] = _yahoo_ticker(row["<TICKER>"])
        yield number, values


def _plain(cells: _Cells) -> _Rows:
    unknown = [name for name in cells.header if name not in _PLAIN]
    if unknown or not {"close", "adj_close"} & set(cells.header):
        wrong = f"unknown {', '.join(unknown)}" if unknown else "no close or adj_close"
        raise PriceFileError(f"{cells.path.name}: line 1: {wrong}; {_EXPECTED}")
    numbers = {name: name for name in (*PRICES, "volume") if name in cells.header}
    for number, row in cells.rows:
        values = _values(cells.path, number, row, numbers)
        for name in ("session_date", "split_basis"):
            if name in row and not (name == "split_basis" and _is_missing(row[name])):
                values[name] = _date(cells.path, number, name, row[name])
        for name in ("ticker", "currency"):
            if name in row and not _is_missing(row[name]):
                values[name] = str(row[name])
        frequency = row.get("observation_frequency", "daily")
        if frequency != "daily":
            raise _unreadable(
                cells.path, number, "observation_frequency", frequency, "is not daily"
            )
        yield number, values


def _dated(cells: _Cells, names: dict[str, str]) -> _Rows:
    """Rows of a file of one security, dates in the first column; a line of tickers names it."""
    ticker = None
    for number, row in cells.rows:
        day = row[cells.header[0]]
        if _is_ticker_line(row, cells.header):
            tickers = {row[name] for name in cells.header[1:]}
            if len(tickers) != 1:
                raise PriceFileError(
                    f"{cells.path.name}: line {number}: holds {', '.join(sorted(tickers))}; "
                    "expected one security"
                )
            (ticker,) = tickers
        elif day == "Date" and not any(row[name] for name in cells.header[1:]):
            pass  # yfinance writes the name of the index into a line of its own
        else:
            values = _values(cells.path, number, row, names)
            values["session_date"] = _date(cells.path, number, cells.header[0], day)
            if ticker:
                values["ticker"] = ticker
            yield number, values


def _is_ticker_line(row: dict[str, Any], header: Sequence[str]) -> bool:
    cells = [str(row[name]) for name in header[1:]]
    return row[header[0]] in ("", "Ticker") and all(_TICKER.match(cell) for cell in cells)


# Cells.


def _values(
    path: Path, number: int, row: dict[str, Any], names: dict[str, str]
) -> dict[str, float | str | date | None]:
    return {name: _number(path, number, field, row[field]) for field, name in names.items()}


def _number(path: Path, number: int, field: str, cell: Any) -> float | None:
    if _is_missing(cell):
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.inf
    if not math.isfinite(value):
        raise _unreadable(path, number, field, cell, "is not a number")
    return value


def _date(path: Path, number: int, field: str, cell: Any) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    match = _DATE.match(str(cell))
    try:
        if match:
            return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        pass
    raise _unreadable(path, number, field, cell, "is not a date (YYYY-MM-DD)")


def _is_missing(cell: Any) -> bool:
    return cell is None or str(cell).strip().lower() in MISSING


def _has_price(row: dict[str, Any]) -> bool:
    return any(row.get(name) is not None for name in PRICES)


def _unreadable(path: Path, number: int, field: str, cell: Any, reason: str) -> PriceFileError:
    return PriceFileError(f"{path.name}: line {number}: {field}: {cell!r} {reason}")


# Files and tickers.


def _csv(path: Path) -> _Cells:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = tuple(name.strip() for name in next(reader, []))
            rows = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise PriceFileError(
                        f"{path.name}: line {reader.line_num}: {len(cells)} cells under "
                        f"{len(header)} column names: {','.join(cells)[:80]!r}"
                    )
                stripped = [cell.strip() for cell in cells]
                rows.append((reader.line_num, dict(zip(header, stripped, strict=True))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise PriceFileError(f"{path.name}: is no CSV text: {error}") from error
    if not header or len(set(header)) < len(header):
        raise PriceFileError(f"{path.name}: line 1: header {','.join(header)!r}; {_EXPECTED}")
    return _Cells(path, header, tuple(rows))


def _parquet(path: Path) -> _Cells:
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise PriceFileError(f"{path.name}: is no Parquet file: {error}") from error
    return _Cells(path, tuple(table.column_names), tuple(enumerate(table.to_pylist(), start=1)))


def _ticker_of_name(path: Path) -> str:
    stooq = _STOOQ_NAME.match(path.stem.upper())
    return _yahoo_ticker(f"{stooq[1]}.{stooq[2]}") if stooq else path.stem.upper()


def _yahoo_ticker(symbol: str) -> str:
    """Yahoo's name of a Stooq symbol: ``BABA.US`` is ``BABA``, ``700.HK`` is ``0700.HK``."""
    name, _, market = symbol.upper().rpartition(".")
    if market == "US":
        return name
    if market == "HK":
        return f"{name:0>4}.HK"
    return symbol.upper()
