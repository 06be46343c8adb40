"""Connections to the wallet that are kept for the next call, and closed by the wallet in the meantime.

Row B12. Ids make a repetition harmless; what must not happen is that a player sees an error of an idle connection, or
that a call that may have arrived counts as one that did not.
"""

from __future__ import annotations

import asyncio

import pytest

from provider_testing.books import require_agreement
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.service import rows, serving, settled
from shared_service_testing.waiting import until

CALLS = 40
ROUNDS_MAX = 100
IDLE_SECONDS = 0.2
ROUND_CALLS = 11
"""Calls of a scripted round: nine steps, two of which ask for the balance besides."""


async def answer_and_close(exchange: Exchange) -> None:
    """Answer well, and close the connection without having said so."""
    await exchange.send(exchange.execute())
    exchange.cut()
    await exchange.writer.wait_closed()
    exchange.wallet.reached.set()


async def test_a_connection_that_was_closed_while_it_was_idle_costs_no_call(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("*", answer_and_close, skip=ROUND_CALLS - 1)

    async with serving(database_url, wallet) as provider:
        passed = [(await provider.simulate())["passed"]]
        await until(wallet.reached.is_set)
        await asyncio.sleep(IDLE_SECONDS)
        assert [*passed, (await provider.simulate())["passed"]] == [True, True]
    assert len(wallet.calls) == ROUND_CALLS * 2
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize("pause_seconds", [0.0, 0.0005, 0.002])
async def test_a_connection_that_is_closed_while_it_is_written_to_leaves_both_books_in_agreement(
    database_url: str, owner_url: str, wallet: FakeWallet, pause_seconds: float
) -> None:
    """The wallet closes just as the next call may be leaving: that one counts as unknown, never as not sent."""

    async def close_a_moment_later(exchange: Exchange) -> None:
        await exchange.send(exchange.execute())
        await asyncio.sleep(pause_seconds)
        exchange.reset()

    wallet.plan("*", close_a_moment_later, times=CALLS)

    async def run() -> None:
        async with serving(database_url, wallet) as provider:
            for _ in range(ROUNDS_MAX):
                await provider.simulate()
                await settled(owner_url)
                if len(wallet.calls) >= CALLS:
                    return

    await run()
    assert len(wallet.calls) >= CALLS, "the race was never run"
    require_agreement(owner_url, wallet.model)
    bets = rows(owner_url, "select state from provider.wallet_transactions where kind = 'debit'")
    assert {bet["state"] for bet in bets} <= {"settled", "rolled_back"}
