"""The guard's reconciliation and ``ops.reconciliation`` are two implementations of one rule."""

from __future__ import annotations

import duckdb

from orchestration.home import Home
from orchestration.landing import Landing
from orchestration.quality.frames import checked_frame
from orchestration.quality.reconciliation import reconcile
from orchestration.registry import load_registry


def test_both_say_the_same_of_every_table(
    published: Home, release: duckdb.DuckDBPyConnection
) -> None:
    landing = Landing(published.landing)
    guarded = reconcile(
        checked_frame(landing.read("segment_result")),
        checked_frame(landing.read("company_result")),
        checked_frame(landing.read("document")),
        load_registry(),
    )
    ours = {
        (t.document_id, t.structure, t.metric, t.period_start.date(), t.period_end.date()): t.status
        for t in guarded.itertuples()
    }
    theirs = {
        tuple(row[:-1]): row[-1]
        for row in release.execute(
            "select document_id, structure, metric, period_start, period_end, status "
            "from ops.reconciliation"
        ).fetchall()
    }
    assert ours == theirs
