"""Turns everything that goes wrong inside into the one rendering of errors.

Owns the way from an exception to an answer, inside the signature edge so that errors are signed too. It must never let
a traceback with its values out, neither to the caller nor to the log.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from provider.errors import Answer, ProviderError, render
from provider.request_id import request_id_of

log = structlog.get_logger(__name__)

_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def refuse(scope: Scope, code: str, extras: Mapping[str, Any]) -> Answer:
    """What the signature edge answers when it refuses a request."""
    return _noted(scope, ProviderError(code), extras)


def warn_of_skew(_: Scope, key_id: str, skew_seconds: int) -> None:
    """What the signature edge calls for a request that holds, although its clock is far off."""
    log.warning("peer_clock_skewed", key_id=key_id, skew_seconds=skew_seconds)


async def on_provider_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    assert isinstance(error, ProviderError)  # noqa: S101 -- registered for this class
    return _response(_noted(request.scope, error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's handler for its own: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for this class
    return _response(_noted(request.scope, ProviderError(_BY_STATUS.get(error.status_code, "internal"))))


class ErrorEdge:
    """Plain ASGI: what no handler knows is `overloaded` when the pool was full, else `internal`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if started:
                raise
            # The pool says so before a statement is sent. Any other error may have come after one.
            code = "overloaded" if isinstance(error, PoolTimeout | TooManyRequests) else "internal"
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            log.error(
                "request_failed",
                code=code,
                error=type(error).__name__,
                cause=type(error.__cause__).__name__,
                at=None if where is None else f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}",
            )
            await _response(_noted(scope, ProviderError(code)))(scope, receive, send)


def _noted(scope: Scope, error: ProviderError, extras: Mapping[str, Any] | None = None) -> Answer:
    """The answer, after noting for the outermost layer why the request is refused."""
    scope["state"]["refusal"] = error
    return render(error, request_id_of(scope), extras)


def _response(answer: Answer) -> Response:
    status, headers, body = answer
    return Response(body, status_code=status, headers={name.decode(): value.decode() for name, value in headers})
