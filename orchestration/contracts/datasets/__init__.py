"""One module per landing dataset, each with its contract."""

from orchestration.contracts.contract import Contract
from orchestration.contracts.datasets.company_result import COMPANY_RESULT
from orchestration.contracts.datasets.corporate_action import CORPORATE_ACTION
from orchestration.contracts.datasets.daily_price import DAILY_PRICE
from orchestration.contracts.datasets.document import DOCUMENT
from orchestration.contracts.datasets.event import EVENT
from orchestration.contracts.datasets.fx_rate import FX_RATE
from orchestration.contracts.datasets.kpi import KPI
from orchestration.contracts.datasets.macro_observation import MACRO_OBSERVATION
from orchestration.contracts.datasets.segment_result import SEGMENT_RESULT

#: By dataset name. Documents come first: the results that follow are checked against them.
CONTRACTS: dict[str, Contract] = {
    contract.dataset: contract
    for contract in (
        DOCUMENT,
        COMPANY_RESULT,
        SEGMENT_RESULT,
        KPI,
        CORPORATE_ACTION,
        DAILY_PRICE,
        FX_RATE,
        MACRO_OBSERVATION,
        EVENT,
    )
}


def contract_for(dataset: str) -> Contract:
    """Return the contract of ``dataset``; raises ``KeyError`` naming the known ones."""
    try:
        return CONTRACTS[dataset]
    except KeyError:
        known = ", ".join(sorted(CONTRACTS))
        raise KeyError(f"no dataset {dataset!r}; the contracts know: {known}") from None
