"""Every order in which the messages about one bet can arrive, with every duplication, at the real wallet.

Of the two long families CI plays a sample, NIGHTLY=1 every order.

The model says what must be answered; docs/delivery-orders.md publishes what it says.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest

from casino.wallet.commands import token_hash
from casino_testing.delivery_orders import (
    CANCELLED,
    DEBIT,
    FAMILIES,
    KIND_OF,
    NO_TRACE,
    Bet,
    ModelBet,
    Order,
    line_of,
    orders_with,
)
from casino_testing.random_commands import simplified
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet, answer
from shared_service_testing.sampling import sampled

PLAYERS_AT_ONCE = 150
ORDERS_MAX = 240
"""Of one family, without NIGHTLY=1: all of those in which each message comes once or twice."""


def in_groups(orders: Sequence[Order]) -> Iterator[Sequence[Order]]:
    """As many orders at a time as there are players."""
    for start in range(0, len(orders), PLAYERS_AT_ONCE):
        yield orders[start : start + PLAYERS_AT_ONCE]


class Players:
    """Many players at once; each has one order of messages at a time, at the wallet and at the model."""

    def __init__(self, wallet: Wallet, tenant: Tenant, *, names_bet: bool, count: int) -> None:
        self.wallet, self.tenant, self.names_bet = wallet, tenant, names_bet
        self.numbers = itertools.count(1)
        self.deliveries = 0
        self.sessions: list[Session] = []
        for number in range(count):
            tenant.open_player(f"p{number}")
            self.sessions.append(wallet.open_session(f"p{number}"))

    def play(self, orders: Sequence[Order], *, at_once: bool = False) -> list[ModelBet]:
        """Deliver the first message of every order, then the second …, and compare every answer.

        `at_once`: all of them in one batch, so those of one wallet in turns.
        """
        before = self.balances()
        bets = [
            ModelBet(Bet(next(self.numbers), token_hash(session.token), session.player_id, self.names_bet))
            for session, _ in zip(self.sessions, orders, strict=False)
        ]
        for played in bets:
            played.wallet.balance_minor = played.opening_minor = before[played.bet.player_id]
        first_answers: dict[str, tuple[int, bytes]] = {}
        places = range(max(map(len, orders)))
        for some in [places] if at_once else [range(place, place + 1) for place in places]:
            due = [
                (played, order, played.bet.message(order[place], place))
                for place in some
                for played, order in zip(bets, orders, strict=True)
                if place < len(order)
            ]
            outcomes = self.wallet.run_batch([message for _, _, message in due])
            self.deliveries += len(due)
            for (played, order, message), outcome in zip(due, outcomes, strict=True):
                expected = played.execute(message)
                assert simplified(outcome) == expected, (order, message)
                rendered = answer(message, outcome)
                if expected.replay:
                    assert rendered == first_answers[message.transaction_id]
                first_answers[message.transaction_id] = rendered
        assert self.tenant.differences() == []
        after = self.balances()
        for played in bets:
            assert after[played.bet.player_id] == played.wallet.balance_minor
        return bets

    def balances(self) -> dict[str, int]:
        rows = self.tenant.sql(
            "select player_id, balance_minor from casino.wallets where ledger_id = %s", self.tenant.ledger_id
        )
        return {row["player_id"]: row["balance_minor"] for row in rows}


@pytest.mark.parametrize("at_once", [False, True], ids=["in_batches", "in_turns"])
@pytest.mark.parametrize("names_bet", [True, False], ids=["credit_names_bet", "credit_names_round"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_order_of_arrival_is_answered_as_the_model_says(
    wallet: Wallet, tenant: Tenant, family: str, names_bet: bool, at_once: bool
) -> None:
    """Row B3. Row B4. Row B5. Row B6. Each copy of a message, in every order that there is.

    In batches of their own, or together in one batch.
    """
    orders = sampled(FAMILIES[family].orders, ORDERS_MAX)
    players = Players(wallet, tenant, names_bet=names_bet, count=min(PLAYERS_AT_ONCE, len(orders)))
    bets = [bet for some in in_groups(orders) for bet in players.play(some, at_once=at_once)]
    assert players.deliveries == sum(map(len, orders))
    stored = tenant.feed_states()
    stones = {row["transaction_id"] for row in tenant.rows("tombstones")}
    for played, order in zip(bets, orders, strict=True):
        for letter in KIND_OF:
            transaction_id = played.bet.id_of(letter)
            found = stored.get(transaction_id, CANCELLED if transaction_id in stones else NO_TRACE)
            assert found == played.state_of(letter), (order, letter)


def test_a_bet_ends_in_one_of_three_ways_whatever_order_its_messages_come_in() -> None:
    """Row B3. Row B5. Pitfall 13. Nothing else can come out, by the published table."""
    endings = {
        (line.moved_minor, line.states[0])
        for family in FAMILIES.values()
        for order in family.orders
        for names_bet in (True, False)
        for line in [line_of(order, names_bet=names_bet)]
    }
    assert endings == {(1_500, "settled"), (0, "rolled_back"), (0, CANCELLED)}


def test_the_enumeration_leaves_out_no_order() -> None:
    """As many as combinatorics says: (sum of copies)! / product of copies!, over all choices of copies."""
    assert {name: len(family.orders) for name, family in FAMILIES.items()} == {
        "once_or_twice": 6 + 3 * 12 + 3 * 30 + 90,
        "one_thrice": 3 * 20 + 6 * 60 + 3 * 210,
        "second_rollback": 24 + 3 * 60 + 3 * 180 + 630,
    }
    for family in FAMILIES.values():
        assert len(set(family.orders)) == len(family.orders)
        assert all({DEBIT, "R", "C"} <= set(order) for order in family.orders)
    assert orders_with("DR", copies=(1,)) == [("D", "R"), ("R", "D")]
