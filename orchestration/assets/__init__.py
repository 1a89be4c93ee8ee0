"""Dagster assets: what runs, in which order, under which checks.

Assets declare and call one plain function; logic lives in modules that import no Dagster.
"""
