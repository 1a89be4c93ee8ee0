"""Figures of the share beside its benchmarks, of events and of China's economy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.report.alibaba import YEARS
from orchestration.report.figure import (
    Cell,
    Figure,
    Form,
    Series,
    Source,
    Table,
    recent,
    value_cell,
)
from orchestration.report.reading import points, rows, series_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHARE = "BABA"
_BENCHMARKS = {"KWEB": "KWEB", "SPY": "S&P 500 (SPY)", "^HSI": "Hang Seng Index"}


def relative_return(release: DuckDBPyConnection) -> Figure:
    """Total return of the share over that of each benchmark, from the peak on."""
    found = points(
        release,
        """
        with peak as (
            select max_by(peak_date, session_date) as peak_date
            from marts.security_performance
            where security_key = $1
        ),

        relative as (
            unpivot (
                select
                    session_date, source_url, relative_to_kweb as "KWEB",
                    relative_to_spy as "SPY", relative_to_hsi as "^HSI"
                from marts.security_performance
                where security_key = $1 and session_date >= (select peak_date from peak)
            )
            on "KWEB", "SPY", "^HSI"
            into name series value ratio
        ),

        month_ends as (
            select
                series, session_date, source_url,
                100 * (ratio / first_value(ratio) over (partition by series order by session_date))
                    as value
            from relative
            qualify
                session_date = max(session_date) over (
                    partition by series, date_trunc('month', session_date)
                )
                or session_date = min(session_date) over (partition by series)
        )

        select
            series, session_date::varchar as period, value, 'prices of ' || $1 as source, source_url
        from month_ends
        order by all
        """,
        [_SHARE],
    )
    first = {
        key: min((p.period for p in found if p.series == key), default="") for key in _BENCHMARKS
    }
    labels = {
        key: f"over {name}, since {first[key]}" if first[key] else name
        for key, name in _BENCHMARKS.items()
    }
    return Figure(
        key="relative-return",
        title="Alibaba's share against its benchmarks since the peak",
        unit="total return of the ADS over the benchmark's, first common day = 100",
        form=Form.lines,
        series=series_of((), labels, 1),
        points=found,
        from_zero=False,
        notes=(
            "Last session of each month. Above 100 the share is ahead since that line's first "
            "day; lines that begin on other days do not compare. The Hang Seng is a price index, "
            "which flatters the share. The axis does not begin at zero.",
        ),
        missing=tuple(
            f"No prices of {name} beside the share's since the peak."
            for key, name in _BENCHMARKS.items()
            if not first[key]
        ),
    )


def drawdown(release: DuckDBPyConnection) -> Figure:
    """How far the share and its benchmarks are below their peaks."""
    found = points(
        release,
        """
        select
            security_key as series, session_date::varchar as period,
            drawdown_from_peak_percent as value, 'prices of ' || security_key as source, source_url
        from marts.security_performance
        where
            security_key in ('BABA', '9988.HK', 'KWEB', 'SPY')
            and session_date >= coalesce(
                (
                    select max_by(peak.peak_date, peak.session_date)
                    from marts.security_performance as peak
                    where peak.security_key = $1
                ),
                date '1900-01-01'
            )
        qualify
            session_date = max(session_date) over (
                partition by security_key, date_trunc('month', session_date)
            )
        order by all
        """,
        [_SHARE],
    )
    labels = {
        "BABA": "Alibaba ADS (BABA)",
        "9988.HK": "Alibaba in Hong Kong (9988.HK)",
        "KWEB": "KWEB",
        "SPY": "S&P 500 (SPY)",
    }
    return Figure(
        key="drawdown",
        title="Below the peak",
        unit="percent below the highest total return so far",
        form=Form.lines,
        series=series_of((), labels, 1),
        points=found,
        notes=(
            "Last session of each month. A peak is the highest since the history of that security "
            "begins. The Hang Seng has no total return on record.",
        ),
    )


def valuation(release: DuckDBPyConnection) -> Figure:
    """Market capitalisation over trailing revenue."""
    found = points(
        release,
        """
        select
            security_key as series, session_date::varchar as period, price_to_sales as value,
            revenue_ttm_document_id as source, revenue_ttm_source_url as source_url,
            'prices of ' || security_key as base, source_url as base_url
        from marts.valuation_daily
        where security_key = $1
        qualify
            session_date = max(session_date) over (
                partition by security_key, date_trunc('month', session_date)
            )
        order by all
        """,
        [_SHARE],
    )
    return Figure(
        key="valuation",
        title="Price to sales of Alibaba",
        unit="market capitalisation over revenue of four quarters, a ratio",
        form=Form.lines,
        series=series_of((), {_SHARE: "Alibaba ADS (BABA)"}, 1),
        points=recent(found, YEARS),
        decimals=2,
        notes=("Last session of each month, by what documents had stated by then.",),
    )


def events(release: DuckDBPyConnection) -> Figure:
    """What happened, and what the share did around it beyond its market."""
    found = rows(
        release,
        """
        select
            events.event_date::varchar as period, events.category, events.title,
            events.date_precision, events.source_quality, events.source_url,
            returns.abnormal_return_p0_to_p5_percent as abnormal,
            returns.t_statistic_p0_to_p5 as t_statistic,
            coalesce(returns.reason_p0_to_p5, returns.reason) as reason
        from core.fct_event as events
        left join marts.event_returns as returns
            on events.event_id = returns.event_id and returns.security_key = $1
        order by events.event_date desc, events.event_id
        """,
        [_SHARE],
    )
    shown = points(
        release,
        """
        select
            category as series, event_date::varchar as period, 0 as value, title as remark,
            source_quality as source, source_url
        from core.fct_event
        order by all
        """,
    )
    measured = sum(row["abnormal"] is not None for row in found)
    return Figure(
        key="events",
        title="Events by kind",
        unit="one mark an event",
        form=Form.timeline,
        series=series_of((), {p.series: p.series.replace("_", " ") for p in shown}),
        points=shown,
        notes=(
            "The table has each event with the abnormal return of the ADS over the session of the "
            "event and the five after it, where daily prices are on record.",
        ),
        missing=()
        if measured or not found
        else ("No abnormal return: daily prices around the events are not on record.",),
        table=Table(
            ("Day", "Kind", "Event", "Abnormal return, percent", "t"),
            tuple(
                (
                    Cell(row["period"] if row["date_precision"] == "day" else row["period"][:7]),
                    Cell(row["category"].replace("_", " ")),
                    Cell(row["title"], None, (Source(row["source_quality"], row["source_url"]),)),
                    Cell((row["reason"] or "").replace("_", " "))
                    if row["abnormal"] is None
                    else value_cell(row["abnormal"], 1),
                    value_cell(row["t_statistic"], 1),
                )
                for row in found
            ),
        ),
    )


def macro(release: DuckDBPyConnection) -> Figure:
    """China's economy: growth rates and indices by month or quarter."""
    listed = rows(
        release,
        """
        select series_id, name, unit, yoy_source, frequency
        from core.dim_macro_series
        where
            region = 'CN' and frequency in ('monthly', 'quarterly')
            and (yoy_source != 'none' or unit = 'index')
            -- An official growth rate is shown as that of its level.
            and series_id not in (
                select level.official_yoy_series
                from core.dim_macro_series as level
                where level.official_yoy_series is not null
            )
        order by yoy_source = 'none', series_id != 'CN_RETAIL_SALES', series_id
        """,
    )
    found = points(
        release,
        """
        select
            observed.series_id as series, strftime(observed.month, '%Y-%m') as period,
            case when series.yoy_source = 'none' then observed.value else observed.yoy_percent end
                as value,
            coalesce(observed.yoy_series_id, observed.series_id) as source, observed.source_url
        from marts.macro_monthly as observed
        inner join core.dim_macro_series as series using (series_id)
        where list_contains($1, series_id)
        order by all
        """,
        [[row["series_id"] for row in listed]],
    )
    return Figure(
        key="macro",
        title="Growth and purchasing managers",
        unit="percent over a year; of purchasing managers the index",
        form=Form.loose_panels,
        series=tuple(
            Series(
                row["series_id"],
                row["name"],
                1 if row["frequency"] == "monthly" else 3,
            )
            for row in listed
        ),
        points=recent(found, YEARS),
        from_zero=False,
        notes=(
            "Official growth rates where there are any; GDP is real and of the year to date. Each "
            "panel has a scale of its own, which does not begin at zero.",
        ),
    )
