"""Protocol section 4: bets."""

from __future__ import annotations

import uuid

import pytest

from casino.wallet.commands import WalletCommand
from casino_testing.tenant import OPENING_BALANCE_MINOR, STAKE_MAX_MINOR, STAKE_MIN_MINOR, Tenant
from casino_testing.wallet import ROUND, Session, Wallet


def test_a_bet_takes_its_stake_and_says_the_balance_after_it(wallet: Wallet, tenant: Tenant) -> None:
    outcome = wallet.accept(wallet.open_session().debit(1_000))
    assert (outcome.balance_minor, outcome.currency) == (OPENING_BALANCE_MINOR - 1_000, "USD")
    assert (outcome.tombstone, outcome.already_rolled_back) == (False, False)
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_000


def test_a_bet_is_booked_with_postings_event_round_and_number_in_one_step(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = session.debit(2_500, reason="spin 7", currency="USD")
    wallet.accept(bet)
    entry = tenant.transaction(bet.transaction_id)
    assert {name: entry[name] for name in ("kind", "amount_minor", "currency", "state", "round_id", "reason")} == {
        "kind": "debit", "amount_minor": 2_500, "currency": "USD", "state": "committed", "round_id": ROUND,
        "reason": "spin 7",
    }  # fmt: skip
    assert (entry["sequence_no"], entry["balance_after_minor"]) == (2, OPENING_BALANCE_MINOR - 2_500)
    assert (entry["tenant_id"], entry["request_id"]) == (tenant.tenant_id, bet.request_id)
    postings = {
        row["account"]: row["amount_minor"]
        for row in tenant.rows("postings")
        if row["transaction_id"] == bet.transaction_id
    }
    assert postings == {"wallet": -2_500, "house_games": 2_500}
    (event,) = tenant.events()
    assert (event["event_type"], event["amount_minor"], event["game_key"]) == ("BET", 2_500, "SLOTS_001")
    (round_row,) = tenant.rows("rounds")
    assert (round_row["live_debits"], round_row["staked_minor"], round_row["session_id"]) == (
        1, 2_500, session.session_id,
    )  # fmt: skip


def test_bets_of_one_wallet_are_numbered_without_a_gap(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    for _ in range(3):
        wallet.bet(session)
        wallet.refuse(session.debit(STAKE_MIN_MINOR - 1))
    assert [entry["sequence_no"] for entry in tenant.transactions()] == [2, 3, 4]
    assert tenant.wallet()["sequence_no"] == 4


def test_several_bets_share_a_round(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session, 1_000)
    wallet.bet(session, 3_000)
    (round_row,) = tenant.rows("rounds")
    assert (round_row["live_debits"], round_row["staked_minor"]) == (2, 4_000)


@pytest.mark.parametrize("amount", [STAKE_MIN_MINOR, STAKE_MAX_MINOR])
def test_a_stake_on_the_edge_of_the_games_range_is_accepted(wallet: Wallet, amount: int) -> None:
    assert wallet.accept(wallet.open_session().debit(amount)).balance_minor == OPENING_BALANCE_MINOR - amount


@pytest.mark.parametrize(
    ("amount", "code", "bound"),
    [(STAKE_MIN_MINOR - 1, "stake_too_low", STAKE_MIN_MINOR), (STAKE_MAX_MINOR + 1, "stake_too_high", STAKE_MAX_MINOR)],
)
def test_a_stake_outside_the_games_range_is_refused_without_a_trace(
    wallet: Wallet, tenant: Tenant, amount: int, code: str, bound: int
) -> None:
    outcome = wallet.run(wallet.open_session().debit(amount))
    assert (outcome.code, outcome.detail) == (code, str(bound))
    assert tenant.transactions() == []
    assert tenant.rows("rounds") == []
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_a_session_keeps_the_stake_range_with_which_it_was_opened(wallet: Wallet, tenant: Tenant) -> None:
    before = wallet.open_session()
    tenant.set_game(stake_min_minor=5_000)
    wallet.bet(before, STAKE_MIN_MINOR)
    assert wallet.refuse(wallet.open_session().debit(STAKE_MIN_MINOR, round_id="new")) == "stake_too_low"


def test_the_whole_balance_can_be_bet_and_not_one_unit_more(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("poor", balance_minor=5_000)
    session = wallet.open_session("poor")
    assert wallet.refuse(session.debit(5_001)) == "insufficient_balance"
    assert wallet.accept(session.debit(5_000)).balance_minor == 0
    assert wallet.refuse(session.debit(1_000)) == "insufficient_balance"
    assert tenant.balance("poor") == 0


def test_a_bet_refused_for_want_of_money_is_recorded_and_moves_nothing(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("poor", balance_minor=500)
    bet = wallet.open_session("poor").debit(1_000)
    assert wallet.refuse(bet) == "insufficient_balance"
    entry = tenant.transaction(bet.transaction_id, "poor")
    assert (entry["state"], entry["refusal_code"], entry["amount_minor"]) == ("refused", "insufficient_balance", 1_000)
    assert (entry["sequence_no"], entry["balance_after_minor"]) == (None, 500)
    assert [(row["event_type"], row["code"]) for row in tenant.events()] == [("ERROR", "insufficient_balance")]
    assert [row for row in tenant.rows("postings") if row["transaction_id"] == bet.transaction_id] == []
    assert tenant.rows("rounds") == []


def stranger(session: Session, command: WalletCommand) -> WalletCommand:
    return Session(uuid.uuid4(), "a token that was never given", session.player_id).debit()


def other_player(session: Session, command: WalletCommand) -> WalletCommand:
    return session.debit(player_id="2")


def other_currency(session: Session, command: WalletCommand) -> WalletCommand:
    return session.debit(currency="EUR")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (stranger, "session_not_found"),
        (other_player, "session_player_mismatch"),
        (other_currency, "currency_mismatch"),
    ],
)
def test_a_bet_that_does_not_fit_its_session_is_refused_without_a_trace(
    wallet: Wallet, tenant: Tenant, change: object, code: str
) -> None:
    """Row G3."""
    assert callable(change)
    session = wallet.open_session()
    before = tenant.money_rows()
    assert wallet.refuse(change(session, session.debit())) == code
    assert tenant.money_rows() == before
    assert (tenant.balance("1"), tenant.balance("2")) == (OPENING_BALANCE_MINOR, OPENING_BALANCE_MINOR)


def test_a_bet_in_the_round_of_another_session_is_refused_without_a_trace(wallet: Wallet, tenant: Tenant) -> None:
    wallet.bet(wallet.open_session(), round_id="taken")
    before = tenant.money_rows()
    assert wallet.refuse(wallet.open_session().debit(round_id="taken")) == "round_mismatch"
    assert tenant.money_rows() == before


def test_two_players_may_use_the_same_round_id(wallet: Wallet) -> None:
    wallet.bet(wallet.open_session("1"), round_id="same")
    assert wallet.accept(wallet.open_session("2").debit(round_id="same")).code is None


def test_once_a_round_has_a_credit_it_takes_no_new_bet(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    wallet.accept(session.credit(0))
    before = tenant.money_rows()
    assert wallet.refuse(session.debit()) == "round_has_payout"
    assert tenant.money_rows() == before
    wallet.bet(session, round_id="the next")


def test_a_player_bets_in_the_currency_of_the_wallet(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("3", currency="EUR", balance_minor=9_000)
    session = wallet.open_session("3")
    assert wallet.accept(session.debit(1_000, currency="EUR")).currency == "EUR"
    assert wallet.refuse(session.debit(1_000, currency="USD")) == "currency_mismatch"


def test_a_player_without_an_opening_balance_has_an_empty_wallet(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("new", balance_minor=0)
    assert wallet.refuse(wallet.open_session("new").debit()) == "insufficient_balance"
    assert tenant.wallet("new")["sequence_no"] == 0
