"""Colours, shapes and dashes, in light and in dark.

A chart is drawn once, in the light colours; the style sheet overrides them where the reader's
system is dark. Every company has its own colour on all charts, and a shape and a dash beside it,
so that nobody needs the colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How a series looks: colour in light and dark, shape of its marks, dash of its line."""

    light: str
    dark: str
    shape: str = "circle"
    dash: tuple[int, ...] = (1, 0)


#: What stands behind everything.
GROUND = ("#ffffff", "#14171c")
#: Text, quiet text, lines of the grid, and lines that carry meaning (axes, zero).
INK = ("#1b1f24", "#e8ebef")
QUIET = ("#555d68", "#a6b0bc")
GRID = ("#e3e6ea", "#2b313a")
AXIS = ("#7d8590", "#7b8592")
#: Series that stand for nobody in particular.
PLAIN = Look("#2458a6", "#7fb2ff")

#: By company, security or series, as the release names them.
LOOKS = {
    "alibaba": Look("#c2410c", "#ff9154"),
    "amazon": Look("#1d6fb8", "#6cb6ff", "square", (6, 3)),
    "alphabet": Look("#1a7f4b", "#4cc38a", "triangle-up", (2, 2)),
    "microsoft": Look("#7b3fa0", "#cf9bf0", "diamond", (8, 3, 2, 3)),
    "baidu": Look("#8a6a00", "#e2c04a", "cross", (4, 2)),
    "tencent": Look("#4f5a68", "#b3bdc9", "triangle-down", (1, 3)),
    "pdd": Look("#a3123f", "#ff7eb0", "square", (6, 3)),
    "jd": Look("#00707a", "#4fd1d9", "triangle-up", (2, 2)),
    "meituan": Look("#4d4d9f", "#a9b1ff", "diamond", (8, 3, 2, 3)),
    "nvidia": Look("#3d7a00", "#93d150", "cross", (4, 2)),
    "BABA": Look("#c2410c", "#ff9154"),
    "9988.HK": Look("#9a5b2e", "#e0a679", "triangle-down", (3, 2)),
    "KWEB": Look("#1d6fb8", "#6cb6ff", "square", (6, 3)),
    "SPY": Look("#1a7f4b", "#4cc38a", "triangle-up", (2, 2)),
    "^HSI": Look("#7b3fa0", "#cf9bf0", "diamond", (8, 3, 2, 3)),
    "operating_cash_flow": Look("#1d6fb8", "#6cb6ff", "square", (6, 3)),
    "capital_expenditure": Look("#c2410c", "#ff9154"),
    "free_cash_flow": Look("#1a7f4b", "#4cc38a", "triangle-up", (2, 2)),
    "retail_sales": Look("#4f5a68", "#b3bdc9", "cross", (1, 3)),
}


def look(key: str) -> Look:
    """Return how a series looks; one that nobody has chosen a look for is plain."""
    return LOOKS.get(key, PLAIN)


def pairs() -> Iterator[tuple[str, str]]:
    """Yield every colour that a chart is drawn in, with the one that replaces it in the dark."""
    seen = set()
    for light, dark in (
        *((found.light, found.dark) for found in (PLAIN, *LOOKS.values())),
        GROUND,
        INK,
        QUIET,
        GRID,
        AXIS,
    ):
        if light not in seen:
            seen.add(light)
            yield light, dark


def dark_rules() -> str:
    """Return the rules of the style sheet that turn a chart dark."""
    return "\n".join(
        f'svg [{attribute}="{light}"] {{ {attribute}: {dark}; }}'
        for light, dark in pairs()
        for attribute in ("fill", "stroke")
    )
