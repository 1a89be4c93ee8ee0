"""Fetch the filings that the SEC has and that have not landed, and land them with their figures.

What belongs here: the order of asking and landing. The SEC's answers are
``orchestration.extract.edgar``'s, what a filing is ``orchestration.filings``', what a document says
``orchestration.documents``'. What fails is said beside what was landed, as in
``orchestration.live``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from orchestration.changes import news
from orchestration.contracts import contract_for
from orchestration.documents import fourth_quarters
from orchestration.documents.reading import DocumentRefused, Reading
from orchestration.documents.release import NothingPrinted, read_release
from orchestration.documents.rows import company_batch, kpi_batch, segment_batch
from orchestration.documents.xbrl import KINDS, NothingTagged, read_xbrl
from orchestration.documents.xbrl_facts import Unreadable
from orchestration.extract import edgar
from orchestration.extract.edgar import Filing
from orchestration.extract.transport import Transport, UpstreamError
from orchestration.filings import FolderCache, document_batch, fact_batches, publication
from orchestration.fingerprint import reader_fingerprint
from orchestration.live import Update, policy
from orchestration.loading import Loader
from orchestration.locking import write_lock
from orchestration.registry.entries import Company, XbrlConcept
from orchestration.settings import Settings

DOCUMENT = contract_for("document")
RESULTS = contract_for("company_result")
SEGMENTS = contract_for("segment_result")
KPIS = contract_for("kpi")


def unseen_filings(loader: Loader, settings: Settings) -> tuple[dict[str, list[Filing]], Update]:
    """Return by company the filings that have not landed, and what could not be looked up.

    Raises:
        MissingContact: when no contact is set; nothing has been asked then.
    """
    update = Update(edgar.NAME)
    transport = _sec(settings)
    cache = _sec_cache(loader)
    seen = set(loader.landing.newest(DOCUMENT.dataset, edgar.NAME)["accession"].to_pylist())
    unseen: dict[str, list[Filing]] = {}
    for company in loader.registry.entries(Company):
        if company.cik is None:
            continue
        try:
            filings = edgar.fetch_filings(
                transport, company.cik, settings.filings_since, cache, settings.sec_url
            )
        except UpstreamError as error:
            update.failures.append(str(error))
            continue
        unseen[company.company_key] = [f for f in filings if f.accession not in seen]
    return unseen, update


def update_edgar(
    loader: Loader, settings: Settings, accessions: Collection[str] | None = None
) -> Update:
    """Land new filings, their exhibits and the facts of the companies that filed them.

    ``accessions`` limits it to the companies of some filings and to what they had filed by then:
    numbered ids (``.a1``, ``.2``) are given in the order of filing. Facts are asked for again
    although their filing has landed: they may have failed, or come later than it.

    Raises:
        MissingContact: when no contact is set; nothing has been asked then.
    """
    unseen, update = unseen_filings(loader, settings)
    transport = _sec(settings)
    if accessions is not None:
        unseen = {company_key: _up_to(filed, accessions) for company_key, filed in unseen.items()}
    for company_key, filings in unseen.items():
        if filings:
            _land_filings(loader, settings, transport, company_key, filings, update)
    landed = loader.landing.newest(DOCUMENT.dataset, edgar.NAME).to_pylist()
    asked = {
        row["company_key"] for row in landed if accessions is None or row["accession"] in accessions
    }
    for company_key, filings in unseen.items():
        if company_key not in asked:
            continue
        try:
            _land_facts(loader, settings, transport, company_key, filings, update)
        except UpstreamError as error:
            update.failures.append(str(error))
        _land_segments(loader, settings, transport, company_key, update)
        _land_fourth_quarters(loader, company_key, update)
    if update.failures:
        # What led to a failure is not believed a second time, even if the SEC says "not modified".
        _sec_cache(loader).clear()
    return update


def _up_to(filings: list[Filing], accessions: Collection[str]) -> list[Filing]:
    places = [place for place, f in enumerate(filings, start=1) if f.accession in accessions]
    return filings[: max(places, default=0)]


def _sec_cache(loader: Loader) -> FolderCache:
    return FolderCache(loader.home.root / "cache" / "sec")


def _sec(settings: Settings) -> Transport:
    return edgar.client(settings.sec_contact, policy(settings, settings.sec_requests_per_second))


def _land_filings(
    loader: Loader,
    settings: Settings,
    transport: Transport,
    company_key: str,
    filings: Sequence[Filing],
    update: Update,
) -> None:
    files = loader.landing.files
    publications = []
    for filing in filings:
        try:
            exhibits = edgar.fetch_exhibits(transport, filing, settings.sec_url)
        except UpstreamError as error:
            update.failures.append(str(error))
            continue
        for exhibit in exhibits:
            files.keep(exhibit.content, Path(exhibit.name).suffix)
        publications.append(publication(filing, exhibits))
    # Two runs must not give one id to two filings.
    with write_lock(loader.home, settings.lock_timeout_seconds):
        landed = loader.landing.newest(DOCUMENT.dataset).to_pylist()
        known = {row["document_id"]: row["accession"] for row in landed}
        batch = document_batch(company_key, publications, known)
        update.land(loader, DOCUMENT, [batch.iloc[[row]] for row in range(len(batch))])


def _land_facts(
    loader: Loader,
    settings: Settings,
    transport: Transport,
    company_key: str,
    filings: Sequence[Filing],
    update: Update,
) -> None:
    cik = {c.company_key: c.cik for c in loader.registry.entries(Company)}[company_key]
    assert cik is not None  # it has filings
    wanted = {(c.taxonomy, c.concept) for c in loader.registry.entries(XbrlConcept)}
    facts = edgar.fetch_facts(transport, cik, wanted, _sec_cache(loader), settings.sec_url)
    tagged = {fact.accession for fact in facts}
    update.remarks += [
        f"{company_key}: facts of {f.accession} are not there yet; the next run asks again"
        for f in filings
        if f.has_facts and f.accession not in tagged
    ]
    documents = {
        row["accession"]: (row["document_id"], row["period_end"], row["source_url"])
        for row in loader.landing.newest(DOCUMENT.dataset).to_pylist()
        if row["accession"] and row["company_key"] == company_key
    }
    results, kpis, left_out = fact_batches(loader.registry, company_key, facts, documents)
    # A document with a figure that cannot be right is quarantined alone.
    for contract, batch in ((RESULTS, results), (KPIS, kpis)):
        fresh = news(contract, batch, loader.landing.newest(contract.dataset))
        update.land(loader, contract, _by_document(fresh))
    words = ", ".join(f"{count} of {reason}" for reason, count in sorted(left_out.items()))
    if words:
        update.remarks.append(f"{company_key}: facts left out: {words}")


def _land_segments(
    loader: Loader, settings: Settings, transport: Transport, company_key: str, update: Update
) -> None:
    """Land the figures by segment of the reports and results releases that have none.

    One that was refused is asked for again when what reads it has changed, and not before.
    """
    refusals = FolderCache(loader.home.root / "cache" / "sec_refusals")
    read_with = {"read-with": reader_fingerprint()}

    def refuse(filing: Filing, reason: str) -> None:
        refusals.put(filing.folder, read_with, reason.encode())

    read: dict[str, tuple[Filing, Reading, str]] = {}
    for row in _without_segments(loader, company_key):
        filing = _filing(loader, row)
        refused = refusals.get(filing.folder)
        if refused and refused[0] == read_with:
            update.remarks.append(f"without figures by segment: {refused[1].decode()}")
            continue
        try:
            if row["kind"] == "results":
                reading, url = _read_release(loader, row), row["source_url"]
            else:
                reading, url = _read_tagged(loader, settings, transport, filing, row)
        except (UpstreamError, Unreadable) as error:
            update.failures.append(str(error))
        except (NothingTagged, NothingPrinted) as nothing:
            update.remarks.append(f"without figures by segment: {nothing}")
            refuse(filing, str(nothing))
        except DocumentRefused as refusal:
            update.failures.append(str(refusal))
            refuse(filing, str(refusal))
        else:
            read[row["document_id"]] = filing, reading, url
    given = loader.landing.newest(RESULTS.dataset, edgar.NAME).to_pylist()
    known = {tuple(row[name] for name in RESULTS.key) for row in given}
    totals, segments, stated = [], [], []
    for document_id, (_, reading, url) in read.items():
        total = company_batch(reading, document_id, edgar.NAME, url, loader.registry)
        keys = total[list(RESULTS.key)].itertuples(index=False, name=None)
        totals.append(total[[key not in known for key in keys]])
        segments.append(segment_batch(reading, document_id, edgar.NAME, url, loader.registry))
        if reading.kind == "results":
            # Of reports the cover's share count is landed with the facts.
            stated.append(kpi_batch(reading, document_id, edgar.NAME, url, loader.registry))
    # Totals first: the guard asks whether the segments add up to them.
    update.land(loader, RESULTS, totals)
    update.land(loader, SEGMENTS, segments)
    update.land(loader, KPIS, stated)
    if read:
        for row in _without_segments(loader, company_key):
            if row["document_id"] in read:
                refuse(read[row["document_id"]][0], f"{row['document_id']}: rejected by the guard")


def _read_tagged(
    loader: Loader,
    settings: Settings,
    transport: Transport,
    filing: Filing,
    document: Mapping[str, Any],
) -> tuple[Reading, str]:
    """Return what a filing's facts say, and the address of the file that was kept of them."""
    document_id, company_key = document["document_id"], document["company_key"]
    tagged = edgar.fetch_tagged(transport, filing, settings.sec_url)
    if tagged is None:
        raise NothingTagged(f"{document_id}: {filing.primary_document} has no XBRL in it")
    loader.landing.files.keep(tagged.content, Path(tagged.name).suffix)
    reading = read_xbrl(tagged.content, tagged.name, company_key, loader.registry)
    if (reading.kind, reading.period_end) != (document["kind"], document["period_end"]):
        raise DocumentRefused(
            f"{document_id}: {tagged.name} says that it is the {reading.kind} of "
            f"{reading.period_end}"
        )
    if not any(figure.segment_key for figure in reading.figures):
        raise NothingTagged(f"{document_id}: no figure of {tagged.name} is of a segment")
    return reading, tagged.url


def _read_release(loader: Loader, document: Mapping[str, Any]) -> Reading:
    """Return what the exhibit says that was kept of a results release."""
    name = document["source_url"].rpartition("/")[2]
    kept = loader.landing.files.read(document["sha256"], Path(name).suffix)
    try:
        reading = read_release(kept, name, document["company_key"], loader.registry)
    except LookupError as unknown:
        raise NothingPrinted(f"{document['document_id']}: {unknown}") from unknown
    if reading.period_end != document["period_end"]:
        raise DocumentRefused(
            f"{document['document_id']}: the tables of {name} are of the period to "
            f"{reading.period_end}"
        )
    return reading


def _filing(loader: Loader, document: Mapping[str, Any]) -> Filing:
    """Return the filing that a landed document is."""
    cik = {c.company_key: c.cik for c in loader.registry.entries(Company)}[document["company_key"]]
    assert cik is not None  # it has filings
    return Filing(
        cik=cik,
        accession=document["accession"],
        form=document["form"],
        filed_on=document["reported_on"],
        report_date=document["period_end"],
        primary_document=document["source_url"].rpartition("/")[2],
        has_facts=True,
    )


def _without_segments(loader: Loader, company_key: str) -> list[dict[str, Any]]:
    landed = loader.landing.newest(SEGMENTS.dataset, edgar.NAME).to_pylist()
    have = {row["document_id"] for row in landed if row["column_role"] != "derived"}
    return [
        row
        for row in loader.landing.newest(DOCUMENT.dataset, edgar.NAME).to_pylist()
        if row["company_key"] == company_key
        and (row["kind"] in KINDS or row["kind"] == "results")
        and row["document_id"] not in have
    ]


def _land_fourth_quarters(loader: Loader, company_key: str, update: Update) -> None:
    segments, totals, documents = (
        loader.landing.newest(contract.dataset) for contract in (SEGMENTS, RESULTS, DOCUMENT)
    )
    of_segments, of_company = fourth_quarters.derive(
        loader.registry, company_key, segments, totals, documents, edgar.NAME
    )
    # Totals first here too.
    for contract, batch in ((RESULTS, of_company), (SEGMENTS, of_segments)):
        fresh = news(contract, batch, loader.landing.newest(contract.dataset))
        update.land(loader, contract, _by_document(fresh))


def _by_document(batch: pd.DataFrame) -> list[pd.DataFrame]:
    return [of_document for _, of_document in batch.groupby("document_id")]
