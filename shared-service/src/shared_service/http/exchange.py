"""HTTP as both services use it: request ids, bounded bodies, answers, and what becomes of an error.

Plain ASGI. Never logs a body, a path or the value of a header.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_service.http.errors import Answer, ErrorTable, Refused
from shared_service.http.routing import route_of
from shared_service.run.bounded_log import BoundedLog
from shared_signing.asgi_messages import BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, read_body, refused_by_head, send_answer

log = structlog.get_logger()
refusals_of_strangers: Final = BoundedLog(log)
refusals_of_peers: Final = BoundedLog(log, lines_max=100)

BODY_MAX_BYTES: Final = 65_536
REQUEST_ID_HEADER: Final = b"x-request-id"
OK: Final = "ok"
"""The outcome of an answer that is no error."""
NO_CODE: Final = "no_code"
"""The outcome of an error answer without a code, such as readiness that says no."""
UNANSWERED: Final = "unanswered"
"""The outcome of a request whose caller hung up."""

TOLD_OF_REFUSALS: Final = ("field", "why", "key_id", "skew_seconds", "canonical_sha256", "transaction_id")
"""What the line about a refusal tells from the request's state, where it is there."""

_PROCESS_ID: Final = secrets.token_hex(8).encode()
_draw: Final = random.Random(secrets.token_bytes(32)).getrandbits  # noqa: S311 - unique, not secret
_SANE_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._:\-]{1,128}")
_WORRYING_STATUSES: Final = frozenset({401, 422, 500, 502, 503})
_NANOSECONDS_PER_MICROSECOND: Final = 1_000

Observe = Callable[[str, str, float], object]
"""Tells of a request: its route's path, its outcome, and when it began (monotonic)."""


class ClientGone(Exception):  # noqa: N818 - an event, not a defect
    """The caller hung up before its request was complete."""


def id_for(scope: Scope) -> bytes:
    """The caller's request id if it is sane, else a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _SANE_REQUEST_ID.fullmatch(value):
            return cast("bytes", value)
    # It has to be unique, not secret, and must not tell how many requests there are: so no counter.
    return b"%s%016x" % (_PROCESS_ID, _draw(64))


def fresh_request_id() -> str:
    """An id for work that no request caused."""
    return (b"%s%016x" % (_PROCESS_ID, _draw(64))).decode()


def request_id(scope: Scope) -> str:
    """The id under which everything that this request causes is logged."""
    return cast("str", scope["state"]["request_id"])


def deadline(scope: Scope) -> float:
    """When the request's time budget ends, on the monotonic clock."""
    return cast("float", scope["state"]["deadline"])


async def read_json_body(scope: Scope, receive: Receive) -> bytes:
    """Read the whole body, once the head says that it is plain JSON.

    Raises ClientGone, Refused(body_too_large), and Refused(unsupported_media_type) for anything but plain JSON.
    """
    code = refused_by_head(scope["headers"], BODY_MAX_BYTES)
    if code is not None:
        raise Refused(code)
    _require_json(scope)
    body = await read_body(receive, BODY_MAX_BYTES)
    if body is None:
        raise ClientGone
    if len(body) > BODY_MAX_BYTES:
        raise Refused(BODY_TOO_LARGE)
    return body


def json_body(scope: Scope) -> bytes:
    """The body, which the guard of the route has read. Raises Refused(unsupported_media_type) when it is no JSON."""
    _require_json(scope)
    return cast("bytes", scope["state"]["body"])


def _require_json(scope: Scope) -> None:
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
    if content_type.split(b";", 1)[0].strip().lower() != b"application/json":
        raise Refused(UNSUPPORTED_MEDIA_TYPE)


class RequestContext:
    """Middleware: gives a request its id and its deadline, reports its outcome, and logs its refusal."""

    def __init__(self, app: ASGIApp, *, errors: ErrorTable, budget_seconds: float, observe: Observe) -> None:
        self._app = app
        self._errors = errors
        self._budget_seconds = budget_seconds
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own_id = id_for(scope)
        state = scope["state"]
        state["request_id"] = own_id.decode()
        state["received_us"] = time.time_ns() // _NANOSECONDS_PER_MICROSECOND
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
            self._observe(route_of(scope).path, code or outcome, started)
            if code is not None:
                self._log_refusal(scope, code)

    def _log_refusal(self, scope: Scope, code: str) -> None:
        """The one line about a refusal. The path is not logged: it may hold anything."""
        state = scope["state"]
        bounded = refusals_of_peers if "signed_by" in state else refusals_of_strangers
        say = bounded.warning if self._errors[code].status in _WORRYING_STATUSES else bounded.info
        told = {name: state[name] for name in TOLD_OF_REFUSALS if state.get(name) is not None}
        if "signed_by" not in state and scope.get("client"):
            told["peer"] = scope["client"][0]
        say("request_refused", code=code, endpoint=route_of(scope).path, **told)


class RenderErrors:
    """Innermost middleware: turns every exception into an answer of the error table."""

    def __init__(self, app: ASGIApp, *, errors: ErrorTable, codes: Mapping[type[Exception], str] = {}) -> None:
        """`codes` names the answer to exceptions of the service's own; any other is `internal`."""
        self._app = app
        self._errors = errors
        self._codes = tuple(codes.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ClientGone:
            refusals_of_strangers.info("client_gone")
        except Exception as error:
            # Where an answer has begun already, the server refuses a second one, and closes the connection.
            await send_answer(send, self._answer_to(error, scope))

    def _answer_to(self, error: Exception, scope: Scope) -> Answer:
        if isinstance(error, Refused):
            scope["state"]["why"] = error.why
            status, headers, body = refusal(
                self._errors, scope, error.code, field=error.field, sentence=error.sentence,
                retry_after_seconds=error.retry_after_seconds,
            )  # fmt: skip
            return status, [*headers, *error.headers], body
        code = next((code for kind, code in self._codes if isinstance(error, kind)), "internal")
        if code == "internal":
            log.error("request_failed", error_type=type(error).__name__, exc_info=error)
        return refusal(self._errors, scope, code)


def refusal(
    errors: ErrorTable,
    scope: Scope,
    code: str,
    *,
    field: str | None = None,
    sentence: str | None = None,
    retry_after_seconds: int | None = None,
    extras: Mapping[str, Any] = {},
) -> Answer:
    """The answer to a refused request. The code is noted in the scope for the log and the metrics."""
    scope["state"]["code"] = code
    scope["state"]["field"] = field
    return errors.render(
        code,
        request_id(scope),
        field=field,
        sentence=sentence,
        retry_after_seconds=retry_after_seconds,
        extras=extras,
    )


def refuse_with(errors: ErrorTable) -> Callable[[Scope, str, Mapping[str, Any]], Answer]:
    """How the signature edge renders its refusals."""
    return lambda scope, code, extras: refusal(errors, scope, code, extras=extras)


def warn_of_skew(_scope: Scope, key_id: str, skew_seconds: int) -> None:
    """What the signature edge calls for a request whose clock is nearly too far off."""
    log.warning("peer_clock_skewed", key_id=key_id, skew_seconds=skew_seconds)
