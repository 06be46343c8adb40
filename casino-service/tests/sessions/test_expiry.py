"""Expired sessions are closed behind players who left, and no round is ever stranded by a clock. Row C3."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from casino.sessions import expiry
from casino.sessions.expiry import ExpiredSessions
from casino_testing.edge import serving
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import STAKE_MINOR, Session, Wallet
from shared_service_testing.waiting import until

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LIFE = timedelta(minutes=30)
SECOND = timedelta(seconds=1)
ConnectWallet = Callable[[], Wallet]


@pytest.fixture
def session(wallet: Wallet) -> Session:
    """Opened at noon."""
    wallet.set_clock(NOW)
    return wallet.open_session()


def close(wallet: Wallet) -> int:
    """One step of a process's loop."""
    return wallet.wait(ExpiredSessions(wallet.database, wallet.tenant.ledger_id).close_some())


def open_sessions(tenant: Tenant) -> set[uuid.UUID]:
    return {row["session_id"] for row in tenant.rows("game_sessions") if row["closed_at"] is None}


def open_bets(tenant: Tenant, session: Session) -> int:
    return next(
        int(row["open_bets"]) for row in tenant.rows("game_sessions") if row["session_id"] == session.session_id
    )


def test_a_session_is_closed_when_its_life_is_over_and_not_a_second_before(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    wallet.set_clock(NOW + LIFE - SECOND)
    assert close(wallet) == 0
    assert open_sessions(tenant) == {session.session_id}
    wallet.set_clock(NOW + LIFE)
    assert close(wallet) == 1
    assert tenant.rows("game_sessions")[0]["closed_at"] == NOW + LIFE
    assert close(wallet) == 0


def test_a_session_that_is_played_on_is_left_alone(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    wallet.set_clock(NOW + LIFE - SECOND)
    wallet.bet(session)
    wallet.accept(session.credit(0))
    wallet.set_clock(NOW + LIFE + LIFE - 2 * SECOND)
    assert close(wallet) == 0
    wallet.set_clock(NOW + LIFE + LIFE - SECOND)
    assert close(wallet) == 1


@pytest.mark.parametrize("ending", ["credit", "rollback"])
def test_a_session_with_an_open_bet_stays_open_until_the_bet_is_answered(
    wallet: Wallet, tenant: Tenant, session: Session, ending: str
) -> None:
    """However long that takes: the answer of the bet lands, and then the session is closed."""
    bet = wallet.bet(session)
    for hours in (1, 24, 1000):
        wallet.set_clock(NOW + timedelta(hours=hours))
        assert close(wallet) == 0
    answers = {
        "credit": session.credit(5_000, related_id=bet.transaction_id),
        "rollback": session.rollback(bet.transaction_id),
    }
    wallet.accept(answers[ending])
    assert close(wallet) == 1
    moved = {"credit": 5_000 - STAKE_MINOR, "rollback": 0}[ending]
    assert tenant.balance() == OPENING_BALANCE_MINOR + moved


def test_credits_and_rollbacks_land_after_the_expiry_and_even_after_the_closing(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    """A win in several parts, a late win for the round, and a rollback that was tried before: none is lost."""
    paid, undone = wallet.bet(session, round_id="paid"), wallet.bet(session, round_id="undone")
    wallet.set_clock(NOW + LIFE)
    first = session.credit(1, round_id="paid", related_id=paid.transaction_id)
    undo = session.rollback(undone.transaction_id, round_id="undone")
    for command in (first, undo):
        wallet.accept(command)
    wallet.set_clock(NOW + LIFE + SECOND)
    assert close(wallet) == 1
    wallet.accept(session.credit(2, round_id="paid", related_id=paid.transaction_id))
    wallet.accept(session.credit(4, round_id="paid", end_round=True))
    assert wallet.accept(session.rollback(undone.transaction_id, round_id="undone")).already_rolled_back
    assert wallet.accept(session.rollback("never seen")).tombstone
    assert wallet.run(first).replay
    assert wallet.run(undo).replay
    assert tenant.balance() == OPENING_BALANCE_MINOR - STAKE_MINOR + 7
    assert wallet.refuse(session.debit()) == "session_expired"


def test_open_bets_are_those_whose_round_has_no_credit(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    counted = []
    first, second = session.debit(round_id="a"), session.debit(round_id="a")
    undone, other = session.debit(round_id="b"), session.debit(round_id="c")
    for command in (
        first, second, undone, other,
        session.rollback(undone.transaction_id, round_id="b"),
        session.rollback(undone.transaction_id, round_id="b"),
        session.rollback("never seen", round_id="b"),
        session.credit(0, round_id="a", related_id=first.transaction_id),
        session.credit(9, round_id="a", related_id=second.transaction_id),
        session.credit(9, round_id="c"),
    ):  # fmt: skip
        wallet.accept(command)
        assert wallet.run(command).replay
        counted.append(open_bets(tenant, session))
    assert counted == [1, 2, 3, 4, 3, 3, 3, 1, 1, 0]


def test_a_refused_bet_is_not_an_open_one(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    tenant.set_session(session.session_id, loss_limit_minor=0)
    assert wallet.refuse(session.debit()) == "limit_exceeded"
    assert open_bets(tenant, session) == 0


def test_the_open_bet_of_one_session_does_not_keep_another_open(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    wallet.bet(session)
    wallet.open_session()
    wallet.set_clock(NOW + LIFE)
    assert close(wallet) == 1
    assert open_sessions(tenant) == {session.session_id}


def test_sessions_that_must_stay_never_keep_the_loop_from_those_behind(
    wallet: Wallet, tenant: Tenant, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "SESSIONS_PER_PAGE", 2)
    monkeypatch.setattr(expiry, "PAGES_PER_STEP_MAX", 1)
    stuck = [session, *(wallet.open_session() for _ in range(4))]
    for number, one in enumerate(stuck):
        wallet.bet(one, round_id=f"r{number}")
    wallet.set_clock(NOW + SECOND)
    for _ in range(3):
        wallet.open_session("2")
    wallet.set_clock(NOW + SECOND + LIFE)
    loop = ExpiredSessions(wallet.database, tenant.ledger_id)
    closed = [wallet.wait(loop.close_some()) for _ in range(5)]
    assert closed == [0, 0, 1, 2, 0]
    assert open_sessions(tenant) == {one.session_id for one in stuck}
    wallet.accept(session.credit(0, round_id="r0"))
    assert sum(wallet.wait(loop.close_some()) for _ in range(3)) == 1


def test_a_wallet_in_use_is_passed_over_and_not_waited_for(
    wallet: Wallet, connect_wallet: ConnectWallet, tenant: Tenant, session: Session
) -> None:
    wallet.open_session("2")
    wallet.set_clock(NOW + LIFE)
    other = connect_wallet()
    wallet_id = tenant.wallet("1")["wallet_id"]
    other.wait(other.database.call("select pg_advisory_lock((%s::bigint << 48) # %s)", [tenant.ledger_id, wallet_id]))
    assert close(wallet) == 1
    assert open_sessions(tenant) == {session.session_id}
    other.wait(other.database.call("select pg_advisory_unlock_all() is null"))
    assert close(wallet) == 1


def test_two_processes_close_each_session_once(wallet: Wallet, connect_wallet: ConnectWallet, tenant: Tenant) -> None:
    wallet.set_clock(NOW)
    for number in range(20):
        tenant.open_player(f"p{number}")
        wallet.open_session(f"p{number}")
    other = connect_wallet()
    for one in (wallet, other):
        one.set_clock(NOW + LIFE)
    assert close(wallet) + close(other) == 20
    assert open_sessions(tenant) == set()


async def test_the_service_closes_expired_sessions_by_itself(tenant: Tenant) -> None:
    async with serving(tenant) as service:
        await service.launch()
    tenant.sql(
        "update casino.game_sessions set opened_at = opened_at - interval '1 hour',"
        " expires_at = expires_at - interval '1 hour' where ledger_id = %s",
        tenant.ledger_id,
    )
    async with serving(tenant):
        await until(lambda: open_sessions(tenant) == set())
    assert tenant.rows("game_sessions")[0]["closed_at"] is not None
