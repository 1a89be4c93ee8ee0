"""The ops tables that only the release can write: what was loaded, checked and published.

The other ops tables, ``ops.reconciliation`` and its like, are dbt models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from orchestration.release.manifest import CheckSummary, Manifest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from orchestration.landing import Assertion


@dataclass(frozen=True)
class CheckRow:
    """The outcome of one check on one asset. An ``error`` that did not pass blocks the release.

    ``subject`` is what of the asset was checked, where one check is asked of several: the batch, or
    the figure that two sources have differently.
    """

    asset: str
    check: str
    severity: Literal["error", "warn"]
    passed: bool
    observed: str | None = None
    subject: str | None = None

    @property
    def blocks(self) -> bool:
        """Whether nothing may be published because of it."""
        return self.severity == "error" and not self.passed


def summarise_checks(checks: Iterable[CheckRow]) -> CheckSummary:
    """Count the outcomes."""
    outcomes = ["passed" if c.passed else "failed" if c.blocks else "warned" for c in checks]
    return CheckSummary(*(outcomes.count(outcome) for outcome in ("passed", "warned", "failed")))


#: What each of the tables holds.
DESCRIPTIONS = {
    "load_batch": "Every assertion of a batch. Grain: sequence.",
    "check_result": "Every check of the run. Grain: asset, check, subject.",
    "release": "The release this file is. One row.",
}

# Columns stand in the order of the fields of CheckRow and of landing.Assertion.
_DEFINITIONS = """
create schema if not exists ops;

create table ops.load_batch (
    sequence bigint primary key,
    dataset varchar not null,
    batch_id varchar not null,
    source varchar not null,
    rows bigint not null,
    newest_observation date,
    asserted_at timestamptz not null,
    status varchar not null
);
comment on column ops.load_batch.sequence is 'Order of assertion: within a source, later counts';
comment on column ops.load_batch.dataset is 'Landing dataset';
comment on column ops.load_batch.batch_id is 'Content hash of the batch, its file name in landing';
comment on column ops.load_batch.source is 'Upstream the batch came from';
comment on column ops.load_batch.rows is 'Rows in the batch';
comment on column ops.load_batch.newest_observation is 'Newest date the batch has a row of';
comment on column ops.load_batch.asserted_at is 'When the batch was asserted (UTC)';
comment on column ops.load_batch.status is 'landed (new content) or asserted_again';

create table ops.check_result (
    asset varchar not null,
    "check" varchar not null,
    severity varchar not null,
    passed boolean not null,
    observed varchar,
    subject varchar
);
comment on column ops.check_result.asset is 'What was checked: a dataset or a table';
comment on column ops.check_result."check" is 'Name of the check; a keyword, so quote it';
comment on column ops.check_result.severity is 'error (blocks a release) or warn';
comment on column ops.check_result.passed is 'Whether it passed';
comment on column ops.check_result.observed is 'What the check saw, in words or numbers';
comment on column ops.check_result.subject is 'Batch or figure checked; null for all of the asset';

create table ops.release (
    release_id varchar primary key,
    created_at timestamptz not null,
    git_revision varchar,
    inputs_fingerprint varchar not null,
    content_hash varchar not null,
    checks_passed bigint not null,
    checks_warned bigint not null
);
comment on column ops.release.release_id is 'Its folder under published/releases';
comment on column ops.release.created_at is 'When it was published (UTC)';
comment on column ops.release.git_revision is 'Code it was built by; null outside a git checkout';
comment on column ops.release.inputs_fingerprint is 'Hash over the inputs, code and registry';
comment on column ops.release.content_hash is 'Hash over the content of core and marts';
comment on column ops.release.checks_passed is 'Checks of the run that passed';
comment on column ops.release.checks_warned is 'Checks of the run that failed without blocking';
"""


def create_ops_tables(connection: DuckDBPyConnection) -> None:
    """Create the three tables, empty and described, in the connection's database."""
    connection.execute(_DEFINITIONS)
    for table, description in DESCRIPTIONS.items():
        connection.execute(f"comment on table ops.{table} is '{description}'")


def write_ops_tables(
    connection: DuckDBPyConnection,
    manifest: Manifest,
    checks: Sequence[CheckRow],
    assertions: Sequence[Assertion],
) -> None:
    """Create and fill the three tables in the connection's database."""
    create_ops_tables(connection)
    release = (
        manifest.release_id,
        manifest.created_at,
        manifest.git_revision,
        manifest.inputs_fingerprint,
        manifest.content_hash,
        manifest.checks.passed,
        manifest.checks.warned,
    )
    _insert(connection, "ops.release", [release])
    _insert(connection, "ops.check_result", [astuple(check) for check in checks])
    _insert(connection, "ops.load_batch", [astuple(assertion) for assertion in assertions])


def _insert(connection: DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    # One statement: a prepared one per row takes ten times as long.
    if rows:
        one_row = "(" + ", ".join("?" for _ in rows[0]) + ")"
        connection.execute(
            f"insert into {table} values " + ", ".join([one_row] * len(rows)),  # noqa: S608
            [value for row in rows for value in row],
        )
