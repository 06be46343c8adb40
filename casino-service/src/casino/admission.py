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
from casino.errors import Answer
from casino.http import REQUEST_ID_HEADER, Observe, id_for, send_answer

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


class Places:
    """How many requests are under way in this process, and the answer to one for which there is no place.

    What `gives_way` is refused from three quarters of the bound on, so there is room for what must not wait: a payout,
    a rollback.
    """

    def __init__(self, requests_max: int, *, gives_way: Callable[[str], bool], observe: Observe) -> None:
        self.taken = 0
        self.halves = 0
        self._requests_max = requests_max
        self._crowded_at = requests_max * 3 // 4
        self._gives_way = gives_way
        self._observe = observe
        self._shed = 0

    def are_full_for(self, path: str) -> bool:
        """Whether a request for this path is refused now."""
        if self.taken < self._crowded_at or not path.startswith(BUSINESS):
            return False
        return self.taken >= self._requests_max or self._gives_way(path)

    def are_full_of_halves(self) -> bool:
        """Whether one more request without its body is too many."""
        return self.halves >= self._requests_max * HALVES_PER_PLACE

    def early_answer(self, scope: Scope) -> Answer | None:
        """The refusal, for the server to send without starting a task; None when there is a place."""
        if scope["method"] == "POST" and self.are_full_for(scope["path"]):
            return self.refuse(scope)
        return None

    def refuse(self, scope: Scope) -> Answer:
        """The refusal, which is counted and said."""
        own_id = id_for(scope)
        status, headers, body = _OVERLOADED
        self._observe(scope["path"], "overloaded", time.monotonic())
        if not self._shed:
            asyncio.get_running_loop().call_later(SAY_SECONDS, self._say)
        self._shed += 1
        return status, [*headers, (REQUEST_ID_HEADER, own_id)], body.replace(_SOME_ID, own_id)

    def _say(self) -> None:
        log.warning("requests_shed", count=self._shed, under_way=self.taken)
        self._shed = 0


class Admission:
    """Outermost middleware. A request takes its place when its body is there.

    Half a request costs nothing, and anybody can send one without a signature. Of those there is a bound too.
    """

    def __init__(self, app: ASGIApp, *, places: Places) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._places.are_full_for(scope["path"]):
            await send_answer(send, self._places.refuse(scope))
        elif is_half(receive):
            await self._serve_half(scope, receive, send)
        else:
            self._places.taken += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._places.taken -= 1

    async def _serve_half(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body comes after its head; when it is there, it takes a place or is refused."""
        places = self._places
        if places.are_full_of_halves():
            await send_answer(send, places.refuse(scope))
            return
        has_place = False

        async def receive_and_enter() -> Message:
            nonlocal has_place
            message = await receive()
            if not has_place and not message.get("more_body", False):
                if places.are_full_for(scope["path"]):
                    raise Overloaded
                has_place = True
                places.halves -= 1
                places.taken += 1
            return message

        places.halves += 1
        try:
            await self._app(scope, receive_and_enter, send)
        except Overloaded:  # raised above, and by nothing else so far out
            await send_answer(send, places.refuse(scope))
        finally:
            if has_place:
                places.taken -= 1
            else:
                places.halves -= 1
