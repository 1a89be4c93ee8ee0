"""The manifest: what a release says about itself, as ``manifest.json`` in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from orchestration.files import write_json

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class TableSummary:
    """One table of ``core`` or ``marts``: its rows, its columns with their types, its content."""

    rows: int
    content_hash: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class CheckSummary:
    """How many checks of the run passed, warned and failed; a release has none that failed."""

    passed: int
    warned: int
    failed: int


@dataclass(frozen=True)
class Manifest:
    """A release in numbers.

    ``tables`` holds ``core`` and ``marts`` by ``schema.table``; ops tables describe the run, may
    differ between equal releases and so are not hashed. ``git_revision`` is null outside a git
    checkout. ``bytes`` counts every file but the manifest, those shared with other releases too.
    """

    release_id: str
    created_at: datetime
    git_revision: str | None
    inputs_fingerprint: str
    tables: Mapping[str, TableSummary]
    checks: CheckSummary
    newest_observations: Mapping[str, date]
    bytes: int

    @property
    def content_hash(self) -> str:
        """One hash over the content of all hashed tables: equal releases have equal ones."""
        digest = hashlib.sha256()
        for name, table in sorted(self.tables.items()):
            digest.update(f"{name}:{table.content_hash};".encode())
        return digest.hexdigest()

    def write(self, folder: Path) -> None:
        """Write the manifest into a release's folder."""
        fields = asdict(self) | {"created_at": self.created_at.isoformat()}
        write_json(folder / MANIFEST_FILE, fields)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of the release in ``folder``."""
        fields: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        return cls(
            **fields
            | {
                "created_at": datetime.fromisoformat(fields["created_at"]),
                "tables": {name: TableSummary(**table) for name, table in fields["tables"].items()},
                "checks": CheckSummary(**fields["checks"]),
                "newest_observations": {
                    dataset: date.fromisoformat(day)
                    for dataset, day in fields["newest_observations"].items()
                },
            }
        )
