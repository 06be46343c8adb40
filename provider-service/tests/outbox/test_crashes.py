"""kill -9 of the provider at every call of a round, before the wallet's work, after it, and after its answer."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from provider_testing.books import require_agreement
from provider_testing.fake_wallet import Exchange, FakeWallet, Fault
from provider_testing.process import ProviderProcess
from provider_testing.service import end_leases, rows, settled, signed_client
from provider_testing.service import fresh_launch as launch_body
from provider_testing.wallet_faults import after_work, hold, stall
from shared_service_testing.sampling import IS_NIGHTLY, sampled
from shared_service_testing.waiting import until

CALLS = [
    "balance",
    "bet 1",
    "bet 2",
    "rollback of bet 2",
    "payout",
    "final balance",
    "repeated bet 1",
    "balance after it",
    "tombstone",
    "refused rollback",
    "last balance",
]
PAYOUT = CALLS.index("payout")
FIRST_BOOKINGS = {"bet 1", "bet 2", "rollback of bet 2", "payout"}
"""Calls that move money for the first time."""
KILLED_AT = CALLS if IS_NIGHTLY else [call for call in CALLS if call in {"balance", "repeated bet 1", *FIRST_BOOKINGS}]
WAIT_SECONDS = 60


async def answer_first(exchange: Exchange) -> None:
    """The wallet works and answers; the test kills as soon as it knows."""
    await exchange.send(exchange.execute())
    exchange.wallet.reached.set()


MOMENTS: dict[str, Fault] = {
    "before the work": stall,
    "after the work": after_work(stall),
    "after the answer": answer_first,
}


def moments_of(call: str) -> list[str]:
    """When the provider is killed at this call. A look at the balance has no work that could be done or not."""
    if "balance" in call:
        return ["before the work"]
    return sampled(MOMENTS, 2, seed=call) if call in FIRST_BOOKINGS or IS_NIGHTLY else ["after the work"]


async def start_a_round(url: str) -> None:
    async with signed_client(base_url=url) as client:
        asked = launch_body()
        launched = (await client.post("/provider/launch", json=asked)).json()
        body = asked | {"providerSessionId": launched["providerSessionId"]}
        with pytest.raises(httpx.TransportError):
            await client.post("/provider/simulate", json=body)


async def reached(wallet: FakeWallet) -> None:
    """Wait until a planned fault has begun."""
    await until(wallet.reached.is_set)


@pytest.mark.parametrize("call", KILLED_AT)
async def test_a_provider_killed_at_any_call_of_a_round_leaves_nothing_open(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path, call: str
) -> None:
    """Row A2. The process that recovers is the next that is killed."""
    number = CALLS.index(call)
    with ExitStack() as processes:
        provider = processes.enter_context(ProviderProcess(database_url, wallet.url, tmp_path / "first.log"))
        for moment in moments_of(call):
            start_minor = wallet.model.balance_minor
            wallet.reached.clear()
            wallet.plan("*", MOMENTS[moment], skip=number)
            wallet.plan("*", stall, skip=number, times=len(CALLS))  # the round goes no further, however late the kill
            playing = asyncio.create_task(start_a_round(provider.url))
            await reached(wallet)
            provider.kill()
            await asyncio.wait_for(playing, WAIT_SECONDS)
            wallet.forget_plans()
            end_leases(owner_url)
            log = tmp_path / f"{moment}.log"
            provider = processes.enter_context(ProviderProcess(database_url, wallet.url, log))
            await settled(owner_url)
            profit = wallet.model.balance_minor - start_minor
            if moment == "after the answer" and number == PAYOUT - 1:
                assert profit in (0, 1000)  # the next call, the payout, may have been written down before the kill
            else:
                assert profit == (0 if number < PAYOUT else 1000), moment
            require_agreement(owner_url, wallet.model)
        assert await asyncio.to_thread(provider.terminate) == 0


async def test_a_provider_killed_while_the_wallet_is_away_goes_on_where_it_stood(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    wallet.plan("debit", after_work(stall))
    wallet.plan("rollback", stall, times=3)
    with ProviderProcess(database_url, wallet.url, tmp_path / "first.log") as first:
        playing = asyncio.create_task(start_a_round(first.url))
        await reached(wallet)
        first.kill()
        await asyncio.wait_for(playing, WAIT_SECONDS)
    wallet.reached.clear()
    end_leases(owner_url)
    with ProviderProcess(database_url, wallet.url, tmp_path / "second.log"):
        await reached(wallet)
    wallet.forget_plans()
    end_leases(owner_url)
    with ProviderProcess(database_url, wallet.url, tmp_path / "third.log"):
        await settled(owner_url)
    assert wallet.model.balance_minor == wallet.model.start_minor
    assert len({call.members["transactionId"] for call in wallet.made("rollback")}) == 1
    require_agreement(owner_url, wallet.model)


async def test_a_round_under_way_is_finished_before_a_terminated_provider_ends(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    wallet.plan("debit", hold)
    statuses: list[int] = []

    async def play(url: str) -> None:
        async with signed_client(base_url=url) as client:
            asked = launch_body()
            launched = (await client.post("/provider/launch", json=asked)).json()
            body = asked | {"providerSessionId": launched["providerSessionId"]}
            statuses.append((await client.post("/provider/simulate", json=body)).status_code)

    with ProviderProcess(database_url, wallet.url, tmp_path / "log") as provider:
        playing = asyncio.create_task(play(provider.url))
        await reached(wallet)
        provider.ask_to_end()
        await until(lambda: not provider.listens())
        wallet.forget_plans()
        assert await asyncio.to_thread(provider.terminate) == 0
        await asyncio.wait_for(playing, WAIT_SECONDS)
    assert statuses == [200]
    assert rows(owner_url, "select state from provider.rounds") == [{"state": "settled"}]
    require_agreement(owner_url, wallet.model)


async def test_a_provider_that_slept_longer_than_its_lease_does_not_undo_what_recovery_did(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    async def answer_late(exchange: Exchange) -> None:
        answer = exchange.execute()
        await exchange.stall()
        await exchange.send(answer)

    wallet.plan("debit", answer_late, skip=1)
    reports: list[dict[str, object]] = []

    async def play(url: str) -> None:
        async with signed_client(base_url=url) as client:
            asked = launch_body()
            launched = (await client.post("/provider/launch", json=asked)).json()
            body = asked | {"providerSessionId": launched["providerSessionId"]}
            reports.append((await client.post("/provider/simulate", json=body)).json())

    with ProviderProcess(database_url, wallet.url, tmp_path / "sleeper.log") as sleeper:
        playing = asyncio.create_task(play(sleeper.url))
        await reached(wallet)
        sleeper.pause()
        end_leases(owner_url)
        with ProviderProcess(database_url, wallet.url, tmp_path / "other.log"):
            await settled(owner_url)
        wallet.forget_plans()
        sleeper.go_on()
        await asyncio.wait_for(playing, WAIT_SECONDS)
        await settled(owner_url)
    assert [report["passed"] for report in reports] == [False]
    assert wallet.model.balance_minor == wallet.model.start_minor
    assert wallet.made("credit") == []
    require_agreement(owner_url, wallet.model)
