"""The httpx edge: signs every request of a client and judges the signature of every answer.

This file owns the way from an httpx request to the signer and from an httpx response to the verifier, for synchronous
and asynchronous clients alike. It must never raise for an answer that is not well signed: what to do then is the
caller's decision, so it only leaves a verdict in `response.extensions["signature"]`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Final, Literal

import httpx

from shared_signing.keys import KeyRing
from shared_signing.signer import Signer
from shared_signing.verifier import verify_response

Verdict = Literal["good", "missing", "bad"]
"""`good`: signed by the peer for this very request. `missing`: no signature. `bad`: one that does not hold."""

EXTENSION_NAME: Final = "signature"


class SignedAuth(httpx.Auth):
    """Give it to a client as `auth=`: signs with `signer`, verifies answers with `key_ring`.

    What is signed is the target as httpx puts it on the wire and the raw body. The answer's signature is over its raw
    body too, so requests ask for an answer without content coding. A request that is redirected is not signed anew,
    and is refused.
    """

    requires_request_body = True
    requires_response_body = True

    def __init__(
        self, signer: Signer, key_ring: KeyRing, header_name: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._signer = signer
        self._key_ring = key_ring
        self._header_name = header_name.lower()
        self._raw_header_name = self._header_name.encode("ascii")
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign, send once, judge. Raises what `Signer.sign_request` raises."""
        signed = self._signer.sign_request(request.method, request.url.raw_path, request.content)
        request.headers[self._header_name] = signed.header
        request.headers["accept-encoding"] = "identity"
        response = yield request
        response.extensions[EXTENSION_NAME] = self._judge(response, signed.nonce)

    def _judge(self, response: httpx.Response, nonce: str) -> Verdict:
        wanted = self._raw_header_name
        signatures = [value for name, value in response.headers.raw if name.lower() == wanted]
        if not signatures:
            return "missing"
        holds = verify_response(
            signatures,
            nonce=nonce,
            status=response.status_code,
            body=response.content,
            key_ring=self._key_ring,
            clock=self._clock,
        )
        return "good" if holds else "bad"
