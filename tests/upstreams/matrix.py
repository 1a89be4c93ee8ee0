"""The table of upstream faults in ``docs``, made from what the tests saw.

A test calls :func:`record` with what happened; ``python -m tests.upstreams.matrix`` prints the
table of the last test run, the same whatever order the tests ran in.
"""

from __future__ import annotations

import json
from pathlib import Path

SEEN = Path(__file__).parents[2] / "data" / "upstream-faults.jsonl"
_COLUMNS = ("upstream", "misbehaviour", "lands", "quarantined", "message")


def record(upstream: str, misbehaviour: str, lands: str, quarantined: str, message: str) -> None:
    """Note what a misbehaviour did: what landed, what went to quarantine, what the user reads."""
    row = dict(zip(_COLUMNS, (upstream, misbehaviour, lands, quarantined, message), strict=True))
    SEEN.parent.mkdir(parents=True, exist_ok=True)
    with SEEN.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")


def table() -> str:
    """Return the table as Markdown."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for line in SEEN.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row["upstream"], row["misbehaviour"]] = row
    cells = [
        "| " + " | ".join(_cell(rows[key][name]) for name in _COLUMNS) + " |"
        for key in sorted(rows)
    ]
    intro = (
        "# What upstream faults do\n\n"
        "Made by `make docs` from what the tests of `tests/integration/test_upstream_*.py` saw:\n"
        "the real clients against local servers. In every row what had landed before is\n"
        "untouched, and once the upstream behaves again, the next run lands what was missing.\n"
    )
    header = "| Upstream | Misbehaviour | What lands | What is quarantined | What the user reads |"
    return "\n".join([intro, header, "|---|---|---|---|---|", *cells]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|") or "nothing"


if __name__ == "__main__":
    print(table(), end="")
