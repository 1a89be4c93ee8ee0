"""Whether the segments of a printed table add up to the consolidated figure.

The guard's side of the rule; ``ops.reconciliation`` applies it to all that has landed, and a test
holds the two against each other.
"""

from __future__ import annotations

import pandas as pd

from orchestration.registry import Registry
from orchestration.registry.entries import Segment, Structure

_MILLIONS = {"one": 1e-6, "thousand": 1e-3, "million": 1.0, "billion": 1e3}
#: Sums of a few dozen doubles are exact to far less than this many millions.
_NOISE = 1e-6
_PERIOD = ["company_key", "metric", "period_start", "period_end", "currency"]


def reconcile(
    segments: pd.DataFrame, company: pd.DataFrame, documents: pd.DataFrame, registry: Registry
) -> pd.DataFrame:
    """Return one row per document, structure, metric and period that should add up.

    Columns beside the key: ``segments``, ``consolidated``, ``difference`` and ``allowed`` in
    millions of ``currency``, ``status`` ``adds_up``, ``differs``, ``incomplete`` or ``no_total``.
    """
    rows = segments[segments["breakdown"] != "subline"].copy()
    adds_up = pd.DataFrame(
        [
            (s.company_key, s.structure, metric)
            for s in registry.entries(Structure)
            for metric in s.adds_up_to
        ],
        columns=["company_key", "structure", "metric"],
    )
    rows = rows.merge(adds_up, on=["company_key", "structure", "metric"])
    scale = rows["unit"].map(_MILLIONS).astype(float)
    rows["millions"] = rows["value"].astype(float) * scale
    rows["half_step"] = rows["printed_step"].astype(float) * scale / 2
    tables = (
        rows.groupby(["document_id", "structure", *_PERIOD])
        .agg(
            segments=("millions", "sum"),
            half_steps=("half_step", "sum"),
            printed=("segment_key", frozenset),
        )
        .reset_index()
    )
    totals = _totals(company, documents)
    own = totals.drop(columns="reported_on")
    newest = totals.sort_values("reported_on", na_position="first").drop_duplicates(
        _PERIOD, keep="last"
    )
    tables = tables.merge(own, on=["document_id", *_PERIOD], how="left").merge(
        newest[[*_PERIOD, "total", "total_half_step"]],
        on=_PERIOD,
        how="left",
        suffixes=("", "_newest"),
    )
    tables["consolidated"] = tables["total"].fillna(tables["total_newest"])
    tables["allowed"] = tables["half_steps"] + tables["total_half_step"].fillna(
        tables["total_half_step_newest"]
    )
    tables["difference"] = tables["segments"] - tables["consolidated"]
    required = _required(registry)
    complete = pd.Series(
        [
            required[key] <= printed
            for key, printed in zip(
                zip(tables["company_key"], tables["structure"], strict=True),
                tables["printed"],
                strict=True,
            )
        ],
        index=tables.index,
        dtype=bool,
    )
    agrees = tables["difference"].abs() <= tables["allowed"] + _NOISE
    tables["status"] = (
        pd.Series("differs", index=tables.index)
        .mask(agrees, "adds_up")
        .mask(tables["consolidated"].isna(), "no_total")
        .mask(~complete, "incomplete")
    )
    keep = ["segments", "consolidated", "difference", "allowed", "status"]
    return tables[["document_id", "structure", *_PERIOD, *keep]]


def _totals(company: pd.DataFrame, documents: pd.DataFrame) -> pd.DataFrame:
    scale = company["unit"].map(_MILLIONS).astype(float)
    totals = company[["document_id", *_PERIOD]].assign(
        total=company["value"].astype(float) * scale,
        total_half_step=company["printed_step"].astype(float) * scale / 2,
    )
    # Several sources may have landed the same figure; any of them is the document's.
    totals = totals.drop_duplicates(["document_id", *_PERIOD], keep="last")
    dates = documents.drop_duplicates("document_id", keep="last")
    return totals.merge(dates[["document_id", "reported_on"]], on="document_id", how="left")


def _required(registry: Registry) -> dict[tuple[str, str], frozenset[str]]:
    required: dict[tuple[str, str], set[str]] = {
        (s.company_key, s.structure): set() for s in registry.entries(Structure)
    }
    for segment in registry.entries(Segment):
        if segment.required and segment.breakdown != "subline":
            required[segment.company_key, segment.structure].add(segment.segment_key)
    return {key: frozenset(keys) for key, keys in required.items()}
