"""How much may be under way at once: over the bound a request is refused before anything of it is read.

Owns the bound and the cheapest way to say no: under twice the load as many are refused as are served, and what a
refusal costs is taken from those. It must never make anybody wait, and never refuse a look at the service's health.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from casino import errors
from casino.http import REQUEST_ID_HEADER, Observe, id_for, send_answer
from casino.settings import Settings

log = structlog.get_logger()

BUSINESS: Final = "/casino/"
"""What is refused when there is too much of it."""
SAY_SECONDS: Final = 1.0
"""One line for all that was refused in this time: a line for each would cost more than its refusal."""


class Admission:
    """Outermost middleware. What `gives_way` is refused from three quarters of the bound on.

    So there is room for what must not wait: a payout, a rollback.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, gives_way: Callable[[str], bool], observe: Observe) -> None:
        self._app = app
        self._requests_max = settings.requests_max
        self._crowded_at = settings.requests_max * 3 // 4
        self._gives_way = gives_way
        self._observe = observe
        self._under_way = 0
        self._shed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._crowded_at and self._is_full_for(scope["path"]):
            await self._refuse(scope, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1

    def _is_full_for(self, path: str) -> bool:
        return path.startswith(BUSINESS) and (self._under_way >= self._requests_max or self._gives_way(path))

    async def _refuse(self, scope: Scope, send: Send) -> None:
        started = time.monotonic()
        own_id = id_for(scope)
        status, headers, body = errors.render("overloaded", own_id.decode())
        await send_answer(send, (status, [*headers, (REQUEST_ID_HEADER, own_id)], body))
        self._observe(scope["path"], "overloaded", started)
        if not self._shed:
            asyncio.get_running_loop().call_later(SAY_SECONDS, self._say)
        self._shed += 1

    def _say(self) -> None:
        log.warning("requests_shed", count=self._shed, under_way=self._under_way)
        self._shed = 0
