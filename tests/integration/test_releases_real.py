"""Real results releases, where they are present: every curated figure is read back, none wrongly.

The figures compared with are the curated ones of the document; what is read beyond them adds up
to the consolidated figures, or it would not have been read.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.documents.reading import Reading
from orchestration.documents.release import read_release
from orchestration.registry import load_registry
from tests.shared_data import FACTS, UPSTREAM

MILLIONS = {
    "one": Decimal("0.000001"),
    "thousand": Decimal("0.001"),
    "million": Decimal(1),
    "billion": Decimal(1000),
}
pytestmark = pytest.mark.skipif(
    not (UPSTREAM / "peer_releases").is_dir(), reason="the real releases are not on this machine"
)


@dataclass(frozen=True)
class Release:
    company_key: str
    path: Path
    source_url: str


def _releases(company_key: str) -> Iterator[Release]:
    folder = UPSTREAM / ("alibaba_releases" if company_key == "alibaba" else "peer_releases")
    with (folder / "INDEX.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row.get("company", "alibaba") == company_key:
                yield Release(company_key, folder / row["file"], row["source_url"])


def _curated(dataset: str) -> list[dict[str, str]]:
    with (FACTS / f"{dataset}.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _read(release: Release) -> Reading:
    content = release.path.read_bytes()
    return read_release(content, release.path.name, release.company_key, load_registry())


@pytest.mark.parametrize(
    ("company_key", "releases", "figures"),
    [("alibaba", 29, 846), ("jd", 20, 341), ("meituan", 19, 222), ("tencent", 27, 100)],
)
def test_every_curated_figure_of_a_segment_is_read_back(
    company_key: str, releases: int, figures: int, capsys: pytest.CaptureFixture[str]
) -> None:
    documents: dict[str, set[str]] = {}
    for row in _curated("document"):
        if row["company_key"] == company_key:
            documents.setdefault(row["source_url"], set()).add(row["document_id"])
    facts = [row for row in _curated("segment_result") if row["company_key"] == company_key]
    outcome: Counter[str] = Counter()
    checks: Counter[str] = Counter()
    wrong = []
    started = time.perf_counter()
    for release in _releases(company_key):
        reading = _read(release)
        outcome["releases"] += 1
        checks.update({check.name: check.checked for check in reading.checks})
        read = {
            (f.segment_key, f.metric, str(f.period_start), str(f.period_end)): f
            for f in reading.figures
            if f.segment_key
        }
        wanted = [row for row in facts if row["document_id"] in documents[release.source_url]]
        for row in wanted:
            key = (row["segment_key"], row["metric"], row["period_start"], row["period_end"])
            found = read.pop(key, None)
            if found is None:
                outcome["absent"] += 1
                wrong.append(("absent", release.path.name, key))
            elif (
                found.value * MILLIONS[found.unit] == Decimal(row["value"]) * MILLIONS[row["unit"]]
                and found.column_role == row["column_role"]
            ):
                outcome["right"] += 1
            else:
                outcome["wrong"] += 1
                wrong.append((found, release.path.name, key))
        outcome["beyond the curated ones"] += len(read)
    with capsys.disabled():
        print(f"\n{company_key}: {dict(outcome)}; checked while reading: {dict(checks)}")
    assert wrong == []
    assert (outcome["releases"], outcome["right"]) == (releases, figures)
    # All releases of the three peers in under a minute on one core.
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("company_key", ["jd", "meituan", "tencent"])
def test_the_period_and_day_of_publication_are_the_indexed_ones(company_key: str) -> None:
    with (UPSTREAM / "peer_releases" / "INDEX.csv").open(encoding="utf-8") as stream:
        indexed = {row["file"]: row for row in csv.DictReader(stream)}
    for release in _releases(company_key):
        reading = _read(release)
        row = indexed[f"{company_key}/{release.path.name}"]
        assert str(reading.period_end) == row["period_end"]
        assert str(reading.reported_on) == row["reported_on"], release.path.name
