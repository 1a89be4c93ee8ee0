"""FRED as a local server plays it: the public CSV, and the API with every vintage.

A day is set and everything is answered as FRED would have on it. The API is as strict as FRED's
own: it refuses an unknown key, a real-time period before the first vintage of a series, and one
that spans more than 2,000 vintages; and it cuts the real-time period of a value to the one asked
for.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.shared_data import UPSTREAM
from tests.upstreams.misbehaviours import FORMAT_FAULTS as NAMES
from tests.upstreams.misbehaviours import with_body
from tests.upstreams.server import Fault, Reply, Request

RECORDED = UPSTREAM / "fred"
KEY = "0123456789abcdef0123456789abcdef"
CSV_PATH = "/graph/fredgraph.csv"
API_PATH = "/fred/series/observations"
DATES_PATH = "/fred/series/vintagedates"
MOST_VINTAGES = 2000
FOREVER = date(9999, 12, 31)

#: What a series said of an observation, by the day it was first said.
Revisions = dict[date, dict[date, str]]


def recorded(series: str) -> list[tuple[date, str]]:
    """Observations as the real API gave them.

    Raises:
        FileNotFoundError: where the recorded answers are not present.
    """
    content = json.loads((RECORDED / f"observations_{series}.json").read_text(encoding="utf-8"))
    return [(date.fromisoformat(o["date"]), o["value"]) for o in content["body"]["observations"]]


def made(first: date, days: int) -> Revisions:
    """A daily series that is published on the day after and never revised; no value on Mondays."""
    said: Revisions = {}
    for n in range(days):
        day = first + timedelta(days=n)
        value = "." if day.weekday() == 0 else f"{4 + n % 7 / 100:.2f}"
        said[day] = {day + timedelta(days=1): value}
    return said


@dataclass
class Fred:
    """What FRED knows; tests add to it."""

    today: date
    series: dict[str, Revisions] = field(default_factory=dict)
    #: What the date column of the CSV is called; ``DATE`` before December 2024.
    date_column: str = "observation_date"
    most_rows: int = 100_000

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        name = request.query.get("id") or request.query.get("series_id", "")
        if request.path == CSV_PATH:
            return self._csv(name) if name in self.series else _page_not_found()
        if request.path not in (API_PATH, DATES_PATH):
            return _page_not_found()
        if request.query.get("api_key") != KEY:
            return _refusal("The value for variable api_key is not registered.")
        if name not in self.series:
            return _refusal("The series does not exist.")
        dates = self.vintages(name)
        if request.path == DATES_PATH:
            return self._paged(request, "vintage_dates", [day.isoformat() for day in dates])
        first = _day(request, "realtime_start", self.today)
        last = _day(request, "realtime_end", self.today)
        if not dates or last < dates[0]:
            return _refusal("The series does not exist in ALFRED but may exist in FRED.")
        if sum(first <= day <= last for day in dates) > MOST_VINTAGES:
            return _refusal("This exceeds the maximum number of vintage dates allowed (2000).")
        return self._paged(request, "observations", self._rows(name, first, last))

    def vintages(self, name: str) -> list[date]:
        """Days up to today on which the series was published."""
        days = {day for said in self.series[name].values() for day in said}
        return sorted(day for day in days if day <= self.today)

    def _csv(self, name: str) -> Reply:
        sink = io.StringIO()
        table = csv.writer(sink, lineterminator="\n")
        table.writerow([self.date_column, name])
        for day, said in sorted(self.series[name].items()):
            known = [value for since, value in sorted(said.items()) if since <= self.today]
            if known:
                table.writerow([day.isoformat(), known[-1]])
        return Reply(sink.getvalue().encode(), headers={"Content-Type": "application/csv"})

    def _rows(self, name: str, first: date, last: date) -> list[dict[str, str]]:
        rows = []
        for day, said in sorted(self.series[name].items()):
            known = sorted((since, value) for since, value in said.items() if since <= self.today)
            ends = [since - timedelta(days=1) for since, _ in known[1:]] + [FOREVER]
            # Of a day that nothing is known of yet there is no row.
            for (since, value), end in zip(known, ends, strict=False):
                if since <= last and end >= first:
                    rows.append(
                        {
                            "realtime_start": max(since, first).isoformat(),
                            "realtime_end": min(end, last).isoformat(),
                            "date": day.isoformat(),
                            "value": value,
                        }
                    )
        return rows

    def _paged(self, request: Request, name: str, rows: list[Any]) -> Reply:
        limit = min(int(request.query.get("limit", self.most_rows)), self.most_rows)
        offset = int(request.query.get("offset", 0))
        content = {
            "realtime_start": request.query.get("realtime_start", self.today.isoformat()),
            "realtime_end": request.query.get("realtime_end", self.today.isoformat()),
            "order_by": "observation_date" if name == "observations" else "vintage_date",
            "sort_order": "asc",
            "count": len(rows),
            "offset": offset,
            "limit": limit,
            name: rows[offset : offset + limit],
        }
        return Reply(json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def _day(request: Request, name: str, otherwise: date) -> date:
    return date.fromisoformat(request.query.get(name, otherwise.isoformat()))


def _refusal(said: str) -> Reply:
    content = {"error_code": 400, "error_message": f"Bad Request.  {said}"}
    return Reply(json.dumps(content).encode(), 400, {"Content-Type": "application/json"})


def _page_not_found() -> Reply:
    return Reply(b"<html><head><title>Page not found</title></head></html>", 404)


# How a CSV is made wrong.

Cells = list[list[str]]


def _table(change: Callable[[Cells], Cells]) -> Fault:
    """A fault that changes the table, header included; its last row has a value."""

    def spoil(body: bytes) -> bytes:
        cells = change(list(csv.reader(io.StringIO(body.decode()))))
        return "".join(",".join(row) + "\n" for row in cells).encode()

    return with_body(spoil)


def _in_30_days(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=30)).isoformat()


CSV_FAULTS: Mapping[str, Fault] = {
    "empty result": _table(lambda cells: cells[:1]),
    "renamed field": _table(lambda cells: [[cells[0][0], "VALUE"], *cells[1:]]),
    "extra field": _table(lambda cells: [[*row, "A"] for row in cells]),
    "changed type": _table(lambda cells: [*cells[:-1], [cells[-1][0], cells[-1][1] + "%"]]),
    "null values": _table(lambda cells: [*cells[:-1], [cells[-1][0], ""]]),
    "duplicated rows": _table(lambda cells: [*cells, cells[-1]]),
    "contradicting rows": _table(lambda cells: [*cells, [cells[-1][0], "9.99"]]),
    "unsorted rows": _table(lambda cells: [cells[0], *reversed(cells[1:])]),
    "future date": _table(lambda cells: [*cells, [_in_30_days(cells[-1][0]), cells[-1][1]]]),
}


# How the API's JSON is made wrong.


def _observations(change: Callable[[list[dict[str, Any]]], object]) -> Fault:
    """A fault that changes the rows of the API; its last one has a value."""

    def spoil(body: bytes) -> bytes:
        content = json.loads(body)
        if "observations" in content:
            change(content["observations"])
        return json.dumps(content).encode()

    return with_body(spoil)


def _renamed(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["obs_value"] = row.pop("value")


API_FAULTS: Mapping[str, Fault] = {
    "empty result": with_body(
        lambda body: (
            json.dumps({**json.loads(body), "count": 0, "observations": []}).encode()
            if b'"observations"' in body
            else body
        )
    ),
    "renamed field": _observations(_renamed),
    "extra field": _observations(lambda rows: [row.update(status="A") for row in rows]),
    "changed type": _observations(lambda rows: rows[-1].update(value={"amount": 4})),
    "null values": _observations(lambda rows: rows[-1].update(value=".")),
    "duplicated rows": _observations(lambda rows: rows.append(rows[-1])),
    "contradicting rows": _observations(lambda rows: rows.append({**rows[-1], "value": "9.99"})),
    "unsorted rows": _observations(lambda rows: rows.reverse()),
    "future date": _observations(
        lambda rows: rows.append({**rows[-1], "date": _in_30_days(rows[-1]["date"])})
    ),
}
for _faults in (CSV_FAULTS, API_FAULTS):
    assert {*_faults, "rewritten history"} >= set(NAMES)
