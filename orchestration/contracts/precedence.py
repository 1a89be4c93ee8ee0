"""Which figure counts when sources disagree, written down once.

Two orders, each with its reasons. Between assertions of one key of a dataset the rank of the source
decides, then the load log (``reference.load_log``, ``ops.source_disagreement``). Between documents
that print one figure the day of publication decides, then official before second-hand, then the
rank of the kind of document (``core.dim_document.document_rank``). A higher rank counts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Precedence:
    """The rank of a source or of a kind of document, and why it has it."""

    name: str
    rank: int
    reason: str


SOURCES: tuple[Precedence, ...] = (
    Precedence("edgar", 2, "tagged by the company in its filing: nothing is read off a page"),
    Precedence("document", 1, "read by machine from the document itself"),
    Precedence("import", 1, "handed in by the user from a file"),
    Precedence("yahoo", 1, "live upstream"),
    Precedence("fred", 1, "live upstream"),
    Precedence("worldbank", 1, "live upstream"),
    Precedence("ecb", 1, "live upstream"),
    Precedence("baseline", 0, "copied by hand once and shipped: never hides anything newer"),
)

DOCUMENT_KINDS: tuple[Precedence, ...] = (
    Precedence("10-k", 3, "audited filing with XBRL"),
    Precedence("20-f", 3, "audited filing with XBRL"),
    Precedence("10-q", 3, "reviewed filing with XBRL"),
    Precedence("results", 2, "press release: unaudited and out before the filing"),
    Precedence("6-k", 1, "other report of a foreign issuer: figures are not its purpose"),
    Precedence("secondary", 0, "someone else's account of a document"),
)

#: A source never outranks a better one; within a rank the newest assertion counts.
SOURCE_RANK: dict[str, int] = {source.name: source.rank for source in SOURCES}
