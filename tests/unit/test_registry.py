"""The registry refuses a wrong entry with file, line and field."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.registry import RegistryError, load_registry
from orchestration.registry.entries import Company, Comparison, Security
from orchestration.registry.loader import DATA


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(DATA, tmp_path / "registry")


def replace(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / f"{file}.csv"
    text = path.read_text()
    assert text.count(old) >= 1, f"{old!r} is not in {file}.csv"
    path.write_text(text.replace(old, new, 1))


def append(folder: Path, file: str, line: str) -> None:
    path = folder / f"{file}.csv"
    path.write_text(path.read_text() + line + "\n")


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(RegistryError) as refusal:
        load_registry(folder)
    return refusal.value.problems


def test_the_registry_that_ships_is_right() -> None:
    registry = load_registry()
    assert {c.company_key for c in registry.entries(Company)} >= {"alibaba", "amazon", "pdd", "jd"}


def test_a_ticker_is_one_line(folder: Path) -> None:
    append(folder, "securities", "NTES,,NetEase ADS,XNAS,USD,ads,5,peer,")
    assert "NTES" in {s.security_key for s in load_registry(folder).entries(Security)}


def test_a_series_is_one_line(folder: Path) -> None:
    append(
        folder,
        "macro_series",
        "UNRATE,US unemployment,US,percent,monthly,none,,fred,UNRATE,https://fred.stlouisfed.org/series/UNRATE,",
    )
    assert "UNRATE" in load_registry(folder).keys("macro_series", "series_id")


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("securities", "BABA,alibaba,Alibaba ADS,XNYS", "BABA,alibaba,Alibaba ADS,XXXX",
         "securities.csv:2: exchange_mic: 'XXXX' is not in exchanges.csv"),
        ("securities", "9988.HK,", "BABA,",
         "securities.csv:3: security_key: 'BABA' repeats the key of line 2"),
        ("securities", "PDD,pdd", "PDD,acme", "securities.csv:4: company_key: 'acme' is not in"),
        ("securities", "XHKG,HKD,ordinary,1", "XHKG,dollars,ordinary,1",
         "securities.csv:3: currency: 'dollars' String should match"),
        ("structures", "segment,revenue adjusted_ebita,2021-06-30,2021-09-30",
         "segment,revenue adjusted_ebita,2021-03-31,2021-09-30",
         "first_reported_period: datetime.date(2021, 3, 31) overlaps the reported periods of "
         "core_commerce"),
        ("structures", "revenue adjusted_ebita,2016-06-30", "turnover,2016-06-30",
         "adds_up_to: 'turnover' is not in metrics.csv"),
        ("segments", "alibaba.business_groups.all_others,alibaba,business_groups",
         "alibaba.business_groups.all_others,alibaba,six_groups",
         "segments.csv:3: structure: 'six_groups' is no structure of this company"),
        ("segments", "alibaba.business_groups.cloud_intelligence_group,alibaba",
         "alibaba.cloud_intelligence_group,alibaba", "segments.csv:6: segment_key:"),
        ("segments", ",domestic_commerce,no,", ",domestic_commerce,perhaps,",
         "required: 'perhaps'"),
        ("macro_series", "https://www.stats.gov.cn/english/PressRelease/", "",
         "macro_series.csv:2: source: '' Field required"),
        ("companies", ",6-K exhibit 99.1 and the PDF on its investor site", ",",
         "companies.csv:2: results_source: '' Field required"),
        ("companies", "31 March", "Easter", "companies.csv:2: fiscal_year_end: 'Easter'"),
        ("exchanges", "XHKG,^HSI", "XHKX,^HSI",
         "exchanges.csv:6: calendar: 'XHKX' is not a calendar of exchange_calendars"),
        ("exchanges", "XHKG,^HSI", "XHKG,^HSCE",
         "exchanges.csv:6: market_benchmark: '^HSCE' is not in securities.csv"),
        ("exchanges", "XHKG,^HSI", "XHKG,0700.HK",
         "exchanges.csv:6: market_benchmark: '0700.HK' is no benchmark in securities.csv"),
        ("exchanges", "XHKG,^HSI", "XHKG,SPY",
         "exchanges.csv:6: market_benchmark: 'SPY' keeps the sessions of another calendar"),
        ("share_splits", "alibaba,2019", "aliexpress,2019",
         "share_splits.csv:2: company_key: 'aliexpress' is not in companies.csv"),
        ("share_splits", "2019-07-30,8", "2019-07-30,0", "share_splits.csv:2: new_shares_per_old"),
        ("lost_sessions", "2023-09-01", "1 September", "lost_sessions.csv:2: session_date:"),
        ("comparisons", "alibaba.core_commerce.cloud_computing", "alibaba.core_commerce.clouds",
         "segment_keys: 'alibaba.core_commerce.clouds' alibaba.core_commerce.clouds is not in"),
        ("claims", "at_least,10", "about,10", "claims.csv:2: rule: 'about'"),
        ("claims", "cloud_external_revenue_growth_stated", "cloud_revenue_yoy",
         "claims.csv:2: claim_id: 'cloud_growth_double_digit' Value error, second_metric is the"),
        ("freshness_limits", "daily_price,4,10", "daily_price,14,10",
         "error_after_days: 10 must be more than warn_after_days"),
        ("xbrl_concepts", "metric,net_income,us-gaap,ProfitLoss",
         "metric,profit,us-gaap,ProfitLoss", "key: 'profit' is not in metrics.csv"),
        ("kpis", "million shares", "million shares,surplus,surplus", "kpis.csv:2:"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_refused_by_its_place(
    folder: Path, file: str, old: str, new: str, expected: str
) -> None:
    replace(folder, file, old, new)
    found = problems(folder)
    assert any(expected in problem for problem in found), found


def test_every_wrong_entry_is_named_at_once(folder: Path) -> None:
    replace(folder, "companies", "31 March", "Easter")
    replace(folder, "claims", "at_least,10", "about,10")
    assert len(problems(folder)) == 2


def test_a_structure_is_its_line_and_its_segments(folder: Path) -> None:
    """The example of docs/extending.md."""
    append(
        folder,
        "structures",
        'alibaba,two_groups,"E-commerce, AI",segment,revenue adjusted_ebita,2026-09-30,',
    )
    for segment in (
        "alibaba.two_groups.e_commerce,alibaba,two_groups,E-commerce,segment,,commerce,yes,",
        "alibaba.two_groups.ai_cloud,alibaba,two_groups,AI Cloud,segment,,cloud,yes,AI and Cloud",
        "alibaba.two_groups.unallocated,alibaba,two_groups,Unallocated,segment,,unallocated,yes,",
    ):
        append(folder, "segments", segment)
    append(folder, "comparisons", "cloud,alibaba,two_groups,alibaba.two_groups.ai_cloud,yes,")
    (problem,) = problems(folder)
    assert "overlaps the reported periods of e_commerce_ai_cloud, 2026-06-30 to today" in problem
    replace(
        folder, "structures", "adjusted_ebita,2026-06-30,", "adjusted_ebita,2026-06-30,2026-06-30"
    )
    registry = load_registry(folder)
    assert "alibaba.two_groups.ai_cloud" in registry.keys("segments", "segment_key")
    assert ("alibaba", "two_groups") in {
        (entry.company_key, entry.structure) for entry in registry.entries(Comparison)
    }
