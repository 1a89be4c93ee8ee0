"""What Superset is told at start: the local warehouse, read-only, on loopback, with nobody to call.

Superset finds this file by ``SUPERSET_CONFIG_PATH``, which ``bi.serve`` sets.
"""

from __future__ import annotations

import logging
import secrets
import threading
from typing import Any

import superset.config as superset
from flask import Flask, request
from flask_login import current_user
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection
from sqlalchemy.pool import NullPool

from bi import colours
from bi.home import HOME

# Dashboards, users and sessions. Keys and passwords are made once for each warehouse.
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME.superset / 'superset.db'}?check_same_thread=false"
DATA_DIR = str(HOME.superset)


def _secret(name: str) -> str:
    """Return the secret kept under ``name``; the first call makes it."""
    path = HOME.superset / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text()


SECRET_KEY = _secret("secret.key")
ADMIN_PASSWORD = _secret("admin.password")

# Whoever reaches the loopback address may look; changing anything takes the account `admin`.
AUTH_ROLE_PUBLIC = "Public"
PUBLIC_ROLE_LIKE = "Public"

# DuckDB is a local file, which Superset counts as unsafe. This one is opened read-only, and
# without access to any other file (see the address in bi/superset/databases).
PREVENT_UNSAFE_DB_CONNECTIONS = False


# The release that was asked last, held open. Each query has a connection of its own; without this
# one DuckDB would open and close the file for every chart on a page, several at a time.
_held: dict[URL, Connection] = {}
_holding = threading.Lock()


def DB_CONNECTION_MUTATOR(  # noqa: N802
    url: URL, engine_kwargs: dict[str, Any], *_: object
) -> tuple[URL, dict[str, Any]]:
    """Open the release that is current at this moment.

    The link ``published/current`` is resolved for every query: by the path of the link, DuckDB
    would go on serving the release that the process opened first.
    """
    if url.get_backend_name() == "duckdb":
        url = url.set(database=str(HOME.current.resolve() / "warehouse.duckdb"))
        engine_kwargs["poolclass"] = NullPool
        with _holding:
            if url not in _held:
                opened = create_engine(url, **engine_kwargs).connect()
                _held.clear()
                _held[url] = opened
    return url, engine_kwargs


def FLASK_APP_MUTATOR(app: Flask) -> None:  # noqa: N802
    """Let a reader leave a page.

    A page that is left or reloaded saves the colours of its series. A reader may not, and Superset
    would answer the refusal with its login page: for readers, saving them does nothing.
    """

    @app.before_request
    def _leave_colours() -> dict[str, str] | None:
        saves_colours = request.endpoint == "DashboardRestApi.put_colors"
        return {"result": "kept"} if saves_colours and current_user.is_anonymous else None


# No cache of answers: a figure is always of the current release.
CACHE_CONFIG = DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache", "CACHE_NO_NULL_WARNING": True}

# Pages load nothing from elsewhere and call nobody.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}

EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": colours.SCHEME,
        "label": "Warehouse",
        "description": "Told apart with any colour vision, on light and on dark",
        "isDefault": True,
        "colors": list(colours.PALETTE),
    }
]

# Light or dark as the reader's system is. On the charts: names in the legend rather than the
# buttons "All" and "Inv", and no label of an axis that runs into another or out of the picture.
ENABLE_UI_THEME_ADMINISTRATION = False
_CHARTS = {
    "echartsOptionsOverrides": {
        "legend": {"selector": False, "itemWidth": 16, "itemHeight": 10},
        "xAxis": {"axisLabel": {"showMaxLabel": False}},
        "yAxis": {"splitNumber": 5},
    },
    "echartsOptionsOverridesByChartType": {"echarts_timeseries_line": {"grid": {"right": 36}}},
}
THEME_DEFAULT = superset.THEME_DEFAULT | _CHARTS
THEME_DARK = superset.THEME_DARK | _CHARTS
for _theme in (THEME_DEFAULT, THEME_DARK):
    _theme["token"] = _theme["token"] | {"brandLogoHref": "/superset/dashboard/alibaba_overview/"}

# It warns about files that its own package lacks at every page.
LOG_LEVEL = logging.ERROR
