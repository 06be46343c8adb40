"""The calls of one round in their order: when an outcome is recorded, and when the next call is not sent."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from provider.outbox.books import NotRecorded
from provider.outbox.calls import MoneyCall
from provider.outbox.sender import Sender
from provider.outbox.sequence import CallSequence
from provider.wallet_client.client import WalletClient
from provider.wallet_client.outcomes import Accepted, Unknown
from provider_testing.fake_wallet import FakeWallet
from provider_testing.round_case import RoundCase, paying, row_of, undoing
from provider_testing.service import CASINO_KEY, rows
from provider_testing.wallet_faults import after_work, cut
from shared_service.http.transport import create_http_client
from shared_service_testing.waiting import until
from shared_signing.keys import KeyRing


@pytest.fixture
async def calls(case: RoundCase, wallet: FakeWallet) -> AsyncIterator[CallSequence]:
    http = create_http_client(base_url=wallet.url, call_seconds=30, connect_seconds=30)
    client = WalletClient(http, KeyRing([CASINO_KEY]), call_seconds=30)
    yield CallSequence(case.books, Sender(case.pool, case.books, client, wake=lambda: None))
    await client.aclose()


async def given_up(case: RoundCase) -> None:
    """Recovery in another process was faster, because the lease ended."""
    await case.end_leases()
    assert await case.books.give_up_expired_bets(10) == 1


async def test_every_call_is_recorded_before_it_is_sent_and_its_outcome_with_the_next(
    case: RoundCase, calls: CallSequence, wallet: FakeWallet, owner_url: str
) -> None:
    bet = case.call("debit")
    payout = paying(case, bet, end_round=True)
    assert isinstance(await calls.send(bet), Accepted)
    assert await case.state_of(bet) == "pending", "its outcome waits for the next intent"
    assert isinstance(await calls.send(payout), Accepted)
    assert (await case.state_of(bet), await case.state_of(payout)) == ("committed", "pending")
    await calls.finish()
    await calls.finish()
    assert (await case.state_of(bet), await case.state_of(payout)) == ("settled", "committed")
    assert [call.members["transactionId"] for call in wallet.calls] == [
        str(bet.transaction_id),
        str(payout.transaction_id),
    ]
    assert (
        rows(owner_url, "select deliveries, attempts from provider.wallet_transactions")
        == [{"deliveries": 1, "attempts": 1}] * 2
    )


@pytest.mark.parametrize("is_last", [False, True])
async def test_an_outcome_does_not_wait_for_a_wait_that_takes_long(
    case: RoundCase, calls: CallSequence, *, is_last: bool
) -> None:
    bet = case.call("debit")
    await calls.send(bet)

    async def is_recorded() -> bool:
        return await case.state_of(bet) == "committed"

    async with calls.while_holding(is_last=is_last):
        await until(is_recorded)


async def test_a_short_wait_leaves_the_outcome_to_the_next_intent(case: RoundCase, calls: CallSequence) -> None:
    bet = case.call("debit")
    await calls.send(bet)
    async with calls.while_holding():
        pass
    assert await case.state_of(bet) == "pending"


async def test_a_call_after_a_bet_that_was_given_up_is_not_sent(
    case: RoundCase, calls: CallSequence, wallet: FakeWallet
) -> None:
    bet = case.call("debit")
    await calls.send(bet)
    await given_up(case)
    for following in (paying(case, bet), case.call("debit")):
        with pytest.raises(NotRecorded) as refused:
            await calls.send(following)
        assert refused.value.code in ("given_up", "session_busy")
    assert len(wallet.calls) == 1


async def test_an_acceptance_that_came_too_late_is_told_in_the_end(case: RoundCase, calls: CallSequence) -> None:
    await calls.send(case.call("debit"))
    await given_up(case)
    with pytest.raises(NotRecorded, match="given_up"):
        await calls.finish()
    await calls.finish()


async def test_a_lost_answer_is_recorded_before_the_next_call(
    case: RoundCase, calls: CallSequence, wallet: FakeWallet, owner_url: str
) -> None:
    wallet.plan("debit", after_work(cut))
    bet = case.call("debit")
    assert isinstance(await calls.send(bet), Unknown)
    with pytest.raises(NotRecorded, match="session_busy"):
        await calls.send(case.call("debit"))
    assert row_of(owner_url, bet.transaction_id)["in_doubt_at"] is not None


async def test_a_repeated_call_leaves_its_attempts_with_the_outcome_before(
    case: RoundCase, calls: CallSequence, owner_url: str
) -> None:
    bet: MoneyCall = case.call("debit")
    await calls.send(bet)
    rollback = undoing(case, bet)
    await calls.send(rollback)
    await calls.repeat(bet)
    assert await case.state_of(rollback) == "pending"
    await calls.send(case.call("rollback", transaction_id=uuid.uuid4(), original_transaction_id=uuid.uuid4()))
    assert await case.state_of(rollback) == "committed"
    counts = rows(owner_url, "select count(*) from provider.wallet_attempts group by transaction_id order by 1")
    assert [row["count"] for row in counts] == [1, 2]
