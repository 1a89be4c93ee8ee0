from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from orchestration.reader import NoRelease, connect, current_release_id
from orchestration.release import (
    CheckSummary,
    NoSuchRelease,
    ReleaseRefused,
    catalogue,
    current_release,
    is_current,
    releases,
    rollback,
)
from orchestration.release.tables import Table
from tests.made_build import FAILED, PASSED, WARNED, make_build, publish_build, publish_number

FACT = Table("core", "fct_result")
DIMENSION = Table("core", "dim_segment")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def number_in(home: Home, release_id: str | None = None) -> int:
    with connect(home.root, release_id) as warehouse:
        [(number,)] = warehouse.execute("select distinct number from core.fct_result").fetchall()
    return int(number)


def test_a_release_holds_database_parquet_and_manifest(home: Home) -> None:
    make_build(home, 1)
    release = publish_build(home, git_revision="abc123")

    assert current_release(home) == release
    assert home.current.readlink() == Path("releases") / release.release_id
    assert sorted(p.name for p in release.folder.iterdir()) == [
        "changes.md",
        "manifest.json",
        "parquet",
        "warehouse.duckdb",
    ]
    assert sorted(
        str(p.relative_to(release.folder)) for p in release.folder.rglob("*.parquet")
    ) == [
        "parquet/core/dim_segment.parquet",
        "parquet/core/fct_result.parquet",
        "parquet/marts/wide.parquet",
        "parquet/ops/check_result.parquet",
        "parquet/ops/load_batch.parquet",
        "parquet/ops/reconciliation.parquet",
        "parquet/ops/release.parquet",
    ]
    manifest = release.manifest
    assert manifest.git_revision == "abc123"
    assert manifest.checks == CheckSummary(passed=1, warned=1, failed=0)
    assert set(manifest.tables) == {"core.dim_segment", "core.fct_result", "marts.wide"}
    assert manifest.tables["core.fct_result"].rows == 1000
    assert release.release_id.endswith(manifest.content_hash[:8])
    assert (
        manifest.bytes
        == sum(p.stat().st_size for p in release.folder.rglob("*") if p.is_file())
        - (release.folder / "manifest.json").stat().st_size
    )


def test_comments_macro_constraints_and_ops_tables_survive(home: Home) -> None:
    make_build(home, 1)
    release = publish_build(home)
    with connect(home.root) as warehouse:

        def ask(sql: str) -> list[tuple[object, ...]]:
            return warehouse.execute(sql).fetchall()

        assert ask("select count(*) from core.segment_result_as_of(date '2025-04-01')") == [(2,)]
        assert ask("select comment from duckdb_tables() where table_name = 'fct_result'") == [
            ("One figure; it's in millions",)
        ]
        assert ask(
            "select comment from duckdb_columns() "
            "where table_name = 'fct_result' and column_name = 'value'"
        ) == [("millions of the reporting currency",)]
        assert ask(
            "select count(*) from duckdb_constraints() where table_name = 'dim_segment'"
        ) != [(0,)]
        assert ask("select release_id, inputs_fingerprint from ops.release") == [
            (release.release_id, "inputs-1")
        ]
        assert ask(
            'select asset, "check", severity, passed from ops.check_result order by all'
        ) == [
            ("core.fct_result", "freshness", "warn", False),
            ("core.fct_result", "grain", "error", True),
        ]
        assert ask("select dataset, rows, status from ops.load_batch") == [("fx_rate", 2, "landed")]
        assert (
            ask(
                "select table_name, column_name from duckdb_columns() where schema_name = 'ops' "
                "and table_name != 'reconciliation' and comment is null"
            )
            == []
        )
        assert ask(
            "select distinct schema_name from duckdb_tables() where not internal order by all"
        ) == [("core",), ("marts",), ("ops",)]


def test_the_file_has_the_storage_version_that_bi_drivers_read(home: Home) -> None:
    make_build(home, 1)
    database = publish_build(home).database
    header = database.read_bytes()[:16]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:16], "little") == 65  # v1.2.0; DuckDB's own files: 64 to 1.1
    with duckdb.connect(str(database), read_only=True) as connection:
        [(tags,)] = connection.execute(
            "select tags from duckdb_databases() where database_name = 'warehouse'"
        ).fetchall()
    assert tags["storage_version"].startswith("v1.2.0")


def test_parquet_has_the_same_rows_in_a_fixed_order(home: Home) -> None:
    make_build(home, 1)
    release = publish_build(home)
    with connect(home.root) as warehouse:
        for table in (FACT, DIMENSION, Table("ops", "load_batch")):
            parquet = warehouse.execute(
                "from read_parquet($1)", [str(release.parquet(table))]
            ).fetchall()
            assert parquet == warehouse.execute(f"from {table.sql} order by all").fetchall()


def test_two_builds_of_equal_content_have_equal_hashes(home: Home) -> None:
    make_build(home, 1)
    first = publish_build(home)
    make_build(home, 1)
    second = publish_build(home, checks=[PASSED])
    assert second.release_id > first.release_id
    assert second.manifest.tables == first.manifest.tables
    assert second.manifest.content_hash == first.manifest.content_hash
    assert publish_number(home, 2).manifest.content_hash != first.manifest.content_hash


def test_unchanged_tables_share_their_file_with_any_kept_release(home: Home) -> None:
    one, two, one_again = (publish_number(home, number) for number in (1, 2, 1))

    def inode(release_folder: Path, table: Table) -> int:
        return (release_folder / "parquet" / table.schema / f"{table.name}.parquet").stat().st_ino

    assert inode(one.folder, DIMENSION) == inode(two.folder, DIMENSION)
    assert inode(one.folder, FACT) != inode(two.folder, FACT)
    assert inode(one.folder, FACT) == inode(one_again.folder, FACT)


def test_without_hard_links_files_are_written_anew(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    publish_number(home, 1)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert publish_number(home, 1).parquet(FACT).stat().st_nlink == 1


def test_seven_releases_are_kept_and_the_file_of_an_open_reader_lives_on(home: Home) -> None:
    first = publish_number(home, 0)
    with connect(home.root) as reader:
        for number in range(1, 8):
            publish_number(home, number)
        assert not first.folder.exists()
        assert reader.execute("select distinct number from marts.wide").fetchall() == [(0,)]
        assert number_in(home) == 7  # in the same process, while the old one is open
    assert [number_in(home, r.release_id) for r in releases(home)] == [7, 6, 5, 4, 3, 2, 1]
    assert len(list(home.releases.iterdir())) == 7


def test_retention_never_deletes_the_current_release(home: Home) -> None:
    oldest = publish_number(home, 0)
    for number in range(1, 4):
        publish_number(home, number)
    rollback(home, oldest.release_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "KEPT_RELEASES", 2)
        catalogue.remove_old_releases(home)
    assert [number_in(home, r.release_id) for r in releases(home)] == [3, 2, 0]


def test_rollback_goes_back_step_by_step_or_to_the_release_asked_for(home: Home) -> None:
    one, two, three = (publish_number(home, number) for number in (1, 2, 3))
    assert rollback(home).release_id == two.release_id
    assert rollback(home).release_id == one.release_id
    with pytest.raises(NoSuchRelease, match="before the current one"):
        rollback(home)
    assert number_in(home) == 1
    assert rollback(home, three.release_id).release_id == three.release_id
    assert number_in(home) == 3
    with pytest.raises(NoSuchRelease, match=rf"no release 'nonsense'.*{three.release_id}"):
        rollback(home, "nonsense")
    assert current_release_id(home.root) == three.release_id


def test_a_publish_after_a_rollback_is_judged_by_the_current_release(home: Home) -> None:
    publish_number(home, 1)
    two = publish_number(home, 2)
    assert is_current(home, "inputs-2")
    rollback(home)
    assert is_current(home, "inputs-1")
    assert not is_current(home, "inputs-2")
    again = publish_number(home, 2)
    assert is_current(home, "inputs-2")
    assert again.release_id > two.release_id


@pytest.mark.parametrize("published_before", [False, True])
def test_a_failed_blocking_check_publishes_nothing(home: Home, published_before: bool) -> None:
    if published_before:
        publish_number(home, 1)
    before = current_release(home)
    make_build(home, 2)
    with pytest.raises(ReleaseRefused, match=r"core\.fct_result: adds_up \(3 tables differ\)"):
        publish_build(home, checks=[PASSED, FAILED, WARNED])
    assert current_release(home) == before
    assert len(releases(home)) == int(published_before)


def test_without_a_build_nothing_is_published(home: Home) -> None:
    with pytest.raises(ReleaseRefused, match="no build"):
        publish_build(home)
    home.build.mkdir(parents=True)
    duckdb.connect(str(home.build_database)).close()
    with pytest.raises(ReleaseRefused, match="no tables"):
        publish_build(home)
    assert current_release(home) is None


def test_leftovers_of_a_crash_are_no_releases_and_are_removed(home: Home) -> None:
    publish_number(home, 1)
    leftover = home.releases / ".20260101T000000Z-deadbeef.partial"
    (leftover / "parquet").mkdir(parents=True)
    (leftover / "manifest.json").write_text("{}")
    (home.current.parent / ".current.next").symlink_to("nowhere")
    assert len(releases(home)) == 1
    publish_number(home, 2)
    assert not leftover.exists()
    assert sorted(path.name for path in home.current.parent.iterdir()) == ["current", "releases"]


def test_a_failure_on_the_way_leaves_nothing_behind(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish_number(home, 1)
    make_build(home, 2)

    def fail(_: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("orchestration.release.publishing._sync", fail)
    with pytest.raises(OSError, match="no space"):
        publish_build(home)
    assert current_release(home) == before
    assert [path.name for path in home.releases.iterdir()] == [before.release_id]


def test_the_reader_finds_the_home_and_says_what_to_do_without_a_release(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WAREHOUSE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoRelease, match="no release in data: run `make run` first"):
        connect()
    monkeypatch.setenv("WAREHOUSE_HOME", str(home.root))
    release = publish_number(home, 1)
    assert current_release_id() == release.release_id
    with connect() as warehouse, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        warehouse.execute("create table core.mine (a int)")
