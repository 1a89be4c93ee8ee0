"""The words of a document, in reading order: HTML, PDF and plain text become one running text.

Cells of an HTML table are parted by a tab, rows and blocks by a line break, so that nothing is
joined across a cell; footnote marks set as superscript are wrapped in marks of their own. What
follows need not know which form it was.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from orchestration.documents.reading import DocumentRefused

#: Larger than any release or annual report seen (the largest has 4 MB), small enough to be safe.
MAX_BYTES = 12_000_000
#: Words of the largest release take 150,000 characters.
MAX_CHARACTERS = 2_000_000
#: One tag, and what a PDF may unpack to.
MAX_TAG = 100_000
MAX_UNPACKED = 100_000_000
MAX_PAGES = 1_000
MAX_TABLES = 5_000
MAX_CELLS = 150_000
MAX_DEPTH = 200
#: Around a footnote mark that is known to be one.
NOTE_START, NOTE_END = "\ue000", "\ue001"

_SUPERSCRIPTS = re.compile("[⁰¹²³⁴-⁹]+")
_NO_WIDTH = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_GROUP_SPACES = re.compile(r"(?<=\d)[\u00a0\u2007\u2009\u202f'\u2019](?=\d{3}(?!\d))")
_GROUPED_CELL = re.compile(r"(?<=[\t\n])[ \n]*(\(?-?\d{1,3}(?: \d{3})+\)?%?)[ \n]*(?=\t)")
_NOTE = re.compile(r"^[\s(\[]*(?:\d{1,2}|[a-z]|[ivx]{1,4}|[*†‡§#]{1,4})[\s)\].,]*$", re.IGNORECASE)
_LETTERS = re.compile(r"[A-Za-z]")
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "br", "caption", "center", "dd", "div", "dl",
     "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "section", "table",
     "tbody", "tfoot", "thead", "title", "tr", "ul"}
)  # fmt: skip
_SKIPPED = frozenset(("script", "style", "head", "noscript", "template"))


@dataclass(frozen=True)
class Text:
    """A document as running text; ``page_starts`` is empty where the form has no pages."""

    content: str
    page_starts: tuple[int, ...] = ()

    def page(self, position: int) -> int | None:
        """Return the page, counted from one, that a position is on."""
        return bisect_right(self.page_starts, position) if self.page_starts else None


def extract(content: bytes, name: str) -> Text:
    """Return the text of an HTML, PDF or plain text document.

    Raises:
        DocumentRefused: when it is too large, too deeply nested, of no readable encoding, or has
            no words.
    """
    if len(content) > MAX_BYTES:
        raise DocumentRefused(f"{name}: {len(content):,} bytes; at most {MAX_BYTES:,} are read")
    if content[:1024].lstrip().startswith(b"%PDF"):
        text = _of_pdf(content, name)
    elif re.search(rb"<(?:!doctype html|html|body|table|div|p|document)\b", content[:4096], re.I):
        text = Text(_of_html(content, name))
    else:
        text = _of_pages(_decode(content, name).split("\f"))
    if len(text.content) > MAX_CHARACTERS:
        raise DocumentRefused(
            f"{name}: {len(text.content):,} characters of text; at most {MAX_CHARACTERS:,} are read"
        )
    if not _LETTERS.search(text.content):
        raise DocumentRefused(f"{name}: has no words; a scan has to be made readable first")
    return text


def normalise(text: str) -> str:
    """Return text with one form for each digit, bracket and space; line breaks and tabs stay."""
    text = _NO_WIDTH.sub("", text)
    text = _SUPERSCRIPTS.sub(lambda m: f"{NOTE_START}{m[0]}{NOTE_END}", text)
    text = _GROUP_SPACES.sub(",", text)
    return unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\r", "\n")


def _of_pages(pages: list[str]) -> Text:
    starts, parts, length = [], [], 0
    for page in pages:
        part = normalise(page)
        starts.append(length)
        parts.append(part)
        length += len(part) + 1
    return Text("\n".join(parts), tuple(starts) if len(pages) > 1 else ())


def _decode(content: bytes, name: str) -> str:
    declared = re.search(rb"charset=[\"']?([\w-]+)", content[:4096], re.I)
    for encoding in ("utf-8-sig", declared[1].decode() if declared else None, "cp1252"):
        try:
            text = content.decode(encoding) if encoding else None
        except (UnicodeDecodeError, LookupError):
            continue
        if text is not None and not _is_garbage(text):
            return text
    raise DocumentRefused(f"{name}: its encoding is neither UTF-8 nor what it declares")


def _is_garbage(text: str) -> bool:
    sample = text[:200_000]
    control = sum(1 for c in sample if (c < " " and c not in "\t\n\r\f\v") or "\x7f" <= c <= "\x9f")
    return control > len(sample) / 50


def _of_pdf(content: bytes, name: str) -> Text:
    import pypdfium2

    _refuse_bomb(content, name)
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise DocumentRefused(f"{name}: is no readable PDF ({error})") from error
    try:
        if len(document) > MAX_PAGES:
            raise DocumentRefused(f"{name}: {len(document)} pages; at most {MAX_PAGES} are read")
        pages = []
        for page in document:
            layer = page.get_textpage()
            pages.append(layer.get_text_bounded())
            layer.close()
            page.close()
    except pypdfium2.PdfiumError as error:
        raise DocumentRefused(f"{name}: a page cannot be read ({error})") from error
    finally:
        document.close()
    return _of_pages(pages)


def _refuse_bomb(content: bytes, name: str) -> None:
    """Refuse a PDF whose streams unpack to more than memory should hold.

    Raises:
        DocumentRefused: when they do.
    """
    unpacked = 0
    for match in re.finditer(rb"stream\r?\n", content):
        unpacking = zlib.decompressobj()
        end = content.find(b"endstream", match.end())
        try:
            packed = content[match.end() : end]
            unpacked += len(unpacking.decompress(packed, MAX_UNPACKED - unpacked + 1))
        except zlib.error:
            continue  # packed in another way, or not at all
        if unpacked > MAX_UNPACKED:
            raise DocumentRefused(f"{name}: unpacks to more than {MAX_UNPACKED:,} bytes")


def _of_html(content: bytes, name: str) -> str:
    from lxml import etree, html

    lower = content.lower()
    for tag, most in ((b"<table", MAX_TABLES), (b"<td", MAX_CELLS), (b"<th", MAX_CELLS)):
        if lower.count(tag) > most:
            raise DocumentRefused(f"{name}: more than {most:,} times {tag.decode()}>")
    if b"<!ENTITY" in content:
        raise DocumentRefused(f"{name}: declares entities, which no release does")
    tags = re.sub(rb"""["']data:[^"']*["']""", b'""', content)
    if re.search(rb"<[^<>]{%d}" % MAX_TAG, tags):
        raise DocumentRefused(f"{name}: a tag of more than {MAX_TAG:,} characters")
    text = _decode(content, name)
    # A declaration of an encoding contradicts text that is decoded already.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    try:
        root = html.document_fromstring(text)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise DocumentRefused(f"{name}: is no readable HTML ({error})") from error
    parts: list[str] = []
    _walk(root, parts, name)
    # A cell that holds digits alone holds one number, whatever parts its groups.
    return normalise(_GROUPED_CELL.sub(lambda cell: cell[1].replace(" ", ","), "".join(parts)))


def _walk(root: Any, parts: list[str], name: str) -> None:
    """Append the text of all elements; a stack instead of recursion bears any depth.

    Blocks part lines, but not inside a cell; a cell that holds a table only lays out the page.
    """
    layout = _cells_around_tables(root)
    cells = 0
    stack: list[tuple[Any, int, bool]] = [(root, 0, False)]
    while stack:
        element, depth, is_end = stack.pop()
        tag = element.tag
        if not isinstance(tag, str) or tag in _SKIPPED:
            if not is_end and element.tail:
                parts.append(element.tail)
            continue
        if is_end:
            if tag in ("td", "th"):
                cells -= element not in layout
                parts.append("\t")
            elif tag in _BLOCKS:
                parts.append(" " if cells else "\n")
            if element.tail:
                parts.append(_spaced(element.tail))
            continue
        if depth > MAX_DEPTH:
            raise DocumentRefused(f"{name}: elements nested more than {MAX_DEPTH} deep")
        if tag in ("td", "th"):
            cells += element not in layout
        elif tag == "sup":
            mark = "".join(element.itertext())
            if _NOTE.match(mark):
                parts.append(f"{NOTE_START}{mark}{NOTE_END}")
                stack.append((element, depth, True))
                continue
        elif tag in _BLOCKS:
            parts.append(" " if cells else "\n")
        if element.text:
            parts.append(_spaced(element.text))
        stack.append((element, depth, True))
        stack.extend((child, depth + 1, False) for child in reversed(element))


def _cells_around_tables(root: Any) -> set[Any]:
    found: set[Any] = set()
    for table in root.iter("table"):
        for ancestor in table.iterancestors():
            if ancestor in found:
                break
            if ancestor.tag in ("td", "th"):
                found.add(ancestor)
    return found


def _spaced(text: str) -> str:
    # Line breaks of the source mean nothing in HTML; those of blocks are put in by the walk.
    return re.sub(r"[ \t\r\n]+", " ", text)
