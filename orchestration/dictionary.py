"""``python -m orchestration.dictionary``: every published table, as a page of docs.

Made from the dbt manifest, where each table says its grain and what its columns mean, and from the
definitions of the three tables that the publishing writes itself. It opens no warehouse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.export import SCHEMAS, unit_of
from orchestration.release.ops_tables import create_ops_tables
from orchestration.transform.dbt import ensure_parsed

_HEAD = """\
# Data dictionary

Made by `make docs` from the models: every table of a release, its grain and its columns. Each
release has the same in `docs/index.html`, with lineage, and as comments in its database.

- **Grain**: the columns that tell one row from any other; a test of the build holds it.
- **Unit**: as `warehouse export` writes it into headers. `see currency` and `see unit` name the
  column of the same row that says it. Empty: a text, date, flag, count or ratio without one.
- Empty cells are unknown, never zero.
"""
_GRAIN = re.compile(r"\s*\bGrain: ([\w, ]+)\.")
_SCHEMA_NOTES = {
    "marts": "Wide tables for questions, BI tools and notebooks.",
    "core": "Facts and what they refer to; every print of a figure is kept.",
    "ops": "What the run loaded, checked, reconciled and published.",
}


@dataclass(frozen=True)
class Column:
    """One column of a published table; ``unit`` is empty where there is none."""

    name: str
    type: str
    unit: str
    description: str


@dataclass(frozen=True)
class Described:
    """One published table or macro, as its definition describes it."""

    schema: str
    name: str
    arguments: tuple[str, ...]
    description: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def title(self) -> str:
        """Its name as SQL has it, a macro's with its arguments."""
        call = f"({', '.join(self.arguments)})" if self.arguments else ""
        return f"{self.schema}.{self.name}{call}"


def dictionary_page(tables: Iterable[Described]) -> str:
    """Return the page: schemas in the order of their readers, tables by name."""
    by_schema: dict[str, list[Described]] = {schema: [] for schema in _SCHEMA_NOTES}
    for table in sorted(tables, key=lambda table: table.name):
        by_schema[table.schema].append(table)
    lines = [_HEAD]
    for schema, described in by_schema.items():
        names = ", ".join(f"[`{table.name}`](#{_anchor(table.title)})" for table in described)
        lines += [f"## {schema}", "", f"{_SCHEMA_NOTES[schema]} {names}", ""]
        for table in described:
            lines += [*_section(table), ""]
    return "\n".join(lines)


def described_tables() -> list[Described]:
    """Return every table of a release."""
    manifest = json.loads(ensure_parsed().read_text(encoding="utf-8"))
    return [*_from_dbt(manifest), *_from_publishing()]


def split_grain(description: str) -> tuple[str, tuple[str, ...]]:
    """Return a description without its sentence "Grain: ...", and the columns this names."""
    said = _GRAIN.search(description)
    columns = tuple(said[1].split(", ")) if said else ()
    return _GRAIN.sub("", description), columns


def _from_dbt(manifest: Mapping[str, Any]) -> Iterable[Described]:
    nodes = manifest["nodes"].values()
    grains = {
        node["attached_node"]: tuple(node["test_metadata"]["kwargs"]["columns"])
        for node in nodes
        if node["resource_type"] == "test" and (node["test_metadata"] or {}).get("name") == "grain"
    }
    for node in nodes:
        if node["resource_type"] == "model" and node["schema"] in SCHEMAS:
            columns = [
                (column["name"], column["data_type"], column["description"])
                for column in node["columns"].values()
            ]
            description, grain = split_grain(node["description"])
            yield Described(
                node["schema"],
                node["name"],
                tuple(node["config"].get("parameters", ())),
                description,
                grains.get(node["unique_id"], grain),
                _columns(columns),
            )


def _from_publishing() -> Iterable[Described]:
    import duckdb

    with duckdb.connect() as connection:
        create_ops_tables(connection)
        tables = connection.execute(
            "select schema_name, table_name, comment from duckdb_tables()"
        ).fetchall()
        for schema, name, comment in tables:
            description, grain = split_grain(comment)
            columns = connection.execute(
                "select column_name, lower(data_type), comment from duckdb_columns() "
                "where schema_name = $1 and table_name = $2 order by column_index",
                [schema, name],
            ).fetchall()
            yield Described(schema, name, (), description, grain, _columns(columns))


def _columns(rows: Iterable[tuple[str, str, str]]) -> tuple[Column, ...]:
    described = list(rows)
    names = [name for name, _, _ in described]
    return tuple(
        Column(name, kind, unit_of(name, description, names) or "", description)
        for name, kind, description in described
    )


def _section(table: Described) -> list[str]:
    grain = ", ".join(f"`{column}`" for column in table.grain) or "one row"
    lines = [f"### {table.title}", "", _one_line(table.description), "", f"Grain: {grain}.", ""]
    lines += ["| Column | Type | Unit | Meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{column.name}` | {column.type} | {column.unit} | {_cell(column.description)} |"
        for column in table.columns
    ]
    return lines


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, signs dropped, blanks to hyphens."""
    kept = (sign for sign in heading.lower() if sign.isalnum() or sign in "_- ")
    return "".join(kept).replace(" ", "-")


def _cell(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    print(dictionary_page(described_tables()), end="")
