"""Too much to do: refused before any work, room for what must not wait, and nothing begun after its caller has gone.

Row D1, Row D3.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import jwt
import pytest

from casino.errors import ERRORS
from casino.sessions import provider_client
from casino.sessions.provider_client import CONNECTIONS_MAX
from casino.wallet.serving import TURNS_MAX
from casino_testing.edge import FakeProvider, Service, bet, rollback, serving
from casino_testing.processes import WAIT_SECONDS_MAX, WAITING_FOR_LOCKS, held_transaction, until_waiting
from casino_testing.scrape import until_shown
from casino_testing.tenant import Tenant
from shared_service.postgres import group_commit
from shared_service_testing.waiting import until
from shared_signing.keys import parse_keys

pytestmark = pytest.mark.usefixtures("kept_connections")

LAUNCH = {"userId": "1", "gameId": "1"}
BUDGET_SECONDS = 0.4


def require_shed(response: httpx.Response) -> None:
    """Refused before any work: with the time to wait, unsigned because nothing was looked at."""
    assert (response.status_code, response.json()["code"]) == (503, "overloaded"), response.text
    assert response.headers["retry-after"] == str(ERRORS["overloaded"].retry_after_seconds)
    assert response.json()["requestId"] == response.headers["x-request-id"]


def under_way(tasks: list[asyncio.Task[httpx.Response]]) -> list[asyncio.Task[httpx.Response]]:
    return [task for task in tasks if not task.done()]


async def settle() -> None:
    """Let requests that were sent off reach the place where they wait."""
    for _ in range(50):
        await asyncio.sleep(0.005)


async def test_new_bets_give_way_first_then_everything_and_health_never(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "BUSY_PATIENCE_SECONDS", WAIT_SECONDS_MAX)  # who waits keeps the place
    async with serving(tenant, requests_max=4) as service:
        held, other = await service.launch("1"), await service.launch("2")
        placed = bet(other, userId="2")
        assert (await service.post("debit", placed)).status_code == 200
        with held_transaction(tenant) as holder:
            holder.execute("select 1 from casino.wallets where ledger_id = %s and player_id = '1' for update",
                           [tenant.ledger_id])  # fmt: skip
            waiting = [asyncio.create_task(service.post("debit", bet(held))) for _ in range(3)]
            await settle()
            shed = await service.signed.post("/casino/debit", json=bet(other, userId="2", roundId="another"))
            require_shed(shed)
            assert shed.extensions["signature"] == "missing"
            back = rollback(other, placed["transactionId"], userId="2")
            assert (await service.post("rollback", back)).status_code == 200, "what is owed gets through"
            waiting.append(asyncio.create_task(service.post("rollback", rollback(held, "never seen"))))
            await settle()
            require_shed(await service.signed.post("/casino/rollback", json=back))
            require_shed(await service.anybody.post("/casino/launchGame", json=LAUNCH))
            for path in ("/health/live", "/health/ready"):
                assert (await service.anybody.get(path)).status_code == 200
        assert {response.status_code for response in await asyncio.gather(*waiting)} <= {200, 409}
        again = await service.post("debit", bet(other, userId="2", roundId="another"))
        assert again.status_code == 200, "and afterwards all is as before"


@pytest.mark.parametrize("batch_max", [1, 64])
async def test_a_bet_that_waited_longer_than_its_caller_is_never_begun(tenant: Tenant, batch_max: int) -> None:
    """Row D1: the ledger stands still for longer than the budget; what was in it is finished, the rest is refused."""
    begun_max = min(batch_max, TURNS_MAX)
    async with serving(
        tenant, request_budget_seconds=BUDGET_SECONDS, group_commit_lanes=1, group_commit_max=batch_max
    ) as service:
        token = await service.launch()
        bets = [bet(token, roundId=f"round-{number}") for number in range(20)]
        with held_transaction(tenant) as holder:
            holder.execute("lock table casino.transactions in access exclusive mode")
            waiting = [asyncio.create_task(service.signed.post("/casino/debit", json=each)) for each in bets]
            await settle()
            await asyncio.sleep(2 * BUDGET_SECONDS)
        answers = await asyncio.gather(*waiting)
        verdicts = Counter(answer.json().get("code", "ok") for answer in answers)
        assert verdicts["overloaded"] >= len(bets) - begun_max, verdicts
        booked = [row["transaction_id"] for row in tenant.transactions() if row["kind"] == "debit"]
        accepted = [each["transactionId"] for each, answer in zip(bets, answers, strict=True)
                    if answer.status_code == 200]  # fmt: skip
        assert sorted(booked) == sorted(accepted), "expired work started: 0"
        for answer in answers:
            if answer.status_code != 200:
                require_shed(answer)
    async with serving(tenant) as patient:
        for each in bets:  # and the same ids do what they always would have done
            assert (await patient.post("debit", each)).status_code == 200
    assert tenant.balance() == 1_000_000 - 1_000 * len(bets)


async def test_launches_that_hold_every_connection_of_theirs_hold_up_no_bet(tenant: Tenant) -> None:
    """Row D1: nothing but bets gets through while the games cannot be read, and bets do."""
    async with serving(tenant, pool_wait_seconds=0.5) as service:
        for pool in ("money", "general"):  # so little patience is not meant for the time that connecting takes
            await until_shown(service.anybody, 2, "casino_pool_connections", pool=pool, state="idle")
        token = await service.launch()
        with held_transaction(tenant) as holder:
            holder.execute("lock table casino.games in access exclusive mode")
            launches = [asyncio.create_task(service.anybody.post("/casino/launchGame", json=LAUNCH)) for _ in range(40)]
            await until_waiting(tenant)
            for number in range(20):
                placed = await service.post("debit", bet(token, roundId=f"round-{number}"))
                assert placed.status_code == 200
            await until(lambda: len(under_way(launches)) <= len(tenant.sql(WAITING_FOR_LOCKS)))
            held = under_way(launches)
            refused = [each.result() for each in launches if each.done()]
        assert len(refused) >= 30
        for answer in refused:
            require_shed(answer)
        assert {answer.status_code for answer in await asyncio.gather(*held)} == {201}
        assert await service.launch()
    assert len(tenant.rows("game_sessions")) == 2 + len(held)


@dataclass
class SlowProvider(FakeProvider):
    """Answers launches when it is let go, and questions for its games at once."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return await super()._handle(request)
        self.requests.append(request)
        await self.go.wait()
        self.requests.pop()
        return await super()._handle(request)


async def test_no_more_clients_are_let_in_than_there_are_connections_to_the_provider(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_client, "LAUNCH_TIMEOUT_SECONDS", WAIT_SECONDS_MAX)  # until the last one is in
    provider = SlowProvider()
    async with serving(tenant, provider=provider) as service:
        calls = [asyncio.create_task(launch(service)) for _ in range(CONNECTIONS_MAX)]
        everybody_in: Callable[[], bool] = lambda: len(provider.requests) == CONNECTIONS_MAX  # noqa: E731
        await until(everybody_in)
        for path in ("/casino/launchGame", "/casino/simulateRound"):
            require_shed(await service.anybody.post(path, json=LAUNCH))
        provider.go.set()
        assert {response.status_code for response in await asyncio.gather(*calls)} == {201}
        assert (await launch(service)).status_code == 201
    assert len(tenant.rows("game_sessions")) == CONNECTIONS_MAX + 1, "none of a call that was refused"


async def test_one_player_takes_the_places_of_nobody_else(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever floods with one token is refused before the flood takes a place or asks the database."""
    monkeypatch.setattr(provider_client, "LAUNCH_TIMEOUT_SECONDS", WAIT_SECONDS_MAX)
    provider = SlowProvider()
    keys = tuple(parse_keys(SECRET, None))
    async with serving(tenant, provider=provider, demo=False, access_token_keys=keys, client_burst_calls=10) as service:
        flood = [asyncio.create_task(launch_as(service, "1")) for _ in range(200)]
        all_are_refused_but_ten: Callable[[], bool] = lambda: sum(each.done() for each in flood) == 190  # noqa: E731
        await until(all_are_refused_but_ten)
        verdicts = Counter((each.result().status_code, each.result().json()["code"]) for each in flood if each.done())
        assert verdicts == {(429, "rate_limited"): 190}
        other = asyncio.create_task(launch_as(service, "2"))
        everybody_in: Callable[[], bool] = lambda: len(provider.requests) == 11  # noqa: E731
        await until(everybody_in)
        provider.go.set()
        assert (await other).status_code == 201
        assert {(await each).status_code for each in flood if not each.done()} <= {201}
        assert (await launch_as(service, "2")).status_code == 201, "and nothing is kept"


SECRET = "the secret of players' access tokens 1"


async def launch_as(service: Service, player_id: str) -> httpx.Response:
    now = int(time.time())
    claims = {"sub": player_id, "aud": "casino-player", "iat": now, "exp": now + 600}
    headers = {"authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}"}
    return await service.anybody.post("/casino/launchGame", json={"gameId": "1"}, headers=headers)


async def launch(service: Service) -> httpx.Response:
    return await service.anybody.post("/casino/launchGame", json=LAUNCH)
