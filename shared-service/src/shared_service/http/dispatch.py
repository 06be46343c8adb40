"""Finds the route of each request, and calls its endpoint with a query that has only the route's parameters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from shared_service.http.errors import Refused
from shared_service.http.routing import ANY_QUERY, RouteTable, route_of

FIELD_MAX_CHARACTERS: Final = 64
"""The name of a refused parameter is cut to this length in the answer."""


@dataclass(frozen=True, slots=True)
class OpsListener:
    """The operations listener. All other listeners are public."""

    port: int
    host: str | None = None
    """Its address; None unless the public listener has the same port on another address."""

    def is_at(self, server: Sequence[Any] | None) -> bool:
        """Returns whether this address and port of the server belong to the operations listener."""
        return server is not None and server[1] == self.port and self.host in (None, server[0])


def ops_listener(address: tuple[str, int], public: tuple[str, int]) -> OpsListener:
    """The operations listener at `address`; `public` is the public listener's address."""
    host, port = address
    return OpsListener(port, host if port == public[1] else None)


class FindRoute:
    """The outermost middleware: finds the route before any other code of ours reads the request."""

    def __init__(self, app: ASGIApp, *, table: RouteTable, ops: OpsListener) -> None:
        self._app = app
        self._table = table
        self._ops = ops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            on_ops = self._ops.is_at(scope.get("server"))
            scope.setdefault("state", {})["route"] = self._table.find(scope, on_ops=on_ops)
        await self._app(scope, receive, send)


class Dispatch:
    """The innermost middleware: calls the endpoint of the route, instead of Starlette's router.

    Raises Refused(invalid_field) for a query parameter that the route does not have or that comes twice.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = route_of(scope)
        if scope["query_string"] and found.query is not ANY_QUERY:
            _require_known(QueryParams(scope["query_string"]), found.query)
        await found.endpoint(scope, receive, send)


def _require_known(query: QueryParams, names: Collection[str]) -> None:
    """A misspelled or repeated parameter must not be ignored."""
    for name in query:
        if name not in names or len(query.getlist(name)) > 1:
            raise Refused("invalid_field", field=name[:FIELD_MAX_CHARACTERS])
