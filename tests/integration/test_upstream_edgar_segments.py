"""Facts by segment through the real client, guard and landing, and what is derived from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest

from orchestration import sec
from orchestration.extract.transport import forget_hosts
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.settings import Settings
from tests.upstreams import edgar
from tests.upstreams.edgar import AMAZON, Edgar, MadeFiling, Tagged
from tests.upstreams.misbehaviours import TRANSPORT_FAULTS
from tests.upstreams.server import UpstreamServer

TODAY = date(2026, 11, 24)
NINE_MONTHS, YEAR = ("2025-01-01", "2025-09-30"), ("2025-01-01", "2025-12-31")
QUARTER = ("2025-07-01", "2025-09-30")
SEGMENTS = (
    "NorthAmericaSegmentMember",
    "InternationalSegmentMember",
    "AmazonWebServicesSegmentMember",
)
#: Of a made issuer, in millions: revenue and operating income of its three segments.
FIGURES = {
    QUARTER: ((100, 40, 30), (5, -1, 10)),
    NINE_MONTHS: ((290, 110, 85), (14, -4, 29)),
    YEAR: ((400, 150, 120), (20, -6, 41)),
}
CONCEPTS = ("Revenues", "OperatingIncomeLoss")


def tagged(*periods: tuple[str, str], wrong_by: int = 0) -> list[Tagged]:
    facts = []
    for start, end in periods:
        for concept, values in zip(CONCEPTS, FIGURES[start, end], strict=True):
            for member, value in zip(SEGMENTS, values, strict=True):
                facts.append(Tagged(concept, f"amzn:{member}", start, end, value * 10**6))
            total = (sum(values) + wrong_by) * 10**6
            facts.append(Tagged(concept, "", start, end, total))
    return facts


def report(
    accession: str, form: str, filed_on: date, ended: date, facts: list[Tagged]
) -> MadeFiling:
    made = edgar.annual(accession, form, filed_on, ended)
    return replace(made, instance=edgar.instance(AMAZON, form, ended, facts))


THIRD = report(
    "0001018724-25-000123", "10-Q", date(2025, 10, 31), date(2025, 9, 30),
    tagged(QUARTER, NINE_MONTHS),
)  # fmt: skip
ANNUAL = report("0001018724-26-000004", "10-K", date(2026, 2, 6), date(2025, 12, 31), tagged(YEAR))
THIRD_ID, ANNUAL_ID = "amazon.10-q.2025-09-30", "amazon.10-k.2025-12-31"
INSTANCE = "/10k_000004_htm.xml"


@dataclass
class World:
    """The local server with EDGAR behind it, and settings that point to it."""

    server: UpstreamServer
    edgar: Edgar
    settings: Settings

    def asked(self, name: str) -> int:
        """Return how often a file was asked for."""
        return sum(seen.path.endswith(name) for seen in self.server.seen)


@pytest.fixture
def world() -> Iterator[World]:
    revenue = [edgar.fact(ANNUAL.accession, *YEAR, 670_000_000)]
    played = Edgar(
        filings={AMAZON: [ANNUAL, THIRD]},
        facts={AMAZON: {"us-gaap": {"Revenues": {"units": {"USD": revenue}}}}},
    )
    forget_hosts()
    with UpstreamServer({"/sec": played.handle}) as server:
        settings = Settings(
            sec_url=f"{server.url}/sec",
            sec_contact="data@example.org",
            sec_requests_per_second=1000,
            filings_since=date(2025, 1, 1),
            attempts=2,
            backoff_seconds=0.01,
            breaker_seconds=0,
        )
        yield World(server, played, settings)


@pytest.fixture
def loader(home: Home) -> Loader:
    return Loader(home, today=TODAY)


def segments(loader: Loader) -> dict[tuple[str, str, str, str], Decimal]:
    """Return values in millions by document, segment, metric and length of the period."""
    return {
        (row["document_id"], row["segment_key"].split(".")[2], row["metric"],
         row["column_role"] if row["column_role"] == "derived" else row["period_type"]):
        row["value"] / 10**6
        for row in loader.landing.newest("segment_result", "edgar").to_pylist()
    }  # fmt: skip


def test_segments_land_with_quarter_and_year_to_date_apart(world: World, loader: Loader) -> None:
    outcome = sec.update_edgar(loader, world.settings)
    assert outcome.failures == []
    found = segments(loader)
    assert found[THIRD_ID, "aws", "revenue", "quarter"] == 30
    assert found[THIRD_ID, "aws", "revenue", "nine_months"] == 85
    assert found[ANNUAL_ID, "international", "operating_income", "year"] == -6
    assert len(found) == 6 * 3 + 6
    (row,) = (
        row
        for row in loader.landing.newest("segment_result").to_pylist()
        if row["segment_key"] == "amazon.segments.aws"
        and row["metric"] == "revenue"
        and row["period_type"] == "year"
    )
    assert (row["structure"], row["breakdown"], row["unit"]) == ("segments", "segment", "one")
    assert row["source_url"].endswith(INSTANCE)
    kept = list((loader.landing.folder / "files").rglob("*.xml"))
    assert sorted(path.read_text() for path in kept) == sorted([ANNUAL.instance, THIRD.instance])


def test_fourth_quarters_are_the_year_less_nine_months(world: World, loader: Loader) -> None:
    sec.update_edgar(loader, world.settings)
    found = segments(loader)
    derived = {key[1:3]: value for key, value in found.items() if key[3] == "derived"}
    assert derived["aws", "revenue"] == 35
    assert derived["north_america", "operating_income"] == 6
    assert derived["international", "operating_income"] == -2
    assert len(derived) == 6
    totals = {
        (row["metric"], row["period_start"]): row
        for row in loader.landing.newest("company_result").to_pylist()
        if row["column_role"] == "derived"
    }
    fourth = totals["revenue", date(2025, 10, 1)]
    assert fourth["value"] == Decimal(185_000_000)
    assert THIRD_ID in fourth["locator"]
    assert ANNUAL_ID in fourth["locator"]


def test_companyfacts_stand_before_the_consolidated_figures_of_the_instance(
    world: World, loader: Loader
) -> None:
    world.edgar.facts[AMAZON]["us-gaap"]["Revenues"]["units"]["USD"][0]["val"] = 670_000_001
    sec.update_edgar(loader, world.settings)
    rows = {
        row["metric"]: row
        for row in loader.landing.newest("company_result").to_pylist()
        if row["period_type"] == "year"
    }
    assert rows["revenue"]["value"] == Decimal(670_000_001)
    assert rows["operating_income"]["value"] == Decimal(55_000_000)


def test_asking_again_asks_for_no_instance_and_lands_nothing(world: World, loader: Loader) -> None:
    sec.update_edgar(loader, world.settings)
    assert world.asked(INSTANCE) == 1
    assert sec.update_edgar(loader, world.settings).loaded == []
    assert world.asked(INSTANCE) == 1


def test_without_an_instance_the_inline_document_is_read(world: World, loader: Loader) -> None:
    inline = _as_inline(ANNUAL.instance)
    world.edgar.filings[AMAZON] = [replace(ANNUAL, instance="", exhibits={"10-K": inline}), THIRD]
    assert sec.update_edgar(loader, world.settings).failures == []
    assert segments(loader)[ANNUAL_ID, "aws", "revenue", "year"] == 120
    assert world.asked(INSTANCE) == 1


def test_an_instance_filed_beside_the_report_is_read(world: World, loader: Loader) -> None:
    exhibits = {**ANNUAL.exhibits, "EX-101.INS": ANNUAL.instance}
    world.edgar.filings[AMAZON][0] = replace(ANNUAL, instance="", exhibits=exhibits)
    assert sec.update_edgar(loader, world.settings).failures == []
    assert segments(loader)[ANNUAL_ID, "aws", "revenue", "year"] == 120


def _as_inline(instance: str) -> str:
    """The same facts as an inline document."""
    text = re.sub(
        r"<dei:(\w+) (.*?)>(.*?)</dei:\w+>",
        r"<ix:nonNumeric name='dei:\1' \2>\3</ix:nonNumeric>",
        instance,
    )
    text = re.sub(
        r"<us-gaap:(\w+) (.*?)>(.*?)</us-gaap:\w+>",
        r"<ix:nonFraction name='us-gaap:\1' \2>\3</ix:nonFraction>",
        text,
    )
    text = re.sub(r">-(\d+)</ix:nonFraction>", r" sign='-'>\1</ix:nonFraction>", text)
    opened = "<html xmlns:ix='http://www.xbrl.org/2013/inlineXBRL'><xbrl "
    return text.replace('<?xml version="1.0"?><xbrl ', opened) + "</html>"


def test_an_unknown_member_is_a_failure_of_its_own_and_asked_again_when_known(
    world: World, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Tagged("Revenues", "amzn:SpaceSegmentMember", *YEAR, 1)
    unknown = edgar.instance(AMAZON, "10-K", date(2025, 12, 31), [*tagged(YEAR), new])
    world.edgar.filings[AMAZON][0] = replace(ANNUAL, instance=unknown)
    (failure,) = sec.update_edgar(loader, world.settings).failures
    assert "the member amzn:SpaceSegmentMember" in failure
    assert "add to xbrl_members.csv `amazon," in failure
    assert {key[0] for key in segments(loader)} == {THIRD_ID}
    assert len(loader.landing.newest("document").to_pylist()) == 2
    assert any(
        row["document_id"] == ANNUAL_ID
        for row in loader.landing.newest("company_result").to_pylist()
    )
    again = sec.update_edgar(loader, world.settings)
    assert again.failures == []
    assert any("amzn:SpaceSegmentMember" in remark for remark in again.remarks)
    assert world.asked(INSTANCE) == 1
    world.edgar.filings[AMAZON][0] = ANNUAL
    monkeypatch.setattr(sec, "reader_fingerprint", lambda: "the line was added")
    assert sec.update_edgar(loader, world.settings).failures == []
    assert segments(loader)[ANNUAL_ID, "aws", "revenue", "year"] == 120


@pytest.mark.parametrize("fault", ["503", "truncated body", "HTML consent page"])
def test_an_instance_that_does_not_come_holds_up_nothing_else(
    world: World, loader: Loader, fault: str
) -> None:
    world.server.misbehave(TRANSPORT_FAULTS[fault], path=INSTANCE)
    outcome = sec.update_edgar(loader, world.settings)
    assert len(outcome.failures) == 1
    assert {key[0] for key in segments(loader)} == {THIRD_ID}
    world.server.behave()
    forget_hosts()
    assert sec.update_edgar(loader, world.settings).failures == []
    assert segments(loader)[ANNUAL_ID, "aws", "revenue", "year"] == 120


def test_segments_that_do_not_add_up_are_quarantined_alone(world: World, loader: Loader) -> None:
    wrong = edgar.instance(AMAZON, "10-K", date(2025, 12, 31), tagged(YEAR, wrong_by=9))
    world.edgar.filings[AMAZON][0] = replace(ANNUAL, instance=wrong)
    outcome = sec.update_edgar(loader, world.settings)
    assert any("rows add up to" in failure for failure in outcome.failures)
    assert {key[0] for key in segments(loader)} == {THIRD_ID}
    count = len(loader.quarantine.entries())
    again = sec.update_edgar(loader, world.settings)
    assert any("rejected by the guard" in remark for remark in again.remarks)
    assert len(loader.quarantine.entries()) == count == 1


def test_an_instance_of_another_period_is_refused(world: World, loader: Loader) -> None:
    other = edgar.instance(AMAZON, "10-K", date(2024, 12, 31), tagged(YEAR))
    world.edgar.filings[AMAZON][0] = replace(ANNUAL, instance=other)
    (failure,) = sec.update_edgar(loader, world.settings).failures
    assert f"{ANNUAL_ID}: 10k_000004_htm.xml says that it is the 10-k of 2024-12-31" in failure


def test_a_report_without_facts_is_a_remark(world: World, loader: Loader) -> None:
    world.edgar.filings[AMAZON][0] = replace(ANNUAL, instance="")
    outcome = sec.update_edgar(loader, world.settings)
    assert outcome.failures == []
    assert any(
        remark == f"without figures by segment: {ANNUAL_ID}: 10k_000004.htm has no XBRL in it"
        for remark in outcome.remarks
    )
