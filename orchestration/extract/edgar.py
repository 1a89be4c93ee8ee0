"""SEC EDGAR: lists of filings, their exhibits, and the facts that companies tagged in them.

The SEC asks every client to name a contact and to send at most ten requests a second. Known flaws:
``companyfacts`` gives values without the precision they were printed in; foreign issuers tag one
fact in two currencies; a 6-K's report date is the day of the report, not the end of a period.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestration.extract.transport import (
    Policy,
    Transport,
    UnexpectedAnswer,
    UpstreamRefused,
    unexpected_field,
)

NAME = "edgar"
DATA_URL, ARCHIVE_URL = "https://data.sec.gov", "https://www.sec.gov"
#: Periodic reports of US and of foreign issuers, and their amendments.
FORMS = frozenset(
    f"{form}{tail}" for form in ("6-K", "20-F", "10-Q", "10-K") for tail in ("", "/A")
)
_DOCUMENT = re.compile(r"<TYPE>([^\n<]+)\s*<SEQUENCE>[^\n<]*\s*<FILENAME>([^\n<]+)")
_TAG = re.compile(r"</?a\b[^>]*>", re.IGNORECASE)
_DateOrNothing = Annotated[date | None, BeforeValidator(lambda cell: cell or None)]
T = TypeVar("T")


class MissingContact(ValueError):
    """The SEC may not be asked without a contact."""


@dataclass(frozen=True)
class Filing:
    """One filing.

    ``report_date`` is the period's end for periodic reports, empty where unknown; ``has_facts``
    says whether figures are tagged in it.
    """

    cik: int
    accession: str
    form: str
    filed_on: date
    report_date: date | None
    primary_document: str
    has_facts: bool

    @property
    def folder(self) -> str:
        """Path of the filing in the archive."""
        return f"/Archives/edgar/data/{self.cik}/{self.accession.replace('-', '')}"


@dataclass(frozen=True)
class Exhibit:
    """A document of a filing as it was filed; ``type`` is its form or exhibit number."""

    type: str
    name: str
    url: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Hash of the content in hex."""
        return hashlib.sha256(self.content).hexdigest()


class Fact(NamedTuple):
    """One tagged value; ``unit`` is a currency or ``shares``, ``start`` empty for a balance."""

    taxonomy: str
    concept: str
    unit: str
    start: date | None
    end: date
    value: Decimal
    accession: str


class Cache(Protocol):
    """Keeps answers with what the server needs to say that nothing has changed."""

    def get(self, url: str) -> tuple[Mapping[str, str], bytes] | None:
        """Return the kept validators (as request headers) and body."""

    def put(self, url: str, validators: Mapping[str, str], content: bytes) -> None:
        """Keep an answer."""


def client(contact: str | None, policy: Policy) -> Transport:
    """Return a transport that names its contact.

    Raises:
        MissingContact: when there is none.
    """
    if not contact or "@" not in contact:
        raise MissingContact(
            "the SEC asks every client for an e-mail address: set WAREHOUSE_SEC_CONTACT"
        )
    # The SEC counts the requests to all its hosts.
    policy = replace(policy, counted_together=NAME)
    return Transport(NAME, policy, headers={"User-Agent": f"alibaba-warehouse {contact}"})


class _Filings(BaseModel):
    model_config = ConfigDict(extra="ignore")

    accession: list[str] = Field(alias="accessionNumber")
    filed_on: list[date] = Field(alias="filingDate")
    report_date: list[_DateOrNothing] = Field(alias="reportDate")
    form: list[str]
    primary_document: list[str] = Field(alias="primaryDocument")
    has_facts: list[bool] = Field(alias="isXBRL")


class _Page(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    newest: date = Field(alias="filingTo")


class _AllFilings(BaseModel):
    model_config = ConfigDict(extra="ignore")

    recent: _Filings
    pages: list[_Page] = Field(alias="files")


class _Submissions(BaseModel):
    model_config = ConfigDict(extra="ignore")

    filings: _AllFilings


class _Fact(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    start: str | None = None
    end: str
    val: int | Decimal
    accn: str


def fetch_filings(
    transport: Transport, cik: int, since: date, cache: Cache, base_url: str | None = None
) -> list[Filing]:
    """Return a company's periodic reports filed on or after ``since``, oldest first.

    Raises:
        UpstreamUnavailable, UpstreamRefused: when the SEC does not answer.
        UnexpectedAnswer: when the answer is in another form.
    """
    root = base_url or DATA_URL
    url = f"{root}/submissions/CIK{cik:010d}.json"
    listed = _conditional(_as(_Submissions, url), transport, url, cache).filings
    pages = [listed.recent]
    for page in listed.pages:
        if page.newest >= since:
            older = f"{root}/submissions/{page.name}"
            pages.append(_conditional(_as(_Filings, older), transport, older, cache))
    found = {f.accession: f for page in pages for f in _filings(page, cik, url)}
    wanted = [f for f in found.values() if f.form in FORMS and f.filed_on >= since]
    return sorted(wanted, key=lambda filing: (filing.filed_on, filing.accession))


def fetch_exhibits(
    transport: Transport, filing: Filing, base_url: str | None = None
) -> list[Exhibit]:
    """Return the primary document of a filing and its exhibits 99.

    Which file is which exhibit is said by the header page of the filing alone: its ``index.json``
    names the files and not what they are.

    Raises:
        UpstreamUnavailable, UpstreamRefused, UnexpectedAnswer: as for filings.
    """
    return [
        _exhibit(transport, filing, kind, name, base_url)
        for place, (kind, name) in enumerate(_documents(transport, filing, base_url))
        if place == 0 or kind.startswith("EX-99")
    ]


def fetch_tagged(
    transport: Transport, filing: Filing, base_url: str | None = None
) -> Exhibit | None:
    """Return the document that holds a filing's XBRL facts with their dimensions, if one does.

    It is the instance that the SEC extracts from an inline document, where it has one; else the
    instance that was filed beside the report, or the inline document itself.

    Raises:
        UpstreamUnavailable, UpstreamRefused, UnexpectedAnswer: as for filings.
    """
    stem = filing.primary_document.rpartition(".")[0]
    try:
        return _exhibit(transport, filing, "XML", f"{stem}_htm.xml", base_url)
    except UpstreamRefused as error:
        if error.status != 404:
            raise
    documents = _documents(transport, filing, base_url)
    filed = next((name for kind, name in documents if kind == "EX-101.INS"), None)
    if filed:
        return _exhibit(transport, filing, "EX-101.INS", filed, base_url)
    primary = _exhibit(transport, filing, *documents[0], base_url)
    return primary if b"inlineXBRL" in primary.content else None


def _exhibit(
    transport: Transport, filing: Filing, kind: str, name: str, base_url: str | None
) -> Exhibit:
    url = f"{base_url or ARCHIVE_URL}{filing.folder}/{name}"
    return Exhibit(kind, name, url, transport.get(url).content)


def _documents(transport: Transport, filing: Filing, base_url: str | None) -> list[tuple[str, str]]:
    folder = (base_url or ARCHIVE_URL) + filing.folder
    header = transport.get(f"{folder}/{filing.accession}-index-headers.html")
    text = _TAG.sub("", html.unescape(header.content.decode("utf-8", errors="replace")))
    documents = [(kind.strip(), name.strip()) for kind, name in _DOCUMENT.findall(text)]
    if not documents:
        raise UnexpectedAnswer(NAME, header.url, "lists no document")
    return documents


def fetch_facts(
    transport: Transport,
    cik: int,
    wanted: Collection[tuple[str, str]],
    cache: Cache,
    base_url: str | None = None,
) -> list[Fact]:
    """Return the facts of the ``wanted`` (taxonomy, concept) pairs, as often as they were filed.

    Raises:
        UpstreamUnavailable, UpstreamRefused, UnexpectedAnswer: as for filings.
    """
    url = f"{base_url or DATA_URL}/api/xbrl/companyfacts/CIK{cik:010d}.json"

    def read(content: bytes) -> list[Fact]:
        try:
            return list(_facts(_json(content, url)["facts"], wanted))
        except ValidationError as error:
            raise unexpected_field(NAME, url, error) from None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UnexpectedAnswer(NAME, url, f"is no list of facts: {error!r}") from None

    return _conditional(read, transport, url, cache)


def _facts(facts: Any, wanted: Collection[tuple[str, str]]) -> Iterator[Fact]:
    if not facts:
        raise ValueError("empty")
    for taxonomy, concept in sorted(wanted):
        for unit, rows in facts.get(taxonomy, {}).get(concept, {"units": {}})["units"].items():
            for row in map(_Fact.model_validate, rows):
                yield Fact(
                    taxonomy,
                    concept,
                    unit,
                    date.fromisoformat(row.start) if row.start else None,
                    date.fromisoformat(row.end),
                    Decimal(row.val),
                    row.accn,
                )


def _conditional(read: Callable[[bytes], T], transport: Transport, url: str, cache: Cache) -> T:
    """Ask for what has changed; an answer is kept once it has been read, never before."""
    kept = cache.get(url)
    answer = transport.get(url, headers=kept[0] if kept else None)
    if answer.status == 304 and kept:
        return read(kept[1])
    content = read(answer.content)
    validators = {
        asked: answer.headers[given]
        for given, asked in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
        if given in answer.headers
    }
    if validators:
        cache.put(url, validators, answer.content)
    return content


def _filings(page: _Filings, cik: int, url: str) -> Iterator[Filing]:
    columns = (
        page.accession, page.form, page.filed_on, page.report_date, page.primary_document,
        page.has_facts,
    )  # fmt: skip
    if len({len(column) for column in columns}) != 1:
        raise UnexpectedAnswer(NAME, url, "columns of filings are not of one length")
    for accession, form, filed_on, report_date, primary, has_facts in zip(*columns, strict=True):
        yield Filing(cik, accession, form, filed_on, report_date, primary, has_facts)


def _as(model: type[Any], url: str) -> Callable[[bytes], Any]:
    def read(content: bytes) -> Any:
        try:
            return model.model_validate(_json(content, url))
        except ValidationError as error:
            raise unexpected_field(NAME, url, error) from None

    return read


def _json(content: bytes, url: str) -> Any:
    try:
        return json.loads(content, parse_float=Decimal)
    except ValueError as error:
        raise UnexpectedAnswer(NAME, url, f"is no JSON: {error}") from None
