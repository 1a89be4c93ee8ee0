"""The ``warehouse`` command.

Each command imports what it needs when it runs: start-up is most of what a short command costs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from rich.table import Table

    from orchestration.loading import Loaded
    from orchestration.run import RunSummary

#: Ages as of today: the release may be old because nothing new has come.
_FRESHNESS_TODAY = """
    select dataset, newest_observation, age_days, case
        when newest_observation is null then 'no_data'
        when age_days > error_after_days then 'error'
        when age_days > warn_after_days then 'warn'
        else 'fresh' end as status
    from (
        select * replace (date_diff('day', newest_observation, current_date) as age_days)
        from ops.freshness
    )
    order by dataset
"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The Alibaba warehouse: fill it, look at it, query it.",
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)


class Target(StrEnum):
    """The engine that builds the models."""

    duckdb = "duckdb"
    spark = "spark"


class Format(StrEnum):
    """How ``warehouse query`` writes its answer."""

    table = "table"
    csv = "csv"
    json = "json"


class DiffFormat(StrEnum):
    """How ``warehouse diff`` writes what changed."""

    markdown = "markdown"
    csv = "csv"


class ExportFormat(StrEnum):
    """What ``warehouse export`` writes."""

    csv = "csv"
    xlsx = "xlsx"
    parquet = "parquet"


@app.command()
def run(
    select: Annotated[
        list[str] | None,
        typer.Option(help="Land only these sources (Dagster selection, such as group:yahoo)."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the live upstreams too, on top of the baseline.")
    ] = False,
    target: Annotated[
        Target | None,
        typer.Option(help="Engine that builds the models; default: WAREHOUSE_TARGET, or duckdb."),
    ] = None,
    from_nothing: Annotated[
        bool,
        typer.Option("--from-nothing", help="Build all tables anew; go on from no earlier build."),
    ] = False,
) -> None:
    """Land the sources, build all models, publish a release."""
    if target:
        _build_on(target)
    from orchestration.build import forget_build, up_to_date
    from orchestration.settings import warehouse_home

    home = warehouse_home()
    if from_nothing:
        forget_build(home)
    elif not live and up_to_date(home):
        _say_up_to_date()
        return
    from orchestration.run import run_everything

    with out.status("starting") as status:
        summary = run_everything(
            home,
            select or (),
            on_line=lambda line: status.update(line.splitlines()[0][:100]),
            live=live,
        )
    _print_summary(summary)
    if not summary.succeeded:
        raise typer.Exit(1)


@app.command()
def status() -> None:
    """Say what is published, how fresh it is and what waits in quarantine."""
    from rich.table import Table

    from orchestration.build import up_to_date
    from orchestration.quality.quarantine import Quarantine
    from orchestration.reader import connect
    from orchestration.release import current_release, releases
    from orchestration.settings import warehouse_home

    home = warehouse_home()
    published = Table("release", "current", "tables", "rows", "checks", "MB", title="Releases")
    published.columns[0].no_wrap = True
    newest = current_release(home)
    current = newest.release_id if newest else None
    for release in releases(home):
        manifest = release.manifest
        published.add_row(
            release.release_id,
            "yes" if release.release_id == current else "",
            str(len(manifest.tables)),
            f"{sum(table.rows for table in manifest.tables.values()):,}",
            f"{manifest.checks.passed} passed, {manifest.checks.warned} warned",
            f"{manifest.bytes / 1e6:.1f}",
        )
    out.print(published)
    if published.row_count == 0:
        out.print("Nothing is published yet: `warehouse run` does it.")
        return
    fresh = Table("dataset", "newest observation", "age in days", "status", title="Freshness")
    with connect(home.root) as connection:
        rows = connection.execute(_FRESHNESS_TODAY).fetchall()
    for row in rows:
        fresh.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(fresh)
    waiting = len(Quarantine(home.quarantine).entries())
    out.print(f"{waiting} batches in quarantine" + (": `warehouse quarantine`" if waiting else ""))
    if not up_to_date(home):
        out.print(
            "Inputs, code, registry or engine have changed since: `warehouse run` publishes them."
        )


@app.command()
def rollback(
    release: Annotated[str | None, typer.Argument(help="Default: the one before.")] = None,
) -> None:
    """Make an earlier release the current one."""
    from orchestration.release import rollback as switch_back
    from orchestration.settings import warehouse_home

    out.print(f"current release: {switch_back(warehouse_home(), release).release_id}")


@app.command()
def compact(
    dataset: Annotated[
        list[str] | None, typer.Option(help="A landing dataset, several times; default: all.")
    ] = None,
    at_least: Annotated[
        int, typer.Option(min=2, help="Leave a dataset with fewer small files as it is.")
    ] = 16,
) -> None:
    """Pack landing's many small batches into few files; nothing that counts changes."""
    from rich.table import Table

    from orchestration.contracts import CONTRACTS, contract_for
    from orchestration.landing import Landing
    from orchestration.landing.compaction import CompactionFailed
    from orchestration.landing.compaction import compact as pack
    from orchestration.locking import write_lock
    from orchestration.settings import settings, warehouse_home

    datasets = [contract_for(name).dataset for name in dataset or CONTRACTS]
    home = warehouse_home()
    home.root.mkdir(parents=True, exist_ok=True)
    table = Table("dataset", "batches packed", "files before", "files after")
    try:
        with write_lock(home, settings().lock_timeout_seconds):
            for name in datasets:
                done = pack(Landing.of(home), name, at_least=at_least)
                table.add_row(
                    name, str(done.batches), str(done.files_before), str(done.files_after)
                )
    except CompactionFailed as error:
        err.print(f"[red]failed:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    finally:
        if table.row_count:
            out.print(table)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="A statement; the release is opened read-only.")],
    format: Annotated[Format, typer.Option(help="How to write the answer.")] = Format.table,
) -> None:
    """Ask the current release a question in SQL."""
    import duckdb

    from orchestration.reader import connect
    from orchestration.settings import warehouse_home

    with connect(warehouse_home().root) as connection:
        try:
            answer = connection.execute(sql)
            columns = [column[0] for column in answer.description or ()]
            rows = answer.fetchall()
        except duckdb.Error as error:
            raise UserError(str(error)) from error
    _write_answer(columns, rows, format)


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
def metrics(context: typer.Context) -> None:
    """Ask for metrics with MetricFlow: `warehouse metrics query --help`, `list metrics`."""
    from orchestration.reader import current_release_id
    from orchestration.settings import warehouse_home
    from orchestration.transform import metricflow

    home = warehouse_home()
    current_release_id(home.root)  # or say that there is none
    metricflow.run(home, context.args)


@app.command()
def diff(
    before: Annotated[
        str | None, typer.Argument(help="Default: the release before the current one.")
    ] = None,
    after: Annotated[str | None, typer.Argument(help="Default: the current release.")] = None,
    format: Annotated[
        DiffFormat, typer.Option(help="A report that counts first, or every change.")
    ] = DiffFormat.markdown,
) -> None:
    """Say what changed from one release to another: figures new, restated, corrected, gone."""
    import csv
    import tempfile

    import duckdb

    from orchestration.export import csv_cell
    from orchestration.release.changes_report import changes, chosen, every_change
    from orchestration.settings import warehouse_home

    home = warehouse_home()
    older, newer = chosen(home, before, after)
    try:
        with tempfile.TemporaryDirectory() as spill:
            if format is DiffFormat.markdown:
                print(changes(older, newer, Path(spill)), end="")
            else:
                rows = every_change(older, newer, Path(spill))
                writer = csv.writer(sys.stdout)
                writer.writerows(map(csv_cell, row) for row in rows)
    except duckdb.Error as error:
        raise UserError(f"a release cannot be read whole: {error}") from error


@app.command()
def report(
    release: Annotated[
        str | None, typer.Option(help="A kept release; default: the current one.")
    ] = None,
    file: Annotated[Path, typer.Option("--out", help="Where the page goes.")] = Path("report.html"),
) -> None:
    """Write the report of a release: one HTML page that needs nothing else."""
    import shutil

    from orchestration.files import write_atomically
    from orchestration.reader import current_release_id
    from orchestration.release import find_release
    from orchestration.settings import warehouse_home

    home = warehouse_home()
    chosen = find_release(home, release or current_release_id(home.root))
    if not chosen.report.exists():
        raise UserError(f"{chosen.release_id} was published before releases had a report")
    target = file / chosen.report.name if file.is_dir() else file
    write_atomically(target, lambda path: shutil.copyfile(chosen.report, path))
    print(target)


@app.command()
def export(
    table: Annotated[
        list[str] | None, typer.Option(help="schema.table, several times; default: all marts.")
    ] = None,
    format: Annotated[ExportFormat, typer.Option(help="What to write.")] = ExportFormat.csv,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what was known on that day."),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Where the files go.")] = Path("export"),
) -> None:
    """Write tables of the current release as files: CSV, Excel or Parquet."""
    from orchestration.export import Format as Written
    from orchestration.export import export as write_files
    from orchestration.settings import warehouse_home

    day = as_of.date() if as_of else None
    home = warehouse_home().root
    for path in write_files(home, Written(format), table or (), folder, as_of=day):
        print(path)


@app.command()
def quarantine(
    entry: Annotated[
        str | None, typer.Argument(help="An entry to show, as the list names it.")
    ] = None,
) -> None:
    """List the rejected batches, or show one with its failing rows."""
    from rich.table import Table

    from orchestration.quality.quarantine import Quarantine
    from orchestration.quality.report import row_in_words
    from orchestration.settings import warehouse_home

    store = Quarantine(warehouse_home().quarantine)
    if entry is None:
        listed = Table("entry", "source", "rows", "rejected at (UTC)", "first reason")
        # It is typed next.
        listed.columns[0].no_wrap = True
        for found in store.entries():
            report = found.report
            listed.add_row(
                found.entry_id,
                report.source,
                str(report.rows),
                f"{report.checked_at:%Y-%m-%d %H:%M}",
                report.failures[0].line() if report.failures else "",
            )
        out.print(listed if listed.row_count else "Nothing is in quarantine.")
        return
    shown = store.entry(entry)
    out.print(f"[bold]{shown.entry_id}[/bold]: {shown.folder}", highlight=False)
    for outcome in shown.report.failures:
        out.print(f"\n{outcome.check}: {outcome.line()}", highlight=False)
        for row in outcome.failing_rows:
            out.print(f"  {row_in_words(row)}", highlight=False, markup=False)
    out.print("\nWhat to do next:")
    for number, step in enumerate(shown.next_steps(), start=1):
        out.print(f"{number}. {step}", highlight=False, markup=False)


@app.command()
def parse(
    file: Annotated[Path, typer.Argument(help="A results release or filing: HTML, PDF or text.")],
    company: Annotated[str, typer.Option(help="Company key, as in companies.csv.")],
) -> None:
    """Print the rows that a document would land, as CSV; exit 2 when it is refused."""
    import csv

    from orchestration.documents.reader import read_document
    from orchestration.documents.rows import parsed_rows
    from orchestration.registry import load_registry

    registry = load_registry()
    reading = read_document(file.read_bytes(), file.name, company, registry)
    rows = parsed_rows(reading, registry)
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    for remark in reading.remarks:
        err.print(escape(remark), highlight=False, soft_wrap=True)


imports = typer.Typer(no_args_is_help=True, help="Guard and land a file that you bring.")
app.add_typer(imports, name="import")


@imports.command()
def prices(
    file: Annotated[
        Path, typer.Argument(help="Daily history: Yahoo, Stooq or plain, CSV or Parquet.")
    ],
    ticker: Annotated[
        str | None, typer.Option(help="Security, where neither the file nor its name says it.")
    ] = None,
) -> None:
    """Land daily prices from a file."""
    from orchestration.imports import import_prices
    from orchestration.loading import BatchRejected, Loader
    from orchestration.settings import warehouse_home

    try:
        loaded = import_prices(Loader(warehouse_home()), file, ticker)
    except BatchRejected as rejection:
        err.print(f"[red]rejected:[/red] {escape(str(rejection))}", highlight=False)
        raise typer.Exit(1) from rejection
    out.print(f"{file.name}: {loaded.assertion.rows:,} rows {loaded.assertion.status}")
    for warning in loaded.report.warnings:
        out.print(f"[yellow]flagged:[/yellow] {escape(warning.line())}", highlight=False)
    out.print("`warehouse run` builds and publishes them.")


@imports.command()
def document(
    file: Annotated[Path, typer.Argument(help="A results release or filing: HTML, PDF or text.")],
    company: Annotated[str, typer.Option(help="Company key, as in companies.csv.")],
    url: Annotated[
        str | None, typer.Option(help="Where it was published, unless the warehouse knows.")
    ] = None,
    reported_on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of publication, unless it says so itself."),
    ] = None,
) -> None:
    """Read, guard and land a document that you downloaded."""
    from orchestration.imports import DocumentQuarantined, import_document
    from orchestration.loading import BatchRejected, Loader
    from orchestration.settings import warehouse_home

    day = reported_on.date() if reported_on else None
    try:
        done = import_document(Loader(warehouse_home()), file, company, url, day)
    except (BatchRejected, DocumentQuarantined) as rejection:
        err.print(f"[red]rejected:[/red] {escape(str(rejection))}", highlight=False)
        raise typer.Exit(1) from rejection
    _print_loaded(f"{file.name}: {done.document_id}", done.loaded)
    for check in done.reading.checks:
        out.print(f"  {check.name}: {check.observed}", highlight=False)
    for remark in done.reading.remarks:
        out.print(f"[yellow]{escape(remark)}[/yellow]", highlight=False)
    out.print("`warehouse run` builds and publishes them.")


@imports.command()
def segments(
    file: Annotated[Path, typer.Argument(help="CSV in the columns that `warehouse parse` prints.")],
) -> None:
    """Land curated figures, each with the document it was taken from."""
    from orchestration.imports import import_facts
    from orchestration.loading import BatchRejected, Loader
    from orchestration.settings import warehouse_home

    try:
        loaded = import_facts(Loader(warehouse_home()), file)
    except BatchRejected as rejection:
        err.print(f"[red]rejected:[/red] {escape(str(rejection))}", highlight=False)
        raise typer.Exit(1) from rejection
    _print_loaded(file.name, loaded)
    out.print("`warehouse run` builds and publishes them.")


def _print_loaded(what: str, loaded: Sequence[Loaded]) -> None:
    out.print(what, highlight=False)
    for batch in loaded:
        assertion = batch.assertion
        out.print(f"  {assertion.dataset}: {assertion.rows:,} rows {assertion.status}")
        for warning in batch.report.warnings:
            out.print(f"[yellow]  flagged:[/yellow] {escape(warning.line())}", highlight=False)


class Switch(StrEnum):
    """Which way ``warehouse automation`` is thrown."""

    on = "on"
    off = "off"


@app.command()
def automation(
    switch: Annotated[
        Switch | None, typer.Argument(help="Default: only say what is on and what is off.")
    ] = None,
) -> None:
    """Switch all schedules and sensors on or off; they work while `warehouse ui` runs."""
    from rich.table import Table

    _prepare_dagster()
    import dagster as dg

    from orchestration.automation import automations, switch_all

    with out.status("asking Dagster"), dg.DagsterInstance.get() as instance:
        if switch is None:
            found = automations(instance)
        else:
            found = switch_all(instance, on=switch is Switch.on)
    table = Table("schedule or sensor", "state", "what it does")
    for one in found:
        table.add_row(one.name, "on" if one.is_on else "off", one.description)
    out.print(table)
    if any(one.is_on for one in found):
        out.print("They work while `warehouse ui` runs. `warehouse automation off` stops them all.")
    else:
        out.print("`warehouse automation on` starts them all; they work while `warehouse ui` runs.")


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Loopback unless you say otherwise.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where the page is served.")] = 3000,
) -> None:
    """Open the Dagster web UI on this warehouse."""
    from orchestration.fingerprint import WORKSPACE

    _prepare_dagster()
    # Its successor wants a project laid out in its own way.
    os.environ["PYTHONWARNINGS"] = "ignore:Function `dev_command` is superseded"
    dagster = str(Path(sys.executable).parent / "dagster")
    command = [dagster, "dev", "--workspace", str(WORKSPACE)]
    os.execv(dagster, [*command, "--host", host, "--port", str(port)])


def _prepare_dagster() -> None:
    """Make DAGSTER_HOME; what Dagster starts works on this warehouse, wherever it was started."""
    from orchestration.run import prepare_dagster_home
    from orchestration.settings import warehouse_home

    home = warehouse_home()
    prepare_dagster_home(home)
    os.environ["WAREHOUSE_HOME"] = str(home.root)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"


def _build_on(target: Target) -> None:
    """Make ``target`` the engine of this process; Dagster's assets read it from the settings."""
    from orchestration.settings import settings

    os.environ["WAREHOUSE_TARGET"] = target.value
    settings.cache_clear()


class UserError(Exception):
    """Something the user can mend; shown without a traceback."""


def _say_up_to_date() -> None:
    from orchestration.release import current_release
    from orchestration.settings import warehouse_home

    current = current_release(warehouse_home())
    assert current is not None  # up to date with it
    out.print(
        "Nothing has changed since the current release: inputs, code and registry are the same.\n"
        f"current release: {current.release_id}"
    )
    _say_where_the_report_is()


def _say_where_the_report_is() -> None:
    from orchestration.release import current_release
    from orchestration.settings import warehouse_home

    home = warehouse_home()
    current = current_release(home)
    if current is not None and current.report.exists():
        # By the link, which leads to whatever is current when it is opened.
        out.print(f"report: {home.current / current.report.name}", highlight=False, soft_wrap=True)


def _print_summary(summary: RunSummary) -> None:
    from rich.table import Table

    table = Table("asset", "rows", "newest", "checks", "seconds")
    for position in (1, 4):
        table.columns[position].justify = "right"
    for asset in summary.assets:
        if asset.asset.startswith(("staging/", "intermediate/")):
            continue  # views without rows of their own
        table.add_row(
            asset.asset,
            "" if asset.rows is None else f"{asset.rows:,}",
            asset.newest_observation or "",
            _checks(asset.checks_passed, asset.checks_warned, asset.checks_failed),
            "" if asset.seconds is None else f"{asset.seconds:.2f}",
        )
    out.print(table)
    for remark in summary.remarks:
        err.print(f"[yellow]{escape(remark)}[/yellow]", highlight=False)
    for failure in summary.failures:
        err.print(f"[red]failed:[/red] {escape(failure)}", highlight=False)
    if summary.release_id is None and summary.succeeded:
        _say_up_to_date()
    elif summary.release_id:
        news = "new release" if summary.release_is_new else "unchanged release"
        out.print(f"{news}: {summary.release_id}")
        _say_where_the_report_is()
    else:
        err.print("No release was published; what was current before still is.")


def _checks(passed: int, warned: int, failed: int) -> str:
    parts = ((passed, "passed"), (warned, "warned"), (failed, "[red]failed[/red]"))
    return ", ".join(f"{count} {word}" for count, word in parts if count)


def _write_answer(columns: list[str], rows: list[tuple[object, ...]], format: Format) -> None:
    import csv
    import json

    if format is Format.json:
        answer = [dict(zip(columns, row, strict=True)) for row in rows]
        print(json.dumps(answer, default=str, ensure_ascii=False, indent=2))
    elif format is Format.csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        out.print(_as_table(columns, rows))


def _as_table(columns: list[str], rows: list[tuple[object, ...]]) -> Table:
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    return table


def main() -> None:
    """Run the command; a mistake of the user's is one message, not a traceback."""
    from pydantic import ValidationError

    from orchestration.landing.storage import StorageFailed
    from orchestration.locking import WarehouseBusy
    from orchestration.registry import RegistryError
    from orchestration.transform.spark import SparkMissing

    ours = (UserError, WarehouseBusy, RegistryError, SparkMissing, StorageFailed)
    try:
        app()
    except (*ours, ValidationError, LookupError, FileNotFoundError, ValueError) as mistake:
        message = mistake.args[0] if isinstance(mistake, KeyError) else mistake
        err.print(f"[red]error:[/red] {escape(str(message))}", highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
