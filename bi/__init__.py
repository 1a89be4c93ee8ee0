"""Superset on the current release: dashboards as code, and the server that shows them.

It runs in an environment of its own (``bi/.venv``), because Superset pins older libraries than the
warehouse. Of the warehouse's code it knows where things lie and nothing else.
"""
