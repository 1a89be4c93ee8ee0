"""Dataset contracts: what a landing dataset holds, written down once.

The Parquet schema, the Great Expectations suite and the dbt source tests are all made from the
contracts in :mod:`orchestration.contracts.datasets`. What does not belong here: how a batch is
checked (``orchestration.quality``), stored (``orchestration.landing``) or fetched
(``orchestration.extract``).
"""

from orchestration.contracts.contract import (
    PROVENANCE,
    Column,
    Comparison,
    Contract,
    Reference,
    RowRule,
)
from orchestration.contracts.datasets import CONTRACTS, contract_for
from orchestration.contracts.precedence import DOCUMENT_KINDS, SOURCE_RANK, SOURCES, Precedence

__all__ = [
    "CONTRACTS",
    "DOCUMENT_KINDS",
    "PROVENANCE",
    "SOURCES",
    "SOURCE_RANK",
    "Column",
    "Comparison",
    "Contract",
    "Precedence",
    "Reference",
    "RowRule",
    "contract_for",
]
