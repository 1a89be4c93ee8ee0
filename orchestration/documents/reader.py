"""A document of any kind: tagged filings by their facts, everything else as a results release."""

from __future__ import annotations

from orchestration.documents.reading import Reading
from orchestration.documents.release import read_release
from orchestration.documents.xbrl import read_xbrl
from orchestration.registry import Registry

#: In the beginning of what is read by its tagged facts.
_TAGGED = (b"http://www.xbrl.org/2013/inlineXBRL", b"http://www.xbrl.org/2003/instance")


def read_document(content: bytes, name: str, company_key: str, registry: Registry) -> Reading:
    """Return what a document says.

    Raises:
        DocumentRefused: when it cannot be read whole, contradicts itself or names what the registry
            does not know.
        LookupError: when the registry does not describe the company's documents.
    """
    head = content[:20_000]
    if any(mark in head for mark in _TAGGED):
        return read_xbrl(content, name, company_key, registry)
    return read_release(content, name, company_key, registry)
