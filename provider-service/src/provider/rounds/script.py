"""The nine steps of the scripted round as a table."""

from dataclasses import dataclass
from typing import Final

STAKE_MINOR: Final = 1000
PAYOUT_MINOR: Final = 2000
REFUSAL_SENTENCE: Final = "Cannot rollback: round already has a payout"
REFUSAL_CODE: Final = "round_has_payout"


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """One step. `gain_minor`: the balance after the step less the balance before the round."""

    action: str
    amount_minor: int
    gain_minor: int
    validates: str


SCRIPT: Final = (
    ScriptStep("balance_check", 0, 0, "Read-only query"),
    ScriptStep("bet_1", STAKE_MINOR, -STAKE_MINOR, "Atomic debit"),
    ScriptStep("bet_2", STAKE_MINOR, -2 * STAKE_MINOR, "Atomic debit"),
    ScriptStep("rollback_bet_2", STAKE_MINOR, -STAKE_MINOR, "Reversal of bet 2"),
    ScriptStep("payout", PAYOUT_MINOR, PAYOUT_MINOR - STAKE_MINOR, "Payout of twice bet 1"),
    ScriptStep("final_balance_check", 0, PAYOUT_MINOR - STAKE_MINOR, "Confirms integrity"),
    ScriptStep("idempotency_retry", 0, PAYOUT_MINOR - STAKE_MINOR, "Same answer as bet 1, nothing moved"),
    ScriptStep("tombstone_rollback", 0, PAYOUT_MINOR - STAKE_MINOR, "Marker for a bet that never was"),
    ScriptStep("rejected_rollback", 0, PAYOUT_MINOR - STAKE_MINOR, "Denied: round has payout"),
)
