"""Figures as SVG: Vega-Lite specifications, rendered by vl-convert in this process.

No network and no browser; the first drawing loads the engine, which takes most of a second. What
an SVG has beyond what is seen (roles, hidden labels, invisible paths) is taken out, and what a mark
says becomes its ``title``, which browsers show where it is pointed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from orchestration.report.figure import Figure, Form, Point, Series, runs
from orchestration.report.palette import AXIS, GRID, GROUND, INK, PLAIN, QUIET, look

#: Widths in pixels: beside another figure, on a telephone, and of panels, of which several stand
#: side by side on either.
WIDE, NARROW = 600, 343
_PANEL, _RANKS = 190, 300
_VEGA_LITE = "6.4"
_LINES_HEIGHT, _BARS_HEIGHT, _PANEL_HEIGHT = 270, 220, 120
_ROW_HEIGHTS = {Form.ranks: 20, Form.timeline: 26}
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
#: Attributes that change nothing that is seen, and those that hold coordinates.
_UNSEEN = {
    "aria-hidden",
    "aria-label",
    "aria-roledescription",
    "class",
    "pointer-events",
    "role",
}
_PLACES = {"d", "transform", "x", "y", "x2", "y2"}
_Spec = dict[str, Any]


def draw(figure: Figure, width: int = WIDE) -> str:
    """Return the chart in one frame as an ``svg`` element, named by the alternative text."""
    return _svg(specification(figure, width), figure.alternative)


def draw_panel(figure: Figure, series: Series) -> str:
    """Return the panel of one series as an ``svg`` element, named by the alternative text."""
    return _svg(panel_specification(figure, series), figure.panel_alternative(series))


def specification(figure: Figure, width: int = WIDE) -> _Spec:
    """Return the Vega-Lite specification of a chart in one frame, its points inside."""
    bodies: dict[Form, Callable[[Figure, int], _Spec]] = {
        Form.lines: _lines,
        Form.bars: _bars,
        Form.timeline: _timeline,
    }
    return _framed(bodies[figure.form](figure, width), width)


def panel_specification(figure: Figure, series: Series) -> _Spec:
    """Return the Vega-Lite specification of the panel of one series."""
    if figure.form is Form.ranks:
        return _framed(_ranks(figure, series), _RANKS)
    return _framed(_panel(figure, series), _PANEL)


def _framed(body: _Spec, width: int) -> _Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": None,
        "padding": 4,
        "width": width,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": _config(),
    } | body


def _config() -> _Spec:
    label = {"labelColor": QUIET[0], "labelFontSize": 11, "labelFont": "sans-serif"}
    return {
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": label
        | {
            "title": None,
            "domainColor": AXIS[0],
            "tickColor": AXIS[0],
            # Zero is where the growth turns into a loss: its line is stronger.
            "gridColor": {
                "condition": {"test": "datum.value === 0", "value": AXIS[0]},
                "value": GRID[0],
            },
            "ticks": False,
            "labelPadding": 5,
        },
        "axisX": {"grid": False, "domain": False},
        "axisY": {"domain": False},
        "legend": {
            "title": None,
            "orient": "top",
            "labelColor": INK[0],
            "labelFontSize": 12,
            "symbolSize": 80,
            "symbolStrokeWidth": 0,
            "labelLimit": 300,
            "rowPadding": 3,
            "columnPadding": 14,
        },
    }


def _lines(figure: Figure, width: int) -> _Spec:
    labels = [series.label for series in figure.drawn]
    looks = [look(series.key) for series in figure.drawn]
    longest = max(map(len, labels))
    columns = max(1, min(len(labels), width // (46 + 7 * longest)))
    scale = {"domain": labels, "range": [found.light for found in looks]}
    shape = {"domain": labels, "range": [found.shape for found in looks]}
    dash = {"domain": labels, "range": [list(found.dash) for found in looks]}
    legend = {"columns": columns} if len(labels) > 1 else None
    colour = {"field": "series", "type": "nominal", "scale": scale, "legend": legend}
    return {
        "height": _LINES_HEIGHT,
        "data": {"values": _rows(figure, figure.drawn)},
        "encoding": {"x": _time(figure, width), "y": _height(figure), "color": colour},
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 2, "aria": False},
                "encoding": {
                    "detail": {"field": "run"},
                    "strokeDash": {"field": "series", "scale": dash, "legend": None},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 26},
                "encoding": {
                    "shape": {"field": "series", "scale": shape, "legend": legend},
                    "description": {"field": "says"},
                },
            },
        ],
    }


def _bars(figure: Figure, width: int) -> _Spec:
    (series,) = figure.drawn
    months = [point.on.year * 12 + point.on.month for point in figure.points]
    periods = (max(months) - min(months)) // series.step_months + 1
    return {
        "height": _BARS_HEIGHT,
        "data": {"values": _rows(figure, (series,))},
        "encoding": {
            "x": _time(figure, width)
            | {"scale": {"type": "utc", "padding": 0.5 * width / periods}},
            "y": _height(figure),
        },
        "layer": [
            {
                "mark": {
                    "type": "bar",
                    "size": round(0.6 * (width - 50) / periods, 1),
                    "color": look(series.key).light,
                },
                "encoding": {"description": {"field": "says"}},
            },
        ],
    }


def _panel(figure: Figure, series: Series) -> _Spec:
    values = [point.value for point in figure.points]
    days = [point.on.isoformat() for point in figure.points]
    x, y = _time(figure, _PANEL), _height(figure)
    x["scale"] = {"type": "utc", "domain": [min(days), max(days)]}
    if figure.form is Form.panels:
        y["scale"] = {"domain": [min(0.0, *values), max(0.0, *values)]}
    return {
        "height": _PANEL_HEIGHT,
        "data": {"values": _rows(figure, (series,))},
        "encoding": {"x": x, "y": y, "color": {"value": PLAIN.light}},
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 1.5, "aria": False},
                "encoding": {"detail": {"field": "run"}},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 9},
                "encoding": {"description": {"field": "says"}},
            },
        ],
    }


def _ranks(figure: Figure, series: Series) -> _Spec:
    values = [0.0, *(point.value for point in figure.points)]
    room = 0.25 * (max(values) - min(values))  # for the value behind the longest bar
    shown = [
        {
            "name": point.period,
            "value": point.value,
            "end": max(0.0, point.value),
            "text": figure.text(point.value),
            "says": figure.caption(point),
        }
        for point in figure.points
        if point.series == series.key
    ]
    return {
        "height": _ROW_HEIGHTS[Form.ranks] * len(shown) + 30,
        "data": {"values": shown},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "axis": {"labelLimit": 140}}
        },
        "layer": [
            {
                "mark": {"type": "bar", "color": PLAIN.light, "height": {"band": 0.7}},
                "encoding": {
                    "x": {
                        "field": "value",
                        "type": "quantitative",
                        "scale": {"domain": [min(values), max(values) + room]},
                        "axis": {"grid": True, "tickCount": 4},
                    },
                    "description": {"field": "says"},
                },
            },
            {
                "mark": {
                    "type": "text",
                    "align": "left",
                    "dx": 4,
                    "fontSize": 11,
                    "color": INK[0],
                    "aria": False,
                },
                "encoding": {
                    "x": {"field": "end", "type": "quantitative"},
                    "text": {"field": "text"},
                },
            },
        ],
    }


def _timeline(figure: Figure, width: int) -> _Spec:
    return {
        "height": _ROW_HEIGHTS[Form.timeline] * len(figure.drawn) + 30,
        "data": {"values": _rows(figure, figure.drawn)},
        "encoding": {
            "x": _time(figure, width),
            "y": {
                "field": "series",
                "type": "nominal",
                "sort": [series.label for series in figure.drawn],
                "axis": {"grid": True, "labelLimit": 120},
            },
        },
        "layer": [
            {
                "mark": {
                    "type": "point",
                    "shape": "diamond",
                    "size": 60,
                    "filled": True,
                    "opacity": 1,
                    "color": PLAIN.light,
                    "stroke": GROUND[0],
                    "strokeWidth": 1,
                },
                "encoding": {"description": {"field": "says"}},
            }
        ],
    }


def _rows(figure: Figure, drawn: tuple[Series, ...]) -> list[_Spec]:
    return [
        _row(figure, series, point, f"{series.key} {place}")
        for series in drawn
        for place, run in enumerate(runs(figure, series))
        for point in run
    ]


def _row(figure: Figure, series: Series, point: Point, run: str) -> _Spec:
    return {
        "series": series.label,
        "on": point.on.isoformat(),
        "value": point.value,
        "run": run,
        "says": figure.caption(point),
    }


def _time(figure: Figure, width: int) -> _Spec:
    years = {point.on.year for point in figure.points}
    # A label of a year needs 40 pixels.
    step = 1 + max(0, len(years) * 40 - 1) // max(width - 60, 1)
    axis = {"format": "%Y", "tickCount": {"interval": "year", "step": step}}
    return {"field": "on", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}


def _height(figure: Figure) -> _Spec:
    return {
        "field": "value",
        "type": "quantitative",
        "scale": {"zero": figure.from_zero},
        "axis": {"tickCount": 5, "format": ",~f"},
    }


def _svg(spec: _Spec, alternative: str) -> str:
    import vl_convert
    from lxml import etree

    drawn = vl_convert.vegalite_to_svg(json.dumps(spec), vl_version=_VEGA_LITE)
    root = etree.fromstring(drawn.encode())
    for element in list(root.iter()):
        says = element.get("aria-label")
        is_mark = element.get("aria-roledescription") in {"point", "bar"}
        invisible = element.get("opacity") == "0" or element.get("d") == ""
        parent = element.getparent()
        if parent is not None and (invisible or element.get("display") == "none"):
            parent.remove(element)
            continue
        for name in _UNSEEN & set(element.attrib):
            del element.attrib[name]
        if element.get("opacity") == "1":
            del element.attrib["opacity"]
        for name in _PLACES & set(element.attrib):
            element.set(name, _LONG_NUMBER.sub(_shortened, str(element.get(name))))
        if is_mark and says:
            etree.SubElement(element, "{http://www.w3.org/2000/svg}title").text = says
    del root.attrib["version"]
    root.set("role", "img")
    root.set("aria-label", alternative)
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="unicode")


def _shortened(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")
