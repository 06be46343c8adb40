"""Game sessions at the wallet: how long they live, what extends them, and the balance they may ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from casino.wallet.commands import Balance, BalanceRequest, token_hash
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Session, Wallet

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LIFE = timedelta(minutes=30)
SECOND = timedelta(seconds=1)


def expiry(tenant: Tenant, session: Session) -> datetime:
    row = next(row for row in tenant.rows("game_sessions") if row["session_id"] == session.session_id)
    expires_at = row["expires_at"]
    assert isinstance(expires_at, datetime)
    return expires_at


def question(session: Session) -> BalanceRequest:
    return BalanceRequest(
        provider_id=session.provider_id, token_hash=token_hash(session.token), player_id=session.player_id
    )


def test_a_session_lives_half_an_hour_to_the_second(wallet: Wallet, tenant: Tenant) -> None:
    """Row C3."""
    wallet.set_clock(NOW)
    session = wallet.open_session()
    assert expiry(tenant, session) == NOW + LIFE
    wallet.set_clock(NOW + LIFE)
    assert wallet.refuse(session.debit()) == "session_expired"
    wallet.set_clock(NOW + LIFE - SECOND)
    wallet.accept(session.debit())


def test_every_accepted_bet_payout_and_rollback_extends_the_session(wallet: Wallet, tenant: Tenant) -> None:
    wallet.set_clock(NOW)
    session = wallet.open_session()
    bet, undone = session.debit(round_id="a"), session.debit(round_id="b")
    commands = [bet, undone, session.credit(5, round_id="a"), session.rollback(undone.transaction_id, round_id="b")]
    for minutes, command in enumerate(commands, start=1):
        now = NOW + timedelta(minutes=minutes)
        wallet.set_clock(now)
        wallet.accept(command)
        assert expiry(tenant, session) == now + LIFE


def test_neither_a_refused_bet_nor_a_replay_extends_the_session(wallet: Wallet, tenant: Tenant) -> None:
    wallet.set_clock(NOW)
    session = wallet.open_session()
    bet = wallet.bet(session)
    tenant.open_player("poor", balance_minor=1)
    poor = wallet.open_session("poor")
    wallet.set_clock(NOW + timedelta(minutes=10))
    assert wallet.run(bet).replay
    assert wallet.refuse(session.debit(1)) == "stake_too_low"
    assert wallet.refuse(poor.debit()) == "insufficient_balance"
    assert (expiry(tenant, session), expiry(tenant, poor)) == (NOW + LIFE, NOW + LIFE)


def test_one_session_is_not_extended_by_another_of_the_same_player(wallet: Wallet, tenant: Tenant) -> None:
    wallet.set_clock(NOW)
    used, idle = wallet.open_session(), wallet.open_session()
    wallet.set_clock(NOW + timedelta(minutes=10))
    wallet.bet(used)
    assert expiry(tenant, idle) == NOW + LIFE


def test_a_closed_session_takes_no_bet(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    tenant.set_session(session.session_id, closed_at=datetime.now(UTC))
    assert wallet.refuse(session.debit()) == "session_expired"
    assert tenant.transactions() == []


def test_a_balance_is_read_and_extends_the_session(wallet: Wallet, tenant: Tenant) -> None:
    wallet.set_clock(NOW)
    session = wallet.open_session()
    wallet.set_clock(NOW + timedelta(minutes=29))
    (first,) = wallet.balances([question(session)])
    assert first == Balance(None, OPENING_BALANCE_MINOR, "USD", wallet_head(tenant))
    assert expiry(tenant, session) == NOW + timedelta(minutes=29) + LIFE


def test_a_balance_asked_twice_within_a_second_writes_once(wallet: Wallet, tenant: Tenant) -> None:
    wallet.set_clock(NOW)
    session = wallet.open_session()
    wallet.set_clock(NOW + SECOND)
    wallet.balances([question(session)])
    assert expiry(tenant, session) == NOW + LIFE
    wallet.set_clock(NOW + SECOND + timedelta(milliseconds=1))
    wallet.balances([question(session)])
    assert expiry(tenant, session) == NOW + SECOND + timedelta(milliseconds=1) + LIFE


def wallet_head(tenant: Tenant) -> str:
    """The head of the wallet's newest entry, of whatever kind."""
    row = tenant.wallet()
    return f"{row['sequence_no']}:{row['head_hash'].hex()}"


def test_a_balance_has_the_head_of_the_newest_entry_of_any_kind(wallet: Wallet, tenant: Tenant) -> None:
    """Here a bet, then a deposit, which no provider's feed shows; none in a wallet without an entry."""
    session = wallet.open_session()
    booked = wallet.accept(session.debit())
    (after_the_bet,) = wallet.balances([question(session)])
    assert after_the_bet.head == booked.head
    tenant.sql(
        "select casino.move_house_money(%s, 'deposit', %s, 'gift', 1, null, 'request')",
        tenant.ledger_id, tenant.wallet()["wallet_id"],
    )  # fmt: skip
    (after_the_deposit,) = wallet.balances([question(session)])
    assert after_the_deposit.head == wallet_head(tenant) != booked.head
    tenant.open_player("new", balance_minor=0)
    (of_nothing,) = wallet.balances([question(wallet.open_session("new"))])
    assert (of_nothing.balance_minor, of_nothing.head) == (0, None)


@pytest.mark.parametrize("column", ["expires_at", "closed_at"])
def test_an_ended_session_has_no_balance_and_stays_ended(wallet: Wallet, tenant: Tenant, column: str) -> None:
    session = wallet.open_session()
    ended_at = datetime.now(UTC) - SECOND
    tenant.set_session(session.session_id, **{column: ended_at})
    (balance,) = wallet.balances([question(session)])
    assert (balance.code, balance.balance_minor) == ("session_expired", None)
    assert tenant.rows("game_sessions")[0][column] == ended_at


def test_a_batch_of_questions_is_answered_in_its_order(wallet: Wallet, tenant: Tenant) -> None:
    first, second, ended = wallet.open_session("1"), wallet.open_session("2"), wallet.open_session("2")
    wallet.bet(first, 5_000)
    tenant.set_session(ended.session_id, closed_at=datetime.now(UTC))
    questions = [
        question(second),
        BalanceRequest(provider_id="main", token_hash="00" * 32, player_id="1"),
        question(first),
        BalanceRequest(provider_id="main", token_hash=token_hash(first.token), player_id="2"),
        question(ended),
        question(second),
    ]
    answers = wallet.balances(questions)
    assert [answer.code for answer in answers] == [
        None,
        "session_not_found",
        None,
        "session_player_mismatch",
        "session_expired",
        None,
    ]
    assert [answer.balance_minor for answer in answers] == [
        OPENING_BALANCE_MINOR,
        None,
        OPENING_BALANCE_MINOR - 5_000,
        None,
        None,
        OPENING_BALANCE_MINOR,
    ]


def test_a_session_token_is_stored_only_as_its_hash(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    stored = tenant.sql(
        "select count(*) as hits from casino.game_sessions as stored where ledger_id = %s and stored::text like %s",
        tenant.ledger_id,
        f"%{session.token}%",
    )
    assert stored == [{"hits": 0}]
    assert tenant.rows("game_sessions")[0]["token_hash"].hex() == token_hash(session.token)
