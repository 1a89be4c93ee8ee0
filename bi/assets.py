"""The dashboards in ``bi/superset``, in and out of Superset.

    python -m bi.assets      # write what was changed in the browser back to bi/superset

The files are Superset's own export, so that any Superset can import them, less what differs from
machine to machine and what Superset assumes anyway. Columns are those that a chart names; the
others, and what each column means, Superset gets from the release.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bi.home import ASSETS

# Written by Superset into each chart from what stands beside it.
_CHART_PARAMS = {"datasource", "slice_id", "viz_type", "dashboards", "dashboardId"}
_KEPT = {
    "databases": (
        "database_name", "sqlalchemy_uri", "expose_in_sqllab", "extra", "uuid", "version",
    ),
    "datasets": (
        "table_name", "description", "main_dttm_col", "schema", "uuid", "columns", "metrics",
        "version", "database_uuid",
    ),
    "charts": (
        "slice_name", "description", "viz_type", "params", "uuid", "version", "dataset_uuid",
    ),
    "dashboards": (
        "dashboard_title", "description", "css", "slug", "uuid", "position", "metadata", "version",
        "published",
    ),
}  # fmt: skip
_COLUMN = ("column_name", "verbose_name", "is_dttm", "type", "expression")
_METRIC = ("metric_name", "verbose_name", "expression", "description", "d3format")
# Superset offers it for every table.
_OFFERED = {"count"}
_METADATA = (
    "color_scheme", "label_colors", "cross_filters_enabled", "filter_bar_orientation",
    "native_filter_configuration",
)  # fmt: skip

Asset = dict[str, Any]


def bundle() -> dict[str, str]:
    """Return the files by their path in the bundle, as Superset's importer takes them."""
    return {
        path.relative_to(ASSETS).as_posix(): path.read_text()
        for path in sorted(ASSETS.rglob("*.yaml"))
    }


def read(kind: str) -> list[Asset]:
    """Return the assets of one kind: databases, datasets, charts or dashboards."""
    return [yaml.safe_load(path.read_text()) for path in sorted((ASSETS / kind).rglob("*.yaml"))]


def plain(exported: Mapping[str, str]) -> dict[str, str]:
    """Return Superset's export as the project keeps it: path in ``bi/superset`` to content."""
    found: dict[str, list[Asset]] = {kind: [] for kind in _KEPT}
    for path, content in exported.items():
        kind = path.split("/")[0]
        if kind in found:
            asset = yaml.safe_load(content)
            found[kind].append({key: asset[key] for key in _KEPT[kind] if _is_said(asset.get(key))})
    pages = {
        component["meta"]["uuid"]: page["slug"]
        for page in found["dashboards"]
        for component in _charts_on(page)
    }
    files: dict[str, Asset] = {}
    for database in found["databases"]:
        files[f"databases/{_slug(database['database_name'])}"] = database
    for dataset in found["datasets"]:
        charts = [c for c in found["charts"] if c["dataset_uuid"] == dataset["uuid"]]
        files[f"datasets/Warehouse/{dataset['table_name']}"] = _dataset(dataset, charts)
    for chart in found["charts"]:
        path = f"charts/{pages[chart['uuid']]}/{_slug(chart['slice_name'])}"
        files[path] = _chart(chart)
    for dashboard in found["dashboards"]:
        files[f"dashboards/{dashboard['slug']}"] = _dashboard(dashboard)
    return {f"{path}.yaml": _written(asset) for path, asset in files.items()}


def write(files: Mapping[str, str], folder: Path = ASSETS) -> None:
    """Make the folder hold these files and, beside its metadata.yaml, no others."""
    for old in folder.glob("*/**/*.yaml"):
        if old.relative_to(folder).as_posix() not in files:
            old.unlink()
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)


def _is_said(value: object) -> bool:
    return value not in (None, "", {}, [])


def _words(value: object) -> set[str]:
    """Return every word of the texts in a value, keys left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(_words, value))
    return set(re.findall(r"\w+", value)) if isinstance(value, str) else set()


def _dataset(dataset: Asset, charts: Iterable[Asset]) -> Asset:
    named = _words([chart["params"] for chart in charts]) | {dataset.get("main_dttm_col")}
    named |= _words([column.get("expression") for column in dataset["columns"]])
    columns = [c for c in dataset["columns"] if c.get("expression") or c["column_name"] in named]
    columns.sort(key=lambda column: (bool(column.get("expression")), column["column_name"]))
    metrics = [m for m in dataset.get("metrics", []) if m["metric_name"] not in _OFFERED]
    metrics.sort(key=lambda metric: metric["metric_name"])
    return dataset | {
        "columns": [{key: c[key] for key in _COLUMN if c.get(key)} for c in columns],
        "metrics": [{key: m[key] for key in _METRIC if m.get(key)} for m in metrics],
    }


def _chart(chart: Asset) -> Asset:
    params = chart["params"].items()
    return chart | {"params": {k: v for k, v in params if k not in _CHART_PARAMS and _is_said(v)}}


def _charts_on(dashboard: Asset) -> list[Asset]:
    components = dashboard["position"].values()
    return [c for c in components if isinstance(c, dict) and c["type"] == "CHART"]


def _dashboard(dashboard: Asset) -> Asset:
    # The number of a chart is that of one Superset. It joins a chart's place to its uuid.
    for number, component in enumerate(_charts_on(dashboard), start=1):
        component["meta"]["chartId"] = number
    metadata = dashboard["metadata"]
    filters = [
        {k: v for k, v in one.items() if k not in ("chartsInScope", "tabsInScope")}
        for one in metadata["native_filter_configuration"]
    ]
    kept = {k: metadata[k] for k in _METADATA if k in metadata}
    return dashboard | {"metadata": kept | {"native_filter_configuration": filters}}


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("%", "percent")).strip("_")


class _Dumper(yaml.SafeDumper):
    """Long texts as they are read, nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def _written(asset: Asset) -> str:
    return yaml.dump(asset, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def main() -> None:
    """Write the dashboards of this warehouse's Superset to ``bi/superset``."""
    from bi.app import create
    from bi.prepare import export

    with create().app_context():
        write(plain(export()))


if __name__ == "__main__":
    main()
