"""``python -m orchestration.scorecard``: the claims of the investment case, as text.

Reads the published release and nothing else; what a claim is and how it is judged is data
(``registry/data/claims.csv``) and SQL (``marts.thesis_scorecard``).
"""

from __future__ import annotations

from orchestration.registry import load_registry
from orchestration.registry.entries import Claim
from orchestration.settings import warehouse_home

_HEAD = ("Claim", "Observed", "Of", "Verdict")


def markdown(rows: list[tuple[str, float | None, str, str | None, str, str | None]]) -> str:
    """Return the scorecard as a table of Markdown.

    ``rows``: statement, observed value, unit, observed period, verdict and what is missing.
    """
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD))]
    for statement, value, unit, period, verdict, missing in rows:
        observed = f"missing: {missing}" if value is None else f"{_number(value)} {unit}"
        lines.append(_line((statement, observed, period or "", f"`{verdict}`")))
    return "\n".join(lines)


def scorecard() -> str:
    """Return the scorecard of the current release, claims in the order of the registry."""
    from orchestration.reader import connect

    with connect(warehouse_home().root) as release:
        rows = release.execute(
            "select claim_id, statement, observed_value, unit, observed_period, verdict, missing "
            "from marts.thesis_scorecard"
        ).fetchall()
    order = [claim.claim_id for claim in load_registry().entries(Claim)]
    rows.sort(key=lambda row: order.index(row[0]) if row[0] in order else len(order))
    return markdown([row[1:] for row in rows])


def _number(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print(scorecard())
