"""The provider's wallet client beside plain httpx: the same signed debits, against a wallet that agrees to everything.

Both run in this process on the same event loop and verify every answer's signature. It imports the provider's client,
which no other file of the end-to-end suite may do: a client can only be measured from inside.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import uvloop

from bench.floor import WALLET_SECRET
from bench.floor_rows import floor_server
from bench.measurements import Measurement, Outcome, Progress, Sample, Size, UnsoundRoundError, interleave, ratio_of
from provider.wallet_client.client import Accepted, WalletClient
from provider.wallet_client.messages import WalletCall, WalletSession, money_call
from shared_service.http.transport import create_http_client
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.signer import Signer

IN_FLIGHT: Final = 32
CALL_SECONDS: Final = 8.0
CONNECT_SECONDS: Final = 2.0
CLIENT_OVER_HTTPX_MIN: Final = 5.0
HEADER: Final = "x-casino-signature"
CALLS_PER_ROUND_MAX: Final = 500_000
SESSION: Final = WalletSession(user_id="1", currency="USD", token="0" * 64)

OneCall = Callable[[WalletCall], Awaitable[bool]]
"""Makes one wallet call; true when the wallet accepted it and its signature holds."""


def measure_client(*, size: Size, progress: Progress) -> Outcome:
    with floor_server("wallet") as port:
        url = f"http://127.0.0.1:{port}"
        figures = interleave(
            [
                Measurement(
                    key="client",
                    what=f"signed debits by the provider's wallet client, {IN_FLIGHT} in flight",
                    measure=lambda: uvloop.run(_wallet_client_round(url, seconds=size.round_seconds)),
                ),
                Measurement(
                    key="httpx",
                    what=f"the same by plain httpx, {IN_FLIGHT} in flight",
                    measure=lambda: uvloop.run(_plain_httpx_round(url, seconds=size.round_seconds)),
                ),
            ],
            rounds=size.rounds,
            progress=progress,
        )
    target = ratio_of(
        figures, over="client", under="httpx", what="wallet client over plain httpx", bound=CLIENT_OVER_HTTPX_MIN
    )
    return Outcome(figures=tuple(figures.values()), targets=(target,))


async def _wallet_client_round(url: str, *, seconds: float) -> Sample:
    http = create_http_client(base_url=url, call_seconds=CALL_SECONDS, connect_seconds=CONNECT_SECONDS)
    client = WalletClient(http, KeyRing(parse_keys(WALLET_SECRET, None)), call_seconds=CALL_SECONDS)

    async def one_call(call: WalletCall) -> bool:
        called = await client.call(call, SESSION, request_id="bench")
        return isinstance(called.outcome, Accepted)

    try:
        return await _keep_in_flight(one_call, seconds=seconds)
    finally:
        await client.aclose()


async def _plain_httpx_round(url: str, *, seconds: float) -> Sample:
    ring = KeyRing(parse_keys(WALLET_SECRET, None))
    auth = SignedAuth(Signer(ring), ring, HEADER)
    headers = {"content-type": "application/json", "x-request-id": "bench"}
    async with httpx.AsyncClient(base_url=url, auth=auth, trust_env=False, timeout=CALL_SECONDS) as http:

        async def one_call(call: WalletCall) -> bool:
            answer = await http.post(call.path, content=call.encode(SESSION), headers=headers)
            good = answer.extensions["signature"] == "good" and answer.status_code == 200
            return good and answer.json()["transactionId"] == call.transaction_id

        return await _keep_in_flight(one_call, seconds=seconds)


async def _keep_in_flight(one_call: OneCall, *, seconds: float) -> Sample:
    """A closed loop: 32 tasks, each with one call at a time, until the time or the bound is reached."""
    prefix = secrets.token_hex(8)
    numbers = iter(range(CALLS_PER_ROUND_MAX))
    latencies: list[float] = []
    started = time.perf_counter()
    deadline = started + seconds

    async def worker() -> None:
        for number in numbers:
            begun = time.perf_counter()
            if begun > deadline:
                return
            name = f"{prefix}-{number}"
            call = money_call("debit", transaction_id=f"t-{name}", round_id=f"r-{name}", amount_minor=1_000)
            if not await one_call(call):
                raise UnsoundRoundError("the wallet that agrees to everything was not believed")
            latencies.append(time.perf_counter() - begun)

    async with asyncio.TaskGroup() as workers:
        for _ in itertools.repeat(None, IN_FLIGHT):
            workers.create_task(worker())
    elapsed = time.perf_counter() - started
    ordered = sorted(latencies)
    return Sample(
        value=len(ordered) / elapsed,
        p50_ms=ordered[len(ordered) // 2] * 1_000,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1_000,
    )
