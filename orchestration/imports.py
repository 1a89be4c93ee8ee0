"""Land files that a person brings, through the same guard as any batch."""

from __future__ import annotations

from pathlib import Path

from orchestration.contracts import contract_for
from orchestration.extract import price_file
from orchestration.loading import Loaded, Loader
from orchestration.registry.entries import Security


def import_prices(loader: Loader, path: Path, ticker: str | None = None) -> Loaded:
    """Land a file of daily prices; the currency is the security's own where the file has none.

    Raises:
        PriceFileError: when the file is no price history, naming line, field and value.
        BatchRejected: when its rows break the contract.
    """
    history = price_file.read(path, ticker)
    if "currency" not in history:
        own = {s.security_key: s.currency for s in loader.registry.entries(Security)}
        history["currency"] = history["ticker"].map(own)
    indexes = {
        s.security_key for s in loader.registry.entries(Security) if s.security_type == "index"
    }
    history.loc[history["ticker"].isin(indexes), "split_basis"] = None
    contract = contract_for("daily_price")
    return loader.load(contract, history[contract.batch_schema.names])
