"""The rules of comparison, without a wallet or a database."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from typing import Any

import pytest

from provider.reconciliation.compare import REMEMBERED, can_settle, differences, states_expected
from provider.reconciliation.repairs import Remedy, remedy_for
from provider.reconciliation.transactions import Ours, Theirs
from provider.wallet_client.messages import Head
from provider_testing.protocol_codes import codes_by_status

NAME = uuid.UUID("a9429bb3-9f71-4497-9fa4-f5f7592a46af")
HERE = Ours(
    transaction_id=NAME,
    user_id="1",
    provider_session_id=NAME,
    round_id="r",
    round_state="settled",
    kind="debit",
    amount_minor=1000,
    currency="USD",
    state="settled",
    outcome_code="ok",
    difference_code=None,
    tombstone=False,
    balance_after_minor=5,
    related_id=None,
    original_known=False,
    rollback_state=None,
    rollback_tombstone=False,
    payout_pending=False,
    payout_committed=True,
    payout_refused=False,
    head_sequence=3,
    head_hash="a" * 64,
    created_at=dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
)
THERE = Theirs(
    transaction_id=str(NAME),
    user_id="1",
    round_id="r",
    kind="debit",
    amount_minor=1000,
    currency="USD",
    state="settled",
    balance_after_minor=5,
    related_id=None,
    head=None,
)
EVERY_STATE = (None, "committed", "settled", "rolled_back", "refused", "cancelled")


def here(**changed: Any) -> Ours:
    return dataclasses.replace(HERE, **changed)


def there(**changed: Any) -> Theirs:
    return dataclasses.replace(THERE, **changed)


GONE = {"rollback_state": "committed"}
STONE = GONE | {"rollback_tombstone": True}
NEVER = {None, "cancelled", "refused"}
DEBITS: dict[str, tuple[dict[str, Any], set[str | None]]] = {
    "settled": ({}, {"settled"}),
    "settled by a payout that was refused": ({"payout_committed": False, "payout_refused": True}, {"committed"}),
    "settled by one payout of two": ({"payout_refused": True}, {"settled"}),
    "settled without any payout": ({"payout_committed": False}, {"settled"}),
    "committed": ({"state": "committed", "payout_committed": False}, {"committed"}),
    "committed, the round is open and paid": ({"state": "committed", "round_state": "open"}, {"settled"}),
    "committed, though its round has ended paid": ({"state": "committed"}, {"committed"}),
    "rolled back": ({"state": "rolled_back"} | GONE, {"rolled_back"}),
    "rolled back by a tombstone": ({"state": "rolled_back"} | STONE, NEVER),
    "rolled back, and the rollback is gone": ({"state": "rolled_back"}, {"rolled_back"}),
    "refused for a rule": ({"state": "refused", "outcome_code": "stake_too_high"}, NEVER),
    "refused for want of money": ({"state": "refused", "outcome_code": "insufficient_balance"}, {"refused"}),
    "refused by a gate": ({"state": "refused", "outcome_code": "player_excluded"}, {"refused"}),
    "refused, and taken back where it stood": ({"state": "refused", "outcome_code": "ok"} | GONE, {"rolled_back"}),
    "refused, and entombed": ({"state": "refused", "outcome_code": "operator_unreachable"} | STONE, NEVER),
}


@pytest.mark.parametrize("case", DEBITS)
def test_each_state_of_a_bet_goes_with_the_states_that_the_wallet_may_tell(case: str) -> None:
    changed, allowed = DEBITS[case]
    ours = here(**changed)
    assert states_expected(ours) == allowed
    for state in EVERY_STATE:
        theirs = None if state is None else there(state=state)
        wanted = [] if state in allowed else ["missing_there"] if state is None else ["state"]
        assert differences(ours, theirs) == wanted, state


@pytest.mark.parametrize("kind", ["credit", "rollback"])
@pytest.mark.parametrize("state", ["committed", "refused"])
def test_a_payout_or_a_rollback_stands_on_both_sides_or_on_none(kind: str, state: str) -> None:
    ours = here(kind=kind, state=state, original_known=True)
    assert differences(ours, None) == (["missing_there"] if state == "committed" else [])
    assert differences(ours, there(kind=kind, state="committed")) == ([] if state == "committed" else ["state"])


@pytest.mark.parametrize(
    "open_end",
    [{"state": "pending"}, {"rollback_state": "pending"}, {"payout_pending": True}],
    ids=["itself", "its rollback", "a payout of its round"],
)
def test_what_is_under_way_is_no_difference(open_end: dict[str, Any]) -> None:
    for state in EVERY_STATE:
        theirs = None if state is None else there(state=state, amount_minor=7)
        assert differences(here(**open_end), theirs) == [], state


COLUMNS = {
    "user_id": ("2", "player"),
    "kind": ("credit", "kind"),
    "amount_minor": (1001, "amount"),
    "currency": ("EUR", "currency"),
    "state": ("committed", "state"),
    "round_id": ("another", "round"),
    "related_id": ("another", "related"),
    "balance_after_minor": (6, "balance"),
    "head": (Head(3, "b" * 64), "head"),
}


def test_each_column_has_its_kind() -> None:
    for column, (value, kind) in COLUMNS.items():
        assert differences(HERE, there(**{column: value})) == [kind], column


def test_all_columns_that_differ_are_told() -> None:
    every = there(amount_minor=1, currency="EUR", state="committed", round_id="x", balance_after_minor=1)
    assert differences(HERE, every) == ["amount", "currency", "state", "round", "balance"]


@pytest.mark.parametrize("kind", ["credit", "rollback"])
def test_a_balance_that_was_answered_with_a_bonus_may_be_higher_than_the_record(kind: str) -> None:
    ours = here(kind=kind, state="committed", original_known=True, balance_after_minor=2_500)
    assert differences(ours, there(kind=kind, state="committed", balance_after_minor=0)) == []
    assert differences(ours, there(kind=kind, state="committed", balance_after_minor=2_501)) == ["balance"]


def test_what_one_side_does_not_know_is_not_compared() -> None:
    assert differences(here(balance_after_minor=None), there(balance_after_minor=9)) == []
    assert differences(here(head_sequence=None, head_hash=None), there(head=Head(9, "c" * 64))) == []
    assert differences(HERE, there(head=Head(3, "a" * 64))) == []
    assert differences(HERE, there(head=Head(4, "a" * 64))) == ["head"]


@pytest.mark.parametrize(
    ("ours", "amount", "same"),
    [
        ({"original_known": True}, 1000, True),
        ({"original_known": True}, 0, False),
        ({"original_known": True, "tombstone": True}, 0, True),
        ({"original_known": True, "tombstone": True}, 1000, False),
        ({"original_known": False}, 700, True),
        ({"original_known": False, "tombstone": True}, 700, False),
    ],
)
def test_a_rollback_returns_what_its_bet_took_and_a_tombstone_nothing(
    ours: dict[str, Any], amount: int, same: bool
) -> None:
    side = here(kind="rollback", state="committed", **ours)
    assert differences(side, there(kind="rollback", state="committed", amount_minor=amount)) == (
        [] if same else ["amount"]
    )


def test_what_these_books_do_not_have_is_missing_here_unless_it_never_stood() -> None:
    assert differences(None, None) == []
    for state in ("committed", "settled", "rolled_back", "refused"):
        assert differences(None, there(state=state)) == ["missing_here"]
    assert differences(None, there(state="cancelled")) == []
    assert differences(None, there(state="rolled_back"), taken_back_here=True) == []
    assert differences(None, there(state="committed"), taken_back_here=True) == ["missing_here"]


def test_the_refusals_that_a_wallet_remembers_are_those_of_the_contract() -> None:
    """Section 4, rule 2: those with 402, 403 and 423, except what is found before the id is looked up."""
    found_before = {"session_player_mismatch", "session_fingerprint_mismatch"}
    stored = {code for code, status in codes_by_status().items() if status in (402, 403, 423)}
    assert stored - found_before == REMEMBERED


PAYOUT = {"kind": "credit", "state": "pending", "outcome_code": "operator_unreachable"}


@pytest.mark.parametrize(
    ("ours", "theirs", "settles"),
    [
        (PAYOUT, {}, True),
        (PAYOUT | {"outcome_code": None}, {}, False),
        (PAYOUT | {"state": "committed"}, {}, False),
        (PAYOUT | {"kind": "debit"}, {"kind": "debit"}, False),
        (PAYOUT, {"amount_minor": 999}, False),
        (PAYOUT, {"round_id": "another"}, False),
        (PAYOUT, {"related_id": "another"}, False),
        (PAYOUT, {"currency": "EUR"}, False),
        (PAYOUT, {"user_id": "2"}, False),
        (PAYOUT, {"state": "refused"}, False),
        (PAYOUT | {"kind": "rollback", "original_known": True}, {"kind": "rollback", "amount_minor": 0}, True),
        (PAYOUT | {"kind": "rollback", "original_known": True}, {"kind": "rollback", "amount_minor": 7}, False),
    ],
)
def test_only_the_very_same_payout_or_rollback_is_settled_from_what_the_wallet_tells(
    ours: dict[str, Any], theirs: dict[str, Any], settles: bool
) -> None:
    told = {"kind": "credit", "state": "committed"} | theirs
    assert can_settle(here(balance_after_minor=None, **ours), there(**told)) is settles


NO_BET = {"round_is_ours": False, "bet_there": None}
OUR_ROUND = {"round_is_ours": True, "bet_there": None}
PAID = {"kind": "credit", "state": "committed"}


@pytest.mark.parametrize(
    ("ours", "theirs", "around", "remedy"),
    [
        (None, there(state="committed"), OUR_ROUND, Remedy.ROLL_BACK),
        (here(state="refused"), there(state="committed"), OUR_ROUND, Remedy.ROLL_BACK),
        (None, there(state="committed"), NO_BET, None),
        (None, there(state="settled"), OUR_ROUND, None),
        (None, there(state="rolled_back"), OUR_ROUND, None),
        (None, there(state="committed", kind="credit"), OUR_ROUND, None),
        (here(state="committed"), there(state="committed"), OUR_ROUND, None),
        (here(state="refused", rollback_state="refused"), there(state="committed"), OUR_ROUND, None),
        (here(**PAID), None, NO_BET, Remedy.REPEAT),
        (here(kind="rollback", state="committed"), None, NO_BET, Remedy.REPEAT),
        (here(kind="credit", state="refused"), None, NO_BET, None),
        (here(), None, OUR_ROUND, None),
        (here(state="committed"), None, OUR_ROUND, None),
        (here(**PAID), there(**PAID, amount_minor=1), OUR_ROUND, None),
    ],
)
def test_only_what_the_protocol_allows_is_healed(
    ours: Ours | None, theirs: Theirs | None, around: dict[str, Any], remedy: Remedy | None
) -> None:
    assert remedy_for(ours, theirs, **around) is remedy


@pytest.mark.parametrize(
    ("bet", "remedy"),
    [
        (None, Remedy.REPEAT),
        (there(state="committed"), Remedy.REPEAT),
        (there(state="cancelled"), Remedy.REPEAT),
        (there(state="rolled_back"), None),
    ],
)
def test_a_lost_rollback_is_repeated_unless_its_bet_is_rolled_back_already(
    bet: Theirs | None, remedy: Remedy | None
) -> None:
    lost = here(kind="rollback", state="committed")
    assert remedy_for(lost, None, round_is_ours=False, bet_there=bet) is remedy
