"""What small documents of our own say in inline XBRL, and what is refused in them."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.documents.reading import DocumentRefused, Figure, Reading
from orchestration.documents.xbrl import NothingTagged, read_xbrl
from orchestration.documents.xbrl_facts import read_facts
from orchestration.registry import RegistryError, load_registry
from orchestration.registry.loader import DATA

BUSINESS, PRODUCT = "us-gaap:StatementBusinessSegmentsAxis", "srt:ProductOrServiceAxis"
CONSOLIDATION = "srt:ConsolidationItemsAxis"
QUARTER = ("2024-07-01", "2024-09-30")
TO_DATE = ("2024-01-01", "2024-09-30")
YEAR_BEFORE = ("2023-07-01", "2023-09-30")
AWS = (BUSINESS, "amzn:AmazonWebServicesSegmentMember")
NAMESPACES = " ".join(
    f'xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "ix": "http://www.xbrl.org/2013/inlineXBRL",
        "ixt": "http://www.xbrl.org/inlineXBRL/transformation/2020-02-12",
        "xbrli": "http://www.xbrl.org/2003/instance",
        "xbrldi": "http://xbrl.org/2006/xbrldi",
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "iso4217": "http://www.xbrl.org/2003/iso4217",
        "us-gaap": "http://fasb.org/us-gaap/2024",
        "srt": "http://fasb.org/srt/2024",
        "dei": "http://xbrl.sec.gov/dei/2024",
        "amzn": "http://www.amazon.com/20240930",
    }.items()
)


def context(name: str, period: tuple[str, str], *members: tuple[str, str], cik: str = "") -> str:
    explicit = "".join(
        f'<xbrldi:explicitMember dimension="{axis}">{member}</xbrldi:explicitMember>'
        for axis, member in members
    )
    return (
        f'<xbrli:context id="{name}"><xbrli:entity><xbrli:identifier scheme="x">'
        f"{cik or '0001018724'}</xbrli:identifier>"
        f"{f'<xbrli:segment>{explicit}</xbrli:segment>' if explicit else ''}</xbrli:entity>"
        f"<xbrli:period><xbrli:startDate>{period[0]}</xbrli:startDate>"
        f"<xbrli:endDate>{period[1]}</xbrli:endDate></xbrli:period></xbrli:context>"
    )


def number(
    context_id: str,
    text: str = "27,452",
    concept: str = "us-gaap:Revenues",
    unit: str = "usd",
    scale: int = 6,
    decimals: str = "-6",
    form: str = "ixt:num-dot-decimal",
    more: str = "",
) -> str:
    return (
        f'<ix:nonFraction name="{concept}" contextRef="{context_id}" unitRef="{unit}" '
        f'scale="{scale}" decimals="{decimals}" format="{form}" {more}>{text}</ix:nonFraction>'
    )


def document(
    *body: str,
    contexts: str = "",
    form: str = "10-Q",
    ended: str = "September 30, 2024",
    hidden: str = "",
    amended: str = "false",
    cik: str = "",
    head: str = "",
) -> bytes:
    units = "".join(
        f'<xbrli:unit id="{name}"><xbrli:measure>{measure}</xbrli:measure></xbrli:unit>'
        for name, measure in {
            "usd": "iso4217:USD", "cny": "iso4217:CNY", "shares": "xbrli:shares",
        }.items()
    )  # fmt: skip
    cover = "".join(
        f'<ix:nonNumeric name="dei:{concept}" contextRef="cover">{text}</ix:nonNumeric>'
        for concept, text in {"DocumentType": form, "AmendmentFlag": amended}.items()
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}'
        f'<html xmlns="http://www.w3.org/1999/xhtml" {NAMESPACES}><body><div style="display:none">'
        f"<ix:header><ix:hidden>{cover}{hidden}</ix:hidden><ix:resources>"
        f"{context('cover', TO_DATE, cik=cik)}{context('quarter', QUARTER)}"
        f"{context('to-date', TO_DATE)}{context('before', YEAR_BEFORE)}"
        f"{context('aws', QUARTER, AWS)}{context('aws-to-date', TO_DATE, AWS)}{contexts}{units}"
        "</ix:resources></ix:header></div>"
        '<p>For the quarter ended <ix:nonNumeric name="dei:DocumentPeriodEndDate" '
        f'contextRef="cover" format="ixt:date-monthname-day-year-en">{ended}</ix:nonNumeric></p>'
        f"{''.join(f'<p>{part}</p>' for part in body)}</body></html>"
    ).encode()


def read(content: bytes, company_key: str = "amazon") -> Reading:
    return read_xbrl(content, "amzn-20240930.htm", company_key, load_registry())


def only(content: bytes) -> Figure:
    (figure,) = read(content).figures
    return figure


def test_a_figure_of_a_segment() -> None:
    reading = read(document(number("aws")))
    assert (reading.kind, reading.period_end) == ("10-q", date(2024, 9, 30))
    assert reading.document_id == "amazon.10-q.2024-09-30"
    (figure,) = reading.figures
    assert figure.segment_key == "amazon.segments.aws"
    assert (figure.metric, figure.value, figure.unit) == ("revenue", Decimal(27_452_000_000), "one")
    assert (figure.printed_step, figure.currency) == (Decimal(1_000_000), "USD")
    assert (figure.period_start, figure.period_end) == (date(2024, 7, 1), date(2024, 9, 30))
    assert figure.locator == (
        "us-gaap:Revenues "
        "us-gaap:StatementBusinessSegmentsAxis=amzn:AmazonWebServicesSegmentMember context aws"
    )


@pytest.mark.parametrize(
    ("fact", "value", "step"),
    [
        (number("aws", "2,847", more='sign="-"'), -2_847_000_000, 1_000_000),
        (number("aws", "27.5", scale=9, decimals="-8"), 27_500_000_000, 100_000_000),
        (number("aws", "27452000000", scale=0, form="", decimals="-6"), 27_452_000_000, 1_000_000),
        (number("aws", "27.452,5", form="ixt:num-comma-decimal", decimals="-5"),
         27_452_500_000, 100_000),
        (number("aws", "27 452,5", form="ixt:numspacecomma", decimals="-5"),
         27_452_500_000, 100_000),
        (number("aws", "—", form="ixt:fixed-zero"), 0, 1_000_000),
        (number("aws", "-", form="ixt:zerodash"), 0, 1_000_000),
        (number("aws", "27,452.5", decimals="INF"), 27_452_500_000, 100_000),
        (number("aws", number("aws", "27,452")), 27_452_000_000, 1_000_000),
        (number("aws", "<span>27,</span><b>452</b>"), 27_452_000_000, 1_000_000),
    ],
    ids=["sign", "scale", "no format", "comma", "blank", "zero", "dash", "exact", "nested", "tags"],
)  # fmt: skip
def test_a_number_as_it_is_printed(fact: str, value: int, step: int) -> None:
    figure = only(document(fact))
    assert (figure.value, figure.printed_step) == (Decimal(value), Decimal(step))
    assert "E" not in f"{figure.value}{figure.printed_step}"


@pytest.mark.parametrize(
    "fact",
    [
        number("aws", "(27,452)"),
        number("aws", "27,4x2"),
        number("aws", ""),
        number("aws", "27,452", form=""),
        number("aws", "twelve", form="ixt-sec:numwordsen"),
        number("aws", unit="none"),
        number("nowhere"),
    ],
)
def test_a_number_that_cannot_be_read_is_refused_by_concept_and_context(fact: str) -> None:
    with pytest.raises(DocumentRefused, match=r"amzn-20240930.htm: us-gaap:Revenues in context"):
        read(document(fact))


def test_a_nil_fact_is_none() -> None:
    nil = number("aws", "", form="", more='xsi:nil="true"')
    assert [f.segment_key for f in read(document(nil, number("quarter"))).figures] == [None]


def test_hidden_facts_count_as_those_that_are_shown() -> None:
    assert only(document(hidden=number("aws"))).value == Decimal(27_452_000_000)


def test_unit_is_part_of_the_key() -> None:
    contexts = context("year", ("2024-01-01", "2024-12-31"), (PRODUCT, "us-gaap:ProductMember"))
    body = (number("year", "928,007", unit="cny"), number("year", "127,137"))
    content = document(
        *body, contexts=contexts, form="20-F", ended="December 31, 2024", cik="0001549802"
    )
    reading = read(content, "jd")
    assert reading.kind == "20-f"
    assert {(f.segment_key, f.currency, f.value) for f in reading.figures} == {
        ("jd.net_revenues.net_product_revenues", "CNY", Decimal(928_007_000_000)),
        ("jd.net_revenues.net_product_revenues", "USD", Decimal(127_137_000_000)),
    }


def test_quarter_year_to_date_and_comparative_are_told_apart() -> None:
    ytd = number("to-date", "450,167")
    reading = read(document(number("quarter", "158,877"), ytd, number("before", "143,083")))
    assert {(f.period_type, f.column_role): f.value // 10**6 for f in reading.figures} == {
        ("quarter", "current"): 158_877,
        ("nine_months", "current"): 450_167,
        ("quarter", "prior_year"): 143_083,
    }


def test_a_period_of_another_length_is_left_out_and_said() -> None:
    contexts = context("weeks", ("2024-08-01", "2024-09-30"))
    reading = read(document(number("weeks"), number("quarter"), contexts=contexts))
    assert len(reading.figures) == 1
    assert reading.remarks == ("1 facts left out: revenue of a period of another length",)


def test_facts_that_are_stated_twice_agree_within_the_coarser_precision() -> None:
    rounded = number("aws", "27.5", scale=9, decimals="-8")
    reading = read(document(rounded, number("aws"), rounded))
    (figure,) = reading.figures
    assert (figure.value, figure.printed_step) == (Decimal(27_452_000_000), Decimal(1_000_000))
    assert ("facts stated twice agree", 2) in {(c.name, c.checked) for c in reading.checks}


@pytest.mark.parametrize(
    "other", [number("aws", "27,453"), number("aws", "27.6", scale=9, decimals="-8")]
)
def test_facts_that_contradict_each_other_are_refused(other: str) -> None:
    with pytest.raises(DocumentRefused) as refusal:
        read(document(number("aws"), other))
    words = str(refusal.value)
    for part in ("us-gaap:Revenues", "AmazonWebServicesSegmentMember", "2024-07-01 to 2024-09-30",
                 "27452000000 USD"):  # fmt: skip
        assert part in words
    assert "27453000000" in words or "27600000000" in words


def test_of_two_concepts_the_better_one_counts() -> None:
    other = "us-gaap:RevenueFromContractWithCustomerExcludingAssessedTax"
    body = (number("quarter", "7", concept=other), number("quarter", "9"))
    assert only(document(*body)).value == Decimal(9_000_000)


def test_an_unknown_member_is_refused_with_the_line_to_add() -> None:
    new = context("new", QUARTER, (BUSINESS, "amzn:AmazonWebServiceSegmentMember"))
    with pytest.raises(DocumentRefused) as refusal:
        read(document(number("new"), contexts=new))
    words = str(refusal.value)
    assert "us-gaap:Revenues: the member amzn:AmazonWebServiceSegmentMember" in words
    assert "nearest: AmazonWebServicesSegmentMember (amazon.segments.aws)" in words
    line = f"amazon,{BUSINESS},AmazonWebServiceSegmentMember,,segment,<segment_key>,,<source>"
    assert f"add to xbrl_members.csv `{line}`" in words


def test_a_member_named_as_a_segment_of_the_filer_is_that_segment() -> None:
    """Alibaba's 20-F of March 2025: its own names, no line in the registry."""
    year = ("2024-04-01", "2025-03-31")
    contexts = context(
        "cloud", year, (BUSINESS, "amzn:CloudIntelligenceGroupMember"), cik="0001577552"
    ) + context("all", year, cik="0001577552")
    content = document(
        number("cloud", "118,028", unit="cny"),
        number("all", "996,347", unit="cny"),
        contexts=contexts,
        form="20-F",
        ended="March 31, 2025",
        cik="0001577552",
    )
    reading = read(content, "alibaba")
    assert {(f.segment_key, f.value) for f in reading.figures} == {
        ("alibaba.business_groups.cloud_intelligence_group", Decimal(118_028_000_000)),
        (None, Decimal(996_347_000_000)),
    }


def test_a_member_is_not_guessed_from_another_company() -> None:
    with pytest.raises(DocumentRefused, match="not registered for baidu"):
        read(document(number("aws"), cik="0001329099"), "baidu")


def test_an_unknown_member_of_another_concept_or_axis_is_no_matter() -> None:
    contexts = context("new", QUARTER, (BUSINESS, "amzn:NewMember")) + context(
        "us", QUARTER, ("srt:StatementGeographicalAxis", "country:US")
    )
    body = (number("new", concept="us-gaap:NetIncomeLoss"), number("us"), number("quarter"))
    reading = read(document(*body, contexts=contexts))
    assert len(reading.figures) == 1
    assert "1 facts left out: revenue by srt:StatementGeographicalAxis" in reading.remarks


def test_what_the_registry_leaves_out_is_said_with_its_reason() -> None:
    contexts = context("goods", QUARTER, (PRODUCT, "us-gaap:ProductMember"))
    reading = read(document(number("goods"), number("quarter"), contexts=contexts))
    assert [figure.segment_key for figure in reading.figures] == [None]
    assert "net sales of products" in reading.remarks[0]


def test_operating_segments_qualify_and_a_part_within_a_part_is_left_out() -> None:
    operating = (CONSOLIDATION, "us-gaap:OperatingSegmentsMember")
    online = (PRODUCT, "amzn:OnlineStoresMember")
    contexts = (
        context("operating", QUARTER, AWS, operating)
        + context("all", QUARTER, operating)
        + context("part", QUARTER, AWS, online)
    )
    body = (number("operating"), number("all", "158,877"), number("part", "1"))
    reading = read(document(*body, contexts=contexts))
    (figure,) = reading.figures
    assert (figure.segment_key, figure.value) == ("amazon.segments.aws", Decimal(27_452_000_000))
    assert set(reading.remarks) == {
        "1 facts left out: revenue of a part within a part",
        "1 facts left out: revenue of all segments",
    }


def test_a_member_stands_for_the_structure_of_the_documents_period() -> None:
    cloud = (BUSINESS, "msft:IntelligentCloudMember")
    contexts = context("cloud", QUARTER, cloud) + context("earlier", YEAR_BEFORE, cloud)
    content = document(number("cloud"), number("earlier"), contexts=contexts, cik="0000789019")
    content = content.replace(b'xmlns:amzn="', b'xmlns:msft="http://microsoft.com/x" xmlns:amzn="')
    assert {figure.segment_key for figure in read(content, "microsoft").figures} == {
        "microsoft.segments_fy2025.intelligent_cloud"
    }


def test_one_member_may_be_a_segment_and_a_revenue_line() -> None:
    cloud, services = (BUSINESS, "goog:GoogleCloudMember"), (BUSINESS, "goog:GoogleServicesMember")
    ads = (PRODUCT, "goog:GoogleAdvertisingRevenueMember")
    contexts = context("cloud", QUARTER, cloud) + context("ads", QUARTER, services, ads)
    body = (
        number("cloud"),
        number("cloud", "1,947", concept="us-gaap:OperatingIncomeLoss"),
        number("ads", "65,854"),
    )
    content = document(*body, contexts=contexts, cik="0001652044")
    content = content.replace(b'xmlns:amzn="', b'xmlns:goog="http://google.com/x" xmlns:amzn="')
    assert {(f.segment_key, f.metric) for f in read(content, "alphabet").figures} == {
        ("alphabet.segments.google_cloud", "revenue"),
        ("alphabet.segments.google_cloud", "operating_income"),
        ("alphabet.revenue_sources.google_cloud", "revenue"),
        ("alphabet.revenue_sources.google_advertising", "revenue"),
    }


@pytest.mark.parametrize(("form", "amended"), [("10-Q/A", "true"), ("10-Q", "true")])
def test_an_amendment_is_said(form: str, amended: str) -> None:
    reading = read(document(number("aws"), form=form, amended=amended))
    assert reading.kind == "10-q"
    assert reading.title.startswith(f"Form {form}")
    assert "amends an earlier report" in reading.remarks


def test_shares_of_the_cover_are_stated() -> None:
    shares = number(
        "quarter", "10,515,011,420", "dei:EntityCommonStockSharesOutstanding", "shares", 0, "INF"
    )
    (stated,) = read(document(shares, number("quarter"))).statements
    assert (stated.kpi, stated.value) == ("ordinary_shares_outstanding", Decimal("10515.011420"))


BOMB = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (document(number("aws"), form="8-K"), "a form 8-K is not read"),
        (document(number("aws"), ended="soon"), "DocumentPeriodEndDate: 'soon' is no day"),
        (document(number("aws"), cik="0000789019"), "is of CIK 0000789019, and amazon is"),
        (b"<html><body>10-Q</body></html>", "dei:DocumentType is not tagged"),
        (b"<html><body>10-Q", "is no well-formed XML"),
        (b"", "is no well-formed XML"),
        (document(number("aws"), head=BOMB), "declares entities"),
        (document(number("aws"), head=OUTSIDE), "declares entities"),
        (document(number("aws")).decode().encode("utf-16"), "UTF-16"),
        (b"x" * 60_000_001, "60,000,001 bytes"),
    ],
    ids=["form", "day", "company", "no XBRL", "truncated", "empty", "bomb", "entity", "utf-16",
         "huge"],
)  # fmt: skip
def test_what_is_no_such_report_is_refused(content: bytes, expected: str) -> None:
    with pytest.raises(DocumentRefused, match=r"amzn-20240930\.htm: ") as refusal:
        read(content)
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"amazon,{BUSINESS},X,,segment,,,s", "segment_key: None must be given for a segment"),
        (f"amazon,{BUSINESS},X,,left out,,,s", "reason: None must be given for what is left out"),
        (f"amazon,{BUSINESS},X,,segment,jd.net_revenues.net_product_revenues,,s",
         "is of another company"),
        (f"amazon,{BUSINESS},X,,segment,amazon.segments.x,,s", "is not in segments"),
        (f"amazon,{BUSINESS},AmazonWebServicesSegmentMember,,segment,amazon.segments.international,,s",
         "is a second segment of one structure"),
        ("amazon,BusinessSegments,X,,left out,,r,s", "axis: 'BusinessSegments'"),
        (f"amazon,{BUSINESS},X,,left out,,r,", "source: '' Field required"),
    ],
    ids=["no segment", "no reason", "other company", "unknown segment", "second segment", "axis",
         "no source"],
)  # fmt: skip
def test_a_wrong_line_of_the_registry_is_refused(tmp_path: Path, line: str, expected: str) -> None:
    folder = shutil.copytree(DATA, tmp_path / "registry")
    with (folder / "xbrl_members.csv").open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(RegistryError) as refusal:
        load_registry(folder)
    assert any(p.startswith("xbrl_members.csv:") and expected in p for p in refusal.value.problems)


def test_a_line_in_the_registry_is_all_that_a_new_member_needs(tmp_path: Path) -> None:
    folder = shutil.copytree(DATA, tmp_path / "registry")
    with (folder / "xbrl_members.csv").open("a") as stream:
        stream.write(f"amazon,{BUSINESS},NewMember,,segment,amazon.segments.aws,,s\n")
    content = document(
        number("new"), contexts=context("new", QUARTER, (BUSINESS, "amzn:NewMember"))
    )
    reading = read_xbrl(content, "x.htm", "amazon", load_registry(folder))
    assert [figure.segment_key for figure in reading.figures] == ["amazon.segments.aws"]


def test_a_document_without_figures_is_a_refusal_of_its_own() -> None:
    with pytest.raises(NothingTagged):
        read(document())


def test_a_continued_text_is_read_to_its_end() -> None:
    content = document(
        '<ix:continuation id="rest">30, 2024</ix:continuation>', ended="September "
    ).replace(b'format="ixt:date-', b'continuedAt="rest" format="ixt:date-')
    facts = read_facts(content, "x.htm", (), ("dei:DocumentPeriodEndDate",))
    assert [fact.text for fact in facts.texts] == ["2024-09-30"]


def test_an_instance_says_the_same() -> None:
    inline = document(number("aws"), number("quarter", "158,877"))
    instance = (
        f'<?xml version="1.0"?><xbrli:xbrl {NAMESPACES}>'
        f"{context('cover', TO_DATE)}{context('quarter', QUARTER)}{context('aws', QUARTER, AWS)}"
        '<xbrli:unit id="usd"><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unit>'
        '<dei:DocumentType contextRef="cover">10-Q</dei:DocumentType>'
        '<dei:DocumentPeriodEndDate contextRef="cover">2024-09-30</dei:DocumentPeriodEndDate>'
        '<us-gaap:Revenues contextRef="quarter" unitRef="usd" decimals="-6">158877000000'
        "</us-gaap:Revenues>"
        '<us-gaap:Revenues contextRef="aws" unitRef="usd" decimals="-6">27452000000'
        "</us-gaap:Revenues>"
        '<us-gaap:OperatingIncomeLoss contextRef="aws" unitRef="usd" xsi:nil="true"/>'
        "</xbrli:xbrl>"
    ).encode()
    assert read(instance).figures == read(inline).figures
