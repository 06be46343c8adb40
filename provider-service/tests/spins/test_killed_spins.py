"""kill -9 of the provider at each call of a spin: afterwards the same spin id has one outcome for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_testing.books import require_agreement
from provider_testing.fake_wallet import Exchange, FakeWallet, Fault
from provider_testing.process import ProviderProcess
from provider_testing.service import Running, end_leases, settled, signed_client
from provider_testing.spinning import code_of, require_fair_draws, spin
from provider_testing.wallet_faults import after_work, stall
from shared_service_testing.waiting import until

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


async def launched(client: httpx.AsyncClient) -> dict[str, Any]:
    """Launch a session; the body that its spins need."""
    return await Running(client, None).launch()


async def spin_until_killed(url: str, session: dict[str, Any], spin_id: str) -> httpx.Response | None:
    """The answer of a spin, or None when the kill was faster."""
    async with signed_client(base_url=url) as client:
        try:
            return await spin(Running(client, None), session, spinId=spin_id)
        except httpx.TransportError:
            return None


@pytest.mark.parametrize("when", [(call, moment) for call in ("debit", "credit") for moment in MOMENTS], ids=", ".join)
async def test_a_spin_has_one_outcome_whenever_its_provider_is_killed(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path, when: tuple[str, str]
) -> None:
    call, moment = when
    with ProviderProcess(database_url, wallet.url, tmp_path / "first.log") as first:
        async with signed_client(base_url=first.url) as client:
            session = await launched(client)
        wallet.plan(call, MOMENTS[moment])
        if call == "debit":
            wallet.plan("credit", stall, times=10)  # no further than its intent, however late the kill
        playing = asyncio.create_task(spin_until_killed(first.url, session, "s-1"))
        await until(wallet.reached.is_set)
        first.kill()
        answered = await asyncio.wait_for(playing, WAIT_SECONDS)
    if (call, moment) != ("credit", "after the answer"):  # there the spin may be over before the kill
        assert answered is None
    wallet.forget_plans()
    with ProviderProcess(database_url, wallet.url, tmp_path / "second.log") as second:
        async with signed_client(base_url=second.url) as client:
            provider = Running(client, None)
            if moment != "after the answer":  # else the answer may have been written down before the kill
                assert code_of(await spin(provider, session, spinId="s-1")) == (409, "session_busy")
            end_leases(owner_url)
            await settled(owner_url)
            answers = [await spin(provider, session, spinId="s-1") for _ in range(2)]
            codes = {code_of(answer) for answer in answers}
            expected = {(502, "operator_unreachable")} if call == "debit" else {(200, "ok")}
            if (call, moment) == ("debit", "after the answer"):  # the payout may have been written down before the kill
                expected = codes & {(502, "operator_unreachable"), (200, "ok")}
            assert codes == expected
            assert len(codes) == 1
            draws = require_fair_draws(owner_url)
            if codes == {(200, "ok")}:
                assert answers[0].content == answers[1].content
                assert answered is None or answered.content == answers[0].content
                assert [draw["events"] for draw in draws] == [answers[0].json()["events"]]
            else:
                assert draws == []
                assert wallet.model.balance_minor == wallet.model.start_minor
            assert (await spin(provider, session, spinId="s-2")).status_code == 200
    counters = [draw["counter"] for draw in require_fair_draws(owner_url)]
    assert counters == list(range(len(draws) + 1))
    require_agreement(owner_url, wallet.model)


async def test_a_provider_killed_before_it_records_the_payout_tells_what_it_drew(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    """The wallet has paid; the next process gets the wallet's first answer again."""
    wallet.plan("credit", after_work(stall))
    with ProviderProcess(database_url, wallet.url, tmp_path / "first.log") as first:
        async with signed_client(base_url=first.url) as client:
            session = await launched(client)
        playing = asyncio.create_task(spin_until_killed(first.url, session, "s-1"))
        await until(wallet.reached.is_set)
        (draw,) = require_fair_draws(owner_url)
        first.kill()
        assert await asyncio.wait_for(playing, WAIT_SECONDS) is None
    wallet.forget_plans()
    end_leases(owner_url)
    with ProviderProcess(database_url, wallet.url, tmp_path / "second.log") as second:
        await settled(owner_url)
        async with signed_client(base_url=second.url) as client:
            answer = await spin(Running(client, None), session, spinId="s-1")
    assert answer.json()["events"] == draw["events"]
    assert answer.json()["balance"] == str(wallet.model.balance_minor)
    assert len({each.members["transactionId"] for each in wallet.made("credit")}) == 1
    require_agreement(owner_url, wallet.model)
