"""Gives every request an id: the caller's if it is sane, else a fresh one. Sees how each ends.

Owns the header x-request-id on every answer, its binding to every log line, and the one line about a refusal. It must
never pass an insane id on: it goes into logs, tables and the headers of other services.
"""

import re
import time
import uuid
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from provider.errors import ProviderError
from provider.metrics import NO_CODE, OK, UNANSWERED

log = structlog.get_logger(__name__)

HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[0-9A-Za-z._:-]{1,128}")
_WORRYING_STATUSES: Final = frozenset({401, 422, 500, 503})


def request_id_of(scope: Scope) -> str:
    """The id of the request that this scope belongs to."""
    return str(scope["state"]["request_id"])


def fresh_request_id() -> str:
    """An id for work that no request caused."""
    return uuid.uuid4().hex


Observe = Callable[[str, str, float], str]
"""Tells of a request's path, outcome and start (monotonic); returns its endpoint's name."""


class RequestIdMiddleware:
    """Plain ASGI, outermost, so that refusals of every layer carry the id too, and each is observed and logged here."""

    def __init__(self, app: ASGIApp, *, observe: Observe) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == HEADER), b"")
        request_id = sent.decode() if _SANE.fullmatch(sent) else fresh_request_id()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        started, outcome = time.monotonic(), UNANSWERED
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_id(message: Message) -> None:
            nonlocal outcome
            if message["type"] == "http.response.start":
                outcome = OK if message["status"] < 400 else NO_CODE
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            refusal: ProviderError | None = state.get("refusal")
            endpoint = self._observe(scope["path"], refusal.kind.code if refusal else outcome, started)
            if refusal is not None:
                _log_refusal(refusal, endpoint)


def _log_refusal(refusal: ProviderError, endpoint: str) -> None:
    """Every refusal is logged, here alone, with the id of its request. The path is not: it may hold anything."""
    say = log.warning if refusal.kind.status in _WORRYING_STATUSES else log.info
    say("request_refused", code=refusal.kind.code, field=refusal.field, endpoint=endpoint)
