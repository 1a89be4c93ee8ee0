"""Sentences of real releases, where they are present: no stated figure is read wrongly.

Compared with the curated figures of the same documents. Some of the texts are excerpts, so that a
figure may be absent; the floors say how many are read at least.
"""

from __future__ import annotations

import csv
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from orchestration.documents.reading import Figure, Statement
from orchestration.documents.sentences import read_sentences
from orchestration.documents.text import extract
from orchestration.documents.tokens import join_split_digits
from orchestration.registry import load_registry
from orchestration.registry.entries import Company, MetricEntry, StatedFigure
from tests.shared_data import FACTS, UPSTREAM

MILLIONS = {
    "one": Decimal("0.000001"),
    "thousand": Decimal("0.001"),
    "million": Decimal(1),
    "billion": Decimal(1000),
}
#: Figures of the current period that are read and right, at least.
RIGHT = {
    ("alibaba", "capital_expenditure"): 22,
    ("alibaba", "cash_and_investments"): 24,
    ("alibaba", "share_repurchase"): 12,
    ("alibaba", "net_income"): 21,
    ("alibaba", "operating_cash_flow"): 27,
    ("alibaba", "free_cash_flow"): 19,
    ("alibaba", "ordinary_shares_outstanding"): 9,
    ("alibaba", "ai_product_revenue_triple_digit_streak"): 5,
    ("alibaba", "qwen_derivative_models"): 2,
    ("tencent", "capital_expenditure"): 24,
}
_RATE = re.compile(r"RMB ?(\d\.\d{4}) ?(?:to|=) ?US ?\$ ?1")

pytestmark = pytest.mark.skipif(
    not (UPSTREAM / "peer_releases").is_dir() or not FACTS.is_dir(),
    reason="the real releases and the curated figures are not on this machine",
)


def _documents() -> Iterator[tuple[str, Path, date]]:
    for folder in ("alibaba_releases", "peer_releases"):
        with (UPSTREAM / folder / "INDEX.csv").open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                year, month = map(int, (row.get("quarter") or row["period_end"]).split("-")[:2])
                end = date(year, month, monthrange(year, month)[1])
                yield row.get("company", "alibaba"), UPSTREAM / folder / row["file"], end


@cache
def _readings() -> dict[tuple[str, date], tuple[list[Figure], list[Statement], list[str]]]:
    registry = load_registry()
    companies = {c.company_key: c for c in registry.entries(Company)}
    natures = {m.metric: m.nature for m in registry.entries(MetricEntry)}
    found = {}
    for company_key, path, end in _documents():
        text = join_split_digits(extract(path.read_bytes(), path.name).content)
        rates = sorted({Decimal(match[1]) for match in _RATE.finditer(text)})
        found[company_key, end] = read_sentences(
            text, companies[company_key], registry.entries(StatedFigure), natures, end, rates
        )
    return found


def _curated(dataset: str) -> list[dict[str, str]]:
    with (FACTS / f"{dataset}.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_no_stated_figure_is_wrong_and_few_are_absent() -> None:
    results = {
        (row["company_key"], row["metric"], row["period_start"], row["period_end"]): row
        for row in _curated("company_result")
        if row["column_role"] == "current"
    }
    kpis = {(row["company_key"], row["kpi"], row["as_of"]): row for row in _curated("kpi")}
    right: Counter[tuple[str, str]] = Counter()
    wrong = []
    for (company_key, end), (figures, statements, _) in _readings().items():
        for figure in figures:
            key = (company_key, figure.metric, str(figure.period_start), str(figure.period_end))
            if (row := results.get(key)) is None:
                continue
            scale = MILLIONS[figure.unit]
            gap = abs(figure.value * scale - Decimal(row["value"]) * MILLIONS[row["unit"]])
            # A figure that the sentence rounds is the curated one of the tables, rounded.
            if gap <= figure.printed_step * scale / 2 and figure.currency == row["currency"]:
                right[company_key, figure.metric] += 1
            else:
                wrong.append((end, figure, row["value"], row["unit"]))
        for stated in statements:
            curated = kpis.get((company_key, stated.kpi, str(stated.as_of)))
            if curated is None:
                continue
            if (stated.value, stated.qualifier or "") == (
                Decimal(curated["value"]),
                curated["qualifier"],
            ):
                right[company_key, stated.kpi] += 1
            else:
                wrong.append((end, stated, curated["value"], curated["qualifier"]))
    assert wrong == []
    assert {key: right[key] for key, floor in RIGHT.items() if right[key] < floor} == {}


def test_no_real_release_contradicts_itself() -> None:
    remarks = {key: said for key, (_, _, said) in _readings().items() if said}
    assert remarks == {}


def test_figures_of_the_fiscal_year_stand_beside_those_of_the_quarter() -> None:
    figures, _, _ = _readings()["alibaba", date(2025, 3, 31)]
    capital = {f.period_type: f.value for f in figures if f.metric == "capital_expenditure"}
    assert capital == {"quarter": Decimal(24612), "year": Decimal(85972)}


def test_no_year_is_less_than_its_own_quarter_of_buybacks() -> None:
    for figures, _, _ in _readings().values():
        of = {f.period_type: f for f in figures if f.metric == "share_repurchase"}
        if {"quarter", "year"} <= of.keys():
            assert of["year"].value * MILLIONS[of["year"].unit] >= (
                of["quarter"].value * MILLIONS[of["quarter"].unit]
            )
