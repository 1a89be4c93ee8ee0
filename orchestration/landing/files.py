"""Files that documents were read from, kept as they came and named by their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from orchestration.files import write_atomically


class KeptFiles:
    """The files under ``landing/files``; keeping one twice costs nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, content: bytes, suffix: str) -> str:
        """Keep a file; returns its SHA-256 in hex."""
        sha256 = hashlib.sha256(content).hexdigest()
        target = self.path(sha256, suffix)
        if not target.exists():
            write_atomically(target, lambda path: path.write_bytes(content))
        return sha256

    def path(self, sha256: str, suffix: str) -> Path:
        """Return where a file lies."""
        return self.folder / sha256[:2] / f"{sha256}{suffix}"
