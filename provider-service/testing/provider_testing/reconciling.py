"""Runs reconciliation in the test's event loop against the fake wallet."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from provider.casinos.registry import Casino
from provider.reconciliation.queries import ReconciliationBooks
from provider.reconciliation.report import report_of
from provider.reconciliation.run import Progress
from provider.reconciliation.serving import reconcile
from provider.sessions.sealing import sealer_for
from provider.sql.schema import database_for
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import rows, serving, settings_for
from shared_service.postgres.database import Database
from shared_signing.keys import KeyRing


async def reconciled(database_url: str, wallet: FakeWallet, *, heals: bool = True, **changed: Any) -> dict[str, Any]:
    """One run; returns its report."""
    settings = settings_for(database_url, wallet.url, **changed)
    async with database_for(settings) as pool:
        books = ReconciliationBooks(pool, settings.casino_code)
        run_id = await books.begin("test", heals=heals, scheduled_for=None)
        assert run_id is not None, "another run is under way"
        casino, sealer = Casino(settings.casino_code, wallet.url, KeyRing(settings.casino_keys)), sealer_for(settings)
        status = await reconcile(settings, pool, Progress(run_id), casino=casino, sealer=sealer, heals=heals)
        return await report_of(books, run_id, exit_status=status)


async def play(database_url: str, wallet: FakeWallet, *, rounds: int = 1, passes: bool = True) -> None:
    """Play scripted rounds, each in a session of its own."""
    async with serving(database_url, wallet) as provider:
        for _ in range(rounds):
            assert (await provider.simulate())["passed"] is passes


def kinds(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Kind and transaction of every difference, sorted."""
    return sorted((each["kind"], each["transactionId"]) for each in report["differences"])


def transaction_of(owner_url: str, kind: str, state: str = "committed") -> dict[str, Any]:
    """The first transaction of a kind and a state in these books."""
    query = "select * from provider.wallet_transactions where kind = %s and state = %s order by created_at limit 1"
    return rows(owner_url, query, kind, state)[0]


async def with_books(database_url: str, work: Callable[[ReconciliationBooks, Database], Awaitable[Any]]) -> Any:
    """Work with runs, without a wallet."""
    async with database_for(settings_for(database_url, "http://unused")) as pool:
        return await work(ReconciliationBooks(pool, "JAQPOT"), pool)


def change(owner_url: str, statement: str, *values: Any) -> None:
    """Change rows as a database administrator could, without foreign key checks."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        assert connection.execute(statement, values).rowcount > 0, statement


def sent_by_hand(wallet: FakeWallet, round_id: str, **changed: Any) -> str:
    """Make the wallet take a bet that these books did not send; returns its id."""
    asked = {"sessionToken": "t", "userId": "1", "transactionId": str(uuid.uuid4()), "roundId": round_id, "amount": 700}
    assert wallet.model.execute("debit", asked | changed)[0] == 200
    return str((asked | changed)["transactionId"])
