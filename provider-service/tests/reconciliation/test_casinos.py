"""Reconciliation with several casinos: runs of their own, and no casino's feed reaches another's transactions."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import psycopg

from provider.outbox.backoff import Backoff
from provider.outbox.books import Books
from provider.reconciliation.queries import ReconciliationBooks
from provider.reconciliation.run import NO_ID
from provider.sessions.sealing import sealer_for
from provider.sql.schema import database_for
from provider_testing.casinos import OTHER, OWN, due_payout, round_of
from provider_testing.fake_wallet import FakeWallet
from provider_testing.reconciling import kinds, reconciled, sent_by_hand
from provider_testing.round_case import OK, RoundCase
from provider_testing.service import rows, settings_for

OLD_BEGIN = "select provider.begin_run('before', true, 60, null, 1, 0)"


async def test_casinos_are_reconciled_side_by_side_and_each_once(case: RoundCase) -> None:
    own, other = (ReconciliationBooks(case.pool, code) for code in (OWN, OTHER))
    first = await own.begin("p", heals=True, scheduled_for=None)
    assert first is not None
    assert await own.begin("p", heals=True, scheduled_for=None) is None
    assert await other.begin("p", heals=True, scheduled_for=None) is not None
    await own.end(first, None)
    assert await own.begin("p", heals=True, scheduled_for=None) is not None


async def test_each_casino_has_its_own_night(case: RoundCase, owner_url: str) -> None:
    tonight = datetime.now(UTC) + timedelta(hours=1)
    for code in (OWN, OTHER):
        books = ReconciliationBooks(case.pool, code)
        run_id = await books.begin("p", heals=True, scheduled_for=tonight)
        assert run_id is not None
        await books.end(run_id, None)
        assert await books.begin("p", heals=True, scheduled_for=tonight) is None
        assert await books.begin("p", heals=True, scheduled_for=tonight - timedelta(days=1)) is None, "not known then"


async def test_a_run_of_the_release_before_excludes_all_and_is_excluded(case: RoundCase, owner_url: str) -> None:
    own = ReconciliationBooks(case.pool, OWN)
    with psycopg.connect(owner_url, autocommit=True) as before:
        (old,) = before.execute(OLD_BEGIN).fetchone() or (None,)
        assert old is not None
        assert await own.begin("p", heals=True, scheduled_for=None) is None
        before.execute("select provider.end_run(%s, null)", (old,))
        new = await own.begin("p", heals=True, scheduled_for=None)
        assert new is not None
        assert before.execute(OLD_BEGIN).fetchone() == (None,)
        await own.end(new, None)
        await round_of(case.pool, case.books, OTHER)
        assert before.execute(OLD_BEGIN).fetchone() == (None,), "it knows one wallet, and these books have two casinos"


async def test_the_books_of_one_casino_show_nothing_of_another(case: RoundCase, owner_url: str) -> None:
    """A feed may name any id. What it says of another casino's transactions proves nothing and changes nothing."""
    bet = await case.debit(OK)
    payout = await due_payout(case, OWN)
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.wallet_transactions set difference_code = 'x' where kind = 'debit'")
    own, other = (ReconciliationBooks(case.pool, code) for code in (OWN, OTHER))
    now, seen = datetime.now(UTC) + timedelta(hours=1), {}
    for name, books in (("own", own), ("other", other)):
        run_id = await books.begin("p", heals=True, scheduled_for=None)
        assert run_id is not None
        page = await books.unseen_page(run_id, NO_ID, now, 100)
        seen[name] = (
            len(await books.ours([bet.transaction_id, payout])),
            await books.call_of(payout) is not None,
            await books.unpaid_round_session(case.round_id, "1") is not None,
            len(await books.contradictions_page(NO_ID, 100)),
            sum(lacking for _, _, lacking in page),
            await books.is_anothers(payout),
        )
    assert seen == {"own": (2, True, True, 2, 3, False), "other": (0, False, False, 0, 0, True)}


async def test_hastening_is_for_one_casino(case: RoundCase, owner_url: str) -> None:
    await due_payout(case, OWN)
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "update provider.wallet_transactions set due_at = now() + interval '1 hour' where kind = 'credit'"
        )
    own, other = (ReconciliationBooks(case.pool, code) for code in (OWN, OTHER))
    assert (await other.hasten_due(10), await own.hasten_due(10)) == (0, 1)


async def test_what_two_feeds_show_is_kept_apart(case: RoundCase) -> None:
    one, two = [uuid.uuid4() for _ in range(2)]
    books = ReconciliationBooks(case.pool, OWN)
    assert await books.mark_seen(1, [one, two]) == {one, two}
    assert await books.mark_seen(1, [one, two]) == set()
    assert await books.mark_seen(2, [two]) == {two}


async def test_a_feed_that_names_another_casinos_bet_takes_nothing_back(database_url: str, owner_url: str) -> None:
    """Else its rollback would take the id of the other casino's rollback, and end that casino's bet."""
    with FakeWallet() as other:
        settings = settings_for(database_url, other.url)
        async with database_for(settings) as pool:
            books = Books(pool, lease_seconds=60.0, backoff=Backoff(0.1))
            bet = await (await round_of(pool, books, OWN)).debit(OK)
            unpaid = await round_of(pool, books, OTHER, token_sealed=sealer_for(settings).seal("t"))
        sent_by_hand(other, str(unpaid.round_id), transactionId=str(bet.transaction_id))
        report = await reconciled(database_url, other, casino_code=OTHER)
        assert other.made("rollback") == []
    assert (kinds(report), report["healed"]) == ([("missing_here", str(bet.transaction_id))], 0)
    found = rows(owner_url, "select transaction_id, state from provider.wallet_transactions")
    assert found == [{"transaction_id": bet.transaction_id, "state": "committed"}]
