"""Files that documents were read from, kept as they came and named by their content."""

from __future__ import annotations

import hashlib

from orchestration.landing.storage import Storage


class KeptFiles:
    """The files under ``files/`` of landing; keeping one twice costs nothing."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def keep(self, content: bytes, suffix: str) -> str:
        """Keep a file; returns its SHA-256 in hex."""
        sha256 = hashlib.sha256(content).hexdigest()
        key = _key(sha256, suffix)
        if not self._storage.exists(key):
            self._storage.write(key, content)
        return sha256

    def read(self, sha256: str, suffix: str) -> bytes:
        """Return a kept file; raises ``FileNotFoundError`` when it is not there."""
        return self._storage.read(_key(sha256, suffix))


def _key(sha256: str, suffix: str) -> str:
    return f"files/{sha256[:2]}/{sha256}{suffix}"
