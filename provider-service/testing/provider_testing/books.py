"""Checks the invariants of the provider's books, alone and against the wallet's, after all calls have ended."""

from __future__ import annotations

from typing import Any

from provider_testing.service import open_rounds, pending, rows
from provider_testing.wallet_model import WalletModel


def require_sound_books(owner_url: str) -> list[dict[str, Any]]:
    """Check the provider's books alone; returns the transactions."""
    assert pending(owner_url) == []
    assert open_rounds(owner_url) == []
    # Recovery would hide a deadlock, so count them: all functions must lock in one order.
    deadlocks = rows(owner_url, "select deadlocks from pg_stat_database where datname = current_database()")
    assert deadlocks == [{"deadlocks": 0}]
    found = rows(owner_url, "select * from provider.wallet_transactions order by created_at")
    by_id = {row["transaction_id"]: row for row in found}
    rounds = {row["round_id"]: row["state"] for row in rows(owner_url, "select * from provider.rounds")}
    for row in found:
        if row["kind"] == "rollback" and row["state"] == "committed" and row["original_transaction_id"] in by_id:
            assert by_id[row["original_transaction_id"]]["state"] in ("rolled_back", "refused")
        if row["kind"] == "debit" and row["state"] == "rolled_back":
            assert by_id[row["rollback_transaction_id"]]["state"] == "committed"
        if row["kind"] == "debit" and row["state"] == "settled":
            assert rounds[row["round_id"]] == "settled"
    return found


def require_agreement(owner_url: str, model: WalletModel) -> None:
    """Check that both sides agree on every transaction, and that the balance is the sum of the transactions."""
    found = require_sound_books(owner_url)
    ours = {str(row["transaction_id"]): row for row in found}
    for transaction_id, theirs in model.transactions.items():
        row = ours[transaction_id]  # every sent call was recorded before
        assert row["kind"] == theirs.kind
        if theirs.kind == "debit":
            live = row["state"] in ("committed", "settled")
            assert live == (theirs.state == "committed"), (row, theirs)
        else:
            assert row["state"] == "committed", (row, theirs)
    for transaction_id, row in ours.items():
        if row["state"] in ("committed", "settled"):
            assert transaction_id in model.transactions, row
    assert model.balance_minor == model.start_minor - model.live_bets() + model.payouts()


def states(owner_url: str) -> list[tuple[str, str]]:
    """Kind and state of every transaction, oldest first."""
    query = "select kind, state from provider.wallet_transactions order by created_at, kind"
    return [(row["kind"], row["state"]) for row in rows(owner_url, query)]
