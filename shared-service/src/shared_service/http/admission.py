"""How many requests of known callers may run at once. Above the bound a request is refused before any work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import Scope

from shared_service.http.errors import Answer, ErrorTable
from shared_service.http.exchange import REQUEST_ID_HEADER, id_for
from shared_service.http.routing import OPS, PUBLIC, Route, RouteTable, route_of

log = structlog.get_logger()

SAY_SECONDS: Final = 1.0
"""One log line for all requests refused in this time."""


class Admission:
    """Counts the requests of known callers in this process.

    A request counts once its body has arrived and its signature or token holds: strangers cannot use up the
    capacity. Routes that yield are refused from three quarters of the bound on.
    """

    def __init__(self, requests_max: int, *, errors: ErrorTable, observe: Callable[[str, str, float], object]) -> None:
        """`observe` is told of the route, code and start (monotonic) of each early refusal."""
        self.taken = 0
        self._requests_max = requests_max
        self._crowded_at = requests_max * 3 // 4
        self._errors = errors
        self._observe = observe
        self._shed = 0

    def is_full_for(self, route: Route) -> bool:
        """Whether a request for this route is refused now."""
        if route.share is not None and route.share.taken >= route.share.most:
            return True
        return self.taken >= self._crowded_at and (self.taken >= self._requests_max or route.yields)

    @property
    def is_crowded(self) -> bool:
        """Whether the bound on all requests may refuse some route now."""
        return self.taken >= self._crowded_at

    def enter(self, scope: Scope) -> bool:
        """Count a request until `leave`; False when there is no capacity for it."""
        route = route_of(scope)
        if self.is_full_for(route):
            return False
        self.taken += 1
        if route.share is not None:
            route.share.taken += 1
        return True

    def leave(self, scope: Scope) -> None:
        """The request has ended."""
        route = route_of(scope)
        self.taken -= 1
        if route.share is not None:
            route.share.taken -= 1

    def refuse_early(self, scope: Scope, route: Route) -> Answer | None:
        """The refusal of a request of which only the head is known; None when there is capacity."""
        if not self.is_full_for(route):
            return None
        own_id = id_for(scope)
        status, headers, body = self._errors.render("overloaded", own_id.decode())
        self._observe(route.path, "overloaded", time.monotonic())
        if not self._shed:
            asyncio.get_running_loop().call_later(SAY_SECONDS, self._say)
        self._shed += 1
        return status, [*headers, (REQUEST_ID_HEADER, own_id)], body

    def _say(self) -> None:
        log.warning("requests_shed", count=self._shed, running=self.taken)
        self._shed = 0


def early_answer(table: RouteTable, admission: Admission) -> Callable[[Scope], Answer | None]:
    """Refuses a request by its head alone, while known requests fill the service. Health is never refused."""

    def answer(scope: Scope) -> Answer | None:
        if not admission.is_crowded or scope["method"] != "POST":
            return None
        route = table.find(scope, on_ops=False)
        return None if route.access in (PUBLIC, OPS) else admission.refuse_early(scope, route)

    return answer
