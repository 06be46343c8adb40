"""What can be done about a difference: by this service, or by people.

Owns the choice and the sentences. Pure. It must never propose to send a debit, or to change what was booked here.
"""

from enum import Enum
from typing import Final

from provider.reconciliation import compare
from provider.reconciliation.sides import Ours, Theirs, Unreadable


class Remedy(Enum):
    """What the protocol allows without asking anybody."""

    ROLL_BACK = "the wallet was told to roll the bet back"
    REPEAT = "the wallet was sent it again, under its id"


_SENTENCES: Final = {
    (compare.MISSING_HERE, "debit"): "The wallet took a stake that is not in these books: find the round in a backup; "
    "if it was never played, have the operator return the stake.",
    (compare.MISSING_HERE, "credit"): "The wallet paid what is not in these books: find it in a backup; "
    "if no game paid it, have the operator take it back.",
    (compare.MISSING_HERE, "rollback"): "The wallet returned a stake without an order from these books: "
    "find the rollback in a backup, or have the operator explain it.",
    (compare.MISSING_THERE, "debit"): "The wallet lost a bet that it had acknowledged: a debit is never sent again; "
    "have the operator book the stake from its backup, or waive it.",
    (compare.MISSING_THERE, "credit"): "The wallet lost a payout that it had acknowledged, and does not take it again: "
    "have the operator book it.",
    (compare.MISSING_THERE, "rollback"): "The wallet lost a rollback that it had acknowledged: if the bet is rolled "
    "back there, nothing but the record is missing; otherwise have the operator return the stake.",
    (compare.PLAYER, None): "The two sides name different players: whose round it was tells the game's log; "
    "have the operator move the money, or correct the session here.",
    (compare.KIND, None): "The same id stands for different things: an id was used twice or a row was edited; "
    "compare with a backup of each side.",
    (compare.AMOUNT, None): "The amounts differ: the signed answer and its balance tell what moved; "
    "the side that was edited restores its row and books the rest.",
    (compare.CURRENCY, None): "The currencies differ: the session's is right; the other side corrects its row.",
    (compare.STATE, "debit"): "One side returned or settled a bet that the other did not: the round's payouts and "
    "rollbacks tell which is right; the other side follows by hand.",
    (compare.STATE, "credit"): "The wallet paid what these books hold refused: keep the payout, correct the row here.",
    (compare.STATE, "rollback"): "The wallet rolled back what these books hold refused: correct the row here.",
    (compare.ROUND, None): "The rounds differ: the one that was sent is in the game's log; correct the other row.",
    (compare.RELATED, None): "The bets that it belongs to differ: the one that was sent is in the game's log; "
    "correct the other row.",
    (compare.BALANCE, None): "The wallet's own record of the balance is not what it answered at the time: "
    "run the wallet's ledger check for this player.",
    (compare.HEAD, None): "The wallet's chain is not what it answered at the time: its history was rewritten; "
    "run the wallet's ledger check with the heads of these books.",
    (compare.UNREADABLE, None): "The wallet tells a transaction in a form that the protocol does not have: "
    "show the operator what it told; what it means was not compared.",
    (compare.REPEATED, None): "The wallet's feed tells a transaction twice: its positions were damaged, or a copy was "
    "restored beside the original; run the wallet's ledger check.",
    (compare.CONTRADICTION, None): "The wallet decided against what these books hold: see its code; settle it with the "
    "operator, then clear difference_code.",
}


def proposal(kind: str, ours: Ours | None, theirs: Theirs | Unreadable | None) -> str:
    """A sentence for the person who has to see to it."""
    what = ours.kind if ours is not None else theirs.kind if isinstance(theirs, Theirs) else None
    return _SENTENCES.get((kind, what)) or _SENTENCES[kind, None]


def remedy_for(
    ours: Ours | None, theirs: Theirs | None, *, round_is_ours: bool, bet_there: Theirs | None
) -> Remedy | None:
    """What may be done without asking anybody.

    `round_is_ours`: the round is known here, is the same player's and has no payout. `bet_there`: of a rollback, what
    the wallet tells of its bet.
    """
    if theirs is not None:
        unwanted = ours is None or (ours.state == "refused" and ours.rollback_state is None)
        standing = theirs.kind == "debit" and theirs.state == "committed"
        return Remedy.ROLL_BACK if unwanted and standing and round_is_ours else None
    if ours is None or ours.state != "committed" or ours.kind == "debit":
        return None
    # A rollback whose bet is rolled back there already would leave a second, empty one beside the lost.
    done_there = ours.kind == "rollback" and bet_there is not None and bet_there.state == "rolled_back"
    return None if done_there else Remedy.REPEAT
