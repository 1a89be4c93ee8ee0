"""Figures stated in sentences: what is taken, and every way a sentence may speak of another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from orchestration.documents.reading import Figure, Statement
from orchestration.documents.sentences import read_sentences
from orchestration.documents.tokens import join_split_digits
from orchestration.registry import load_registry
from orchestration.registry.entries import Company, StatedFigure

JUNE = date(2024, 6, 30)
CAPEX = StatedFigure(
    company_key="alibaba",
    measure="metric",
    key="capital_expenditure",
    template="capital {expenditure|expenditures} {of|was|were} {amount}",
)
CASH = StatedFigure(
    company_key="alibaba",
    measure="metric",
    key="cash_and_investments",
    template="cash, cash equivalents and short-term investments were {amount}",
)
BUYBACK = StatedFigure(
    company_key="alibaba",
    measure="metric",
    key="share_repurchase",
    template="we repurchased ... for {a total of|} {amount}",
    currency="USD",
)
NATURES = {
    "capital_expenditure": "flow",
    "cash_and_investments": "stock",
    "share_repurchase": "flow",
    "net_income": "flow",
}


def _company(key: str = "alibaba") -> Company:
    return next(c for c in load_registry().entries(Company) if c.company_key == key)


def _read(
    text: str,
    *entries: StatedFigure,
    end: date = JUNE,
    rates: Sequence[str] = (),
    company: str = "alibaba",
) -> tuple[list[Figure], list[Statement], list[str]]:
    return read_sentences(
        join_split_digits(text),
        _company(company),
        entries,
        NATURES,
        end,
        [Decimal(rate) for rate in rates],
    )


def _kpi(template: str, key: str = "ordinary_shares_outstanding") -> StatedFigure:
    return StatedFigure(company_key="alibaba", measure="kpi", key=key, template=template)


def test_a_figure_keeps_unit_step_currency_and_place_as_printed() -> None:
    text = (
        "During the quarter ended June 30, 2024, we repurchased a total of 613 million ordinary "
        "shares (equivalent to 77 million ADSs) for a total of US$5.8 billion. More follows."
    )
    [figure], _, remarks = _read(text, BUYBACK)
    assert (figure.value, figure.unit, figure.printed_step) == (
        Decimal("5.8"),
        "billion",
        Decimal("0.1"),
    )
    assert (figure.currency, figure.column_role, figure.period_type) == (
        "USD",
        "current",
        "quarter",
    )
    assert (figure.period_start, figure.period_end) == (date(2024, 4, 1), JUNE)
    assert figure.locator.startswith("text: 'we repurchased a total of 613 million")
    assert remarks == []


@pytest.mark.parametrize(
    "sentence",
    [
        # Comparatives.
        "In the quarter ended June 30, 2023, capital expenditures were RMB6,927 million.",
        "In the quarter ended June 30, 2024, revenue rose, compared to capital expenditures of "
        "RMB6,927 million.",
        "Capital expenditures were RMB6,927 million in the same quarter of 2023.",
        "Capital expenditures were RMB6,927 million for the quarter ended June 30, 2023.",
        # Growth, plans, adjusted figures.
        "In the quarter ended June 30, 2024, free cash flow fell due to an increase in capital "
        "expenditures by RMB6,310 million.",
        "In the quarter ended June 30, 2024, there was an increase in capital expenditures of "
        "RMB6,310 million.",
        "In the quarter ended June 30, 2024, there was an increase in investments and capital "
        "expenditures of RMB6,310 million.",
        "After the quarter ended June 30, 2024 we expect capital expenditures of RMB9 billion.",
        "In the quarter ended June 30, 2024, adjusted capital expenditures were RMB1 million.",
        # No period of the calendar that ends with the release's.
        "Since April 1, 2024, capital expenditures were RMB6,927 million.",
        "Between April 1, 2024 and May 18, 2024, capital expenditures were RMB6,927 million.",
        "For the fiscal year ended June 30, 2024, capital expenditures were RMB6,927 million.",
        "For the quarter ended June 30, 2024 and through the publication of this announcement, "
        "capital expenditures were RMB6,927 million.",
        "As of July 31, 2024, capital expenditures were RMB6,927 million.",
        "Capital expenditures were RMB6,927 million.",
        # Not the words, no unit, no number.
        "In the quarter ended June 30, 2024, capital expenditures were 6,927 million.",
        "In the quarter ended June 30, 2024, capital expenditures were RMB6,927.",
        "In the quarter ended June 30, 2024, capital expenditures were RMB69,27 million.",
    ],
)
def test_what_is_no_figure_of_the_period_is_not_taken(sentence: str) -> None:
    assert _read(sentence, CAPEX) == ([], [], [])


@pytest.mark.parametrize(
    ("text", "end", "period_type", "value"),
    [
        ("In fiscal year 2019, capital expenditures were RMB35,482 million.",
         date(2019, 3, 31), "year", "35482"),
        ("During the six months ended September 30, 2025, capital expenditure was RMB70.2 billion.",
         date(2025, 9, 30), "half_year", "70.2"),
        ("In the September quarter, capital expenditures were RMB15,938 million.",
         date(2021, 9, 30), "quarter", "15938"),
        ("During the quarter, capital expenditures were RMB15,938 million.",
         date(2021, 9, 30), "quarter", "15938"),
        ("Results for the quarter and fiscal year ended March 31, 2026. Capital expenditures were "
         "RMB26,887 million, compared to RMB24,612 million in the same quarter of 2025.",
         date(2026, 3, 31), "quarter", "26887"),
        ("In the quarter ended June 30, 2024: • Revenue rose over June 2023. • Capital "
         "expenditures were RMB12,094 million, up from a year before.", JUNE, "quarter", "12094"),
    ],
)  # fmt: skip
def test_the_period_is_the_nearest_named(
    text: str, end: date, period_type: str, value: str
) -> None:
    [figure], _, _ = _read(text, CAPEX, end=end)
    assert (figure.period_type, figure.value) == (period_type, Decimal(value))


def test_a_fiscal_year_beside_a_quarter_is_a_figure_of_its_own() -> None:
    text = (
        "During the quarter ended March 31, 2025, capital expenditures of RMB24,612 million were "
        "made. During fiscal year 2025, capital expenditures of RMB85,972 million were made."
    )
    figures, _, remarks = _read(text, CAPEX, end=date(2025, 3, 31))
    assert {(f.period_type, f.value) for f in figures} == {
        ("quarter", Decimal(24612)),
        ("year", Decimal(85972)),
    }
    assert remarks == []


def test_a_quarter_or_year_that_nothing_tells_apart_is_not_taken() -> None:
    text = (
        "For the quarter and fiscal year ended March 31, 2026. Capital expenditures were "
        "RMB1 million."
    )
    assert _read(text, CAPEX, end=date(2026, 3, 31)) == ([], [], [])


def test_a_list_under_another_period_than_the_nearest_is_not_taken() -> None:
    text = (
        "In the fiscal year ended March 31, 2021: • From the March quarter 2021 we count anew. "
        "• Capital expenditures were RMB41,450 million."
    )
    assert _read(text, CAPEX, end=date(2021, 3, 31)) == ([], [], [])


def test_split_digits_letters_and_footnote_marks_are_read_through() -> None:
    text = (
        "During the quarter e nded June 30, 202 4, capital expend itures(1) were RMB12 ,094\n"
        "million (US$1, 664 million)."
    )
    [figure], _, remarks = _read(text, CAPEX, rates=["7.2672"])
    assert (figure.value, figure.unit) == (Decimal(12094), "million")
    assert remarks == []
    text = "In the quarter ended June 30, 2024, capital expenditures were RMB 7. 3 billion in all."
    [figure], _, _ = _read(text, CAPEX)
    assert (figure.value, figure.printed_step) == (Decimal("7.3"), Decimal("0.1"))


def test_us_dollars_in_brackets_that_contradict_leave_the_figure_out() -> None:
    text = (
        "In the quarter ended June 30, 2024, capital expenditures were RMB12,094 million "
        "(US$1,764 million)."
    )
    figures, _, [remark] = _read(text, CAPEX, rates=["7.2672"])
    assert figures == []
    assert "RMB12,094 million" in remark
    assert "7.2672" in remark
    right = text.replace("1,764", "1,664")
    assert len(_read(right, CAPEX, rates=["7.2672"])[0]) == 1
    # Not even if it is printed rightly elsewhere.
    assert _read(f"{right} {text}", CAPEX, rates=["7.2672"])[0] == []


@pytest.mark.parametrize("other", ["12,904 million", "12,095 million", "12.2 billion"])
def test_two_prints_that_differ_leave_the_figure_out(other: str) -> None:
    one = "In the quarter ended June 30, 2024, capital expenditures were RMB12,094 million. "
    figures, _, [remark] = _read(one + one.replace("12,094 million", other), CAPEX)
    assert figures == []
    assert "12,094" in remark
    assert other in remark


def test_a_rounded_print_and_the_exact_one_are_one_figure() -> None:
    one = "In the quarter ended June 30, 2024, capital expenditures were RMB12,094 million. "
    two = "In the quarter ended June 30, 2024, capital expenditures were RMB12.1 billion. "
    [figure], _, remarks = _read(two + one, CAPEX)
    assert (figure.value, figure.unit, remarks) == (Decimal(12094), "million", [])


def test_a_balance_is_of_the_day_that_its_sentence_names() -> None:
    text = (
        "As of {day}, cash, cash equivalents and short -term investments were RMB89,416 million, "
        "compared to RMB111,518 million as of March 31, 2024."
    )
    [figure], _, _ = _read(text.format(day="June 30, 2024"), CASH)
    assert (figure.period_type, figure.period_start, figure.period_end) == ("instant", JUNE, JUNE)
    assert _read(text.format(day="March 31, 2024"), CASH)[0] == []
    no_day = (
        "In the quarter ended June 30, 2024. Cash, cash equivalents and short-term investments "
        "were RMB1 million."
    )
    assert _read(no_day, CASH)[0] == []


def test_amounts_in_another_currency_are_passed_over() -> None:
    text = "During the quarter ended June 30, 2024, we repurchased shares for {}."
    [figure], _, _ = _read(text.format("US$5,147.5 million (RMB37,408 million)"), BUYBACK,
                           rates=["7.2672"])  # fmt: skip
    assert (figure.currency, figure.value) == ("USD", Decimal("5147.5"))
    assert _read(text.format("RMB37,408 million (US$5,147.5 million)"), BUYBACK)[0] == []


def test_a_loss_is_negative() -> None:
    loss = StatedFigure(
        company_key="alibaba",
        measure="metric",
        key="net_income",
        template="net loss {in|for} {period} was {outflow}",
    )
    text = (
        "Our net loss in the quarter ended June 30, 2024 was RMB22,467 million (US$3,092 million)."
    )
    [figure], _, _ = _read(text, loss, rates=["7.2672"])
    assert figure.value == Decimal(-22467)


def test_other_fiscal_years_have_their_own_quarters() -> None:
    entry = CAPEX.model_copy(update={"company_key": "tencent"})
    text = "Information for 4Q2024. Capital expenditures were RMB36.6 billion, up from before."
    [figure], _, _ = _read(text, entry, end=date(2024, 12, 31), company="tencent")
    assert (figure.period_type, figure.period_start) == ("quarter", date(2024, 10, 1))
    # A fourth quarter of a calendar year is no period of an issuer whose year ends in March.
    fourth = "In the fourth quarter of 2024, capital expenditures were RMB1 million."
    assert _read(fourth, CAPEX, end=date(2024, 12, 31))[0] == []


def test_counts_are_kept_in_millions_and_marked_if_rounded() -> None:
    entry = _kpi("we had {count} ordinary shares ... outstanding")
    text = "As of June 30, 2024, we had {} ordinary shares (equivalent to some ADSs) outstanding."
    _, [exact], _ = _read(text.format("19,024 million"), entry)
    assert (exact.value, exact.qualifier, exact.as_of) == (Decimal(19024), None, JUNE)
    _, [rounded], _ = _read(text.format("approximately 20.0 billion"), entry)
    assert (rounded.value, rounded.qualifier) == (Decimal(20000), "rounded")
    later = text.replace("June 30", "July 31").format("19,024 million")
    assert _read(later, entry)[1] == []


def test_a_day_after_the_period_is_taken_where_the_wording_asks_for_it() -> None:
    entry = _kpi("as of {date}, {floor} derivative models", "qwen_derivative_models")
    text = "As of {day}, more than 90,000 derivative models had been developed."
    _, [stated], _ = _read(text.format(day="July 31, 2024"), entry)
    assert (stated.value, stated.qualifier, stated.as_of) == (
        Decimal(90000),
        "more than",
        date(2024, 7, 31),
    )
    for day in ("July 31, 2023", "July 31, 2025"):
        assert _read(text.format(day=day), entry)[1] == []


def test_ordinals_are_numbers_and_must_not_differ() -> None:
    entry = _kpi("growth for the {ordinal} consecutive quarter", "streak")
    text = "AI revenue achieved triple-digit growth for the {} consecutive quarter. "
    for words, value in (("sixth", 6), ("twelfth", 12), ("twenty-first", 21), ("12th", 12)):
        _, [stated], _ = _read(text.format(words), entry)
        assert stated.value == value
    _, statements, [remark] = _read(text.format("sixth") + text.format("seventh"), entry)
    assert statements == []
    assert "6" in remark
    assert "7" in remark


@pytest.mark.parametrize(
    ("measure", "template"),
    [
        ("metric", "capital expenditures"),
        ("metric", "capital {expenditures of {amount}"),
        ("metric", "{amount} and {amount}"),
        ("metric", "shares of {count}"),
        ("metric", "capital {amonut}"),
        ("kpi", "shares of {amount}"),
    ],
)
def test_a_wording_that_cannot_be_read_is_refused(measure: str, template: str) -> None:
    with pytest.raises(ValidationError, match="template"):
        StatedFigure.model_validate(
            {"company_key": "alibaba", "measure": measure, "key": "x", "template": template}
        )


@pytest.mark.parametrize(
    "text",
    ["quarter and " * 20_000, "capital expenditures \t\n" * 20_000, "RMB1 " + "1 " * 50_000,
     "same quarter " * 10_000 + "capital expenditures were RMB1 million. " * 2_000,
     " \t\n" * 50_000, "we repurchased " * 10_000],
    ids=["periods", "words", "digits", "comparisons", "spaces", "gaps"],
)  # fmt: skip
def test_long_and_senseless_text_takes_no_longer_than_it_is(text: str) -> None:
    before = time.process_time()
    assert _read(text, CAPEX, BUYBACK, rates=["7.2672"]) == ([], [], [])
    assert time.process_time() - before < 8
