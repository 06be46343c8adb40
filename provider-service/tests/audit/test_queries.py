"""Which head of a player's chain is handed to `casino check-ledger`: the newest, or a cut tail would not be missed."""

from __future__ import annotations

from dataclasses import replace

from provider.audit.queries import newest_heads
from provider.wallet_client.messages import Head
from provider_testing.books_desk import OK, Desk


async def test_of_each_player_the_newest_head_is_told_whatever_order_the_answers_came_in(desk: Desk) -> None:
    """Row G8."""
    for sequence in (2, 11, 9):
        await desk.debit(replace(OK, head=Head(sequence, f"{sequence:064x}")))
    await desk.debit(OK)
    assert [(line["userId"], line["sequence"], line["hash"]) async for line in newest_heads(desk.pool)] == [
        ("1", 11, f"{11:064x}")
    ]
