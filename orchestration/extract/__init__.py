"""One module per upstream: request in, DataFrame out.

Nothing here knows Dagster, DuckDB, the dataset contracts or where data will land.
"""
