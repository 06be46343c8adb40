"""Compares one transaction of these books with what the wallet tells of it.

Owns what counts as a difference and what may still be under way. Pure: it must never ask, wait or write.
"""

from collections.abc import Iterable
from typing import Final

from provider.reconciliation.sides import Ours, Theirs
from provider.wallet_client.actions import ACTIONS

MISSING_HERE: Final = "missing_here"
MISSING_THERE: Final = "missing_there"
PLAYER: Final = "player"
KIND: Final = "kind"
AMOUNT: Final = "amount"
CURRENCY: Final = "currency"
STATE: Final = "state"
ROUND: Final = "round"
RELATED: Final = "related"
BALANCE: Final = "balance"
HEAD: Final = "head"
CONTRADICTION: Final = "contradiction"
UNREADABLE: Final = "unreadable"
REPEATED: Final = "repeated"

# What the wallet remembers of a refusal: a debit for want of money or by a gate on the player. It is in the feed.
REMEMBERED: Final = frozenset(
    code for code, action in ACTIONS.items() if action.status in (402, 403) and not action.alarms
) - {"session_fingerprint_mismatch"}

_ABSENT: Final[frozenset[str | None]] = frozenset({None, "cancelled"})
_NEVER_TAKEN: Final[frozenset[str | None]] = _ABSENT | {"refused"}


def differences(ours: Ours | None, theirs: Theirs | None, *, taken_back_here: bool = False) -> list[str]:
    """The kinds of difference. What is under way has none yet.

    `taken_back_here`: these books never knew the bet, and hold its accepted rollback.
    """
    if ours is None:
        stands = theirs is not None and theirs.state != "cancelled"
        returned = taken_back_here and theirs is not None and theirs.state == "rolled_back"
        return [MISSING_HERE] if stands and not returned else []
    if ours.under_way:
        return []
    if theirs is None:
        return [] if None in states_expected(ours) else [MISSING_THERE]
    if theirs.state == "cancelled":
        # A tombstone is all that the wallet tells of it: of its columns only the state means something.
        return [] if "cancelled" in states_expected(ours) else [STATE]
    if theirs.user_id != ours.user_id or theirs.kind != ours.kind:
        return [PLAYER if theirs.user_id != ours.user_id else KIND]
    return list(_unequal(ours, theirs))


def states_expected(ours: Ours) -> frozenset[str | None]:
    """Which states the wallet may tell of it; None: it may hold nothing."""
    if ours.kind != "debit":
        return frozenset({"committed"}) if ours.state == "committed" else _ABSENT
    if ours.state == "rolled_back":
        return _NEVER_TAKEN if ours.rollback_tombstone else frozenset({"rolled_back"})
    if ours.state == "refused":
        return _states_of_refused(ours)
    if ours.state == "committed" and ours.round_state == "open" and ours.payout_committed:
        return frozenset({"settled"})  # the wallet says so from the first payout on, we when the round ends
    if ours.state == "settled" and ours.payout_refused and not ours.payout_committed:
        return frozenset({"committed"})  # the refused payout is the difference, and it is reported
    return frozenset({ours.state})


def _states_of_refused(ours: Ours) -> frozenset[str | None]:
    if ours.rollback_state == "committed" and not ours.rollback_tombstone:
        return frozenset({"rolled_back"})  # the wallet held it all the same, until reconciliation had it taken back
    return frozenset({"refused"}) if ours.outcome_code in REMEMBERED else _NEVER_TAKEN


def can_settle(ours: Ours, theirs: Theirs) -> bool:
    """These books do not know what became of a payout or a rollback, and the wallet tells that it did just that.

    Not a debit: one in doubt is rolled back, whatever became of it. Not a call that is in flight for the first time.
    """
    unknown_here = ours.state == "pending" and ours.kind != "debit" and ours.outcome_code is not None
    if not unknown_here or (theirs.user_id, theirs.kind, theirs.state) != (ours.user_id, ours.kind, "committed"):
        return False
    stone = ours.kind == "rollback" and theirs.amount_minor == 0
    return set(_unequal(ours, theirs)) <= ({STATE, AMOUNT} if stone else {STATE})


def _unequal(ours: Ours, theirs: Theirs) -> Iterable[str]:
    if not _same_amount(ours, theirs):
        yield AMOUNT
    if theirs.currency != ours.currency:
        yield CURRENCY
    if theirs.state not in states_expected(ours):
        yield STATE
    if theirs.round_id != ours.round_id:
        yield ROUND
    if theirs.related_id != ours.related_id:
        yield RELATED
    both = (ours.balance_after_minor, theirs.balance_after_minor)
    if None not in both and both[0] != both[1]:
        yield BALANCE
    known_here = ours.head_sequence is not None and theirs.head is not None
    if known_here and theirs.head and (theirs.head.sequence, theirs.head.hash) != (ours.head_sequence, ours.head_hash):
        yield HEAD


def _same_amount(ours: Ours, theirs: Theirs) -> bool:
    if ours.kind == "rollback":
        if ours.tombstone:
            return theirs.amount_minor == 0
        if not ours.original_known:
            return True  # these books never knew what the bet was: there is nothing to compare with
    return theirs.amount_minor == ours.amount_minor
