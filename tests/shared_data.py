"""Where real raw data and curated facts lie, on a machine that has them beside the project."""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
#: The curated facts in the landing's form.
FACTS = SHARED / "facts" / "landing"
#: Releases, filings, prices and answers as the upstreams gave them.
UPSTREAM = SHARED / "upstream"
