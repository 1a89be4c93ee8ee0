"""What differs between two releases: figures, prices and the rows of the other core tables.

Reads their manifests and Parquet files, never their databases, and of those only the tables whose
content hash differs: two equal releases are compared without reading a row. How it is put into
words is in ``changes_report``; marts follow from core, so that of them only row counts are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.release.catalogue import Release
from orchestration.release.tables import Table, quoted
from orchestration.settings import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Kinds of change of a figure. ``restated``: another document now counts, with another value.
#: ``corrected``: the same document is read otherwise. ``printed_again``: one more document prints
#: a figure without changing what counts. ``gone``: a print is no longer there; the new value, if
#: any, is what counts instead.
FIGURE_CHANGES = ("new", "restated", "corrected", "gone", "printed_again")
#: Kinds of change of a row that has no prints.
ROW_CHANGES = ("new", "changed", "gone")

#: Columns of ``difference``, one row a change: of a figure, or of one column of a row.
COLUMNS = (
    "table_name",
    "change",
    "company_key",
    "subject",
    "item",
    "period_start",
    "period_end",
    "unit",
    "old_value",
    "new_value",
    "old_document_id",
    "new_document_id",
)


@dataclass(frozen=True)
class _Figures:
    """A table of prints: a figure is known by ``key``, a print of it by its ``document`` too.

    The other fields are SQL over the table's columns. ``latest`` says which print counts.
    """

    key: tuple[str, ...]
    document: str
    subject: str
    item: str
    period_start: str
    period_end: str
    value: str
    unit: str
    unit_column: str
    latest: str
    company: str = "company_key"

    @property
    def needs(self) -> set[str]:
        """Columns that both releases must have."""
        return {*self.key, self.document, self.value, self.unit_column}


_RESULT = {
    "document": "document_id",
    "item": "metric",
    "period_start": "period_start",
    "period_end": "period_end",
    "value": "value_millions",
    "unit": "currency || ' millions'",
    "unit_column": "currency",
    "latest": "is_latest",
}
FIGURE_TABLES: Mapping[str, _Figures] = {
    "core.fct_segment_result": _Figures(
        key=("segment_key", "metric", "period_start", "period_end"),
        subject="segment_key",
        **_RESULT,
    ),
    "core.fct_company_result": _Figures(
        key=("company_key", "metric", "period_start", "period_end"),
        subject="company_key",
        **_RESULT,
    ),
    "core.fct_kpi": _Figures(
        key=("company_key", "kpi", "as_of"),
        document="document_id",
        subject="company_key",
        item="kpi",
        period_start="null",
        period_end="as_of",
        value="value",
        unit="unit",
        unit_column="unit",
        latest="is_latest",
    ),
    "core.fct_macro_observation": _Figures(
        key=("series_id", "observation_date"),
        document="vintage_date",
        company="null",
        subject="series_id",
        item="null",
        period_start="null",
        period_end="observation_date",
        value="value",
        unit="unit",
        unit_column="unit",
        latest=("vintage_date = max(vintage_date) over (partition by series_id, observation_date)"),
    ),
}

PRICES = "core.fct_daily_price"
_PRICE_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")
#: Keys of the other core tables; one that is not here is compared by whole rows.
ROW_KEYS: Mapping[str, tuple[str, ...]] = {
    PRICES: ("security_key", "session_date"),
    "core.dim_claim": ("claim_id",),
    "core.dim_company": ("company_key",),
    "core.dim_comparison_segment": ("comparison", "company_key", "structure", "segment_key"),
    "core.dim_date": ("calendar_date",),
    "core.dim_document": ("document_id",),
    "core.dim_fiscal_period": ("company_key", "period_end"),
    "core.dim_kpi": ("kpi",),
    "core.dim_macro_series": ("series_id",),
    "core.dim_metric": ("metric",),
    "core.dim_security": ("security_key",),
    "core.dim_segment": ("segment_key",),
    "core.dim_structure": ("company_key", "structure"),
    "core.fct_corporate_action": ("ticker", "ex_date", "action"),
    "core.fct_event": ("event_id",),
    "core.fct_fx_rate": ("base", "quote", "rate_date"),
}

_NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))$")


@dataclass(frozen=True)
class SchemaChange:
    """Tables and columns that only one of the releases has, and columns of another type."""

    new_tables: tuple[str, ...]
    gone_tables: tuple[str, ...]
    new_columns: tuple[str, ...]
    gone_columns: tuple[str, ...]
    other_types: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """Two releases compared; open only inside :func:`compared`.

    ``connection`` has the temporary table ``difference`` with :data:`COLUMNS`. ``other_columns``
    counts, by table and column, the rows that both releases have and that differ in something
    beside the figure. ``whole_rows`` holds the rows new and gone of tables compared as a whole.
    """

    before: Release
    after: Release
    connection: DuckDBPyConnection
    changed_tables: tuple[str, ...]
    schema: SchemaChange
    other_columns: Mapping[str, Mapping[str, int]]
    whole_rows: Mapping[str, tuple[int, int]]


@contextmanager
def compared(before: Release, after: Release, spill: Path) -> Iterator[Compared]:
    """Compare two releases by the tables and columns that both have.

    ``spill`` is where DuckDB may put what does not fit into memory. Raises ``duckdb.Error`` or
    ``OSError`` when a Parquet file is missing or damaged.
    """
    import duckdb

    hashes = {name: table.content_hash for name, table in before.manifest.tables.items()}
    changed = tuple(
        name
        for name, table in sorted(after.manifest.tables.items())
        if name in hashes and hashes[name] != table.content_hash
    )
    other_columns: dict[str, Mapping[str, int]] = {}
    whole_rows: dict[str, tuple[int, int]] = {}
    with duckdb.connect(
        config={"temp_directory": str(spill), "memory_limit": settings().memory_limit}
    ) as connection:
        columns = ", ".join(
            f"{name} {'date' if name.startswith('period_') else 'varchar'}" for name in COLUMNS
        )
        connection.execute(f"create temp table difference ({columns})")
        for name in changed:
            if not name.startswith("core."):
                continue
            common = _open_both(connection, before, after, name)
            figures, key = FIGURE_TABLES.get(name), ROW_KEYS.get(name, ())
            if figures and figures.needs <= set(common):
                other_columns[name] = _compare_figures(connection, name, figures, common)
            elif key and set(key) <= set(common):
                other_columns[name] = _compare_rows(connection, name, key, common)
            else:
                whole_rows[name] = _compare_whole(connection, common)
        yield Compared(
            before,
            after,
            connection,
            changed,
            schema_change(before, after),
            {name: counts for name, counts in other_columns.items() if counts},
            whole_rows,
        )


def schema_change(before: Release, after: Release) -> SchemaChange:
    """Compare what the manifests say of tables and columns."""
    old, new = before.manifest.tables, after.manifest.tables
    common = sorted(old.keys() & new.keys())

    def only(left: Release, right: Release) -> tuple[str, ...]:
        return tuple(
            f"{name}.{column}"
            for name in common
            for column in left.manifest.tables[name].columns
            if column not in right.manifest.tables[name].columns
        )

    return SchemaChange(
        new_tables=tuple(sorted(new.keys() - old.keys())),
        gone_tables=tuple(sorted(old.keys() - new.keys())),
        new_columns=only(after, before),
        gone_columns=only(before, after),
        other_types=tuple(
            f"{name}.{column} ({old[name].columns[column]}, now {type_})"
            for name in common
            for column, type_ in new[name].columns.items()
            if old[name].columns.get(column, type_) != type_
        ),
    )


def _open_both(
    connection: DuckDBPyConnection, before: Release, after: Release, name: str
) -> list[str]:
    """Make ``name`` of both releases the views ``before`` and ``after``; return common columns.

    A column whose type has changed is compared as text, unless it is a number in both.
    """
    old, new = before.manifest.tables[name].columns, after.manifest.tables[name].columns
    common = [column for column in new if column in old]
    selected = []
    for column in common:
        name_sql = quoted(column)
        numeric = _NUMERIC.match(old[column]) and _NUMERIC.match(new[column])
        as_text = old[column] != new[column] and not numeric
        selected.append(f"{name_sql}::varchar as {name_sql}" if as_text else name_sql)
    table = Table(*name.split(".", 1))
    for view, release in (("before", before), ("after", after)):
        rows = connection.read_parquet(str(release.parquet(table)), hive_partitioning=False)
        rows.project(", ".join(selected) or "null").create_view(view, replace=True)
    return common


def _compare_figures(
    connection: DuckDBPyConnection, name: str, figures: _Figures, common: Sequence[str]
) -> dict[str, int]:
    """Add the changes of a table of prints to ``difference``; return counts of other columns."""
    knows_latest = figures.latest in common or figures.latest.startswith("vintage_date")
    # Without the flag any one print stands for its figure, and none can be called restated.
    latest = (
        figures.latest
        if knows_latest
        else f"row_number() over (partition by {', '.join(figures.key)} "
        f"order by {figures.document}) = 1"
    )
    for view in ("before", "after"):
        connection.execute(
            f"""
            create or replace temp table {view}_print as
            select
                row({", ".join(figures.key)}) as figure,
                {figures.document}::varchar as document,
                {figures.company if figures.company in common else "null"}::varchar as company_key,
                {figures.subject}::varchar as subject,
                {figures.item}::varchar as item,
                {figures.period_start}::date as period_start,
                {figures.period_end}::date as period_end,
                {figures.unit} as unit,
                {figures.value} as value,
                {latest} as counts
            from {view}
            """  # noqa: S608 - names of columns, from the constants above
        )
    connection.execute(
        f"""
        create or replace temp table restated_print as
        select b.figure, b.document as old_document, a.document as new_document
        from before_print as b
        inner join after_print as a on b.figure = a.figure
        where
            b.counts and a.counts and {str(knows_latest).lower()}
            and b.document != a.document
            and (b.value is distinct from a.value or b.unit is distinct from a.unit)
            -- An older print counts again because the newer one is gone: told as gone.
            and not (
                exists (
                    from before_print as x where x.figure = a.figure and x.document = a.document
                )
                and not exists (
                    from after_print as x where x.figure = b.figure and x.document = b.document
                )
            )
        """  # noqa: S608
    )
    for query in (_NEW, _RESTATED, _CORRECTED, _GONE, _PRINTED_AGAIN):
        connection.execute(f"insert into difference {query}", [name])
    others = [
        column
        for column in common
        if column not in {*figures.key, figures.document, figures.value, figures.unit_column}
    ]
    _pair(connection, [*figures.key, figures.document], others)
    return _other_columns(connection, others)


def _of(old: str, new: str, told: str) -> str:
    """Return the columns of ``difference``: ``told`` names the side that says what figure it is."""
    return f"""
        {told}.company_key, {told}.subject, {told}.item, {told}.period_start, {told}.period_end,
        case when {old}.unit != {new}.unit then {old}.unit || ', now ' || {new}.unit
            else {told}.unit end,
        {_text(f"{old}.value")}, {_text(f"{new}.value")}, {old}.document,
        {new}.document
    """


def _text(value: str) -> str:
    """Return a value as text, a decimal without the zeros at its end."""
    text = f"{value}::varchar"
    return (
        f"case when regexp_full_match({text}, '-?[0-9]+[.][0-9]+') "
        f"then regexp_replace({text}, '[.]?0+$', '') else {text} end"
    )


_NEW = f"""
    select $1, 'new', {_of("b", "a", "a")}
    from after_print as a
    left join before_print as b on false
    where a.counts and not exists (from before_print as x where x.figure = a.figure)
"""  # noqa: S608
_RESTATED = f"""
    select $1, 'restated', {_of("b", "a", "a")}
    from restated_print as r
    inner join before_print as b on r.figure = b.figure and r.old_document = b.document
    inner join after_print as a on r.figure = a.figure and r.new_document = a.document
"""  # noqa: S608
_CORRECTED = f"""
    select $1, 'corrected', {_of("b", "a", "a")}
    from before_print as b
    inner join after_print as a on b.figure = a.figure and b.document = a.document
    where b.value is distinct from a.value or b.unit is distinct from a.unit
"""  # noqa: S608
_GONE = f"""
    select $1, 'gone', {_of("b", "a", "b")}
    from before_print as b
    left join after_print as a on b.figure = a.figure and a.counts
    where not exists (
        from after_print as x where x.figure = b.figure and x.document = b.document
    )
"""  # noqa: S608
_PRINTED_AGAIN = f"""
    select $1, 'printed_again', {_of("b", "a", "a")}
    from after_print as a
    inner join before_print as b on a.figure = b.figure and b.counts
    where
        not exists (
            from before_print as x where x.figure = a.figure and x.document = a.document
        )
        and not exists (
            from restated_print as r where r.figure = a.figure and r.new_document = a.document
        )
"""  # noqa: S608


def _compare_rows(
    connection: DuckDBPyConnection, name: str, key: Sequence[str], common: Sequence[str]
) -> dict[str, int]:
    """Add new, changed and gone rows to ``difference``; return counts of columns left out there.

    Of prices the prices and the volume are told; what is computed from them is counted.
    """
    is_price = name == PRICES
    values = [column for column in common if column not in key]
    told = [column for column in values if column in _PRICE_COLUMNS] if is_price else values

    def row(change: str, side: str, column: str | None = None) -> str:
        company = f"{side}.company_key" if "company_key" in common else "null"
        of_key = [f"{side}.{quoted(part)}::varchar" for part in key]
        subject = of_key[0] if is_price else f"concat_ws(' ', {', '.join(of_key)})"
        day = f"{side}.session_date" if is_price else "null"
        item, old, new = "null", "null", "null"
        if column:
            item = f"'{column}'"
            old, new = (_text(f"{side}.{quoted(column)}") for side in ("b", "a"))
        return (
            f"select $1, '{change}', {company}, {subject}, {item}, null, {day}, null, "
            f"{old}, {new}, null, null"
        )

    queries = [
        f"{row('new', 'a')} from pair where b.is_there is null",
        f"{row('gone', 'b')} from pair where a.is_there is null",
    ]
    queries += [
        f"{row('changed', 'a', column)} from pair where b.is_there and a.is_there "
        f"and b.{quoted(column)} is distinct from a.{quoted(column)}"
        for column in told
    ]
    _pair(connection, key, values)
    for query in queries:
        connection.execute(f"insert into difference {query}", [name])
    return _other_columns(connection, [c for c in values if c not in told])


def _pair(connection: DuckDBPyConnection, key: Sequence[str], values: Sequence[str]) -> None:
    """Make the table ``pair`` of the rows that differ: how each was, ``b``, and how it is, ``a``.

    One join, however much is asked of it: of prices there are millions, of changes a few.
    """
    same = " and ".join(f"b.{quoted(c)} is not distinct from a.{quoted(c)}" for c in key)
    differs = [f"b.{quoted(c)} is distinct from a.{quoted(c)}" for c in values]
    connection.execute(
        f"""
        create or replace temp table pair as
        select b, a
        from (select true as is_there, * from before) as b
        full join (select true as is_there, * from after) as a on {same}
        where {" or ".join(["b.is_there is null", "a.is_there is null", *differs])}
        """  # noqa: S608 - names of columns
    )


def _other_columns(connection: DuckDBPyConnection, columns: Sequence[str]) -> dict[str, int]:
    """Count, by column, the rows of ``pair`` that both releases have and that differ in it."""
    if not columns:
        return {}
    counts = ", ".join(
        f"count(*) filter (where b.{quoted(c)} is distinct from a.{quoted(c)})" for c in columns
    )
    [found] = connection.execute(
        f"select {counts} from pair where b.is_there and a.is_there"  # noqa: S608
    ).fetchall()
    return {column: count for column, count in zip(columns, found, strict=True) if count}


def _compare_whole(connection: DuckDBPyConnection, common: Sequence[str]) -> tuple[int, int]:
    """Return how many whole rows are new and gone."""
    if not common:
        return 0, 0
    [counts] = connection.execute(
        """
        select
            (select count(*) from (from after except all from before)),
            (select count(*) from (from before except all from after))
        """
    ).fetchall()
    return int(counts[0]), int(counts[1])
