"""Debit, credit, rollback and getBalance claim their own nonces: over HTTP a used nonce is 401 before all else."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx
import msgspec
import pytest
from structlog.typing import EventDict

from casino_testing.edge import CASINO_RING, JSON, Content, Service, bet, payout, rollback, serving
from casino_testing.processes import held_transaction
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from shared_service.http.routing import SIGNED
from shared_signing.signer import Signer

HEADER: Final = "x-casino-signature"
CLAIMING: Final = ("/casino/debit", "/casino/credit", "/casino/rollback", "/casino/getBalance")
REPLAY: Final = (401, "nonce_replay")

Request = tuple[str, bytes, dict[str, str]]


def signed(path: str, content: Any, *, nonce: str | None = None, **headers: str) -> Request:
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    signature = Signer(CASINO_RING).sign_request("POST", path, body, nonce=nonce)
    return path, body, {**JSON, HEADER: signature.header, **headers}


async def send(service: Service, request: Request) -> httpx.Response:
    path, body, headers = request
    return await service.anybody.post(path, content=body, headers=headers)


def told(response: httpx.Response) -> tuple[int, str]:
    content: Content = response.json()
    return response.status_code, content.get("code", "ok")


async def test_the_routes_whose_handlers_claim_are_those_with_a_batch_of_their_own(service: Service) -> None:
    claiming = {route.path for route in service.app.state.table.routes if route.claims_nonce}
    assert claiming == set(CLAIMING)
    assert all(route.access == SIGNED for route in service.app.state.table.routes if route.claims_nonce)


async def test_a_recorded_bet_is_accepted_once(service: Service, tenant: Tenant, logged: list[EventDict]) -> None:
    request = signed("/casino/debit", bet(await service.launch()))
    assert [told(await send(service, request)) for _ in range(3)] == [(200, "ok"), REPLAY, REPLAY]
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_000
    refused = [event for event in logged if event["event"] == "request_refused"]
    assert [(event["code"], event["key_id"], "peer" in event) for event in refused] == [
        ("nonce_replay", "main", True), ("nonce_replay", "main", True),
    ]  # fmt: skip


async def test_a_payout_and_a_rollback_are_accepted_once(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    won, undone = bet(token), bet(token, roundId="round-2")
    for placed in (won, undone):
        await service.post("debit", placed)
    requests = (
        signed("/casino/credit", payout(token, won["transactionId"])),
        signed("/casino/rollback", rollback(token, undone["transactionId"], roundId="round-2")),
    )
    for request in requests:
        assert [told(await send(service, request)) for _ in range(2)] == [(200, "ok"), REPLAY]
    assert tenant.balance() == OPENING_BALANCE_MINOR + 1_000


async def test_a_recorded_question_is_answered_once(service: Service) -> None:
    request = signed("/casino/getBalance", {"sessionToken": await service.launch(), "userId": "1"})
    assert [told(await send(service, request)) for _ in range(2)] == [(200, "ok"), REPLAY]


async def test_a_request_that_is_refused_before_its_command_uses_up_its_nonce(service: Service) -> None:
    for path in CLAIMING:
        for body, headers, first in (
            (b"{", {}, (400, "malformed_json")),
            (b'{"userId":"1"}', {}, (400, "invalid_field")),
            (b"{}", {"content-type": "text/plain"}, (400, "invalid_field")),
        ):
            request = signed(path, body)
            request[2].update(headers)
            assert [told(await send(service, request)) for _ in range(2)] == [first, REPLAY], (path, body)


async def test_a_nonce_is_used_for_every_endpoint_whichever_claimed_it(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    read = {"sessionToken": token, "userId": "1"}
    for first, second in (
        (("/casino/debit", bet(token)), ("/casino/getBalance", read)),
        (("/casino/getBalance", read), ("/casino/debit", bet(token))),
        (("/casino/debit", bet(token)), ("/casino/debit", bet(token))),
        (("/casino/debit", b"{"), ("/casino/debit", bet(token))),
    ):
        nonce = Signer(CASINO_RING).sign_request("POST", "/x", b"").nonce
        await send(service, signed(*first, nonce=nonce))
        assert told(await send(service, signed(*second, nonce=nonce))) == REPLAY
    assert len(tenant.transactions()) == 2


async def test_of_two_copies_at_once_in_two_processes_one_is_served(tenant: Tenant) -> None:
    async with serving(tenant) as one, serving(tenant) as other:
        token = await one.launch()
        for _ in range(20):
            request = signed("/casino/debit", bet(token, roundId="endless"))
            answers = await asyncio.gather(send(one, request), send(other, request))
            assert sorted(map(told, answers)) == [(200, "ok"), REPLAY]
    assert tenant.balance() == OPENING_BALANCE_MINOR - 20_000


async def test_of_many_copies_at_once_in_one_process_one_is_served(service: Service, tenant: Tenant) -> None:
    request = signed("/casino/debit", bet(await service.launch()))
    answers = await asyncio.gather(*(send(service, request) for _ in range(20)))
    assert sorted(map(told, answers)) == [(200, "ok"), *[REPLAY] * 19]
    assert len(tenant.transactions()) == 1


async def test_a_bet_whose_wallet_stays_busy_is_told_so_and_its_nonce_is_used(
    service: Service, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command never ran, so nothing else has claimed the nonce."""
    monkeypatch.setattr("shared_service.postgres.group_commit.BUSY_PATIENCE_SECONDS", 0.0)
    request = signed("/casino/debit", bet(await service.launch()))
    with held_transaction(tenant) as holder:
        holder.execute("select 1 from casino.wallets where ledger_id = %s for update", [tenant.ledger_id])
        assert told(await send(service, request)) == (409, "session_busy")
    assert told(await send(service, request)) == REPLAY
    assert tenant.transactions() == []


async def test_a_bet_over_a_full_queue_is_told_so_and_its_nonce_is_used(tenant: Tenant) -> None:
    async with serving(tenant, queue_max=1) as service:
        token = await service.launch()
        requests = [signed("/casino/debit", bet(token)) for _ in range(2)]
        answers = await asyncio.gather(*(send(service, request) for request in requests))
        assert sorted(map(told, answers)) == [(200, "ok"), (503, "overloaded")]
        assert [told(await send(service, request)) for request in requests] == [REPLAY, REPLAY]
