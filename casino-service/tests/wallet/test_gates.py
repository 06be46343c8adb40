"""What may stand between a player and a bet: exclusion, a blocked wallet, a loss limit, a cooldown. Never a win."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Wallet

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TOTAL_MAX = 2**63 - 1


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"excluded_until": NOW + SECOND}, "player_excluded"),
        ({"cooldown_until": NOW + SECOND}, "cooldown_active"),
        ({"blocked_at": NOW}, "wallet_blocked"),
        ({"blocked_at": NOW - timedelta(days=900)}, "wallet_blocked"),
        ({"bonus_ack_required": True}, "bonus_ack_required"),
    ],
)
def test_a_gate_on_the_player_closes_every_session_at_once(
    wallet: Wallet, tenant: Tenant, columns: dict[str, Any], code: str
) -> None:
    """Pitfall 22."""
    wallet.set_clock(NOW)
    sessions = [wallet.open_session() for _ in range(2)]
    tenant.set_wallet(**columns)
    refused = [session.debit() for session in sessions]
    assert [wallet.refuse(bet) for bet in refused] == [code, code]
    assert [tenant.transaction(bet.transaction_id)["refusal_code"] for bet in refused] == [code, code]
    assert tenant.balance() == OPENING_BALANCE_MINOR
    wallet.bet(wallet.open_session("2"))


@pytest.mark.parametrize("column", ["excluded_until", "cooldown_until"])
def test_a_gate_opens_at_the_moment_it_names(wallet: Wallet, tenant: Tenant, column: str) -> None:
    wallet.set_clock(NOW)
    session = wallet.open_session()
    tenant.set_wallet(**{column: NOW + SECOND})
    assert wallet.run(session.debit()).code is not None
    wallet.set_clock(NOW + SECOND)
    wallet.accept(session.debit())


def test_a_play_session_that_was_stopped_takes_no_bet_and_the_next_one_does(wallet: Wallet, tenant: Tenant) -> None:
    stopped, other = uuid.uuid4(), uuid.uuid4()
    sessions = [wallet.open_session() for _ in range(3)]
    for session, play_session_id in zip(sessions, (stopped, stopped, other), strict=True):
        tenant.set_session(session.session_id, play_session_id=play_session_id)
    bet = wallet.bet(sessions[0])
    tenant.set_wallet(stopped_play_session_id=stopped)
    refused = [session.debit(round_id=f"after {number}") for number, session in enumerate(sessions[:2])]
    assert [wallet.refuse(bet) for bet in refused] == ["cooldown_active"] * 2
    wallet.accept(sessions[0].credit(1_000, round_id=bet.round_id))
    wallet.bet(sessions[2], round_id="of another play session")


def test_a_player_may_lose_up_to_the_limit_and_not_more(wallet: Wallet, tenant: Tenant) -> None:
    """Pitfall 30."""
    session = wallet.open_session()
    tenant.set_session(session.session_id, loss_limit_minor=5_000)
    wallet.bet(session, 3_000)
    assert wallet.refuse(session.debit(2_001)) == "limit_exceeded"
    wallet.bet(session, 2_000)
    assert wallet.refuse(session.debit(1_000)) == "limit_exceeded"


def test_what_was_won_or_taken_back_counts_against_the_loss(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    tenant.set_session(session.session_id, loss_limit_minor=5_000)
    undone = wallet.bet(session, 5_000, round_id="a")
    wallet.accept(session.rollback(undone.transaction_id, round_id="a"))
    wallet.bet(session, 5_000, round_id="b")
    wallet.accept(session.credit(4_000, round_id="b"))
    assert wallet.refuse(session.debit(4_001, round_id="c")) == "limit_exceeded"
    wallet.bet(session, 4_000, round_id="c")
    row = next(row for row in tenant.rows("game_sessions") if row["session_id"] == session.session_id)
    assert (row["staked_minor"], row["paid_minor"]) == (9_000, 4_000)


def totals(tenant: Tenant, session_id: object) -> tuple[int, int]:
    row = next(row for row in tenant.rows("game_sessions") if row["session_id"] == session_id)
    return row["staked_minor"], row["paid_minor"]


def test_a_session_bets_wins_and_takes_back_when_its_totals_are_at_their_end(wallet: Wallet, tenant: Tenant) -> None:
    """Red before: the 1,025th bet of the largest stake, and a win after as many wins, were a 500 for ever."""
    session = wallet.open_session()
    tenant.set_session(session.session_id, staked_minor=TOTAL_MAX - 1_500, paid_minor=TOTAL_MAX - 500)
    wallet.bet(session, 1_500, round_id="a")
    wallet.accept(session.credit(500, round_id="a"))
    assert totals(tenant, session.session_id) == (TOTAL_MAX, TOTAL_MAX), "reached, and not passed"
    undone = wallet.bet(session, 1_000, round_id="b")
    wallet.bet(session, 1_000, round_id="b")
    wallet.accept(session.rollback(undone.transaction_id, round_id="b"))
    wallet.accept(session.credit(700, round_id="b"))
    assert totals(tenant, session.session_id) == (TOTAL_MAX, TOTAL_MAX), "what stood at the end stays there"
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_500 + 500 - 1_000 + 700


@pytest.mark.parametrize(
    ("totals_minor", "limit_minor", "code"),
    [
        ((TOTAL_MAX, TOTAL_MAX), TOTAL_MAX, "limit_exceeded"),
        ((TOTAL_MAX - 1, TOTAL_MAX), 5_000, None),
        ((0, TOTAL_MAX), TOTAL_MAX, None),
        ((TOTAL_MAX - 1, 0), TOTAL_MAX, "limit_exceeded"),
        ((TOTAL_MAX, 0), None, None),
    ],
)
def test_a_loss_limit_is_kept_whatever_the_totals_are(
    wallet: Wallet, tenant: Tenant, totals_minor: tuple[int, int], limit_minor: int | None, code: str | None
) -> None:
    """A total at its end does not know any more what was lost: it must not let a player lose more."""
    session = wallet.open_session()
    staked_minor, paid_minor = totals_minor
    tenant.set_session(
        session.session_id, staked_minor=staked_minor, paid_minor=paid_minor, loss_limit_minor=limit_minor
    )
    assert wallet.run(session.debit(1_000)).code == code


def test_a_round_takes_no_bet_that_its_total_cannot_hold_and_still_pays(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session, 1_000)
    total = "update casino.rounds set staked_minor = staked_minor + %s where ledger_id = %s"
    tenant.sql(total, TOTAL_MAX - 2_000, tenant.ledger_id)
    wallet.bet(session, 1_000)
    assert wallet.refuse(session.debit(1_000)) == "stake_too_high"
    tenant.sql(total, 2_000 - TOTAL_MAX, tenant.ledger_id)
    wallet.accept(session.credit(500))


def test_a_win_is_judged_where_cap_and_total_are_the_largest(wallet: Wallet, tenant: Tenant) -> None:
    tenant.set_game(win_cap_minor=TOTAL_MAX)
    session = wallet.open_session()
    wallet.bet(session)
    total = "update casino.rounds set paid_minor = paid_minor + %s where ledger_id = %s"
    tenant.sql(total, TOTAL_MAX - 500, tenant.ledger_id)
    wallet.accept(session.credit(500))
    assert wallet.refuse(session.credit(1)) == "win_cap_exceeded"
    tenant.sql(total, 500 - TOTAL_MAX, tenant.ledger_id)


def test_refused_bets_and_replays_do_not_use_up_the_limit(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    tenant.set_session(session.session_id, loss_limit_minor=5_000)
    for _ in range(3):
        assert wallet.refuse(session.debit(5_001)) == "limit_exceeded"
    bet = wallet.bet(session, 4_000)
    assert all(wallet.run(bet).replay for _ in range(3))
    wallet.bet(session, 1_000)


def test_the_limit_of_one_session_is_not_anothers(wallet: Wallet, tenant: Tenant) -> None:
    limited, free = wallet.open_session(), wallet.open_session()
    tenant.set_session(limited.session_id, loss_limit_minor=0)
    assert wallet.refuse(limited.debit()) == "limit_exceeded"
    wallet.accept(free.debit())
