"""What the page has beside figures: verdicts, coverage, freshness, checks and sources."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from orchestration.report.coverage import letters
from orchestration.report.figure import Cell, Source, Table, exact, number, value_cell
from orchestration.report.reading import Row, rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: In this order; the sign says the same as the colour.
VERDICTS = {
    "supported": ("✓", "Supported"),
    "mixed": ("≈", "Mixed"),
    "contradicted": ("✗", "Contradicted"),
    "not_measurable": ("?", "Not measurable"),
}
_RULES = {"at_least": "at least", "at_most": "at most", "equals": "exactly"}


@dataclass(frozen=True)
class Claim:
    """One claim of the investment case as the scorecard judges it."""

    claim_id: str
    statement: str
    period: str
    rule: str
    observed: Cell
    unit: str
    observed_period: str
    missing: str
    note: str
    evidence: tuple[str, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Verdict:
    """The claims of one verdict."""

    key: str
    sign: str
    label: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Identity:
    """Which release this is."""

    release_id: str
    created_at: datetime
    git_revision: str | None
    content_hash: str
    checks_passed: int
    checks_warned: int
    newest_quarter: date | None
    newest_report: date | None
    newest_session: date | None


def identity(release: DuckDBPyConnection) -> Identity:
    """Return which release this is and up to which days it knows anything."""
    (row,) = rows(
        release,
        """
        select
            release_id, created_at at time zone 'UTC' as created_at, git_revision, content_hash,
            checks_passed, checks_warned,
            (select max(period_end) from marts.alibaba_quarterly) as newest_quarter,
            (select max(reported_on) from core.dim_document) as newest_report,
            (select max(session_date) from core.fct_daily_price) as newest_session
        from ops.release
        """,
    )
    return Identity(**row)


def verdicts(release: DuckDBPyConnection) -> tuple[Verdict, ...]:
    """Return the claims by verdict, within a verdict by their statement."""
    titles = _titles(release)
    found = rows(release, "select * from marts.thesis_scorecard order by statement, claim_id")
    known = [*VERDICTS, *sorted({row["verdict"] for row in found} - VERDICTS.keys())]
    judged = []
    for key in known:
        sign, label = VERDICTS.get(key, ("", key))
        if claims := _claims(found, key, titles):
            judged.append(Verdict(key, sign, label, claims))
    return tuple(judged)


def _claims(found: list[Row], verdict: str, titles: dict[str, str]) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            claim_id=row["claim_id"],
            statement=row["statement"],
            period=row["period"],
            rule=f"{_RULES.get(row['rule'], row['rule'])} {_short(row['threshold'])} {row['unit']}",
            observed=_observed(row["observed_value"]),
            unit=row["unit"],
            observed_period=row["observed_period"] or "",
            missing=row["missing"] or "",
            note=row["note"] or "",
            evidence=tuple(filter(None, (row["evidence"] or "").split("|"))),
            sources=tuple(
                Source(titles.get(url, url), url)
                for url in (row["source_urls"] or "").split("|")
                if url
            ),
        )
        for row in found
        if row["verdict"] == verdict
    )


def _observed(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(_short(value), exact(value))


def _short(value: float) -> str:
    return number(value, 2).rstrip("0").rstrip(".")


def _titles(release: DuckDBPyConnection) -> dict[str, str]:
    """Titles by address, where one address is one document."""
    found = rows(
        release,
        """
        select source_url, any_value(title) as title
        from core.dim_document
        where title is not null
        group by source_url
        having count(*) = 1
        """,
    )
    return {row["source_url"]: row["title"] for row in found}


def coverage(release: DuckDBPyConnection) -> Table:
    """Return company by quarter: where the figures of the quarter come from, newest first."""
    found = rows(
        release,
        """
        select
            coverage.company_key, companies.name, coverage.source, coverage.document_kind,
            fiscal.calendar_quarter
        from ops.coverage as coverage
        inner join core.dim_company as companies using (company_key)
        inner join core.dim_fiscal_period as fiscal using (company_key, period_end)
        order by companies.peer_group != 'subject', companies.name
        """,
    )
    quarters = sorted({row["calendar_quarter"] for row in found}, reverse=True)
    by_place: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        by_place.setdefault((row["company_key"], row["calendar_quarter"]), []).append(row)
    names = {row["company_key"]: row["name"] for row in found}
    return Table(
        ("Company", *quarters),
        tuple(
            (Cell(name), *(Cell(letters(by_place.get((key, quarter), ()))) for quarter in quarters))
            for key, name in names.items()
        ),
    )


def freshness(release: DuckDBPyConnection) -> Table:
    """Return how old the newest observation of each dataset was on the day of the run."""
    return Table(
        ("Dataset", "Newest observation", "Age in days", "Limits in days", "Status"),
        tuple(
            (
                Cell(row["dataset"].replace("_", " ")),
                Cell(str(row["newest_observation"] or "")),
                value_cell(row["age_days"], 0),
                Cell(f"warn above {row['warn_after_days']}, error above {row['error_after_days']}"),
                Cell(row["status"].replace("_", " ")),
            )
            for row in rows(release, "select * from ops.freshness order by dataset")
        ),
    )


def checks(release: DuckDBPyConnection) -> Table:
    """Return how many checks of each dataset and of the models passed and warned."""
    found = rows(
        release,
        """
        select
            asset, count(*) filter (where passed) as passed,
            count(*) filter (where not passed) as warned,
            string_agg("check" || coalesce(': ' || observed, ''), '; ' order by "check")
                filter (where not passed) as warnings
        from ops.check_result
        group by asset
        order by asset
        """,
    )
    return Table(
        ("Checked", "Passed", "Warned", "Warnings"),
        tuple(
            (
                Cell(row["asset"]),
                value_cell(row["passed"], 0),
                value_cell(row["warned"], 0),
                Cell(row["warnings"] or ""),
            )
            for row in found
        ),
    )


def reconciliations(release: DuckDBPyConnection) -> Table:
    """Return how many printed tables add up to what they should, by kind of sum."""
    found = rows(
        release,
        """
        select 'segments to the company' as kind, status from ops.reconciliation
        union all
        select 'parts to their segment', status from ops.subline_reconciliation
        union all
        select 'recast tables to the total first printed', status from ops.recast_reconciliation
        order by all
        """,
    )
    counts = Counter((row["kind"], row["status"]) for row in found)
    statuses = sorted({row["status"] for row in found})
    return Table(
        ("Sum", *(status.replace("_", " ") for status in statuses)),
        tuple(
            (Cell(kind), *(value_cell(counts[kind, status], 0) for status in statuses))
            for kind in dict.fromkeys(row["kind"] for row in found)
        ),
    )


def disagreements(release: DuckDBPyConnection) -> Table:
    """Return the figures that two sources state differently."""
    found = rows(
        release,
        """
        select
            coalesce(segment_key, company_key) as subject, metric, period_end, currency,
            value_millions, other_value_millions, document_id, source_url, other_document_id,
            other_source_url, reason
        from ops.source_disagreement
        order by all
        """,
    )
    return Table(
        ("Figure", "Counts, millions", "Other, millions", "Reason"),
        tuple(
            (
                Cell(f"{row['subject']}, {row['metric'].replace('_', ' ')}, {row['period_end']}"),
                value_cell(
                    float(row["value_millions"]),
                    2,
                    (Source(row["document_id"], row["source_url"]),),
                ),
                value_cell(
                    float(row["other_value_millions"]),
                    2,
                    (Source(row["other_document_id"], row["other_source_url"]),),
                ),
                Cell(row["reason"] or ""),
            )
            for row in found
        ),
    )


def documents(release: DuckDBPyConnection) -> tuple[tuple[str, Table], ...]:
    """Return the documents of each company, newest first."""
    found = rows(
        release,
        """
        select
            companies.name, documents.document_id, documents.title, documents.period_end,
            documents.reported_on, documents.source_quality, documents.source_url
        from core.dim_document as documents
        inner join core.dim_company as companies using (company_key)
        order by
            companies.peer_group != 'subject', companies.name,
            documents.ordered_on desc, documents.document_id
        """,
    )
    return tuple(
        (
            name,
            Table(
                ("Document", "Published", "Period ends", "Kind of source"),
                tuple(
                    (
                        Cell(
                            row["title"] or row["document_id"],
                            None,
                            (Source(row["document_id"], row["source_url"]),),
                        ),
                        Cell(str(row["reported_on"] or "unknown")),
                        Cell(str(row["period_end"])),
                        Cell(row["source_quality"]),
                    )
                    for row in of_company
                ),
            ),
        )
        for name, of_company in groupby(found, key=itemgetter("name"))
    )


def publishers(release: DuckDBPyConnection) -> Table:
    """Return where what is no document comes from: prices, rates, macro series, events."""
    found = rows(
        release,
        """
        select 'Daily prices' as dataset, source_url, count(*) as figures
        from core.fct_daily_price group by source_url
        union all
        select 'Corporate actions', source_url, count(*)
        from core.fct_corporate_action group by source_url
        union all
        select 'Exchange rates', source_url, count(*) from core.fct_fx_rate group by source_url
        union all
        select 'Macro series', source_url, count(*)
        from core.fct_macro_observation group by source_url
        union all
        select 'Events', source_url, count(*) from core.fct_event group by source_url
        order by all
        """,
    )
    return Table(
        ("Address", "Of", "Figures"),
        tuple(
            (
                Cell(row["source_url"], None, (Source(row["source_url"], row["source_url"]),)),
                Cell(row["dataset"]),
                value_cell(row["figures"], 0),
            )
            for row in found
        ),
    )
