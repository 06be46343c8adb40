"""`provider heads` gives each player's newest head, so that `casino check-ledger` notices a chain that was cut."""

from __future__ import annotations

from dataclasses import replace

from provider.audit.queries import newest_heads
from provider.wallet_client.messages import Head
from provider_testing.round_case import OK, RoundCase


async def test_of_each_player_the_newest_head_is_told_whatever_order_the_answers_came_in(case: RoundCase) -> None:
    """Row G8."""
    for sequence in (2, 11, 9):
        await case.debit(replace(OK, head=Head(sequence, f"{sequence:064x}")))
    await case.debit(OK)
    assert [(line["userId"], line["sequence"], line["hash"]) async for line in newest_heads(case.pool, "JAQPOT")] == [
        ("1", 11, f"{11:064x}")
    ]
