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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casino import errors
from casino.db import Overloaded
from casino.http import REQUEST_ID_HEADER, Observe, id_for, send_answer
from casino.settings import Settings

log = structlog.get_logger()

BUSINESS: Final = "/casino/"
"""What is refused when there is too much of it."""
SAY_SECONDS: Final = 1.0
"""One line for all that was refused in this time: a line for each would cost more than its refusal."""
_SOME_ID: Final = b"SOME-REQUEST-ID"
_OVERLOADED: Final = errors.render("overloaded", _SOME_ID.decode())
"""The answer, rendered once: an id that is let through has nothing that JSON would write otherwise."""
HALVES_PER_PLACE: Final = 8
"""Requests without their body that are held for each place: they hold memory, 64 KiB at most."""


def is_half(receive: Receive) -> bool:
    """Whether the body is still on its way; that of a small request has come with the head. False without uvicorn."""
    return getattr(getattr(receive, "__self__", None), "more_body", False)


class Admission:
    """Outermost middleware. What `gives_way` is refused from three quarters of the bound on.

    So there is room for what must not wait: a payout, a rollback. A request takes its place when its body is there:
    half a request costs nothing, and anybody can send one without a signature. Of those there is a bound too.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, gives_way: Callable[[str], bool], observe: Observe) -> None:
        self._app = app
        self._requests_max = settings.requests_max
        self._crowded_at = settings.requests_max * 3 // 4
        self._gives_way = gives_way
        self._observe = observe
        self._under_way = 0
        self._halves = 0
        self._shed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._crowded_at and self._is_full_for(scope["path"]):
            await self._refuse(scope, send)
            return
        if is_half(receive):
            await self._serve_half(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _serve_half(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body comes after its head; when it is there, it takes a place or is refused."""
        if self._halves >= self._requests_max * HALVES_PER_PLACE:
            await self._refuse(scope, send)
            return
        has_place = False

        async def receive_and_enter() -> Message:
            nonlocal has_place
            message = await receive()
            if not has_place and not message.get("more_body", False):
                if self._under_way >= self._crowded_at and self._is_full_for(scope["path"]):
                    raise Overloaded
                has_place = True
                self._halves -= 1
                self._under_way += 1
            return message

        self._halves += 1
        try:
            await self._app(scope, receive_and_enter, send)
        except Overloaded:  # raised above, and by nothing else so far out
            await self._refuse(scope, send)
        finally:
            if has_place:
                self._under_way -= 1
            else:
                self._halves -= 1

    def _is_full_for(self, path: str) -> bool:
        return path.startswith(BUSINESS) and (self._under_way >= self._requests_max or self._gives_way(path))

    async def _refuse(self, scope: Scope, send: Send) -> None:
        started = time.monotonic()
        own_id = id_for(scope)
        status, headers, body = _OVERLOADED
        await send_answer(send, (status, [*headers, (REQUEST_ID_HEADER, own_id)], body.replace(_SOME_ID, own_id)))
        self._observe(scope["path"], "overloaded", started)
        if not self._shed:
            asyncio.get_running_loop().call_later(SAY_SECONDS, self._say)
        self._shed += 1

    def _say(self) -> None:
        log.warning("requests_shed", count=self._shed, under_way=self._under_way)
        self._shed = 0
