"""Settings, from environment variables; the README lists them with their defaults."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.home import Home


class Settings(BaseSettings):
    """What a user may set. Each field is the environment variable ``WAREHOUSE_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="WAREHOUSE_", frozen=True)

    home: Path = Field(Path("data"), description="Folder that holds landing, builds and releases.")
    lock_timeout_seconds: float = Field(
        600, gt=0, description="How long a run waits for another one to finish."
    )


@cache
def settings() -> Settings:
    """Return the settings of this process, read once.

    Raises:
        pydantic.ValidationError: naming the variable and value that is wrong.
    """
    return Settings()


def warehouse_home() -> Home:
    """Return the warehouse of this process."""
    return Home(settings().home.resolve())
