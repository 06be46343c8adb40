"""The sessions of browsers: cookies that hold the platform's own tokens, and who calls with them.

A player's cookie is `SameSite=Lax`, so that a link from elsewhere finds the player logged in; staff's are `Strict`.
No script can read them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casino.api import guards, tokens
from casino.api.call import ANYONE, PLAYER, STAFF, Caller
from casino.api.errors import Refused
from casino.api.guards import Enter
from casino.pages.inner import Inner, at
from casino.settings import Settings
from shared_service.http.authentication import Guard

PLAYER_PAGE: Final = "player at a page"
STAFF_PAGE: Final = "staff at a page"
VISITOR_PAGE: Final = "visitor of a page"
"""The accesses of pages."""
OF_PLAYER, OF_STAFF, REFRESHES_STAFF, OF_VISITOR = "player", "desk", "desk-refresh", "visitor"
"""Cookies."""
STRICT: Final = frozenset({OF_STAFF, REFRESHES_STAFF})
VISITOR_BYTES: Final = 18
SESSION: Final = "session"
"""The browser's session in the state of a scope."""
LIFE_SECONDS: Final[Mapping[str, int]] = {
    OF_PLAYER: tokens.PLAYER_LIFE_SECONDS,
    OF_STAFF: 12 * 3600,
    REFRESHES_STAFF: 12 * 3600,
    OF_VISITOR: 12 * 3600,
}
"""How long a browser keeps a cookie. Whether its token is still good, the platform says."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names and writes cookies. Outside demo mode they are `Secure` and belong to this host alone (`__Host-`)."""

    secure: bool

    def name(self, cookie: str) -> str:
        """The name as browsers know it."""
        return f"__Host-{cookie}" if self.secure else f"casino-{cookie}"

    def read(self, scope: Scope, cookie: str) -> str | None:
        """The value that the browser sent, or None."""
        sent = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
        return cookie_parser(sent.decode("latin-1")).get(self.name(cookie)) or None

    def headers(self, changes: Mapping[str, str | None]) -> list[tuple[bytes, bytes]]:
        """Headers that set cookies; None deletes one."""
        response = Response()
        for cookie, value in changes.items():
            response.set_cookie(
                self.name(cookie), value or "", max_age=LIFE_SECONDS[cookie] if value else 0, path="/",
                secure=self.secure, httponly=True, samesite="strict" if cookie in STRICT else "lax",
            )  # fmt: skip
        return [(name, value) for name, value in response.raw_headers if name == b"set-cookie"]

    def keeping(self, guard: Guard) -> Guard:
        """The guard, whose answers set the cookies that the session changed: refusals, too."""

        def guarded(app: ASGIApp) -> ASGIApp:
            own = guard(app)

            async def serve(scope: Scope, receive: Receive, send: Send) -> None:
                async def send_with_cookies(message: Message) -> None:
                    session: Session | None = scope["state"].get(SESSION)
                    if message["type"] == "http.response.start" and session is not None:
                        message["headers"] = [*message.get("headers", ()), *self.headers(session.changes)]
                    await send(message)

                await own(scope, receive, send_with_cookies)

            return serve

        return guarded


@dataclass(slots=True)
class Session:
    """A browser's session, for one request. `key` is what the tokens of its forms belong to."""

    key: str
    changes: dict[str, str | None] = field(default_factory=dict)
    """Cookies that the answer sets."""


@dataclass(frozen=True, slots=True)
class Entering:
    """Finds out who calls a page, by the functions that find out who calls the API."""

    settings: Settings
    cookies: Cookies
    entries: Mapping[str, Enter]
    inner: Inner

    async def visitor(self, scope: Scope) -> Caller:
        """Anyone. A browser without a cookie gets one, which its forms belong to."""
        known = self.cookies.read(scope, OF_VISITOR)
        value = known or secrets.token_urlsafe(VISITOR_BYTES)
        changes: dict[str, str | None] = {} if known else {OF_VISITOR: value}
        scope["state"][SESSION] = Session(f"{OF_VISITOR} {value}", changes)
        return Caller(kind=ANYONE)

    async def player(self, scope: Scope) -> Caller:
        """The player of the cookie. Raises Refused: TOKEN_MISSING or TOKEN_INVALID."""
        token = self.cookies.read(scope, OF_PLAYER)
        caller = await self.entries[guards.PLAYER](_bearing(scope, token))
        read = tokens.read(f"Bearer {token}", self.settings.access_token_keys, tokens.PLAYERS)
        scope["state"] |= {SESSION: Session(f"{PLAYER} {token}"), "access": read}
        return caller

    async def staff(self, scope: Scope) -> Caller:
        """The member of staff of the cookie, whose tokens are refreshed when they are over. Raises Refused."""
        token, refresh_token = (self.cookies.read(scope, each) for each in (OF_STAFF, REFRESHES_STAFF))
        changes: dict[str, str | None] = {}
        try:
            caller = await self._member(scope, token)
        except Refused as refused:
            if refresh_token is None or not refused.code.startswith("TOKEN_"):
                raise
            token, refresh_token = await self._refreshed(scope, refresh_token)
            changes = {OF_STAFF: token, REFRESHES_STAFF: refresh_token}
            scope["state"][SESSION] = Session("", changes)  # the tokens before are used up, whatever comes now
            caller = await self._member(scope, token)
        scope["state"][SESSION] = Session(f"{STAFF} {caller.family}", changes)
        return caller

    async def _member(self, scope: Scope, token: str | None) -> Caller:
        caller = await self.entries[guards.STAFF](_bearing(scope, token))
        if caller.kind != STAFF:
            raise Refused("TOKEN_INVALID", why="api_key")
        return caller

    async def _refreshed(self, scope: Scope, refresh_token: str) -> tuple[str, str]:
        scope["state"]["caller"] = Caller(kind=ANYONE)
        try:
            told = await self.inner.call(Request(scope), "POST", at("/staff/refresh"), {"refreshToken": refresh_token})
        except Refused as refused:
            if refused.code in ("TOKEN_REUSED", "INVALID_FIELD"):
                raise Refused("TOKEN_INVALID", why=refused.code) from None
            raise
        return told.content["token"], told.content["refreshToken"]


def _bearing(scope: Scope, token: str | None) -> Scope:
    """The request with a cookie's token in the place of any authorization that was sent."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode("latin-1", "replace")))
    return {**scope, "headers": headers}
