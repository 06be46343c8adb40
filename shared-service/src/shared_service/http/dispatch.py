"""Calls the endpoint of a request's route, with a query that has only the route's parameters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from shared_service.http.errors import Refused
from shared_service.http.routing import ANY_QUERY, route_of

FIELD_MAX_CHARACTERS: Final = 64
"""The name of a refused parameter is cut to this length in the answer."""


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
