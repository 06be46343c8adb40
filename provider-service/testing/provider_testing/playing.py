"""A game page for tests: launches, trades its code, and calls the provider as a browser does."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from provider_testing.service import Running, fresh_launch

AGENT = "Browser/1.0"


@dataclass
class Page:
    """An open page. `started`: what its start answered."""

    client: httpx.AsyncClient
    started: dict[str, Any]

    @property
    def state(self) -> dict[str, Any]:
        """The state at the start."""
        state: dict[str, Any] = self.started["state"]
        return state

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Call as the page does."""
        return await self.client.get(f"/v1/play/{path}", headers=self._headers(headers))

    async def post(self, path: str, content: dict[str, Any], **headers: str) -> httpx.Response:
        """Call as the page does."""
        return await self.client.post(f"/v1/play/{path}", json=content, headers=self._headers(headers))

    async def spin(self, spin_id: str | None = None, stake: int = 1000) -> httpx.Response:
        """Ask for a spin of the page's game."""
        game = self.started["game"]
        return await self.post(f"slots/{game}/spin", {"spinId": spin_id or uuid.uuid4().hex, "stake": stake})

    def _headers(self, changed: dict[str, str]) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self.started['playToken']}", "user-agent": AGENT}
        return headers | {name.replace("_", "-"): value for name, value in changed.items()}


def browser(provider: Running) -> httpx.AsyncClient:
    """A client that signs nothing. The caller closes it, or leaves it to the test's end: it has no connection."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(provider.app), base_url="http://p", headers={"user-agent": AGENT}
    )


async def launch_url(provider: Running, **changed: Any) -> str:
    """Launch as the casino; returns the page's address."""
    asked = fresh_launch(**{"casinoCode": provider.casino_code} | changed)
    answer = await provider.client.post("/provider/launch", json=asked)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["launchUrl"])


def code_in(url: str) -> str:
    """The launch code in an address."""
    return urlsplit(url).fragment.removeprefix("code=")


async def start(provider: Running, content: dict[str, Any], **headers: str) -> httpx.Response:
    """Ask for a play token."""
    return await browser(provider).post("/v1/play/start", json=content, headers=headers)


async def open_page(provider: Running, game: str = "SLOTS_001", **changed: Any) -> Page:
    """Launch a game and open its page."""
    code = code_in(await launch_url(provider, gameId=game, **changed))
    answer = await start(provider, {"code": code, "gameId": game})
    assert answer.status_code == 200, answer.text
    return Page(browser(provider), answer.json() | {"game": game})


async def open_demo(provider: Running, game: str = "SLOTS_001", **content: Any) -> Page:
    """Open a page of demo play."""
    answer = await start(provider, {"demo": True, "gameId": game} | content)
    assert answer.status_code == 200, answer.text
    return Page(browser(provider), answer.json() | {"game": game})
