"""Facts of an inline XBRL document or of an XBRL instance, as they were tagged.

What belongs here: the two syntaxes. What a concept, axis or member means is
``orchestration.documents.xbrl``'s. Known flaw of the syntaxes: a taxonomy's namespace changes every
year, so its prefix stands for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from lxml import etree

from orchestration.documents.reading import DocumentRefused

#: Filings are of some megabytes; what is larger is no filing.
_MOST_BYTES = 60_000_000
_INSTANCE = "{http://www.xbrl.org/2003/instance}"
_INLINE = ("{http://www.xbrl.org/2013/inlineXBRL}", "{http://www.xbrl.org/2008/inlineXBRL}")
_MEMBER, _TYPED = (
    "{http://xbrl.org/2006/xbrldi}" + kind for kind in ("explicitMember", "typedMember")
)
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_CURRENCIES = "http://www.xbrl.org/2003/iso4217"
_STANDARD = re.compile(r"/(us-gaap|srt|dei|ifrs-full)(?:/|$)")
#: Decimal separator of the number formats of the transformation registries.
_SEPARATORS = {
    **dict.fromkeys(("num-dot-decimal", "numdotdecimal", "numcommadot", "numspacedot"), "."),
    **dict.fromkeys(("num-comma-decimal", "numcommadecimal", "numdotcomma", "numspacecomma"), ","),
}
_ZEROS = frozenset({"fixed-zero", "zerodash", "numdash"})
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_GROUPING = re.compile(r"[\s,.'\u00a0\u2009\u202f]")
_DAY_FORMATS = ("%Y-%m-%d", "%B %d, %Y", "%B %d %Y", "%b %d, %Y", "%d %B %Y", "%m/%d/%Y")

_Element: TypeAlias = etree._Element


class Unreadable(DocumentRefused):
    """What came is no XBRL document, or not a whole one: another answer may be."""


@dataclass(frozen=True)
class Context:
    """What a fact is of.

    ``start`` is empty for a balance, both dates for a period without end. ``members`` holds
    (axis, member) pairs, ``is_typed`` says that a dimension is there whose values are no members.
    """

    id: str
    entity: str
    start: date | None
    end: date | None
    members: tuple[tuple[str, str], ...]
    is_typed: bool


@dataclass(frozen=True)
class NumericFact:
    """A number in units of one; ``step`` is the size of the last digit that it is exact to.

    ``unit`` is a currency code, ``shares`` or another measure.
    """

    concept: str
    context: Context
    unit: str
    value: Decimal
    step: Decimal


@dataclass(frozen=True)
class TextFact:
    """A text; a date is in ISO form where it could be read as one."""

    concept: str
    context: Context
    text: str


@dataclass(frozen=True)
class Facts:
    """The facts of the concepts that were asked for, in the order of the document."""

    numbers: tuple[NumericFact, ...]
    texts: tuple[TextFact, ...]

    def text(self, concept: str) -> TextFact | None:
        """Return the first text of a concept."""
        return next((fact for fact in self.texts if fact.concept == concept), None)


def read_facts(
    content: bytes, name: str, numbers: Collection[str], texts: Collection[str]
) -> Facts:
    """Return the facts of the named concepts (``us-gaap:Revenues``); a nil fact is none.

    Raises:
        Unreadable: when the document is no XML.
        DocumentRefused: when it is not read, or one of these facts cannot be.
    """
    root = _root(content, name)
    contexts = {
        str(element.get("id")): _context(element, name)
        for element in root.iter(f"{_INSTANCE}context")
    }
    units = {str(u.get("id")): _unit(u) for u in root.iter(f"{_INSTANCE}unit")}
    is_inline = root.tag != f"{_INSTANCE}xbrl"
    found_numbers, found_texts = [], []
    continuations = {
        str(element.get("id")): element
        for namespace in _INLINE
        for element in root.iter(f"{namespace}continuation")
    }
    for concept, element in _tagged(root, is_inline):
        if concept not in numbers and concept not in texts:
            continue
        if element.get(_NIL) in ("true", "1") or element.get("target"):
            continue
        try:
            context = contexts[str(element.get("contextRef"))]
            if concept in texts:
                text = "".join(_pieces(element, continuations)) if is_inline else element.text or ""
                found_texts.append(TextFact(concept, context, _normal(text)))
                continue
            unit = units[str(element.get("unitRef"))]
            read = _inline_number if is_inline else _number
            found_numbers.append(NumericFact(concept, context, unit, *read(element)))
        except (KeyError, ValueError, ArithmeticError) as error:
            raise DocumentRefused(
                f"{name}: {concept} in context {element.get('contextRef')}: "
                f"{''.join(map(str, element.itertext())).strip()[:80]!r} cannot be read: {error}"
            ) from None
    return Facts(tuple(found_numbers), tuple(found_texts))


def _root(content: bytes, name: str) -> _Element:
    if len(content) > _MOST_BYTES:
        raise DocumentRefused(f"{name}: {len(content):,} bytes are more than a filing has")
    if b"\0" in content[:4] or b"<!ENTITY" in content:
        raise DocumentRefused(f"{name}: is in UTF-16 or declares entities, which no filing does")
    # Nothing is fetched, expanded or loaded, and libxml2's own limits on depth and text stay.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"{name}: is no well-formed XML: {error}") from None
    return root


def _tagged(root: _Element, is_inline: bool) -> Iterator[tuple[str, _Element]]:
    if is_inline:
        kinds = [
            f"{namespace}{kind}" for namespace in _INLINE for kind in ("nonFraction", "nonNumeric")
        ]
        for element in root.iter(*kinds):
            yield _qualified(element, str(element.get("name"))), element
        return
    for element in root.iterchildren():
        if isinstance(element.tag, str) and element.get("contextRef"):
            tag = etree.QName(element)
            yield f"{_prefix(str(tag.namespace), element.prefix)}:{tag.localname}", element


def _qualified(element: _Element, name: str) -> str:
    prefix, _, local = name.strip().rpartition(":")
    return f"{_prefix(element.nsmap.get(prefix or None, ''), prefix)}:{local}"


def _prefix(namespace: str, prefix: str | None) -> str:
    standard = _STANDARD.search(namespace)
    return standard[1] if standard else prefix or ""


def _context(element: _Element, name: str) -> Context:
    def text(kind: str) -> str:
        return (element.findtext(f".//{_INSTANCE}{kind}") or "").strip()

    try:
        # A time of day may follow the date.
        start, end, instant = (
            date.fromisoformat(text(kind)[:10]) if text(kind) else None
            for kind in ("startDate", "endDate", "instant")
        )
    except ValueError as error:
        raise DocumentRefused(f"{name}: context {element.get('id')}: {error}") from None
    members = sorted(
        (_qualified(m, str(m.get("dimension"))), _qualified(m, m.text or ""))
        for m in element.iter(_MEMBER)
    )
    return Context(
        id=str(element.get("id")),
        entity=text("identifier"),
        start=start,
        end=end or instant,
        members=tuple(members),
        is_typed=next(element.iter(_TYPED), None) is not None,
    )


def _unit(element: _Element) -> str:
    measures = [(m.text or "").strip() for m in element.iter(f"{_INSTANCE}measure")]
    if len(measures) != 1:
        return "/".join(measures)
    prefix, _, local = measures[0].rpartition(":")
    namespace = element.nsmap.get(prefix or None, "")
    return local if namespace == _CURRENCIES or local == "shares" else measures[0]


def _pieces(element: _Element, continuations: dict[str, _Element]) -> Iterator[str]:
    seen: set[str] = set()
    while True:
        yield from map(str, element.itertext())
        following = str(element.get("continuedAt"))
        if following in seen or following not in continuations:
            return
        seen.add(following)
        element = continuations[following]


def _normal(text: str) -> str:
    text = " ".join(text.split())
    for form in _DAY_FORMATS:
        try:
            return str(datetime.strptime(text, form).date())
        except ValueError:
            continue
    return text


def _number(element: _Element) -> tuple[Decimal, Decimal]:
    value = Decimal((element.text or "").strip())
    if not value.is_finite():
        raise ValueError("is no number")
    return value, _step(element, value, int(value.as_tuple().exponent))


def _inline_number(element: _Element) -> tuple[Decimal, Decimal]:
    scale = int(element.get("scale", "0"))
    form = (element.get("format") or "").rpartition(":")[2]
    text = "".join(map(str, element.itertext())).strip()
    step = partial(_step, element)
    if form in _ZEROS:
        return Decimal(0), step(Decimal(0), scale)
    if form and form not in _SEPARATORS:
        raise ValueError(f"of the unknown format {element.get('format')}")
    whole, separator, fraction = text.rpartition(_SEPARATORS.get(form, "."))
    if not separator:
        whole, fraction = fraction, ""
    digits = (_GROUPING.sub("", whole) if form else whole) + (f".{fraction}" if fraction else "")
    if not _NUMBER.fullmatch(digits):
        raise ValueError("is no number")
    value = _plain(Decimal(digits).scaleb(scale))
    if element.get("sign") == "-":
        value = -value
    return value, step(value, scale - len(fraction))


def _step(element: _Element, value: Decimal, printed_exponent: int) -> Decimal:
    decimals, precision = element.get("decimals"), element.get("precision")
    if decimals and decimals != "INF":
        exponent = -int(decimals)
    elif precision and precision != "INF" and value:
        exponent = value.adjusted() + 1 - int(precision)
    else:
        exponent = printed_exponent
    return _plain(Decimal(1).scaleb(exponent))


def _plain(number: Decimal) -> Decimal:
    """Return a whole number without an exponent, so that it is written as its digits."""
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number
