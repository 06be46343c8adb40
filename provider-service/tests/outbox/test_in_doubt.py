"""A bet in doubt: what it blocks, and when its rollback is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from provider.outbox.books import NotRecorded, Recorded
from provider.outbox.calls import rollback_id_of
from provider.outbox.recovery import DELIVERIES_MAX
from provider.outbox.sender import Sender
from provider.wallet_client.client import WalletClient
from provider_testing.abandoned_rounds import plant_abandoned_rounds
from provider_testing.fake_wallet import CASINO_SECRET, Exchange, FakeWallet
from provider_testing.round_case import LOST, NO_MONEY, OK, RoundCase, called
from provider_testing.service import serving
from provider_testing.wallet_faults import after_work, cut, stall
from shared_service.http.transport import create_http_client
from shared_service_testing.waiting import until
from shared_signing.keys import Key, KeyRing

MANY = 60
LONG_INTERVAL_SECONDS = 300.0
"""Between two rounds of the outbox: whatever happens in a test happens because somebody woke it."""
STEADY_SECONDS = 0.5


async def refusal_of(work: Any) -> str:
    with pytest.raises(NotRecorded) as refused:
        await work
    return refused.value.code


async def test_a_bet_in_doubt_is_due_to_be_rolled_back_at_once(case: RoundCase) -> None:
    """Row B1. Pitfall 2. Not when its caller's lease has run out."""
    bet = await case.debit(LOST)
    due = await case.books.claim_due({"JAQPOT": 10})
    assert [call.original_transaction_id for call in due] == [bet.transaction_id]
    assert [(call.kind, call.transaction_id == rollback_id_of(bet.transaction_id)) for call in due] == [
        ("rollback", True)
    ]


async def test_a_rollback_goes_before_a_new_bet_of_its_session(case: RoundCase) -> None:
    """Row D3. The bet itself has a known end, only its rollback has not."""
    bet = await case.debit(OK)
    rollback = case.call(
        "rollback", transaction_id=rollback_id_of(bet.transaction_id), original_transaction_id=bet.transaction_id
    )
    await case.books.write_intent(rollback)
    refused = await refusal_of(case.debit())
    await case.books.write_outcome(rollback, called(OK))
    await case.debit(OK)
    assert refused == "session_busy"


async def test_a_late_refusal_does_not_end_a_bet_that_was_given_up(case: RoundCase) -> None:
    """Row A11. Its rollback finds out what became of it; ending it now would hide what that finds."""
    bet = await case.debit()
    await case.end_leases()
    given_up = await case.books.give_up_expired_bets(10)
    late = await case.books.write_outcome(bet, called(NO_MONEY))
    assert (given_up, late, await case.state_of(bet)) == (1, Recorded("pending", False), "pending")


@pytest.mark.parametrize(("lost", "woken"), [(True, 1), (False, 0)], ids=["answer lost", "answer came"])
async def test_a_bet_whose_answer_is_lost_wakes_the_outbox(
    case: RoundCase, wallet: FakeWallet, lost: bool, woken: int
) -> None:
    """Row B1. Pitfall 2. Whichever game played it."""
    if lost:
        wallet.plan("debit", after_work(cut))

    woke: list[bool] = []
    client = WalletClient(
        create_http_client(base_url=wallet.url, call_seconds=30, connect_seconds=30),
        KeyRing([Key("main", CASINO_SECRET)]),
        call_seconds=30,
    )
    await Sender(case.pool, case.books, client, wake=lambda: woke.append(True)).send(case.call("debit"))
    await client.aclose()
    assert len(woke) == woken


async def test_a_wallet_that_hangs_holds_no_more_deliveries_than_the_bound(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Row D1. Every round of the outbox finds more that is due, and must leave it."""
    plant_abandoned_rounds(owner_url, MANY)
    held: list[str] = []

    async def hold(exchange: Exchange) -> None:
        held.append(exchange.call.members["transactionId"])
        await stall(exchange)

    wallet.plan("rollback", hold, times=MANY)

    async with serving(database_url, wallet, call_seconds=60.0):
        await until(lambda: len(held) >= DELIVERIES_MAX)
        await asyncio.sleep(STEADY_SECONDS)  # ten more rounds of the outbox
        count = len(held)
        wallet.forget_plans()
    assert count == DELIVERIES_MAX


async def test_a_backlog_is_worked_off_without_waiting_for_the_next_round(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Row D9. After an outage more is due than is sent at once."""
    plant_abandoned_rounds(owner_url, MANY)

    async with serving(database_url, wallet, outbox_interval_seconds=LONG_INTERVAL_SECONDS):
        await until(lambda: len(wallet.made("rollback")) >= MANY)
    assert len({call.members["transactionId"] for call in wallet.made("rollback")}) == MANY
