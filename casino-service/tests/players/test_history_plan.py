"""The first page of a player's rounds reads as many rounds as it shows, however many there were."""

from __future__ import annotations

import json
from typing import Any, Final

from casino.players.records import HISTORY
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet, new_id

ROUNDS: Final = 80
SHOWN: Final = 5


def scans(plan: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """The nodes of a plan that read a table."""
    own = [plan] if plan.get("Relation Name") == table else []
    return own + [found for below in plan.get("Plans", []) for found in scans(below, table)]


def test_a_page_reads_no_more_rounds_than_it_shows(tenant: Tenant, wallet: Wallet) -> None:
    """Red before: the rounds of a player were all read and sorted, although an index has their order."""
    session = wallet.open_session("1")
    for _ in range(ROUNDS):
        wallet.bet(session, round_id=new_id("round"))
    before = {"before_at": "9998-01-01", "before_id": "~"}
    values = {"ledger": tenant.ledger_id, "player": "1", "limit": SHOWN + 1, **before}
    tenant.sql("analyze casino.rounds")
    (row,) = tenant.sql("explain (analyze, format json) " + HISTORY, values)
    plan = row["QUERY PLAN"]
    (found,) = scans((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], "rounds")
    assert (found.get("Index Name"), found["Actual Rows"] <= SHOWN + 2) == ("rounds_newest", True), found
