"""Figures of Alibaba itself: business lines, restatements, cash, buybacks, count of shares."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestration.report.figure import (
    Cell,
    Figure,
    Form,
    Source,
    Table,
    recent,
    value_cell,
)
from orchestration.report.reading import Row, points, rows, series_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: How far back a chart by quarter goes; the marts hold all.
YEARS = 5
_LINES = {
    "cloud": "Cloud",
    "ai_applications": "AI applications",
    "commerce": "Commerce, undivided",
    "domestic_commerce": "Domestic commerce",
    "international_commerce": "International commerce",
    "local_services": "Local services",
    "logistics": "Logistics",
    "media": "Media",
    "other": "All others",
    "unallocated": "Unallocated",
    "elimination": "Elimination",
}


def revenue_by_line(release: DuckDBPyConnection) -> Figure:
    """Revenue of each business line by quarter, as first reported."""
    found = points(
        release,
        """
        select
            business_line as series, calendar_quarter as period, revenue_millions / 1000 as value,
            structure as chain, document_id as source, source_url,
            case when from_sublines then 'added up from parts of a segment' end as remark
        from marts.business_line_quarterly
        where company_key = 'alibaba'
        order by all
        """,
    )
    return Figure(
        key="revenue-by-line",
        title="Alibaba's revenue by business line",
        unit="CNY billion a quarter",
        form=Form.panels,
        series=series_of(found, _LINES),
        points=found,
        notes=(
            "Each quarter under the structure that it was first reported in; a line breaks where "
            "the structure changed or a quarter is missing.",
            "Where a structure has no segment for a line, it is added up from parts of one: that "
            "revenue is in the larger segment too.",
        ),
    )


def restatements(release: DuckDBPyConnection) -> Figure:
    """What the newest recast under each structure moved, and every figure printed anew."""
    moved = points(
        release,
        """
        with recast as (
            select *
            from marts.restatement_bridge
            where
                company_key = 'alibaba' and metric = 'revenue' and is_latest
                and not is_reporting_structure and counterpart_matched_by is not null
        ),

        newest as (
            select structure, max(period_end) as period_end from recast group by structure
        )

        select
            recast.structure as series, recast.business_line as period,
            max(recast.difference_from_counterpart_millions) / 1000 as value,
            max(recast.document_id) as source,
            max_by(recast.source_url, recast.document_id) as source_url,
            max(first_print.document_id) as base,
            max_by(first_print.source_url, first_print.document_id) as base_url,
            strftime(recast.period_end, 'revenue of the quarter to %Y-%m-%d') as remark
        from recast
        inner join newest
            on recast.structure = newest.structure and recast.period_end = newest.period_end
        left join core.fct_segment_result as first_print
            on
                first_print.is_original and first_print.metric = recast.metric
                and first_print.period_end = recast.period_end
                and first_print.period_start = recast.period_start
                and list_contains(
                    string_split(recast.counterpart_segment_keys, ','), first_print.segment_key
                )
        where recast.difference_from_counterpart_millions != 0
        group by recast.structure, recast.business_line, recast.period_end
        order by series, value desc, period
        """,
    )
    moved = tuple(replace(point, period=_LINES.get(point.period, point.period)) for point in moved)
    structures = _structures(release)
    printed_anew = _printed_anew(release)
    return Figure(
        key="restatements",
        title="What each change of segments moved between lines",
        unit="CNY billion of revenue, recast less first print",
        form=Form.ranks,
        series=series_of(
            moved, {key: f"{row['since']}: {row['name']}" for key, row in structures.items()}
        ),
        points=moved,
        notes=(
            "The newest quarter that was recast under each structure; the date is the end of the "
            "first quarter reported under it. What moved into one line moved out of others.",
            f"{len(printed_anew)} figures were restated within the structure of their first print: "
            "the table lists them after the changes above.",
        ),
        table=Table(
            ("Figure", "Structure since", "Change, CNY billion"),
            (
                *(
                    (
                        Cell(f"{point.period}: {point.remark}"),
                        Cell(str(structures[point.series]["since"])),
                        value_cell(point.value, 3, point.sources),
                    )
                    for point in moved
                ),
                *printed_anew,
            ),
        ),
    )


def _structures(release: DuckDBPyConnection) -> dict[str, Row]:
    found = rows(
        release,
        """
        select structure, name, first_reported_period as since
        from core.dim_structure
        where company_key = 'alibaba'
        order by first_reported_period
        """,
    )
    return {row["structure"]: row for row in found}


def _printed_anew(release: DuckDBPyConnection) -> tuple[tuple[Cell, ...], ...]:
    found = rows(
        release,
        """
        select
            segments.name, replace(bridge.metric, '_', ' ') as metric, bridge.period_end,
            structures.first_reported_period as since,
            bridge.difference_from_first_millions / 1000 as change,
            bridge.document_id, bridge.source_url,
            first_print.document_id as first_document_id, first_print.source_url as first_url
        from marts.restatement_bridge as bridge
        inner join core.dim_segment as segments using (segment_key)
        inner join core.dim_structure as structures
            on
                bridge.company_key = structures.company_key
                and bridge.structure = structures.structure
        inner join core.dim_document as first_print
            on bridge.first_document_id = first_print.document_id
        where
            bridge.company_key = 'alibaba' and bridge.is_latest and bridge.basis = 'recast'
            and bridge.difference_from_first_millions != 0
        order by bridge.period_end desc, segments.name, bridge.metric
        """,
    )
    return tuple(
        (
            Cell(f"{row['name']}: {row['metric']} of the quarter to {row['period_end']}"),
            Cell(str(row["since"])),
            value_cell(
                float(row["change"]),
                3,
                (
                    Source(row["document_id"], row["source_url"]),
                    Source(row["first_document_id"], row["first_url"]),
                ),
            ),
        )
        for row in found
    )


def cash_flows(release: DuckDBPyConnection) -> Figure:
    """Operating cash flow, capital expenditure and free cash flow by quarter."""
    labels = {
        "operating_cash_flow": "Operating cash flow",
        "capital_expenditure": "Capital expenditure",
        "free_cash_flow": "Free cash flow",
    }
    found = points(
        release,
        """
        unpivot (
            select
                calendar_quarter as period, document_id as source, source_url,
                operating_cash_flow_millions / 1000 as operating_cash_flow,
                capital_expenditure_millions / 1000 as capital_expenditure,
                free_cash_flow_millions / 1000 as free_cash_flow
            from marts.alibaba_quarterly
        )
        on operating_cash_flow, capital_expenditure, free_cash_flow
        into name series value value
        order by all
        """,
    )
    return Figure(
        key="cash-flows",
        title="Alibaba's cash flow and capital expenditure",
        unit="CNY billion a quarter",
        form=Form.lines,
        series=series_of((), labels),
        points=recent(found, YEARS),
        notes=(
            "Capital expenditure and free cash flow as each release defines them: the one is not "
            "always operating cash flow less the other.",
        ),
    )


def buybacks(release: DuckDBPyConnection) -> Figure:
    """Shares bought back by quarter, as stated."""
    found = points(
        release,
        """
        select
            'alibaba' as series, calendar_quarter as period,
            share_repurchase_usd_millions / 1000 as value, document_id as source, source_url
        from marts.alibaba_quarterly
        order by all
        """,
    )
    return Figure(
        key="buybacks",
        title="Alibaba's share repurchases",
        unit="USD billion a quarter",
        form=Form.bars,
        series=series_of((), {"alibaba": "Share repurchases"}),
        points=recent(found, YEARS),
        decimals=2,
        notes=("A quarter without a bar is one whose release states no amount on record.",),
    )


def share_count(release: DuckDBPyConnection) -> Figure:
    """Ordinary shares outstanding, as stated."""
    found = points(
        release,
        """
        select
            company_key as series, as_of::varchar as period, value / 1000 as value,
            qualifier as remark, document_id as source, source_url
        from core.fct_kpi
        where company_key = 'alibaba' and kpi = 'ordinary_shares_outstanding' and is_latest
        order by all
        """,
    )
    return Figure(
        key="share-count",
        title="Alibaba's ordinary shares outstanding",
        unit="billion shares",
        form=Form.lines,
        series=series_of((), {"alibaba": "Ordinary shares outstanding"}),
        points=found,
        decimals=3,
        from_zero=False,
        notes=("Eight make one ADS. The axis does not begin at zero.",),
    )
