"""Whether sources and recasts agree: the rows of two ops models as checks of the run.

One warning for each disagreement, never an error: the figure that counts is chosen by rule, and
what it was chosen over stays visible.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.release.ops_tables import CheckRow

if TYPE_CHECKING:
    from decimal import Decimal

SOURCES_AGREE = "sources_agree"
RECASTS_KEEP_THE_TOTAL = "recasts_keep_the_total"
_DATASETS = ("segment_result", "company_result")
Row = dict[str, Any]


def agreement_checks(build: Path) -> list[CheckRow]:
    """Return the checks of a finished build; a check without a disagreement passes in one row."""
    import duckdb

    with duckdb.connect(str(build), read_only=True) as connection:
        disagreements = _rows(connection, "from ops.source_disagreement order by all")
        recasts = _rows(connection, "from ops.recast_reconciliation order by all")
    return [*_sources(disagreements), *_recasts(recasts)]


def _sources(disagreements: list[Row]) -> Iterator[CheckRow]:
    for dataset in _DATASETS:
        rows = [row for row in disagreements if row["dataset"] == dataset]
        if not rows:
            yield CheckRow(
                f"landing.{dataset}",
                SOURCES_AGREE,
                "warn",
                True,
                "no figure stands twice and differs",
            )
        for row in rows:
            yield CheckRow(
                asset=f"landing.{dataset}",
                check=SOURCES_AGREE,
                severity="warn",
                passed=False,
                observed=(f"{_said(row, '')} counts, not {_said(row, 'other_')}: {row['reason']}"),
                subject=" ".join(
                    [
                        _figure(row),
                        f"{row['document_id']} {row['source']}",
                        f"{row['other_document_id']} {row['other_source']}",
                    ]
                ),
            )


def _recasts(recasts: list[Row]) -> Iterator[CheckRow]:
    asset = "core.fct_segment_result"
    differing = [row for row in recasts if row["status"] == "differs"]
    if not differing:
        held = sum(row["status"] == "same_total" for row in recasts)
        yield CheckRow(
            asset, RECASTS_KEEP_THE_TOTAL, "warn", True, f"{held} of {len(recasts)} tables compared"
        )
    for row in differing:
        yield CheckRow(
            asset=asset,
            check=RECASTS_KEEP_THE_TOTAL,
            severity="warn",
            passed=False,
            observed=(
                f"{row['document_id']} divides {_millions(row['sum_millions'], row)} under "
                f"{row['structure']}, {row['original_document_id']} printed "
                f"{_millions(row['original_total_millions'], row)}"
            ),
            subject=f"{_figure(row)} {row['structure']} {row['document_id']}",
        )


def _said(row: Row, prefix: str) -> str:
    amount = _millions(row[f"{prefix}value_millions"], row)
    url = row[f"{prefix}source_url"]
    return f"{amount} from {row[f'{prefix}source']} ({row[f'{prefix}document_id']}" + (
        f", {url})" if url else ")"
    )


def _millions(value: Decimal, row: Row) -> str:
    return f"{value.normalize():,f} million {row['currency']}"


def _figure(row: Row) -> str:
    """Which figure it is: the segment or company, metric, period and currency."""
    whose = row.get("segment_key") or row["company_key"]
    period = f"{row['period_start']}..{row['period_end']}"
    return f"{whose} {row['metric']} {period} {row['currency']}"


def _rows(connection: Any, query: str) -> list[Row]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
