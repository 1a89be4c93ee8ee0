"""``python -m bench.report``: the measurements as a table in Markdown and as a plot in SVG."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

#: Steps as the reader knows them, in the order of a run.
STEPS = {
    "load": "guard and landing",
    "build": "full build",
    "release": "release",
    "load_day": "guard and landing of one session",
    "build_day": "build after one session",
    "release_day": "release after one session",
}
_MEGABYTE = 1e6

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def write(
    measured: Annotated[Path, typer.Argument(help="The file that the benchmark wrote.")] = Path(
        "data/bench/measured.jsonl"
    ),
    label: Annotated[str, typer.Option(help="Of which run; the newest figures of it count.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Where the plot goes.")] = None,
) -> None:
    """Print the table; with ``--plot`` draw time and memory over rows as well."""
    newest = {
        (figures["rows"], figures["step"], figures["engine"]): figures
        for figures in map(json.loads, measured.read_text(encoding="utf-8").splitlines())
        if figures["label"] == label and figures["step"] in STEPS
    }
    print("\n".join(_table(list(newest.values()))))
    if plot:
        plot.write_text(_drawn(list(newest.values())), encoding="utf-8")


def _table(figures: Sequence[dict[str, Any]]) -> Iterator[str]:
    found = {(f["rows"], f["step"], f["engine"]): f for f in figures}
    yield "| price rows | step | seconds | rows/s | peak memory | written | floor | ratio |"
    yield "|---:|---|---:|---:|---:|---:|---:|---:|"
    for rows in sorted({f["rows"] for f in figures}):
        for step, words in STEPS.items():
            ours, floor = found.get((rows, step, "warehouse")), found.get((rows, step, "floor"))
            if not ours:
                continue
            guard = ours["details"].get("guard_seconds")
            share = f", guard {guard:.1f} s" if guard is not None else ""
            seconds = floor["seconds"] if floor else None
            yield (
                f"| {ours['price_rows']:,} | {words}{share} | {ours['seconds']:.1f} "
                f"| {ours['price_rows'] / ours['seconds']:,.0f} "
                f"| {ours['peak_bytes'] / _MEGABYTE:,.0f} MB "
                f"| {ours['written_bytes'] / _MEGABYTE:,.0f} MB "
                + (f"| {seconds:.1f} s | {ours['seconds'] / seconds:.1f} |" if seconds else "| | |")
            )


def _drawn(figures: Sequence[dict[str, Any]]) -> str:
    import vl_convert

    points = [
        {
            "rows": f["rows"] / 1e6,
            "step": STEPS[f["step"]],
            "engine": "plain script" if f["engine"] == "floor" else f["engine"],
            "seconds": f["seconds"],
            "gigabytes": f["peak_bytes"] / 1e9,
        }
        for f in figures
    ]
    rows = {
        "field": "rows",
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": "million price rows",
        "axis": {"values": [1, 5, 20, 50]},
    }
    panel = {"width": 210, "height": 150}
    line = {"type": "line", "point": True}
    by_engine = {
        "strokeDash": {"field": "engine", "title": None},
        "color": {"field": "engine", "title": None},
    }

    def panels(field: str, title: str, scale: dict[str, Any]) -> dict[str, Any]:
        return {
            "facet": {"field": "step", "title": None, "sort": list(STEPS.values())},
            "columns": 3,
            "title": title,
            "spec": panel
            | {
                "mark": line,
                "encoding": {
                    "x": rows,
                    "y": {"field": field, "type": "quantitative", "title": field, "scale": scale},
                }
                | by_engine,
            },
        }

    drawing = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": points},
        "background": "white",
        "vconcat": [
            panels("seconds", "Wall time; a straight line of slope one is linear", {"type": "log"}),
            panels("gigabytes", "Peak memory", {"zero": True}),
        ],
    }
    return str(vl_convert.vegalite_to_svg(drawing))


if __name__ == "__main__":
    app()
