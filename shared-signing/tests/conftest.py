"""Shared by the tests of signed HTTP: a clock that a test moves, keys, and a way to call an ASGI application."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from shared_signing.asgi import SignedEndpoints
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.nonces import InMemoryNonceStore, NonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier, verify_response

# On a busy machine any example can take long.
settings.register_profile(
    "patient",
    deadline=None,
    derandomize=os.environ.get("NIGHTLY") != "1",
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=500 if os.environ.get("NIGHTLY") == "1" else 50,
)
settings.load_profile("patient")

HEADER = "x-casino-signature"
RAW_HEADER = HEADER.encode()


@dataclass
class Clock:
    """A clock that moves only when a test moves it."""

    now: float = 1_763_690_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Answer:
    """The answer of an ASGI application, with its raw messages. `unread`: request messages that it did not receive."""

    messages: list[dict[str, Any]]
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    unread: int = 0

    def all(self, name: bytes) -> list[bytes]:
        return [value for header, value in self.headers if header == name]


async def call(
    app: Any,
    method: str = "POST",
    target: str = "/casino/debit",
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: bytes = b"",
    incoming: list[dict[str, Any]] | None = None,
    scope: dict[str, Any] | None = None,
) -> Answer:
    """Call an ASGI application as a server does. After the messages `incoming`, `receive` waits for ever."""
    path, _, query = target.partition("?")
    waiting = list(incoming) if incoming is not None else [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        assert incoming != [], "the application reads although it must not"
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    connection = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": list(headers),
        **(scope or {}),
    }
    await app(connection, receive, send)
    answer = Answer(sent, unread=len(waiting))
    for message in sent:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
        else:
            answer.body += message.get("body", b"")
    return answer


@dataclass
class Peers:
    """One receiver of signed requests and one caller that knows its secret, on one clock."""

    clock: Clock
    ring: KeyRing
    skews: list[tuple[str, int]] = field(default_factory=list)

    @property
    def signer(self) -> Signer:
        return Signer(self.ring, clock=self.clock)

    def edge(self, app: Any, *, nonces: NonceStore | None = None, **options: Any) -> SignedEndpoints:
        """`app` behind the middleware under test."""
        store = nonces if nonces is not None else InMemoryNonceStore(clock=self.clock)
        return SignedEndpoints(
            app,
            header_name=HEADER,
            verifier=Verifier(self.ring, store, clock=self.clock),
            signer=self.signer,
            refuse=refuse,
            on_skew=lambda scope, key_id, skew_seconds: self.skews.append((key_id, skew_seconds)),
            **options,
        )

    def sign(
        self, method: str = "POST", target: str = "/casino/debit", body: bytes = b"", *, nonce: str | None = None
    ) -> tuple[list[tuple[bytes, bytes]], str]:
        """Headers of a signed request, and its nonce."""
        signed = self.signer.sign_request(method, target, body, nonce=nonce)
        return [(RAW_HEADER, signed.header.encode())], signed.nonce

    def believes(self, answer: Answer, nonce: str) -> bool:
        """Whether the caller believes the answer to its request with this nonce."""
        return verify_response(
            answer.all(RAW_HEADER),
            nonce=nonce,
            status=answer.status,
            body=answer.body,
            key_ring=self.ring,
            clock=self.clock,
        )


STATUSES = {"body_too_large": 413, "unsupported_media_type": 415, "overloaded": 503, "internal": 500}


def refuse(scope: Any, code: str, extras: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Render a refusal as text that a test can compare."""
    text = code if not extras else f"{code} {dict(extras)}"
    return STATUSES.get(code, 401), [(b"content-type", b"text/plain")], text.encode()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def peers(clock: Clock) -> Peers:
    return Peers(clock, KeyRing(parse_keys("casino-secret", '[{"id":"k2","secret":"second-secret"}]')))


@pytest.fixture
def send_to() -> Callable[..., Any]:
    """`await send_to(app, method, target, headers=…, body=…)` calls an ASGI application once."""
    return call
