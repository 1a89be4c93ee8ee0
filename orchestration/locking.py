"""The write lock: one process at a time builds, publishes or rolls back. Readers never take it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from orchestration.files import write_json
from orchestration.home import Home


class WarehouseBusy(RuntimeError):
    """Another process holds the write lock."""


@contextmanager
def write_lock(home: Home, timeout_seconds: float) -> Iterator[None]:
    """Hold the write lock of ``home``; a process that holds it already takes it again at once.

    The kernel releases it when its holder dies, however it dies. Raises :class:`WarehouseBusy`,
    which names the holder, when the lock is not free within ``timeout_seconds``.
    """
    from filelock import FileLock, Timeout

    # One lock object a process and file, whatever the spelling of its path and the thread: that
    # is what makes it re-entrant.
    lock = FileLock(home.write_lock.resolve(), is_singleton=True, thread_local=False)
    outermost = not lock.is_locked
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout:
        raise WarehouseBusy(
            f"the warehouse in {home.root} is being written by {_holder(home)}; "
            f"gave up after {timeout_seconds:g} seconds"
        ) from None
    try:
        if outermost:
            holder = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_json(_holder_file(home), holder)
        yield
    finally:
        if outermost:
            _holder_file(home).unlink(missing_ok=True)
        lock.release()


def _holder_file(home: Home) -> Path:
    return home.write_lock.with_name(f"{home.write_lock.name}.holder.json")


def _holder(home: Home) -> str:
    try:
        holder = json.loads(_holder_file(home).read_text(encoding="utf-8"))
    except FileNotFoundError:  # it took the lock a moment ago, or has just let it go
        return "another process"
    return f"process {holder['pid']} on {holder['host']} since {holder['started_at']}"
