"""Servers that tests start as processes of their own: a free port, and waiting until one is up."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(
    started: subprocess.Popen[Any], log: Path, is_up: Callable[[], bool], seconds: float
) -> None:
    """Wait for a server; where it ends or takes longer than ``seconds``, fail with its log."""
    deadline = time.monotonic() + seconds
    while started.poll() is None and time.monotonic() < deadline:
        if is_up():
            return
        time.sleep(0.5)
    pytest.fail(f"not up in {seconds:.0f} s:\n{log.read_text()}")


def answers(url: str) -> bool:
    """Whether a server answers at an address."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except (urllib.error.URLError, TimeoutError):
        return False
    return True
