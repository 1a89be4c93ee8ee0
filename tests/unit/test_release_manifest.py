from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.release import CheckRow, CheckSummary, Manifest, Release, TableSummary
from orchestration.release.ops_tables import summarise_checks
from orchestration.release.publishing import _next_id
from orchestration.release.tables import Table, quoted

MANIFEST = Manifest(
    release_id="20261124T081530Z-1a2b3c4d",
    created_at=datetime(2026, 11, 24, 8, 15, 30, 123456, tzinfo=UTC),
    git_revision=None,
    inputs_fingerprint="f" * 64,
    tables={"core.dim_company": TableSummary(7, "a" * 64, {"company_key": "VARCHAR"})},
    checks=CheckSummary(passed=80, warned=1, failed=0),
    newest_observations={"fx_rate": date(2026, 11, 23)},
    bytes=4096,
)


def test_what_is_written_reads_back_equal(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    assert Manifest.read(tmp_path) == MANIFEST


def test_the_hash_of_a_release_knows_names_and_contents_but_no_order() -> None:
    a, b = (TableSummary(1, digit * 64, {}) for digit in "ab")

    def content_hash(tables: dict[str, TableSummary]) -> str:
        return replace(MANIFEST, tables=tables).content_hash

    assert content_hash({"x": a, "y": b}) == content_hash({"y": b, "x": a})
    assert content_hash({"x": a, "y": b}) != content_hash({"x": b, "y": a})


def test_only_an_error_that_failed_blocks() -> None:
    checks = [
        CheckRow("a", "x", "error", True),
        CheckRow("a", "y", "warn", True),
        CheckRow("a", "z", "warn", False),
    ]
    assert summarise_checks(checks) == CheckSummary(passed=2, warned=1, failed=0)
    assert not any(check.blocks for check in checks)
    assert CheckRow("a", "x", "error", False).blocks


@pytest.mark.parametrize("passed_seconds", [-3600, 0, 0.5, 1, 60])
def test_ids_sort_by_age_even_within_a_second_or_when_the_clock_goes_back(
    passed_seconds: float,
) -> None:
    now = MANIFEST.created_at + timedelta(seconds=passed_seconds)
    following = replace(MANIFEST, created_at=now)
    next_id = _next_id(following, [Release(Path("r"), MANIFEST)])
    assert next_id > MANIFEST.release_id
    assert next_id.endswith(f"Z-{following.content_hash[:8]}")
    if passed_seconds > 1:
        assert next_id.startswith("20261124T081630Z")


def test_names_are_quoted() -> None:
    assert quoted('od"d') == '"od""d"'
    assert Table("core", "fct").sql == '"core"."fct"'
