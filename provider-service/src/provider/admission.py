"""How much may be under way at once: over the bound a request is refused before anything of it is read.

Owns the two bounds. It must never make anybody wait, and never refuse a look at the service's health.
"""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from shared_signing.asgi import Answer

COVERED: Final = "/provider/"
ROUNDS: Final = "/provider/simulate"


class Admission:
    """Plain ASGI. Rounds have a bound of their own: each holds a connection to the wallet and writes to the books.

    The bound on rounds is below the wallet client's connections, so that payouts and rollbacks of the outbox find one
    however many bets are being placed.
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http" or not scope["path"].startswith(COVERED):
            await self._app(scope, receive, send)
            return
        is_round = scope["path"] == ROUNDS
        if self._requests >= self._requests_max or (is_round and self._rounds >= self._rounds_max):
            status, headers, body = self._refuse(scope, "overloaded")
            headers.append((b"content-length", b"%d" % len(body)))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        self._requests += 1
        self._rounds += is_round
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= 1
            self._rounds -= is_round
