"""Settings, from environment variables; the README lists them with their defaults."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.home import Home


class Settings(BaseSettings):
    """What a user may set. Each field is the environment variable ``WAREHOUSE_<FIELD>``.

    Addresses are settings so that the same clients can be run against a mirror or a local server.
    """

    model_config = SettingsConfigDict(env_prefix="WAREHOUSE_", frozen=True, populate_by_name=True)

    home: Path = Field(Path("data"), description="Folder that holds landing, builds and releases.")
    landing: str | None = Field(
        None,
        description="Folder or `s3://bucket/prefix` of landing, if not `landing` in the home.",
    )
    target: Literal["duckdb", "spark"] = Field(
        "duckdb", description="Engine that builds the models; `warehouse run --target` goes first."
    )
    lock_timeout_seconds: float = Field(
        600, gt=0, description="How long a run waits for another one to finish."
    )
    memory_limit: str = Field(
        "4GB",
        pattern=r"^\d+(?:\.\d+)?\s?(?:[KMGT]i?B)$",
        description="Memory that DuckDB may take to build and publish; the rest goes to disk.",
    )
    slice_rows: int = Field(
        1_000_000,
        gt=0,
        description="Price rows, about, that a build takes at once: fewer need less memory.",
    )
    prices_since: date = Field(
        date(2014, 1, 1), description="First session of which daily prices are fetched."
    )
    filings_since: date = Field(
        date(2024, 1, 1), description="Oldest filing that is looked for at the SEC."
    )
    sec_contact: str | None = Field(
        None, description="E-mail address that the SEC asks every client to name; no SEC without."
    )
    fred_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("FRED_API_KEY", "WAREHOUSE_FRED_API_KEY"),
        description="Key of the FRED API: with it all vintages are fetched, without it the newest.",
    )
    connect_timeout_seconds: float = Field(10, gt=0, description="To reach a host.")
    read_timeout_seconds: float = Field(30, gt=0, description="Between two pieces of an answer.")
    total_timeout_seconds: float = Field(300, gt=0, description="For a whole answer.")
    max_answer_megabytes: int = Field(200, gt=0, description="Largest answer taken in, unpacked.")
    attempts: int = Field(5, gt=0, description="Tries of a request that may heal.")
    backoff_seconds: float = Field(1, ge=0, description="Wait after the first try, then doubled.")
    breaker_failures: int = Field(
        5, gt=0, description="Failed requests in a row after which a host is left alone."
    )
    breaker_seconds: float = Field(300, ge=0, description="How long it is left alone.")
    yahoo_threads: int = Field(4, gt=0, description="Securities that are asked for side by side.")
    yahoo_requests_per_second: float = Field(2, gt=0, description="Yahoo states no limit; be kind.")
    fred_requests_per_second: float = Field(2, gt=0, description="FRED allows 120 a minute.")
    sec_requests_per_second: float = Field(8, gt=0, description="The SEC allows 10.")
    yahoo_url: str | None = Field(None, description="Host of Yahoo's chart API, if not its own.")
    sec_url: str | None = Field(None, description="Host of SEC EDGAR, if not its own.")
    fred_csv_url: str | None = Field(None, description="FRED's CSV address, if not its own.")
    fred_api_url: str | None = Field(None, description="FRED's API address, if not its own.")
    worldbank_url: str | None = Field(None, description="World Bank's API, if not its own.")
    spark_master: str = Field(
        "local[2]", description="Where Spark runs: local, or a cluster's URL."
    )
    spark_driver_memory: str = Field("2g", description="Memory of Spark's driver.")
    spark_executor_memory: str = Field(
        "1g", description="Memory of each of Spark's workers on a cluster."
    )
    spark_driver_host: str = Field(
        "127.0.0.1", description="Address at which a cluster reaches Spark's driver."
    )
    spark_shuffle_partitions: int = Field(
        4, gt=0, description="Parts that Spark cuts a join or a sum into."
    )
    ecb_url: str | None = Field(None, description="ECB's rate history, if not its own.")


@cache
def settings() -> Settings:
    """Return the settings of this process, read once.

    Raises:
        pydantic.ValidationError: naming the variable and value that is wrong.
    """
    return Settings()


def warehouse_home() -> Home:
    """Return the warehouse of this process."""
    chosen = settings()
    elsewhere = chosen.landing or None
    if elsewhere and "://" not in elsewhere:
        elsewhere = str(Path(elsewhere).resolve())
    return Home(chosen.home.resolve(), elsewhere)
