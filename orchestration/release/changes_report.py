"""What changed since the release before, in words: ``changes.md`` in each release's folder.

Counts first, then the figures themselves, of each kind as many as a reader goes through; all of
them are in ``warehouse diff --format csv``. No clock is read: equal pairs give equal reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.home import Home
from orchestration.release.catalogue import (
    NoSuchRelease,
    Release,
    current_release,
    find_release,
    previous_release,
)
from orchestration.release.differences import (
    COLUMNS,
    FIGURE_CHANGES,
    FIGURE_TABLES,
    PRICES,
    ROW_CHANGES,
    Compared,
    compared,
)

CHANGES_FILE = "changes.md"
#: Rows of a section before "and n more".
LISTED = 20
_NAMED = 5
_ROWS_AT_ONCE = 10_000

_MEANINGS = {
    "restated": "Another document now counts, with another value.",
    "corrected": "The same document is read otherwise than before.",
    "gone": "A print that is no longer there; after it, what counts instead, if anything does.",
    "new": "Figures that the release before did not have; the newest print of each.",
}
_HEADS = {"printed_again": "printed again"}
Row = Sequence[Any]


def write_changes(after: Release, before: Release | None, spill: Path) -> None:
    """Write ``changes.md`` into the folder of ``after``, which is not published yet.

    A release before that cannot be read hinders nothing: the file then says so.
    """
    import duckdb

    try:
        text = changes(before, after, spill) if before else _first(after)
    except (duckdb.Error, OSError):
        assert before is not None
        text = (
            f"# What changed in {after.release_id}\n\n"
            f"{before.release_id}, the release before, could not be read whole: "
            f"`warehouse diff {before.release_id} {after.release_id}` says why.\n"
        )
    (after.folder / CHANGES_FILE).write_text(text, encoding="utf-8")


def changes(before: Release, after: Release, spill: Path) -> str:
    """Return what changed from ``before`` to ``after``, in Markdown."""
    with compared(before, after, spill) as found:
        return "\n".join(_lines(found))


def chosen(home: Home, before: str | None, after: str | None) -> tuple[Release, Release]:
    """Return the two releases to compare: by default the one before the current, and the current.

    Raises :class:`NoSuchRelease` for one that is not kept, or where there are not two.
    """
    newer = find_release(home, after) if after else current_release(home)
    if newer is None:
        raise NoSuchRelease("nothing is published yet")
    return find_release(home, before) if before else previous_release(home), newer


def every_change(before: Release, after: Release, spill: Path) -> Iterator[Row]:
    """Yield the names of the columns, then every change; figures and prices as numbers."""
    with compared(before, after, spill) as found:
        yield COLUMNS
        rows = found.connection.execute(
            f"select {', '.join(COLUMNS)} from difference order by all"  # noqa: S608
        )
        while page := rows.fetchmany(_ROWS_AT_ONCE):
            for row in page:
                cells = dict(zip(COLUMNS, row, strict=True))
                if cells["table_name"] in (*FIGURE_TABLES, PRICES):
                    for column in ("old_value", "new_value"):
                        cells[column] = cells[column] and Decimal(cells[column])
                yield tuple(cells.values())


def _first(release: Release) -> str:
    rows = [(name, f"{table.rows:,}") for name, table in sorted(release.manifest.tables.items())]
    lines = [
        f"# What changed in {release.release_id}",
        "",
        "The first release: there is none before it to compare with. It holds:",
        "",
        *_table(("table", "rows"), rows, len(rows)),
    ]
    return "\n".join([*lines, ""])


def _lines(found: Compared) -> Iterator[str]:
    before, after = found.before, found.after
    yield f"# What changed in {after.release_id}"
    yield ""
    ids = f"{before.release_id} {after.release_id}"
    yield f"Since {before.release_id}. Every change: `warehouse diff {ids} --format csv`."
    yield ""
    counts = _figure_counts(found)
    if not counts:
        yield "No figure has changed."
        yield ""
    else:
        yield "## Figures"
        yield ""
        heads = [_HEADS.get(change, change) for change in FIGURE_CHANGES]
        yield from _table(("table", *heads), counts, len(counts))
        yield "## Figures by company or series"
        yield ""
        yield from _table(("company or series", "table", *heads), _company_counts(found))
        for change, meaning in _MEANINGS.items():
            yield from _figures(found, change, meaning)
    yield from _prices(found)
    yield from _other_rows(found)
    yield from _marts(found)
    yield from _schema(found)


def _counted(changes: Sequence[str], of: str = "*") -> str:
    return ", ".join(f"count({of}) filter (where change = '{change}')" for change in changes)


def _figure_counts(found: Compared) -> Sequence[Row]:
    return found.connection.execute(
        f"""
        select table_name, {_counted(FIGURE_CHANGES)}
        from difference
        where list_contains($1, table_name)
        group by table_name
        order by table_name
        """,  # noqa: S608 - kinds of change, constants
        [list(FIGURE_TABLES)],
    ).fetchall()


def _company_counts(found: Compared) -> Sequence[Row]:
    return found.connection.execute(
        f"""
        select coalesce(company_key, subject) as who, table_name, {_counted(FIGURE_CHANGES)}
        from difference
        where list_contains($1, table_name)
        group by who, table_name
        order by who, table_name
        """,  # noqa: S608
        [list(FIGURE_TABLES)],
    ).fetchall()


def _figures(found: Compared, change: str, meaning: str) -> Iterator[str]:
    """List the figures of one kind: the largest changes first, new ones by their period."""
    order = (
        "period_end desc"
        if change == "new"
        else "abs(try_cast(new_value as double) / nullif(try_cast(old_value as double), 0) - 1) "
        "desc nulls last, period_end desc"
    )
    rows = found.connection.execute(
        f"""
        select {", ".join(COLUMNS)}
        from difference
        where change = $1 and list_contains($2, table_name)
        order by {order}, {", ".join(COLUMNS)}
        """,  # noqa: S608
        [change, list(FIGURE_TABLES)],
    )
    listed = rows.fetchmany(LISTED)
    if not listed:
        return
    more = sum(len(page) for page in iter(lambda: rows.fetchmany(_ROWS_AT_ONCE), []))
    yield f"## {change.capitalize()}"
    yield ""
    yield meaning
    yield ""
    cells = [_figure(dict(zip(COLUMNS, row, strict=True)), change) for row in listed]
    heads = ("figure", "period", "unit")
    sides = ("value", "document") if change == "new" else ("before", "after", "documents")
    yield from _table((*heads, *sides), cells, LISTED, more)


def _figure(row: dict[str, Any], change: str) -> Row:
    name = " ".join(filter(None, (row["subject"], row["item"])))
    days = filter(None, (row["period_start"], row["period_end"]))
    head = (name, " to ".join(str(day) for day in days), row["unit"])
    old, new = _number(row["old_value"]), _number(row["new_value"])
    documents = (row["old_document_id"], row["new_document_id"])
    if change == "new":
        return (*head, new, documents[1])
    told = documents[0] if documents[0] == documents[1] else _from_to(*documents)
    return (*head, old, new or "none", told)


def _from_to(old: str | None, new: str | None) -> str:
    return f"{old}, now {new}" if new else str(old)


def _number(text: str | None) -> str:
    """Return a number with its thousands marked."""
    if text is None or not (parts := re.fullmatch(r"(-?\d+)((?:\.\d+)?)", text)):
        return text or ""
    return f"{int(parts[1]):,}{parts[2]}" if parts[1] != "-0" else text


def _prices(found: Compared) -> Iterator[str]:
    rows = found.connection.execute(
        f"""
        select
            subject, {_counted(ROW_CHANGES, "distinct period_end")},
            min(period_end) || ' to ' || max(period_end)
        from difference
        where table_name = $1
        group by subject
        order by subject
        """,  # noqa: S608
        [PRICES],
    ).fetchall()
    if not rows:
        return
    yield "## Daily prices"
    yield ""
    heads = ("security", "sessions new", "rewritten", "gone", "of")
    yield from _table(heads, rows, len(rows))


def _other_rows(found: Compared) -> Iterator[str]:
    keyed = found.connection.execute(
        f"""
        select
            table_name, {_counted(ROW_CHANGES, "distinct subject")},
            string_agg(distinct item, ', ' order by item) filter (where change = 'changed')
        from difference
        where not list_contains($1, table_name)
        group by table_name
        """,  # noqa: S608
        [[*FIGURE_TABLES, PRICES]],
    ).fetchall()
    whole = [(name, new, "", gone, "") for name, (new, gone) in found.whole_rows.items()]
    rows = sorted([*keyed, *whole])
    if rows:
        yield "## Other tables of core"
        yield ""
        yield from _table(("table", *ROW_CHANGES, "columns changed"), rows, len(rows))
        yield from _named(found)
    if found.other_columns:
        yield "Rows that differ in something beside the figure:"
        yield ""
        for name, counts in found.other_columns.items():
            told = ", ".join(f"{column} {count:,}" for column, count in counts.items())
            yield f"- {name}: {told}"
        yield ""


def _named(found: Compared) -> Iterator[str]:
    """Name the first rows of small changes: which event, which document."""
    rows = found.connection.execute(
        """
        select table_name, change, list(distinct subject order by subject) as subjects
        from difference
        where not list_contains($1, table_name) and table_name not in ('core.dim_date')
        group by table_name, change
        order by table_name, change
        """,
        [[*FIGURE_TABLES, PRICES]],
    ).fetchall()
    for name, change, subjects in rows:
        more = f" and {len(subjects) - _NAMED:,} more" if len(subjects) > _NAMED else ""
        named = ", ".join(_cell(subject) for subject in subjects[:_NAMED])
        yield f"- {name}, {change}: {named}{more}"
    if rows:
        yield ""


def _marts(found: Compared) -> Iterator[str]:
    old, new = found.before.manifest.tables, found.after.manifest.tables
    rows = [
        (name, f"{old[name].rows:,}", f"{new[name].rows:,}")
        for name in found.changed_tables
        if name.startswith("marts.")
    ]
    if rows:
        yield "## Marts with other content"
        yield ""
        yield from _table(("table", "rows before", "rows"), rows, len(rows))


def _schema(found: Compared) -> Iterator[str]:
    told = {
        "new tables": found.schema.new_tables,
        "tables no longer there": found.schema.gone_tables,
        "new columns": found.schema.new_columns,
        "columns no longer there": found.schema.gone_columns,
        "columns of another type": found.schema.other_types,
    }
    if not any(told.values()):
        return
    yield "## Tables and columns"
    yield ""
    yield "Compared is what both releases have."
    yield ""
    for what, names in told.items():
        if names:
            yield f"- {what}: {', '.join(names)}"
    yield ""


def _table(
    heads: Sequence[str], rows: Sequence[Row], listed: int = LISTED, more: int = 0
) -> Iterator[str]:
    more += max(len(rows) - listed, 0)
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows[:listed]:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"
    yield ""
    if more:
        yield f"and {more:,} more"
        yield ""


def _cell(value: object) -> str:
    """Return a cell that neither breaks the table nor is taken for HTML."""
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) else " ".join(str(value).split())
    return text.replace("|", "\\|").replace("<", "&lt;")
