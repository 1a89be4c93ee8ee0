"""Land what a document says: its own row, the consolidated figures, segments, stated numbers.

The one way for documents from every source: filings of the SEC, files that a person downloaded and
files of curated figures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pandas as pd

from orchestration.contracts import Contract, contract_for
from orchestration.documents.reading import Reading
from orchestration.documents.rows import company_batch, kpi_batch, segment_batch
from orchestration.loading import Loaded, Loader
from orchestration.quality.quarantine import Entry
from orchestration.quality.report import READING, CheckOutcome, GuardReport

DOCUMENT = contract_for("document")
COMPANY = contract_for("company_result")
SEGMENTS = contract_for("segment_result")
KPIS = contract_for("kpi")


def land_reading(
    loader: Loader, reading: Reading, document_id: str, source: str, source_url: str
) -> list[Loaded]:
    """Land the figures of a document that has landed, totals first: the guard adds up to them.

    Raises:
        BatchRejected: when its figures break their contract; what landed before stays.
        DocumentRefused: for a segment or indicator that the registry does not have.
    """
    checks = reading_outcomes(reading)
    batches = [
        (contract, batch(reading, document_id, source, source_url, loader.registry))
        for contract, batch in (
            (COMPANY, company_batch),
            (SEGMENTS, segment_batch),
            (KPIS, kpi_batch),
        )
    ]
    return land_in_order(loader, batches, checks)


def land_in_order(
    loader: Loader,
    batches: Iterable[tuple[Contract, pd.DataFrame]],
    checks: Sequence[CheckOutcome] = (),
) -> list[Loaded]:
    """Land the batches that have rows; ``checks`` go into the reports of the figures."""
    return [
        loader.load(contract, batch, checks if contract is SEGMENTS else ())
        for contract, batch in batches
        if not batch.empty
    ]


def reading_outcomes(reading: Reading) -> tuple[CheckOutcome, ...]:
    """Return what was checked while reading as outcomes of the guard's report."""
    return tuple(
        CheckOutcome(
            check=READING,
            expectation=check.name,
            column=reading.document_id,
            severity="critical",
            passed=True,
            detail=check.observed,
        )
        for check in reading.checks
    )


def quarantine_document(
    loader: Loader, content: bytes, name: str, company_key: str, source: str, refusal: str
) -> Entry:
    """Keep a document that was refused in quarantine, with the reason."""
    sha256 = hashlib.sha256(content).hexdigest()
    row = {"file": name, "company_key": company_key, "sha256": sha256, "reason": refusal}
    outcome = CheckOutcome(
        check=READING,
        expectation="the document is read whole",
        column="(document)",
        severity="critical",
        passed=False,
        failing=1,
        failing_rows=(row,),
        detail=refusal,
    )
    report = GuardReport(SEGMENTS.dataset, source, 1, datetime.now(UTC), (outcome,))
    return loader.quarantine.add(pd.DataFrame([row]), report)
