"""Too much to do: refused before any work, priority for what is owed, and no second collapse when a wallet is back.

Row D1, Row D3, Row D9.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import psycopg
import pytest
from tenacity import AsyncRetrying, Future, RetryCallState

from provider.outbox.recovery import DELIVERIES_MAX
from provider.wallet_client.client import _pause
from provider.wallet_client.outcomes import UNREACHABLE, Retryable, Unknown
from provider_testing.books import require_agreement
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import Running, fresh_launch, pending, rows, serving, settings_for, settled
from provider_testing.wallet_faults import answering, cut, stall
from shared_service.http.transport import CONNECTIONS_MAX
from shared_service_testing.waiting import until

PATIENCE_SECONDS = 60.0
OFTEN = 10_000


def require_shed(answer: httpx.Response, signature: str = "missing") -> None:
    """Refused before any work: as JSON, with the time to wait. Unsigned where nothing was looked at."""
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert answer.extensions["signature"] == signature


async def reached(wallet: FakeWallet) -> None:
    assert await asyncio.to_thread(wallet.reached.wait, PATIENCE_SECONDS)


async def test_a_round_beyond_the_bound_is_refused_before_any_work_and_the_next_is_played(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    async with serving(database_url, wallet, rounds_max=1, call_seconds=60.0) as provider:
        held, refused = await provider.launch(), await provider.launch(userId="2")
        wallet.plan("getBalance", stall)
        playing = asyncio.create_task(provider.simulate(held))
        await reached(wallet)
        for _ in range(5):
            require_shed(await provider.client.post("/provider/simulate", json=refused), "good")
        assert (await provider.client.post("/provider/launch", json=fresh_launch())).status_code == 200
        wallet.forget_plans()
        await playing
        assert (await provider.simulate(refused))["passed"] is True
        await settled(owner_url)
    assert {call.members["userId"] for call in wallet.calls} == {"1", "2"}
    (count,) = rows(owner_url, "select count(*) as rounds from provider.rounds")
    assert count["rounds"] == 2, "a refused round is not even written down"


async def test_a_request_beyond_the_bound_is_refused_and_health_is_not(database_url: str, wallet: FakeWallet) -> None:
    async with serving(database_url, wallet, requests_max=2, call_seconds=60.0) as provider:
        sessions = [await provider.launch(userId=str(number)) for number in range(2)]
        wallet.plan("getBalance", stall, times=2)
        playing = [asyncio.create_task(provider.simulate(session)) for session in sessions]
        await reached(wallet)
        await until(lambda: len(wallet.made("getBalance")) == 2)
        require_shed(await provider.client.post("/provider/launch", json=fresh_launch()))
        for path in ("/health/live", "/health/ready"):
            assert (await provider.client.get(path)).status_code == 200
        wallet.forget_plans()
        await asyncio.gather(*playing)
        assert (await provider.client.post("/provider/launch", json=fresh_launch())).status_code == 200


def test_the_bounds_leave_connections_to_the_wallet_for_what_is_owed() -> None:
    settings = settings_for("postgresql://nowhere", "http://nowhere")
    assert settings.rounds_max + DELIVERIES_MAX <= CONNECTIONS_MAX
    assert settings.rounds_max < settings.requests_max


async def test_what_is_owed_goes_out_while_new_requests_have_used_every_connection_to_the_database(
    database_url: str, owner_url: str, wallet: FakeWallet, patience: pytest.MonkeyPatch
) -> None:
    """Row D1: the pool is exhausted; requests fail fast, and the rollback of a bet does not wait for them."""

    patience.setattr("provider.sql.schema.POOL_WAIT_SECONDS", 1.0)

    async with serving(database_url, wallet, pool_max=2) as provider:
        await provider.ready()
        wallet.plan("debit", cut)
        wallet.plan("rollback", cut, times=OFTEN)
        report = await provider.simulate()
        assert report["passed"] is False
        assert {row["kind"] for row in pending(owner_url)} == {"debit", "rollback"}
        with psycopg.connect(owner_url) as holder:
            holder.execute("lock table provider.nonces in exclusive mode")  # every request writes a nonce first
            flood = [asyncio.create_task(_launch(provider)) for _ in range(40)]
            await until(lambda: len(rows(owner_url, "select" + FROM_WAITING)) == 2)
            wallet.forget_plans()
            await until(lambda: not pending(owner_url))
            assert not all(each.done() for each in flood), "it was done while they waited"
            holder.rollback()
            answers = await asyncio.gather(*flood)
        assert (await provider.client.post("/provider/launch", json=fresh_launch())).status_code == 200
    verdicts = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    assert verdicts.keys() <= {(200, None), (503, "overloaded")}
    (count,) = rows(owner_url, "select count(*) as sessions from provider.game_sessions")
    launched = 2 + verdicts[200, None]
    assert count["sessions"] == launched, "no session of a request that was told that nothing was done"
    require_agreement(owner_url, wallet.model)


FROM_WAITING = " from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
"""Those two that hold a connection; the others wait for one, and not for long."""


async def _launch(provider: Running) -> httpx.Response:
    return await provider.client.post("/provider/launch", json=fresh_launch())


def waits(*, attempt: int, after_seconds: float, count: int = 500) -> list[float]:
    """How long so many callers wait after the same refusal."""
    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = attempt
    state.outcome = Future(attempt)
    state.outcome.set_result(Retryable(Unknown(UNREACHABLE, "status 503"), after_seconds=after_seconds))
    return sorted(_pause(state) for _ in range(count))


@pytest.mark.parametrize("after_seconds", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("attempt", [1, 4, 10])
def test_callers_who_were_sent_away_together_do_not_come_back_together(attempt: int, after_seconds: float) -> None:
    """Row D9: none comes before it was told to, and no tenth of the time in which they come has a third of them."""
    found = waits(attempt=attempt, after_seconds=after_seconds)
    assert found[0] >= after_seconds
    assert found[-1] <= max(after_seconds * 1.5, 1.7)
    if after_seconds or attempt == 1:
        window = (found[-1] - found[0]) / 10
        fullest = max(sum(start <= wait < start + window for wait in found) for start in found)
        assert fullest < len(found) / 3


async def test_a_wallet_that_comes_back_from_an_outage_is_not_overrun_by_what_waited_for_it(
    database_url: str, owner_url: str, wallet: FakeWallet, deadlines: Deadlines
) -> None:
    """Row D9: every call has a budget of tries, deliveries have a bound, and one answer each is enough afterwards."""
    players = 12

    async def run() -> tuple[list[dict[str, Any]], int]:
        async with serving(database_url, wallet) as provider:
            sessions = [await provider.launch(userId=str(number)) for number in range(players)]
            wallet.plan("*", answering(503, "overloaded", headers={"retry-after": "0"}), skip=2 * players, times=10**6)
            deadlines.last_try = 4
            reports = await asyncio.gather(*(provider.simulate(session) for session in sessions))
            deadlines.last_try = None
            during = len(wallet.calls)
            wallet.forget_plans()
            await settled(owner_url)
            after = len(wallet.calls) - during
            again = [await provider.simulate(session) for session in sessions]
            problems = [step["problem"] for report in again for step in report["steps"] if not step["passed"]]
            assert problems == []
            return reports, after

    reports, after = await run()
    assert not any(report["passed"] for report in reports)
    tries = rows(owner_url, "select max(attempts) as most from provider.wallet_transactions where kind = 'debit'")
    assert tries[0]["most"] <= 10
    (owed,) = rows(owner_url, "select count(*) as calls from provider.wallet_transactions where attempts > 0")
    assert after <= owed["calls"], "what was owed was asked for once, not again and again"
    require_agreement(owner_url, wallet.model)
