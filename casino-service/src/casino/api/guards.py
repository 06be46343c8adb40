"""The guards of `/api/v1`: they find out who calls, read the body, and take capacity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from casino.api import call, permissions, tokens
from casino.api.call import Caller
from casino.api.errors import API_ERRORS
from casino.api.pepper import mac
from casino.settings import Settings
from shared_service.http.admission import Admission
from shared_service.http.authentication import Guard
from shared_service.http.errors import ErrorTable, Refused
from shared_service.http.exchange import RenderErrors, read_json_body
from shared_service.http.routing import route_of
from shared_service.postgres.database import Database, Overloaded

STAFF: Final = "staff of the operator"
PLAYER: Final = "player of the operator"
ANYONE: Final = "anyone at the platform"
"""The accesses of the platform's routes."""
CALLS_AT_ONCE_MAX: Final = 10
"""Calls of one caller that run at once, in this process."""
KEY_PREFIX: Final = "bearer ck_"
KEY_MAX_CHARACTERS: Final = 256
KEY_PURPOSE: Final = "api key"
WITHOUT_ENROLMENT: Final = "/api/v1/staff/"
"""Where somebody may call who has to enrol for one-time passwords first."""
BODYLESS: Final = frozenset({"GET", "HEAD"})
ENTER_STAFF: Final = "select * from casino.enter_staff(%s, %s, %s)"
ENTER_API_KEY: Final = "select * from casino.enter_api_key(%s, %s)"
ENTER_PLAYER: Final = "select * from casino.enter_player(%s, %s, %s)"

Enter = Callable[[Scope], Awaitable[Caller]]
ReadBody = Callable[[Scope, Receive], Awaitable[bytes]]


class ApiGuard:
    """Middleware. The caller is `caller` in the state of the scope, the body is `body`."""

    def __init__(self, app: ASGIApp, *, admission: Admission, enter: Enter, read_body: ReadBody) -> None:
        """`enter` returns who calls, or raises Refused. `read_body` reads a body that was announced."""
        self._app = app
        self._read_body = read_body
        self._admission = admission
        self._enter = enter
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        caller = scope["state"]["caller"] = await self._enter(scope)
        if not route_of(scope).methods:  # refused for its method, without reading the body
            await self._app(scope, receive, send)
            return
        with self._one_more(caller):
            scope["state"]["body"] = await self._read_body(scope, receive) if _has_body(scope) else b""
            if not self._admission.enter(scope):
                raise Refused("OVERLOADED")
            try:
                await self._app(scope, receive, send)
            finally:
                self._admission.leave(scope)

    @contextmanager
    def _one_more(self, caller: Caller) -> Iterator[None]:
        """Count a caller's call while it runs. Raises Refused(RATE_LIMITED) above the bound."""
        if caller.id is None:
            yield
            return
        name = f"{caller.kind} {caller.id}"
        if self._running[name] >= CALLS_AT_ONCE_MAX:
            raise Refused("RATE_LIMITED")
        self._running[name] += 1
        try:
            yield
        finally:
            self._running[name] -= 1
            if not self._running[name]:
                del self._running[name]


def entries_of(settings: Settings, database: Database) -> dict[str, Enter]:
    """Finds out who calls, by access. Each looks into the database, so that what is revoked ends at once."""

    async def enter_staff(scope: Scope) -> Caller:
        authorization = _authorization(scope)
        if authorization is not None and authorization[: len(KEY_PREFIX)].lower() == KEY_PREFIX:
            return await _enter_api_key(settings, database, authorization)
        access = tokens.read(authorization, settings.access_token_keys, tokens.STAFF)
        rows = await database.call(ENTER_STAFF, (settings.ledger_id, access.player_id, access.family))
        if not rows:
            raise Refused("TOKEN_INVALID", why="revoked")
        tenant_id, role, name, needs_otp = rows[0]
        return Caller(
            kind=call.STAFF, id=access.player_id, name=name, role=role, tenant_id=tenant_id,
            permissions=permissions.of_role(role), family=access.family, must_enrol=needs_otp,
        )  # fmt: skip

    async def enter_player(scope: Scope) -> Caller:
        access = tokens.read(_authorization(scope), settings.access_token_keys, tokens.PLAYERS)
        rows = await database.call(ENTER_PLAYER, (settings.ledger_id, access.player_id, access.issued_at))
        if not rows:
            raise Refused("TOKEN_INVALID", why="revoked")
        tenant_id, status = rows[0]
        return Caller(kind=call.PLAYER, id=access.player_id, tenant_id=tenant_id, status=status)

    async def enter_anyone(_: Scope) -> Caller:
        return Caller(kind=call.ANYONE)

    return {STAFF: enter_staff, PLAYER: enter_player, ANYONE: enter_anyone}


def guards_of(settings: Settings, database: Database, admission: Admission) -> dict[str, Guard]:
    """The guards of the platform's accesses."""
    return {
        access: guard_of(enter, admission=admission, read_body=read_json_body, errors=API_ERRORS)
        for access, enter in entries_of(settings, database).items()
    }


def guard_of(enter: Enter, *, admission: Admission, read_body: ReadBody, errors: ErrorTable) -> Guard:
    """Returns a guard that finds the caller with `enter`."""

    def guarded(app: ASGIApp) -> ASGIApp:
        own = ApiGuard(app, admission=admission, enter=enter, read_body=read_body)
        return RenderErrors(own, errors=errors, codes={Overloaded: "OVERLOADED"})

    return guarded


async def _enter_api_key(settings: Settings, database: Database, authorization: str) -> Caller:
    key = authorization[len("bearer ") :].strip()
    if len(key) > KEY_MAX_CHARACTERS:
        raise Refused("TOKEN_INVALID", why="too_long")
    rows: list[tuple[Any, ...]] = await database.call(
        ENTER_API_KEY, (settings.ledger_id, mac(settings.pepper, KEY_PURPOSE, key))
    )
    if not rows:
        raise Refused("TOKEN_INVALID", why="unknown_key")
    key_id, staff_id, tenant_id, role, name, scopes = rows[0]
    return Caller(
        kind=call.API_KEY, id=staff_id, name=name, role=role, tenant_id=tenant_id, key_id=key_id,
        permissions=permissions.of_role(role) & frozenset(scopes),
    )  # fmt: skip


def _has_body(scope: Scope) -> bool:
    """Returns whether a body was announced: a POST without one needs no content type."""
    if scope["method"] in BODYLESS:
        return False
    headers = dict(scope["headers"])
    return headers.get(b"content-length", b"0").strip() != b"0" or b"transfer-encoding" in headers


def _authorization(scope: Scope) -> str | None:
    """Returns the authorization header, or None. Raises Refused for several headers."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(values) > 1:
        raise Refused("TOKEN_INVALID", why="several_headers")
    return values[0].decode("latin-1") if values else None
