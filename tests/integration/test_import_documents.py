"""From a file that a person brings to the release: parse, import document, import segments."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.contracts import contract_for
from orchestration.extract.facts_file import FactsFileError
from orchestration.home import Home
from orchestration.imports import DocumentQuarantined, import_document, import_facts
from orchestration.loading import BatchRejected, Loader
from orchestration.reader import connect

DOCUMENTS = Path(__file__).parents[1] / "documents"
HTML = DOCUMENTS / "e_commerce_ai_cloud_2026-06.html"
URL = "https://example.org/alibaba-2026-06"
PARSED_COLUMNS = (
    "document_id,company_key,structure,breakdown,segment_key,segment_label,label_printed,metric,"
    "period_start,period_end,period_type,value,unit,currency,column_role,printed_step,locator,note"
)
CLOUD = "alibaba.e_commerce_ai_cloud.ai_cloud_and_compute_services"
FACTS_HEADER = (
    "document_id,segment_key,metric,period_start,period_end,period_type,value,unit,currency,"
    "column_role,printed_step,source_url,reported_on,title,source_quality"
)


@pytest.fixture
def loader(home: Home) -> Loader:
    return Loader(home, today=date(2026, 11, 24))


def _landed(loader: Loader, dataset: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = loader.landing.newest(dataset).to_pylist()
    return rows


def test_parse_prints_the_columns_of_the_contract_in_its_order() -> None:
    result = CliRunner().invoke(app, ["parse", str(HTML), "--company", "alibaba"])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == PARSED_COLUMNS
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    cloud = [
        row for row in rows
        if row["segment_key"] == CLOUD and row["metric"] == "revenue"
        and row["period_end"] == "2026-06-30"
    ]  # fmt: skip
    # RMB 48,437 million, June quarter 2026 results, revenue by segment.
    assert [(row["value"], row["unit"], row["currency"]) for row in cloud] == [
        ("48437", "million", "CNY")
    ]
    company = [row for row in rows if not row["structure"]]
    assert company
    assert all(not row["breakdown"] and not row["segment_key"] for row in company)


def test_parse_prints_nothing_of_a_document_that_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "letter.txt"
    document.write_text("Dear shareholders, revenue was RMB1,234 million in the quarter.")
    with pytest.raises(ValueError, match=r"letter.txt: no table of figures"):
        CliRunner().invoke(
            app, ["parse", str(document), "--company", "alibaba"], catch_exceptions=False
        )


def test_a_document_lands_once_with_all_it_says(loader: Loader) -> None:
    done = import_document(loader, HTML, "alibaba", URL)
    assert done.document_id == "alibaba.results.2026-06-30"
    (document,) = _landed(loader, "document")
    assert document["source_url"] == URL
    assert document["reported_on"] == date(2026, 8, 20)
    figures = _landed(loader, "segment_result")
    assert {row["source"] for row in figures} == {"document"}
    assert all("table" in str(row["locator"]) for row in figures)
    again = import_document(loader, HTML, "alibaba", URL)
    assert {batch.assertion.status for batch in again.loaded} == {"asserted_again"}
    assert _landed(loader, "segment_result") == figures


def test_an_address_is_asked_for_where_the_warehouse_knows_none(loader: Loader) -> None:
    with pytest.raises(ValueError, match="source_url is not known; say it with --url"):
        import_document(loader, HTML, "alibaba")
    assert _landed(loader, "document") == []


def test_an_unknown_name_quarantines_the_document_and_nothing_lands(
    loader: Loader, tmp_path: Path
) -> None:
    import_document(loader, HTML, "alibaba", URL)
    before = {name: _landed(loader, name) for name in ("document", "segment_result")}
    renamed = tmp_path / "renamed.html"
    renamed.write_text(HTML.read_text().replace("AI Labs and Applications", "Applied AI"))
    with pytest.raises(DocumentQuarantined, match="'Applied AI' that the registry does not know"):
        import_document(loader, renamed, "alibaba", URL)
    (entry,) = loader.quarantine.entries()
    reason = entry.report.failures[0].detail
    assert "Nearest names: " in reason
    assert "alibaba.e_commerce_ai_cloud.applied_ai,alibaba,e_commerce_ai_cloud," in reason
    assert {name: _landed(loader, name) for name in before} == before


def test_what_was_read_is_in_the_release_with_document_and_place(home: Home) -> None:
    """The June quarter of 2026 over the curated baseline: same figures, read in the document."""
    from orchestration.run import run_everything

    assert run_everything(home).succeeded
    import_document(Loader(home), HTML, "alibaba", URL)
    assert run_everything(home).succeeded
    with connect(home.root) as release:
        (row,) = release.execute(
            "select value_millions, basis, source_url, locator from core.fct_segment_result "
            "where segment_key = ? and metric = 'revenue' and document_id = ? "
            "and period_end = '2026-06-30'",
            [CLOUD, "alibaba.results.2026-06-30"],
        ).fetchall()
        assert row[0] == Decimal(48_437)
        assert row[1:3] == ("as_reported", URL)
        assert "AI Cloud and Compute Services" in row[3]
        observed = dict(
            release.execute(
                'select "check", observed from ops.check_result '
                "where asset = 'landing.segment_result' and \"check\" like ?",
                ["alibaba.results.2026-06-30 %"],
            ).fetchall()
        )
    assert observed["alibaba.results.2026-06-30 US$ column at the stated rate"].endswith("agree")
    assert "alibaba.results.2026-06-30 rows add up to the consolidated figure" in observed


def _facts(path: Path, *lines: str) -> Path:
    path.write_text("\n".join((FACTS_HEADER, *lines)) + "\n")
    return path


PDD = (
    "pdd.results.2024-06-30,{segment},revenue,2024-04-01,2024-06-30,quarter,{value},million,CNY,"
    "current,1,https://example.org/pdd,{reported_on},PDD second quarter 2024,official"
)


def test_curated_figures_land_with_their_document(loader: Loader, tmp_path: Path) -> None:
    file = _facts(
        tmp_path / "pdd.csv",
        PDD.format(
            segment="pdd.revenue_lines.transaction_services", value=47944, reported_on="2024-08-26"
        ),
        PDD.format(segment="", value=97060, reported_on="2024-08-26"),
    )
    loaded = import_facts(loader, file)
    assert [batch.assertion.dataset for batch in loaded] == [
        "document", "company_result", "segment_result",
    ]  # fmt: skip
    (figure,) = _landed(loader, "segment_result")
    assert (figure["value"], figure["structure"], figure["source"]) == (
        Decimal(47_944), "revenue_lines", "import",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            PDD.format(segment="", value="9o", reported_on=""),
            r"pdd.csv:2: value: '9o' is no number",
        ),
        (
            PDD.format(segment="", value="9", reported_on="26.8.2024"),
            r"pdd.csv:2: reported_on: '26.8.2024' is no date",
        ),
        (PDD.format(segment="", value="", reported_on=""), r"pdd.csv:2: value: is empty"),
        ("too,few", r"pdd.csv:2: has more or fewer cells"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(
    loader: Loader, tmp_path: Path, line: str, message: str
) -> None:
    with pytest.raises(FactsFileError, match=message):
        import_facts(loader, _facts(tmp_path / "pdd.csv", line))
    assert _landed(loader, "document") == []


def test_figures_that_break_the_contract_are_quarantined(loader: Loader, tmp_path: Path) -> None:
    line = PDD.format(segment="pdd.revenue_lines.temu", value=1, reported_on="2024-08-26")
    with pytest.raises(BatchRejected, match=r"pdd\.revenue_lines\.temu"):
        import_facts(loader, _facts(tmp_path / "pdd.csv", line))
    assert _landed(loader, "segment_result") == []
    assert contract_for("segment_result").dataset in loader.quarantine.entries()[0].entry_id
