"""How far one machine goes: the pipeline measured on made data, beside a plain DuckDB script.

``make bench`` runs it. Nothing of the warehouse imports it, and nothing it makes is published.
"""
