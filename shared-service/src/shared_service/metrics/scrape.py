"""GET /metrics. The page is rendered at most once a second, however many scrapes there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from shared_service.http.routing import ANY_QUERY, OPS, Route, route

PATH: Final = "/metrics"
FRESH_SECONDS: Final = 1.0


class Scrape:
    """Keeps the latest page. Scrapes that arrive while it is rendered wait for it and share it."""

    def __init__(
        self, make: Callable[[], Awaitable[bytes]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._make = make
        self._monotonic = monotonic
        self._making = asyncio.Lock()
        self._page = b""
        self._made_at: float | None = None

    async def page(self) -> bytes:
        """Returns a page that is not older than `FRESH_SECONDS`."""
        async with self._making:
            if self._made_at is None or self._monotonic() - self._made_at >= FRESH_SECONDS:
                self._page = await self._make()
                self._made_at = self._monotonic()
            return self._page

    def routes(self) -> list[Route]:
        """GET /metrics, on the operations listener."""
        return [route("GET", PATH, self._get, access=OPS, query=ANY_QUERY)]

    async def _get(self, _request: Request) -> Response:
        return Response(await self.page(), media_type=CONTENT_TYPE_LATEST)
