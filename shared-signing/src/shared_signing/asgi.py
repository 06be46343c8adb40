"""ASGI middleware that verifies signed requests before the application sees them, and signs the answers.

The verified target is `raw_path`, followed by "?" and `query_string` when the query is not empty. ASGI hides a bare "?"
at the end of a target, so `/x?` is verified as `/x`. A caller that signs a bare "?" gets `bad_signature`. An
absolute-form target is verified as the server reports it; callers sign the origin form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_signing.asgi_messages import BODY_TOO_LARGE, Answer, read_body, refused_by_head, send_answer, with_body
from shared_signing.keys import Key, KeysNotLoaded, NoLiveKey
from shared_signing.nonces import NonceStoreOverloaded
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier

REQUEST_BODY_MAX_BYTES: Final = 65_536
ANSWER_BODY_MAX_BYTES: Final = 8 * 1024 * 1024

OVERLOADED: Final = "overloaded"
INTERNAL: Final = "internal"

_NO_EXTRAS: Final[Mapping[str, Any]] = MappingProxyType({})
_BODYLESS_STATUSES: Final = frozenset({204, 304})


class AnswerTooLarge(RuntimeError):  # noqa: N818 - an outcome, named as the others are
    """The application's answer is larger than `answer_body_max_bytes`. A signed answer is buffered as a whole."""


class SignedEndpoints:
    """ASGI middleware for the endpoints that a peer calls with a signature.

    Every HTTP request that reaches this middleware must be signed. Other scopes pass through.
    `refuse(scope, code, extras)` renders a refusal. The codes are the 401 codes of the verifier, `body_too_large`,
    `unsupported_media_type`, `overloaded` and `internal`. `timestamp_out_of_window` comes with the extra `serverTime`.
    `on_skew(scope, key_id, skew_seconds)` is called for an accepted request whose clock is far off.
    `on_clock(skew_seconds)` is called for each request with a valid signature: its clock is so far behind.
    `enter(scope)` takes capacity after the signature was verified and before the nonce is claimed; False refuses the
    request with `overloaded`. `leave(scope)` gives the capacity back.
    The state of a refused request has `key_id` if it named a live key, `skew_seconds` if its time is out of the window,
    and `canonical_sha256` if its MAC is wrong.
    The state of an accepted request has `body`, `signed_by` (the key's id) and `clock_skew_seconds`. The application
    can also read the body with `receive`.
    """

    __slots__ = (
        "_answer_body_max_bytes",
        "_app",
        "_enter",
        "_header_name",
        "_leave",
        "_max_body_bytes",
        "_on_clock",
        "_on_skew",
        "_refuse",
        "_signer",
        "_verifier",
    )

    def __init__(
        self,
        app: ASGIApp,
        *,
        header_name: str,
        verifier: Verifier,
        signer: Signer,
        refuse: Callable[[Scope, str, Mapping[str, Any]], Answer],
        max_body_bytes: int = REQUEST_BODY_MAX_BYTES,
        answer_body_max_bytes: int = ANSWER_BODY_MAX_BYTES,
        on_skew: Callable[[Scope, str, int], None] | None = None,
        on_clock: Callable[[int], None] | None = None,
        enter: Callable[[Scope], bool] | None = None,
        leave: Callable[[Scope], None] | None = None,
    ) -> None:
        self._app = app
        self._header_name = header_name.lower().encode("ascii")
        self._verifier = verifier
        self._signer = signer
        self._refuse = refuse
        self._max_body_bytes = max_body_bytes
        self._answer_body_max_bytes = answer_body_max_bytes
        self._on_skew = on_skew
        self._on_clock = on_clock
        self._enter = enter
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = refused_by_head(scope["headers"], self._max_body_bytes)
        if refusal is not None:
            await send_answer(send, self._refuse(scope, refusal, _NO_EXTRAS))
            return
        body = await read_body(receive, self._max_body_bytes)
        if body is None:
            return  # the caller disconnected before the end of its request
        if len(body) > self._max_body_bytes:
            await send_answer(send, self._refuse(scope, BODY_TOO_LARGE, _NO_EXTRAS))
            return
        entered = False

        def enter() -> None:
            nonlocal entered
            if self._enter is None:
                return
            entered = self._enter(scope)
            if not entered:
                raise _NoCapacity

        try:
            await self._verify_and_serve(scope, body, enter, receive=receive, send=send)
        finally:
            if entered and self._leave is not None:
                self._leave(scope)

    async def _verify_and_serve(
        self, scope: Scope, body: bytes, enter: Callable[[], None], *, receive: Receive, send: Send
    ) -> None:
        # White space around a value is not part of it; some servers do not remove it.
        signatures = [value.strip(b" \t") for name, value in scope["headers"] if name == self._header_name]
        try:
            verdict = await self._verifier.verify_request(
                signatures, method=scope["method"], target=_target(scope), body=body, before_nonce=enter
            )
        except (NonceStoreOverloaded, KeysNotLoaded, _NoCapacity):
            await send_answer(send, self._refuse(scope, OVERLOADED, _NO_EXTRAS))
            return
        if isinstance(verdict, Refused):
            out_of_window = verdict.refusal is Refusal.TIMESTAMP_OUT_OF_WINDOW
            extras = {"serverTime": verdict.server_time} if out_of_window else _NO_EXTRAS
            scope.setdefault("state", {}).update(
                key_id=verdict.key_id, skew_seconds=verdict.skew_seconds, canonical_sha256=verdict.canonical_sha256
            )
            if verdict.skew_seconds is not None and self._on_clock is not None:
                self._on_clock(verdict.skew_seconds)
            answer = self._refuse(scope, verdict.refusal.value, extras)
            if verdict.key is None:
                await send_answer(send, answer)
            else:
                await _SignedAnswer(self, scope, nonce=verdict.nonce, key=verdict.key, send=send).finish(*answer)
            return
        scope.setdefault("state", {})["body"] = body
        await self._serve(scope, verdict, with_body(body, receive), send)

    async def _serve(self, scope: Scope, accepted: Accepted, receive: Receive, send: Send) -> None:
        """Call the application and sign its answer."""
        state = scope.setdefault("state", {})
        state["signed_by"] = accepted.key.key_id
        state["clock_skew_seconds"] = accepted.skew_seconds
        if self._on_clock is not None:
            self._on_clock(accepted.skew_seconds)
        if accepted.skew_is_worrying and self._on_skew is not None:
            self._on_skew(scope, accepted.key.key_id, accepted.skew_seconds)
        answer = _SignedAnswer(self, scope, nonce=accepted.nonce, key=accepted.key, send=send)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            if not answer.sent:
                status, headers, body = self._refuse(scope, INTERNAL, _NO_EXTRAS)
                # A server closes the connection after an error. The header stops the caller from using it again.
                await answer.finish(status, [*headers, (b"connection", b"close")], body)
            raise
        if not answer.sent:
            await answer.finish(*self._refuse(scope, INTERNAL, _NO_EXTRAS))


class _NoCapacity(Exception):  # noqa: N818 - an outcome
    """`enter` returned False."""


class _SignedAnswer:
    """Buffers one answer of the application until it is complete, then signs and sends it."""

    __slots__ = ("_edge", "_held", "_key", "_nonce", "_scope", "_send", "_start", "sent")

    def __init__(self, edge: SignedEndpoints, scope: Scope, *, nonce: str, key: Key, send: Send) -> None:
        self._edge = edge
        self._scope = scope
        self._nonce = nonce
        self._key = key
        self._send = send
        self._start: Message | None = None
        self._held: bytearray | None = None
        self.sent = False

    async def send(self, message: Message) -> None:
        """Receive one ASGI message of the application. Raises RuntimeError for one out of order."""
        kind = message["type"]
        if kind == "http.response.start" and self._start is None:
            self._start = message
        elif kind == "http.response.body" and self._start is not None and not self.sent:
            body = self._complete_body(message.get("body", b""), message.get("more_body", False))
            if body is not None:
                await self.finish(self._start["status"], self._start.get("headers", ()), body)
        else:
            raise RuntimeError(f"a signed answer cannot take the message {kind} now")

    def _complete_body(self, part: bytes, more: bool) -> bytes | None:
        """Returns the whole body after its last part, else None. Raises AnswerTooLarge."""
        held = self._held
        size_bytes = len(part) if held is None else len(held) + len(part)
        if size_bytes > self._edge._answer_body_max_bytes:
            raise AnswerTooLarge(f"more than {self._edge._answer_body_max_bytes} bytes")
        if held is None:
            if not more:
                return part  # the usual case: one piece, not copied
            held = self._held = bytearray()
        held += part
        return None if more else bytes(held)

    async def finish(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Sign and send a complete answer. Without a live key, send an unsigned `internal`: the outcome is unknown."""
        self.sent = True
        edge = self._edge
        own = edge._header_name
        signed = [header for header in headers if header[0] != own and header[0] != b"content-length"]
        framed = status not in _BODYLESS_STATUSES
        if self._scope["method"] == "HEAD" or not framed:
            body = b""  # the caller receives no body, so its hash is over none
        if framed:
            signed.append((b"content-length", b"%d" % len(body)))
        try:
            signature = edge._signer.sign_response(nonce=self._nonce, status=status, body=body, key=self._key)
        except NoLiveKey:
            await send_answer(self._send, edge._refuse(self._scope, INTERNAL, _NO_EXTRAS))
            return
        signed.append((own, signature.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": signed})
        await self._send({"type": "http.response.body", "body": body})


def _target(scope: Scope) -> bytes:
    raw_path: bytes | None = scope.get("raw_path")
    if raw_path is None:
        raise RuntimeError("the ASGI server must provide raw_path: a decoded path cannot be verified")
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path
