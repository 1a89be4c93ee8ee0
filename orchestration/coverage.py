"""``python -m orchestration.coverage``: what the current release covers, as a page of docs.

One section a company, one row a quarter, made from ``ops.coverage``; it reads the release and
decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestration.reader import connect
from orchestration.report.coverage import MEANINGS, NOTHING, letters

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, Any]
_BREAKDOWNS = {
    "consolidated": "",
    "segment": "segment ",
    "revenue_line": "revenue line ",
    "subline": "subline ",
}
_RECONCILIATIONS = {
    "differs": "differs",
    "incomplete": "incomplete",
    "no_total": "no total",
    "adds_up": "adds up",
}
_HEAD = """\
# What is covered

Made by `make docs` from `ops.coverage` of a release: which figures of a quarter exist, and where
the ones that count come from. Of segments it is the structure that the quarter was first reported
in.

| Letter | Source |
|---|---|
{letters}

"Reconciled" is the status of `ops.reconciliation`: `adds up` to the consolidated figure,
`differs`, `incomplete` (a required segment is not printed), `no total` (no consolidated figure to
hold it against); `-` where the registry asks for no sum.
"""


def coverage_page(connection: DuckDBPyConnection) -> str:
    """Return the page for a release."""
    rows = _rows(
        connection,
        """
        select coverage.*, companies.name as company_name
        from ops.coverage as coverage
        inner join core.dim_company as companies using (company_key)
        order by all
        """,
    )
    sections = [_section(group) for _, group in _grouped(rows, "company_key")]
    explained = "\n".join(f"| {letter} | {meaning} |" for letter, meaning in MEANINGS.items())
    return "\n".join([_HEAD.format(letters=explained), *sections])


def _section(rows: list[Row]) -> str:
    order = list(_BREAKDOWNS)
    figures = sorted({(order.index(r["breakdown"]), r["metric"]) for r in rows})
    # Revenue first: every other figure is read beside it.
    figures.sort(key=lambda figure: (figure[0], figure[1] != "revenue"))
    columns = [(order[place], metric) for place, metric in figures]
    names = [f"{_BREAKDOWNS[b]}{m}".replace("_", " ") for b, m in columns]
    lines = [
        f"## {rows[0]['company_name']}",
        "",
        "| Quarter ends | Fiscal | " + " | ".join(names) + " | Reconciled |",
        "|---|---|" + "---|" * (len(names) + 1),
    ]
    expected: int | None = None
    for _, quarter in _grouped(rows, "period_end"):
        first = quarter[0]
        index = int(first["fiscal_year"]) * 4 + int(first["fiscal_quarter"])
        for missing in range(expected or index, index):
            year, number = divmod(missing - 1, 4)
            lines.append(
                f"| {NOTHING} | {year} Q{number + 1} |" + f" {NOTHING} |" * len(names) + " - |"
            )
        expected = index + 1
        cells = [letters(r for r in quarter if (r["breakdown"], r["metric"]) == c) for c in columns]
        lines.append(
            f"| {first['period_end']} | {first['fiscal_year']} Q{first['fiscal_quarter']} | "
            + " | ".join([*cells, _reconciled(quarter)])
            + " |"
        )
    return "\n".join([*lines, ""])


def _reconciled(quarter: list[Row]) -> str:
    """The status of all sums of a quarter, or of each metric where they are not the same."""
    statuses: dict[str, list[str]] = {}
    for row in quarter:
        if row["reconciliation"]:
            name = f"{_BREAKDOWNS[row['breakdown']]}{row['metric']}".replace("_", " ")
            statuses.setdefault(_RECONCILIATIONS[row["reconciliation"]], []).append(name)
    if len(statuses) < 2:
        return next(iter(statuses), "-")
    return "; ".join(
        f"{', '.join(dict.fromkeys(statuses[status]))} {status}"
        for status in _RECONCILIATIONS.values()
        if status in statuses
    )


def _grouped(rows: list[Row], column: str) -> Iterator[tuple[Any, list[Row]]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    yield from groups.items()


def _rows(connection: DuckDBPyConnection, query: str) -> list[Row]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


if __name__ == "__main__":
    with connect() as current:
        print(coverage_page(current), end="")
