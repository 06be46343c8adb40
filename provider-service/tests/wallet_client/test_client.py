"""The wallet client's attempts: number, duration and signature."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from local_stack.ports import free_port
from provider.wallet_client.client import WalletClient
from provider.wallet_client.messages import WalletSession, balance_call
from provider.wallet_client.outcomes import Accepted, Called, Refused, Unknown
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.wallet_faults import answering, stall
from shared_service.http.transport import create_http_client
from shared_service_testing.waiting import until
from shared_signing.keys import Key, KeyRing

SESSION = WalletSession("1", "USD", "token")
RING = KeyRing([Key("main", b"casino-secret")])


async def call(
    url: str, *, ring: KeyRing = RING, call_seconds: float = 30.0, clock: Callable[[], float] = time.time, **_: Any
) -> Called:
    async def once() -> Called:
        http = create_http_client(base_url=url, call_seconds=call_seconds, connect_seconds=30.0)
        client = WalletClient(http, ring, call_seconds=call_seconds, clock=clock)
        try:
            return await client.call(balance_call(), SESSION, request_id="r-1")
        finally:
            await client.aclose()

    return await once()


async def test_a_good_answer_takes_one_attempt(wallet: FakeWallet) -> None:
    called = await call(wallet.url)
    assert isinstance(called.outcome, Accepted)
    assert called.outcome.balance_minor == 1_000_000
    assert [(a.status, a.signature, a.failure) for a in called.attempts] == [(200, "good", None)]


async def test_a_wallet_that_comes_up_within_the_deadline_is_reached(wallet: FakeWallet, deadlines: Deadlines) -> None:
    """The port is closed at first: a relay opens it after three tries."""
    port = free_port()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", wallet.port)
        up_writer.write(await reader.readuntil(b"\r\n\r\n"))
        up_writer.write(await reader.readexactly(len(balance_call().encode(SESSION))))
        writer.write(await up_reader.read(65_536))
        await writer.drain()
        up_writer.close()
        writer.close()

    http = create_http_client(base_url=f"http://127.0.0.1:{port}", call_seconds=30, connect_seconds=30)
    client = WalletClient(http, RING, call_seconds=30)
    calling = asyncio.create_task(client.call(balance_call(), SESSION, request_id="r-1"))
    await until(lambda: len(deadlines.pauses) >= 3)
    server = await asyncio.start_server(relay, "127.0.0.1", port)
    called = await calling
    server.close()
    await client.aclose()
    assert isinstance(called.outcome, Accepted)
    assert len(called.attempts) >= 3
    assert {attempt.failure for attempt in called.attempts[:-1]} == {"connection refused"}


async def test_a_wallet_that_stays_away_is_given_up_within_the_deadline(deadlines: Deadlines) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    deadlines.last_try = 2
    called = await call(url)
    assert called.outcome == Unknown("operator_unreachable", "connection refused")
    assert len(called.attempts) == 2


async def test_retries_wait_longer_and_longer_with_jitter(wallet: FakeWallet, deadlines: Deadlines) -> None:
    wallet.plan("getBalance", answering(503, "overloaded"), times=4)
    assert isinstance((await call(wallet.url)).outcome, Accepted)
    times = [made.at for made in wallet.calls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 4
    for wanted, pause, least in zip(deadlines.pauses, pauses, (0.1, 0.2, 0.4, 0.8), strict=True):
        assert least <= wanted <= least + 0.1  # backoff and jitter
        assert wanted * 0.95 < pause < 30


async def test_retries_end_at_their_bound(wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.wallet_client.client.TRIES_MAX", 3)
    wallet.plan("getBalance", answering(409, "session_busy"), times=100)
    called = await call(wallet.url)
    assert called.outcome == Unknown("operator_unreachable", "status 409 session_busy", 409)
    assert len(wallet.calls) == len(called.attempts) == 3


async def test_a_silent_wallet_costs_the_deadline_and_not_more(wallet: FakeWallet) -> None:
    wallet.plan("getBalance", stall)
    started = time.monotonic()
    called = await call(wallet.url, call_seconds=0.5)
    assert called.outcome == Unknown("operator_unreachable", "deadline")
    assert 0.45 < time.monotonic() - started < 30
    assert [attempt.failure for attempt in called.attempts] == ["deadline"]


async def test_an_attempt_that_the_deadline_cuts_off_is_kept_beside_those_before_it(wallet: FakeWallet) -> None:
    """Support reads from it that a request was sent, and that the wallet may have done its work."""
    wallet.plan("getBalance", answering(503, "overloaded"), times=2)
    wallet.plan("getBalance", stall)
    called = await call(wallet.url, call_seconds=3.0)
    assert called.outcome == Unknown("operator_unreachable", "deadline")
    kept = [(attempt.status, attempt.code, attempt.signature, attempt.failure) for attempt in called.attempts]
    assert [attempt[0] for attempt in kept] == [503, 503, None]
    assert kept[-1] == (None, "operator_unreachable", "none", "deadline")
    assert len(called.attempts) == len(wallet.calls)
    assert called.attempts[-1].started > called.attempts[0].started
    assert called.attempts[-1].elapsed_ms > 0


@pytest.mark.parametrize("skew_seconds", [-170, 75, 300])
async def test_a_clock_that_is_wrong_is_corrected_from_the_answer_for_one_signature(skew_seconds: int) -> None:
    with FakeWallet(clock=lambda: time.time() + skew_seconds) as wallet:
        called = await call(wallet.url)
    assert isinstance(called.outcome, Accepted)
    assert [attempt.status for attempt in called.attempts] == [401, 200]


async def test_an_unsigned_time_moves_no_clock() -> None:
    with FakeWallet(clock=lambda: time.time() + 75) as wallet:
        wallet.signs_refusals = False
        called = await call(wallet.url)
    assert called.outcome == Unknown("operator_rejected", "status 401 timestamp_out_of_window", 401)
    assert [attempt.status for attempt in called.attempts] == [401, 401]


@pytest.mark.parametrize(
    ("code", "signed"),
    [("timestamp_out_of_window", "missing"), ("timestamp_out_of_window", "bad"), ("nonce_replay", "good")],
)
async def test_a_time_that_nobody_signed_as_the_reason_does_not_spoil_the_second_signature(
    wallet: FakeWallet, code: str, signed: str
) -> None:
    """It is 300 s off: a caller that believed it would be refused the second time."""

    async def refuse(exchange: Exchange) -> None:
        body = {"error": "No.", "code": code, "requestId": "r", "serverTime": int(time.time()) + 300}
        await exchange.send((401, {}, body), signed=signed)

    wallet.plan("getBalance", refuse)
    assert isinstance((await call(wallet.url)).outcome, Accepted)


async def test_a_clock_that_is_absurdly_wrong_is_not_believed() -> None:
    with FakeWallet(clock=lambda: time.time() + 100_000) as wallet:
        called = await call(wallet.url)
    assert called.outcome == Unknown("operator_rejected", "status 401 timestamp_out_of_window", 401)
    assert len(called.attempts) == 2


@pytest.mark.parametrize("server_time", ["soon", True, None, 1e9, {}])
async def test_a_server_time_that_is_no_time_is_ignored(wallet: FakeWallet, server_time: object) -> None:
    async def refuse(exchange: Exchange) -> None:
        body = {"error": "No.", "code": "timestamp_out_of_window", "requestId": "r", "serverTime": server_time}
        await exchange.send((401, {}, body))

    wallet.plan("getBalance", refuse)
    assert isinstance((await call(wallet.url)).outcome, Accepted)


async def test_a_rotated_key_signs_and_the_old_one_is_still_believed(wallet: FakeWallet) -> None:
    both = [Key("main", b"casino-secret"), Key("k2", b"a newer secret of the casino")]
    wallet.ring.replace(both)
    assert isinstance((await call(wallet.url, ring=KeyRing(both))).outcome, Accepted)
    assert ",k=k2," in wallet.calls[0].headers["x-casino-signature"]
    assert isinstance((await call(wallet.url)).outcome, Accepted)


async def test_a_refusal_without_a_code_is_a_refusal_by_its_status(wallet: FakeWallet) -> None:
    async def teapot(exchange: Exchange) -> None:
        await exchange.send_bytes(402, b"no money")

    wallet.plan("getBalance", teapot)
    called = await call(wallet.url)
    assert isinstance(called.outcome, Refused)
    assert called.outcome.code == "operator_rejected"


async def test_the_answer_of_another_request_is_not_believed(wallet: FakeWallet) -> None:
    kept: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        kept.append(exchange)
        await exchange.send(exchange.execute())

    async def confuse(exchange: Exchange) -> None:
        exchange.accepted = kept[0].accepted
        await exchange.send(exchange.execute())

    wallet.plan("getBalance", keep)
    wallet.plan("getBalance", confuse)
    assert isinstance((await call(wallet.url)).outcome, Accepted)
    assert (await call(wallet.url)).outcome == Unknown("operator_bad_response", "status 200, signature bad", 200)
