"""Two real annual reports of Amazon: an inline document and an extracted instance."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from orchestration.contracts import contract_for
from orchestration.documents.fourth_quarters import derive
from orchestration.documents.reading import Reading
from orchestration.documents.rows import company_batch, kpi_batch, segment_batch
from orchestration.documents.xbrl import read_xbrl
from orchestration.extract import baseline
from orchestration.home import Home
from orchestration.loading import Loader
from orchestration.registry import load_registry
from tests.upstreams.edgar import RECORDED

INLINE = "amzn-10-k-2025-02-07.html"
INSTANCE = "amzn_10k_2022_xbrl/amzn-20221231_htm.xml"
#: As the reports print them, in millions of US dollars: note 10 (segments) and the sales by similar
#: products and services after it.
PRINTED: dict[tuple[str, str], dict[int, int]] = {
    ("segments.north_america", "revenue"):
        {2020: 236282, 2021: 279833, 2022: 315880, 2023: 352828, 2024: 387497},
    ("segments.north_america", "operating_income"):
        {2020: 8651, 2021: 7271, 2022: -2847, 2023: 14877, 2024: 24967},
    ("segments.international", "revenue"):
        {2020: 104412, 2021: 127787, 2022: 118007, 2023: 131200, 2024: 142906},
    ("segments.international", "operating_income"):
        {2020: 717, 2021: -924, 2022: -7746, 2023: -2656, 2024: 3792},
    ("segments.aws", "revenue"):
        {2020: 45370, 2021: 62202, 2022: 80096, 2023: 90757, 2024: 107556},
    ("segments.aws", "operating_income"):
        {2020: 13531, 2021: 18532, 2022: 22841, 2023: 24631, 2024: 39834},
    ("product_lines_2021.online_stores", "revenue"):
        {2020: 197346, 2021: 222075, 2022: 220004, 2023: 231872, 2024: 247029},
    ("product_lines_2021.physical_stores", "revenue"):
        {2020: 16227, 2021: 17075, 2022: 18963, 2023: 20030, 2024: 21215},
    ("product_lines_2021.third_party_seller_services", "revenue"):
        {2020: 80461, 2021: 103366, 2022: 117716, 2023: 140053, 2024: 156146},
    ("product_lines_2021.advertising_services", "revenue"):
        {2020: 19773, 2021: 31160, 2022: 37739, 2023: 46906, 2024: 56214},
    ("product_lines_2021.subscription_services", "revenue"):
        {2020: 25207, 2021: 31768, 2022: 35218, 2023: 40209, 2024: 44374},
    ("product_lines_2021.aws", "revenue"):
        {2020: 45370, 2021: 62202, 2022: 80096, 2023: 90757, 2024: 107556},
    ("product_lines_2021.other", "revenue"):
        {2020: 1680, 2021: 2176, 2022: 4247, 2023: 4958, 2024: 5425},
}  # fmt: skip
CONSOLIDATED = {
    "revenue": {2020: 386064, 2021: 469822, 2022: 513983, 2023: 574785, 2024: 637959},
    "operating_income": {2020: 22899, 2021: 24879, 2022: 12248, 2023: 36852, 2024: 68593},
}
YEARS = {INLINE: (2022, 2023, 2024), INSTANCE: (2020, 2021, 2022)}


@cache
def reading(name: str) -> Reading:
    path = RECORDED / name
    if not path.exists():
        pytest.skip("shared/upstream/sec is not here: real reports are read where present")
    return read_xbrl(path.read_bytes(), path.name, "amazon", load_registry())


def millions(name: str) -> dict[tuple[str | None, str, int], Decimal]:
    return {
        (figure.segment_key, figure.metric, figure.period_end.year): figure.value / 10**6
        for figure in reading(name).figures
    }


@pytest.mark.parametrize("name", [INLINE, INSTANCE])
def test_every_segment_figure_is_right(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = {key: value for key, value in millions(name).items() if key[0] is not None}
    expected = {
        (f"amazon.{segment}", metric, year): Decimal(by_year[year])
        for (segment, metric), by_year in PRINTED.items()
        for year in YEARS[name]
    }
    verdicts = Counter(
        "absent" if key not in found else "right" if found[key] == value else "wrong"
        for key, value in expected.items()
    )
    verdicts["unexpected"] = len(found.keys() - expected.keys())
    with capsys.disabled():
        print(f"\n{name}: {dict(verdicts)} of {len(expected)}")
    assert verdicts["right"] == len(expected) == 39
    assert found == expected


@pytest.mark.parametrize("name", [INLINE, INSTANCE])
def test_segments_and_lines_add_up_to_the_consolidated_figures(name: str) -> None:
    found = millions(name)
    sums: dict[tuple[str, str, int], Decimal] = defaultdict(Decimal)
    for (segment_key, metric, year), value in found.items():
        if segment_key is not None:
            sums[segment_key.split(".")[1], metric, year] += value
    assert len(sums) == 9
    for (_, metric, year), total in sums.items():
        assert total == found[None, metric, year] == CONSOLIDATED[metric][year]


def test_what_the_reports_say_of_themselves() -> None:
    inline, instance = reading(INLINE), reading(INSTANCE)
    assert inline.document_id == "amazon.10-k.2024-12-31"
    assert instance.document_id == "amazon.10-k.2022-12-31"
    for read in (inline, instance):
        roles = Counter(figure.column_role for figure in read.figures)
        assert roles["prior_year"] == 2 * roles["current"]
        assert {figure.printed_step for figure in read.figures} == {Decimal(1_000_000)}
        assert {figure.period_type for figure in read.figures} == {"year"}


def test_both_read_alike_where_their_years_overlap() -> None:
    inline, instance = millions(INLINE), millions(INSTANCE)
    both = inline.keys() & instance.keys()
    assert len({key for key in both if key[0]}) == 13
    assert {key: inline[key] for key in both} == {key: instance[key] for key in both}


def curated(dataset: str) -> list[dict[str, Any]]:
    path = baseline.FOLDER / f"{dataset}.csv"
    rows: list[dict[str, Any]] = pa_csv.read_csv(path).to_pylist()
    return rows


@pytest.mark.parametrize(("name", "year"), [(INLINE, 2024), (INSTANCE, 2022)])
def test_the_fourth_quarter_is_the_curated_one(
    name: str, year: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The year as read here less the first three quarters as they were curated from the 10-Qs."""
    registry, read = load_registry(), reading(name)
    tables = {
        dataset: pa.Table.from_pandas(
            baseline.read(dataset, contract_for(dataset).batch_schema),
            schema=contract_for(dataset).batch_schema,
        )
        for dataset in ("segment_result", "company_result", "document")
    }
    kept = [row for row in tables["segment_result"].to_pylist() if row["company_key"] == "amazon"]
    annual = pa.Table.from_pandas(
        segment_batch(read, read.document_id, "edgar", "https://www.sec.gov/x", registry),
        schema=contract_for("segment_result").batch_schema,
    )
    derived, _ = derive(
        registry,
        "amazon",
        pa.concat_tables([tables["segment_result"], annual]),
        tables["company_result"],
        tables["document"],
        "edgar",
    )
    ours = {
        (row["segment_key"], row["period_start"], row["period_end"]): row["value"] / 10**6
        for row in derived.to_dict("records")
        if row["document_id"] == read.document_id and row["metric"] == "revenue"
    }
    theirs = {
        (row["segment_key"], row["period_start"], row["period_end"]): row["value"]
        for row in kept
        if row["column_role"] == "derived"
        and row["metric"] == "revenue"
        and row["period_end"] == date(year, 12, 31)
    }
    verdicts = Counter(
        "absent" if key not in ours else "right" if ours[key] == value else "wrong"
        for key, value in theirs.items()
    )
    with capsys.disabled():
        print(f"\nfourth quarter of {year}, curated: {dict(verdicts)} of {len(theirs)}")
    assert theirs
    assert ours == theirs


def test_a_report_lands_and_adds_up(home: Home) -> None:
    loader, read = Loader(home, today=date(2026, 11, 24)), reading(INLINE)
    documents = contract_for("document")
    loader.load(documents, baseline.read("document", documents.batch_schema))
    given = (read, read.document_id, "edgar", "https://www.sec.gov/x", loader.registry)
    for dataset, batch in (
        ("company_result", company_batch(*given)),
        ("segment_result", segment_batch(*given)),
        ("kpi", kpi_batch(*given)),
    ):
        assert loader.load(contract_for(dataset), batch).report.passed
    rows = loader.landing.newest("segment_result").to_pylist()
    assert len(rows) == 39
    assert {row["segment_label"] for row in rows if row["structure"] == "segments"} == {
        "North America", "International", "AWS",
    }  # fmt: skip
