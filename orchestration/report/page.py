"""The page: sections in their order, and the template that they are set in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration.report import alibaba, market, peers, record
from orchestration.report.coverage import MEANINGS
from orchestration.report.drawing import NARROW, draw, draw_panel
from orchestration.report.figure import Figure
from orchestration.report.palette import dark_rules

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Section:
    """Figures that answer one question."""

    key: str
    title: str
    figures: tuple[Figure, ...]


def render_report(release: DuckDBPyConnection) -> str:
    """Return the page about the release that the connection has open."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestration.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["address"] = address
    # What vl-convert gives back has every text of the data escaped.
    environment.globals.update(
        wide=lambda figure: Markup(draw(figure)),
        narrow=lambda figure: Markup(draw(figure, NARROW)),
        panel=lambda figure, series: Markup(draw_panel(figure, series)),
    )
    return environment.get_template("template.html").render(
        style=Markup(_style()),
        identity=record.identity(release),
        verdicts=record.verdicts(release),
        sections=sections(release),
        coverage=record.coverage(release),
        letters=MEANINGS,
        freshness=record.freshness(release),
        checks=record.checks(release),
        reconciliations=record.reconciliations(release),
        disagreements=record.disagreements(release),
        documents=record.documents(release),
        publishers=record.publishers(release),
    )


def sections(release: DuckDBPyConnection) -> tuple[Section, ...]:
    """Return the figures by the question that they answer."""
    return (
        Section(
            "lines",
            "What Alibaba earns its revenue with",
            (alibaba.revenue_by_line(release), alibaba.restatements(release)),
        ),
        Section(
            "cloud",
            "Cloud beside its peers",
            (peers.cloud_growth(release), peers.cloud_margin(release)),
        ),
        Section(
            "commerce",
            "Domestic commerce beside PDD and JD",
            (peers.commerce_growth(release), peers.commerce_share(release)),
        ),
        Section(
            "cash",
            "Cash, capital expenditure and buybacks",
            (
                alibaba.cash_flows(release),
                peers.capital_intensity(release),
                alibaba.buybacks(release),
                alibaba.share_count(release),
            ),
        ),
        Section(
            "share",
            "The share since its peak",
            (
                market.relative_return(release),
                market.drawdown(release),
                market.valuation(release),
                market.events(release),
            ),
        ),
        Section("economy", "China's economy", (market.macro(release),)),
    )


def address(url: str | None) -> str | None:
    """Return an address that may become a link: http or https and nothing else."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None


def _style() -> str:
    from importlib.resources import files

    sheet = files("orchestration.report").joinpath("style.css").read_text(encoding="utf-8")
    return sheet.replace("/* dark charts */", dark_rules())
