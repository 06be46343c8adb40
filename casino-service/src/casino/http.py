"""HTTP as the whole service uses it: bounded bodies, sending an answer, request ids, and the catch-all for errors.

Plain ASGI, because the wallet's endpoints are on the hot path. It must never log a body or a header's value.
"""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casino import errors
from casino.db import OutcomeUnknown, Overloaded
from casino.errors import Answer, Refused
from casino.metrics import NO_CODE, OK, UNANSWERED
from casino.wallet.group_commit import KeyBusy

log = structlog.get_logger()

BODY_MAX_BYTES: Final = 65_536
REQUEST_ID_HEADER: Final = b"x-request-id"
PROCESS_ID_BYTES: Final = 8
NANOSECONDS_PER_MICROSECOND: Final = 1_000
_PROCESS_ID: Final = secrets.token_hex(PROCESS_ID_BYTES).encode()
_numbers: Final = itertools.count()
_SANE_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._:\-]{1,128}")
_WORRYING_STATUSES: Final = frozenset({401, 422, 500, 502, 503})
_CODES_OF_STATUSES: Final = {404: "not_found", 405: "method_not_allowed"}


class ClientGone(Exception):  # noqa: N818 - an event, not a defect
    """The caller hung up before its request was whole; there is nobody to answer."""


def request_id(scope: Scope) -> str:
    """The id under which everything that this request causes is logged."""
    return cast("str", scope["state"]["request_id"])


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises Refused(body_too_large) as soon as that is certain, Refused(unsupported_media_type) for
    anything but plain JSON, and ClientGone."""
    content_type = encoding = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-encoding":
            encoding = value
        elif name == b"content-length" and int(value) > BODY_MAX_BYTES:
            raise Refused("body_too_large")
    if content_type.split(b";", 1)[0].strip().lower() != b"application/json" or encoding not in (b"", b"identity"):
        raise Refused("unsupported_media_type")
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= BODY_MAX_BYTES:
        message = await receive()
        body += message.get("body", b"")
    if len(body) > BODY_MAX_BYTES:
        raise Refused("body_too_large")
    if message["type"] == "http.disconnect":
        raise ClientGone
    return body


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    status, headers, body = answer
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def deadline(scope: Scope) -> float:
    """When the request's budget is used up, on the monotonic clock: what has not been started by then is not."""
    return cast("float", scope["state"]["deadline"])


def id_for(scope: Scope) -> bytes:
    """The caller's request id if it sent a sane one, else a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _SANE_REQUEST_ID.fullmatch(value):
            return cast("bytes", value)
    # It has to be unique, not secret: a number in this process costs a tenth of drawing it at random.
    return b"%s%016x" % (_PROCESS_ID, next(_numbers))


Observe = Callable[[str, str, float], str]
"""Tells of a request's path, outcome and start (monotonic); returns its endpoint's name."""


class RequestContext:
    """Outermost middleware: every request gets a deadline, and an id, the caller's if that is sane; its outcome is
    observed, and logged when it was refused."""

    def __init__(self, app: ASGIApp, *, budget_seconds: float, observe: Observe) -> None:
        self._app = app
        self._budget_seconds = budget_seconds
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own_id = id_for(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = own_id.decode()
        state["received_us"] = time.time_ns() // NANOSECONDS_PER_MICROSECOND
        started = time.monotonic()
        state["deadline"] = started + self._budget_seconds
        outcome = UNANSWERED
        # Never cleared: the server runs every request in a task, and so in a context, of its own.
        structlog.contextvars.bind_contextvars(request_id=own_id.decode())

        async def send_with_id(message: Message) -> None:
            nonlocal outcome
            if message["type"] == "http.response.start":
                outcome = OK if message["status"] < 400 else NO_CODE
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, own_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            code = state.get("code")
            endpoint = self._observe(scope["path"], code or outcome, started)
            if code is not None:
                _log_refusal(code, endpoint, state.get("why"))


class RenderErrors:
    """Innermost middleware: every exception that reaches it becomes an answer from the error table."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ClientGone:
            log.info("client_gone")
        except Exception as error:
            await send_answer(send, _answer_to(error, scope))


def refusal(
    scope: Scope,
    code: str,
    *,
    field: str | None = None,
    retry_after_seconds: int | None = None,
    extras: Mapping[str, Any] = {},
) -> Answer:
    """The answer to a refused request, which is noted as such."""
    scope["state"]["code"] = code
    return errors.render(code, request_id(scope), field=field, retry_after_seconds=retry_after_seconds, extras=extras)


def _log_refusal(code: str, endpoint: str, why: str | None) -> None:
    """Every refusal is logged, here alone, with the id of its request. The path is not: it may hold anything."""
    say = log.warning if errors.ERRORS[code].status in _WORRYING_STATUSES else log.info
    say("request_refused", code=code, endpoint=endpoint, **({} if why is None else {"why": why}))


def _answer_to(error: Exception, scope: Scope) -> Answer:
    match error:
        case Refused():
            scope["state"]["why"] = error.why
            return refusal(scope, error.code, field=error.field, retry_after_seconds=error.retry_after_seconds)
        case KeyBusy():
            return refusal(scope, "session_busy")
        case Overloaded():
            return refusal(scope, "overloaded")
        case OutcomeUnknown():
            log.error("outcome_unknown")
        case _:
            log.error("request_failed", error_type=type(error).__name__, exc_info=error)
    return refusal(scope, "internal")


def render_http_exception(request: Request, error: Exception) -> Response:
    """How the router's own refusals (an unknown path, a wrong method) become answers from the error table."""
    code = _CODES_OF_STATUSES.get(error.status_code if isinstance(error, HTTPException) else 500, "internal")
    status, _, body = refusal(request.scope, code)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return Response(body, status, headers, media_type="application/json")


def refuse(scope: Scope, code: str, extras: Mapping[str, Any]) -> Answer:
    """How the signature edge renders its refusals."""
    return refusal(scope, code, extras=extras)


def warn_of_skew(_scope: Scope, key_id: str, skew_seconds: int) -> None:
    """What the signature edge calls for a request whose clock is so far off that it will soon be refused."""
    log.warning("peer_clock_skewed", key_id=key_id, skew_seconds=skew_seconds)
