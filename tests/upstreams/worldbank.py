"""The World Bank's API as a local server plays it: a header and rows, in pages, newest year first.

Errors come with status 200, as they do there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.upstreams.misbehaviours import FORMAT_FAULTS as NAMES
from tests.upstreams.misbehaviours import with_body
from tests.upstreams.server import Fault, Reply, Request

_ADDRESS = re.compile(r"^/v2/country/(\w+)/indicator/([\w.]+)$")


@dataclass
class WorldBank:
    """What the World Bank knows; tests add to it. Values by ``CHN/NY.GDP.MKTP.KD.ZG`` and year."""

    updated: date
    series: dict[str, dict[int, float | None]] = field(default_factory=dict)
    most_rows: int = 1000

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        address = _ADDRESS.match(request.path)
        values = self.series.get("/".join(address.groups())) if address else None
        if address is None or values is None:
            said = {"id": "120", "key": "Invalid value", "value": "The parameter is not valid"}
            return _json([{"message": [said]}])
        per_page = min(int(request.query.get("per_page", 50)), self.most_rows)
        page = int(request.query.get("page", 1))
        country, indicator = address.groups()
        rows = [
            {
                "indicator": {"id": indicator, "value": "Made"},
                "country": {"id": country[:2], "value": "Made"},
                "countryiso3code": country,
                "date": str(year),
                "value": values[year],
                "unit": "",
                "obs_status": "",
                "decimal": 1,
            }
            for year in sorted(values, reverse=True)
        ]
        head = {
            "page": page,
            "pages": -(-len(rows) // per_page),
            "per_page": per_page,
            "total": len(rows),
            "sourceid": "2",
            "lastupdated": self.updated.isoformat(),
        }
        return _json([head, rows[(page - 1) * per_page : page * per_page]])


def _json(content: object) -> Reply:
    return Reply(json.dumps(content).encode(), headers={"Content-Type": "application/json"})


# How an answer is made wrong.

Rows = list[dict[str, Any]]


def _rows(change: Callable[[Rows], object]) -> Fault:
    """A fault that changes the rows; the first is the newest year."""

    def spoil(body: bytes) -> bytes:
        head, rows = json.loads(body)
        change(rows)
        return json.dumps([head, rows]).encode()

    return with_body(spoil)


def _empty(body: bytes) -> bytes:
    head = {"page": 0, "pages": 0, "per_page": 50, "total": 0, "sourceid": None,
            "lastupdated": None}  # fmt: skip
    return json.dumps([head, None]).encode()


def _renamed(rows: Rows) -> None:
    for row in rows:
        row["obs_value"] = row.pop("value")


FORMAT_FAULTS: Mapping[str, Fault] = {
    "empty result": with_body(_empty),
    "renamed field": _rows(_renamed),
    "extra field": _rows(lambda rows: [row.update(footnote="") for row in rows]),
    "changed type": _rows(lambda rows: rows[0].update(value="5.0")),
    "null values": _rows(lambda rows: rows[0].update(value=None)),
    "duplicated rows": _rows(lambda rows: rows.append(rows[0])),
    "contradicting rows": _rows(lambda rows: rows.append({**rows[0], "value": 99.9})),
    "unsorted rows": _rows(lambda rows: rows.reverse()),
    "future date": _rows(lambda rows: rows.append({**rows[0], "date": "2049"})),
}
assert {*FORMAT_FAULTS, "rewritten history"} >= set(NAMES)
