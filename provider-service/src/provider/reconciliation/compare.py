"""Compares one transaction of these books with the wallet's report of it, and proposes a repair. No I/O."""

from collections.abc import Iterable
from typing import Final

from provider.reconciliation.transactions import Ours, Theirs, Unreadable
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

# Refusals that the wallet stores and shows in its feed: debits refused with 402, 403 or 423.
REMEMBERED: Final = frozenset(
    code for code, action in ACTIONS.items() if action.status in (402, 403, 423) and not action.alarms
) - {"session_fingerprint_mismatch"}

_ABSENT: Final[frozenset[str | None]] = frozenset({None, "cancelled"})
_NEVER_TAKEN: Final[frozenset[str | None]] = _ABSENT | {"refused"}

_SENTENCES: Final = {
    (MISSING_HERE, "debit"): "The wallet took a stake that is not in these books: find the round in a backup; "
    "if it was never played, have the operator return the stake.",
    (MISSING_HERE, "credit"): "The wallet made a payout that is not in these books: find it in a backup; "
    "if no game paid it, have the operator take it back.",
    (MISSING_HERE, "rollback"): "The wallet returned a stake, and these books have no rollback for it: "
    "find the rollback in a backup, or have the operator explain it.",
    (MISSING_THERE, "debit"): "The wallet lost a bet that it had acknowledged: a debit is never sent again; "
    "have the operator book the stake from its backup, or waive it.",
    (MISSING_THERE, "credit"): "The wallet lost a payout that it had acknowledged, and does not take it again: "
    "have the operator book it.",
    (MISSING_THERE, "rollback"): "The wallet lost a rollback that it had acknowledged: if the bet is rolled "
    "back there, only the record is missing; otherwise have the operator return the stake.",
    (PLAYER, None): "The two sides name different players: the game's log says whose round it was; "
    "have the operator move the money, or correct the session here.",
    (KIND, None): "The same id has different kinds: it was used twice or a row was edited; "
    "compare with a backup of each side.",
    (AMOUNT, None): "The amounts differ: the signed answer and its balance show what moved; "
    "the side that was edited restores its row and books the remainder.",
    (CURRENCY, None): "The currencies differ: the session's currency is right; the other side corrects its row.",
    (STATE, "debit"): "One side returned or settled a bet, the other did not: the round's payouts and "
    "rollbacks show which is right; correct the other side by hand.",
    (
        STATE,
        "credit",
    ): "The wallet made a payout that is refused in these books: keep the payout, correct the row here.",
    (STATE, "rollback"): "The wallet made a rollback that is refused in these books: correct the row here.",
    (ROUND, None): "The rounds differ: the game's log has the one that was sent; correct the other row.",
    (RELATED, None): "The related bets differ: the game's log has the one that was sent; correct the other row.",
    (BALANCE, None): "The wallet's record of the balance is not the balance that it answered: "
    "run the wallet's ledger check for this player.",
    (HEAD, None): "The wallet's chain has another head than the wallet answered: its history was rewritten; "
    "run the wallet's ledger check with the heads of these books.",
    (UNREADABLE, None): "The wallet reports a transaction in a form that the protocol does not allow: "
    "show the operator the excerpts; the transaction was not compared.",
    (REPEATED, None): "The wallet's feed has a transaction twice: its positions were damaged, or a copy was "
    "restored beside the original; run the wallet's ledger check.",
    (CONTRADICTION, None): "The wallet's decision contradicts these books: see its code; agree with the operator, "
    "then clear difference_code.",
}


def differences(ours: Ours | None, theirs: Theirs | None, *, taken_back_here: bool = False) -> list[str]:
    """The kinds of difference between the two records; none while a call can still change the transaction.

    `taken_back_here`: these books do not have the bet, but its accepted rollback.
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
        # For a tombstone the wallet reports only the state.
        return [] if "cancelled" in states_expected(ours) else [STATE]
    if theirs.user_id != ours.user_id or theirs.kind != ours.kind:
        return [PLAYER if theirs.user_id != ours.user_id else KIND]
    return list(_unequal(ours, theirs))


def states_expected(ours: Ours) -> frozenset[str | None]:
    """The states that the wallet may report; None: it may have no such transaction."""
    if ours.kind != "debit":
        return frozenset({"committed"}) if ours.state == "committed" else _ABSENT
    if ours.state == "rolled_back":
        return _NEVER_TAKEN if ours.rollback_tombstone else frozenset({"rolled_back"})
    if ours.state == "refused":
        return _states_of_refused(ours)
    if ours.state == "committed" and ours.round_state == "open" and ours.payout_committed:
        return frozenset({"settled"})  # the wallet settles at the first payout, these books at the end of the round
    if ours.state == "settled" and ours.payout_refused and not ours.payout_committed:
        return frozenset({"committed"})  # the refused payout is reported as the difference
    return frozenset({ours.state})


def _states_of_refused(ours: Ours) -> frozenset[str | None]:
    if ours.rollback_state == "committed" and not ours.rollback_tombstone:
        return frozenset({"rolled_back"})  # the wallet had taken the bet, and reconciliation rolled it back
    return frozenset({"refused"}) if ours.outcome_code in REMEMBERED else _NEVER_TAKEN


def can_settle(ours: Ours, theirs: Theirs) -> bool:
    """Whether the wallet's report proves the outcome of a payout or rollback that is unknown here.

    False for a debit, because a debit in doubt is always rolled back, and for the first delivery of a call.
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
    if _differs_in_balance(ours, theirs):
        yield BALANCE
    known_here = ours.head_sequence is not None and theirs.head is not None
    if known_here and theirs.head and (theirs.head.sequence, theirs.head.hash) != (ours.head_sequence, ours.head_hash):
        yield HEAD


def _differs_in_balance(ours: Ours, theirs: Theirs) -> bool:
    answered, recorded = ours.balance_after_minor, theirs.balance_after_minor
    if answered is None or recorded is None:
        return False
    if ours.kind == "debit":
        return answered != recorded
    return answered < recorded  # the answer includes a bonus that was granted at the end of the round


def _same_amount(ours: Ours, theirs: Theirs) -> bool:
    if ours.kind == "rollback":
        if ours.tombstone:
            return theirs.amount_minor == 0
        if not ours.original_known:
            return True  # these books do not have the bet, so they do not know the amount
    return theirs.amount_minor == ours.amount_minor


def proposal(kind: str, ours: Ours | None, theirs: Theirs | Unreadable | None) -> str:
    """A sentence for the operator: what to do about a difference."""
    what = ours.kind if ours is not None else theirs.kind if isinstance(theirs, Theirs) else None
    return _SENTENCES.get((kind, what)) or _SENTENCES[kind, None]
