"""The current release as files for a spreadsheet or another program: CSV, Excel, Parquet.

Read-only, and all of one release however many tables are asked for. Says how a column's unit is
found and how text is kept from being run as a formula; what a table holds is decided in dbt.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.files import write_atomically
from orchestration.reader import connect, current_release_id
from orchestration.release.tables import Table, columns_of, quoted, tables_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format as CellFormat
    from xlsxwriter.worksheet import Worksheet

SCHEMAS = ("core", "marts", "ops")
WORKBOOK = "warehouse"

_SEGMENT_RESULT = Table("core", "fct_segment_result")
#: Tables of which a day's state can be told: a row for each print, never edited. With each, the
#: flags that later prints change: they are left out, as no macro computes them again. A mart holds
#: newest prints and growth between them, so cutting it at a day would not undo what came later.
_KNOWN_ON: Mapping[Table, frozenset[str]] = {
    Table("core", "dim_document"): frozenset(),
    Table("core", "fct_company_result"): frozenset({"is_latest"}),
    Table("core", "fct_kpi"): frozenset({"is_latest"}),
}

#: What a spreadsheet takes for the beginning of a formula, or lets come before one.
_FORMULA_START = re.compile(r"[=+\-@\t\r\n]")
_NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))$")
_SHEET_ROWS = 1_048_576
_CELL_CHARACTERS = 32_767
_SHEET_NAME_CHARACTERS = 31
_ROWS_AT_ONCE = 10_000

_SOURCE_NOTE = (
    "Figures come from the documents and pages that each row names: source_url and document_id "
    "where a table has them, core.dim_document for the documents. Empty cells are unknown, "
    "never zero."
)
_TEXT_NOTE = (
    "Text that begins with = + - @ or a control character has an apostrophe before it, so that no "
    "program runs it as a formula. Excel keeps 15 significant digits of a number."
)


class Format(StrEnum):
    """What ``warehouse export`` writes."""

    csv = "csv"
    xlsx = "xlsx"
    parquet = "parquet"


class UnknownTable(LookupError):
    """The release has no such table."""


class ExportRefused(ValueError):
    """The export would mislead, or does not fit the format; the message says why."""


@dataclass(frozen=True)
class Column:
    """A column of an export, as the release describes it. ``unit`` is ``None`` without one."""

    name: str
    type: str
    description: str
    unit: str | None

    @property
    def header(self) -> str:
        """Name and unit: ``revenue_usd_millions (USD millions)``."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers."""
        return _NUMERIC.fullmatch(self.type) is not None


@dataclass(frozen=True)
class _Relation:
    """A table, or its rows known on a day: ``sql`` reads it, with ``parameters``."""

    table: Table
    description: str
    columns: tuple[Column, ...]
    sql: str
    parameters: tuple[date, ...]


@dataclass(frozen=True)
class _Origin:
    """Where an export comes from."""

    release_id: str
    created_at: datetime
    as_of: date | None

    @property
    def suffix(self) -> str:
        """What a file name says of the day."""
        return f".as_of_{self.as_of.isoformat()}" if self.as_of else ""


def export(
    home: Path, format: Format, tables: Sequence[str], folder: Path, *, as_of: date | None = None
) -> list[Path]:
    """Write ``tables`` (``schema.table``; none: all marts) of the current release into ``folder``.

    One file a table, for Excel one workbook with a sheet a table and a sheet ``About``. With
    ``as_of`` only the rows known on that day, and no flag that knows more. A file that is there is
    replaced whole. Returns the files.

    Raises:
        NoRelease: before the first release.
        UnknownTable: for a table that the release has not, naming the nearest ones.
        ExportRefused: for ``as_of`` with a table that cannot be cut at a day, and for what Excel
            cannot hold.
    """
    with connect(home, current_release_id(home)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        chosen = _chosen(connection, tables)
        relations = [_relation(connection, table, as_of) for table in chosen]
        origin = _origin(connection, as_of)
        if format is Format.xlsx:
            target = folder / f"{WORKBOOK}{origin.suffix}.xlsx"
            write_atomically(target, partial(_write_workbook, connection, relations, origin))
            return [target]
        write = _write_csv if format is Format.csv else _write_parquet
        targets = []
        for relation in relations:
            target = folder / f"{relation.table}{origin.suffix}.{format}"
            write_atomically(target, partial(write, connection, relation, origin))
            targets.append(target)
        return targets


def unit_of(name: str, description: str, columns: Sequence[str]) -> str | None:
    """Return the unit of a numeric column, ``None`` where nothing says one.

    The name says it by its ending: ``_usd_millions``, ``_millions``, ``_percent``, ``_days``,
    ``_quarters``, ``_sessions``, ``_units_per_usd``. Millions that name no currency, and are not
    of shares, are money in the row's ``currency`` where the table has that column. Where the name
    says nothing and the description says "in `currency`" or "in `unit`", each row says it there.
    """
    if currency := re.search(r"_(usd|cny|hkd|eur)_millions$", name):
        return f"{currency[1].upper()} millions"
    if name.endswith("_millions"):
        in_currency = "currency" in columns and "shares" not in name
        return "millions, see currency" if in_currency else "millions"
    if per := re.search(r"(?:^|_)units_per_([a-z]{3})$", name):
        return f"units per {per[1].upper()}"
    if ending := re.search(r"_(percent|days|quarters|sessions)$", name):
        return ending[1]
    if (named := re.search(r"\bin `(currency|unit)`", description)) and named[1] in columns:
        return f"see {named[1]}"
    return "fraction" if "as a fraction" in description else None


def escaped(text: str) -> str:
    """Return ``text`` so that no spreadsheet runs it: an apostrophe before what begins a formula.

    For text alone: a negative number stays a number.
    """
    return f"'{text}" if _FORMULA_START.match(text) else text


def _chosen(connection: DuckDBPyConnection, names: Sequence[str]) -> list[Table]:
    known = {str(table): table for table in tables_in(connection, SCHEMAS)}
    if not names:
        return [table for table in known.values() if table.schema == "marts"]
    for name in names:
        if name not in known:
            raise UnknownTable(f"the release has no table {name!r}; {_nearest(name, list(known))}")
    return [known[name] for name in dict.fromkeys(names)]


def _nearest(name: str, known: Sequence[str]) -> str:
    same_name = [table for table in known if table.split(".")[-1] == name.split(".")[-1]]
    nearest = same_name or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return "nearest: " + ", ".join(nearest) if nearest else "it has " + ", ".join(known)


def _relation(connection: DuckDBPyConnection, table: Table, as_of: date | None) -> _Relation:
    descriptions: dict[str, str | None] = dict(
        connection.execute(
            """
            select column_name, comment
            from duckdb_columns()
            where
                database_name = current_database()
                and schema_name = $1
                and table_name = $2
            """,
            [table.schema, table.name],
        ).fetchall()
    )
    types = columns_of(connection, table)
    source, without, parameters = table.sql, frozenset[str](), tuple[date, ...]()
    if as_of:
        source, without, parameters = *_known_on(table), (as_of,)
    columns = []
    for name, type_ in types.items():
        if name in without:
            continue
        description = " ".join((descriptions[name] or "").split())
        column = Column(name, type_, description, None)
        if column.is_numeric:
            column = Column(name, type_, description, unit_of(name, description, list(types)))
        columns.append(column)
    return _Relation(table, _description(connection, table), tuple(columns), source, parameters)


def _known_on(table: Table) -> tuple[str, frozenset[str]]:
    """Return what has the rows of ``table`` known on a day, and the columns to leave out."""
    if table == _SEGMENT_RESULT:
        return "core.segment_result_as_of($1)", frozenset()
    if table in _KNOWN_ON:
        return f"(from {table.sql} where reported_on <= $1)", _KNOWN_ON[table]
    able = ", ".join(map(str, sorted([_SEGMENT_RESULT, *_KNOWN_ON])))
    raise ExportRefused(
        f"{table} has no state of a day: its figures know later documents. "
        f"With --as-of, name tables among: {able}"
    )


def _description(connection: DuckDBPyConnection, table: Table) -> str:
    [(comment,)] = connection.execute(
        """
        select comment
        from duckdb_tables()
        where database_name = current_database() and schema_name = $1 and table_name = $2
        """,
        [table.schema, table.name],
    ).fetchall()
    return " ".join((comment or "").split())


def _origin(connection: DuckDBPyConnection, as_of: date | None) -> _Origin:
    [(release_id, created_at)] = connection.execute(
        "select release_id, created_at::timestamp from ops.release"
    ).fetchall()
    return _Origin(release_id, created_at.replace(tzinfo=UTC), as_of)


def _ordered(relation: _Relation, expressions: Sequence[str]) -> str:
    """Return a query for ``expressions``, in the order of the columns as they are stored."""
    names = ", ".join(quoted(column.name) for column in relation.columns)
    return f"select {', '.join(expressions)} from {relation.sql} order by {names}"  # noqa: S608


def _write_csv(
    connection: DuckDBPyConnection, relation: _Relation, _: _Origin, target: Path
) -> None:
    import csv

    answer = connection.execute(_ordered(relation, _values(relation)), relation.parameters)
    with target.open("w", encoding="utf-8", newline="") as stream:
        # Lines end in CR LF, as RFC 4180 has it: with LF alone Python leaves a CR unquoted.
        writer = csv.writer(stream)
        writer.writerow([escaped(column.header) for column in relation.columns])
        for row in _rows(answer):
            writer.writerow([csv_cell(cell) for cell in row])


def csv_cell(cell: Any) -> Any:
    """Return what a CSV file holds of a value: text escaped, numbers in plain digits."""
    if isinstance(cell, str):
        return escaped(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    # Plain digits: 1E+3 is text to some readers.
    return f"{cell:f}" if isinstance(cell, Decimal) else cell


def _values(relation: _Relation) -> list[str]:
    """Return each column as number, date, time of UTC or truth value; anything else as text."""
    expressions = []
    for column in relation.columns:
        name = quoted(column.name)
        if column.type == "TIMESTAMP WITH TIME ZONE":
            expressions.append(f"{name}::timestamp")
        elif column.is_numeric or column.type in ("DATE", "TIMESTAMP", "BOOLEAN"):
            expressions.append(name)
        else:
            expressions.append(f"{name}::varchar")
    return expressions


def _rows(answer: DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := answer.fetchmany(_ROWS_AT_ONCE):
        yield from rows


def _write_parquet(
    connection: DuckDBPyConnection, relation: _Relation, origin: _Origin, target: Path
) -> None:
    """Write names and types as they are; metadata says release and day, and of columns the unit."""
    from pyarrow import parquet

    names = [quoted(column.name) for column in relation.columns]
    answer = connection.sql(_ordered(relation, names), params=relation.parameters)
    reader = answer.to_arrow_reader(_ROWS_AT_ONCE)
    schema = reader.schema.with_metadata(
        {
            "release_id": origin.release_id,
            "created_at": origin.created_at.isoformat(),
            "as_of": origin.as_of.isoformat() if origin.as_of else "",
            "description": relation.description,
        }
    )
    for place, column in enumerate(relation.columns):
        field = schema.field(place).with_metadata(
            {"description": column.description, "unit": column.unit or ""}
        )
        schema = schema.set(place, field)
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch.cast(schema))


def _write_workbook(
    connection: DuckDBPyConnection, relations: Sequence[_Relation], origin: _Origin, target: Path
) -> None:
    """Write all sheets; a row at a time, so that a long table needs no more memory than a short."""
    from xlsxwriter import Workbook

    options = {
        "constant_memory": True,
        "tmpdir": str(target.parent),
        "nan_inf_to_errors": True,
        "default_date_format": "yyyy-mm-dd",
    }
    rows = {relation.table: _count(connection, relation) for relation in relations}
    sheets = _sheet_names([relation.table for relation in relations])
    with Workbook(str(target), options) as workbook:
        workbook.set_properties(
            {"title": f"Release {origin.release_id}", "created": origin.created_at}
        )
        formats = _Formats(workbook)
        _write_about(workbook, formats, relations, sheets, rows, origin)
        for relation in relations:
            sheet = workbook.add_worksheet(sheets[relation.table])
            _write_sheet(connection, sheet, formats, relation, rows[relation.table])


def _count(connection: DuckDBPyConnection, relation: _Relation) -> int:
    [(rows,)] = connection.execute(
        f"select count(*) from {relation.sql}",  # noqa: S608 - identifiers only, quoted
        relation.parameters,
    ).fetchall()
    if rows >= _SHEET_ROWS:
        raise ExportRefused(
            f"{relation.table} has {rows:,} rows, a sheet holds {_SHEET_ROWS - 1:,}: "
            "export it as csv or parquet"
        )
    return int(rows)


class _Formats:
    """The looks of cells, one set a workbook."""

    def __init__(self, workbook: Workbook) -> None:
        self.header: CellFormat = workbook.add_format({"bold": True, "bottom": 1})
        self.wrapped: CellFormat = workbook.add_format({"text_wrap": True, "valign": "top"})
        self.day: CellFormat = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self.time: CellFormat = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})


def _sheet_names(tables: Sequence[Table]) -> dict[Table, str]:
    """Return a name for each sheet: the table's, cut and numbered where Excel allows no more."""
    names: dict[Table, str] = {}
    for table in tables:
        name = re.sub(r"[\[\]:*?/\\']", "_", str(table))[:_SHEET_NAME_CHARACTERS]
        number = 2
        taken = {"about", *(other.lower() for other in names.values())}
        while name.lower() in taken:
            ending = f"~{number}"
            name = name[: _SHEET_NAME_CHARACTERS - len(ending)] + ending
            number += 1
        names[table] = name
    return names


def _write_about(
    workbook: Workbook,
    formats: _Formats,
    relations: Sequence[_Relation],
    sheets: Mapping[Table, str],
    rows: Mapping[Table, int],
    origin: _Origin,
) -> None:
    sheet = workbook.add_worksheet("About")
    sheet.set_column(0, 1, 32)
    sheet.set_column(2, 3, 22)
    sheet.set_column(4, 4, 100)
    known = f"known on {origin.as_of.isoformat()}" if origin.as_of else "all that is published"
    lines: list[tuple[bool, tuple[str | int, ...]]] = [
        (False, ("Release", origin.release_id)),
        (False, ("Created at (UTC)", f"{origin.created_at:%Y-%m-%d %H:%M:%S}")),
        (False, ("Rows", known)),
        (False, ("Source", _SOURCE_NOTE)),
        (False, ("Text", _TEXT_NOTE)),
        (False, ()),
        (True, ("Table", "Sheet", "Rows", "", "Description")),
        *(
            (False, (str(r.table), sheets[r.table], rows[r.table], "", r.description))
            for r in relations
        ),
        (False, ()),
        (True, ("Table", "Column", "Type", "Unit", "Description")),
        *(
            (False, (str(r.table), c.name, c.type, c.unit or "", c.description))
            for r in relations
            for c in r.columns
        ),
    ]
    for number, (is_header, cells) in enumerate(lines):
        for place, cell in enumerate(cells):
            looks = formats.header if is_header else formats.wrapped if place == 4 else None
            if isinstance(cell, int):
                sheet.write_number(number, place, cell, looks)
            elif cell:
                sheet.write_string(number, place, escaped(cell)[:_CELL_CHARACTERS], looks)


def _write_sheet(
    connection: DuckDBPyConnection,
    sheet: Worksheet,
    formats: _Formats,
    relation: _Relation,
    rows: int,
) -> None:
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, rows, len(relation.columns) - 1)
    for place, column in enumerate(relation.columns):
        sheet.set_column(place, place, min(max(len(column.header) + 3, 12), 40))
        sheet.write_string(0, place, escaped(column.header), formats.header)
    answer = connection.execute(_ordered(relation, _values(relation)), relation.parameters)
    for number, row in enumerate(_rows(answer), 1):
        for place, cell in enumerate(row):
            if cell is None:
                continue
            if isinstance(cell, str):
                text = escaped(cell)
                if len(text) > _CELL_CHARACTERS:
                    raise ExportRefused(
                        f"{relation.table}.{relation.columns[place].name} has a text of "
                        f"{len(text):,} characters, a cell holds {_CELL_CHARACTERS:,}: "
                        "export it as csv or parquet"
                    )
                sheet.write_string(number, place, text)
            elif isinstance(cell, bool):
                sheet.write_boolean(number, place, cell)
            elif isinstance(cell, datetime):
                sheet.write_datetime(number, place, cell, formats.time)
            elif isinstance(cell, date):
                sheet.write_datetime(number, place, cell, formats.day)
            else:
                sheet.write_number(number, place, cell)
