"""Which columns each column of a model is made of, read from its compiled SQL.

Only what a value is computed from counts: a column that merely joins, filters or groups is no
parent. It is worked out at set-up and kept beside the manifest, so that no run waits for it unless
the dbt project has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from sqlglot import exp, parse_one
from sqlglot.lineage import Node, lineage

from orchestration.files import write_json
from orchestration.fingerprint import dbt_fingerprint
from orchestration.transform.dbt import TARGET, compile_models, ensure_parsed

_KEPT = TARGET / "column_lineage.json"
_DIALECT = "duckdb"

#: A column of a model or source: the node's unique id and the column's name.
ColumnOf: TypeAlias = tuple[str, str]
#: The parents of each column of one model.
Parents: TypeAlias = Mapping[str, list[ColumnOf]]


def column_lineage() -> Mapping[str, Parents]:
    """Return the parents of each model's columns, by its unique id.

    Worked out, which takes seconds, unless it stands worked out for the dbt project as it is.

    Raises:
        DbtFailed: when the project does not parse or compile.
    """
    kept = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.exists() else {}
    if kept.get("dbt_project") != dbt_fingerprint():
        kept = {"dbt_project": dbt_fingerprint(), "models": _worked_out()}
        write_json(_KEPT, kept)
    return {
        unique_id: {
            column: [(parent, of) for parent, of in parents] for column, parents in columns.items()
        }
        for unique_id, columns in kept["models"].items()
    }


def _worked_out() -> dict[str, Parents]:
    manifest = json.loads(ensure_parsed().read_text(encoding="utf-8"))
    return {
        unique_id: lineage_of_model(sql, unique_id, manifest)
        for unique_id, sql in sorted(compile_models().items())
    }


def lineage_of_model(sql: str, unique_id: str, manifest: Mapping[str, Any]) -> Parents:
    """Return the parents of each column of a model, from its compiled SQL.

    Raises:
        KeyError: when the SQL does not give a column that the model documents, or reads a relation
            that is none of its parents.
    """
    model = manifest["nodes"][unique_id]
    parents = [_node(manifest, parent) for parent in model["depends_on"]["nodes"]]
    by_relation = {_relation(parent): parent["unique_id"] for parent in parents}
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for parent in parents:
        of_schema, name = _relation(parent)
        columns = {column["name"]: column["data_type"] for column in parent["columns"].values()}
        schema.setdefault(of_schema, {})[name] = columns
    query = parse_one(_with_named_sources(sql, parents), dialect=_DIALECT)
    for table in query.find_all(exp.Table):
        # In which file a relation lies is of no interest; no two share schema and name.
        table.set("catalog", None)
    found = lineage(None, query, schema, dialect=_DIALECT, trim_selects=False, copy=False)
    return {
        column: sorted({(by_relation[relation], of) for relation, of in _leaves(found[column])})
        for column in model["columns"]
    }


def _leaves(node: Node) -> Iterator[tuple[tuple[str, str], str]]:
    """The columns of relations that a column is made of; a constant is made of none."""
    # Nodes are shared between paths, of which a model with many steps has very many.
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting.extend(node.downstream)
        table = node.expression
        if not node.downstream and isinstance(table, exp.Table):
            yield (table.db, table.name), exp.to_column(node.name).name


def _with_named_sources(sql: str, parents: Iterable[Mapping[str, Any]]) -> str:
    """The SQL with each source by its name, where dbt has put the call that reads its files."""
    for parent in parents:
        if parent["resource_type"] == "source":
            location = parent["meta"]["external_location"].format(name=parent["name"])
            sql = sql.replace(location, ".".join(_relation(parent)))
    return sql


def _relation(node: Mapping[str, Any]) -> tuple[str, str]:
    if node["resource_type"] == "source":
        return node["source_name"], node["name"]
    return node["schema"], node["name"]


def _node(manifest: Mapping[str, Any], unique_id: str) -> Any:
    return manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
