"""SEC EDGAR as a local server plays it: submissions, the archive and company facts.

A made issuer files in the shape of the real ones, in our own words; where ``shared/upstream/sec``
is present, real submissions and facts are served for the companies they are of. As there, a client
that names no contact is refused, and submissions may be asked for conditionally.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.shared_data import UPSTREAM
from tests.upstreams.misbehaviours import FORMAT_FAULTS as NAMES
from tests.upstreams.misbehaviours import with_body
from tests.upstreams.server import Fault, Reply, Request

RECORDED = UPSTREAM / "sec"
ALIBABA, MICROSOFT, NVIDIA, ALPHABET = 1577552, 789019, 1045810, 1652044
AMAZON = 1018724
_SUBMISSIONS, _FACTS = "/submissions/", "/api/xbrl/companyfacts/"


@dataclass(frozen=True)
class MadeFiling:
    """A filing of a made issuer; ``exhibits`` by type, the primary document first.

    ``instance`` is what the SEC extracts from an inline document, empty where it does not.
    """

    accession: str
    form: str
    filed_on: date
    report_date: date
    exhibits: Mapping[str, str]
    instance: str = ""


@dataclass
class Edgar:
    """What the SEC holds; tests add to it. ``older`` filings stand on a page of their own."""

    filings: dict[int, list[MadeFiling]] = field(default_factory=dict)
    older: dict[int, list[MadeFiling]] = field(default_factory=dict)
    facts: dict[int, dict[str, Any]] = field(default_factory=dict)
    recorded: frozenset[int] = frozenset()
    not_modified: int = 0

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if "@" not in request.headers.get("user-agent", ""):
            return Reply(
                b"<html><body>Your Request Originates from an Undeclared Automated Tool", 403
            )
        if request.path.startswith(_SUBMISSIONS):
            return self._submissions(request)
        if request.path.startswith(_FACTS):
            return self._company_facts(request)
        return self._archive(request.path)

    def _submissions(self, request: Request) -> Reply:
        name = request.path.removeprefix(_SUBMISSIONS)
        cik = int(name[3:13])
        if cik in self.recorded and name == f"CIK{cik:010d}.json":
            content: Any = json.loads((RECORDED / f"submissions_{name}").read_text())
            # The recordings hold the newest page alone.
            content["filings"]["files"] = []
        elif "-submissions-" in name:
            content = _columns(self.older.get(cik, []))
        else:
            older = self.older.get(cik, [])
            page = {
                "name": f"CIK{cik:010d}-submissions-001.json",
                "filingCount": len(older),
                "filingFrom": str(min((f.filed_on for f in older), default="")),
                "filingTo": str(max((f.filed_on for f in older), default="")),
            }
            content = {
                "cik": str(cik),
                "filings": {
                    "recent": _columns(self.filings.get(cik, [])),
                    "files": [page] if older else [],
                },
            }
        body = json.dumps(content).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            self.not_modified += 1
            return Reply(b"", 304, {"ETag": tag})
        return Reply(body, headers={"Content-Type": "application/json", "ETag": tag})

    def _company_facts(self, request: Request) -> Reply:
        cik = int(request.path.removeprefix(f"{_FACTS}CIK").removesuffix(".json"))
        recorded = RECORDED / f"CIK{cik:010d}.json"
        if cik in self.recorded and recorded.exists():
            return Reply(recorded.read_bytes(), headers={"Content-Type": "application/json"})
        if cik not in self.facts:
            return Reply(b"<Error><Code>NoSuchKey</Code></Error>", 404)
        content = {"cik": cik, "entityName": "Made", "facts": self.facts[cik]}
        return Reply(json.dumps(content).encode(), headers={"Content-Type": "application/json"})

    def _archive(self, path: str) -> Reply:
        for filings in (*self.filings.values(), *self.older.values()):
            for filing in filings:
                if filing.accession.replace("-", "") in path:
                    return _file(filing, path.rsplit("/", 1)[-1])
        return Reply(b"<html><body>NoSuchKey</body></html>", 404)


def _columns(filings: list[MadeFiling]) -> dict[str, list[Any]]:
    return {
        "accessionNumber": [f.accession for f in filings],
        "filingDate": [str(f.filed_on) for f in filings],
        "reportDate": [str(f.report_date) for f in filings],
        "form": [f.form for f in filings],
        "primaryDocument": [_name(f, next(iter(f.exhibits))) for f in filings],
        "isXBRL": [int(f.form in ("20-F", "10-K", "10-Q")) for f in filings],
    }


def _name(filing: MadeFiling, kind: str) -> str:
    letters = "".join(character for character in kind.lower() if character.isalnum())
    return f"{letters}_{filing.accession[-6:]}.htm"


def _file(filing: MadeFiling, name: str) -> Reply:
    if name == f"{filing.accession}-index-headers.html":
        documents = "".join(
            f"<DOCUMENT>\n<TYPE>{kind}\n<SEQUENCE>{place}\n"
            f"<FILENAME>{_name(filing, kind)}\n<DESCRIPTION>{kind}\n<TEXT>\n</TEXT>\n</DOCUMENT>\n"
            for place, kind in enumerate(filing.exhibits, start=1)
        )
        page = f"<html><body><pre>{html.escape(documents)}</pre></body></html>"
        return Reply(page.encode(), headers={"Content-Type": "text/html"})
    primary = _name(filing, next(iter(filing.exhibits)))
    if filing.instance and name == primary.replace(".htm", "_htm.xml"):
        return Reply(filing.instance.encode(), headers={"Content-Type": "text/xml"})
    for kind, content in filing.exhibits.items():
        if name == _name(filing, kind):
            return Reply(content.encode(), headers={"Content-Type": "text/html"})
    return Reply(b"<html><body>NoSuchKey</body></html>", 404)


def release(quarter: str, ended: str) -> str:
    """A results release of a made issuer, in our own words."""
    return (
        f"<html><body><p><b>Made Group Announces {quarter} Quarter Results</b></p>"
        f"<p>Made Group today reported its results for the quarter&nbsp;ended {ended}.</p>"
        "<table><tr><td>Revenue</td><td>100</td></tr></table></body></html>"
    )


def results(accession: str, filed_on: date, quarter: str, ended: str) -> MadeFiling:
    """A 6-K that carries a results release."""
    exhibits = {"6-K": "<html><body>FORM 6-K</body></html>", "EX-99.1": release(quarter, ended)}
    return MadeFiling(accession, "6-K", filed_on, filed_on, exhibits)


def notice(accession: str, filed_on: date) -> MadeFiling:
    """A 6-K that carries anything else."""
    exhibits = {
        "6-K": "<html><body>FORM 6-K</body></html>",
        "EX-99.1": "<html><body>Notice of the annual general meeting.</body></html>",
    }
    return MadeFiling(accession, "6-K", filed_on, filed_on, exhibits)


def annual(accession: str, form: str, filed_on: date, ended: date) -> MadeFiling:
    """An annual or quarterly report."""
    return MadeFiling(accession, form, filed_on, ended, {form: f"<html><body>{form}</body></html>"})


@dataclass(frozen=True)
class Tagged:
    """A fact of an instance in US dollars; ``member`` is on the axis of business segments."""

    concept: str
    member: str
    start: str
    end: str
    value: int


def instance(cik: int, form: str, ended: date, facts: Sequence[Tagged]) -> str:
    """An extracted XBRL instance of a made issuer."""
    contexts, tagged = [], []
    for number, made in enumerate(facts):
        member = made.member and (
            '<segment><xbrldi:explicitMember dimension="us-gaap:StatementBusinessSegmentsAxis">'
            f"{made.member}</xbrldi:explicitMember></segment>"
        )
        contexts.append(_context(f"c{number}", cik, member, made.start, made.end))
        tagged.append(
            f'<us-gaap:{made.concept} contextRef="c{number}" unitRef="usd" decimals="-6">'
            f"{made.value}</us-gaap:{made.concept}>"
        )
    return (
        '<?xml version="1.0"?><xbrl xmlns="http://www.xbrl.org/2003/instance"'
        ' xmlns:us-gaap="http://fasb.org/us-gaap/2025" xmlns:dei="http://xbrl.sec.gov/dei/2025"'
        ' xmlns:xbrldi="http://xbrl.org/2006/xbrldi" xmlns:amzn="http://www.amazon.com/2025"'
        ' xmlns:iso4217="http://www.xbrl.org/2003/iso4217">'
        f"{_context('cover', cik, '', str(ended), str(ended))}{''.join(contexts)}"
        '<unit id="usd"><measure>iso4217:USD</measure></unit>'
        f'<dei:DocumentType contextRef="cover">{form}</dei:DocumentType>'
        f'<dei:DocumentPeriodEndDate contextRef="cover">{ended}</dei:DocumentPeriodEndDate>'
        f"{''.join(tagged)}</xbrl>"
    )


def _context(name: str, cik: int, segment: str, start: str, end: str) -> str:
    return (
        f'<context id="{name}"><entity><identifier scheme="http://www.sec.gov/CIK">{cik:010d}'
        f"</identifier>{segment}</entity><period><startDate>{start}</startDate>"
        f"<endDate>{end}</endDate></period></context>"
    )


def fact(accession: str, start: str | None, end: str, value: float) -> dict[str, Any]:
    """A tagged value in the shape of ``companyfacts``."""
    row: dict[str, Any] = {"end": end, "val": value, "accn": accession, "form": "20-F"}
    return row | ({"start": start} if start else {})


# How submissions are made wrong.


def _recent(change: Callable[[dict[str, list[Any]]], object]) -> Fault:
    def spoil(body: bytes) -> bytes:
        content = json.loads(body)
        change(content["filings"]["recent"])
        return json.dumps(content).encode()

    return with_body(spoil)


def _each(columns: dict[str, list[Any]], change: Callable[[list[Any]], object]) -> None:
    for column in columns.values():
        change(column)


FORMAT_FAULTS: Mapping[str, Fault] = {
    "empty result": with_body(lambda body: b"{}"),
    "renamed field": _recent(lambda c: c.update(accession=c.pop("accessionNumber"))),
    "extra field": _recent(lambda c: c.update(isNew=[0] * len(c["form"]))),
    "changed type": _recent(lambda c: c.update(filingDate=["soon"] * len(c["form"]))),
    "null values": _recent(lambda c: c.update(accessionNumber=[None] * len(c["form"]))),
    "duplicated rows": _recent(lambda c: _each(c, lambda column: column.append(column[0]))),
    "unsorted rows": _recent(lambda c: _each(c, lambda column: column.reverse())),
    "future date": _recent(lambda c: c["filingDate"].__setitem__(0, "2031-01-02")),
}
assert {*FORMAT_FAULTS, "rewritten history"} >= set(NAMES)
