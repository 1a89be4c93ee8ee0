"""From landing to the build database: what dbt reads, and dbt itself, in this process.

What belongs here: writing the registry where dbt can read it, generating the dbt sources from the
contracts, parsing and building the project. The models themselves are in ``dbt_project``.
"""
