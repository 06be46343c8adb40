"""Calls `/api/v1` and launchGame inside this process, so that a page has no rule of its own.

A call runs the endpoint of the route with the caller of the page's request: permission, 404, idempotency key, the
transaction, the audit trail and refusals are those of the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.types import Message, Scope

from casino.api.call import ANYONE as ANYBODY
from casino.api.call import PLAYER as A_PLAYER
from casino.api.call import STAFF as OF_STAFF
from casino.api.call import Caller
from casino.api.errors import Refused
from casino.api.guards import ANYONE, PLAYER, STAFF
from casino.client.guard import PLAYER as PLAYERS_CLIENT
from shared_service.http.routing import RouteTable

MAY_CALL: Final[Mapping[str, frozenset[str]]] = {
    ANYBODY: frozenset({ANYONE}),
    A_PLAYER: frozenset({ANYONE, PLAYER, PLAYERS_CLIENT}),
    OF_STAFF: frozenset({ANYONE, STAFF}),
}
"""The accesses of routes that a page may call, by its caller's kind."""
FROM_THE_REQUEST: Final = frozenset({b"user-agent", b"x-forwarded-for", b"host"})
"""Headers that say where a request comes from. All others are the page's own affair."""


@dataclass(frozen=True, slots=True)
class Told:
    """A successful answer."""

    status: int
    body: bytes

    @property
    def content(self) -> Any:
        """The answer's JSON."""
        return msgspec.json.decode(self.body)


@dataclass(frozen=True, slots=True)
class Inner:
    """The routes that pages call."""

    table: RouteTable

    async def call(
        self,
        request: Request,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] = {},
        headers: Mapping[str, str] = {},
    ) -> Told:
        """Raises Refused, as the route does. `path` is made by `at`."""
        scope = self._scope(request.scope, method, path, query)
        body = b"" if content is None else msgspec.json.encode(content)
        scope["headers"] += [(name.encode(), value.encode()) for name, value in headers.items()]
        found = scope["state"]["route"] = self.table.find(scope, on_ops=False)
        if not found.methods:  # an id that no path can name, such as `..`
            raise Refused("NOT_FOUND")
        caller: Caller = request.state.caller
        if found.access not in MAY_CALL[caller.kind]:
            raise RuntimeError(f"a page of {caller.kind} calls {method} {path}")
        scope["state"] |= {"body": body, "caller": Caller(kind=ANYBODY) if found.access == ANYONE else caller}
        status, parts = 0, bytearray()

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.extend(message.get("body", b""))

        await found.endpoint(scope, receive, send)
        return Told(status, bytes(parts))

    @staticmethod
    def _scope(outer: Scope, method: str, path: str, query: Mapping[str, Any]) -> Scope:
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return {
            **outer,
            "method": method,
            "path": path,
            "raw_path": path.encode("ascii"),
            "query_string": urlencode(given).encode(),
            "path_params": {},
            "headers": [(name, value) for name, value in outer["headers"] if name in FROM_THE_REQUEST],
            "state": dict(outer["state"]),
        }


def at(template: str, *ids: str) -> str:
    """Returns a path of `/api/v1`: `at("/voucher/{}/void", voucher_id)`."""
    return "/api/v1" + template.format(*(quote(each, safe="") for each in ids))
