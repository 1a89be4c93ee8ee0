"""The dbt sources, made from the dataset contracts so that the two cannot drift apart."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import yaml

from orchestration.contracts import CONTRACTS, PROVENANCE, Column, Contract
from orchestration.files import write_atomically
from orchestration.fingerprint import DBT_PROJECT
from orchestration.registry import load_registry
from orchestration.registry.columns import meaning
from orchestration.transform.going_on import CHANGED
from orchestration.transform.reference import CALENDAR_DATES, LOAD_LOG, precedence

SOURCES = DBT_PROJECT / "models" / "staging" / "_landing__sources.yml"
_HEADER = "# Made from the dataset contracts by `make setup`; edit those.\n"


def sources_yaml() -> str:
    """Return the text of the sources file."""
    content = {"version": 2, "sources": [_landing(), _reference()]}
    return _HEADER + yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True)


def write_sources() -> None:
    """Write the sources file where it has changed."""
    text = sources_yaml()
    if not SOURCES.exists() or SOURCES.read_text(encoding="utf-8") != text:
        write_atomically(SOURCES, lambda path: path.write_text(text, encoding="utf-8"))


def _landing() -> dict[str, Any]:
    return {
        "name": "landing",
        "description": "Immutable batches that passed their guard: all assertions of each key.",
        "config": {
            "meta": {
                # Where the build gathers the batches that count, wherever landing is.
                "external_location": (
                    "read_parquet('build/landing/{name}/*.parquet', union_by_name=true)"
                )
            }
        },
        "tables": [_table(contract) for contract in CONTRACTS.values()],
    }


def _table(contract: Contract) -> dict[str, Any]:
    flaws = f" Known flaws: {contract.known_flaws}" if contract.known_flaws else ""
    columns = (*contract.columns, *PROVENANCE)
    return {
        "name": contract.dataset,
        "description": contract.description + flaws,
        "columns": [_column(column) for column in columns],
        "data_tests": [
            {
                "keeps_contract": {
                    "name": f"landing_{contract.dataset}_keeps_contract",
                    "arguments": {
                        "dataset": contract.dataset,
                        "key": ["batch_id", *contract.key],
                        "required": [c.name for c in columns if not c.nullable],
                        "allowed": {c.name: list(c.allowed) for c in columns if c.allowed},
                    },
                }
            }
        ],
    }


def _reference() -> dict[str, Any]:
    return {
        "name": "reference",
        "description": "The registry, trading days and the load log, as the run wrote them.",
        "config": {"meta": {"external_location": "read_parquet('build/reference/{name}.parquet')"}},
        "tables": [
            {"name": name, "columns": [_column(column) for column in of_table]}
            for name, of_table in reference_columns().items()
        ],
    }


def reference_columns() -> dict[str, tuple[Column, ...]]:
    """Return the columns of every table that a run writes beside landing."""
    written = {"calendar_dates": CALENDAR_DATES, "load_log": LOAD_LOG, "changed": CHANGED}
    return registry_columns() | written


def registry_columns() -> dict[str, tuple[Column, ...]]:
    """Return the columns of every registry file and of the precedence, as dbt reads them."""
    tables = load_registry().tables() | {"precedence": precedence()}
    return {
        name: tuple(Column(f.name, f.type, meaning(name, f.name)) for f in table.schema)
        for name, table in tables.items()
    }


def _column(column: Column) -> dict[str, str]:
    return {
        "name": column.name,
        "description": column.description,
        "data_type": sql_type(column.type),
    }


def sql_type(arrow: pa.DataType) -> str:
    """Return the name that DuckDB and Spark both know an Arrow type by."""
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    names = {
        pa.string(): "string",
        pa.date32(): "date",
        pa.float64(): "double",
        pa.bool_(): "boolean",
        pa.int32(): "int",
        pa.int64(): "bigint",
    }
    return names.get(arrow, "timestamp")
