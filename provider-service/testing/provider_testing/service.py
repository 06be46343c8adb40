"""The provider in the test's own event loop, with a signed client in front and its books beside it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from provider.app import create_app
from provider.settings import Settings
from provider_testing.fake_wallet import FakeWallet
from shared_service_testing.waiting import until
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import Key, KeyRing
from shared_signing.signer import Signer

CASINO_KEY = Key("main", b"casino-secret")
PROVIDER_KEY = Key("main", b"provider-secret")
PENDING = "select * from provider.wallet_transactions where state = 'pending'"
OPEN_ROUNDS = "select * from provider.rounds where state = 'open'"


def settings_for(database_url: str, wallet_url: str, **changed: Any) -> Settings:
    """Settings with short pauses, so that recovery is seen within a test."""
    base = Settings(
        database_url=database_url,
        casino_keys=(CASINO_KEY,),
        provider_keys=(PROVIDER_KEY,),
        casino_url=wallet_url,
        demo=True,
        connect_seconds=8.0,
        lease_margin_seconds=0.5,
        retry_first_seconds=0.1,
        outbox_interval_seconds=0.05,
        reconcile_at=None,  # a nightly run could begin during a test
    )
    return dataclasses.replace(base, **changed)


def fresh_launch(**changed: Any) -> dict[str, Any]:
    """The body of a launch of a new session."""
    return {
        "sessionToken": uuid.uuid4().hex * 2,
        "casinoSessionId": uuid.uuid4().hex,
        "userId": "1",
        "gameId": "SLOTS_001",
        "currency": "USD",
        "casinoCode": "JAQPOT",
    } | changed


def signed_client(
    transport: httpx.AsyncBaseTransport | None = None, base_url: str = "http://p", *, key: Key = PROVIDER_KEY
) -> httpx.AsyncClient:
    """A client that signs as the casino with this key does."""
    ring = KeyRing([key])
    auth = SignedAuth(Signer(ring), ring, "x-provider-signature")
    headers = {"content-type": "application/json"}
    return httpx.AsyncClient(
        transport=transport, base_url=base_url, auth=auth, headers=headers, trust_env=False, verify=False, timeout=60
    )


@dataclass
class Running:
    """A provider that serves."""

    client: httpx.AsyncClient
    app: Any
    casino_code: str = "JAQPOT"

    def of(self, casino_code: str, key: Key) -> Running:
        """The same provider, as another casino calls it."""
        return Running(signed_client(httpx.ASGITransport(self.app), key=key), self.app, casino_code)

    async def launch(self, **changed: Any) -> dict[str, Any]:
        """Launch a session; returns the body that a simulation of it needs."""
        asked = fresh_launch(**{"casinoCode": self.casino_code} | changed)
        answer = await self.client.post("/provider/launch", json=asked)
        assert answer.status_code == 200, answer.text
        named = {name: asked[name] for name in ("sessionToken", "userId", "gameId", "currency", "casinoCode")}
        return named | {"providerSessionId": answer.json()["providerSessionId"]}

    async def ready(self) -> None:
        """Wait until the database and the keys are there."""

        async def is_ready() -> bool:
            return (await self.client.post("/provider/launch", json={})).status_code != 503

        await until(is_ready)

    async def simulate(self, session: dict[str, Any] | None = None) -> dict[str, Any]:
        """Play the scripted round; returns its report."""
        answer = await self.client.post("/provider/simulate", json=session or await self.launch())
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report


@asynccontextmanager
async def serving(database_url: str, wallet: FakeWallet, **changed: Any) -> AsyncIterator[Running]:
    """Context manager: a serving provider in the test's event loop."""
    app = create_app(settings_for(database_url, wallet.url, **changed))
    async with app.router.lifespan_context(app), signed_client(httpx.ASGITransport(app)) as client:
        yield Running(client, app)


async def settled(owner_url: str) -> None:
    """Wait until no transaction is pending and no round is open."""
    with psycopg.connect(owner_url, autocommit=True, row_factory=dict_row) as connection:

        def still_open() -> list[object]:
            return [*connection.execute(PENDING).fetchall(), *connection.execute(OPEN_ROUNDS).fetchall()]

        await until(lambda: not still_open(), lambda: f"still open: {still_open()}")


def end_leases(owner_url: str) -> None:
    """End every lease and every pause. Leases are long, so that they do not end by chance on a busy machine."""
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "update provider.wallet_transactions set due_at = clock_timestamp() where due_at is not null"
        )
        connection.execute("update provider.rounds set lease_until = clock_timestamp() where state = 'open'")


def rows(owner_url: str, query: str, *values: Any) -> list[dict[str, Any]]:
    """The rows of a query, as the owner."""
    with psycopg.connect(owner_url, row_factory=dict_row) as connection:
        return connection.execute(query, values).fetchall()


def pending(owner_url: str) -> list[dict[str, Any]]:
    """Pending transactions."""
    return rows(owner_url, PENDING)


def open_rounds(owner_url: str) -> list[dict[str, Any]]:
    """Open rounds."""
    return rows(owner_url, OPEN_ROUNDS)
