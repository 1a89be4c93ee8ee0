"""docs/coverage.md is what ``ops.coverage`` of the baseline's release says."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.coverage import coverage_page


def test_the_page_is_that_of_the_baseline(release: duckdb.DuckDBPyConnection) -> None:
    page = Path("docs/coverage.md").read_text(encoding="utf-8")
    assert page == coverage_page(release), "docs/coverage.md is out of date: run `make docs`"


def test_every_figure_that_counts_is_covered(release: duckdb.DuckDBPyConnection) -> None:
    [(covered, counting)] = release.execute(
        """
        select
            (select sum(figure_count) from ops.coverage),
            (
                select count(*) from core.fct_company_result
                where is_latest and period_type in ('quarter', 'instant')
            ) + (
                select count(*) from core.fct_segment_result
                where is_latest and is_reporting_structure
                and period_type in ('quarter', 'instant')
            )
        """
    ).fetchall()
    assert covered == counting > 2500


def test_sources_gaps_and_statuses_are_seen() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """
            create schema core;
            create schema ops;
            create table core.dim_company as select 'acme' as company_key, 'Acme Ltd' as name;
            create table ops.coverage (
                company_key varchar, period_end date, fiscal_year int, fiscal_quarter int,
                breakdown varchar, metric varchar, structure varchar, source varchar,
                document_kind varchar, figure_count int, reconciliation varchar
            );
            insert into ops.coverage values
            ('acme', '2024-03-31', 2024, 4, 'consolidated', 'revenue', null, 'edgar', '20-f', 1, null),
            ('acme', '2024-03-31', 2024, 4, 'segment', 'revenue', 's', 'document', 'results', 2, 'adds_up'),
            ('acme', '2024-03-31', 2024, 4, 'segment', 'revenue', 's', 'baseline', 'results', 1, 'adds_up'),
            ('acme', '2024-03-31', 2024, 4, 'segment', 'gross_profit', 's', 'import', 'results', 3, 'incomplete'),
            ('acme', '2024-09-30', 2025, 2, 'consolidated', 'revenue', null, 'baseline', 'secondary', 1, null);
            """  # noqa: E501
        )
        page = coverage_page(connection)
    assert page.split("## ", 1)[1].splitlines() == [
        "Acme Ltd",
        "",
        "| Quarter ends | Fiscal | revenue | segment revenue | segment gross profit | Reconciled |",
        "|---|---|---|---|---|---|",
        "| 2024-03-31 | 2024 Q4 | F | CD | I | segment gross profit incomplete; "
        "segment revenue adds up |",
        "| · | 2025 Q1 | · | · | · | - |",
        "| 2024-09-30 | 2025 Q2 | c | · | · | - |",
    ]
