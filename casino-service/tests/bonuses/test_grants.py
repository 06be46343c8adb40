"""A pending bonus is granted in the transaction of the round's last entry, once. The player then acknowledges it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from casino_testing.bonuses import BONUS_MINOR, acknowledge, forfeit, promise
from casino_testing.chain import entries, hashes_by_hand
from casino_testing.tenant import Row, Tenant
from casino_testing.wallet import Session, Wallet, answer

STAKE = 1_000
TRIGGER = 100


@pytest.fixture
def session(tenant: Tenant, wallet: Wallet) -> Session:
    """A session of a player who has one stake and a pending bonus."""
    tenant.open_player("poor", balance_minor=STAKE)
    promise(tenant, "poor")
    return wallet.open_session("poor")


def grants(tenant: Tenant) -> list[Row]:
    return [row for row in tenant.rows("transactions") if row["kind"] == "bonus_grant"]


def state(tenant: Tenant) -> tuple[int, int, bool]:
    row = tenant.wallet("poor")
    return row["balance_minor"], row["pending_bonus_minor"], row["bonus_ack_required"]


def test_a_lost_round_that_leaves_nothing_grants_the_bonus(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    bet = wallet.bet(session)
    assert state(tenant) == (0, BONUS_MINOR, False), "a round that runs grants nothing"
    lost = session.credit(0, related_id=bet.transaction_id)
    outcome = wallet.accept(lost)
    assert outcome.balance_minor == BONUS_MINOR, "the answer has the balance after the grant"
    assert outcome.head == tenant.head(lost.transaction_id, "poor"), "and the head of its own entry"
    assert state(tenant) == (BONUS_MINOR, 0, True)
    (grant,) = grants(tenant)
    assert (grant["amount_minor"], grant["balance_after_minor"]) == (BONUS_MINOR, BONUS_MINOR)
    (bonus,) = tenant.rows("bonuses")
    assert (bonus["state"], bonus["transaction_id"], bonus["round_id"]) == (
        "GRANTED",
        lost.transaction_id,
        lost.round_id,
    )
    chain = entries(tenant, "poor")
    assert [row["kind"] for row in chain] == ["deposit", "debit", "credit", "bonus_grant"]
    assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)


def test_its_feed_row_is_the_entrys_own_and_shows_no_grant(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    bet = wallet.bet(session)
    lost = session.credit(0, related_id=bet.transaction_id)
    wallet.accept(lost)
    feed = tenant.sql("select * from casino.provider_feed where ledger_id = %s", tenant.ledger_id)
    assert {row["transaction_id"]: row["balance_after_minor"] for row in feed} == {
        bet.transaction_id: 0, lost.transaction_id: 0,
    }  # fmt: skip


def test_a_replay_answers_the_balance_after_the_grant(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    bet = wallet.bet(session)
    lost = session.credit(0, related_id=bet.transaction_id)
    first = wallet.accept(lost)
    acknowledge(tenant, "poor")
    wallet.accept(session.debit(round_id="next"))
    again = wallet.run(lost)
    assert (again.replay, answer(lost, again)) == (True, answer(lost, first))
    assert wallet.run(bet).balance_minor == 0
    assert len(grants(tenant)) == 1


def test_its_event_names_the_game_and_the_provider_of_its_round(
    tenant: Tenant, wallet: Wallet, session: Session
) -> None:
    tenant.add_games_of("acme")
    tenant.set_wallet("poor", agent_id="an agent", cashier_id="a cashier")
    tenant.set_tenant(region="NV")
    other = wallet.open_session("poor", game_id="3")
    bet = wallet.bet(other)
    wallet.accept(other.credit(0, related_id=bet.transaction_id))
    (told,) = [row for row in tenant.rows("ledger_events") if row["event_type"] == "BONUS_GRANTED"]
    named = ("game_key", "provider_id", "round_id", "session_id", "player_id", "amount_minor")
    assert [told[name] for name in named] == [
        "SLOTS_002", "acme", bet.round_id, str(other.session_id), "poor", BONUS_MINOR,
    ]  # fmt: skip
    of_player = [row for row in tenant.rows("ledger_events") if row["session_id"] == str(other.session_id)]
    assert {(row["event_type"], row["region"], row["agent_id"], row["cashier_id"]) for row in of_player} == {
        (event, "NV", "an agent", "a cashier") for event in ("BET", "WIN", "BONUS_GRANTED")
    }
    posted = [row["amount_minor"] for row in tenant.rows("postings") if row["account"] == "bonus_liability"]
    assert sorted(posted) == [-BONUS_MINOR, BONUS_MINOR], "paid for by the agent, then granted"


@pytest.mark.parametrize(("win", "is_granted"), [(0, True), (TRIGGER, True), (TRIGGER + 1, False), (STAKE, False)])
def test_it_is_granted_when_at_most_a_hundred_are_left(
    tenant: Tenant, wallet: Wallet, session: Session, win: int, is_granted: bool
) -> None:
    wallet.bet(session)
    wallet.accept(session.credit(win))
    assert state(tenant) == ((win + BONUS_MINOR, 0, True) if is_granted else (win, BONUS_MINOR, False))


def test_a_round_ends_with_its_first_credit_and_later_ones_grant_nothing(
    tenant: Tenant, wallet: Wallet, session: Session
) -> None:
    wallet.bet(session)
    wallet.accept(session.credit(TRIGGER + 1))
    tenant.sql(
        "select casino.move_house_money(%s, 'withdrawal', %s, 'w', %s, 'x', 'x')",
        tenant.ledger_id, tenant.wallet("poor")["wallet_id"], TRIGGER + 1,
    )  # fmt: skip
    wallet.accept(session.credit(5))
    assert state(tenant) == (5, BONUS_MINOR, False)


def test_no_bonus_while_another_round_of_the_player_has_an_open_bet(
    tenant: Tenant, wallet: Wallet, session: Session
) -> None:
    tenant.set_session(session.session_id, stake_min_minor=1)
    other = wallet.open_session("poor")
    tenant.set_session(other.session_id, stake_min_minor=1)
    open_bet = wallet.bet(other, 500, round_id="of the other")
    wallet.bet(session, 500)
    wallet.accept(session.credit(0))
    assert state(tenant) == (0, BONUS_MINOR, False)
    outcome = wallet.accept(other.credit(0, related_id=open_bet.transaction_id, round_id="of the other"))
    assert outcome.balance_minor == BONUS_MINOR


def test_a_round_ends_when_all_its_bets_are_rolled_back(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    tenant.set_session(session.session_id, stake_min_minor=1)
    tenant.sql(
        "select casino.move_house_money(%s, 'withdrawal', %s, 'w', %s, 'x', 'x')",
        tenant.ledger_id, tenant.wallet("poor")["wallet_id"], STAKE - 50,
    )  # fmt: skip
    bets = [wallet.bet(session, 25) for _ in range(2)]
    first = wallet.accept(session.rollback(bets[0].transaction_id))
    assert first.balance_minor == 25, "one bet of the round is open"
    last = session.rollback(bets[1].transaction_id)
    outcome = wallet.accept(last)
    assert outcome.balance_minor == 50 + BONUS_MINOR
    again = wallet.run(last)
    assert answer(last, again) == answer(last, outcome)
    assert wallet.accept(session.rollback(bets[1].transaction_id)).balance_minor == 50 + BONUS_MINOR
    assert len(grants(tenant)) == 1


def test_a_tombstone_ends_no_round(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    wallet.bet(session)
    wallet.accept(session.rollback("never seen", round_id="another"))
    assert state(tenant) == (0, BONUS_MINOR, False)


def test_the_next_bet_waits_for_the_acknowledgement(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    wallet.bet(session)
    wallet.accept(session.credit(0))
    refused = session.debit(round_id="next")
    assert wallet.refuse(refused) == "bonus_ack_required"
    assert acknowledge(tenant, "poor")
    assert wallet.run(refused).code == "bonus_ack_required", "it is remembered"
    wallet.bet(session, round_id="next")


def test_a_second_bonus_may_be_promised_and_granted_after_the_first(
    tenant: Tenant, wallet: Wallet, session: Session
) -> None:
    wallet.bet(session)
    wallet.accept(session.credit(0))
    acknowledge(tenant, "poor")
    promise(tenant, "poor", 7)
    bet = session.debit(BONUS_MINOR, round_id="second")
    wallet.accept(bet)
    assert wallet.accept(session.credit(0, round_id="second")).balance_minor == 7
    assert sorted(row["amount_minor"] for row in grants(tenant)) == [7, BONUS_MINOR]


def test_a_forfeited_bonus_is_not_granted(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    wallet.bet(session)
    assert forfeit(tenant, "poor") == BONUS_MINOR
    assert wallet.accept(session.credit(0)).balance_minor == 0
    assert grants(tenant) == []


def test_players_in_one_batch_are_granted_their_own(tenant: Tenant, wallet: Wallet, session: Session) -> None:
    tenant.open_player("poor too", balance_minor=STAKE)
    promise(tenant, "poor too", 9)
    others: list[tuple[str, Callable[[Session], Any], int]] = [
        ("poor too", lambda each: each.credit(0), 9),
        ("1", lambda each: each.credit(0), 999_000),
    ]
    sessions = [session, *(wallet.open_session(player_id) for player_id, *_ in others)]
    wallet.run_batch([each.debit() for each in sessions])
    outcomes = wallet.run_batch([each.credit(0) for each in sessions])
    assert [outcome.balance_minor for outcome in outcomes] == [BONUS_MINOR, 9, 999_000]


def test_a_bet_of_the_same_batch_after_the_grant_waits_for_the_acknowledgement(
    tenant: Tenant, wallet: Wallet, session: Session
) -> None:
    bet = wallet.bet(session)
    lost, next_bet = session.credit(0, related_id=bet.transaction_id), session.debit(round_id="next")
    granted, refused, again = wallet.run_batch([lost, next_bet, lost])
    assert (granted.balance_minor, refused.code) == (BONUS_MINOR, "bonus_ack_required")
    assert (again.replay, again.balance_minor, again.head) == (True, BONUS_MINOR, granted.head)
