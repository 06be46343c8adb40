"""The suite's own checks of the books find every rule that is broken on purpose."""

import pytest

from e2e_testing.books import INVARIANTS, broken_invariants, differences_the_casino_sees
from e2e_testing.both_books import disagreement
from e2e_testing.database import Database, Row

VIOLATIONS: dict[str, tuple[str, str]] = {
    "a balance that nobody posted": (
        "update casino.wallets set balance_minor = balance_minor + 1 where player_id = '1'",
        "a balance is the sum of its postings",
    ),
    "a posting without its opposite": (
        "delete from casino.postings where account <> 'wallet'",
        "all postings of a currency sum to zero",
    ),
    "two postings that only cancel out across transactions": (
        "update casino.postings set amount_minor = amount_minor + case wallet_id when 1 then 5 else -5 end"
        " where account <> 'wallet' and wallet_id in (1, 2)",
        "the postings of a transaction sum to zero",
    ),
    "a number that was left out": (
        "update casino.transactions set sequence_no = sequence_no + 1",
        "a wallet's sequence has no gap",
    ),
    "a wallet that has lost count": (
        "update casino.wallets set sequence_no = sequence_no + 1 where player_id = '2'",
        "a wallet's sequence has no gap",
    ),
    "an answer that told another balance": (
        "update casino.transactions set balance_after_minor = balance_after_minor - 1",
        "every balance after a transaction is the sum so far",
    ),
}


def test_honest_books_are_sound(scratch: Database) -> None:
    assert broken_invariants(scratch) == {}
    assert len(scratch.rows("select 1 from casino.postings")) >= 4, "and there is something in them"


@pytest.mark.parametrize(("violation", "rule"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_cooked_book_is_found(scratch: Database, violation: str, rule: str) -> None:
    scratch.rows("set session_replication_role = replica")
    scratch.change(violation)
    assert rule in INVARIANTS
    assert rule in broken_invariants(scratch)
    assert differences_the_casino_sees(scratch), "and the casino finds it too"


def both(kind: str, provider_state: str, casino_state: str | None, **more: object) -> Row:
    amounts: Row = {"provider_amount": 1000, "casino_amount": 1000, "casino_kind": kind, "entombed": False}
    return {"kind": kind, "provider_state": provider_state, "casino_state": casino_state} | amounts | more


DISAGREEMENTS = {
    "a win that the casino never heard of": both("credit", "committed", None),
    "a bet that only the casino took": both("debit", "refused", "committed"),
    "a bet that only the provider gave back": both("debit", "rolled_back", "committed"),
    "a bet of another amount": both("debit", "settled", "settled", casino_amount=999),
    "a live bet beside its tombstone": both("debit", "rolled_back", "committed", entombed=True),
    "a bet in doubt": both("debit", "pending", "committed"),
    "a rollback that is a credit there": both("rollback", "committed", "committed", casino_kind="credit"),
}


@pytest.mark.parametrize("row", DISAGREEMENTS.values(), ids=DISAGREEMENTS.keys())
def test_two_books_that_differ_are_found(row: Row) -> None:
    assert disagreement(row) is not None


def test_a_bet_that_died_by_a_tombstone_is_agreed_upon() -> None:
    assert disagreement(both("debit", "rolled_back", None, entombed=True)) is None
    assert disagreement(both("debit", "rolled_back", "rolled_back")) is None
