"""Results releases in the shape of PDD's and of Baidu's, with figures that are known.

What belongs here: which tables such a release has, how their heads and rows are laid out, and what
it says (``truth``). How a table looks as an exhibit and as running text is the writer's next door.

No real release was at hand. Wording and layout are ours; figures are those of
``orchestration/baseline`` where it has them, to its printed digit, and made up otherwise so that
every table adds up. Unlike Alibaba's, the unit stands above the head and not below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from tests.documents.writer import (
    Block,
    Cell,
    Column,
    Fact,
    Heading,
    Paragraph,
    Period,
    Release,
    Row,
    Table,
    half_up,
    to_html,
    to_text,
)

_SPANS = {3: "three months", 12: "year"}
_MONTHS = {3: "Three", 12: "Twelve"}
#: Of each column in the reporting currency its figure, in the order of the columns.
Values = Sequence[int]


@dataclass(frozen=True)
class Line:
    """A row: what it says, if that is to be read. ``values``: one for each period."""

    label: str
    values: Values = ()
    metric: str | None = None
    segment: str | None = None
    indent: int = 0


@dataclass
class Exhibit:
    """A release that is being written: of its columns the prior year's is the first.

    Keys of segments in ``truth`` have their structure before them.
    """

    name: str
    company_key: str
    end: date
    reported_on: date
    rate: str
    blocks: list[Block] = field(default_factory=list)
    truth: dict[Fact, int] = field(default_factory=dict)

    def say(self, *paragraphs: str) -> None:
        self.blocks += [Paragraph(text) for text in paragraphs]

    def dollars(self, value: int) -> int:
        return half_up(Decimal(value) / Decimal(self.rate))

    def note(self, line: Line, periods: Sequence[Period]) -> None:
        """Remember what a line says, unless nobody is to read it."""
        if line.metric is not None:
            for period, value in zip(periods, line.values, strict=True):
                self.truth[Fact(line.segment, line.metric, period)] = value

    def rows(
        self, caption: str, heads: Sequence[tuple[Period, tuple[str, ...]]], lines: Sequence[Line]
    ) -> None:
        """Add a table of periods: after the newest period of each length its column in US$.

        ``heads``: each period and the texts above its column, top to bottom.
        """
        periods = [period for period, _ in heads]
        columns: list[Column] = []
        for period, path in heads:
            columns.append(Column((*path, "RMB")))
            if period.end == self.end:
                columns.append(Column((*path, "US$")))
        rows = []
        for line in lines:
            cells = []
            for period, value in zip(periods, line.values, strict=False):
                cells.append(Cell("money", value))
                if period.end == self.end:
                    cells.append(Cell("money", self.dollars(value)))
            rows.append(Row(line.label, tuple(cells), indent=line.indent))
            self.note(line, periods)
        self.blocks.append(Table(caption, tuple(columns), tuple(rows), unit="(Unaudited)"))

    def columns(
        self,
        caption: str,
        periods: Sequence[Period],
        names: Mapping[str, str | None],
        lines: Sequence[tuple[str, str | None, Sequence[Values]]],
    ) -> None:
        """Add a table whose columns are segments: ``names`` by their key, ``None`` the company."""
        columns = [
            Column(
                (f"{_MONTHS[period.months]} months ended {period.day} {period.end:%Y}", name),
                ("", "(2)" if name.startswith("Elim") else ""),
            )
            for period in periods
            for name in names
        ]
        rows = []
        for label, metric, of_periods in lines:
            cells = [Cell("money", value) for values in of_periods for value in values]
            rows.append(Row(label, tuple(cells)))
            for period, values in zip(periods, of_periods, strict=True):
                for segment, value in zip(names.values(), values, strict=True):
                    if metric is not None:
                        self.truth[Fact(segment, metric, period)] = value
        self.blocks.append(Table(caption, tuple(columns), tuple(rows), unit="(Unaudited)"))

    def release(self) -> Release:
        period = Period(self.end)
        return Release(
            self.name, self.company_key, period, self.reported_on, tuple(self.blocks), self.truth
        )


def millions(thousands: int) -> str:
    """An amount in thousands as a sentence states it."""
    return f"{Decimal(thousands) / 1000:,.1f} million"


# --- PDD ----------------------------------------------------------------------------------------

_PDD_UNIT = (
    "(Amounts in thousands of Renminbi (\u201cRMB\u201d) and U.S. dollars (\u201cUS$\u201d))"
)
_OTHER_PDD_UNIT = "(in thousands of RMB, unless otherwise noted)"
_LINES = {
    "online_marketing_services_and_others": "Online marketing services and others",
    "transaction_services": "Transaction services",
    "merchandise_sales": "Merchandise sales",
}


@dataclass(frozen=True)
class PddPeriod:
    """Figures of one period, in thousands; what is not given is the remainder."""

    lines: Mapping[str, int]
    operating_profit: int
    net_income: int
    cash: int

    @property
    def revenue(self) -> int:
        return sum(self.lines.values())


#: (end, months) -> figures. Revenue, its lines and operating profit round to the baseline's.
PDD = {
    (date(2024, 6, 30), 3): PddPeriod(
        {"online_marketing_services_and_others": 49_115_861, "transaction_services": 47_943_672},
        32_564_529, 32_009_417, 43_792_510,
    ),
    (date(2025, 6, 30), 3): PddPeriod(
        {"online_marketing_services_and_others": 55_703_187, "transaction_services": 48_281_604},
        25_792_912, 30_753_640, 21_638_207,
    ),
    (date(2021, 12, 31), 3): PddPeriod(
        {"online_marketing_services_and_others": 22_424_811, "transaction_services": 4_720_410,
         "merchandise_sales": 85_681},
        6_907_113, 6_619_548, 11_003_922,
    ),
    (date(2022, 12, 31), 3): PddPeriod(
        {"online_marketing_services_and_others": 31_023_517, "transaction_services": 8_794_312,
         "merchandise_sales": 2_202},
        9_113_703, 9_453_726, 26_485_008,
    ),
    (date(2021, 12, 31), 12): PddPeriod(
        {"online_marketing_services_and_others": 72_563_402, "transaction_services": 14_140_449,
         "merchandise_sales": 7_240_363},
        6_896_724, 7_768_670, 28_783_011,
    ),
    (date(2022, 12, 31), 12): PddPeriod(
        {"online_marketing_services_and_others": 102_721_905, "transaction_services": 27_626_480,
         "merchandise_sales": 209_246},
        30_401_902, 31_538_062, 48_507_860,
    ),
}  # fmt: skip


def pdd(name: str, end: date, reported_on: date, rate: str, *, of_year: bool, unit: str) -> Release:
    """PDD's release of a quarter, and of the year if it is the fourth."""
    exhibit = Exhibit(name, "pdd", end, reported_on, rate)
    lengths = (3, 12) if of_year else (3,)
    periods = [p for n in lengths for p in (Period(end, n).year_before, Period(end, n))]
    figures = [PDD[p.end, p.months] for p in periods]
    now, before = figures[1], figures[0]
    of = "fourth quarter and fiscal year" if of_year else "quarter"
    exhibit.blocks.append(Heading(f"PDD Holdings Announces Results of the {of} {end:%Y}"))
    exhibit.say(
        f"DUBLIN, {reported_on:%B} {reported_on.day}, {reported_on:%Y}. PDD Holdings Inc. today "
        f"published unaudited figures for the quarter{' and the fiscal year' * of_year} ended "
        f"{end:%B} {end.day}, {end:%Y}. ",
        f"Total revenues in the quarter were RMB{millions(now.revenue)} "
        f"(US${millions(exhibit.dollars(now.revenue))}), after RMB{millions(before.revenue)} in "
        f"the same quarter of {end.year - 1}. ",
        f"Operating profit in the quarter was RMB{millions(now.operating_profit)} "
        f"(US${millions(exhibit.dollars(now.operating_profit))}). ",
        "Net cash generated from operating activities in the quarter was "
        f"RMB{millions(now.cash)} (US${millions(exhibit.dollars(now.cash))}). ",
        f"For the convenience of readers, amounts were translated at RMB{rate} to US$1.00. ",
    )
    heads = [(p, (f"For the {_SPANS[p.months]} ended {p.day}", f"{p.end:%Y}")) for p in periods]

    def values(part: str, figure: PddPeriod) -> int:
        costs = {
            "costs": figure.revenue * 39 // 100,
            "sales": figure.revenue * 22 // 100,
            "general": figure.revenue // 90,
        }
        if part == "research":
            return figure.operating_profit - figure.revenue + sum(costs.values())
        return -costs[part]

    exhibit.rows(
        f"PDD HOLDINGS INC. CONDENSED CONSOLIDATED STATEMENTS OF INCOME {unit}",
        heads,
        [
            Line("Revenues", [f.revenue for f in figures], "revenue"),
            Line("Costs of revenues", [values("costs", f) for f in figures]),
            Line("Sales and marketing expenses", [values("sales", f) for f in figures]),
            Line("General and administrative expenses", [values("general", f) for f in figures]),
            Line("Research and development expenses", [values("research", f) for f in figures]),
            Line("Operating profit", [f.operating_profit for f in figures], "operating_income"),
            Line(
                "Interest, investment and other income, net of tax",
                [f.net_income - f.operating_profit for f in figures],
            ),
            Line("Net income", [f.net_income for f in figures], "net_income"),
        ],
    )
    keys = list(dict.fromkeys(key for figure in figures for key in figure.lines))
    exhibit.rows(
        f"PDD HOLDINGS INC. NOTES TO FINANCIAL INFORMATION {unit}",
        heads,
        [
            Line("Revenues"),
            *(
                Line(
                    f"- {_LINES[key]}",
                    [f.lines[key] for f in figures],
                    "revenue",
                    f"revenue_lines.{key}",
                    1,
                )
                for key in keys
            ),
            Line("Total", [f.revenue for f in figures], "revenue"),
        ],
    )
    exhibit.rows(
        f"PDD HOLDINGS INC. CONDENSED CONSOLIDATED STATEMENTS OF CASH FLOWS {unit}",
        heads,
        [
            Line("Net cash generated from operating activities", [f.cash for f in figures]),
            Line("Net cash used in investing activities", [-f.cash // 2 for f in figures]),
        ],
    )
    exhibit.truth[Fact(None, "operating_cash_flow", Period(end))] = now.cash
    return exhibit.release()


# --- Baidu --------------------------------------------------------------------------------------

_SEGMENTS = {
    "Baidu Core": "core_and_iqiyi.baidu_core",
    "iQIYI": "core_and_iqiyi.iqiyi",
    "Elim & adj": "core_and_iqiyi.intersegment_eliminations",
    "Baidu, Inc.": None,
}
_NEWER_SEGMENTS = {
    "Baidu General Business":
        "general_business_and_iqiyi.baidu_general_business_formerly_baidu_core",
    "iQIYI": "general_business_and_iqiyi.iqiyi",
    "Elim & adj": "general_business_and_iqiyi.intersegment_eliminations",
    "Baidu, Inc.": None,
}  # fmt: skip
_MARKETING = "consolidated_lines.online_marketing_services_consolidated_incl_iqiyi"
_OTHERS = "consolidated_lines.other_revenues_consolidated_incl_iqiyi"


@dataclass(frozen=True)
class BaiduPeriod:
    """Figures of one period in millions: of the segments, the elimination and the company."""

    revenue: Values
    operating_income: Values
    marketing: int
    net_income: int
    cash: int
    capital_expenditure: int


#: (end, months) -> figures. Totals and segments round to the baseline's where it has them.
BAIDU = {
    (date(2023, 12, 31), 3): BaiduPeriod(
        (27_488, 7_707, -244, 34_951), (4_668, 725, -1, 5_392), 20_803, 2_440, 8_617, 2_904
    ),
    (date(2024, 9, 30), 3): BaiduPeriod(
        (26_524, 7_246, -213, 33_557), (5_693, 238, -14, 5_917), 20_114, 7_541, 4_321, 2_702
    ),
    (date(2024, 12, 31), 3): BaiduPeriod(
        (27_698, 6_613, -187, 34_124), (3_612, 308, -3, 3_917), 19_250, 5_102, 5_712, 2_283
    ),
    (date(2023, 12, 31), 12): BaiduPeriod(
        (103_465, 31_963, -830, 134_598), (18_825, 2_989, 42, 21_856),
        81_203, 21_549, 36_615, 11_190,
    ),
    (date(2024, 12, 31), 12): BaiduPeriod(
        (104_712, 29_225, -812, 133_125), (19_518, 1_811, -67, 21_262),
        78_563, 24_104, 21_234, 8_134,
    ),
    (date(2025, 3, 31), 3): BaiduPeriod(
        (25_463, 7_186, -197, 32_452), (4_177, 342, -11, 4_508), 17_312, 7_717, -5_969, 2_890
    ),
    (date(2025, 12, 31), 3): BaiduPeriod(
        (26_108, 6_793, -161, 32_740), (1_402, 93, -12, 1_483), 15_940, 1_805, 2_611, 3_015
    ),
    (date(2026, 3, 31), 3): BaiduPeriod(
        (26_013, 6_230, -168, 32_075), (3_085, 118, -10, 3_193), 14_822, 3_441, 5_730, 3_208
    ),
}  # fmt: skip


def baidu(
    name: str, end: date, reported_on: date, rate: str, *, of_year: bool, newer: bool
) -> Release:
    """Baidu's release of a quarter beside the quarter before, and of the year if it is over."""
    exhibit = Exhibit(name, "baidu", end, reported_on, rate)
    before_it = next(e for e, n in BAIDU if n == 3 and 80 < (end - e).days < 100)
    quarters = [Period(end).year_before, Period(before_it), Period(end)]
    years = [Period(end, 12).year_before, Period(end, 12)] if of_year else []
    periods = [*quarters, *years]
    figures = [BAIDU[p.end, p.months] for p in periods]
    now = figures[2]
    of = "Fourth Quarter and Fiscal Year" if of_year else "Quarter"
    exhibit.blocks.append(Heading(f"Baidu Announces {of} {end:%Y} Results"))
    exhibit.say(
        f"BEIJING, {reported_on:%B} {reported_on.day}, {reported_on:%Y}. Baidu, Inc. published "
        f"unaudited figures for the quarter{' and the fiscal year' * of_year} ended "
        f"{end:%B} {end.day}, {end:%Y}. ",
        f"In the quarter ended {end:%B} {end.day}, {end:%Y}, total revenues were "
        f"RMB{Decimal(now.revenue[-1]) / 1000:.1f} billion "
        f"(${Decimal(now.revenue[-1]) / 1000 / Decimal(rate):.2f} billion). ",
        "Except where another rate is given, renminbi were translated into U.S. dollars at "
        f"RMB{rate} to US$1.00. ",
    )

    def path(period: Period) -> tuple[str, ...]:
        return (f"{_MONTHS[period.months]} Months Ended", f"{period.day} {period.end:%Y}")

    heads = [(period, path(period)) for period in periods]
    lines = [
        Line("Revenues:"),
        Line("Online marketing services", [f.marketing for f in figures], "revenue", _MARKETING, 1),
        Line("Others", [f.revenue[-1] - f.marketing for f in figures], "revenue", _OTHERS, 1),
        Line("Total revenues", [f.revenue[-1] for f in figures], "revenue"),
    ]
    exhibit.rows(
        "Baidu, Inc. Condensed Consolidated Statements of Income "
        "(In millions except for per share (or ADS) information)",
        heads,
        [
            *(lines[-1:] if newer else lines),
            Line(
                "Costs and expenses",
                [f.operating_income[-1] - f.revenue[-1] for f in figures],
            ),
            Line(
                "Operating income",
                [f.operating_income[-1] for f in figures],
                "operating_income",
            ),
            Line(
                "Total other income, net of tax",
                [f.net_income - f.operating_income[-1] for f in figures],
            ),
            Line("Net income", [f.net_income for f in figures], "net_income"),
        ],
    )
    for group in (quarters, years):
        of_group = [BAIDU[p.end, p.months] for p in group]
        if group:
            exhibit.columns(
                "Baidu, Inc. Selected Information (In millions, unaudited)",
                group,
                _NEWER_SEGMENTS if newer else _SEGMENTS,
                [
                    ("Total revenues", "revenue", [f.revenue for f in of_group]),
                    (
                        "Costs and expenses",
                        None,
                        [
                            [o - r for r, o in zip(f.revenue, f.operating_income, strict=True)]
                            for f in of_group
                        ],
                    ),
                    (
                        "Operating income (loss)",
                        "operating_income",
                        [f.operating_income for f in of_group],
                    ),
                ],
            )
    exhibit.rows(
        "Baidu, Inc. Selected cash flows (RMB in millions, unaudited)",
        heads,
        [
            Line(
                "Net cash provided by (used in) operating activities",
                [f.cash for f in figures],
                "operating_cash_flow",
            ),
            Line("Less: Purchases of equipment", [-f.capital_expenditure for f in figures]),
            Line(
                "Free cash flow",
                [f.cash - f.capital_expenditure for f in figures],
                "free_cash_flow",
            ),
        ],
    )
    return exhibit.release()


def releases() -> dict[str, Release]:
    """Every release of this file, by its name; the name begins with its company."""
    return {
        "pdd_2022-12": pdd(
            "pdd_2022-12", date(2022, 12, 31), date(2023, 3, 20), "6.8972",
            of_year=True, unit=_PDD_UNIT,
        ),
        "pdd_2025-06": pdd(
            "pdd_2025-06", date(2025, 6, 30), date(2025, 8, 25), "7.1636",
            of_year=False, unit=_OTHER_PDD_UNIT,
        ),
        "baidu_2024-12": baidu(
            "baidu_2024-12", date(2024, 12, 31), date(2025, 2, 18), "7.2993",
            of_year=True, newer=False,
        ),
        "baidu_2026-03": baidu(
            "baidu_2026-03", date(2026, 3, 31), date(2026, 5, 18), "6.8980",
            of_year=False, newer=True,
        ),
    }  # fmt: skip


if __name__ == "__main__":
    # Writes the committed documents anew: python -m tests.documents.peers
    for each in releases().values():
        Path(__file__).with_name(f"{each.name}.html").write_bytes(to_html(each))
        Path(__file__).with_name(f"{each.name}.txt").write_bytes(to_text(each))
