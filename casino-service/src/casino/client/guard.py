"""The guard of routes for a player's own client. Outside demo mode an access token is required."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from casino.client.access_token import AccessToken
from casino.errors import Refused
from shared_service.http.admission import Admission
from shared_service.http.exchange import read_json_body
from shared_service.http.routing import route_of

PLAYER: Final = "player"
"""The access of a route for a player's own client."""
AUTHORIZATION: Final = b"authorization"


class PlayerGuard:
    """Middleware. Verifies the access token, reads the body, and then takes capacity.

    The token is `access` in the state of the scope; None in demo mode.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        admission: Admission,
        read_token: Callable[[str | None], AccessToken] | None,
        calls_at_once_max: int,
    ) -> None:
        """`read_token` reads the authorization header and raises Refused; with None no token is required.

        At most `calls_at_once_max` calls of a player run at once, because all players share the capacity.
        """
        self._app = app
        self._admission = admission
        self._read_token = read_token
        self._calls_at_once_max = calls_at_once_max
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        access = None if self._read_token is None else self._read_token(_authorization(scope))
        scope["state"]["access"] = access
        if not route_of(scope).methods:  # refused for its method, without reading the body
            await self._app(scope, receive, send)
            return
        with self._one_more(access):
            scope["state"]["body"] = await read_json_body(scope, receive)
            if not self._admission.enter(scope):
                raise Refused("overloaded")
            try:
                await self._app(scope, receive, send)
            finally:
                self._admission.leave(scope)

    @contextmanager
    def _one_more(self, access: AccessToken | None) -> Iterator[None]:
        """Count a player's call while it runs. Raises Refused(rate_limited) above the bound."""
        if access is None:
            yield
            return
        player_id = access.player_id
        if self._running[player_id] >= self._calls_at_once_max:
            raise Refused("rate_limited")
        self._running[player_id] += 1
        try:
            yield
        finally:
            self._running[player_id] -= 1
            if not self._running[player_id]:
                del self._running[player_id]


def _authorization(scope: Scope) -> str | None:
    """Returns the authorization header, or None. Raises Refused for several headers."""
    values = [value for name, value in scope["headers"] if name == AUTHORIZATION]
    if len(values) > 1:
        raise Refused("access_token_invalid", why="several_headers")
    return values[0].decode("latin-1") if values else None
