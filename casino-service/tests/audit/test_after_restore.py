"""A ledger that was restored into a server with other transaction numbers: nothing is booked behind a reader.

The younger server is this one, with a feed that came from an older one: its positions are lifted out of reach.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

import psycopg
import pytest

from casino.audit.after_restore import why_not_to_start
from casino_testing.edge import Service, bet, serving
from casino_testing.feed import read
from casino_testing.processes import WAIT_SECONDS_MAX, book_in, held_transaction
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from local_stack.testing import database_urls
from shared_service_testing.waiting import until

pytestmark = pytest.mark.usefixtures("kept_connections")

OLDER_SERVER_POSITIONS = 10**9 << 12
"""How much further the transaction numbers of the server were that the dump came from."""
GAP_POSITIONS = 2**32 << 12
END_CONNECTIONS = """
    select pg_terminate_backend(pid, 30000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""
SAYS = "casino after-restore"


def as_if_restored_from_an_older_server(tenant: Tenant) -> None:
    tenant.sql(
        "update casino.transactions set feed_position = feed_position + %s where ledger_id = %s",
        OLDER_SERVER_POSITIONS, tenant.ledger_id,
    )  # fmt: skip


def move_ahead(tenant: Tenant) -> dict[str, Any]:
    return tenant.sql("select * from casino.move_feed_ahead(%s)", tenant.ledger_id)[0]


def unfinished(tenant: Tenant) -> str | None:
    reason = tenant.sql("select casino.restore_unfinished(%s) as reason", tenant.ledger_id)[0]["reason"]
    assert reason is None or isinstance(reason, str)
    return reason


def test_a_feed_that_nobody_restored_is_never_behind(wallet: Wallet, tenant: Tenant) -> None:
    assert unfinished(tenant) is None, "an empty ledger"
    session = wallet.open_session()
    wallet.bet(session)
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [session.debit()])
        assert unfinished(tenant) is None, "an open transaction"
        holder.commit()
    assert unfinished(tenant) is None


def test_after_a_restore_into_a_younger_server_readers_find_every_row_once_and_in_order(
    wallet: Wallet, tenant: Tenant
) -> None:
    session = wallet.open_session()
    before = [wallet.bet(session).transaction_id for _ in range(3)]
    as_if_restored_from_an_older_server(tenant)
    assert SAYS in str(unfinished(tenant))
    moved = move_ahead(tenant)
    assert moved["o_moved"]
    assert unfinished(tenant) is None
    restored, cursor = read(wallet)
    assert restored == before
    assert int(cursor) == moved["o_newest_position"]
    after = [wallet.bet(session).transaction_id for _ in range(3)]
    assert read(wallet, cursor)[0] == after
    assert read(wallet)[0] == [*before, *after]
    assert all(row["feed_position"] >= moved["o_first_position"] for row in tenant.transactions()[3:])


def test_a_restore_into_an_older_server_goes_on_above_the_gap(wallet: Wallet, tenant: Tenant) -> None:
    """Also what a restore to a point in time is: the numbers go on, and the tail that was lost used them before."""
    session = wallet.open_session()
    before = wallet.bet(session).transaction_id
    newest = tenant.transactions()[-1]["feed_position"]
    assert unfinished(tenant) is None
    moved = move_ahead(tenant)
    assert moved["o_moved"]
    assert moved["o_first_position"] >= newest + GAP_POSITIONS
    after = wallet.bet(session).transaction_id
    lost_rows_cursor = str(newest + GAP_POSITIONS - 1)
    assert read(wallet, lost_rows_cursor)[0] == [after]
    assert read(wallet)[0] == [before, after]


def test_moving_again_changes_nothing_while_the_server_runs(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    move_ahead(tenant)
    wallet.bet(session)
    offset = tenant.sql("select feed_offset from casino.ledgers where ledger_id = %s", tenant.ledger_id)
    assert not move_ahead(tenant)["o_moved"]
    assert tenant.sql("select feed_offset from casino.ledgers where ledger_id = %s", tenant.ledger_id) == offset


def test_moving_again_moves_when_the_feed_is_ahead_all_the_same(wallet: Wallet, tenant: Tenant) -> None:
    """An older dump, restored into the same running server once more."""
    wallet.bet(wallet.open_session())
    move_ahead(tenant)
    for _ in range(5):
        as_if_restored_from_an_older_server(tenant)
    tenant.sql("update casino.ledgers set feed_offset = 0 where ledger_id = %s", tenant.ledger_id)
    assert SAYS in str(unfinished(tenant))
    assert move_ahead(tenant)["o_moved"]
    assert unfinished(tenant) is None


def test_a_second_restore_adds_to_the_first(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    booked = []
    for _ in range(3):
        booked += [wallet.bet(session).transaction_id]
        as_if_restored_from_an_older_server(tenant)
        tenant.sql("update casino.ledgers set feed_moved_for = null where ledger_id = %s", tenant.ledger_id)
        assert move_ahead(tenant)["o_moved"]
    assert read(wallet)[0] == booked
    assert unfinished(tenant) is None


def test_a_batch_under_way_is_waited_for_and_stays_below(wallet: Wallet, tenant: Tenant) -> None:
    slow, fast = wallet.open_session("1"), wallet.open_session("2")
    late = slow.debit()
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [late])
        with psycopg.connect(tenant.url, autocommit=True) as mover:
            mover.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                mover.execute("select casino.move_feed_ahead(%s)", [tenant.ledger_id])
        holder.commit()
    move_ahead(tenant)
    after = wallet.bet(fast).transaction_id
    assert read(wallet)[0] == [late.transaction_id, after]


@pytest.mark.parametrize("warmed", [False, True], ids=["first plan", "kept plan"])
def test_a_bet_that_waited_for_the_move_is_booked_above_it(wallet: Wallet, tenant: Tenant, warmed: bool) -> None:
    """The offset is read behind the lock: a batch that began before the move must not keep the old one."""
    session = wallet.open_session()
    if warmed:
        for _ in range(8):
            wallet.bet(session)
    bet, booked = session.debit(), threading.Event()

    def place() -> None:
        with psycopg.connect(tenant.url) as connection:
            if warmed:
                for _ in range(8):
                    book_in(connection, tenant, [session.debit()])
                    connection.commit()
            ready.set()
            go.wait()
            book_in(connection, tenant, [bet])
            connection.commit()
        booked.set()

    ready, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=place)
    thread.start()
    ready.wait()
    with psycopg.connect(tenant.url) as mover:
        mover.execute("lock table casino.transactions in share row exclusive mode")
        go.set()
        while not tenant.sql(
            "select 1 from pg_locks where not granted and relation = 'casino.transactions'::regclass"
            " and database = (select oid from pg_database where datname = current_database())"
        ):
            assert not booked.is_set(), "the bet did not wait"
        first = mover.execute("select o_first_position from casino.move_feed_ahead(%s)", [tenant.ledger_id]).fetchone()
        mover.commit()
    thread.join()
    assert first is not None
    assert tenant.transaction(bet.transaction_id)["feed_position"] >= first[0]


def test_a_reader_of_the_release_before_reads_on_after_a_move(wallet: Wallet, tenant: Tenant) -> None:
    """It asks for the horizon without naming a ledger."""
    session = wallet.open_session()
    wallet.bet(session)
    tenant.sql("select casino.move_feed_ahead(ledger_id) from casino.ledgers")
    wallet.bet(session)
    newest = tenant.transactions()[-1]["feed_position"]
    horizon = tenant.sql("select casino.feed_horizon() as horizon")[0]["horizon"]
    own = tenant.sql("select casino.feed_horizon(%s) as horizon", tenant.ledger_id)[0]["horizon"]
    assert horizon <= own
    assert own > newest


@pytest.fixture
def restored(own_database: str) -> Any:
    """A database of its own, with one bet, that came from an older server and was not tended since."""
    tenant = Tenant.demo(own_database)
    wallet = Wallet(tenant, settings_of(tenant))
    wallet.bet(wallet.open_session())
    wallet.close()
    as_if_restored_from_an_older_server(tenant)
    yield tenant
    tenant.close()


def run(tenant: Tenant, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    urls = database_urls("casino", tenant.url)
    environment = {**os.environ, **urls, "CASINO_DEMO": "1", "CASINO_PORT": "0", **more}
    command = [sys.executable, "-m", "casino", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_serve_refuses_to_start_and_names_the_command_and_after_it_all_is_well(restored: Tenant) -> None:
    refused = run(restored, "serve")
    assert refused.returncode == 1
    assert SAYS in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    told = run(restored, "migrate")
    assert told.returncode == 0
    assert SAYS in told.stdout + told.stderr
    done = run(restored, "after-restore")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ledger 1")
    assert run(restored, "after-restore").stdout.startswith("ledger 1: nothing to do")
    assert why_not_to_start(settings_of(restored)) is None
    assert SAYS not in run(restored, "migrate").stdout


async def until_missing(service: Service, missing: str | None) -> None:
    """Wait until readiness says so: it is looked at now and then, and answered from memory."""

    async def is_shown() -> bool:
        return (await service.anybody.get("/health/ready")).json().get("missing") == missing

    await until(is_shown)


async def test_a_running_service_whose_database_was_replaced_takes_no_bet_and_says_why(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    async with serving(tenant, pool_wait_seconds=0.3, request_budget_seconds=5.0) as service:
        token = await service.launch()
        assert (await service.post("debit", bet(token))).status_code == 200
        as_if_restored_from_an_older_server(tenant)
        tenant.sql(END_CONNECTIONS)
        # Sent on a connection that has just ended, it may be of unknown outcome; it is not booked either way.
        at_once = await service.signed.post("/casino/debit", json=bet(token))
        assert at_once.status_code in {500, 503}
        await until_missing(service, "after_restore")
        refused = await service.signed.post("/casino/debit", json=bet(token))
        assert refused.status_code == 503
        assert len(tenant.transactions()) == 1
        move_ahead(tenant)
        await until_missing(service, None)
        after = bet(token)

        async def is_booked() -> bool:
            """The bets' pool tries again after a pause of its own."""
            return (await service.post("debit", after)).status_code == 200

        await until(is_booked)
    assert tenant.differences() == []
    tenant.close()


async def test_a_service_that_is_refused_its_database_can_be_stopped(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    async with asyncio.timeout(WAIT_SECONDS_MAX), serving(tenant, pool_wait_seconds=0.3) as service:
        token = await service.launch()
        assert (await service.post("debit", bet(token))).status_code == 200
        as_if_restored_from_an_older_server(tenant)
        tenant.sql(END_CONNECTIONS)
        await until_missing(service, "after_restore")
    tenant.close()


async def test_readiness_notices_on_connections_that_are_open_already(own_database: str) -> None:
    """A dump restored over a database that is in use, in the same server."""
    tenant = Tenant.demo(own_database)
    async with serving(tenant) as service:
        token = await service.launch()
        assert (await service.post("debit", bet(token))).status_code == 200
        as_if_restored_from_an_older_server(tenant)
        await until_missing(service, "after_restore")
    tenant.close()
