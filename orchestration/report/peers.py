"""Figures of Alibaba beside its peers: cloud and domestic commerce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.report.alibaba import YEARS
from orchestration.report.figure import Figure, Form, Point, Series, recent
from orchestration.report.reading import points, rows, series_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHORT = {
    "alibaba": "Alibaba",
    "amazon": "Amazon",
    "alphabet": "Alphabet",
    "microsoft": "Microsoft",
    "baidu": "Baidu",
    "tencent": "Tencent",
    "pdd": "PDD",
    "jd": "JD",
    "meituan": "Meituan",
}


def cloud_growth(release: DuckDBPyConnection) -> Figure:
    """Growth of cloud revenue over a year, Alibaba and peers."""
    found = points(
        release,
        """
        select
            peers.company_key as series, peers.calendar_quarter as period,
            peers.revenue_yoy_percent as value,
            later.document_id as source, later.source_url,
            base.document_id as base, base.source_url as base_url
        from marts.cloud_peers_quarterly as peers
        left join core.dim_document as later
            on peers.revenue_yoy_document_id = later.document_id
        left join core.dim_document as base
            on peers.revenue_yoy_base_document_id = base.document_id
        order by all
        """,
    )
    series, notes = _compared(release, "cloud", found)
    return Figure(
        key="cloud-growth",
        title="Growth of cloud revenue",
        unit="percent over the same quarter a year before",
        form=Form.lines,
        series=series,
        points=recent(found, YEARS),
        notes=("In reporting currency, like with like.", *notes),
        missing=_without("growth", series, found),
    )


def cloud_margin(release: DuckDBPyConnection) -> Figure:
    """Margin of the cloud, of every company whose compared segments print a profit."""
    found = points(
        release,
        """
        select
            peers.company_key as series, peers.calendar_quarter as period,
            peers.margin_percent as value, peers.structure as chain,
            replace(peers.profit_metric, '_', ' ') as remark,
            documents.document_id as source, documents.source_url
        from marts.cloud_peers_quarterly as peers
        left join core.dim_document as documents
            on peers.profit_document_id = documents.document_id
        order by all
        """,
    )
    series, _ = _compared(release, "cloud", found)
    return Figure(
        key="cloud-margin",
        title="What the cloud earns",
        unit="profit in percent of cloud revenue",
        form=Form.lines,
        series=series,
        points=recent(found, YEARS),
        notes=(
            "Alibaba prints adjusted EBITA, which leaves out share-based pay. A line breaks where "
            "the structure changed.",
        ),
        missing=_without("profit of the compared lines", series, found),
    )


def commerce_growth(release: DuckDBPyConnection) -> Figure:
    """Growth of domestic commerce over a year, Alibaba, peers and China's retail sales."""
    found = points(
        release,
        """
        select
            peers.company_key as series, peers.calendar_quarter as period,
            peers.revenue_yoy_percent as value,
            later.document_id as source, later.source_url,
            base.document_id as base, base.source_url as base_url
        from marts.commerce_peers_quarterly as peers
        left join core.dim_document as later
            on peers.revenue_yoy_document_id = later.document_id
        left join core.dim_document as base
            on peers.revenue_yoy_base_document_id = base.document_id
        order by all
        """,
    )
    retail = points(
        release,
        """
        select
            'retail_sales' as series, strftime(month, '%Y-%m') as period, yoy_percent as value,
            'National Bureau of Statistics' as source, source_url
        from marts.macro_monthly
        where series_id = 'CN_RETAIL_SALES'
        order by all
        """,
    )
    series, notes = _compared(release, "commerce", found)
    shown_series = (*series, Series("retail_sales", "China's retail sales, by month", 1))
    shown = recent((*found, *retail), YEARS)
    return Figure(
        key="commerce-growth",
        title="Growth of domestic commerce",
        unit="percent over a year",
        form=Form.lines,
        series=shown_series,
        points=shown,
        notes=(
            "Revenue, in reporting currency, like with like; of retail sales the official rate.",
            *notes,
        ),
        missing=_without("growth", shown_series, shown),
    )


def commerce_share(release: DuckDBPyConnection) -> Figure:
    """Part of each company in the revenue of all that are compared."""
    found = points(
        release,
        """
        select
            company_key as series, calendar_quarter as period, share_of_compared_percent as value,
            document_id as source, source_url
        from marts.commerce_peers_quarterly
        where
            compared_company_count
            = (select max(compared_company_count) from marts.commerce_peers_quarterly)
        order by all
        """,
    )
    series, _ = _compared(release, "commerce", found)
    taking_part = tuple(s for s in series if any(point.series == s.key for point in found))
    return Figure(
        key="commerce-share",
        title="Parts of the compared commerce revenue",
        unit="percent of the companies' revenue in US dollars",
        form=Form.lines,
        series=taking_part,
        points=recent(found, YEARS),
        notes=(
            "Only quarters in which all of them are on record. No market share: JD books the "
            "price of its own goods, Alibaba and PDD mostly commission and advertising. The "
            "change says more than the level.",
        ),
    )


def capital_intensity(release: DuckDBPyConnection) -> Figure:
    """Capital expenditure over revenue, of every company that prints it."""
    found = points(
        release,
        """
        select
            company_key as series, calendar_quarter as period, capital_intensity_percent as value,
            document_id as source, source_url
        from marts.company_quarterly
        order by all
        """,
    )
    shown = recent(found, YEARS)
    keys = {point.series for point in shown}
    return Figure(
        key="capital-intensity",
        title="Capital expenditure beside revenue",
        unit="percent of revenue",
        form=Form.lines,
        series=series_of(shown, {key: name for key, name in _SHORT.items() if key in keys}),
        points=shown,
        notes=("Whole companies, where capital expenditure is on record by quarter.",),
    )


def _compared(
    release: DuckDBPyConnection, comparison: str, found: tuple[Point, ...]
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """The companies of a comparison, the subject first, and what of each is compared."""
    listed = rows(
        release,
        """
        select
            companies.company_key, any_value(companies.name) as name,
            string_agg(distinct segments.name, ', ' order by segments.name) as compared,
            string_agg(distinct lines.note, '; ' order by lines.note) as note
        from core.dim_comparison_segment as lines
        inner join core.dim_company as companies using (company_key)
        left join core.dim_structure as structures using (company_key, structure)
        left join core.dim_segment as segments using (segment_key)
        where lines.comparison = $1 and structures.last_reported_period is null
        group by companies.company_key
        order by any_value(companies.peer_group) != 'subject', companies.company_key
        """,
        [comparison],
    )
    labels: dict[str, str] = {
        row["company_key"]: _SHORT.get(row["company_key"]) or row["name"] for row in listed
    }
    notes = tuple(
        f"{labels[row['company_key']]}: {row['compared'] or 'the whole company'}"
        + (f" ({row['note']})." if row["note"] else ".")
        for row in listed
    )
    return series_of(found, labels), notes


def _without(what: str, series: tuple[Series, ...], found: tuple[Point, ...]) -> tuple[str, ...]:
    keys = {point.series for point in found}
    absent = [one.label for one in series if one.key not in keys]
    return (f"No {what} on record: {', '.join(absent)}.",) if absent else ()
