"""The guard of routes for game pages: a play token, from the browser that it was given to, at a bounded rate."""

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from provider.errors import Refused
from provider.play.queries import Player, demo_player, money_player, note_network
from provider.sessions.tickets import DEMO_TOKEN, PLAY_TOKEN, Tickets, ticket_hash
from shared_service.http.admission import Admission
from shared_service.http.exchange import read_json_body
from shared_service.http.routing import route_of
from shared_service.postgres.database import Database

log = structlog.get_logger(__name__)

PLAY: Final = "play"
"""The access of a route for game pages."""
BURST: Final = 10.0
PER_SECOND: Final = 5.0
"""Calls of one session: ten at once, five a second, in each process."""
KNOWN_MAX: Final = 10_000
AGENT_MAX: Final = 512


class Rates:
    """A token bucket for each session; the least used ones are forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, per_second: float = PER_SECOND) -> None:
        self._clock = clock
        self._per_second = per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count a call. Raises `rate_limited` above the rate."""
        now = self._clock()
        left, at = self._buckets.get(key, (BURST, now))
        left = min(BURST, left + (now - at) * self._per_second)
        self._buckets[key] = (left if left < 1 else left - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > KNOWN_MAX:
            self._buckets.popitem(last=False)
        if left < 1:
            raise Refused("rate_limited", retry_after_seconds=math.ceil((1 - left) / self._per_second))


class PlayGuard:
    """Middleware. Puts the `Player` into the state of the scope as `player`."""

    def __init__(
        self, app: ASGIApp, *, pool: Database, tickets: Tickets, admission: Admission, rates: Rates | None = None
    ) -> None:
        self._app = app
        self._pool = pool
        self._tickets = tickets
        self._admission = admission
        self._rates = rates or Rates()
        self._sessions: OrderedDict[str, str] = OrderedDict()  # of tokens, so that a flood asks no database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        token = self._token(scope)
        if not route_of(scope).methods:  # refused for its method, without reading the body
            await self._app(scope, receive, send)
            return
        self._rates.take(self._sessions.get(token, token))
        if scope["method"] not in ("GET", "HEAD"):
            scope["state"]["body"] = await read_json_body(scope, receive)
        if not self._admission.enter(scope):
            raise Refused("overloaded")
        try:
            scope["state"]["player"] = await self._player(scope, token)
            await self._app(scope, receive, send)
        finally:
            self._admission.leave(scope)

    def _token(self, scope: Scope) -> str:
        """The token of a request. Raises `play_token_invalid` for one that this studio did not make."""
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not any(
            self._tickets.is_ours(purpose, token) for purpose in (PLAY_TOKEN, DEMO_TOKEN)
        ):
            raise Refused("play_token_invalid")
        return token

    async def _player(self, scope: Scope, token: str) -> Player:
        find = money_player if self._tickets.is_ours(PLAY_TOKEN, token) else demo_player
        player = await find(self._pool, ticket_hash(token))
        if player is None or player.user_agent_sha256 != user_agent_hash(scope):
            raise Refused("play_token_invalid")
        network = network_of(scope)
        if player.network not in (None, network):
            log.warning("play_network_changed", session_id=player.session_key)
            await note_network(self._pool, ticket_hash(token), network)
        self._sessions[token] = player.session_key
        if len(self._sessions) > KNOWN_MAX:
            self._sessions.popitem(last=False)
        return player


def user_agent_hash(scope: Scope) -> str:
    """What a table holds of the user agent."""
    agent = Request(scope).headers.get("user-agent", "")
    return hashlib.sha256(" ".join(agent.split())[:AGENT_MAX].encode()).hexdigest()


def network_of(scope: Scope) -> str:
    """The network that a request came from. A phone may change its address within it."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return "unknown"
    bits = 24 if address.version == 4 else 64
    return str(ipaddress.ip_network((address.packed, bits), strict=False))


def player_of(request: Request) -> Player:
    """The player whose token the guard has verified."""
    player: Player = request.scope["state"]["player"]
    return player
