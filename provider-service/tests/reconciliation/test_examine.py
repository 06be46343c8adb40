"""Reconciliation looks again before it reports: what changed while it asked is no difference."""

from __future__ import annotations

import psycopg

from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.reconciling import play, reconciled, transaction_of


async def test_what_changed_while_it_was_looked_at_is_looked_at_again(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Row G7. The wallet's answer is of a moment ago, and these books have moved on since."""
    await play(database_url, wallet)
    bet = transaction_of(owner_url, "debit", "settled")["transaction_id"]
    wallet.model.drifts[str(bet)] = {"state": "committed"}

    async def answer_while_it_changes(exchange: Exchange) -> None:
        stale = exchange.execute()
        wallet.model.drifts.clear()
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute(
                "update provider.wallet_transactions set outcome_code = 'replayed' where transaction_id = %s", (bet,)
            )
        await exchange.send(stale)

    wallet.plan("transaction", answer_while_it_changes)
    assert (await reconciled(database_url, wallet, heals=False))["differences"] == []
    assert len(wallet.made("transaction")) == 2
