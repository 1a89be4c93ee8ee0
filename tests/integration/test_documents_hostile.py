"""Hostile documents are refused soon and cheaply; an honest large one is read fast.

Each hostile document is read in a process of its own with bounds on memory and processor time, so
that one that is not bounded fails its test and not the machine.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.documents.reading import DocumentRefused
from orchestration.documents.release import read_release
from orchestration.registry import load_registry
from tests.documents.compare import compare
from tests.documents.writer import Block, Paragraph, Release, release, to_html, to_text

SECONDS, MEGABYTES = 5, 500
#: Of these the reader may still read what the attack does not touch; the bounds hold all the same.
HARMLESS = ("split_numbers_without_end.txt", "a_row_of_marks.txt", "huge_colspan.html")
ROOT = Path(__file__).parents[2]

#: Reads each file that it is told of in a process of its own, forked when all is imported; prints
#: seconds, the peak of memory in MB and the outcome.
CHILD = textwrap.dedent(
    """
    import os, resource, sys, time
    from pathlib import Path
    from orchestration.documents.reading import DocumentRefused
    from orchestration.documents.release import read_release
    from orchestration.registry import load_registry

    registry = load_registry()

    def read(path):
        # Address space, not resident memory: generous, only to keep the machine alive.
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
        resource.setrlimit(resource.RLIMIT_CPU, (12, 12))
        content = path.read_bytes()
        began = time.perf_counter()
        try:
            read_release(content, path.name, "alibaba", registry)
            outcome = "read"
        except DocumentRefused as refused:
            outcome = "refused " + " ".join(str(refused).split())[:300]
        except BaseException as error:
            outcome = f"failed {error!r}"[:300]
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds:.2f}|{peak:.0f}|{outcome}", flush=True)

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            read(Path(line.strip()))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(f"12|0|failed, status {status}: out of time or memory", flush=True)
    """
)

Reader = Callable[[Path], tuple[float, float, str]]


@pytest.fixture(scope="module")
def bounded() -> Iterator[Reader]:
    """Reads a file in a bounded process: seconds, peak of memory in MB, outcome."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def read(path: Path) -> tuple[float, float, str]:
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            seconds, megabytes, outcome = process.stdout.readline().strip().split("|", 2)
            return float(seconds), float(megabytes), outcome

        yield read
        process.stdin.close()


def _text(document: str = "e_commerce_ai_cloud_2026-06") -> bytes:
    return to_text(release(document))


def _html(document: str = "e_commerce_ai_cloud_2026-06") -> bytes:
    return to_html(release(document))


def _pdf_without_text() -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.rect(20, 20, 100, 60, style="F")
    return bytes(pdf.output())


def _pdf_bomb() -> bytes:
    """One page whose content inflates to 400 MB of text operators."""
    line = b"BT /F1 9 Tf 10 10 Td (1,234 ) Tj ET\n"
    packer = zlib.compressobj(9)
    stream = b"".join(packer.compress(line * 10_000) for _ in range(1_200)) + packer.flush()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources "
        b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >> >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(stream) + stream + b"\nendstream",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )


def _entities() -> bytes:
    lines = ['<!DOCTYPE html [<!ENTITY a0 "ha">']
    lines += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)]
    return "\n".join([*lines, "]><html><body><p>&a11;</p></body></html>"]).encode()


def _entities_after_a_comment() -> bytes:
    head, _, rest = _entities().partition(b"[")
    return b"<!--" + b"x" * 120_000 + b"-->" + head + b"[" + rest


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty.html": lambda: b"",
    "spaces.txt": lambda: b" \n\t" * 1000,
    "fifty_megabytes_of_words.txt": lambda: b"Revenue by segment 1,234 " * 2_000_000,
    "fifty_megabytes_of_one_word.txt": lambda: b"a" * 50_000_000,
    "below_the_limit_words.txt": lambda: b"Revenue by segment 1,234 " * 440_000,
    "below_the_limit_digits.txt": lambda: b"1 2 3, " * 1_500_000,
    "below_the_limit_brackets.txt": lambda: b"(1 " * 3_500_000,
    "below_the_limit_one_word.txt": lambda: b"a" * 11_000_000,
    "below_the_limit_capitals.txt": lambda: b"A" * 5_000_000 + b" Announces",
    "many_heads.txt": lambda: b"Three months ended June 30, 2025 2026 RMB RMB US$ " * 100_000,
    "many_captions.txt": lambda: (
        b"breakdown of our revenue by segment for the periods: Three months ended June 30, "
        b"2025 2026 RMB RMB US$ (in millions) Unallocated 1 2 3 " * 20_000
    ),
    "wide_table.txt": lambda: (
        b"The quarter ended June 30, 2026. Breakdown of our revenue by segment: "
        b"Three months ended June 30, 2025 2026 RMB RMB US$ (in millions) Cloud "
        + b"1,234 "
        * 300_000
    ),
    "split_numbers_without_end.txt": lambda: _text().replace(
        b"82,547", b"8 2,5 4 7 " * 40 + b"1 2 3 " * 40
    ),
    "a_row_of_marks.txt": lambda: _text().replace(b"82,547", b"(2) (3) (1) (7) (9) " * 60),
    "nested_tables.html": lambda: b"<html><body>" + b"<table><tr><td>" * 100_000 + b"1",
    "nested_divisions.html": lambda: b"<html><body>" + b"<div>" * 500_000 + b"1,234",
    "many_tables.html": lambda: (
        b"<html><body>" + b"<table><tr><td>1,234</td></tr></table>" * 200_000
    ),
    "many_cells.html": lambda: b"<html><body><table><tr>" + b"<td>1,234</td>" * 800_000,
    "huge_colspan.html": lambda: _html().replace(b"colspan='16'", b"colspan='999999999'"),
    "attributes.html": lambda: (
        b"<html><body><p " + b" ".join(b"a%d='1'" % n for n in range(600_000)) + b">1</p>"
    ),
    "entities.html": _entities,
    "entities_late.html": _entities_after_a_comment,
    "utf16.txt": lambda: _text().decode().encode("utf-16-le"),
    "broken_encoding.html": lambda: b"<html><body>" + bytes(range(128, 256)) * 4_000,
    "zero_bytes.txt": lambda: b"\0" * 2_000_000,
    "random.bin": lambda: zlib.compress(bytes(range(256)) * 40_000) * 40,
    "no.pdf": lambda: b"%PDF-1.7\n" + b"this is none " * 1000,
    "cut.pdf": lambda: _pdf_without_text()[:300],
    "without_text.pdf": _pdf_without_text,
    "bomb.pdf": _pdf_bomb,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_soon_and_cheaply(
    name: str, tmp_path: Path, bounded: Reader
) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name]())
    seconds, megabytes, outcome = bounded(path)
    print(f"{name}: {seconds:.2f} s, {megabytes:.0f} MB, {outcome}")
    allowed = ("refused ", "read") if name in HARMLESS else ("refused ",)
    assert outcome.startswith(allowed), f"{name}: {outcome}"
    assert outcome == "read" or name in outcome, "the reason names the file"
    assert seconds < SECONDS
    # With the file itself and what the interpreter weighs.
    assert megabytes < MEGABYTES


def test_a_pdf_that_is_no_pdf_says_so() -> None:
    with pytest.raises(DocumentRefused, match="PDF"):
        read_release(HOSTILE["no.pdf"](), "no.pdf", "alibaba", load_registry())


def test_a_scan_says_that_it_has_no_words() -> None:
    with pytest.raises(DocumentRefused, match=r"words|text"):
        read_release(HOSTILE["without_text.pdf"](), "scan.pdf", "alibaba", load_registry())


def test_an_old_encoding_is_read_rightly() -> None:
    """Windows-1252, as older exhibits are, with and without its declaration."""
    document = release("china_e_commerce_2025-09")
    content = to_html(document).decode().encode("cp1252")
    for declared in (b"windows-1252", b"us-ascii"):
        again = content.replace(b"charset='utf-8'", b"charset='%s'" % declared)
        outcome = compare(document, read_release(again, "old.html", "alibaba", load_registry()))
        assert outcome.is_exact, outcome


def _one_megabyte(tables: int, paragraphs: int) -> tuple[Release, bytes]:
    """A release with other tables and prose in this proportion, up to 1 MB of HTML."""
    document = release("seven_segments_2022-09")
    prose = Paragraph(
        "We write at length about what a quarter brought, with figures such as RMB1,234 million "
        "(US$190 million), 12% and (5)%, in the three months ended September 30, 2022. "
    )
    costs = next(table for table in document.tables if "by function" in table.caption)
    rows = [
        replace(row, label=f"{row.label} of kind {kind}")
        for kind in range(14)
        for row in costs.rows[:2]
    ]
    more: list[Block] = [replace(costs, rows=(*rows, costs.rows[-1]))] * tables
    more += [prose] * paragraphs
    blocks = list(document.blocks)
    while len(to_html(replace(document, blocks=tuple(blocks)))) < 1_000_000:
        blocks += more
    return document, to_html(replace(document, blocks=tuple(blocks)))


@pytest.mark.parametrize(
    ("tables", "paragraphs", "yardsticks"),
    # As exhibits are, markup for the most part; and text with figures alone. Both bounds are some
    # one and a half times what it takes: machines differ, the work beside the yardstick does not.
    [pytest.param(2, 6, 6.0, id="tables"), pytest.param(0, 400, 13.0, id="prose")],
)
def test_an_exhibit_of_one_megabyte_is_read_fast(
    tables: int, paragraphs: int, yardsticks: float
) -> None:
    document, content = _one_megabyte(tables, paragraphs)
    registry = load_registry()
    taken, yardstick = [], []
    for _ in range(5):
        yardstick.append(_processor_seconds(_yardstick))
        taken.append(
            _processor_seconds(lambda: read_release(content, "large.html", "alibaba", registry))
        )
    outcome = compare(document, read_release(content, "large.html", "alibaba", registry))
    print(
        f"{len(content):,} bytes: median {statistics.median(taken):.2f} s of processor time, "
        f"{statistics.median(yardstick):.2f} s a yardstick"
    )
    assert outcome.is_exact, outcome
    assert statistics.median(taken) < yardsticks * statistics.median(yardstick)


def _processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of this process, so that other load counts little."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _yardstick() -> int:
    """Work of the same kind, always the same: regular expressions over short texts."""
    texts = [f"{number:,} of {number % 97}" for number in range(200_000)]
    return sum(len(re.findall(r"\d+", text)) for text in texts)
