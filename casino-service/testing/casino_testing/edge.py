"""The whole service behind HTTP, in this process: the real application, started, and a provider that can misbehave."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec
from starlette.applications import Starlette

from casino.app import create_app
from casino.callbacks.serving import SIGNATURE_HEADER
from casino.sessions.provider_client import SIGNATURE_HEADER as PROVIDER_HEADER
from casino.settings import DEMO_CASINO_SECRET, DEMO_PROVIDER_SECRET
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier

BASE_URL: Final = "http://casino.test"
JSON: Final = {"content-type": "application/json"}
CASINO_RING: Final = KeyRing(parse_keys(DEMO_CASINO_SECRET, None))
PROVIDER_RING: Final = KeyRing(parse_keys(DEMO_PROVIDER_SECRET, None))

Content = dict[str, Any]
_numbers = itertools.count(1)


@dataclass
class FakeProvider:
    """The provider's two endpoints, as a transport. It believes signed requests only, and answers as it is told to."""

    status: int = 200
    signs: bool = True
    ring: KeyRing = PROVIDER_RING
    verifies: KeyRing = PROVIDER_RING
    """The keys whose calls it believes; `ring` signs its answers."""
    fails_with: type[httpx.TransportError] | None = None
    answer: Content | bytes | None = None
    clock: Callable[[], float] = time.time
    requests: list[httpx.Request] = field(default_factory=list)
    """Those that are signed."""
    games: list[Content] = field(default_factory=list)
    """Its public list of games."""

    def transport(self) -> httpx.MockTransport:
        """What the service's client gets in place of a network."""
        return httpx.MockTransport(self._handle)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/games":
            return httpx.Response(200, content=msgspec.json.encode({"games": self.games}), headers=JSON)
        self.requests.append(request)
        if self.fails_with is not None:
            raise self.fails_with("as told", request=request)
        headers = [value for name, value in request.headers.raw if name.lower() == PROVIDER_HEADER.encode()]
        verdict = await Verifier(self.verifies, InMemoryNonceStore(), clock=self.clock).verify_request(
            headers, method=request.method, target=request.url.raw_path, body=request.content
        )
        if isinstance(verdict, Refused) and verdict.refusal is Refusal.TIMESTAMP_OUT_OF_WINDOW:
            raw = msgspec.json.encode({"code": verdict.refusal.value, "serverTime": verdict.server_time})
            assert verdict.key is not None
            own = Signer(self.ring).sign_response(nonce=verdict.nonce, status=401, body=raw, key=verdict.key)
            return httpx.Response(401, content=raw, headers={**JSON, **({PROVIDER_HEADER: own} if self.signs else {})})
        assert isinstance(verdict, Accepted), verdict
        body = self._body(request)
        signature = Signer(self.ring).sign_response(
            nonce=verdict.nonce, status=self.status, body=body, key=self.ring.signing_key(0)
        )
        signed = {PROVIDER_HEADER: signature} if self.signs else {}
        return httpx.Response(self.status, content=body, headers={**JSON, **signed})

    def _body(self, request: httpx.Request) -> bytes:
        if isinstance(self.answer, bytes):
            return self.answer
        if self.answer is not None:
            return msgspec.json.encode(self.answer)
        asked = msgspec.json.decode(request.content)
        return msgspec.json.encode(
            {"providerSessionId": f"provider-{next(_numbers)}", "gameId": asked["gameId"], "currency": "USD",
             "minBet": "1000", "maxBet": "100000", "playerId": "9"}
        )  # fmt: skip

    def asked(self, place: int = -1) -> Content:
        """The content of one of the requests that came."""
        content = msgspec.json.decode(self.requests[place].content)
        assert isinstance(content, dict)
        return content


@dataclass
class Service:
    """The service and two callers: a provider that signs, and anybody."""

    app: Starlette
    tenant: Tenant
    provider: FakeProvider
    signed: httpx.AsyncClient
    anybody: httpx.AsyncClient

    async def launch(self, player_id: str = "1") -> str:
        """The token of a new game session."""
        response = await self.anybody.post("/casino/launchGame", json={"userId": player_id, "gameId": "1"})
        assert response.status_code == 201, response.text
        return str(response.json()["sessionToken"])

    async def post(self, endpoint: str, content: Any, **options: Any) -> httpx.Response:
        """A signed call; its answer must be signed too."""
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        headers = {**JSON, **options.pop("headers", {})}
        response = await self.signed.post(f"/casino/{endpoint}", content=body, headers=headers, **options)
        assert response.extensions["signature"] == "good", response.text
        return response

    async def get(self, path: str) -> httpx.Response:
        """A signed question; its answer must be signed too."""
        response = await self.signed.get(path)
        assert response.extensions["signature"] == "good", response.text
        return response


@asynccontextmanager
async def serving(
    tenant: Tenant,
    *,
    provider: FakeProvider | None = None,
    ring: KeyRing = CASINO_RING,
    network: httpx.AsyncBaseTransport | None = None,
    **changes: Any,
) -> AsyncIterator[Service]:
    """The service, started; at the end it is stopped as SIGTERM would. `network` leads to several providers."""
    chosen = provider or FakeProvider()
    settings = settings_of(tenant, **{"pool_size_max": 4, **changes})
    app = create_app(settings, provider_transport=network or chosen.transport())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    auth = SignedAuth(Signer(ring), ring, SIGNATURE_HEADER)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=auth) as signed,
        httpx.AsyncClient(transport=transport, base_url=BASE_URL) as anybody,
    ):
        yield Service(app, tenant, chosen, signed, anybody)


def bet(token: str, **fields: Any) -> Content:
    """The content of a debit."""
    number = next(_numbers)
    return {
        "sessionToken": token,
        "userId": "1",
        "transactionId": f"bet-{number}",
        "roundId": "round-1",
        "amount": 1_000,
        **fields,
    }


def payout(token: str, related_id: str, **fields: Any) -> Content:
    """The content of a credit."""
    return bet(token, **{"amount": 2_000, "relatedTransactionId": related_id, **fields})


def rollback(token: str, original_id: str, **fields: Any) -> Content:
    """The content of a rollback."""
    content = bet(token, originalTransactionId=original_id, **fields)
    del content["amount"]
    return content
