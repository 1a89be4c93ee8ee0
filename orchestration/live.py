"""Fetch what the live upstreams have that has not landed, and land it.

One function per upstream, each for the series or securities asked for; filings are
``orchestration.sec``'s. What fails is said beside what was landed: one bad series never holds up
the others, and nothing landed is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pandas as pd

from orchestration.changes import new_vintages, news
from orchestration.contracts import Contract, contract_for
from orchestration.extract import ecb, fred, worldbank, yahoo
from orchestration.extract.series import Series
from orchestration.extract.transport import Policy, Transport, UpstreamError
from orchestration.loading import BatchRejected, Loaded, Loader
from orchestration.prices import PriceUpdate, update_prices
from orchestration.quality.quarantine import Entry
from orchestration.registry import Registry
from orchestration.registry.entries import MacroSeries
from orchestration.settings import Settings

MACRO = contract_for("macro_observation")
PRICES = contract_for("daily_price")
ACTIONS = contract_for("corporate_action")
FX = contract_for("fx_rate")


@dataclass
class Update:
    """What one upstream brought.

    ``loaded`` holds the batches that landed, ``rejected`` those in quarantine, ``failures`` one
    sentence for each part that could not be fetched or did not pass its guard, ``remarks`` what a
    reader should know of the rest.
    """

    upstream: str
    loaded: list[Loaded] = field(default_factory=list)
    rejected: list[Entry] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def land(self, loader: Loader, contract: Contract, parts: Sequence[pd.DataFrame]) -> None:
        """Land the parts as one batch; if it is rejected, each by itself.

        So one bad part is quarantined alone, and a day of good ones is one file.
        """
        parts = [part for part in parts if not part.empty]
        if not parts:
            return
        try:
            self.loaded.append(loader.load(contract, pd.concat(parts, ignore_index=True)))
        except BatchRejected as rejection:
            if len(parts) == 1:
                self.rejected.append(rejection.entry)
                self.failures.append(str(rejection))
                return
            loader.quarantine.remove(rejection.entry)
            for part in parts:
                self.land(loader, contract, [part])


def policy(settings: Settings, requests_per_second: float | None = None) -> Policy:
    """Return how patient and careful the clients are, from the settings."""
    return Policy(
        connect_timeout_seconds=settings.connect_timeout_seconds,
        read_timeout_seconds=settings.read_timeout_seconds,
        total_timeout_seconds=settings.total_timeout_seconds,
        max_bytes=settings.max_answer_megabytes * 1_000_000,
        attempts=settings.attempts,
        backoff_initial_seconds=settings.backoff_seconds,
        breaker_failures=settings.breaker_failures,
        breaker_seconds=settings.breaker_seconds,
        requests_per_second=requests_per_second,
    )


def update_fred(
    loader: Loader, settings: Settings, series_ids: Iterable[str], today: date | None = None
) -> Update:
    """Land new observations and vintages of FRED series."""
    key = settings.fred_api_key.get_secret_value() if settings.fred_api_key else None
    transport = Transport(
        fred.NAME, policy(settings, settings.fred_requests_per_second), secrets=[key or ""]
    )
    collected_on = today or _today()
    landed = loader.landing.newest(MACRO.dataset)

    def fetch(series: Series) -> pd.DataFrame:
        if key:
            url = settings.fred_api_url or fred.API_URL
            found = fred.fetch_vintages(transport, series, api_key=key, base_url=url)
            return news(MACRO, found, landed)
        url = settings.fred_csv_url or fred.CSV_URL
        found = fred.fetch_csv(transport, series, collected_on=collected_on, base_url=url)
        return new_vintages(found, landed)

    return _update_series(loader, fred.NAME, series_ids, fetch)


def update_worldbank(loader: Loader, settings: Settings, series_ids: Iterable[str]) -> Update:
    """Land new and revised values of World Bank series."""
    transport = Transport(worldbank.NAME, policy(settings))
    url = settings.worldbank_url or worldbank.API_URL
    landed = loader.landing.newest(MACRO.dataset)

    def fetch(series: Series) -> pd.DataFrame:
        return new_vintages(worldbank.fetch(transport, series, base_url=url), landed)

    return _update_series(loader, worldbank.NAME, series_ids, fetch)


def update_ecb(loader: Loader, settings: Settings) -> Update:
    """Land the reference rates that are new or have been corrected."""
    update = Update(ecb.NAME)
    transport = Transport(ecb.NAME, policy(settings))
    try:
        rates = ecb.fetch_history(transport, url=settings.ecb_url or ecb.HISTORY_URL)
    except UpstreamError as error:
        update.failures.append(str(error))
        return update
    update.land(loader, FX, [news(FX, rates, loader.landing.newest(FX.dataset))])
    return update


def update_yahoo(
    loader: Loader, settings: Settings, tickers: Iterable[str], now: datetime | None = None
) -> Update:
    """Land new sessions, corrections and corporate actions of securities."""
    update = Update(yahoo.NAME)
    session = yahoo.GuardedSession(
        policy(settings, settings.yahoo_requests_per_second), base_url=settings.yahoo_url
    )
    yahoo.set_cache_folder(loader.home.root / "cache" / "yfinance")
    moment = now or datetime.now(UTC)
    landed = loader.landing.newest(PRICES.dataset, yahoo.NAME).to_pandas()
    by_ticker = dict(iter(landed.groupby("ticker")))

    def fetch(ticker: str, first: date, last: date) -> tuple[pd.DataFrame, pd.DataFrame]:
        return yahoo.fetch_history(ticker, first, last, session=session, collected_on=moment.date())

    def update_one(ticker: str) -> PriceUpdate | str:
        known = by_ticker.get(ticker, landed.iloc[:0])
        try:
            return update_prices(
                ticker, known, fetch, moment, loader.registry, settings.prices_since
            )
        except UpstreamError as error:
            return str(error)

    # Threads wait for answers side by side; the session keeps to the rate of the host over all.
    with ThreadPoolExecutor(settings.yahoo_threads) as pool:
        outcomes = list(pool.map(update_one, tickers))
    updates = [outcome for outcome in outcomes if isinstance(outcome, PriceUpdate)]
    update.failures += [outcome for outcome in outcomes if isinstance(outcome, str)]
    update.remarks += [str(found.rewritten) for found in updates if found.rewritten]
    # Actions first: the guard of prices asks whether one explains a jump.
    landed_actions = loader.landing.newest(ACTIONS.dataset)
    actions = [news(ACTIONS, found.actions, landed_actions) for found in updates]
    update.land(loader, ACTIONS, actions)
    update.land(loader, PRICES, [found.prices for found in updates])
    return update


def _update_series(
    loader: Loader,
    upstream: str,
    series_ids: Iterable[str],
    fetch: Callable[[Series], pd.DataFrame],
) -> Update:
    update = Update(upstream)
    fetched = []
    for series in _series(loader.registry, series_ids):
        try:
            fetched.append(fetch(series))
        except UpstreamError as error:
            update.failures.append(str(error))
    update.land(loader, MACRO, fetched)
    return update


def _series(registry: Registry, series_ids: Iterable[str]) -> list[Series]:
    known = {entry.series_id: entry for entry in registry.entries(MacroSeries)}
    return [
        Series(series_id, known[series_id].unit, known[series_id].live_series or series_id)
        for series_id in series_ids
    ]


def _today() -> date:
    return datetime.now(UTC).date()
