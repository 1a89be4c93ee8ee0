"""How the notebooks' charts and tables look, and how they say what they were drawn from.

What a figure shows is decided in its notebook. Charts are drawn as SVG by this machine alone: no
script is fetched for them, and they look the same in JupyterLab, an editor and exported HTML.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

import altair as alt
import pandas as pd
from pandas.io.formats.style import Styler

#: Colours that people with any colour vision can tell apart (Okabe and Ito, 2008).
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]


@alt.theme.register("warehouse", enable=True)
def _theme() -> alt.theme.ThemeConfig:
    return {
        "config": {
            "view": {"continuousWidth": 860, "continuousHeight": 300, "stroke": None},
            "range": {"category": COLOURS},
            "mark": {"color": COLOURS[0]},
            "title": {
                "anchor": "start",
                "fontSize": 15,
                "subtitleFontSize": 12,
                "subtitleColor": "#555555",
                "offset": 14,
            },
            "axis": {
                "labelFontSize": 12,
                "titleFontSize": 12,
                "gridColor": "#e4e4e4",
                "labelLimit": 520,
            },
            "axisTemporal": {"format": "%Y", "tickCount": "year"},
            "header": {"labelFontSize": 12, "labelFontWeight": "bold", "title": None},
            "legend": {
                "labelFontSize": 12,
                "labelLimit": 760,
                "orient": "bottom",
                "title": None,
                "symbolStrokeWidth": 3,
            },
        }
    }


alt.renderers.enable("svg")


def titled(text: str, table: str, rows: pd.DataFrame, day: str = "period_end") -> alt.Title:
    """Return a title: ``text`` (with the unit), the period of ``rows``, and where they come from.

    ``rows`` are those that the chart draws; ``day`` is the column of their dates.
    """
    first, last = (pd.Timestamp(edge) for edge in (rows[day].min(), rows[day].max()))
    source = f"Source: {table}"
    if "source_url" in rows:
        count = rows["source_url"].nunique()
        source += f" (source_url of the rows drawn: {count} different)"
    return alt.Title(f"{text}, {first:%B %Y} to {last:%B %Y}", subtitle=source)


def with_gaps(rows: pd.DataFrame, day: str, by: list[str]) -> pd.DataFrame:
    """Return ``rows`` with an empty row for each missing ``day`` of each line.

    A line is told from another by the columns ``by``; without these rows it would be drawn straight
    through what is not known.
    """
    lines = rows[by].drop_duplicates()
    days = rows[[day]].drop_duplicates()
    return lines.merge(days, how="cross").merge(rows, how="left", on=[*by, day])


def table(rows: pd.DataFrame, formats: Mapping[str, str] | None = None) -> Styler:
    """Return ``rows`` as a table without index: figures to the right, addresses to follow."""
    numbers = {name: "{:,.1f}" for name in rows.columns if rows[name].dtype.kind == "f"}
    dates = {name: "{:%Y-%m-%d}" for name in rows.columns if rows[name].dtype.kind == "M"}
    links = {name: _link for name in rows.columns if str(name).endswith("source_url")}
    texts = [name for name in rows.columns if rows[name].dtype.kind not in "iufM"]
    return (
        rows.style.hide(axis="index")
        .format({**numbers, **dates, **links, **(formats or {})}, na_rep="")
        .set_properties(subset=texts, **{"text-align": "left"})
        .set_table_attributes('style="font-size: 12px"')
        .set_table_styles(
            {name: [{"selector": "th", "props": "text-align: left"}] for name in texts},
            overwrite=False,
        )
    )


def _link(address: object) -> str:
    """An address by the host that serves it."""
    if not isinstance(address, str):
        return ""
    host = address.split("/")[2].removeprefix("www.") if "://" in address else address
    return f'<a href="{html.escape(address)}">{html.escape(host)}</a>'
