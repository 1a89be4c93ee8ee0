"""Sources that disagree: which figure counts, and that the other one stays visible."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from orchestration.build import build_models, publish_build
from orchestration.contracts import DOCUMENT_KINDS, SOURCE_RANK, SOURCES, contract_for
from orchestration.extract import baseline
from orchestration.home import Home
from orchestration.landing import Landing
from orchestration.loading import Loader
from orchestration.reader import connect
from orchestration.release import current_release
from tests.conftest import warehouse

DOCUMENT = contract_for("document")
SEGMENT_RESULT = contract_for("segment_result")
COMPANY_RESULT = contract_for("company_result")
Row = dict[str, Any]

#: A curated release, read once more from its PDF: cloud revenue is 3 higher, media 3 lower.
RELEASE = "alibaba.results.2018-09-30"
CLOUD = "alibaba.core_commerce.cloud_computing"
MEDIA = "alibaba.core_commerce.digital_media_and_entertainment"
PRESS_RELEASE = "microsoft.results.2024-09-30"
INTELLIGENT_CLOUD = "microsoft.segments_fy2025.intelligent_cloud"
PERSONAL_COMPUTING = "microsoft.segments_fy2025.more_personal_computing"
RECAST = "alibaba.6-k.2019-12-31"
READ_AT = "https://data.alibabagroup.com/read/september-quarter-2018.pdf"


def facts(contract: Any, **where: object) -> pd.DataFrame:
    frame = baseline.read(contract.dataset, contract.batch_schema)
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame.assign(source="document", source_url=READ_AT).reset_index(drop=True)


def moved(frame: pd.DataFrame, changes: dict[str, int]) -> pd.DataFrame:
    """The rows with some segments' values changed."""
    change = frame["segment_key"].map(lambda key: Decimal(changes.get(key, 0)))
    return frame.assign(value=frame["value"] + change)


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def disputed(
    published: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The baseline, and three documents that say something else."""
    home = Home(tmp_path_factory.mktemp("disputed") / "warehouse")
    shutil.copytree(published.root, home.root, symlinks=True)
    with warehouse(home):
        loader = Loader(home)
        read = facts(SEGMENT_RESULT, document_id=RELEASE, metric="revenue", breakdown="segment")
        read = read[read["column_role"] == "current"].reset_index(drop=True)
        loader.load(SEGMENT_RESULT, moved(read, {CLOUD: 3, MEDIA: -3}))

        # A press release of the day of the 10-Q, with other figures.
        filed = facts(DOCUMENT, document_id="microsoft.10-q.2024-09-30")
        loader.load(DOCUMENT, filed.assign(document_id=PRESS_RELEASE, kind="results"))
        table = facts(SEGMENT_RESULT, document_id="microsoft.10-q.2024-09-30")
        table = table[table["column_role"] == "current"].reset_index(drop=True)
        printed = moved(table, {INTELLIGENT_CLOUD: 5, PERSONAL_COMPUTING: -5})
        loader.load(SEGMENT_RESULT, printed.assign(document_id=PRESS_RELEASE))

        # A later document divides a total that is not the one first reported.
        recast = {"document_id": RECAST, "column_role": "prior_year"}
        announced = facts(DOCUMENT, document_id=RELEASE)
        loader.load(
            DOCUMENT,
            announced.assign(
                document_id=RECAST,
                kind="6-k",
                period_end=date(2019, 12, 31),
                reported_on=date(2020, 3, 1),
            ),
        )
        total = facts(COMPANY_RESULT, document_id=RELEASE, metric="revenue")
        total = total[(total["column_role"] == "current") & (total["currency"] == "CNY")]
        loader.load(COMPANY_RESULT, total.assign(value=total["value"] + Decimal(1000), **recast))
        loader.load(SEGMENT_RESULT, moved(read, {CLOUD: 1000}).assign(**recast))
        build_models(home)
        publish_build(home)
        with connect(home.root) as connection:
            yield connection


def test_on_the_baseline_nothing_disagrees(release: duckdb.DuckDBPyConnection) -> None:
    assert rows(release, "from ops.source_disagreement") == []
    recasts = rows(
        release, "select status, count(*) as n from ops.recast_reconciliation group by 1"
    )
    assert {row["status"] for row in recasts} == {"same_total", "incomplete"}
    assert sum(row["n"] for row in recasts if row["status"] == "same_total") > 50
    checks = rows(
        release,
        """
        select asset, passed, severity from ops.check_result
        where "check" in ('sources_agree', 'recasts_keep_the_total') order by all
        """,
    )
    assert [(row["asset"], row["passed"]) for row in checks] == [
        ("core.fct_segment_result", True),
        ("landing.company_result", True),
        ("landing.segment_result", True),
    ]


def test_the_figure_read_from_the_document_counts_over_the_curated_one(
    disputed: duckdb.DuckDBPyConnection,
) -> None:
    printed = rows(
        disputed,
        f"""
        select segment_key, value_millions, source_url from core.fct_segment_result
        where document_id = '{RELEASE}' and metric = 'revenue' and column_role = 'current'
        and segment_key in ('{CLOUD}', '{MEDIA}') order by segment_key
        """,
    )
    assert [row["value_millions"] for row in printed] == [5670, 5937]
    assert {row["source_url"] for row in printed} == {READ_AT}


def test_the_curated_figure_is_listed_with_both_sources(
    disputed: duckdb.DuckDBPyConnection,
) -> None:
    listed = rows(
        disputed,
        "from ops.source_disagreement where disagreement = 'same_document' order by segment_key",
    )
    # The three segments that agree are not listed.
    assert [row["segment_key"] for row in listed] == [CLOUD, MEDIA]
    cloud = listed[0]
    assert (cloud["value_millions"], cloud["source"], cloud["source_url"]) == (
        5670,
        "document",
        READ_AT,
    )
    assert (cloud["other_value_millions"], cloud["other_source"]) == (5667, "baseline")
    assert cloud["other_source_url"].startswith("https://data.alibabagroup.com/")
    assert cloud["other_source_url"] != READ_AT
    assert cloud["document_id"] == cloud["other_document_id"] == RELEASE
    assert cloud["reason"] == "document outranks baseline: read by machine from the document itself"


def test_on_one_day_the_filing_counts_over_the_press_release(
    disputed: duckdb.DuckDBPyConnection,
) -> None:
    listed = rows(
        disputed,
        "from ops.source_disagreement where disagreement = 'different_documents' "
        "order by segment_key",
    )
    assert {(row["document_id"], row["other_document_id"]) for row in listed} == {
        ("microsoft.10-q.2024-09-30", PRESS_RELEASE)
    }
    assert [row["difference_millions"] for row in listed] == [-5, 5]
    assert listed[0]["reason"] == "10-q before results on one day: reviewed filing with XBRL"
    # As long as no later comparative replaces it.
    [known] = rows(
        disputed,
        f"""
        select document_id from core.segment_result_as_of(date '2024-12-31')
        where segment_key = '{INTELLIGENT_CLOUD}'
        and period_end = date '2024-09-30' and is_latest
        """,
    )
    assert known == {"document_id": "microsoft.10-q.2024-09-30"}


def test_a_recast_that_changes_the_total_is_seen(disputed: duckdb.DuckDBPyConnection) -> None:
    [differs] = rows(disputed, "from ops.recast_reconciliation where status = 'differs'")
    assert differs["document_id"] == RECAST
    assert differs["difference_millions"] == 1000
    # It adds up to the restated total of its own document, so the older check has nothing to say.
    [own] = rows(
        disputed,
        f"from ops.reconciliation where document_id = '{RECAST}'",
    )
    assert own["status"] == "adds_up"


def test_every_disagreement_is_a_warning_and_none_blocks(
    disputed: duckdb.DuckDBPyConnection,
) -> None:
    checks = rows(
        disputed,
        """
        select * from ops.check_result
        where "check" in ('sources_agree', 'recasts_keep_the_total') and not passed
        order by all
        """,
    )
    assert {row["severity"] for row in checks} == {"warn"}
    assert [(row["check"], row["asset"]) for row in checks] == [
        ("recasts_keep_the_total", "core.fct_segment_result")
    ] + [("sources_agree", "landing.segment_result")] * 4
    [cloud] = [row for row in checks if f"{CLOUD} revenue" in row["subject"]]
    assert "5,670 million CNY from document" in cloud["observed"]
    assert "not 5,667 million CNY from baseline" in cloud["observed"]
    assert READ_AT in cloud["observed"]
    [recast] = [row for row in checks if row["check"] == "recasts_keep_the_total"]
    assert f"{RECAST} divides 86,148 million CNY under core_commerce" in recast["observed"]


def test_a_check_has_one_row_for_each_subject(disputed: duckdb.DuckDBPyConnection) -> None:
    """Two batches of a dataset are checked by the same guard, each in rows of its own."""
    assert (
        rows(
            disputed,
            'select asset, "check", subject from ops.check_result group by all having count(*) > 1',
        )
        == []
    )


def test_the_order_is_written_down_once(published: Home) -> None:
    """What decides, what models read and what the docs say are one list."""
    assert {source.name: source.rank for source in SOURCES} == SOURCE_RANK
    assert SOURCE_RANK["edgar"] > SOURCE_RANK["document"] > SOURCE_RANK["baseline"]
    kinds = {kind.name: kind.rank for kind in DOCUMENT_KINDS}
    assert set(kinds) == set(DOCUMENT.column("kind").allowed)
    assert min(kinds["10-k"], kinds["10-q"], kinds["20-f"]) > kinds["results"] > kinds["secondary"]
    page = Path("docs/architecture.md").read_text(encoding="utf-8")
    for entry in (*SOURCES, *DOCUMENT_KINDS):
        assert f"| {entry.rank} | `{entry.name}` | {entry.reason} |" in page
    with duckdb.connect() as connection:
        read = connection.execute(
            "select name, rank, reason from read_parquet(?)",
            [str(published.reference / "precedence.parquet")],
        ).fetchall()
    assert read == [(e.name, e.rank, e.reason) for e in (*SOURCES, *DOCUMENT_KINDS)]


def test_landing_and_models_choose_the_same_row(disputed: duckdb.DuckDBPyConnection) -> None:
    [(path,)] = disputed.execute(
        "select path from duckdb_databases() where database_name = 'warehouse'"
    ).fetchall()
    home = Home(Path(path).parents[3])
    newest = Landing(home.landing).newest("segment_result").to_pylist()
    counting = {
        (row["document_id"], row["segment_key"]): row["value"]
        for row in newest
        if row["document_id"] == RELEASE
        and row["metric"] == "revenue"
        and row["segment_key"] in (CLOUD, MEDIA)
        and row["column_role"] == "current"
    }
    assert counting == {(RELEASE, CLOUD): 5670, (RELEASE, MEDIA): 5937}
    release = current_release(home)
    assert release is not None
    assert release.manifest.checks.failed == 0
