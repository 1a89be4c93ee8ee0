"""Landing in object storage, against a real S3 server on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration.build import BatchesLost, build_models, up_to_date
from orchestration.contracts import contract_for
from orchestration.home import Home
from orchestration.landing import Landing, LoadLog, StorageFailed, storage
from orchestration.landing.storage import ObjectStorage, storage_at
from orchestration.loading import BatchRejected, Loader
from orchestration.release import current_release
from orchestration.run import run_everything
from orchestration.settings import warehouse_home
from tests.conftest import warehouse
from tests.integration.test_landing import MACRO, observation
from tests.object_store import BUCKET, ObjectStore, object_store

PLACE = f"s3://{BUCKET}/made/landing"
#: Enough to see that a request is repeated, few enough not to wait for it.
FEW_TRIES = {"WAREHOUSE_ATTEMPTS": "2"}


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    with object_store() as started:
        yield started


@pytest.fixture
def store(server: ObjectStore) -> ObjectStore:
    """The server with an empty bucket."""
    for key in server.objects():
        server.client().delete_object(Bucket=BUCKET, Key=key)
    server.requests.clear()
    return server


@pytest.fixture
def in_bucket(store: ObjectStore, tmp_path: Path) -> Iterator[Home]:
    """An empty warehouse that lands in the bucket."""
    settings = store.environment() | FEW_TRIES | {"WAREHOUSE_LANDING": PLACE}
    with warehouse(Home(tmp_path / "warehouse"), settings):
        yield warehouse_home()


def test_the_setting_names_a_folder_or_a_bucket(home: Home, tmp_path: Path) -> None:
    assert warehouse_home() == home
    with warehouse(home, {"WAREHOUSE_LANDING": str(tmp_path / "elsewhere")}):
        Loader(warehouse_home()).load(MACRO, observation(4.0))
        assert len(list((tmp_path / "elsewhere" / "macro_observation").glob("*.parquet"))) == 1
        assert not home.landing.exists()
    for wrong in ("gs://bucket/landing", "s3://", "s3:///prefix", "s3://bucket//prefix"):
        with pytest.raises(ValueError, match="neither a folder nor s3://bucket"):
            storage_at(wrong, tmp_path)
    with pytest.raises(ValueError, match=r"'s3://\.\.\.@bucket/landing'") as refused:
        storage_at("s3://key:made-secret@bucket/landing", tmp_path)
    assert "made-secret" not in str(refused.value)


def test_batches_log_reports_and_files_lie_in_the_bucket_alone(
    in_bucket: Home, store: ObjectStore
) -> None:
    loader = Loader(in_bucket)
    for value in (4.0, 4.5, 4.0):
        loader.load(MACRO, observation(value))
        assert loader.landing.newest("macro_observation")["value"].to_pylist() == [value]
    assert loader.landing.read("macro_observation").num_rows == 2
    sha256 = loader.landing.files.keep(b"a release", ".htm")
    assert loader.landing.files.read(sha256, ".htm") == b"a release"
    first, second, again = loader.landing.log.assertions()
    assert (first.batch_id, again.status) == (again.batch_id, "asserted_again")
    assert set(store.objects()) == {
        *(f"made/landing/load_log/{number:010d}.json" for number in (1, 2, 3)),
        *(
            f"made/landing/macro_observation/{a.batch_id}.{kind}"
            for a in (first, second)
            for kind in ("parquet", "report.json")
        ),
        f"made/landing/files/{sha256[:2]}/{sha256}.htm",
    }
    assert not in_bucket.landing.exists()
    # Another machine, which has no copies yet, reads the same.
    elsewhere = Home(in_bucket.root.parent / "other", PLACE)
    assert Loader(elsewhere).reports().keys() == {first.batch_id, second.batch_id}
    assert Landing.of(elsewhere).newest("macro_observation")["value"].to_pylist() == [4.0]


def test_what_was_fetched_once_is_not_fetched_again(in_bucket: Home, store: ObjectStore) -> None:
    loader = Loader(in_bucket)
    for value in (4.0, 4.5):
        loader.load(MACRO, observation(value))
    landing, folder = Landing.of(in_bucket), in_bucket.gathered
    landing.gather(landing.log.in_effect(), folder)
    gathered = sorted(path.name for path in (folder / "macro_observation").iterdir())
    store.requests.clear()
    landing.gather(landing.log.in_effect(), folder)
    assert [r.path for r in store.requests if r.path.endswith((".parquet", ".json"))] == []
    assert sorted(path.name for path in (folder / "macro_observation").iterdir()) == gathered
    # A line that is gone, as after a restore by hand, takes its batch out of the next build.
    store.client().delete_object(Bucket=BUCKET, Key="made/landing/load_log/0000000002.json")
    landing.gather(landing.log.in_effect(), folder)
    assert len(list((folder / "macro_observation").iterdir())) == len(gathered) - 1
    # A batch that was mended in place is fetched anew.
    (kept,) = landing.log.in_effect()
    mended = landing.batch(kept.dataset, kept.batch_id)
    key = f"{kept.dataset}/{kept.batch_id}.parquet"
    pq.write_table(mended, in_bucket.root / "mended.parquet", compression="none")
    landing.storage.write(key, (in_bucket.root / "mended.parquet").read_bytes())
    landing.gather(landing.log.in_effect(), folder)
    (found,) = (p for p in (folder / kept.dataset).iterdir() if p.stem != "schema")
    assert found.read_bytes() == (in_bucket.root / "mended.parquet").read_bytes()


def test_writers_side_by_side_never_share_a_number(in_bucket: Home, store: ObjectStore) -> None:
    def assert_some(writer: int) -> list[int]:
        log = LoadLog(storage_at(PLACE, in_bucket.landing_cache))
        return [
            log.append("fx_rate", f"{writer}", "ecb", n, date(2026, 1, 2), new=True).sequence
            for n in range(5)
        ]

    with ThreadPoolExecutor(6) as threads:
        taken = [number for numbers in threads.map(assert_some, range(6)) for number in numbers]
    assert sorted(taken) == list(range(1, 31))
    # Each line says what its writer wrote, not what another one wrote over it.
    lines = Landing.of(in_bucket).log.assertions()
    assert sorted((a.batch_id, a.rows) for a in lines) == [
        (str(writer), n) for writer in range(6) for n in range(5)
    ]


def test_processes_side_by_side_never_share_a_number(in_bucket: Home) -> None:
    code = (
        "from orchestration.landing import Landing\n"
        "from orchestration.settings import warehouse_home\n"
        "from datetime import date\n"
        "log = Landing.of(warehouse_home()).log\n"
        "print(*(log.append('fx_rate', 'a', 'ecb', 1, date(2026, 1, 2), new=True).sequence\n"
        "        for _ in range(4)))\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    taken = [int(n) for writer in writers for n in writer.communicate(timeout=120)[0].split()]
    assert sorted(taken) == list(range(1, 9))


def test_a_whole_run_gives_the_release_that_a_folder_gives(
    in_bucket: Home, published: Home, store: ObjectStore
) -> None:
    summary = run_everything(in_bucket)
    assert summary.succeeded, summary.failures
    ours, local = current_release(in_bucket), current_release(published)
    assert ours is not None
    assert local is not None
    assert {n: t.content_hash for n, t in ours.manifest.tables.items() if n[:3] != "ops"} == {
        n: t.content_hash for n, t in local.manifest.tables.items() if n[:3] != "ops"
    }
    assert ours.release_id.split("-")[1] == local.release_id.split("-")[1]
    assert not in_bucket.landing.exists()
    assert up_to_date(in_bucket)
    # The bucket fails while a run looks at it: an error, never an empty landing.
    with (
        store.failing(lambda request: 503 if request.method == "GET" else None),
        pytest.raises(StorageFailed, match=f"{PLACE}/load_log: cannot be listed"),
    ):
        up_to_date(in_bucket)
    # A batch is gone: named, and nothing is built without it.
    (fx,) = (a for a in Landing.of(in_bucket).log.in_effect() if a.dataset == "fx_rate")
    key = f"fx_rate/{fx.batch_id}.parquet"
    store.client().delete_object(Bucket=BUCKET, Key=f"made/landing/{key}")
    with pytest.raises(BatchesLost, match=key):
        build_models(in_bucket)
    assert current_release(in_bucket) == ours


def test_a_rejected_batch_leaves_the_bucket_as_it_was(in_bucket: Home, store: ObjectStore) -> None:
    loader = Loader(in_bucket)
    loader.load(MACRO, observation(4.0))
    before = store.objects()
    with pytest.raises(BatchRejected, match="DGS10"):
        loader.load(MACRO, observation(float("nan")).assign(unit=None))
    assert store.objects() == before
    assert len(loader.quarantine.entries()) == 1


@pytest.mark.parametrize(
    ("fails", "landed"),
    [
        (lambda path: path.endswith(".parquet"), False),
        (lambda path: "load_log" in path, False),
        (lambda path: path.endswith(".report.json"), True),
    ],
    ids=["batch", "log", "report"],
)
def test_an_outage_while_landing_loses_nothing_and_the_next_load_mends_it(
    in_bucket: Home, store: ObjectStore, fails: object, landed: bool
) -> None:
    loader = Loader(in_bucket)
    loader.load(MACRO, observation(4.0))
    assert callable(fails)
    with (
        store.failing(lambda r: 503 if r.method == "PUT" and fails(r.path) else None),
        pytest.raises(StorageFailed, match=rf"{PLACE}/.*cannot be written: .*made"),
    ):
        loader.load(MACRO, observation(4.5))
    assert loader.landing.lost(loader.landing.log.in_effect()) == []
    value = [4.5 if landed else 4.0]
    assert loader.landing.newest("macro_observation")["value"].to_pylist() == value
    loader.load(MACRO, observation(4.5))
    assert loader.landing.newest("macro_observation")["value"].to_pylist() == [4.5]
    assert loader.landing.read("macro_observation").num_rows == 2


def test_a_lost_answer_to_a_log_line_costs_a_line_and_nothing_else(
    in_bucket: Home, store: ObjectStore
) -> None:
    lost = iter(["lost"])
    loader = Loader(in_bucket)
    with store.failing(lambda r: next(lost, None) if "load_log/0" in r.path else None):
        loader.load(MACRO, observation(4.0))
    assert [a.sequence for a in loader.landing.log.assertions()] == [1, 2]
    assert len({a.batch_id for a in loader.landing.log.assertions()}) == 1
    assert loader.landing.newest("macro_observation").num_rows == 1


def test_a_service_that_ignores_the_condition_is_found_out(
    in_bucket: Home, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_HONEST", set())
    with (
        store.failing(lambda request: "unconditional"),
        pytest.raises(StorageFailed, match=r"load_log/0000000001\.json: .* honour If-None"),
    ):
        Loader(in_bucket).load(MACRO, observation(4.0))
    Loader(in_bucket).load(MACRO, observation(4.0))
    assert BUCKET in storage._HONEST
    assert Landing.of(in_bucket).newest("macro_observation").num_rows == 1


def test_an_answer_that_breaks_off_is_never_taken_for_whole(
    in_bucket: Home, store: ObjectStore
) -> None:
    Loader(in_bucket).load(MACRO, observation(4.0))
    landing = Landing.of(in_bucket)
    cut = [True]
    with (
        store.failing(lambda r: "cut" if cut[0] and r.path.endswith(".parquet") else None),
        pytest.raises(StorageFailed, match=r"macro_observation/\w+\.parquet: cannot be read"),
    ):
        landing.newest("macro_observation")
    assert landing.newest("macro_observation").num_rows == 1, "and no half copy stays behind"


def test_what_keeps_the_bucket_from_answering_is_said_in_words(
    in_bucket: Home, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Landing("s3://no-such-bucket/landing", in_bucket.landing_cache)
    asked = (
        nowhere.log.assertions,
        lambda: nowhere.report("fx_rate", "a"),
        lambda: nowhere.storage.exists("fx_rate/a.parquet"),
        lambda: nowhere.files.keep(b"", ".htm"),
    )
    for ask in asked:
        with pytest.raises(StorageFailed, match=r"s3://no-such-bucket/landing/.*make the bucket"):
            ask()
    with (
        store.failing(lambda request: 403),
        pytest.raises(StorageFailed, match=r"load_log: cannot be listed: .*403") as refused,
    ):
        Landing.of(in_bucket).log.assertions()
    assert "made-secret" not in str(refused.value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(in_bucket.root / "none"))
    # Another address is another client, one that has no credentials yet.
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(StorageFailed, match=r"Unable to locate credentials.*AWS_ACCESS_KEY_ID"):
        Landing.of(in_bucket).log.assertions()


def test_the_command_says_it_in_one_message(in_bucket: Home, store: ObjectStore) -> None:
    with store.failing(lambda request: 503):
        answer = subprocess.run(
            [sys.executable, "-m", "orchestration.cli", "run"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert answer.returncode == 2
    assert f"{PLACE}/load_log: cannot be listed" in " ".join(answer.stderr.split())
    assert "Traceback" not in answer.stderr


def test_the_contract_of_a_dataset_reads_from_an_empty_bucket(in_bucket: Home) -> None:
    landing = Landing.of(in_bucket)
    assert isinstance(landing.storage, ObjectStorage)
    landing.gather([], in_bucket.gathered)
    schema = pq.read_schema(in_bucket.gathered / "daily_price" / "schema.parquet")
    assert schema == contract_for("daily_price").landed_schema
    assert landing.newest("daily_price").num_rows == 0
