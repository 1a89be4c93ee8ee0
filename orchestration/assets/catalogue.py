"""What the Dagster UI tells of an asset before it has run.

Who answers for it, how long ago it may have been made, what its columns mean and where it is
written. Each of these has one place: ``groups.yml``, ``freshness_limits.csv``, the dataset
contracts and the models' YAML.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from orchestration.contracts import PROVENANCE, Column, Contract
from orchestration.fingerprint import DBT_PROJECT, PACKAGE
from orchestration.registry import load_registry
from orchestration.registry.entries import FreshnessLimit
from orchestration.transform.sources import sql_type

#: The group that answers for what no group of its own does.
WAREHOUSE = "operations"


def owners(group: str) -> list[str]:
    """Return who answers for a group of ``groups.yml``, as Dagster writes a team."""
    return [f"team:{_maintainers()[group].lower().replace(' ', '-')}"]


def freshness(dataset: str | None = None) -> dg.FreshnessPolicy:
    """Return how long ago an asset may have been made before Dagster warns, and then fails it.

    An asset of a dataset is held to the limits of that dataset: one that was last asked longer ago
    cannot hold observations that are younger. What is built from all of them is held to the
    tightest. How old the data themselves are is said by ``ops.freshness``.
    """
    limits = [
        limit
        for limit in load_registry().entries(FreshnessLimit)
        if dataset in (None, limit.dataset)
    ]
    return dg.FreshnessPolicy.time_window(
        warn_window=timedelta(days=min(limit.warn_after_days for limit in limits)),
        fail_window=timedelta(days=min(limit.error_after_days for limit in limits)),
    )


def tags(layer: str, subject: str, **others: str) -> dict[str, str]:
    """Return what assets are found by: their layer, their subject and, if landed, their source."""
    return {"layer": layer, "subject": subject, **others}


def landing_schema(contract: Contract) -> dict[str, Any]:
    """Return the metadata that shows the columns of a landing dataset."""
    return column_schema({"": (*contract.columns, *PROVENANCE)}, key=contract.key)


def column_schema(
    tables: Mapping[str, Iterable[Column]], key: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the metadata that shows the columns of one table, or of several by their names.

    The columns of ``key`` are marked; together they stand once.
    """
    columns = [
        dg.TableColumn(
            f"{table}.{column.name}" if table else column.name,
            type=sql_type(column.type),
            description=_described(column),
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable, other=["key"] if column.name in key else []
            ),
        )
        for table, columns in tables.items()
        for column in columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def traced(
    metadata: Mapping[str, Any], made_of: Mapping[str, list[dg.TableColumnDep]]
) -> dict[str, Any]:
    """Return the metadata that shows what each column of a table is made of.

    Dagster's own view of column lineage is not part of its open-source UI, so that each column
    also says it in its description, with links.
    """
    schema: dg.TableSchema = metadata["dagster/column_schema"]
    columns = [
        dg.TableColumn(
            column.name,
            type=column.type,
            description=f"{(column.description or '').strip()}{_origin(made_of[column.name])}",
        )
        for column in schema.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/column_lineage": dg.TableColumnLineage(made_of),
    }


def _origin(parents: Iterable[dg.TableColumnDep]) -> str:
    by_asset: dict[str, list[str]] = {}
    for parent in parents:
        by_asset.setdefault(parent.asset_key.to_user_string(), []).append(parent.column_name)
    origins = (
        f"[{asset}](/assets/{asset}): {', '.join(f'`{column}`' for column in columns)}"
        for asset, columns in by_asset.items()
    )
    return f"\n\nFrom {'; '.join(origins)}" if by_asset else ""


def source_code(*places: Callable[..., Any] | Path) -> dict[str, Any]:
    """Return the metadata that links to functions, and to files of the project."""
    with warnings.catch_warnings():
        # The links are in beta: they may change, and then a test says so.
        warnings.simplefilter("ignore", dg.BetaWarning)
        links = [
            dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=_label(path))
            for path, line in map(_place, places)
        ]
        return {
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=list(links))
        }


def contract_file(contract: Contract) -> Path:
    """Return where a dataset's contract is written."""
    return PACKAGE / "contracts" / "datasets" / f"{contract.dataset}.py"


def _place(place: Callable[..., Any] | Path) -> tuple[Path, int | None]:
    if isinstance(place, Path):
        return place, None
    return Path(inspect.getfile(place)), inspect.getsourcelines(place)[1]


def _label(path: Path) -> str:
    return "description" if path.suffix == ".yml" else path.name


def _described(column: Column) -> str:
    unit = f" In {column.unit}." if column.unit else ""
    return f"{column.description}{unit}"


@cache
def _maintainers() -> Mapping[str, str]:
    path = DBT_PROJECT / "models" / "groups.yml"
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return {group["name"]: group["owner"]["name"] for group in groups}
