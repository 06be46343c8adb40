"""A person at the casino's pages, without a browser: follows links and sends forms as pages have them.

async with guest_of(service) as guest:
    page = await guest.see("/redeem")
    page = await guest.send(page, "/redeem", code="…", pin="…")
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from casino_testing.edge import BASE_URL, Service
from casino_testing.tenant import Tenant

_FORM: Final = re.compile(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', re.S)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


@dataclass(frozen=True, slots=True)
class Seen:
    """A page."""

    status: int
    text: str
    headers: httpx.Headers

    def form(self, action: str) -> dict[str, str]:
        """The hidden fields of the first form that is sent there."""
        found = next(inner for to, inner in _FORM.findall(self.text) if html.unescape(to) == action)
        return {name: html.unescape(value) for name, value in _HIDDEN.findall(found)}

    def forms(self) -> list[str]:
        """Where the page's forms are sent."""
        return [html.unescape(to) for to, _ in _FORM.findall(self.text)]

    def shown(self, name: str) -> str:
        """The text of the element with this `data-test`."""
        found = re.search(rf'data-test="{name}"[^>]*>([^<]*)<', self.text)
        assert found is not None, f"no {name} in {self.text}"
        return html.unescape(found[1]).strip()

    def minor(self, name: str) -> int:
        """The smallest units of the amount with this `data-test`."""
        found = re.search(rf'data-minor="(-?[0-9]+)"[^>]*data-test="{name}"', self.text)
        assert found is not None, f"no amount {name} in {self.text}"
        return int(found[1])


@dataclass(frozen=True, slots=True)
class Guest:
    """One person, with the cookies of one browser."""

    client: httpx.AsyncClient

    async def see(self, path: str) -> Seen:
        """Open a page, without following where it leads."""
        return _seen(await self.client.get(path))

    async def send(self, page: Seen, action: str, **fields: str) -> Seen:
        """Send the page's form with what is typed into it; follows the redirect of a success."""
        answer = await self.client.post(action, data=page.form(action) | fields)
        if answer.status_code == 303:
            answer = await self.client.get(answer.headers["location"])
        return _seen(answer)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form as it is given."""
        return await self.client.post(path, data=fields, headers=headers)

    async def log_in(self, username: str, password: str) -> Seen:
        """Log in at the desk."""
        page = await self.see("/desk/login")
        answer = await self.client.post(
            "/desk/login", data=page.form("/desk/login") | {"username": username, "password": password}
        )
        assert answer.status_code == 303, answer.text
        return _seen(answer)


def _seen(answer: httpx.Response) -> Seen:
    return Seen(answer.status_code, answer.text, answer.headers)


@asynccontextmanager
async def guest_of(service: Service) -> AsyncIterator[Guest]:
    """A new person at this service."""
    transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield Guest(client)


def redeemers(tenant: Tenant) -> list[str]:
    """The ids of the players whom vouchers made."""
    return [row["player_id"] for row in tenant.rows("players") if row["voucher_id"] is not None]
