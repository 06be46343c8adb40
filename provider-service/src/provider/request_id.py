"""Gives every request an id: the caller's if it is sane, else a fresh one.

Owns the header x-request-id on every answer and its binding to every log line. It must never pass an insane id on: it
goes into logs, tables and the headers of other services.
"""

import re
import uuid
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[0-9A-Za-z._:-]{1,128}")


def request_id_of(scope: Scope) -> str:
    """The id of the request that this scope belongs to."""
    return str(scope["state"]["request_id"])


def fresh_request_id() -> str:
    """An id for work that no request caused."""
    return uuid.uuid4().hex


class RequestIdMiddleware:
    """Plain ASGI, outermost, so that refusals of every layer carry the id too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == HEADER), b"")
        request_id = sent.decode() if _SANE.fullmatch(sent) else fresh_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        await self._app(scope, receive, send_with_id)
