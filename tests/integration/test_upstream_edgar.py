"""SEC EDGAR under every misbehaviour: real client, guard and landing."""

from __future__ import annotations

import json
import shutil
import threading
import time
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pyarrow.csv as pa_csv
import pytest

from orchestration import live, schedules, sec
from orchestration.contracts import contract_for
from orchestration.extract import baseline
from orchestration.extract.edgar import MissingContact
from orchestration.extract.transport import Policy, forget_hosts
from orchestration.filings import announced_period
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.schedules import new_filings
from orchestration.settings import Settings
from tests.conftest import warehouse
from tests.upstreams import edgar, matrix
from tests.upstreams.edgar import ALIBABA, ALPHABET, MICROSOFT, NVIDIA, Edgar
from tests.upstreams.misbehaviours import (
    TRANSPORT_FAULTS,
    TRANSPORT_MESSAGES,
    answers,
    with_body,
)
from tests.upstreams.server import Reply, UpstreamServer

TODAY = date(2026, 11, 24)
FIRST = edgar.results("0001104659-26-000101", date(2026, 8, 20), "June", "June 30, 2026")
SECOND = edgar.notice("0001104659-26-000102", date(2026, 8, 21))
NEW = edgar.results("0001104659-26-000109", date(2026, 11, 20), "September", "September 30, 2026")
ANNUAL = edgar.annual("0001104659-26-000077", "20-F", date(2026, 6, 26), date(2026, 3, 31))
AMENDED = edgar.annual("0001104659-26-000090", "20-F/A", date(2026, 7, 30), date(2026, 3, 31))


def revenue(value: int = 1_023_670_000_000) -> dict[str, object]:
    year = ("2025-04-01", "2026-03-31")
    shares = edgar.fact(ANNUAL.accession, None, "2026-03-31", 19_123_456_789)
    return {
        "us-gaap": {
            "Revenues": {
                "units": {
                    "CNY": [
                        edgar.fact(ANNUAL.accession, *year, value),
                        edgar.fact(ANNUAL.accession, "2024-04-01", "2025-03-31", 996_347_000_000),
                        edgar.fact("0000000000-00-000000", *year, 1),
                    ],
                    "USD": [edgar.fact(ANNUAL.accession, *year, 141_000_000_000)],
                }
            },
            "ProfitLoss": {"units": {"CNY": [edgar.fact(ANNUAL.accession, *year, 90_000_000_000)]}},
            "NetIncomeLoss": {
                "units": {"CNY": [edgar.fact(ANNUAL.accession, *year, 95_000_000_000)]}
            },
            "PaymentsToAcquirePropertyPlantAndEquipment": {
                "units": {"CNY": [edgar.fact(ANNUAL.accession, *year, 5_000_000_000)]}
            },
        },
        "dei": {"EntityCommonStockSharesOutstanding": {"units": {"shares": [shares]}}},
    }


@dataclass
class World:
    """The local server with EDGAR behind it, and settings that point to it."""

    server: UpstreamServer
    edgar: Edgar
    settings: Settings


@pytest.fixture
def world() -> Iterator[World]:
    with _world() as made:
        yield made


@contextmanager
def _world() -> Iterator[World]:
    played = Edgar(
        filings={ALIBABA: [SECOND, FIRST, AMENDED]},
        older={ALIBABA: [ANNUAL]},
        facts={ALIBABA: revenue()},
    )
    forget_hosts()
    with UpstreamServer({"/sec": played.handle}) as server:
        settings = Settings(
            sec_url=f"{server.url}/sec",
            sec_contact="data@example.org",
            sec_requests_per_second=1000,
            filings_since=date(2026, 1, 1),
            attempts=3,
            backoff_seconds=0.01,
            read_timeout_seconds=0.3,
            total_timeout_seconds=5,
            max_answer_megabytes=20,
            breaker_seconds=0,
        )
        yield World(server, played, settings)


@pytest.fixture
def loader(home: Home) -> Loader:
    return Loader(home, today=TODAY)


@pytest.fixture(scope="module")
def landed_before(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A warehouse that has landed what the SEC had at first."""
    home = Home(tmp_path_factory.mktemp("edgar"))
    with _world() as made, warehouse(home):
        sec.update_edgar(Loader(home, today=TODAY), made.settings)
    # Its answers are of another address.
    shutil.rmtree(home.root / "cache")
    return home


def documents(loader: Loader) -> dict[str, str]:
    rows = loader.landing.newest("document", "edgar").to_pylist()
    return {row["accession"]: row["document_id"] for row in rows}


def test_filings_become_documents(world: World, loader: Loader) -> None:
    assert sec.update_edgar(loader, world.settings).failures == []
    assert documents(loader) == {
        ANNUAL.accession: "alibaba.20-f.2026-03-31",
        AMENDED.accession: "alibaba.20-f.2026-03-31.a1",
        FIRST.accession: "alibaba.results.2026-06-30",
        SECOND.accession: "alibaba.6-k.2026-08-21",
    }
    (row,) = (
        row
        for row in loader.landing.newest("document").to_pylist()
        if row["accession"] == FIRST.accession
    )
    assert (row["period_end"], row["reported_on"]) == (date(2026, 6, 30), date(2026, 8, 20))
    kept = loader.landing.folder / "files" / row["sha256"][:2] / f"{row['sha256']}.htm"
    assert kept.read_text() == FIRST.exhibits["EX-99.1"]


def test_the_release_keeps_the_id_of_the_curated_document(world: World, loader: Loader) -> None:
    contract = contract_for("document")
    loader.load(contract, baseline.read("document", contract.batch_schema))
    sec.update_edgar(loader, world.settings)
    rows = loader.landing.newest("document").to_pylist()
    same = [row for row in rows if row["document_id"] == "alibaba.results.2026-06-30"]
    assert [(row["source"], row["accession"]) for row in same] == [("edgar", FIRST.accession)]


def test_facts_become_results(world: World, loader: Loader) -> None:
    outcome = sec.update_edgar(loader, world.settings)
    rows = {
        (row["metric"], row["currency"], row["period_end"]): row
        for row in loader.landing.newest("company_result").to_pylist()
    }
    newest = rows["revenue", "CNY", date(2026, 3, 31)]
    assert newest["value"] == Decimal("1023670000000")
    assert newest["document_id"] == "alibaba.20-f.2026-03-31"
    assert (newest["unit"], newest["period_type"]) == ("one", "year")
    assert (newest["column_role"], newest["printed_step"]) == ("current", Decimal(1_000_000))
    assert rows["revenue", "CNY", date(2025, 3, 31)]["column_role"] == "prior_year"
    assert rows["revenue", "USD", date(2026, 3, 31)]["value"] == Decimal("141000000000")
    assert rows["net_income", "CNY", date(2026, 3, 31)]["value"] == Decimal("90000000000")
    assert not any(metric == "capital_expenditure" for metric, _, _ in rows), "another definition"
    (shares,) = loader.landing.newest("kpi").to_pylist()
    assert (shares["value"], shares["unit"]) == (Decimal("19123.456789"), "million shares")
    remark, *_ = outcome.remarks
    assert "1 of unknown document" in remark


def test_asking_again_lands_nothing_and_is_conditional(world: World, loader: Loader) -> None:
    sec.update_edgar(loader, world.settings)
    assert sec.update_edgar(loader, world.settings).loaded == []
    assert world.edgar.not_modified >= 2


def test_no_contact_no_request(world: World, loader: Loader) -> None:
    for contact in (None, "", "nobody"):
        bare = world.settings.model_copy(update={"sec_contact": contact})
        with pytest.raises(MissingContact, match="WAREHOUSE_SEC_CONTACT"):
            sec.update_edgar(loader, bare)
    assert world.server.seen == []


#: What a user reads of a fault of the list of filings; one that is not here is harmless.
MESSAGES = {
    **TRANSPORT_MESSAGES,
    "truncated body": "is no JSON",
    "malformed body": "is no JSON",
    "HTML consent page": "is no JSON",
    "empty result": "filings: Field required",
    "renamed field": "accessionNumber: Field required",
    "changed type": "filingDate.0",
    "null values": "accessionNumber.0",
}


def _readable(failures: list[str], world: World, entries: list[str]) -> str:
    words = " ".join(failures[:1]).replace(world.server.url, "").split("see `")[0]
    for entry in entries:
        words = words.replace(entry, f"{entry.split('/')[0]}/...")
    return words


@pytest.mark.parametrize("misbehaviour", [*TRANSPORT_FAULTS, *edgar.FORMAT_FAULTS])
def test_misbehaviour(landed_before: Home, world: World, home: Home, misbehaviour: str) -> None:
    shutil.copytree(landed_before.root, home.root, dirs_exist_ok=True)
    loader = Loader(home, today=TODAY)
    before = {d: loader.landing.newest(d) for d in ("document", "company_result", "kpi")}
    world.edgar.filings[ALIBABA].insert(0, NEW)
    if "bomb" in misbehaviour:  # it takes a while to make
        world.settings = world.settings.model_copy(
            update={"read_timeout_seconds": 30, "total_timeout_seconds": 30}
        )
    path = f"/submissions/CIK{ALIBABA:010d}.json"
    world.server.misbehave(
        {**TRANSPORT_FAULTS, **edgar.FORMAT_FAULTS}[misbehaviour],
        path=path if misbehaviour != "redirect loop" else "CIK",
    )
    outcome = sec.update_edgar(loader, world.settings)
    quarantined = loader.quarantine.entries()
    landed = sum(loaded.assertion.rows for loaded in outcome.loaded)
    if misbehaviour in MESSAGES:
        assert any(MESSAGES[misbehaviour] in failure for failure in outcome.failures)
        assert landed == 0
        for dataset, rows in before.items():
            assert loader.landing.newest(dataset).equals(rows)
    elif misbehaviour == "future date":
        (failure,) = outcome.failures
        assert "reported_on: is not after 2026-11-24" in failure
        assert landed == 0
        assert loader.landing.newest("document").equals(before["document"])
    else:
        assert outcome.failures == []
        assert landed == 1
    assert bool(quarantined) == (misbehaviour == "future date")
    matrix.record(
        "edgar",
        misbehaviour,
        f"{landed} new rows" if landed else "nothing",
        "the batch" if quarantined else "nothing",
        _readable(outcome.failures, world, [entry.entry_id for entry in quarantined]),
    )
    world.server.behave()
    forget_hosts()
    sec.update_edgar(loader, world.settings)
    assert documents(loader)[NEW.accession] == "alibaba.results.2026-09-30"


@pytest.mark.parametrize("fault", ["503", "truncated body", "HTML consent page"])
def test_facts_that_do_not_come_leave_the_documents_landed(
    world: World, loader: Loader, fault: str
) -> None:
    world.server.misbehave(TRANSPORT_FAULTS[fault], path="companyfacts")
    outcome = sec.update_edgar(loader, world.settings)
    (failure,) = outcome.failures
    assert "companyfacts" in failure
    assert len(documents(loader)) == 4
    assert loader.landing.newest("company_result").num_rows == 0
    world.server.behave()
    forget_hosts()
    sec.update_edgar(loader, world.settings, [ANNUAL.accession])
    assert loader.landing.newest("company_result").num_rows == 4


def test_facts_that_come_later_than_their_filing_are_asked_for_again(
    world: World, loader: Loader
) -> None:
    world.edgar.facts[ALIBABA] = {"us-gaap": {"Assets": {"units": {}}}}
    early = sec.update_edgar(loader, world.settings)
    assert early.failures == []
    assert f"alibaba: facts of {ANNUAL.accession} are not there yet" in early.remarks[0]
    world.edgar.facts[ALIBABA] = revenue()
    sec.update_edgar(loader, world.settings)
    assert loader.landing.newest("company_result").num_rows == 4


def test_one_filing_does_not_hold_up_the_others(world: World, loader: Loader) -> None:
    folder = SECOND.accession.replace("-", "")
    world.server.misbehave(answers(Reply(b"", 404)), path=folder)
    outcome = sec.update_edgar(loader, world.settings)
    (failure,) = outcome.failures
    assert folder in failure
    assert set(documents(loader)) == {ANNUAL.accession, AMENDED.accession, FIRST.accession}


def test_a_document_that_is_rejected_is_quarantined_alone(world: World, loader: Loader) -> None:
    world.edgar.filings[ALIBABA].insert(0, replace(NEW, filed_on=date(2031, 1, 2)))
    outcome = sec.update_edgar(loader, world.settings)
    assert "reported_on: is not after 2026-11-24: 1 failing rows" in outcome.failures[0]
    assert len(documents(loader)) == 4
    assert [entry.report.rows for entry in loader.quarantine.entries()] == [1]


def test_a_6k_dated_to_the_end_of_its_month_is_of_the_day_it_was_filed(
    world: World, loader: Loader
) -> None:
    world.edgar.filings[ALIBABA][0] = replace(SECOND, report_date=date(2026, 8, 31))
    assert sec.update_edgar(loader, world.settings).failures == []
    assert documents(loader)[SECOND.accession] == "alibaba.6-k.2026-08-21"


def test_a_value_that_a_document_contradicts_is_counted(world: World, loader: Loader) -> None:
    tagged = world.edgar.facts[ALIBABA]["us-gaap"]["Revenues"]["units"]["CNY"]
    tagged.insert(0, tagged[0] | {"val": 7})
    outcome = sec.update_edgar(loader, world.settings)
    assert "1 of contradicted by a later fact" in outcome.remarks[0]
    assert Decimal(7) not in loader.landing.newest("company_result")["value"].to_pylist()


def test_ids_are_numbered_in_the_order_of_filing_whichever_is_asked_for_first(
    world: World, loader: Loader
) -> None:
    third = edgar.notice("0001104659-26-000103", SECOND.filed_on)
    world.edgar.filings[ALIBABA].insert(0, third)
    for filing in (third, SECOND):
        assert sec.update_edgar(loader, world.settings, [filing.accession]).failures == []
    ids = documents(loader)
    assert ids[SECOND.accession] == "alibaba.6-k.2026-08-21"
    assert ids[third.accession] == "alibaba.6-k.2026-08-21.2"


def test_one_company_does_not_hold_up_the_others(world: World, loader: Loader) -> None:
    world.edgar.filings[MICROSOFT] = [
        edgar.annual("0000789019-26-000001", "10-Q", date(2026, 4, 28), date(2026, 3, 31))
    ]
    world.server.misbehave(TRANSPORT_FAULTS["500"], path=f"CIK{ALIBABA:010d}")
    outcome = sec.update_edgar(loader, world.settings)
    assert any(str(ALIBABA) in failure for failure in outcome.failures)
    assert documents(loader)["0000789019-26-000001"] == "microsoft.10-q.2026-03-31"


def test_a_date_that_is_none_names_its_field_and_holds_up_no_other_company(
    world: World, loader: Loader
) -> None:
    world.edgar.filings[MICROSOFT] = [
        edgar.annual("0000789019-26-000001", "10-Q", date(2026, 4, 28), date(2026, 3, 31))
    ]

    def spoil(body: bytes) -> bytes:
        content = json.loads(body)
        content["filings"]["recent"]["reportDate"][0] = "soon"
        return json.dumps(content).encode()

    world.server.misbehave(with_body(spoil), path=f"submissions/CIK{ALIBABA:010d}.json")
    outcome = sec.update_edgar(loader, world.settings)
    assert any("filings.recent.reportDate.0: Input should be" in f for f in outcome.failures)
    assert set(documents(loader)) == {"0000789019-26-000001"}


def test_a_fact_that_cannot_be_right_holds_up_its_own_document_alone(
    world: World, loader: Loader
) -> None:
    second_annual = edgar.annual(
        "0001104659-26-000091", "20-F", date(2026, 8, 1), date(2026, 3, 31)
    )
    world.edgar.filings[ALIBABA].append(second_annual)
    tagged = world.edgar.facts[ALIBABA]["us-gaap"]["Revenues"]["units"]["CNY"]
    tagged.append(edgar.fact(second_annual.accession, "2204-04-01", "2205-03-31", 5))
    (failure,) = sec.update_edgar(loader, world.settings).failures
    assert "period_end: is not after 2026-11-24: 1 failing rows" in failure
    assert loader.landing.newest("company_result").num_rows == 4
    assert [entry.report.rows for entry in loader.quarantine.entries()] == [1]


def test_at_most_eight_requests_a_second_over_all_threads(world: World) -> None:
    from orchestration.extract.edgar import client

    limited = Policy(requests_per_second=8)

    # The SEC has two hosts, and counts the requests to both.
    here = str(world.settings.sec_url)
    hosts = (here, here.replace("127.0.0.1", "localhost"))

    def ask(host: str) -> None:
        transport = client("data@example.org", limited)
        for _ in range(4):
            transport.get(f"{host}/submissions/CIK{ALIBABA:010d}.json")

    threads = [threading.Thread(target=ask, args=(host,)) for host in hosts * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [seen.at for seen in world.server.seen]
    assert len(times) == 16
    # A request may arrive a moment later than it was let through: allow one in the window for it.
    assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 9


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (edgar.release("June", "June 30, 2025"), date(2025, 6, 30)),
        (
            "<p>ACME ANNOUNCES FOURTH QUARTER AND FISCAL YEAR 2025 RESULTS</p>"
            "<p>More than in the year ended June 30, 2024: for the quarter ended June 30, 2025</p>",
            date(2025, 6, 30),
        ),
        ("<p>Acme announces a new chief executive</p>", None),
        (
            "<p>Acme announces results of its annual general meeting</p>"
            "<p>which received the accounts for the year ended June 30, 2025</p>",
            None,
        ),
        (
            "<p>Acme Will Announce June Quarter 2025 Results on August 20, 2025</p>"
            "<p>It will report its results for the quarter ended June 30, 2025.</p>",
            None,
        ),
    ],
)
def test_a_release_is_known_by_its_words(words: str, expected: date | None) -> None:
    assert announced_period(words.encode(), date(2025, 8, 20)) == expected


@pytest.mark.parametrize(("folder", "count"), [("alibaba_releases", 29), ("peer_releases/jd", 19)])
def test_real_releases_announce_their_period(folder: str, count: int) -> None:
    releases = sorted((edgar.RECORDED.parent / folder).glob("*.txt"))
    if not releases:
        pytest.skip("shared/upstream is not here: real releases are read where present")
    found = {}
    for release in releases:
        year, month = map(int, release.stem.split("-"))
        ended = date(year, month, monthrange(year, month)[1])
        found[ended] = announced_period(release.read_bytes(), ended + timedelta(days=50))
    right = {ended for ended, announced in found.items() if announced == ended}
    # One text of JD has a blank inside a year; nothing is better than the year before.
    assert all(announced is None for ended, announced in found.items() if ended not in right)
    assert len(right) == count


def _real(cik: int) -> None:
    if not (edgar.RECORDED / f"CIK{ALPHABET:010d}.json").exists():
        pytest.skip("shared/upstream/sec is not here: real answers are read where present")


@pytest.mark.parametrize(("company", "cik"), [("microsoft", MICROSOFT), ("nvidia", NVIDIA)])
def test_real_filings_get_the_ids_of_the_curated_documents(
    world: World, loader: Loader, company: str, cik: int
) -> None:
    _real(cik)
    world.edgar.recorded = frozenset({cik})
    curated = {
        row["accession"]: row["document_id"]
        for row in pa_csv.read_csv(Path("orchestration/baseline/document.csv")).to_pylist()
        # Some curated releases carry the accession number of the report they were read with.
        if row["company_key"] == company and row["accession"] and row["kind"] != "results"
    }
    since = world.settings.model_copy(update={"filings_since": date(2018, 1, 1)})
    unseen, _ = sec.unseen_filings(loader, since)
    from orchestration.filings import Publication, document_batch

    found = [
        Publication(f, f.form.removesuffix("/A").lower(), f.report_date or f.filed_on, _nothing())
        for f in unseen[company]
    ]
    ours = {
        row["accession"]: row["document_id"]
        for row in document_batch(company, found, {}).to_dict("records")
    }
    both = set(ours) & set(curated)
    assert len(both) > 5
    assert {a: ours[a] for a in both} == {a: curated[a] for a in both}


def _nothing():  # type: ignore[no-untyped-def]
    from orchestration.extract.edgar import Exhibit

    return Exhibit("10-K", "x.htm", "https://www.sec.gov/x", b"")


def test_real_facts_of_alphabet_are_the_curated_ones(
    loader: Loader, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    _real(ALPHABET)
    world.edgar.recorded = frozenset({ALPHABET})
    for dataset in ("document", "company_result"):
        contract = contract_for(dataset)
        loader.load(contract, baseline.read(dataset, contract.batch_schema))
    update = live.Update("edgar")
    sec._land_facts(loader, world.settings, sec._sec(world.settings), "alphabet", [], update)
    assert update.failures == []
    # The curated revenue is of second-hand documents: what counts is the period.
    ours = {
        (row["metric"], row["period_start"], row["period_end"]): row["value"]
        for row in loader.landing.newest("company_result", "edgar").to_pylist()
        if row["column_role"] == "current"
    }
    counted: Counter[tuple[str, str]] = Counter()
    for row in baseline.read("company_result", contract_for("company_result").batch_schema).to_dict(
        "records"
    ):
        if row["company_key"] == "alphabet" and row["column_role"] != "derived":
            value = ours.get((row["metric"], row["period_start"], row["period_end"]))
            verdict = "right" if value == row["value"] * 1_000_000 else "wrong"
            counted[row["metric"], "absent" if value is None else verdict] += 1
    with capsys.disabled():
        print(f"\nAlphabet, curated in real facts: {dict(counted)}")
    # No filing of Alphabet tags a fourth quarter: the five of 2021 to 2025 are absent.
    assert counted == {
        ("revenue", "right"): 15,
        ("revenue", "absent"): 5,
        ("capital_expenditure", "right"): 11,
    }


def sensor_context(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(instance=instance, cursor=cursor)


def test_the_sensor_asks_for_each_new_filing_once(
    world: World, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "WAREHOUSE_SEC_URL": str(world.settings.sec_url),
        "WAREHOUSE_SEC_CONTACT": "data@example.org",
        "WAREHOUSE_FILINGS_SINCE": "2026-01-01",
        "WAREHOUSE_SEC_REQUESTS_PER_SECOND": "1000",
    }
    monkeypatch.setattr(schedules, "_today_in_new_york", lambda: date(2026, 11, 24))
    with warehouse(home, environment), dg.DagsterInstance.ephemeral() as instance:
        first = new_filings(sensor_context(instance, None))
        assert isinstance(first, dg.SensorResult)
        asked = [request.partition_key for request in first.run_requests or []]
        assert asked == [f.accession for f in (ANNUAL, AMENDED, FIRST, SECOND)]
        assert set(instance.get_dynamic_partitions("filings")) == set(asked)
        again = new_filings(sensor_context(instance, first.cursor))
        assert isinstance(again, dg.SensorResult)
        assert not again.run_requests
        world.edgar.filings[ALIBABA].insert(0, NEW)
        later = new_filings(sensor_context(instance, again.cursor))
        assert isinstance(later, dg.SensorResult)
        (request,) = later.run_requests or []
        assert request.partition_key == request.run_key == NEW.accession
        assert NEW.accession in json.loads(str(later.cursor))
        monkeypatch.setattr(schedules, "_today_in_new_york", lambda: date(2026, 11, 28))
        assert isinstance(new_filings(sensor_context(instance, None)), dg.SkipReason)
    with warehouse(home, {"WAREHOUSE_SEC_URL": str(world.settings.sec_url)}):
        monkeypatch.setattr(schedules, "_today_in_new_york", lambda: date(2026, 11, 24))
        with dg.DagsterInstance.ephemeral() as instance:
            skipped = new_filings(sensor_context(instance, None))
    assert isinstance(skipped, dg.SkipReason)
    assert "WAREHOUSE_SEC_CONTACT" in str(skipped.skip_message)


@pytest.mark.parametrize("fault", ["503", "stalled body"])
def test_the_sensor_says_why_it_saw_nothing_and_keeps_its_cursor(
    world: World, home: Home, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(schedules, "_today_in_new_york", lambda: date(2026, 11, 24))
    monkeypatch.setattr(schedules, "_LOOK_SECONDS", 0.2)
    world.server.misbehave(TRANSPORT_FAULTS[fault])
    # As patient as the clients are by default: Dagster gives a sensor a minute.
    environment = {
        "WAREHOUSE_SEC_URL": str(world.settings.sec_url),
        "WAREHOUSE_SEC_CONTACT": "data@example.org",
    }
    started = time.monotonic()
    with warehouse(home, environment), dg.DagsterInstance.ephemeral() as instance:
        context = sensor_context(instance, '["0001104659-26-000077"]')
        skipped = new_filings(context)
    assert time.monotonic() - started < 10
    assert isinstance(skipped, dg.SkipReason)
    assert {"503": "answers 503", "stalled body": "no answer in time"}[fault] in str(
        skipped.skip_message
    )
    assert "left alone" in str(skipped.skip_message)
    assert context.cursor == '["0001104659-26-000077"]'


def test_a_live_run_without_contact_does_without_the_sec_unless_it_is_named(
    world: World, home: Home
) -> None:
    from orchestration.definitions import defs
    from orchestration.run import _execute

    keys = {dg.AssetKey(["edgar", "document"])}
    with (
        warehouse(home, {"WAREHOUSE_SEC_URL": str(world.settings.sec_url)}),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        for is_named in (False, True):
            summary = _execute(defs, "fetch_edgar", keys, instance, is_named)
            assert summary.succeeded is not is_named
            (words,) = summary.failures if is_named else summary.remarks
            assert "WAREHOUSE_SEC_CONTACT" in words
    assert world.server.seen == []


def test_a_fact_that_is_tagged_otherwise_later_is_a_new_assertion(
    world: World, loader: Loader
) -> None:
    sec.update_edgar(loader, world.settings)
    world.edgar.facts[ALIBABA] = revenue(1_023_671_000_000)
    world.edgar.filings[ALIBABA].insert(0, NEW)
    outcome = sec.update_edgar(loader, world.settings)
    assert outcome.failures == []
    values = [
        row["value"]
        for row in loader.landing.newest("company_result").to_pylist()
        if (row["metric"], row["currency"]) == ("revenue", "CNY")
        and row["period_end"] == date(2026, 3, 31)
    ]
    assert values == [Decimal("1023671000000")]
    matrix.record("edgar", "rewritten history", "1 new row of the fact", "nothing", "")
