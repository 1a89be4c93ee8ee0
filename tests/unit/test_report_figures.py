"""Figures of the report without a release: points, gaps, tables, colours, specifications, SVG."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest
from lxml import etree

from orchestration.registry import load_registry
from orchestration.registry.entries import Company
from orchestration.report import drawing, palette
from orchestration.report.figure import (
    Figure,
    Form,
    Point,
    Series,
    Source,
    exact,
    number,
    recent,
    runs,
)
from orchestration.report.page import address

SVG = "{http://www.w3.org/2000/svg}"
STYLE = Path("orchestration/report/style.css").read_text(encoding="utf-8")
SOURCE = Source("a.results.2025-03-31", "https://example.org/a")
ALIBABA, PDD = Series("alibaba", "Alibaba"), Series("pdd", "PDD")


def figure(*points: Point, form: Form = Form.lines, **others: object) -> Figure:
    made = Figure(
        key="made",
        title="Growth",
        unit="percent",
        form=form,
        series=(ALIBABA, PDD),
        points=points,
    )
    return replace(made, **others)  # type: ignore[arg-type]


def growth(series: str, period: str, value: float, **others: str) -> Point:
    return Point(series, period, value, (SOURCE,), **others)


def test_numbers_are_rounded_for_reading_and_kept_exact_beside_it() -> None:
    assert number(1234567.891, 1) == "1,234,567.9"
    assert number(-0.04, 1) == "0.0"
    assert number(-0.05, 1) == "-0.1"
    assert number(12.0, 0) == "12"
    assert exact(44.94284517325992) == "44.94284517325992"
    assert exact(48437.0) == "48437"


def test_a_period_says_where_its_point_stands() -> None:
    assert growth("alibaba", "2025-Q3", 1).on == date(2025, 7, 1)
    assert growth("alibaba", "2025-09", 1).on == date(2025, 9, 1)
    assert growth("alibaba", "2025-09-29", 1).on == date(2025, 9, 29)
    with pytest.raises(ValueError, match="2025-Q5"):
        _ = growth("alibaba", "2025-Q5", 1).on


def test_a_line_crosses_neither_a_gap_nor_a_change_of_structure() -> None:
    made = figure(
        growth("alibaba", "2024-Q1", 1, chain="old"),
        growth("alibaba", "2024-Q2", 2, chain="old"),
        growth("alibaba", "2024-Q4", 3, chain="old"),
        growth("alibaba", "2025-Q1", 4, chain="new"),
        growth("pdd", "2024-Q3", 9),
    )
    assert [[p.value for p in run] for run in runs(made, ALIBABA)] == [[1, 2], [3], [4]]
    monthly = Series("alibaba", "Alibaba", 1)
    assert [len(run) for run in runs(made, monthly)] == [1, 1, 1, 1]
    rows = drawing.specification(made)["data"]["values"]
    assert len({row["run"] for row in rows}) == 4


def test_the_newest_years_are_counted_from_the_newest_point() -> None:
    points = [growth("alibaba", f"{year}-Q{q}", 1) for year in (2023, 2024, 2025) for q in (1, 4)]
    assert [point.period for point in recent(points, 1)] == ["2025-Q1", "2025-Q4"]
    assert recent((), 5) == ()


def test_the_table_has_every_point_newest_first_and_leaves_gaps_empty() -> None:
    made = figure(
        growth("alibaba", "2024-Q4", 7.04),
        growth("alibaba", "2025-Q1", 8.06),
        growth("pdd", "2025-Q1", 10.21),
    )
    table = made.values
    assert table.head == ("Period", "Alibaba", "PDD")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["2025-Q1", "8.1", "10.2"],
        ["2024-Q4", "7.0", ""],
    ]
    assert table.rows[0][1].value == "8.06"
    assert table.rows[0][1].sources == (SOURCE,)
    assert table.numeric == (False, True, True)


def test_those_who_do_not_see_a_chart_are_told_its_span_and_newest_values() -> None:
    made = figure(growth("alibaba", "2024-Q4", 7.04), growth("alibaba", "2025-Q1", 8.06))
    assert made.alternative == (
        "Line chart: Growth, percent, 2024-Q4 to 2025-Q1. Alibaba 8.1 in 2025-Q1."
    )
    panelled = replace(made, form=Form.panels)
    assert panelled.panel_alternative(ALIBABA) == "Alibaba: 8.1 in 2025-Q1"


POINTS = {
    Form.lines: (
        growth("alibaba", "2024-Q4", -7.04),
        growth("alibaba", "2025-Q1", 8.06),
        growth("pdd", "2025-Q1", 10.21),
    ),
    Form.bars: (growth("alibaba", "2024-Q4", 7.04), growth("alibaba", "2025-Q1", 8.06)),
    Form.timeline: (growth("alibaba", "2024-11-01", 0, remark="an event & <its> mark"),),
    Form.panels: (growth("alibaba", "2024-Q4", 7.04), growth("pdd", "2025-Q1", -1)),
    Form.loose_panels: (growth("alibaba", "2024-Q4", 7.04), growth("pdd", "2025-Q1", -1)),
    Form.ranks: (growth("alibaba", "Cloud", 6.2), growth("pdd", "Media", -3.3)),
}


def drawn(made: Figure) -> list[etree._Element]:
    svgs = (
        [drawing.draw_panel(made, series) for series in made.drawn]
        if made.is_panelled
        else [drawing.draw(made)]
    )
    return [etree.fromstring(svg) for svg in svgs]


@pytest.mark.parametrize("form", list(Form))
def test_every_form_draws_a_mark_for_each_point_that_says_its_value(form: Form) -> None:
    made = figure(*POINTS[form], form=form)
    svgs = drawn(made)
    said = [title.text for svg in svgs for title in svg.iter(f"{SVG}title")]
    assert sorted(map(str, said)) == sorted(made.caption(point) for point in made.points)
    for svg in svgs:
        assert svg.get("role") == "img"
        assert svg.get("aria-label")
        assert {name for e in svg.iter() for name in e.attrib} & {"class", "aria-hidden"} == set()


@pytest.mark.parametrize("form", list(Form))
def test_every_colour_of_a_chart_has_one_for_the_dark(form: Form) -> None:
    made = figure(*POINTS[form], form=form)
    used = {
        str(element.get(name))
        for svg in drawn(made)
        for element in svg.iter()
        for name in ("fill", "stroke")
        if element.get(name)
    }
    assert {colour for colour in used if colour != "none"} <= dict(palette.pairs()).keys()
    assert json.dumps(palette.dark_rules()).count("fill") == len(dict(palette.pairs())) * 2


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_wcag_has_it() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_marks_and_text_of_charts_stand_out(scheme: int) -> None:
    ground = palette.GROUND[scheme]
    for look in (palette.PLAIN, *palette.LOOKS.values()):
        assert contrast((look.light, look.dark)[scheme], ground) >= 3, look
    for text in (palette.INK, palette.QUIET):
        assert contrast(text[scheme], ground) >= 4.5
    assert contrast(palette.AXIS[scheme], ground) >= 3


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_of_the_page_stands_out(scheme: int) -> None:
    blocks = re.findall(r":root \{([^}]*--ground[^}]*)\}", STYLE)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", blocks[scheme]))
    texts = colours.keys() - {"ground", "raised", "line"}
    assert {"ink", "quiet", "link", "supported", "mixed", "contradicted"} <= texts
    for text in texts:
        for ground in ("ground", "raised"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    # Charts are drawn before the style sheet is read, so they have these of their own.
    assert colours["ground"] == palette.GROUND[scheme]
    assert colours["ink"] == palette.INK[scheme]
    assert colours["quiet"] == palette.QUIET[scheme]


def test_every_company_has_a_look_and_companies_compared_differ_without_colour() -> None:
    registry = load_registry()
    companies = registry.entries(Company)
    assert {company.company_key for company in companies} <= palette.LOOKS.keys()
    groups: dict[str, list[str]] = {}
    for company in companies:
        groups.setdefault(company.peer_group, []).append(company.company_key)
    for group in ("cloud", "commerce"):
        for one, other in combinations(["alibaba", *groups[group]], 2):
            first, second = palette.look(one), palette.look(other)
            assert first.shape != second.shape, (one, other)
            assert first.dash != second.dash, (one, other)
            assert first.light != second.light, (one, other)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.org/x",
        "https:",
        "http://[bad",
        "a.results.2025-03-31",
        "",
        None,
    ],
)
def test_only_addresses_of_the_web_become_links(url: str | None) -> None:
    assert address(url) is None


@pytest.mark.parametrize("url", ["https://example.org/a?b=1", "http://example.org/"])
def test_addresses_of_the_web_do(url: str) -> None:
    assert address(url) == url
