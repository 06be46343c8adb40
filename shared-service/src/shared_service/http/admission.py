"""Bounds how many authenticated requests run at once. Above the bound a request is refused before any work."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import Scope

from shared_service.http.errors import Answer, ErrorTable
from shared_service.http.exchange import REQUEST_ID_HEADER, id_for
from shared_service.http.routing import OPS, PUBLIC, Route, RouteTable, route_of

log = structlog.get_logger()

LOG_SECONDS: Final = 1.0
"""All requests refused in this time share one log line."""


class Admission:
    """Counts the authenticated requests of this process.

    A request counts from when its body has arrived and its signature or token is verified, so unauthenticated callers
    cannot use up the capacity. Routes with `yields` are refused from three quarters of the bound on.
    """

    def __init__(
        self,
        requests_max: int,
        *,
        errors: ErrorTable,
        observe: Callable[[str, str, float], object],
        has_peers: Callable[[], bool] = lambda: False,
    ) -> None:
        """`observe(route, code, started)` is called for each early refusal; `started` is monotonic. While `has_peers`
        says that there are several, one peer may have half of the capacity."""
        self.taken = 0
        self._has_peers = has_peers
        self._peer_max = max(1, requests_max // 2)
        self._of_peer: Counter[str] = Counter()
        self._requests_max = requests_max
        self._crowded_at = requests_max * 3 // 4
        self._errors = errors
        self._observe = observe
        self._shed = 0

    def is_full_for(self, route: Route) -> bool:
        """Returns whether a request for this route is refused now."""
        if route.share is not None:
            if route.share.taken >= route.share.most:
                return True
            if route.share.is_apart:
                return False
        return self.taken >= self._crowded_at and (self.taken >= self._requests_max or route.yields)

    @property
    def is_crowded(self) -> bool:
        """Whether three quarters of the capacity are in use: from here on some routes are refused."""
        return self.taken >= self._crowded_at

    def enter(self, scope: Scope) -> bool:
        """Count a request until `leave`. Returns False when there is no capacity for it."""
        route, peer = route_of(scope), scope["state"].get("peer", "")
        if self.is_full_for(route) or (peer and self._of_peer[peer] >= self._peer_max and self._has_peers()):
            return False
        if route.share is not None:
            route.share.taken += 1
            if route.share.is_apart:
                return True
        self.taken += 1
        self._of_peer[peer] += 1
        return True

    def leave(self, scope: Scope) -> None:
        """The request has ended."""
        route = route_of(scope)
        if route.share is not None:
            route.share.taken -= 1
            if route.share.is_apart:
                return
        self.taken -= 1
        self._of_peer[scope["state"].get("peer", "")] -= 1

    def refuse_early(self, scope: Scope, route: Route) -> Answer | None:
        """Returns the refusal of a request by its head alone, or None when there is capacity."""
        if not self.is_full_for(route):
            return None
        own_id = id_for(scope)
        status, headers, body = (route.errors or self._errors).render("overloaded", own_id.decode())
        self._observe(route.path, "overloaded", time.monotonic())
        if not self._shed:
            asyncio.get_running_loop().call_later(LOG_SECONDS, self._log_shed)
        self._shed += 1
        return status, [*headers, (REQUEST_ID_HEADER, own_id)], body

    def _log_shed(self) -> None:
        log.warning("requests_shed", count=self._shed, running=self.taken)
        self._shed = 0


def early_answer(table: RouteTable, admission: Admission) -> Callable[[Scope], Answer | None]:
    """Returns a function that refuses requests by their head while the service is full. It never refuses health."""

    def answer(scope: Scope) -> Answer | None:
        if not admission.is_crowded or scope["method"] != "POST":
            return None
        route = table.find(scope, on_ops=False)
        return None if route.access in (PUBLIC, OPS) else admission.refuse_early(scope, route)

    return answer
