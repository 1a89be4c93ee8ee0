"""What readers in other processes see while releases are published, and after a crash."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.home import Home
from orchestration.release import current_release, releases
from tests.made_build import publish_number

ROOT = Path(__file__).parents[2]
PUBLISHES = 50

# Opens the path as a BI tool would, knowing nothing of the project.
READ = """
import json, sys, time
from pathlib import Path
import duckdb

path, stop, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
ends = time.monotonic() + 120
reads, seen, problems = 0, set(), []
print("ready", flush=True)
while reads < most and not stop.exists() and time.monotonic() < ends:
    try:
        with duckdb.connect(path, read_only=True) as warehouse:
            [(one,)] = warehouse.execute("select distinct number from core.fct_result").fetchall()
            [(two,)] = warehouse.execute("select distinct number from marts.wide").fetchall()
            [(told,)] = warehouse.execute("select inputs_fingerprint from ops.release").fetchall()
        if not (one == two and told == f"inputs-{one}"):
            problems.append(f"mixture: {one}, {two}, {told}")
        seen.add(one)
    except Exception as error:
        problems.append(repr(error))
    reads += 1
print(json.dumps({"reads": reads, "seen": sorted(seen), "problems": problems}))
"""

# Says when it begins and ends each publish, so that it can be killed within one.
PUBLISH_FOREVER = """
import itertools, sys
from pathlib import Path
from orchestration.home import Home
from tests.made_build import make_build, publish_build

home = Home(Path(sys.argv[1]))
for number in itertools.count(1):
    make_build(home, number)
    print("begins", flush=True)
    publish_build(home, inputs_fingerprint=f"inputs-{number}")
    print("ends", flush=True)
"""


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def numbers_in(home: Home) -> set[int]:
    """What three reads by a process of its own see."""
    reader = start(READ, home.current / "warehouse.duckdb", home.root / "never", 3)
    output, _ = reader.communicate(timeout=60)
    result = json.loads(output.splitlines()[-1])
    assert result["problems"] == []
    return set(result["seen"])


def test_readers_see_one_release_or_the_next_and_no_error(tmp_path: Path) -> None:
    home, stop = Home(tmp_path / "home"), tmp_path / "stop"
    publish_number(home, 0)
    reader = start(READ, home.current / "warehouse.duckdb", stop, 100_000)
    assert line(reader) == "ready"
    for number in range(1, PUBLISHES + 1):
        publish_number(home, number)
    stop.touch()
    output, _ = reader.communicate(timeout=60)
    result = json.loads(output)

    assert result["problems"] == []
    assert result["reads"] >= PUBLISHES
    assert len(result["seen"]) >= PUBLISHES // 4
    assert set(result["seen"]) <= set(range(PUBLISHES + 1))
    assert len(releases(home)) == 7


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(s, marks=pytest.mark.long) for s in range(4, 20))]
)
def test_killed_while_publishing_the_old_release_stays_or_the_new_one_is_entire(
    tmp_path: Path, seed: int
) -> None:
    home = Home(tmp_path / "home")
    publish_number(home, 0)
    publisher = start(PUBLISH_FOREVER, home.root)
    try:
        assert [line(publisher) for _ in range(3)] == ["begins", "ends", "begins"]
        started = time.monotonic()
        assert [line(publisher) for _ in range(2)] == ["ends", "begins"]
        # From the beginning of the third publish to, at most, about its end.
        time.sleep(random.Random(seed).random() * (time.monotonic() - started))
    finally:
        publisher.send_signal(signal.SIGKILL)
        publisher.communicate()

    [number] = numbers_in(home)
    assert number in (2, 3)
    served = current_release(home)
    assert served
    assert served.manifest.inputs_fingerprint == f"inputs-{number}"

    following = publish_number(home, number)
    assert following.manifest.content_hash == served.manifest.content_hash
    assert numbers_in(home) == {number}
    assert not [path for path in home.releases.iterdir() if path.name.startswith(".")]
