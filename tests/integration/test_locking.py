import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.home import Home
from orchestration.locking import WarehouseBusy, write_lock
from orchestration.release import rollback
from tests.made_build import publish_number

HOLD = """
import sys
from pathlib import Path
from orchestration.home import Home
from orchestration.locking import write_lock
with write_lock(Home(Path(sys.argv[1])), 5):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_waits_and_is_told_who_holds_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(WarehouseBusy, match=rf"process {holder.pid} on .* since 20\d\d-"),
            write_lock(home, 0.2),
        ):
            pass
        # A holder that dies without a word holds nothing any more.
        holder.kill()
        holder.wait()
        with write_lock(home, 5):
            told = json.loads((tmp_path / ".write.lock.holder.json").read_text())
            assert told["pid"] == os.getpid()
    assert not (tmp_path / ".write.lock.holder.json").exists()


def test_it_can_be_taken_again_by_its_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path / "home")
    with write_lock(home, 1):
        publish_number(home, 1)
        publish_number(home, 2)
        rollback(Home(Path("home")))  # the same folder, spelled otherwise
        assert (home.root / ".write.lock.holder.json").exists()
    assert not (home.root / ".write.lock.holder.json").exists()
