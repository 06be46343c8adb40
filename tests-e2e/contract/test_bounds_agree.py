"""What one service may say is what the other reads: the bounds of both decoders, held against each other. Row G3.

Red before: a wallet may hold 2^62, and from 10^18 on the provider read no balance and no feed.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from casino import money
from casino.callbacks import feed as casino_feed
from casino.callbacks import messages as casino_messages
from casino.errors import Refused
from casino.wallet.commands import WalletCommand, WalletOutcome
from e2e_testing.database import Database
from e2e_testing.stack import Stack
from provider import wire
from provider.reconciliation import feed, transactions
from provider.wallet_client import messages
from provider.wallet_client.messages import WalletSession, money_call, read_answer
from shared_service.http import decoding
from shared_signing.nonces import HandlersNonce

AMOUNT_MAX = 2**53 - 1
BALANCE_MAX = 2**62
SEQUENCE_MAX = CURSOR_MAX = 2**63 - 1
AT = datetime(2026, 11, 21, 6, tzinfo=UTC)
HASH = "0f" * 32


def edges(least: int, most: int) -> st.SearchStrategy[int]:
    """Any number of a range, its ends and the powers of ten in it above all."""
    tens = [value for power in range(20) for value in (10**power - 1, 10**power) if least <= value <= most]
    return st.sampled_from([least, most, most - 1, *tens]) | st.integers(least, most)


texts = st.text(max_size=140) | st.text(st.characters(min_codepoint=0x1F, max_codepoint=0x80), max_size=140)
identifiers = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=128)
amounts = edges(0, AMOUNT_MAX)
balances = edges(0, BALANCE_MAX)
currencies = st.from_regex("[A-Z0-9]{3,8}", fullmatch=True)
values = (
    texts | identifiers | st.integers() | st.integers(-(10**130), 10**130) | st.booleans() | st.none() | st.floats()
    | st.lists(st.none(), max_size=1) | st.dictionaries(st.just("a"), st.none())
)  # fmt: skip


@given(value=edges(0, 2**60) | values)
def test_both_take_the_same_amounts(value: Any) -> None:
    readable = type(value) is int and 0 <= value <= AMOUNT_MAX
    assert money.is_amount(value, least=0) == readable


@given(
    ids=st.tuples(*[identifiers] * 4), kind=st.sampled_from(["credit", "debit", "rollback"]),
    state=st.sampled_from(["committed", "settled", "rolled_back", "refused"]), amount=amounts, currency=currencies,
    balance=balances, position=edges(0, CURSOR_MAX),
)  # fmt: skip
def test_every_row_that_the_wallet_may_hold_is_read_from_its_feed(
    *, ids: tuple[str, str, str, str], kind: str, state: str, amount: int, currency: str, balance: int, position: int
) -> None:
    transaction_id, user_id, round_id, related_id = ids
    related = None if kind == "debit" else related_id
    head = None if state == "refused" else f"{2**63 - 1}:{'f' * 64}"
    row = (position, transaction_id, user_id, round_id, kind, amount, currency, state, balance, related, AT, head)
    page = casino_feed._json({"transactions": [casino_feed._render(row)], "next": str(position)})
    (read,) = feed._decoded(bytes(page.body))["transactions"]
    told = transactions.read_theirs(read)
    assert (told.transaction_id, told.user_id, told.round_id, told.related_id) == (*ids[:3], related)
    assert (told.kind, told.state, told.amount_minor, told.currency) == (kind, state, amount, currency)
    assert told.balance_after_minor == balance
    assert len(bytes(page.body)) <= feed.ROW_MAX_BYTES


@given(position=edges(0, CURSOR_MAX + 10**5) | st.text(max_size=21))
def test_both_take_the_same_cursors(position: int | str) -> None:
    text = str(position)
    try:
        taken = casino_feed._number(QueryParams({"after": text}), "after", default=-1, least=0, most=CURSOR_MAX) >= 0
    except Refused:
        taken = False
    assert feed._is_cursor(text) == taken


@given(
    ids=st.tuples(identifiers, identifiers), currency=currencies, balance=balances,
    sequence=edges(1, SEQUENCE_MAX), tombstone=st.booleans(),
)  # fmt: skip
def test_every_acceptance_that_the_wallet_may_give_is_read(
    ids: tuple[str, str], currency: str, balance: int, sequence: int, tombstone: bool
) -> None:
    transaction_id, user_id = ids
    command = WalletCommand("rollback", "main", "", user_id, transaction_id, "r", "q", "main")
    head = f"{sequence}:{HASH}"
    outcome = WalletOutcome(None, None, False, balance, currency, tombstone, False, "q", head)
    _, _, body = casino_messages.render_outcome(command, outcome)
    call = money_call("rollback", transaction_id=transaction_id, round_id="r", original_transaction_id="o")
    answer = read_answer(call, WalletSession(user_id, currency, "s"), body)
    assert (answer.balance_minor, answer.tombstone) == (balance, tombstone)
    assert answer.head == messages.Head(sequence, HASH)


@given(ids=st.tuples(*[identifiers] * 5), currency=currencies, amount=edges(1, AMOUNT_MAX))
def test_every_call_that_the_provider_may_make_is_well_formed_to_the_casino(
    ids: tuple[str, str, str, str, str], currency: str, amount: int
) -> None:
    token, user_id, transaction_id, round_id, other = ids
    assume(other != transaction_id)  # the provider makes a new id for every call
    session, arrival = (
        WalletSession(user_id, currency, token),
        {"signed_by": "main", "peer": "main", "nonce": HandlersNonce("n" * 16, 0)},
    )
    common: dict[str, Any] = {"transaction_id": transaction_id, "round_id": round_id}
    money_ = {**common, "amount_minor": amount, "currency": currency}
    calls = {
        casino_messages.debit: money_call("debit", **money_),
        casino_messages.credit: money_call("credit", **money_, related_transaction_id=other, end_round=True),
        casino_messages.rollback: money_call("rollback", **common, original_transaction_id=other),
    }
    for decode, call in calls.items():
        command = decode(decoding.decode_object(call.encode(session)), "q", arrival)
        assert (command.player_id, command.transaction_id, command.round_id) == (user_id, transaction_id, round_id)
        assert command.amount == call.members.get("amount", 0)


def test_the_bounds_are_those_that_the_databases_and_the_contract_have(database: Database) -> None:
    assert messages.BALANCE_MAX_MINOR == BALANCE_MAX
    assert transactions.AMOUNT_MAX_MINOR == money.AMOUNT_MAX_MINOR == AMOUNT_MAX
    assert casino_feed.CURSOR_MAX == CURSOR_MAX
    checks = {
        row["conname"]: row["said"]
        for row in database.rows(
            "select conname, pg_get_constraintdef(oid) as said from pg_constraint where contype = 'c'"
        )
    }
    assert f"<= '{BALANCE_MAX}'::bigint" in checks["balance_within_bounds"]
    assert re.findall(r"'(\^.+?\$)'", checks["currency_is_iso_like"]) == [f"^{wire.CURRENCY.pattern}$"]


@pytest.mark.usefixtures("database")  # a wallet that somebody else runs opens no such player
@pytest.mark.parametrize("balance", [10**18, BALANCE_MAX])
def test_a_player_with_that_much_money_plays(stack: Stack, balance: int) -> None:
    session = stack.session(balance_minor=balance)
    assert session.balance() == balance
    bet = session.bet(1000)
    assert session.rollback(bet.transaction_id, round_id=bet.round_id).must_be_ok().balance == balance
    room_minor = 10**6 if balance == BALANCE_MAX else 0  # for what the round wins
    report = stack.simulate(stack.open_player(balance - room_minor)).content
    assert report["passed"], json.dumps(report)
