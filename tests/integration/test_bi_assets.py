"""The dashboards as files: what they read, what they are called and how they are coloured.

Needs no Superset; ``tests/e2e/test_superset.py`` opens them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bi import assets, colours
from orchestration.registry import load_registry
from orchestration.registry.entries import Company, Comparison, Segment
from orchestration.transform import dbt

# The release makes them itself, so no model and no exposure has them.
MADE_BY_THE_RELEASE = {"check_result", "load_batch", "release"}
UNITS = (
    "%", "CNY billion", "CNY million", "USD billion", "USD million", "USD", "million", "billion",
    "ratio", "index", "percentage points", "number", "claims", "days", "rows", "quarters running",
)  # fmt: skip
PERIODS = (
    "by quarter", "by calendar quarter", "by month", "by year", "by session", "at quarter end",
    "latest quarter", "latest month", "quarters running",
)  # fmt: skip
LIGHT, DARK = "#FFFFFF", "#141414"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(dbt.ensure_parsed().read_text())
    return content


@pytest.fixture(scope="module")
def datasets() -> dict[str, dict[str, Any]]:
    return {dataset["uuid"]: dataset for dataset in assets.read("datasets")}


@pytest.fixture(scope="module")
def charts() -> dict[str, dict[str, Any]]:
    return {chart["uuid"]: chart for chart in assets.read("charts")}


@pytest.fixture(scope="module")
def dashboards() -> dict[str, dict[str, Any]]:
    return {dashboard["slug"]: dashboard for dashboard in assets.read("dashboards")}


def placed(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The places of a dashboard that hold a chart."""
    for place in dashboard["position"].values():
        if isinstance(place, dict) and place["type"] == "CHART":
            yield place["meta"]


def texts(dashboard: dict[str, Any]) -> list[str]:
    """What its texts say, from top to bottom."""
    return [
        place["meta"]["code"]
        for place in dashboard["position"].values()
        if isinstance(place, dict) and place["type"] == "MARKDOWN"
    ]


def test_each_dashboard_reads_what_its_exposure_names_and_nothing_else(
    manifest: dict[str, Any],
    datasets: dict[str, dict[str, Any]],
    charts: dict[str, dict[str, Any]],
    dashboards: dict[str, dict[str, Any]],
) -> None:
    declared = {
        exposure["name"]: (
            exposure["label"],
            {parent.split(".")[2] for parent in exposure["depends_on"]["nodes"]},
        )
        for exposure in manifest["exposures"].values()
        if exposure["type"] == "dashboard"
    }
    shown = {
        slug: (
            dashboard["dashboard_title"],
            {
                datasets[charts[place["uuid"]]["dataset_uuid"]]["table_name"]
                for place in placed(dashboard)
            }
            - MADE_BY_THE_RELEASE,
        )
        for slug, dashboard in dashboards.items()
    }
    assert shown == declared


def test_datasets_name_schemas_and_columns_that_the_models_have(
    manifest: dict[str, Any], datasets: dict[str, dict[str, Any]]
) -> None:
    models = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    unknown = []
    for dataset in datasets.values():
        if dataset["table_name"] in MADE_BY_THE_RELEASE:
            continue
        model = models[dataset["table_name"]]
        assert dataset["schema"] == model["schema"]
        named = {c["column_name"] for c in dataset["columns"] if "expression" not in c}
        unknown += [(model["name"], column) for column in named - model["columns"].keys()]
    assert unknown == []


def test_each_chart_stands_in_one_place_under_its_own_name(
    datasets: dict[str, dict[str, Any]],
    charts: dict[str, dict[str, Any]],
    dashboards: dict[str, dict[str, Any]],
) -> None:
    places = [place for dashboard in dashboards.values() for place in placed(dashboard)]
    assert sorted(place["uuid"] for place in places) == sorted(charts)
    assert {p["uuid"]: p["sliceName"] for p in places} == {
        uuid: chart["slice_name"] for uuid, chart in charts.items()
    }
    used = {chart["dataset_uuid"] for chart in charts.values()}
    assert used == set(datasets)


def test_titles_say_unit_and_period(
    datasets: dict[str, dict[str, Any]], charts: dict[str, dict[str, Any]]
) -> None:
    silent = []
    for chart in charts.values():
        title = chart["slice_name"]
        figures = chart["viz_type"] != "table"
        over_time = figures and "main_dttm_col" in datasets[chart["dataset_uuid"]]
        over_time &= chart["params"].get("x_axis") in ("quarter", "month", "session_date")
        if figures and not any(re.search(rf"(^|[ ,]){re.escape(u)}($|,)", title) for u in UNITS):
            silent.append(f"unit: {title}")
        if over_time and not any(period in title for period in PERIODS):
            silent.append(f"period: {title}")
    assert silent == []


def test_the_period_chosen_on_a_page_reaches_all_that_has_one(
    datasets: dict[str, dict[str, Any]],
    charts: dict[str, dict[str, Any]],
    dashboards: dict[str, dict[str, Any]],
) -> None:
    deaf = []
    for dashboard in dashboards.values():
        if not dashboard["metadata"]["native_filter_configuration"]:
            continue
        for place in placed(dashboard):
            chart = charts[place["uuid"]]
            time = datasets[chart["dataset_uuid"]]["main_dttm_col"]
            filters = chart["params"]["adhoc_filters"]
            if not any(f["subject"] == time and f["operator"] == "TEMPORAL_RANGE" for f in filters):
                deaf.append(chart["slice_name"])
    assert deaf == []


def test_a_calculated_column_means_the_same_everywhere(
    datasets: dict[str, dict[str, Any]],
) -> None:
    meanings: dict[str, set[str]] = {}
    for dataset in datasets.values():
        for column in dataset["columns"]:
            if "expression" in column:
                meanings.setdefault(column["column_name"], set()).add(column["expression"])
    assert {name for name, found in meanings.items() if len(found) > 1} == set()


def test_pages_lead_to_each_other_and_name_their_tables(
    datasets: dict[str, dict[str, Any]],
    charts: dict[str, dict[str, Any]],
    dashboards: dict[str, dict[str, Any]],
) -> None:
    assert len({dashboard["css"] for dashboard in dashboards.values()}) == 1
    titles = {slug: dashboard["dashboard_title"] for slug, dashboard in dashboards.items()}
    for slug, dashboard in dashboards.items():
        top, *_, foot = texts(dashboard)
        links = dict(re.findall(r"\[([^]]+)\]\(/superset/dashboard/([^/]+)/\)", top))
        assert {target: title for title, target in links.items()} == {
            other: title for other, title in titles.items() if other != slug
        }
        assert f"**{titles[slug]}**" in top
        read = {datasets[charts[p["uuid"]]["dataset_uuid"]]["uuid"] for p in placed(dashboard)}
        assert set(re.findall(r"`(\w+\.\w+)`", foot)) == {
            f"{datasets[uuid]['schema']}.{datasets[uuid]['table_name']}" for uuid in read
        }


def test_the_address_of_the_release_is_relative_and_read_only() -> None:
    (database,) = assets.read("databases")
    path, _, options = database["sqlalchemy_uri"].partition("?")
    assert path == "duckdb:///data/published/current/warehouse.duckdb"
    assert set(options.split("&")) == {"access_mode=READ_ONLY", "enable_external_access=false"}


def test_one_colour_for_each_name_on_all_dashboards(
    dashboards: dict[str, dict[str, Any]], charts: dict[str, dict[str, Any]]
) -> None:
    for dashboard in dashboards.values():
        assert dashboard["metadata"]["label_colors"] == colours.LABELS
        assert dashboard["metadata"]["color_scheme"] == colours.SCHEME
    schemes = {chart["params"].get("color_scheme") for chart in charts.values()}
    assert schemes == {None, colours.SCHEME}


def test_every_company_and_business_line_has_a_colour() -> None:
    registry = load_registry()
    companies = {company.company_key for company in registry.entries(Company)}
    assert {name.lower() for name in colours.COMPANIES} == companies
    lines = {
        segment.business_line
        for segment in registry.entries(Segment)
        if segment.company_key == "alibaba" and segment.breakdown == "segment"
    }
    assert {name.lower().replace(" ", "_") for name in colours.BUSINESS_LINES} == lines


def test_colours_stand_out_from_the_page_light_and_dark() -> None:
    faint = [
        (name, page)
        for name, colour in colours.LABELS.items()
        for page in (LIGHT, DARK)
        if contrast(colour, page) < 3
    ]
    assert faint == []


@pytest.mark.parametrize("comparison", ["cloud", "commerce"])
def test_companies_on_one_chart_are_told_apart_with_any_colour_vision(comparison: str) -> None:
    keys = {
        c.company_key for c in load_registry().entries(Comparison) if c.comparison == comparison
    }
    names = [name for name in colours.COMPANIES if name.lower() in keys]
    assert len(names) == len(keys)
    alike = [
        (one, other, vision)
        for one, other in itertools.combinations(names, 2)
        for vision in VISIONS
        if difference(colours.COMPANIES[one], colours.COMPANIES[other], vision) < 20
    ]
    assert alike == []


# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
VISIONS = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "without green": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "without blue": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip

Three = tuple[float, float, float]


def linear(colour: str) -> Three:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """As WCAG defines it, from 1 to 21."""

    def luminance(colour: str) -> float:
        red, green, blue = linear(colour)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def difference(one: str, other: str, vision: str) -> float:
    """Distance in CIELAB, D65, as somebody of that vision sees it. About 2 can just be seen."""

    def lab(colour: str) -> Three:
        seen = [
            sum(weight * part for weight, part in zip(row, linear(colour), strict=True))
            for row in VISIONS[vision]
        ]
        red, green, blue = (max(part, 0) for part in seen)
        x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
        y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
        fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
        return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)

    return sum((a - b) ** 2 for a, b in zip(lab(one), lab(other), strict=True)) ** 0.5
