"""ASGI middleware that verifies signed requests before the application sees them, and signs the answers.

The verified target is `raw_path`, followed by "?" and `query_string` when the query is not empty. ASGI hides a bare "?"
at the end of a target, so `/x?` is verified as `/x`. A caller that signs a bare "?" gets `bad_signature`. An
absolute-form target is verified as the server reports it; callers sign the origin form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_signing.asgi_messages import (
    BODY_TOO_LARGE,
    Answer,
    AnswerBuffer,
    read_body,
    refused_by_head,
    send_answer,
    target_of,
    with_body,
)
from shared_signing.keys import Key, KeysNotLoaded, NoLiveKey
from shared_signing.nonces import HandlersNonce, NonceState, NonceStoreOverloaded
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier

REQUEST_BODY_MAX_BYTES: Final = 65_536
ANSWER_BODY_MAX_BYTES: Final = 8 * 1024 * 1024

OVERLOADED: Final = "overloaded"
INTERNAL: Final = "internal"

_NO_EXTRAS: Final[Mapping[str, Any]] = MappingProxyType({})
_BODYLESS_STATUSES: Final = frozenset({204, 304})
_ERRORS_FROM: Final = 400


class SignedEndpoints:
    """ASGI middleware for the endpoints that a peer calls with a signature.

    Every HTTP request that reaches this middleware must be signed. Other scopes pass through.
    `refuse(scope, code, extras)` renders a refusal. The codes are the 401 codes of the verifier, `body_too_large`,
    `unsupported_media_type`, `overloaded` and `internal`. `timestamp_out_of_window` comes with the extra `serverTime`.
    `on_skew(scope, key_id, skew_seconds)` is called for an accepted request whose clock is far off.
    `on_clock(skew_seconds)` is called for each request with a valid signature: its clock is so far behind.
    `enter(scope)` takes capacity after the signature was verified and before the nonce is claimed; False refuses the
    request with `overloaded`. `leave(scope)` gives the capacity back. The state then has `peer`: whose key it is.
    The state of a refused request has `key_id` if it named a live key, `skew_seconds` if its time is out of the window,
    and `canonical_sha256` if its MAC is wrong.
    The state of an accepted request has `body`, `signed_by` (the key's id) and `clock_skew_seconds`. The application
    can also read the body with `receive`.
    `handler_claims(scope)` says that the handler claims the nonce itself: its state also has `nonce`, a
    `HandlersNonce`, unclaimed. Until the handler says that it has claimed it, no answer below 400 is sent. A copy of
    such a request, while this process serves the first, is `nonce_replay`. If the handler's error answer leaves the
    nonce open, the middleware claims it within `claim_seconds(scope)`, or refuses the request with `overloaded`.
    """

    __slots__ = (
        "_answer_body_max_bytes",
        "_app",
        "_claim_seconds",
        "_enter",
        "_handler_claims",
        "_header_name",
        "_leave",
        "_max_body_bytes",
        "_nonces_in_hand",
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
        handler_claims: Callable[[Scope], bool] = lambda _scope: False,
        claim_seconds: Callable[[Scope], float | None] = lambda _scope: None,
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
        self._handler_claims = handler_claims
        self._claim_seconds = claim_seconds
        self._nonces_in_hand: set[str] = set()  # those that handlers are claiming now

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

        def enter(key: Key) -> None:
            nonlocal entered
            scope.setdefault("state", {})["peer"] = key.peer
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
        self, scope: Scope, body: bytes, enter: Callable[[Key], None], *, receive: Receive, send: Send
    ) -> None:
        # White space around a value is not part of it; some servers do not remove it.
        signatures = [value.strip(b" \t") for name, value in scope["headers"] if name == self._header_name]
        handler_claims = self._handler_claims(scope)
        try:
            verdict = await self._verifier.verify_request(
                signatures, method=scope["method"], target=target_of(scope), body=body, before_nonce=enter,
                claims=not handler_claims,
            )  # fmt: skip
        except (NonceStoreOverloaded, KeysNotLoaded, _NoCapacity):
            await send_answer(send, self._refuse(scope, OVERLOADED, _NO_EXTRAS))
            return
        if handler_claims and isinstance(verdict, Accepted) and verdict.nonce in self._nonces_in_hand:
            verdict = self._verifier.replay(verdict)
        if isinstance(verdict, Refused):
            await _SignedAnswer(self, scope, verdict, send=send).finish(*self._refusal(scope, verdict))
            return
        scope.setdefault("state", {})["body"] = body
        if not handler_claims:
            await self._serve(scope, verdict, with_body(body, receive), send)
            return
        scope["state"]["nonce"] = nonce = HandlersNonce(verdict.nonce, verdict.timestamp)
        self._nonces_in_hand.add(verdict.nonce)
        try:
            await self._serve(scope, verdict, with_body(body, receive), send, unclaimed=nonce)
        finally:
            self._nonces_in_hand.remove(verdict.nonce)

    def _refusal(self, scope: Scope, refused: Refused) -> Answer:
        """Renders a verifier's refusal. Its state names no signer: a copied request may come from anybody."""
        state = scope.setdefault("state", {})
        state.update(
            key_id=refused.key_id, skew_seconds=refused.skew_seconds, canonical_sha256=refused.canonical_sha256
        )
        state.pop("signed_by", None)
        if refused.skew_seconds is not None and self._on_clock is not None:
            self._on_clock(refused.skew_seconds)
        out_of_window = refused.refusal is Refusal.TIMESTAMP_OUT_OF_WINDOW
        extras = {"serverTime": refused.server_time} if out_of_window else _NO_EXTRAS
        return self._refuse(scope, refused.refusal.value, extras)

    async def _serve(
        self,
        scope: Scope,
        accepted: Accepted,
        receive: Receive,
        send: Send,
        *,
        unclaimed: HandlersNonce | None = None,
    ) -> None:
        """Call the application and sign its answer."""
        state = scope["state"]
        state["signed_by"] = accepted.key.key_id
        state["clock_skew_seconds"] = accepted.skew_seconds
        if self._on_clock is not None:
            self._on_clock(accepted.skew_seconds)
        if accepted.skew_is_worrying and self._on_skew is not None:
            self._on_skew(scope, accepted.key.key_id, accepted.skew_seconds)
        answer = _SignedAnswer(self, scope, accepted, send=send, unclaimed=unclaimed)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            if not answer.sent:
                status, headers, body = self._refuse(scope, INTERNAL, _NO_EXTRAS)
                # A server closes the connection after an error. The header stops the caller from using it again.
                await answer.settle(status, [*headers, (b"connection", b"close")], body)
            raise
        if not answer.sent:
            await answer.settle(*self._refuse(scope, INTERNAL, _NO_EXTRAS))


class _NoCapacity(Exception):  # noqa: N818 - an outcome
    """`enter` returned False."""


class _SignedAnswer:
    """Buffers one answer of the application until it is complete, then signs and sends it."""

    __slots__ = ("_buffer", "_edge", "_scope", "_send", "_unclaimed", "_verdict", "sent")

    def __init__(
        self,
        edge: SignedEndpoints,
        scope: Scope,
        verdict: Accepted | Refused,
        *,
        send: Send,
        unclaimed: HandlersNonce | None = None,
    ) -> None:
        self._edge = edge
        self._scope = scope
        self._verdict = verdict
        self._send = send
        self._unclaimed = unclaimed
        self._buffer = AnswerBuffer(edge._answer_body_max_bytes)
        self.sent = False

    async def send(self, message: Message) -> None:
        """Receive one ASGI message of the application. Raises RuntimeError for one out of order.

        Raises RuntimeError for a success of a handler that has not claimed the nonce.
        """
        if self._is_unclaimed() and message.get("status", _ERRORS_FROM) < _ERRORS_FROM:
            raise RuntimeError("the handler answers a request whose nonce it has not claimed")
        answer = self._buffer.add(message)
        if answer is not None:
            await self.settle(*answer)

    def _is_unclaimed(self) -> bool:
        return self._unclaimed is not None and self._unclaimed.state is not NonceState.CLAIMED

    async def settle(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Finish the application's answer. If the handler left its nonce open, claim it in the store first."""
        nonce, verifier, accepted = self._unclaimed, self._edge._verifier, self._verdict
        if nonce is not None and isinstance(accepted, Accepted):
            try:
                if nonce.state is NonceState.OPEN:
                    async with asyncio.timeout(self._edge._claim_seconds(self._scope)):
                        fresh = isinstance(await verifier.claim(accepted), Accepted)
                    nonce.state = NonceState.CLAIMED if fresh else NonceState.USED
            except (NonceStoreOverloaded, TimeoutError):
                self.sent = True
                await send_answer(self._send, self._edge._refuse(self._scope, OVERLOADED, _NO_EXTRAS))
                return
            if nonce.state is NonceState.USED:
                status, headers, body = self._edge._refusal(self._scope, verifier.replay(accepted))
        await self.finish(status, headers, body)

    async def finish(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Sign and send a complete answer; send it unsigned if no live key signed the request.

        Without a live key left, send an unsigned `internal`: the outcome is unknown.
        """
        self.sent = True
        edge, nonce, key = self._edge, self._verdict.nonce, self._verdict.key
        if key is None:
            await send_answer(self._send, (status, list(headers), body))
            return
        own = edge._header_name
        signed = [header for header in headers if header[0] != own and header[0] != b"content-length"]
        framed = status not in _BODYLESS_STATUSES
        if self._scope["method"] == "HEAD" or not framed:
            body = b""  # the caller receives no body, so its hash is over none
        if framed:
            signed.append((b"content-length", b"%d" % len(body)))
        try:
            signature = edge._signer.sign_response(nonce=nonce, status=status, body=body, key=key)
        except NoLiveKey:
            await send_answer(self._send, edge._refuse(self._scope, INTERNAL, _NO_EXTRAS))
            return
        signed.append((own, signature.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": signed})
        await self._send({"type": "http.response.body", "body": body})
