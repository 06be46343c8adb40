"""Request ids, deadlines, bounded bodies and error answers, as plain ASGI.

No body, path or header value is logged.
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
unauthenticated_refusals: Final = BoundedLog(log)
authenticated_refusals: Final = BoundedLog(log, lines_max=100)

BODY_MAX_BYTES: Final = 65_536
UTF_8: Final = (b"utf-8", b"utf8")
REQUEST_ID_HEADER: Final = b"x-request-id"
OK: Final = "ok"
"""The outcome of an answer with a status below 400."""
NO_CODE: Final = "no_code"
"""The outcome of an error answer without a code, such as readiness with 503."""
UNANSWERED: Final = "unanswered"
"""The outcome of a request whose caller disconnected."""

LOGGED_STATE: Final = ("field", "why", "key_id", "skew_seconds", "canonical_sha256", "transaction_id")
"""Members of a request's state that the log line about its refusal contains."""

_PROCESS_ID: Final = secrets.token_hex(8).encode()
_draw: Final = random.Random(secrets.token_bytes(32)).getrandbits  # noqa: S311 - unique, not secret
_SANE_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._:\-]{1,128}")
_WORRYING_STATUSES: Final = frozenset({401, 422, 500, 502, 503})
_NANOSECONDS_PER_MICROSECOND: Final = 1_000

Observe = Callable[[str, str, float, str], object]
"""Called for each request with its route's path, its outcome, its start (monotonic), and the peer whose key signed it.

The peer is empty for a request without a valid signature.
"""


class ClientGone(Exception):  # noqa: N818 - an event, not a defect
    """The caller disconnected before its request was complete."""


def id_for(scope: Scope) -> bytes:
    """Returns the caller's request id if it is 1 to 128 characters of 0-9 A-Z a-z . _ : -, else a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _SANE_REQUEST_ID.fullmatch(value):
            return cast("bytes", value)
    # Random, because a counter would show how many requests there are.
    return b"%s%016x" % (_PROCESS_ID, _draw(64))


def fresh_request_id() -> str:
    """Returns an id for work outside a request."""
    return (b"%s%016x" % (_PROCESS_ID, _draw(64))).decode()


def request_id(scope: Scope) -> str:
    """The request's id. All log lines of the request have it."""
    return cast("str", scope["state"]["request_id"])


def deadline(scope: Scope) -> float:
    """The end of the request's time budget, on the monotonic clock."""
    return cast("float", scope["state"]["deadline"])


def remaining_seconds(scope: Scope) -> float:
    """What is left of the request's time budget; below 0 when it has ended."""
    return deadline(scope) - time.monotonic()


async def read_json_body(scope: Scope, receive: Receive) -> bytes:
    """Read the whole body of a JSON request.

    Raises ClientGone, Refused(body_too_large), and Refused(unsupported_media_type) for any other or an encoded body,
    and for another charset than UTF-8.
    """
    code = refused_by_head(scope["headers"], BODY_MAX_BYTES)
    if code is not None:
        raise Refused(code)
    _require_utf8(_require_json(scope))
    body = await read_body(receive, BODY_MAX_BYTES)
    if body is None:
        raise ClientGone
    if len(body) > BODY_MAX_BYTES:
        raise Refused(BODY_TOO_LARGE)
    return body


def json_body(scope: Scope) -> bytes:
    """The body that the route's guard has read, whatever its content type: no signature covers that header."""
    return cast("bytes", scope["state"]["body"])


def _require_json(scope: Scope) -> bytes:
    """Returns the parameters of the content type."""
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
    media_type, _, parameters = content_type.partition(b";")
    if media_type.strip().lower() != b"application/json":
        raise Refused(UNSUPPORTED_MEDIA_TYPE)
    return parameters


def _require_utf8(parameters: bytes) -> None:
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip().lower() == b"charset" and value.strip(b' \t"').lower() not in UTF_8:
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
        # Not cleared: the server runs each request in its own task, so in its own context.
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
            self._observe(route_of(scope).path, code or outcome, started, state.get("peer", ""))
            if code is not None:
                self._log_refusal(scope, code)

    def _log_refusal(self, scope: Scope, code: str) -> None:
        """Log the refusal. The path is left out, because it may contain anything."""
        state = scope["state"]
        bounded = authenticated_refusals if "signed_by" in state else unauthenticated_refusals
        errors = route_of(scope).errors or self._errors
        log_line = bounded.warning if errors[code].status in _WORRYING_STATUSES else bounded.info
        fields = {name: state[name] for name in LOGGED_STATE if state.get(name) is not None}
        if "signed_by" in state:
            fields["peer"] = state.get("peer")
        elif scope.get("client"):
            fields["peer"] = scope["client"][0]
        log_line("request_refused", code=code, endpoint=route_of(scope).path, **fields)


class RenderErrors:
    """Innermost middleware: turns every exception into an answer of the error table."""

    def __init__(self, app: ASGIApp, *, errors: ErrorTable, codes: Mapping[type[Exception], str] = {}) -> None:
        """`codes` maps the service's exceptions to error codes. The code of any other exception is `internal`."""
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
            unauthenticated_refusals.info("client_gone")
        except Exception as error:
            # If an answer has begun, the server refuses a second one and closes the connection.
            await send_answer(send, self._answer_to(error, scope))

    def _answer_to(self, error: Exception, scope: Scope) -> Answer:
        if isinstance(error, Refused):
            scope["state"]["why"] = error.why
            status, headers, body = refusal(
                self._errors, scope, error.code, field=error.field, sentence=error.sentence,
                retry_after_seconds=error.retry_after_seconds, extras=error.extras,
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
    extras: Mapping[str, Any] | None = None,
) -> Answer:
    """Renders the answer to a refused request, by its route's table or `errors`. Its code goes into log and metrics."""
    errors = route_of(scope).errors or errors
    scope["state"]["code"] = errors[code].code
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
    """Returns the `refuse` argument of `SignedEndpoints`."""
    return lambda scope, code, extras: refusal(errors, scope, code, extras=extras)


def warn_of_skew(_scope: Scope, key_id: str, skew_seconds: int) -> None:
    """The `on_skew` argument of `SignedEndpoints`: logs that a peer's clock is far off."""
    log.warning("peer_clock_skewed", key_id=key_id, skew_seconds=skew_seconds)
