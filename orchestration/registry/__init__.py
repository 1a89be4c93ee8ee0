"""The registry: companies, securities, structures and the rest, as data files with a schema.

Adding a ticker, a company or a series is one line in a file of ``orchestration/registry/data``.
What belongs here: the files, their schema and the check of one against the other. What does not:
any figure (those are landed) and any use of an entry.
"""

from orchestration.registry.loader import Registry, RegistryError, load_registry

__all__ = ["Registry", "RegistryError", "load_registry"]
