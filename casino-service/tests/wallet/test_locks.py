"""Locks of the ledger's functions: two real callers on two connections, who wait for each other or pass over.

No result shows a deadlock or a lost lock, because callers try again. These tests hold one caller's transaction open.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from casino.wallet.commands import token_hash
from casino_testing.processes import HeldTransaction, book_in, held_transaction
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet

NOW = "extract(epoch from casino.clock())::bigint"
CLAIM = f"""
    select claimed from casino.claim_nonces(%(nonces)s, array_fill({NOW}, array[%(count)s])) as claimed
"""
LOCK = "select casino.lock_wallets(%s, %s::bigint[])"
ENTER = "select o_code from casino.enter_session(%s, %s, '1', '1', %s, %s)"
NO_WAIT = "set lock_timeout = '100ms'"
"""A call that passes over locked rows waits for no lock, so this bound never ends it."""
WAITING = "select 1 from pg_locks where not granted and pid = %s"


@pytest.fixture
def other(tenant: Tenant) -> Iterator[HeldTransaction]:
    """A second caller's connection."""
    with held_transaction(tenant) as connection:
        yield connection


@pytest.fixture
def held(tenant: Tenant) -> Iterator[HeldTransaction]:
    """The first caller's connection, whose transaction stays open."""
    with held_transaction(tenant) as connection:
        yield connection


def claim(connection: HeldTransaction, *nonces: str) -> set[str]:
    return {row[0] for row in connection.execute(CLAIM, {"nonces": list(nonces), "count": len(nonces)})}


def until_it_waits(tenant: Tenant, waiting: HeldTransaction, work: Callable[[], Any]) -> threading.Thread:
    """Start work on a connection in a thread, and return when it waits for a lock or has ended."""
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() and not tenant.sql(WAITING, waiting.info.backend_pid):
        thread.join(0.005)
    return thread


def test_nonces_are_claimed_in_one_order_whatever_order_they_came_in(
    tenant: Tenant, held: HeldTransaction, other: HeldTransaction
) -> None:
    """Two batches with the same nonces would otherwise wait for each other, and Postgres would end one of them."""
    low, high = (f"{letter}-{tenant.tenant_id}-of-one-request" for letter in "az")
    found: list[set[str]] = []
    assert claim(held, low) == {low}
    thread = until_it_waits(tenant, other, lambda: found.append(claim(other, high, low)))
    assert claim(held, high) == {high}, "the second batch waits for the first nonce before it takes the second"
    held.commit()
    thread.join()
    assert found == [set()]


def test_emptying_a_partition_does_not_wait_for_claims(
    tenant: Tenant, held: HeldTransaction, other: HeldTransaction
) -> None:
    """Claims would queue up behind a truncate that waits."""
    tenant.make_clock_settable()
    for connection in (held, other):
        connection.execute("select set_config('test.now', '2026-05-01T12:00:00Z', false)")
    tenant.sql("insert into casino.nonces values (0, %s), (1, %s), (2, %s)", *(tenant.tenant_id,) * 3)
    held.execute("insert into casino.nonces values (0, 'x'), (1, 'x'), (2, 'x')")
    other.execute("set statement_timeout = '30s'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        other.execute("select casino.empty_old_nonce_drawer()")
    held.rollback()
    tenant.sql("delete from casino.nonces where nonce = %s", tenant.tenant_id)


def lock(connection: HeldTransaction, tenant: Tenant, *wallet_ids: int) -> list[int]:
    row = connection.execute(LOCK, [tenant.ledger_id, list(wallet_ids)]).fetchone()
    assert row is not None
    return sorted(row[0])


def test_two_callers_never_hold_one_wallet_and_neither_waits(
    tenant: Tenant, held: HeldTransaction, other: HeldTransaction
) -> None:
    one, two, three = (tenant.open_player(f"player {number}") for number in range(3))
    other.execute(NO_WAIT)
    assert lock(held, tenant, two, one) == [one, two]
    assert lock(other, tenant, one, three, two) == [three]
    held.commit()
    assert lock(other, tenant, one, three, two) == [one, two, three]


def test_a_wallet_of_another_ledger_is_never_taken(
    tenant: Tenant, shared_database: str, other: HeldTransaction
) -> None:
    stranger = Tenant.fresh(shared_database)
    theirs = stranger.open_player("theirs")
    assert lock(other, tenant, theirs) == []
    assert lock(other, stranger, theirs) == [theirs]
    other.rollback()
    stranger.close()


def test_a_wallet_is_taken_before_its_row_is(tenant: Tenant, held: HeldTransaction, other: HeldTransaction) -> None:
    """The advisory lock excludes by itself: it is taken before the row's lock gives the transaction its number."""
    newest = tenant.open_player("newest")
    wallet_id = newest + 1
    assert lock(held, tenant, wallet_id) == [], "there is no such wallet yet, so no row to lock"
    while (opened := tenant.open_player(f"later {wallet_id}")) < wallet_id:
        pass
    assert opened == wallet_id
    assert lock(other, tenant, wallet_id) == []
    held.commit()
    assert lock(other, tenant, wallet_id) == [wallet_id]


def test_a_caller_that_holds_a_wallet_holds_its_row_too(
    tenant: Tenant, held: HeldTransaction, other: HeldTransaction
) -> None:
    """Who changes a wallet by hand, as the operator's staff do, waits for a bet that is under way."""
    wallet_id = tenant.open_player("watched")
    lock(held, tenant, wallet_id)
    row = "select from casino.wallets where ledger_id = %s and wallet_id = %s for no key update nowait"
    with pytest.raises(psycopg.errors.LockNotAvailable):
        other.execute(row, [tenant.ledger_id, wallet_id])


def test_a_wallet_that_staff_are_changing_is_left_out_and_not_waited_for(
    tenant: Tenant, held: HeldTransaction, other: HeldTransaction
) -> None:
    one, two = (tenant.open_player(f"player {number}") for number in range(2))
    held.execute("update casino.wallets set blocked_at = now() where wallet_id = %s", [one])
    other.execute(NO_WAIT)
    assert lock(other, tenant, one, two) == [two]


def test_of_two_batches_with_one_wallet_in_common_the_second_leaves_that_wallet_out(
    tenant: Tenant, wallet: Wallet, held: HeldTransaction
) -> None:
    sessions = [wallet.open_session(player_id) for player_id in ("1", "2")]
    tenant.open_player("3")
    third = wallet.open_session("3")
    book_in(held, tenant, [session.debit() for session in sessions])
    found = wallet.wait(wallet.ledger.execute([sessions[1].debit(), third.debit()]))
    assert [outcome is None for outcome in found] == [True, False]


def ask_balance(connection: HeldTransaction, tenant: Tenant, session: Session) -> int | None:
    asked = f'[{{"tokenHash": "{token_hash(session.token)}", "playerId": "1"}}]'
    query = "select o_balance_minor from casino.get_balances(%s, %s::jsonb)"
    row = connection.execute(query, [tenant.ledger_id, asked]).fetchone()
    assert row is not None
    return None if row[0] is None else int(row[0])


def test_a_balance_waits_for_no_bet(
    tenant: Tenant, wallet: Wallet, held: HeldTransaction, other: HeldTransaction
) -> None:
    """Also not where both would extend the session."""
    session = wallet.open_session()
    tenant.sql("update casino.game_sessions set expires_at = expires_at - interval '5 minutes' where session_id = %s",
               session.session_id)  # fmt: skip
    book_in(held, tenant, [session.debit()])
    other.execute(NO_WAIT)
    assert ask_balance(other, tenant, session) == 1_000_000


def test_of_two_clients_that_use_a_session_at_once_one_is_bound_to_it(
    tenant: Tenant, wallet: Wallet, held: HeldTransaction, other: HeldTransaction
) -> None:
    session = wallet.open_session()
    tenant.set_session(session.session_id, provider_session_id="p")
    named = [tenant.ledger_id, tenant.tenant_id, bytes.fromhex(token_hash(session.token))]
    found: list[Any] = []
    assert held.execute(ENTER, [*named, b"one client"]).fetchone() == (None,)
    thread = until_it_waits(tenant, other, lambda: found.append(other.execute(ENTER, [*named, b"another"]).fetchone()))
    held.commit()
    thread.join()
    assert found == [("session_fingerprint_mismatch",)]


@pytest.mark.parametrize(("table", "key"), [("rate_buckets", "player_id"), ("access_token_fingerprints", "token_hash")])
def test_pruning_passes_over_what_somebody_uses(own_database: str, table: str, key: str) -> None:
    tenant = Tenant.demo(own_database)
    tenant.sql("insert into casino.rate_buckets (tenant_id, player_id, full_at) select 'JAQPOT', player_id, now()"
               " from casino.wallets where tenant_id = 'JAQPOT'")  # fmt: skip
    tenant.sql("insert into casino.access_token_fingerprints (tenant_id, token_hash, fingerprint, expires_at)"
               " select 'JAQPOT', token::bytea, 'f', now() from unnest(array['a', 'b']) as token")  # fmt: skip
    before = len(tenant.rows_of_tenant(table))
    with held_transaction(tenant) as held, held_transaction(tenant) as other:
        held.execute(f"select from casino.{table} order by {key} limit 1 for update".encode())
        other.execute(NO_WAIT)
        other.execute("select casino.prune_client_limits(10)")
        other.commit()
    assert before > 1
    assert len(tenant.rows_of_tenant(table)) == 1
    tenant.close()
