"""Writing files so that a crash at any moment leaves the old file or the new one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4


def write_atomically(
    target: Path, write: Callable[[Path], object], *, replace: bool = True
) -> bool:
    """Write to a temporary name beside ``target``, sync it and give it its name.

    With ``replace=False`` an existing target is kept and ``False`` returned: of several writers
    exactly one wins.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.{uuid4().hex}.tmp"
    try:
        write(temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        if replace:
            temporary.replace(target)
        else:
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                return False
        sync_folder(target.parent)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: Path, content: Any, *, replace: bool = True) -> bool:
    """Write ``content`` as JSON, atomically; see :func:`write_atomically`."""
    return write_atomically(
        target, lambda path: path.write_bytes(as_json(content)), replace=replace
    )


def as_json(content: Any) -> bytes:
    """Return ``content`` as the text of a JSON file."""
    return (json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n").encode()


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
