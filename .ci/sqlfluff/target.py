"""dbt's ``target`` as sqlfluff's Jinja templater sees it."""

type = "duckdb"
