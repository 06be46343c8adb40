"""Calls of the provider: what counts as an answer, whose time is believed in a 401, and who is called over TLS."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.typing import EventDict

from casino.errors import Refused
from casino.sessions import provider_client
from casino.sessions.provider_client import (
    ANSWER_MAX_BYTES,
    SIGNATURE_HEADER,
    ProviderClient,
    ProviderUnreachable,
    SpinRefused,
)
from casino_testing.edge import PROVIDER_RING
from local_stack.certificates import Authority
from local_stack.tls_peers import GOOD, NEVER_CONNECTED, UNKNOWN, Behaviour, Issuer, peer
from shared_signing.canonical import SignatureHeader
from shared_signing.signer import Signer

Writes = Callable[[asyncio.StreamWriter], Any]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def provider_that(writes: Writes) -> AsyncIterator[ProviderClient]:
    """A client of a provider that reads a request and then does as it likes with the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await writes(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = ProviderClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", PROVIDER_RING)
    try:
        yield client
    finally:
        await client.close()
        server.close()


async def reason(client: ProviderClient) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(ProviderUnreachable) as caught:
            await client.launch({"userId": "1"}, request_id="r")
    return str(caught.value)


async def test_an_endless_answer_is_given_up_at_its_bound() -> None:
    """Row B11."""
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        while sent < 64 * ANSWER_MAX_BYTES:
            writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
            await writer.drain()
            sent += 65_536

    async with provider_that(endless) as client:
        assert await reason(client) == "AnswerRefused"
    assert sent < 32 * ANSWER_MAX_BYTES


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """Row B11."""
    packed = gzip.compress(b" " * 64 * ANSWER_MAX_BYTES)

    async def bomb(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)
        await writer.drain()

    async with provider_that(bomb) as client:
        assert await reason(client) == "AnswerRefused"


async def test_an_answer_that_trickles_has_one_deadline_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row B11."""
    monkeypatch.setattr(provider_client, "LAUNCH_TIMEOUT_SECONDS", 0.5)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-length: 100000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with provider_that(trickle) as client:
        assert await reason(client) == "TimeoutError"


LENGTH = re.compile(rb"content-length: (\d+)")
SIGNATURE = re.compile(SIGNATURE_HEADER.encode() + rb": ([^\r]+)")
MESSAGE = {"userId": "1"}
Calls = Callable[[ProviderClient], Awaitable[dict[str, Any]]]


@dataclass
class Scripted:
    """A provider that gives one scripted answer after the other, signed for the request's nonce or not."""

    answers: list[tuple[int, dict[str, Any], bool]]
    seen: list[SignatureHeader] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length, signature = LENGTH.search(head), SIGNATURE.search(head)
        assert length
        assert signature
        await reader.readexactly(int(length[1]))
        self.seen.append(SignatureHeader.parse(signature[1]))
        status, content, signs = self.answers.pop(0)
        body = msgspec.json.encode(content)
        lines = b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n" % (status, len(body))
        if signs:
            key = PROVIDER_RING.signing_key(0)
            own = Signer(PROVIDER_RING).sign_response(nonce=self.seen[-1].nonce, status=status, body=body, key=key)
            lines += f"{SIGNATURE_HEADER}: {own}\r\n".encode()
        writer.write(lines + b"\r\n" + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def provider_with(*answers: tuple[int, dict[str, Any], bool]) -> AsyncIterator[tuple[Scripted, ProviderClient]]:
    scripted = Scripted(list(answers))
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    client = ProviderClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", PROVIDER_RING)
    try:
        yield scripted, client
    finally:
        await client.close()
        server.close()


async def launch(client: ProviderClient) -> dict[str, Any]:
    return await client.launch(MESSAGE, request_id="r")


async def simulate(client: ProviderClient) -> dict[str, Any]:
    return await client.simulate(MESSAGE, request_id="r")


def out_of_window(off_seconds: int, *, code: str = "timestamp_out_of_window") -> dict[str, Any]:
    return {"code": code, "serverTime": int(time.time()) + off_seconds}


OK = (200, {"fine": True}, True)


@pytest.mark.parametrize("call", [launch, simulate])
async def test_a_signed_time_is_taken_for_the_one_request_that_is_signed_anew(call: Calls) -> None:
    async with provider_with((401, out_of_window(300), True), OK) as (provider, client):
        assert await call(client) == {"fine": True}
    first, second = provider.seen
    assert 250 < second.timestamp - first.timestamp < 360
    assert first.nonce != second.nonce


@pytest.mark.parametrize(
    ("code", "signs"),
    [("timestamp_out_of_window", False), ("nonce_replay", True)],
    ids=["unsigned", "for another reason"],
)
async def test_any_other_time_moves_no_clock(code: str, signs: bool) -> None:
    async with provider_with((401, out_of_window(300, code=code), signs), OK) as (provider, client):
        assert await launch(client) == {"fine": True}
    first, second = provider.seen
    assert 0 <= second.timestamp - first.timestamp < 250


@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("call", [launch, simulate])
async def test_a_second_401_is_no_answer_signed_or_not(call: Calls, signs: bool) -> None:
    async with provider_with((401, out_of_window(100), True), (401, {"code": "nonce_replay"}, signs), OK) as (
        provider,
        client,
    ):
        with pytest.raises(ProviderUnreachable):
            await call(client)
    assert len(provider.seen) == 2


@pytest.mark.parametrize(("code", "signs"), [("nonce_replay", True), ("nonce_replay", False), ("unknown_key", False)])
async def test_a_round_that_may_have_been_played_is_not_asked_for_again(code: str, signs: bool) -> None:
    async with provider_with((401, {"code": code}, signs), OK) as (provider, client):
        with pytest.raises(ProviderUnreachable):
            await simulate(client)
    assert len(provider.seen) == 1


async def spin(client: ProviderClient) -> dict[str, Any]:
    return await client.spin(MESSAGE, request_id="r")


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ((402, {"code": "insufficient_balance", "error": "Too poor"}, True), ("insufficient_balance", "Too poor")),
        ((502, {"code": "operator_unreachable"}, True), ("operator_unreachable", None)),
        ((409, {"code": "session_busy", "error": 7}, True), ("session_busy", None)),
        ((402, {"code": "insufficient_balance"}, False), ProviderUnreachable),
        ((402, {"code": "In Capitals"}, True), Refused),
        ((502, {"code": "operator_unreachable"}, False), ProviderUnreachable),
        ((503, {"code": "overloaded"}, False), Refused),
        ((500, {}, True), ProviderUnreachable),
        ((200, {"win": 1}, False), ProviderUnreachable),
    ],
)
async def test_a_signed_refusal_of_a_spin_says_its_code_and_no_other_answer_decides_anything(
    answer: tuple[int, dict[str, Any], bool], raised: tuple[str, str | None] | type[Exception]
) -> None:
    async with provider_with(answer) as (_, client):
        if isinstance(raised, tuple):
            with pytest.raises(SpinRefused) as caught:
                await spin(client)
            assert (caught.value.code, caught.value.sentence) == raised
        else:
            with pytest.raises(raised):
                await spin(client)


async def test_a_spin_is_asked_for_again_after_a_401_because_its_id_is_the_same() -> None:
    async with provider_with((401, {"code": "nonce_replay"}, False), OK) as (provider, client):
        assert await spin(client) == {"fine": True}
    assert len(provider.seen) == 2


async def test_spins_leave_some_of_the_calls_to_a_provider_for_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_client, "SPINS_MAX", 0)
    async with provider_with(OK) as (_, client):
        with pytest.raises(Refused) as caught:
            await spin(client)
        assert caught.value.code == "overloaded"
        assert await launch(client) == {"fine": True}


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(Authority(), tmp_path)


async def reason_over_tls(behave: Behaviour, issuer: Issuer, ca_file: Path | None) -> str:
    """Why the provider gave no answer: the peers here sign nothing."""
    with peer(behave, issuer) as port:
        client = ProviderClient(f"https://127.0.0.1:{port}", PROVIDER_RING, ca_file=ca_file)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                with pytest.raises(ProviderUnreachable) as caught:
                    await client.launch({"userId": "1"}, request_id="r")
        finally:
            await client.close()
    return str(caught.value)


async def test_a_provider_that_is_not_there_is_named_in_the_log_with_the_cause(logged: list[EventDict]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        client = ProviderClient(f"http://{address}", PROVIDER_RING)
        try:
            assert await reason(client) == "NotSent"
        finally:
            await client.close()
    (failed,) = [event for event in logged if event["event"] == "provider_call_failed"]
    assert (failed["address"], failed["why"]) == (address, "connection refused")


async def test_a_provider_with_a_certificate_of_the_authority_is_called(issuer: Issuer) -> None:
    said = await reason_over_tls(GOOD, issuer, issuer.authority.write(issuer.directory / "ca.pem"))
    assert said == "status 200, signature missing"


@pytest.mark.parametrize("who", NEVER_CONNECTED)
async def test_who_is_not_the_provider_is_not_called(issuer: Issuer, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_client, "CONNECT_TIMEOUT_SECONDS", 1.0)
    said = await reason_over_tls(NEVER_CONNECTED[who], issuer, issuer.authority.write(issuer.directory / "ca.pem"))
    assert said == "NotSent"


@pytest.mark.parametrize("how", UNKNOWN)
async def test_a_connection_that_breaks_after_the_request_is_no_answer(issuer: Issuer, how: str) -> None:
    said = await reason_over_tls(UNKNOWN[how], issuer, issuer.authority.write(issuer.directory / "ca.pem"))
    assert said in ("ReadError", "ReadTimeout")


async def test_with_a_file_of_authorities_the_systems_are_not_believed(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A service takes this variable away at its start; here it stands for what the system believes.
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.authority.write(issuer.directory / "system.pem")))
    assert await reason_over_tls(GOOD, issuer, None) == "status 200, signature missing"
    private = Authority().write(issuer.directory / "private.pem")
    assert await reason_over_tls(GOOD, issuer, private) == "NotSent"
