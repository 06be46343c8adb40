"""The transaction feed: in commit order, and a cursor never skips what commits late."""

from __future__ import annotations

import asyncio
from typing import Any

from casino.callbacks.feed import Feed
from casino.wallet.commands import Ledger
from casino_testing.feed import feed_of, read, read_page
from casino_testing.processes import WAIT_SECONDS_MAX, book_in, databases, held_transaction, ledgers, until_answered
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet


def test_the_feed_tells_every_transaction_with_its_present_state(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    paid, undone = wallet.bet(session, 1_500, round_id="a"), wallet.bet(session, round_id="b")
    payout = session.credit(700, round_id="a", related_id=paid.transaction_id)
    undo = session.rollback(undone.transaction_id, round_id="b")
    stone = session.rollback("never seen", round_id="c")
    tenant.set_session(session.session_id, loss_limit_minor=0)
    refused = session.debit(round_id="d")
    for command in (payout, undo, stone, refused):
        wallet.run(command)
    rows, _ = wallet.wait(read_page(feed_of(tenant, wallet.database), "0"))
    shown = [(row["transactionId"], row["type"], row["amount"], row["state"], row["balanceAfter"]) for row in rows]
    assert shown == [
        (paid.transaction_id, "debit", 1_500, "settled", "998500"),
        (undone.transaction_id, "debit", 1_000, "rolled_back", "997500"),
        (payout.transaction_id, "credit", 700, "committed", "998200"),
        (undo.transaction_id, "rollback", 1_000, "committed", "999200"),
        (stone.transaction_id, "rollback", 0, "committed", "999200"),
        (refused.transaction_id, "debit", 1_000, "refused", "999200"),
    ]
    assert [row.get("relatedTransactionId") for row in rows] == [None, None, paid.transaction_id, None, None, None]
    assert [row.get("originalTransactionId") for row in rows] == [
        None, None, None, undone.transaction_id, "never seen", None,
    ]  # fmt: skip
    assert {(row["userId"], row["currency"]) for row in rows} == {("1", "USD")}
    assert all(row["at"].endswith("Z") and len(row["at"]) == len("2026-05-01T12:00:00.000Z") for row in rows)


def test_pages_follow_each_other_without_gap_or_overlap(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    booked = [wallet.bet(session).transaction_id for _ in range(7)]
    feed, found, cursor = feed_of(tenant, wallet.database), [], "0"
    for _ in range(5):
        rows, cursor = wallet.wait(read_page(feed, cursor, limit=2))
        found.append([row["transactionId"] for row in rows])
    assert found == [booked[:2], booked[2:4], booked[4:6], booked[6:], []]
    assert wallet.wait(read_page(feed, cursor)) == ([], cursor)


def test_what_commits_late_is_read_late_and_never_skipped(wallet: Wallet, tenant: Tenant) -> None:
    fast, slow = wallet.open_session("1"), wallet.open_session("2")
    before = wallet.bet(fast).transaction_id
    late = slow.debit()
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [late])
        after = [wallet.bet(fast).transaction_id for _ in range(2)]
        seen, cursor = read(wallet)
        assert seen == [before]
        assert read(wallet, cursor) == ([], cursor)
        holder.commit()
    assert read(wallet, cursor)[0] == [late.transaction_id, *after]


def test_a_transaction_that_drew_its_number_long_before_it_booked_is_not_skipped(
    wallet: Wallet, tenant: Tenant
) -> None:
    fast, slow = wallet.open_session("1"), wallet.open_session("2")
    late = slow.debit()
    with held_transaction(tenant) as holder:
        holder.execute("select pg_current_xact_id()")
        after = wallet.bet(fast).transaction_id
        seen, cursor = read(wallet)
        book_in(holder, tenant, [late])
        assert seen == []
        holder.commit()
    assert read(wallet, cursor)[0] == [late.transaction_id, after]


def test_what_was_rolled_back_by_the_database_holds_up_nobody(wallet: Wallet, tenant: Tenant) -> None:
    fast, slow = wallet.open_session("1"), wallet.open_session("2")
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [slow.debit()])
        after = wallet.bet(fast).transaction_id
        assert read(wallet)[0] == []
        holder.rollback()
    assert read(wallet)[0] == [after]


def test_a_reader_beside_many_writers_misses_nothing_and_sees_nothing_twice(wallet: Wallet, tenant: Tenant) -> None:
    writers, bets_each = 4, 60
    for number in range(writers):
        tenant.open_player(f"player {number}")
    sessions = [wallet.open_session(f"player {number}") for number in range(writers)]
    found: list[str] = []

    async def write(ledger: Ledger, session: Session) -> None:
        for _ in range(bets_each):
            await until_answered(ledger, session.debit())

    async def follow(feed: Feed, writing: asyncio.Future[Any]) -> None:
        cursor, ended, rows = "0", False, []
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while rows or not ended:
                # Asked before the page is read: a page that was read after the last commit has everything.
                ended = writing.done()
                rows, cursor = await read_page(feed, cursor, limit=5)
                found.extend(row["transactionId"] for row in rows)

    async def play() -> None:
        async with ledgers(tenant, writers) as processes, databases(tenant, 1) as (reader,):
            writing = asyncio.gather(*map(write, processes, sessions))
            await follow(feed_of(tenant, reader), writing)
            await writing

    wallet.wait(play())
    assert len(found) == len(set(found)) == writers * bets_each
    assert found == [row["transaction_id"] for row in tenant.transactions()]


def test_in_the_feed_the_transactions_of_a_wallet_stand_in_the_order_of_their_numbers(
    wallet: Wallet, tenant: Tenant
) -> None:
    session = wallet.open_session()

    async def play() -> None:
        async with ledgers(tenant, 3) as processes:
            bets = [[session.debit() for _ in range(30)] for _ in processes]
            await asyncio.gather(*map(work, processes, bets))

    async def work(ledger: Ledger, bets: list[Any]) -> None:
        for bet in bets:
            await until_answered(ledger, bet)

    wallet.wait(play())
    assert [row["sequence_no"] for row in tenant.transactions()] == list(range(2, 92))
