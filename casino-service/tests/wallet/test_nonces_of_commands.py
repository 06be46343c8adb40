"""A wallet command claims its request's nonce in the transaction that judges it: once, and only if it is judged."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
import time
from typing import Any

import msgspec
import psycopg
import pytest

from casino.wallet.commands import NONCE_REPLAY, BalanceRequest, WalletCommand, WalletOutcome, token_hash
from casino_testing.processes import HeldTransaction, Wire, book_in, group_commit, held_transaction, ledgers
from casino_testing.service import settings_of
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import STAKE_MINOR, Session, Wallet
from shared_service_testing.waiting import until

BUDGET_SECONDS = 60.0
_claim_ids = itertools.count(1)


def signed(**changes: Any) -> dict[str, Any]:
    """What the request of a command adds to it."""
    return {
        "nonce": secrets.token_hex(16), "signed_at": int(time.time()), "claim_id": next(_claim_ids), **changes,
    }  # fmt: skip


def copy_of(command: WalletCommand, session: Session, **changes: Any) -> WalletCommand:
    """Another request with the nonce of `command`: another bet, or with its fields the same one."""
    assert command.nonce is not None
    return session.debit(**signed(nonce=command.nonce, signed_at=command.signed_at), **changes)


def is_claimed(tenant: Tenant, command: WalletCommand) -> bool:
    return bool(tenant.sql("select 1 from casino.nonces where nonce = %s", command.nonce))


def codes(outcomes: list[WalletOutcome]) -> list[str | None]:
    return [outcome.code for outcome in outcomes]


@pytest.fixture
def session(wallet: Wallet) -> Session:
    return wallet.open_session()


def test_a_copied_request_is_refused_and_changes_nothing(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    """Same id, other id, other player: it is decided before the id is looked up."""
    bet = session.debit(**signed())
    wallet.accept(bet)
    before = tenant.money_rows(), tenant.rows("attempts")
    other = wallet.open_session("2")
    for copy in (
        copy_of(bet, session, transaction_id=bet.transaction_id),
        copy_of(bet, session),
        copy_of(bet, other),
        copy_of(bet, session, amount=OPENING_BALANCE_MINOR),
    ):
        assert wallet.refuse(copy) == NONCE_REPLAY
    assert (tenant.money_rows(), tenant.rows("attempts")) == before
    assert (tenant.balance(), tenant.balance("2")) == (OPENING_BALANCE_MINOR - STAKE_MINOR, OPENING_BALANCE_MINOR)


def test_the_neighbours_of_a_copy_are_booked(wallet: Wallet, session: Session) -> None:
    bet = session.debit(**signed())
    wallet.accept(bet)
    other = wallet.open_session("2")
    assert codes(wallet.run_batch([copy_of(bet, session), other.debit(**signed())])) == [NONCE_REPLAY, None]


@pytest.mark.parametrize("code", ["session_not_found", "session_player_mismatch", "insufficient_balance"])
def test_a_refusal_claims_its_nonce_too(wallet: Wallet, tenant: Tenant, session: Session, code: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "session_not_found": {"token_hash": "00" * 32},
        "session_player_mismatch": {"player_id": "2"},
        "insufficient_balance": {},
    }
    tenant.set_wallet(balance_minor=0) if code == "insufficient_balance" else None
    bet = session.debit(**signed(), **fields[code])
    assert wallet.refuse(bet) == code
    assert is_claimed(tenant, bet)
    assert wallet.refuse(copy_of(bet, session, **fields[code])) == NONCE_REPLAY
    tenant.set_wallet(balance_minor=OPENING_BALANCE_MINOR)


def test_a_command_that_is_executed_again_knows_its_own_nonce(wallet: Wallet, session: Session) -> None:
    bet = session.debit(**signed())
    wallet.accept(bet)
    assert wallet.run(bet).replay
    unknown = session.debit(**signed(), token_hash="00" * 32)
    assert [wallet.refuse(unknown) for _ in range(2)] == ["session_not_found"] * 2


def test_a_nonce_that_the_release_before_claimed_is_used(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    bet = session.debit(**signed())
    tenant.sql("select casino.claim_nonces(array[%s], array[%s::bigint])", bet.nonce, bet.signed_at)
    assert wallet.refuse(bet) == NONCE_REPLAY
    assert tenant.money_rows()["rounds"] == 0


@pytest.mark.parametrize("later_seconds", [-600, -400, 200, 600])
def test_a_command_signed_far_from_the_databases_clock_is_not_judged(
    wallet: Wallet, tenant: Tenant, session: Session, later_seconds: int
) -> None:
    bet = session.debit(**signed(signed_at=int(time.time()) + later_seconds))
    assert wallet.refuse(bet) == NONCE_REPLAY
    assert (is_claimed(tenant, bet), tenant.money_rows()["rounds"]) == (False, 0)


def test_a_command_whose_wallet_is_busy_leaves_its_nonce_free(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    """It is tried again with the same nonce, which must not be a replay then."""
    bet, other = session.debit(**signed()), wallet.open_session("2").debit(**signed())
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [session.debit()])
        busy, booked = wallet.wait(wallet.ledger.execute([bet, other]))
        assert (busy, booked is not None and booked.code) == (None, None)
        assert (is_claimed(tenant, bet), is_claimed(tenant, other)) == (False, True)
    wallet.accept(bet)
    assert is_claimed(tenant, bet)


def test_a_busy_command_beside_a_copy_is_no_copy(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    """Nothing is claimed in this batch: what has no claim need not be used."""
    other = wallet.open_session("2")
    bet, used = session.debit(**signed()), other.debit(**signed())
    wallet.accept(used)
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [session.debit()])
        busy, copy = wallet.wait(wallet.ledger.execute([bet, copy_of(used, other)]))
    assert (busy, copy is not None and copy.code) == (None, NONCE_REPLAY)
    assert codes(wallet.run_batch([session.debit(), copy_of(used, other)])) == [None, NONCE_REPLAY]


def test_a_batch_that_fails_leaves_its_nonces_free(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    wallet = Wallet(tenant, settings_of(tenant))
    try:
        tenant.sql("alter table casino.postings add constraint small check (amount_minor < 5000) not valid")
        session = wallet.open_session()
        batch = [session.debit(**signed()), session.debit(5_000, **signed())]
        with pytest.raises(psycopg.errors.CheckViolation):
            wallet.run_batch(batch)
        assert not any(is_claimed(tenant, bet) for bet in batch)
        wallet.accept(batch[0])
    finally:
        wallet.close()
        tenant.close()


def test_the_neighbours_of_a_copy_in_its_own_wallet_are_booked(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    """A used nonce takes its command out of the batch, and no other command of the wallet."""
    used = session.debit(**signed())
    wallet.accept(used)
    first, last = session.debit(**signed()), session.debit(**signed())
    batch = [copy_of(used, session), first, copy_of(used, session), last]
    outcomes = wallet.run_batch(batch)
    assert codes(outcomes) == [NONCE_REPLAY, None, NONCE_REPLAY, None]
    assert [outcome.request_id for outcome in outcomes] == [command.request_id for command in batch]
    assert [row["transaction_id"] for row in tenant.transactions()] == [
        command.transaction_id for command in (used, first, last)
    ]


def test_a_batch_of_copies_books_nothing(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    used = session.debit(**signed())
    wallet.accept(used)
    before = tenant.money_rows(), tenant.rows("attempts")
    copies = [copy_of(used, session, transaction_id=used.transaction_id), copy_of(used, session)]
    assert codes(wallet.run_batch(copies)) == [NONCE_REPLAY] * 2
    assert (tenant.money_rows(), tenant.rows("attempts")) == before


def test_busy_commands_of_one_wallet_leave_their_nonces_free(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    bets, other = [session.debit(**signed()) for _ in range(2)], wallet.open_session("2").debit(**signed())
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [session.debit()])
        first, booked, second = wallet.wait(wallet.ledger.execute([bets[0], other, bets[1]]))
        assert (first, second, booked is not None and booked.code) == (None, None, None)
        assert [is_claimed(tenant, bet) for bet in (*bets, other)] == [False, False, True]
    assert codes(wallet.run_batch(bets)) == [None, None]


def test_one_nonce_on_two_commands_of_a_batch_fails_the_batch_and_then_one_is_booked(
    wallet: Wallet, session: Session
) -> None:
    """Group commit splits the batch."""
    bet = session.debit(**signed())
    copy = copy_of(bet, wallet.open_session("2"))
    with pytest.raises(Exception, match="a second time"):
        wallet.run_batch([bet, copy])
    assert [codes(wallet.run_batch([each])) for each in (bet, copy)] == [[None], [NONCE_REPLAY]]


def test_of_one_nonce_in_two_processes_at_once_one_command_is_booked(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    """The two bets are of two players: no wallet keeps them apart."""
    bet = session.debit(**signed())
    copy = copy_of(bet, wallet.open_session("2"))
    found: list[list[str | None]] = []

    def run_copy() -> None:
        found.append(codes(wallet.run_batch([copy])))

    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [bet])
        thread = threading.Thread(target=run_copy)
        thread.start()
        _until_something_waits(tenant)
        holder.commit()
        thread.join()
    assert found == [[NONCE_REPLAY]]
    assert tenant.balance("2") == OPENING_BALANCE_MINOR


def test_two_batches_with_the_same_nonces_never_wait_for_each_other_in_a_ring(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    other = wallet.open_session("2")
    third = Tenant(tenant.url, tenant_id=tenant.tenant_id, ledger_id=tenant.ledger_id)
    third.open_player("3")
    low, high = (session.debit(**signed(nonce=letter * 16 + secrets.token_hex(8))) for letter in "az")
    with held_transaction(tenant) as holder:
        take_nonce(holder, low)
        copies = [copy_of(high, other), copy_of(low, wallet.open_session("3"))]
        found: list[list[str | None]] = []
        thread = threading.Thread(target=lambda: found.append(codes(wallet.run_batch(copies))))
        thread.start()
        _until_something_waits(tenant)
        take_nonce(holder, high)  # without one order, Postgres would end one of the two
        holder.commit()
        thread.join()
    third.close()
    assert found == [[NONCE_REPLAY, NONCE_REPLAY]]


def take_nonce(connection: HeldTransaction, command: WalletCommand) -> None:
    row = connection.execute(
        "select casino.take_nonces(array[%s], array[%s::bigint], array[%s::bigint])",
        [command.nonce, command.signed_at, command.claim_id],
    ).fetchone()
    assert row == ([command.claim_id],)


def _until_something_waits(tenant: Tenant) -> None:
    while not tenant.sql("select 1 from pg_locks where not granted"):
        time.sleep(0.005)


def test_a_balance_is_read_once_for_a_nonce_and_a_copy_does_not_extend_the_session(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    question = BalanceRequest(
        provider_id="main", token_hash=token_hash(session.token), player_id=session.player_id, **signed()
    )
    unknown = msgspec.structs.replace(question, **signed(), token_hash="00" * 32)
    found = wallet.balances([question, unknown])
    assert [balance.code for balance in found] == [None, "session_not_found"]
    tenant.set_session(session.session_id, expires_at="2100-01-01T00:00:00Z")
    ended = tenant.rows("game_sessions")
    copies = [msgspec.structs.replace(each, claim_id=next(_claim_ids)) for each in (question, unknown)]
    again = wallet.balances([*copies, question])
    assert [(balance.code, balance.balance_minor) for balance in again] == [
        (NONCE_REPLAY, None), (NONCE_REPLAY, None), (None, OPENING_BALANCE_MINOR),
    ]  # fmt: skip
    assert tenant.rows("game_sessions") == ended


async def test_a_batch_whose_answer_was_lost_finds_its_own_nonces(
    wallet_session: Session, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a copy that came meanwhile is refused."""
    monkeypatch.setattr("shared_service.postgres.group_commit.BUSY_PATIENCE_SECONDS", BUDGET_SECONDS)
    bet = wallet_session.debit(**signed())
    async with Wire.to(tenant.url) as wire, ledgers(tenant, 1, database_url=wire.url) as (ledger,):
        await ledger.execute([])
        async with group_commit(ledger) as commands:
            wire.loses_answers = True
            deadline = asyncio.get_running_loop().time() + BUDGET_SECONDS
            future = commands.submit(bet, key=bet.player_id, deadline=deadline)
            await until(lambda: is_claimed(tenant, bet))
            wire.loses_answers = False
            wire.cut()
            outcome = await future
            assert (outcome.code, outcome.replay) == (None, True)
            again = copy_of(bet, wallet_session, transaction_id=bet.transaction_id)
            refused = await commands.submit(again, key=bet.player_id, deadline=deadline)
            assert refused.code == NONCE_REPLAY
    assert len(tenant.transactions()) == 1


@pytest.fixture
def wallet_session(tenant: Tenant, connect_wallet: Any) -> Session:
    session: Session = connect_wallet().open_session()
    return session
