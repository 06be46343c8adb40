"""Signs every request of an httpx client, and verifies the signature of every answer.

    client = httpx.AsyncClient(auth=SignedAuth(Signer(ring), ring, "x-casino-signature"))
    response = await client.post(url, content=body)
    response.extensions["signature"]  # "good", "missing" or "bad"

An answer with a bad signature raises nothing: the caller decides by the verdict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from typing import Final, Literal

import httpx

from shared_signing.keys import KeyRing
from shared_signing.signer import Signer
from shared_signing.verifier import verify_response

Verdict = Literal["good", "missing", "bad"]
"""`good`: the peer signed the answer to this request. `missing`: no signature. `bad`: an invalid signature."""

EXTENSION_NAME: Final = "signature"


class SignedAuth(httpx.Auth):
    """An httpx `auth=` that signs with `signer` and verifies answers with `key_ring`, in sync and async clients.

    Signatures cover the target as httpx sends it, and the raw bodies. So requests ask for an answer without content
    coding. A redirected request is not signed again, and the peer refuses it.
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
        """Sign, send once, and leave the verdict in the response. Raises the errors of `Signer.sign_request`."""
        headers, nonce = self.sign(request.method, request.url.raw_path, request.content)
        for name, value in headers:
            request.headers[name] = value
        response = yield request
        response.extensions[EXTENSION_NAME] = self.judge(
            response.headers.raw, nonce=nonce, status=response.status_code, body=response.content
        )

    def sign(self, method: str, target: bytes, body: bytes) -> tuple[list[tuple[str, str]], str]:
        """The headers that a request needs, and its nonce. `target`: path and query as they are sent."""
        signed = self._signer.sign_request(method, target, body)
        return [(self._header_name, signed.header), ("accept-encoding", "identity")], signed.nonce

    def judge(self, headers: Iterable[tuple[bytes, bytes]], *, nonce: str, status: int, body: bytes) -> Verdict:
        """The verdict on an answer. `headers`: all of them, as they came; `nonce`: that of the request."""
        wanted = self._raw_header_name
        signatures = [value for name, value in headers if name.lower() == wanted]
        if not signatures:
            return "missing"
        holds = verify_response(
            signatures, nonce=nonce, status=status, body=body, key_ring=self._key_ring, clock=self._clock
        )
        return "good" if holds else "bad"
