"""Compaction: rows move, what counts stays, and no moment of a kill loses a row or doubles one."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from orchestration.build import build_models, publish_build, up_to_date
from orchestration.cli import app
from orchestration.contracts import CONTRACTS
from orchestration.fingerprint import inputs_fingerprint
from orchestration.home import Home
from orchestration.landing import Landing
from orchestration.landing.compaction import CompactionFailed, compact
from orchestration.landing.packs import packed
from orchestration.landing.storage import Storage
from orchestration.landing.store import content_hash, in_key_order
from orchestration.loading import Loader
from orchestration.registry import load_registry
from orchestration.release import current_release
from orchestration.transform.reference import write_calendar_dates, write_registry
from tests.conftest import warehouse
from tests.integration.test_landing import MACRO, observation
from tests.object_store import BUCKET, ObjectStore, object_store

DATASET = "macro_observation"
SEED = 20261128


class Killed(Exception):
    """In the place of a SIGKILL: nothing of ours catches it."""


class Mortal:
    """A storage that dies at its n-th change, before or after the change is made."""

    def __init__(self, storage: Storage, changes: int, *, after: bool) -> None:
        self.storage, self.changes, self.after = storage, changes, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.storage, name)
        if name not in ("write", "create", "remove"):
            return method

        def change(*arguments: Any) -> Any:
            self.changes -= 1
            if self.changes == 0 and not self.after:
                raise Killed
            outcome = method(*arguments)
            if self.changes <= 0:
                raise Killed
            return outcome

        return change


def batch(number: int, value: float) -> pa.Table:
    """Two values of a series that only these tests know, on days of their own."""
    frame = pd.concat([observation(value), observation(value + 1)], ignore_index=True)
    frame["observation_date"] = [date(2020, 1, 1 + number % 28), date(2021, 1, 1 + number % 28)]
    return in_key_order(MACRO, pa.Table.from_pandas(frame, MACRO.batch_schema))


@dataclass
class Model:
    """What landing must read as, kept in a list and a dictionary."""

    place: Path | str
    cache: Path
    asserted: list[str] = field(default_factory=list)
    contents: dict[str, pa.Table] = field(default_factory=dict)

    def landing(self) -> Landing:
        """A new one each time, as each process has."""
        return Landing(self.place, self.cache)

    def land(self, number: int, value: float) -> None:
        rows = batch(number, value)
        batch_id = content_hash(rows)
        line = self.landing().assert_batch(MACRO, rows, batch_id)
        assert line.status == ("asserted_again" if batch_id in self.contents else "landed")
        self.asserted.append(batch_id)
        self.contents[batch_id] = rows

    def compact(self, at_least: int, pack_bytes: int) -> None:
        compact(self.landing(), DATASET, at_least=at_least, pack_bytes=pack_bytes)

    def compact_and_die(self, at_least: int, changes: int, *, after: bool) -> None:
        dying = self.landing()
        dying.storage = Mortal(dying.storage, changes, after=after)  # type: ignore[assignment]
        with suppress(Killed):
            compact(dying, DATASET, at_least=at_least)

    def check(self, gathered: Path) -> None:
        landing = self.landing()
        assert [a.batch_id for a in landing.log.assertions()] == self.asserted
        assert landing.lost(landing.log.in_effect()) == []
        order = {batch_id: place for place, batch_id in enumerate(self.asserted)}
        counting: dict[tuple[Any, ...], Any] = {}
        for batch_id in sorted(self.contents, key=lambda b: order[b]):
            for row in self.contents[batch_id].to_pylist():
                counting[tuple(row[name] for name in MACRO.key)] = row["value"]
        newest = landing.newest(DATASET).to_pylist()
        assert {tuple(r[name] for name in MACRO.key): r["value"] for r in newest} == counting
        assert len(newest) == len(counting)
        assert rows_of(landing.read(DATASET)) == self.rows()
        # What a build reads: all files of the folder, each row once.
        landing.gather(landing.log.in_effect(), gathered)
        read = pa.concat_tables(pq.read_table(p) for p in (gathered / DATASET).glob("*.parquet"))
        assert rows_of(read) == self.rows()
        for batch_id, rows in self.contents.items():
            held = landing.batch(DATASET, batch_id)
            assert held.select(rows.schema.names).cast(rows.schema).equals(rows)
            assert landing.path(DATASET, batch_id).exists()

    def rows(self) -> list[tuple[Any, ...]]:
        return sorted(
            (batch_id, r["observation_date"], r["value"])
            for batch_id, rows in self.contents.items()
            for r in rows.to_pylist()
        )


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted((r["batch_id"], r["observation_date"], r["value"]) for r in table.to_pylist())


def play(model: Model, gathered: Path, seed: int, steps: int) -> None:
    """Land, assert again, pack, die while packing, in any order; look after each step."""
    dice = random.Random(seed)
    for _ in range(steps):
        match dice.choices(["land", "compact", "die"], [6, 2, 3])[0]:
            case "land":
                for _ in range(dice.randint(1, 4)):
                    model.land(dice.randrange(12), float(dice.randrange(3)))
            case "compact":
                model.compact(dice.randint(2, 4), dice.choice([64_000_000, 15_000]))
            case "die":
                model.compact_and_die(2, dice.randint(1, 8), after=dice.random() < 0.5)
        model.check(gathered)
    model.compact(2, 64_000_000)
    model.check(gathered)


@pytest.mark.parametrize("seed", range(SEED, SEED + 12))
def test_any_order_of_landing_packing_and_dying_reads_the_same(tmp_path: Path, seed: int) -> None:
    play(Model(tmp_path / "landing", tmp_path), tmp_path / "gathered", seed, steps=8)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEED + 100, SEED + 500))
def test_many_orders_read_the_same(tmp_path: Path, seed: int) -> None:
    play(Model(tmp_path / "landing", tmp_path), tmp_path / "gathered", seed, steps=25)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_step_nothing_is_lost_or_doubled(tmp_path: Path, after: bool) -> None:
    """Three batches are packed in five changes: file, entry, and three that go."""
    for changes in range(1, 7):
        model = Model(tmp_path / f"{changes}", tmp_path)
        for number in range(3):
            model.land(number, 4.0)
        model.compact_and_die(2, changes, after=after)
        model.check(tmp_path / "gathered" / f"{changes}")
        # Asserted again while it lies in both places, or in one: a line, and no file.
        before = model.landing().data_files(DATASET)
        model.land(1, 4.0)
        assert model.landing().data_files(DATASET) == before
        model.compact(2, 64_000_000)
        model.check(tmp_path / "gathered" / f"{changes}")
        assert len(model.landing().data_files(DATASET)) == 1


COMPACT = """
import sys
from pathlib import Path
from orchestration.landing import Landing
from orchestration.landing.compaction import compact
landing = Landing(Path(sys.argv[1]))
print("ready", flush=True)
while compact(landing, "macro_observation", at_least=2, pack_bytes=int(sys.argv[2])).packs:
    pass
print("done", flush=True)
"""


def kill_a_process(tmp_path: Path, seconds: float = 0, packs: int = 0) -> bool:
    """Kill a process that packs sixty batches three by three; returns whether it was at work.

    It is killed so many seconds after it has made so many packed files.
    """
    model = Model(tmp_path / "landing", tmp_path)
    for number in range(60):
        model.land(number, 4.0 + number)
    before = model.landing().data_files(DATASET)
    assert len(before) == 60
    size = max(entry.size for entry in model.landing().storage.entries(DATASET).values())
    arguments = [sys.executable, "-c", COMPACT, str(tmp_path / "landing"), str(3 * size + 10)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    made = tmp_path / "landing" / DATASET / "packed"
    while packs and len(list(made.glob("*.json"))) < packs and process.poll() is None:
        pass
    time.sleep(seconds)
    process.kill()
    said = process.communicate()[0]
    after = model.landing().data_files(DATASET)
    model.check(tmp_path / "gathered")
    model.compact(2, 64_000_000)
    model.check(tmp_path / "gathered")
    return said == "" and after != before


def test_a_process_that_is_killed_while_it_packs_loses_nothing(tmp_path: Path) -> None:
    for packs in (1, 4):
        assert kill_a_process(tmp_path / f"{packs}", packs=packs)


@pytest.mark.long
def test_a_process_killed_at_many_moments_loses_nothing(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    caught = [kill_a_process(tmp_path / f"{n}", dice.random() * 0.6) for n in range(60)]
    assert sum(caught) >= 6


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    with object_store() as started:
        yield started


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_in_a_bucket_too(server: ObjectStore, tmp_path: Path, seed: int) -> None:
    with warehouse(Home(tmp_path), server.environment()):
        model = Model(f"s3://{BUCKET}/{seed}", tmp_path / "cache")
        play(model, tmp_path / "gathered", seed, steps=4)
        # Copies of what was packed away are let go of.
        copies = list((tmp_path / "cache" / DATASET).rglob("*.parquet"))
        assert len(copies) <= len(model.landing().data_files(DATASET))


def small_batches(loader: Loader, numbers: range) -> None:
    """Corrections of one value after another, some of them back to what it was."""
    for number in numbers:
        frame = observation(4.0 + number % 4)
        frame["observation_date"] = [date(2024, 1, 1 + number % 5)]
        loader.load(MACRO, frame)


def tables(home: Home) -> dict[str, str]:
    release = current_release(home)
    assert release is not None
    return {
        name: table.content_hash
        for name, table in release.manifest.tables.items()
        if not name.startswith("ops.")
    }


def test_packing_makes_no_release_and_the_one_built_from_it_is_the_same(
    published: Home, tmp_path: Path
) -> None:
    home = Home(tmp_path / "warehouse")
    shutil.copytree(published.root, home.root, symlinks=True)
    with warehouse(home):
        loader = Loader(home)
        small_batches(loader, range(23))
        build_models(home)
        release, is_new = publish_build(home)
        assert is_new
        before = tables(home)
        assert before != tables(published)
        log = loader.landing.log.assertions()
        reports = loader.reports()
        fingerprint = inputs_fingerprint(loader.landing.log.in_effect())
        done = CliRunner().invoke(app, ["compact", "--dataset", DATASET])
        assert done.exit_code == 0, done.output
        assert " 21 " in done.output
        assert len(loader.landing.data_files(DATASET)) == 1
        assert loader.landing.log.assertions() == log
        assert loader.reports() == reports
        assert inputs_fingerprint(loader.landing.log.in_effect()) == fingerprint
        assert up_to_date(home)
        build_models(home)
        assert publish_build(home) == (release, False)
        # And where a release is made of it: content for content the same.
        shutil.rmtree(home.root / "published")
        shutil.rmtree(home.build)
        write_registry(home, load_registry())
        write_calendar_dates(home, load_registry())
        build_models(home)
        rebuilt, is_new = publish_build(home)
        assert is_new
        assert rebuilt.release_id.split("-")[1] == release.release_id.split("-")[1]
        assert tables(home) == before
        # Packed content asserted again: one more line, no new file; new content lies by itself.
        small_batches(loader, range(1))
        assert len(loader.landing.log.assertions()) == len(log) + 1
        assert loader.landing.log.assertions()[-1].status == "asserted_again"
        assert len(loader.landing.data_files(DATASET)) == 1
        loader.load(MACRO, observation(9.0))
        assert len(loader.landing.data_files(DATASET)) == 2


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEED, SEED + 12))
def test_releases_are_equal_after_any_order(published: Home, tmp_path: Path, seed: int) -> None:
    homes = [Home(tmp_path / name) for name in ("packed", "plain")]
    for home in homes:
        shutil.copytree(published.root, home.root, symlinks=True)
    for home in homes:
        dice = random.Random(seed)
        with warehouse(home):
            loader = Loader(home)
            for _ in range(dice.randint(3, 6)):
                small_batches(
                    loader, range(start := dice.randrange(20), start + dice.randint(1, 6))
                )
                changes, after = dice.randint(1, 30), dice.random() < 0.5
                if home is homes[0]:
                    dying = Landing.of(home)
                    dying.storage = Mortal(dying.storage, changes, after=after)  # type: ignore[assignment]
                    with suppress(Killed):
                        compact(dying, DATASET, at_least=2)
            build_models(home)
            publish_build(home)
    assert tables(homes[0]) == tables(homes[1])


def test_readers_beside_a_compaction_never_miss_a_row(tmp_path: Path) -> None:
    model = Model(tmp_path / "landing", tmp_path)
    for number in range(12):
        model.land(number, 4.0)
    stop, seen, errors = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.append(rows_of(model.landing().read(DATASET)) == model.rows())
                seen.append(model.landing().newest(DATASET).num_rows == 24)
            except Exception as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for at_least in (4, 3, 2):
            # Three at a time, so that there is much going on to read beside.
            model.compact(at_least, 3 * 5_500)
    finally:
        stop.set()
        reader.join()
    assert errors == []
    assert seen
    assert all(seen)
    assert len(model.landing().data_files(DATASET)) < 12


def test_two_compactions_at_once_pack_nothing_twice(tmp_path: Path) -> None:
    """The slower one finds its number taken, or its batches packed, and leaves it at that."""
    model = Model(tmp_path / "landing", tmp_path)
    for number in range(4):
        model.land(number, 4.0)
    slow = model.landing()
    real = slow.storage
    size = max(entry.size for entry in real.entries(DATASET).values())

    class Overtaken:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def create(self, key: str, content: bytes) -> bool:
            # It packs two by two.
            model.compact(2, 2 * size + 10)
            return real.create(key, content)

    slow.storage = Overtaken()  # type: ignore[assignment]
    assert compact(slow, DATASET, at_least=2).packs == 0
    model.check(tmp_path / "gathered")
    assert [len(pack.batches) for pack in packed(real, DATASET).packs] == [2, 2]


def test_a_lost_or_damaged_packed_file_is_named_and_landing_again_mends_it(tmp_path: Path) -> None:
    model = Model(tmp_path / "landing", tmp_path)
    for number in range(3):
        model.land(number, 4.0)
    model.compact(2, 64_000_000)
    landing = model.landing()
    (key,) = landing.data_files(DATASET)
    kept = landing.storage.read(key)
    landing.storage.write(key, kept[: len(kept) // 2])
    assert landing.lost(landing.log.in_effect()) == [key]
    with pytest.raises(FileNotFoundError, match=key):
        landing.newest(DATASET)
    with pytest.raises(CompactionFailed, match=f"{key}: is lost or cut short"):
        model.compact(2, 64_000_000)
    # The source lands again what was in it; each batch lies by itself until it is packed anew.
    again = dict(model.contents)
    model.contents.clear()
    for number in range(3):
        model.land(number, 4.0)
    assert model.contents.keys() == again.keys()
    model.check(tmp_path / "gathered")
    model.compact(2, 64_000_000)
    model.check(tmp_path / "gathered")
    # The backup turns up after all: its batches are now in two files, and read from one.
    landing.storage.write(key, kept)
    model.check(tmp_path / "gathered")


def test_a_batch_that_is_not_what_the_log_says_is_left_where_it_is(tmp_path: Path) -> None:
    model = Model(tmp_path / "landing", tmp_path)
    for number in range(3):
        model.land(number, 4.0)
    landing = model.landing()
    first, second, _ = model.asserted
    wrong = landing.path(DATASET, first)
    right = wrong.read_bytes()
    for content in (b"no Parquet", landing.path(DATASET, second).read_bytes()):
        wrong.write_bytes(content)
        with pytest.raises(CompactionFailed, match=f"{first}.parquet: "):
            model.compact(2, 64_000_000)
        assert len(landing.data_files(DATASET)) == 3
    wrong.write_bytes(right)
    orphan = landing.path(DATASET, "0" * 32)
    orphan.write_bytes(right)
    model.compact(2, 64_000_000)
    assert orphan.exists(), "a file without a line is not ours to judge"
    model.check(tmp_path / "gathered")


def test_batches_of_another_schema_are_packed_by_themselves(tmp_path: Path) -> None:
    model = Model(tmp_path / "landing", tmp_path)
    for number in range(4):
        model.land(number, 4.0)
    landing = model.landing()
    for batch_id in model.asserted[:2]:
        # As a contract of an earlier day had it.
        older = pq.read_table(landing.path(DATASET, batch_id))
        position = older.schema.get_field_index("observation_date")
        field_ = pa.field("observation_date", pa.date64())
        pq.write_table(
            older.set_column(position, field_, older["observation_date"].cast(pa.date64())),
            landing.path(DATASET, batch_id),
            store_schema=True,
        )
    model.compact(2, 64_000_000)
    packs = packed(landing.storage, DATASET).packs
    assert [pack.batches for pack in packs] == [
        tuple(model.asserted[:2]),
        tuple(model.asserted[2:]),
    ]


def test_few_and_large_batches_stay_as_they_are(home: Home) -> None:
    loader = Loader(home)
    small_batches(loader, range(3))
    before = loader.landing.data_files(DATASET)
    assert compact(loader.landing, DATASET).packs == 0
    size = loader.landing.path(DATASET, loader.landing.log.assertions()[0].batch_id).stat().st_size
    assert compact(loader.landing, DATASET, at_least=2, pack_bytes=size).packs == 0
    assert loader.landing.data_files(DATASET) == before
    answer = CliRunner().invoke(app, ["compact"])
    assert answer.exit_code == 0
    assert all(name in answer.output for name in CONTRACTS)


def test_an_entry_says_which_batches_a_packed_file_has(tmp_path: Path) -> None:
    model = Model(tmp_path / "landing", tmp_path)
    for number in range(2):
        model.land(number, 4.0)
    model.compact(2, 64_000_000)
    entry = json.loads((tmp_path / "landing" / DATASET / "packed" / "0000000001.json").read_text())
    file = tmp_path / "landing" / entry["key"]
    assert entry["batches"] == model.asserted
    assert entry["size"] == file.stat().st_size
    assert pq.read_table(file)["batch_id"].to_pylist() == [
        batch_id for batch_id in model.asserted for _ in range(2)
    ]
