"""``python -m orchestration.transform.parse``: the set-up's step that parses the dbt project."""

from orchestration.transform.dbt import ensure_parsed
from orchestration.transform.sources import write_sources

if __name__ == "__main__":
    write_sources()
    ensure_parsed()
