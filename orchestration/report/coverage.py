"""What is covered, in letters: where the figures of a quarter come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_LETTERS = {"edgar": "F", "document": "D", "import": "I", "baseline": "C"}
NOTHING = "·"
#: Letter and meaning, as they are explained to readers.
MEANINGS = {
    "F": "XBRL of a filing",
    "D": "read from the document",
    "I": "imported from a file",
    "C": "curated baseline, from an official document",
    "c": "curated baseline, from a second-hand account",
    NOTHING: "no figure",
}


def letters(covered: Iterable[Mapping[str, Any]]) -> str:
    """Return the letters of rows of ``ops.coverage``, each once."""
    found: set[str] = set()
    for row in covered:
        letter = _LETTERS[row["source"]]
        second_hand = row["source"] == "baseline" and row["document_kind"] == "secondary"
        found.add(letter.lower() if second_hand else letter)
    return "".join(sorted(found)) or NOTHING
