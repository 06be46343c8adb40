"""Protocol section 4 (6): payouts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from casino_testing.tenant import OPENING_BALANCE_MINOR, STAKE_MAX_MINOR, Tenant
from casino_testing.wallet import ROUND, Wallet

BALANCE_MAX_MINOR = 2**62
AMOUNT_MAX_MINOR = 2**53 - 1


def test_a_payout_adds_to_the_balance_and_settles_the_bet(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session, 1_000)
    payout = session.credit(2_000, related_id=bet.transaction_id)
    outcome = wallet.accept(payout)
    assert outcome.balance_minor == OPENING_BALANCE_MINOR + 1_000
    assert tenant.balance() == OPENING_BALANCE_MINOR + 1_000
    assert tenant.feed_states() == {bet.transaction_id: "settled", payout.transaction_id: "committed"}
    assert tenant.transaction(payout.transaction_id)["related_transaction_id"] == bet.transaction_id


def test_a_payout_without_a_bets_id_answers_the_round(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    wallet.accept(session.credit(5_000))
    (round_row,) = tenant.rows("rounds")
    assert (round_row["credits"], round_row["paid_minor"]) == (1, 5_000)


def test_a_payout_of_nothing_records_a_lost_bet(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    payout = session.credit(0)
    assert wallet.accept(payout).balance_minor == OPENING_BALANCE_MINOR - 1_000
    assert tenant.feed_states()[bet.transaction_id] == "settled"
    assert [row for row in tenant.rows("postings") if row["transaction_id"] == payout.transaction_id] == []
    assert [row["event_type"] for row in tenant.events()] == ["BET", "WIN"]


def test_a_round_may_have_several_payouts(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    for amount in (100, 0, 300):
        wallet.accept(session.credit(amount))
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_000 + 400
    (round_row,) = tenant.rows("rounds")
    assert (round_row["credits"], round_row["paid_minor"]) == (3, 400)


def test_end_round_closes_the_round_once(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    wallet.accept(session.credit(10))
    assert tenant.rows("rounds")[0]["closed_at"] is None
    wallet.accept(session.credit(20, end_round=True))
    closed_at = tenant.rows("rounds")[0]["closed_at"]
    assert closed_at is not None
    assert wallet.refuse(session.debit()) == "round_has_payout"
    assert wallet.refuse(session.rollback(bet.transaction_id)) == "round_has_payout"
    wallet.run(session.credit(30, end_round=True))
    assert tenant.rows("rounds")[0]["closed_at"] == closed_at


def test_a_payout_needs_a_committed_bet(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    elsewhere = wallet.bet(session, round_id="elsewhere")
    wallet.bet(session)
    paid = session.credit(5)
    wallet.accept(paid)
    tenant.set_wallet(blocked_at=datetime.now(UTC))
    refused = session.debit(round_id="refused")
    assert wallet.refuse(refused) == "wallet_blocked"
    before = tenant.money_rows()
    for fields in (
        {"round_id": "never seen"},
        {"round_id": "refused"},
        {"round_id": "refused", "related_id": refused.transaction_id},
        {"related_id": "never seen"},
        {"related_id": elsewhere.transaction_id},
        {"related_id": paid.transaction_id},
        {"related_id": "opening-balance"},
    ):
        assert wallet.refuse(session.credit(10, **fields)) == "no_matching_bet", fields
    assert tenant.money_rows() == before


def test_a_payout_never_answers_another_players_bet(wallet: Wallet) -> None:
    bet = wallet.bet(wallet.open_session("1"))
    stranger = wallet.open_session("2")
    assert wallet.refuse(stranger.credit(10)) == "no_matching_bet"
    assert wallet.refuse(stranger.credit(10, related_id=bet.transaction_id)) == "no_matching_bet"


def test_a_payout_in_the_round_of_another_session_is_refused(wallet: Wallet, tenant: Tenant) -> None:
    bet = wallet.bet(wallet.open_session())
    other = wallet.open_session()
    before = tenant.money_rows()
    assert wallet.refuse(other.credit(10, related_id=bet.transaction_id)) == "round_mismatch"
    assert wallet.refuse(other.credit(10)) == "round_mismatch"
    assert tenant.money_rows() == before


def test_a_bet_that_was_rolled_back_is_not_paid(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    wallet.accept(session.rollback(bet.transaction_id))
    assert wallet.refuse(session.credit(10, related_id=bet.transaction_id)) == "bet_rolled_back"
    assert wallet.refuse(session.credit(10)) == "bet_rolled_back"
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_a_round_with_one_live_bet_is_paid_although_another_was_rolled_back(wallet: Wallet) -> None:
    session = wallet.open_session()
    live, undone = wallet.bet(session), wallet.bet(session)
    wallet.accept(session.rollback(undone.transaction_id))
    assert wallet.refuse(session.credit(10, related_id=undone.transaction_id)) == "bet_rolled_back"
    wallet.accept(session.credit(10))
    wallet.accept(session.credit(10, related_id=live.transaction_id))


def test_a_credit_cannot_take_the_id_of_a_bet_that_was_rolled_back_before_it_arrived(wallet: Wallet) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    wallet.accept(session.rollback("never seen"))
    assert wallet.refuse(session.credit(10, transaction_id="never seen")) == "idempotency_mismatch"
    assert wallet.refuse(session.debit(10, transaction_id="never seen")) == "transaction_rolled_back"


def test_a_round_pays_up_to_the_games_cap_and_not_more(wallet: Wallet, tenant: Tenant) -> None:
    """Pitfall 18."""
    tenant.set_game(win_cap_minor=50_000)
    session = wallet.open_session()
    wallet.bet(session)
    wallet.accept(session.credit(30_000))
    before = tenant.money_rows()
    assert wallet.refuse(session.credit(20_001)) == "win_cap_exceeded"
    assert tenant.money_rows() == before
    wallet.accept(session.credit(20_000))
    wallet.bet(session, round_id="the next")
    wallet.accept(session.credit(50_000, round_id="the next"))


def test_a_session_keeps_the_cap_that_it_was_opened_with(wallet: Wallet, tenant: Tenant) -> None:
    tenant.set_game(win_cap_minor=AMOUNT_MAX_MINOR)
    session = wallet.open_session()
    tenant.set_game(win_cap_minor=1)
    wallet.bet(session)
    wallet.accept(session.credit(AMOUNT_MAX_MINOR))
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_000 + AMOUNT_MAX_MINOR


@pytest.mark.parametrize("opened", ["now", "by an older release"])
def test_a_game_without_a_cap_of_its_own_pays_a_hundred_thousand_times_its_largest_stake(
    wallet: Wallet, tenant: Tenant, opened: str
) -> None:
    """Red before: such a game had no cap."""
    session = wallet.open_session()
    if opened == "by an older release":
        tenant.set_session(session.session_id, win_cap_minor=None)
    cap_minor = STAKE_MAX_MINOR * 100_000
    wallet.bet(session)
    assert wallet.refuse(session.credit(cap_minor + 1)) == "win_cap_exceeded"
    wallet.accept(session.credit(cap_minor - 1))
    assert wallet.refuse(session.credit(2)) == "win_cap_exceeded"
    wallet.accept(session.credit(1))


@pytest.mark.parametrize(
    ("stake_max_minor", "cap_minor"),
    [
        (1_000, 100_000_000),
        (46_116_860_184_273, 4_611_686_018_427_300_000),
        (46_116_860_184_274, 4_611_686_018_427_300_000),
        (2**63 - 1, 4_611_686_018_427_300_000),
    ],
)
def test_no_cap_overflows_or_is_above_what_a_wallet_holds(tenant: Tenant, stake_max_minor: int, cap_minor: int) -> None:
    (row,) = tenant.sql("select casino.win_cap(null, %s::bigint) as cap", stake_max_minor)
    assert row["cap"] == cap_minor <= BALANCE_MAX_MINOR


def test_a_rollback_that_would_lift_a_balance_over_the_ceiling_is_refused(wallet: Wallet, tenant: Tenant) -> None:
    tenant.set_game(win_cap_minor=BALANCE_MAX_MINOR)
    tenant.open_player("rich", balance_minor=BALANCE_MAX_MINOR)
    session = wallet.open_session("rich")
    bet = wallet.bet(session, 1_000)
    paid = wallet.bet(session, 1_000, round_id="paid")
    wallet.accept(session.credit(1_001, round_id="paid", related_id=paid.transaction_id))
    assert wallet.refuse(session.rollback(bet.transaction_id)) == "win_cap_exceeded"
    wallet.bet(session, 1_000, round_id="room")
    assert wallet.accept(session.rollback(bet.transaction_id)).balance_minor == BALANCE_MAX_MINOR - 999


@pytest.mark.parametrize("balance_minor", [BALANCE_MAX_MINOR + 1, 2**63 - 1])
def test_no_wallet_holds_more_than_a_provider_can_read(tenant: Tenant, balance_minor: int) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="balance_within_bounds"):
        tenant.set_wallet(balance_minor=balance_minor)
    with pytest.raises(psycopg.errors.CheckViolation, match="balance_within_bounds"):
        tenant.open_player("too rich", balance_minor=balance_minor)


def test_a_balance_stops_below_the_bigints_ceiling_instead_of_overflowing(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("rich", balance_minor=BALANCE_MAX_MINOR)
    session = wallet.open_session("rich")
    wallet.bet(session, 1_000)
    assert wallet.refuse(session.credit(1_001)) == "win_cap_exceeded"
    assert wallet.refuse(session.credit(AMOUNT_MAX_MINOR)) == "win_cap_exceeded"
    assert wallet.accept(session.credit(1_000)).balance_minor == BALANCE_MAX_MINOR


@pytest.mark.parametrize("amount", [0, 1, AMOUNT_MAX_MINOR])
def test_the_books_hold_every_amount_of_the_wire(wallet: Wallet, tenant: Tenant, amount: int) -> None:
    tenant.set_game(win_cap_minor=AMOUNT_MAX_MINOR)
    session = wallet.open_session()
    wallet.bet(session)
    assert wallet.accept(session.credit(amount)).balance_minor == OPENING_BALANCE_MINOR - 1_000 + amount


@pytest.mark.parametrize("way", ["expired", "closed"])
def test_a_win_is_paid_after_the_session_has_ended_and_does_not_revive_it(
    wallet: Wallet, tenant: Tenant, way: str
) -> None:
    """Row C3. Pitfall 14."""
    session = wallet.open_session()
    wallet.bet(session)
    column = {"expired": "expires_at", "closed": "closed_at"}[way]
    ended_at = datetime.now(UTC) - timedelta(hours=1)
    tenant.set_session(session.session_id, **{column: ended_at})
    assert wallet.accept(session.credit(7_000)).balance_minor == OPENING_BALANCE_MINOR + 6_000
    assert wallet.refuse(session.debit(round_id="the next")) == "session_expired"
    assert tenant.rows("game_sessions")[0][column] == ended_at


def test_a_win_is_paid_to_a_player_who_may_not_bet_any_more(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    later = datetime.now(UTC) + timedelta(days=1)
    tenant.set_wallet(blocked_at=datetime.now(UTC), excluded_until=later, cooldown_until=later)
    tenant.set_session(session.session_id, loss_limit_minor=0)
    wallet.accept(session.credit(7_000, round_id=ROUND))
    assert tenant.balance() == OPENING_BALANCE_MINOR + 6_000
