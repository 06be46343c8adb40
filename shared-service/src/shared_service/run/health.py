"""Liveness and readiness: GET /health/live and GET /health/ready."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared_service.http.routing import ANY_QUERY, PUBLIC, Route, route
from shared_service.run.loops import BackgroundLoop

log = structlog.get_logger()

CHECK_SECONDS: Final = 1.0
"""Pause between two checks."""
FRESH_SECONDS: Final = 5.0
"""With an older check the service is not ready."""
NOT_LOOKED: Final = "first look"
OUTDATED: Final = "recent look"


class Readiness:
    """The result of the last check. Requests are answered from memory, so they do not cause database queries."""

    def __init__(
        self,
        look: Callable[[], Awaitable[str | None]],
        *,
        demo: bool,
        explain: Callable[[str], Awaitable[str | None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`look` checks what the service needs: returns what is missing, or None.

        `explain` is called when that changes, and returns a sentence for the log, or None.
        """
        self._look = look
        self._demo = demo
        self._explain = explain
        self._monotonic = monotonic
        self._missing: str | None = NOT_LOOKED
        self._looked_at = monotonic()

    async def step(self) -> None:
        """Check once. The step of a loop."""
        missing = await self._look()
        if missing != self._missing:
            await self._log_change(missing)
        self._missing, self._looked_at = missing, self._monotonic()

    async def _log_change(self, missing: str | None) -> None:
        if missing is None:
            log.info("readiness_changed", missing=None)
            return
        why = None if self._explain is None else await self._explain(missing)
        log.warning("readiness_changed", missing=missing, **({} if why is None else {"why": why}))

    @property
    def missing(self) -> str | None:
        """What is missing; None when the service is ready."""
        if self._monotonic() - self._looked_at > FRESH_SECONDS:
            return OUTDATED
        return self._missing

    def routes(self) -> list[Route]:
        """GET /health/live and /health/ready, on both listeners."""
        return [
            route("GET", "/health/live", self._get_live, access=PUBLIC, on_ops=True, query=ANY_QUERY),
            route("GET", "/health/ready", self._get_ready, access=PUBLIC, on_ops=True, query=ANY_QUERY),
        ]

    def loops(self) -> list[BackgroundLoop]:
        """The loop that checks."""
        return [BackgroundLoop("readiness", self.step, interval_seconds=CHECK_SECONDS)]

    async def _get_live(self, _request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def _get_ready(self, _request: Request) -> Response:
        missing = self.missing
        answer: dict[str, Any] = {"status": "ready" if missing is None else "not_ready", "demo": self._demo}
        if missing is not None:
            answer["missing"] = missing
        return JSONResponse(answer, status_code=200 if missing is None else 503)
