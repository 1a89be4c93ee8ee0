"""``python -m bench --rows 1000000``: measure every step, each in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import floor, steps
from bench.made import Made, Shapes
from orchestration.home import Home

#: The order of a run: each floor beside the step that it is the floor of.
ORDER = (
    ("prepare", "warehouse"),
    ("load", "floor"),
    ("load", "warehouse"),
    ("build", "warehouse"),
    ("build", "floor"),
    ("release", "warehouse"),
    ("release", "floor"),
    ("load_day", "floor"),
    ("load_day", "warehouse"),
    ("build_day", "warehouse"),
    ("build_day", "floor"),
    ("release_day", "warehouse"),
    ("release_day", "floor"),
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def measure(
    rows: Annotated[list[int], typer.Option(help="Price rows, about; give it once a size.")],
    folder: Annotated[Path, typer.Option(help="Where data and results go.")] = Path("data/bench"),
    prices: Annotated[
        Path | None, typer.Option(help="Parquet of real daily prices to draw moves from.")
    ] = None,
    label: Annotated[str, typer.Option(help="Kept with the figures, to tell runs apart.")] = "",
    keep: Annotated[bool, typer.Option(help="Keep the warehouse that was measured.")] = False,
    step: Annotated[str | None, typer.Option(hidden=True)] = None,
    engine: Annotated[str, typer.Option(hidden=True)] = "warehouse",
) -> None:
    """Measure loading, building and publishing of made prices, and a plain script beside each.

    One JSON line a step is appended to ``measured.jsonl``: seconds by the clock and of processors,
    peak memory and bytes written.
    """
    for size in rows:
        place = folder.resolve() / f"{size // 1_000_000}m"
        made = Made(size, place, Shapes.read(prices) if prices else Shapes.drawn())
        if step:
            print(json.dumps(_measured(made, step, engine)))
            return
        made.write()
        shutil.rmtree(place / "home", ignore_errors=True)
        for name, of in ORDER:
            figures = _in_a_process(name, of, size, folder, prices) | {"label": label}
            print(
                f"{size:>11,} {of:>9} {name:<12} {figures['seconds']:8.1f} s "
                f"{figures['peak_bytes'] / 1e9:6.2f} GB",
                flush=True,
            )
            with (folder / "measured.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(figures) + "\n")
            if (name, of) == ("build", "floor"):
                _must_agree(Home(place / "home"))
            if (name, of) == ("release", "floor"):
                # Nobody reads it, and of fifty million rows it is a disk's worth.
                shutil.rmtree(place / "home" / "floor" / "release")
        if not keep:
            shutil.rmtree(place)


def _measured(made: Made, step: str, engine: str) -> dict[str, Any]:
    home = Home(made.folder / "home")
    home.root.mkdir(parents=True, exist_ok=True)
    made.registry()
    counted = made.batches("next" if step == "load_day" else "daily_price")
    before = _written()
    started, processed = time.perf_counter(), time.process_time()
    details = (steps.STEPS[step] if engine == "warehouse" else floor.STEPS[step])(made, home) or {}
    seconds = time.perf_counter() - started
    return {
        "rows": made.rows,
        "price_rows": _rows(counted),
        "securities": made.securities,
        "step": step,
        "engine": engine,
        "seconds": seconds,
        "cpu_seconds": time.process_time() - processed,
        "peak_bytes": _peak(),
        "written_bytes": _written() - before,
        "details": details,
        "revision": subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _in_a_process(
    step: str, engine: str, rows: int, folder: Path, prices: Path | None
) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "bench",
        "--rows",
        str(rows),
        "--folder",
        str(folder),
        "--step",
        step,
        "--engine",
        engine,
    ]
    if prices:
        command += ["--prices", str(prices)]
    os.sync()  # what the step before has left to be written is not this one's
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _must_agree(home: Home) -> None:
    """The floor must have done the work that the warehouse did."""
    if found := floor.disagreements(home):
        raise SystemExit("floor and warehouse differ\n" + "\n".join(found))


def _rows(paths: list[Path]) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in paths)


def _peak() -> int:
    """The most memory that this process ever held, in bytes.

    The kernel's count since the program began; the usual one begins with what its parent held.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(dict(line.split(":", 1) for line in lines)["VmHWM"].split()[0]) * 1024


def _written() -> int:
    """Bytes this process has sent to disk; Linux counts them, elsewhere they are unknown."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


if __name__ == "__main__":
    app()
