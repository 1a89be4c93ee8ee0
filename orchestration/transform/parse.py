"""``python -m orchestration.transform.parse``: the set-up's step that reads the dbt project."""

from orchestration.transform.column_lineage import column_lineage
from orchestration.transform.dbt import ensure_parsed
from orchestration.transform.sources import write_sources

if __name__ == "__main__":
    write_sources()
    ensure_parsed()
    column_lineage()
