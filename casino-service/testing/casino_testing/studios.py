"""A second studio beside the one of the environment: its keys, its file, and a network that leads to both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from casino.callbacks.serving import SIGNATURE_HEADER
from casino.peers.entries import MAIN, MEMBERS, ProviderDetails, read_details
from casino.settings import DIRECTIONS, PROVIDERS_FILE
from casino_testing.edge import BASE_URL, JSON, FakeProvider, Service, serving
from casino_testing.service import PROVIDER_URL
from casino_testing.tenant import STAKE_MAX_MINOR, STAKE_MIN_MINOR, Tenant
from shared_service.keys.peers import PeersFile
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.signer import Signer

ACME: Final = "acme"
ACME_URL: Final = "http://acme.test"
ACME_SLOTS: Final = "7"


def secret_of(key_id: str) -> str:
    """A secret that no other key has."""
    return f"the secret of {key_id} for a test, 0123456789"


def ring_of(key_id: str) -> KeyRing:
    """A ring with one key."""
    return KeyRing(parse_keys(None, json.dumps([{"id": key_id, "secret": secret_of(key_id)}])))


def game(game_id: str = ACME_SLOTS, code: str = "SLOTS_001", **more: Any) -> dict[str, Any]:
    """A game of an entry. Its code is one that the first studio has, too."""
    range_ = {"minBet": STAKE_MIN_MINOR, "maxBet": STAKE_MAX_MINOR}
    return {"gameId": game_id, "gameCode": code, "name": "Slots of acme", **range_, **more}


def acme(**more: Any) -> dict[str, Any]:
    """The entry of the second studio."""
    keys = {side: [{"id": f"acme-{side}", "secret": secret_of(f"acme-{side}")}] for side in DIRECTIONS}
    entry = {"id": ACME, "url": ACME_URL, "status": "live", "keys": keys, "games": [game()], "casinoCode": "AT-ACME"}
    return entry | more


@dataclass
class Network:
    """Leads calls to the first or to the second studio, by the host. A studio that `hangs` answers when it is set."""

    main: FakeProvider = field(default_factory=FakeProvider)
    acme: FakeProvider = field(
        default_factory=lambda: FakeProvider(ring=ring_of("acme-provider"), verifies=ring_of("acme-provider"))
    )
    hangs: asyncio.Event | None = None
    waiting: int = 0

    def transport(self) -> httpx.MockTransport:
        """What the service's clients get in place of a network."""
        to_main, to_acme = self.main.transport(), self.acme.transport()

        async def handle(request: httpx.Request) -> httpx.Response:
            if f"http://{request.url.host}" != ACME_URL:
                return await to_main.handle_async_request(request)
            if self.hangs is not None:
                self.waiting += 1
                await self.hangs.wait()
            return await to_acme.handle_async_request(request)

        return httpx.MockTransport(handle)


@dataclass
class Studios:
    """The service with two studios. `service` calls as the first one; `acme` as the second."""

    service: Service
    network: Network
    path: Path
    acme: httpx.AsyncClient

    def write(self, *entries: Any) -> None:
        """Put a file of providers there, in one step as an operator does."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(entries))
        fresh.replace(self.path)

    async def launch(self, game_id: str) -> httpx.Response:
        """A launch by the player's client."""
        return await self.service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": game_id})

    async def token(self, game_id: str) -> str:
        """The token of a new session of a game."""
        response = await self.launch(game_id)
        assert response.status_code == 201, response.text
        return str(response.json()["sessionToken"])

    async def as_acme(self, endpoint: str, content: Any) -> httpx.Response:
        """A call of the second studio."""
        return await self.acme.post(f"/casino/{endpoint}", content=msgspec.json.encode(content), headers=JSON)


def providers_file(path: Path) -> PeersFile[ProviderDetails]:
    """The file as the settings read it."""
    return PeersFile(path, MAIN, PROVIDER_URL, DIRECTIONS, MEMBERS, read_details, PROVIDERS_FILE)


@asynccontextmanager
async def two_studios(tenant: Tenant, path: Path, *entries: Any, **changes: Any) -> AsyncIterator[Studios]:
    """The service, started with these entries; without any: with that of `acme`."""
    network = Network()
    path.write_text(json.dumps(entries or [acme()]))  # noqa: ASYNC240 - a small file of a test
    changes = {"providers_file": providers_file(path), **changes}
    async with serving(tenant, network=network.transport(), **changes) as service:
        ring = ring_of("acme-casino")
        auth = SignedAuth(Signer(ring), ring, SIGNATURE_HEADER)
        transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=auth) as client:
            yield Studios(service, network, path, client)
