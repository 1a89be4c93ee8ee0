"""dbt's tests in plain words: dbt's own names are made for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def in_words(test: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and description of a dbt test of the manifest, by its kind.

    A test of another kind keeps its name and brings its description from its YAML.
    """
    kind = test.get("test_metadata") or {}
    arguments = kind.get("kwargs", {})
    match kind.get("name"):
        case "grain":
            return "one_row_per_key", f"No two rows share {_listed(arguments['columns'])}."
        case "relationships":
            column, other = arguments["column_name"], _referred(arguments["to"])
            return f"{column}_is_known", f"Every `{column}` is one of `{other}`."
        case "tables_add_up":
            return (
                "tables_add_up",
                "No complete table differs from its total by more than the precision of the "
                "prints allows.",
            )
        case "keeps_contract":
            return (
                "what_landed_keeps_contract",
                "What has landed still is what its contract says: no batch holds a key twice, "
                "required columns are filled and hold listed values only.",
            )
    return test["name"], test["description"]


def _listed(columns: list[str]) -> str:
    *most, last = (f"`{column}`" for column in columns)
    return f"{', '.join(most)} and {last}" if most else last


def _referred(reference: str) -> str:
    """The name of the model in dbt's ``ref('name')``."""
    return reference.split("'")[1]
