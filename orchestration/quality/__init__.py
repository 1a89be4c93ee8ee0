"""The guard: every batch is checked against its contract before it lands.

What belongs here: how a contract is checked, the reports and the quarantine. What a dataset must
fulfil is written in its contract; storing what has passed is landing's.
"""

from orchestration.quality.guard import Guard
from orchestration.quality.report import CheckOutcome, GuardReport

__all__ = ["CheckOutcome", "Guard", "GuardReport"]
