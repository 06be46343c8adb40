"""How much may be under way at once: over the bound a request is refused before anything of it is read.

Owns the two bounds. It must never make anybody wait, and never refuse a look at the service's health.
"""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_signing.asgi import Answer

COVERED: Final = "/provider/"
ROUNDS: Final = "/provider/simulate"
HALVES_PER_PLACE: Final = 8
"""Requests without their body that are held for each place: they hold memory, 64 KiB at most."""


class _Full(Exception):  # noqa: N818 - a decision, not a defect
    """The body has come, and there is no place now."""


def is_half(receive: Receive) -> bool:
    """Whether the body is still on its way; that of a small request has come with the head. False without uvicorn."""
    return getattr(getattr(receive, "__self__", None), "more_body", False)


class Admission:
    """Plain ASGI. Rounds have a bound of their own: each holds a connection to the wallet and writes to the books.

    The bound on rounds is below the wallet client's connections, so that payouts and rollbacks of the outbox find one
    however many bets are being placed. A request takes its place when its body is there: half a request costs nothing,
    and anybody can send one without a signature. Of those there is a bound too.
    """

    def __init__(
        self, app: ASGIApp, *, requests_max: int, rounds_max: int, refuse: Callable[[Scope, str], Answer]
    ) -> None:
        self._app = app
        self._requests_max = requests_max
        self._rounds_max = rounds_max
        self._refuse = refuse
        self._requests = 0
        self._rounds = 0
        self._halves = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http" or not scope["path"].startswith(COVERED):
            await self._app(scope, receive, send)
            return
        if is_half(receive):
            await self._serve_half(scope, receive, send)
        elif self._is_full(scope):
            await self._say_no(scope, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_round = scope["path"] == ROUNDS
        self._requests += 1
        self._rounds += is_round
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= 1
            self._rounds -= is_round

    async def _serve_half(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body comes after its head; when it is there, it takes a place or is refused."""
        if self._halves >= self._requests_max * HALVES_PER_PLACE:
            await self._say_no(scope, send)
            return
        is_round, has_place = scope["path"] == ROUNDS, False

        async def receive_and_enter() -> Message:
            nonlocal has_place
            message = await receive()
            if not has_place and not message.get("more_body", False):
                if self._is_full(scope):
                    raise _Full
                has_place = True
                self._halves -= 1
                self._requests += 1
                self._rounds += is_round
            return message

        self._halves += 1
        try:
            await self._app(scope, receive_and_enter, send)
        except _Full:
            await self._say_no(scope, send)
        finally:
            if has_place:
                self._requests -= 1
                self._rounds -= is_round
            else:
                self._halves -= 1

    def _is_full(self, scope: Scope) -> bool:
        is_round = scope["path"] == ROUNDS
        return self._requests >= self._requests_max or (is_round and self._rounds >= self._rounds_max)

    async def _say_no(self, scope: Scope, send: Send) -> None:
        status, headers, body = self._refuse(scope, "overloaded")
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
