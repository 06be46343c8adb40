"""The guard of signed routes: how long an answer waits for a nonce that its handler left open."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from shared_service.http.admission import Admission
from shared_service.http.authentication import Authenticate, signed_guard
from shared_service.http.errors import ErrorKind, ErrorTable
from shared_service.http.exchange import RequestContext, refusal
from shared_service.http.routing import SIGNED, route
from shared_signing.asgi_messages import send_answer
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

ERRORS: Final = ErrorTable(
    [
        ErrorKind("overloaded", 503, "waits", "Too busy", retry_after_seconds=1),
        ErrorKind("invalid_field", 422, "never retries", "A field is wrong"),
    ]
)
HEADER: Final = "x-test-signature"
RING: Final = KeyRing(parse_keys("a secret of 32 characters or more", None))


class HangingStore(InMemoryNonceStore):
    """Claims when `gate` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        await self.gate.wait()
        return await super().claim(key_id, nonce, timestamp)


async def status_of(store: HangingStore, *, budget_seconds: float) -> int:
    """What the caller of a route that claims its nonce, and refuses before, is answered."""

    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await send_answer(send, refusal(ERRORS, scope, "invalid_field"))

    admission = Admission(4, errors=ERRORS, observe=lambda *_: None)
    guard = signed_guard(
        HEADER, Verifier(RING, store), Signer(RING), errors=ERRORS, admission=admission, on_clock=lambda _: None
    )
    inner = Authenticate(refuses, guards={SIGNED: guard}, admission=admission, errors=ERRORS)
    app = RequestContext(inner, errors=ERRORS, budget_seconds=budget_seconds, observe=lambda *_: None)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    found = route("POST", "/claiming", refuses, access=SIGNED, claims_nonce=True)
    signature = Signer(RING).sign_request("POST", found.path, b"").header.encode()
    scope = {
        "type": "http", "method": "POST", "path": found.path, "raw_path": found.path.encode(), "query_string": b"",
        "headers": [(HEADER.encode(), signature)], "state": {"route": found},
    }  # fmt: skip
    await app(scope, receive, send)
    return int(sent[0]["status"])


async def test_a_refusal_waits_for_its_nonce_until_the_requests_budget_ends_and_not_for_another_one() -> None:
    store = HangingStore()
    assert await status_of(store, budget_seconds=0.0) == 503
    assert not store.gate.is_set(), "it was answered while the store still hung"
    store.gate.set()
    assert await status_of(store, budget_seconds=3_600.0) == 422
