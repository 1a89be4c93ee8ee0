"""Dataset contracts: what a landing dataset holds, written down once.

The Parquet schema, the Great Expectations suite and the dbt source tests are all made from the
contracts in :mod:`orchestration.contracts.datasets`. What does not belong here: how a batch is
checked (``orchestration.quality``), stored (``orchestration.landing``) or fetched
(``orchestration.extract``).
"""

from orchestration.contracts.contract import (
    PROVENANCE,
    SOURCE_RANK,
    Column,
    Comparison,
    Contract,
    Reference,
    RowRule,
)
from orchestration.contracts.datasets import CONTRACTS, contract_for

__all__ = [
    "CONTRACTS",
    "PROVENANCE",
    "SOURCE_RANK",
    "Column",
    "Comparison",
    "Contract",
    "Reference",
    "RowRule",
    "contract_for",
]
