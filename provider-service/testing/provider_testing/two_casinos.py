"""A provider with two casinos: the environment's, and a second one from the file of casinos."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provider.settings import casinos_file_at
from provider_testing.casinos import OTHER, OWN
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.service import Running, fresh_launch, serving
from shared_service_testing.waiting import until
from shared_signing.keys import Key

ACME_CALLED = Key("acme-1", b"acme-casino-secret")
ACME_CALLS = Key("acme-p1", b"acme-provider-secret")


def entry(url: str, **changed: Any) -> dict[str, Any]:
    """The second casino's entry in the file."""
    keys = {
        direction: [{"id": key.key_id, "secret": key.secret.decode()}]
        for direction, key in (("casino", ACME_CALLED), ("provider", ACME_CALLS))
    }
    return {"id": OTHER, "url": url, "status": "live", "keys": keys} | changed


def write(path: Path, *entries: dict[str, Any]) -> None:
    """Replace the file at once, as an operator should."""
    path.with_suffix(".new").write_text(json.dumps(entries))
    path.with_suffix(".new").replace(path)


@dataclass
class Two:
    """One provider as two casinos call it."""

    own: Running
    other: Running
    file: Path
    acme_url: str

    async def status(self, status: str) -> None:
        """Give the second casino this status, and wait until it is in force."""
        write(self.file, entry(self.acme_url, status=status))
        expected = {"live": "game_not_found", "draining": "casino_draining", "off": "unknown_key"}[status]

        async def in_force() -> bool:
            asked = fresh_launch(gameId="NO_GAME", casinoCode=OTHER)
            answer = await self.other.client.post("/provider/launch", json=asked)
            return bool(answer.json()["code"] == expected)

        await until(in_force)


@asynccontextmanager
async def serving_two(
    database_url: str, wallet: FakeWallet, acme: FakeWallet, file: Path, **changed: Any
) -> AsyncIterator[Two]:
    write(file, entry(acme.url))
    read = casinos_file_at(file, OWN, wallet.url)
    async with serving(database_url, wallet, casinos_file=read, **changed) as own:
        other = own.of(OTHER, ACME_CALLS)
        async with other.client:
            yield Two(own, other, file, acme.url)


async def late(exchange: Exchange) -> None:
    """Answer correctly, but not before the plans are dropped."""
    await exchange.stall()
    await exchange.send(exchange.execute())


def code_of(answer: Any) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["code"], answer.extensions["signature"]
