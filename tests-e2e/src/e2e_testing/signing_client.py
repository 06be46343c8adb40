"""An independent signing client of the wire contract, written from docs/protocol.md section 2 alone.

Does not import shared_signing: two implementations of the contract must agree.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

from e2e_testing.answers import Answer, Peer, judged, to_bytes

Verdict = Literal["good", "missing", "bad"]

HEADER_PATTERN = re.compile(r"t=(\d{1,12}),n=([0-9A-Za-z_-]{16,64}),k=([^,]+),v1=([0-9a-f]{64})")
TIMEOUT_SECONDS = 60.0
CONNECTIONS_MAX = 64
AHEAD_SECONDS = 50
"""A request that is signed so far ahead is accepted, and for nearly two minutes: for those that are shown again after
restarts, which take as long as a busy machine likes."""


def request_mac(*, secret: str, timestamp: int, nonce: str, method: str, target: bytes, body: bytes) -> str:
    """The MAC of a request: six lines joined by newlines, no newline at the end."""
    body_digest = hashlib.sha256(body).hexdigest()
    lines = [b"v1", b"%d" % timestamp, nonce.encode(), method.encode(), target, body_digest.encode()]
    return hmac.new(secret.encode(), b"\n".join(lines), hashlib.sha256).hexdigest()


def answer_mac(*, secret: str, timestamp: int, nonce: str, status: int, body: bytes) -> str:
    """The MAC of an answer: five lines, bound to the nonce of the request."""
    body_digest = hashlib.sha256(body).hexdigest()
    lines = [b"v1-response", b"%d" % timestamp, nonce.encode(), b"%d" % status, body_digest.encode()]
    return hmac.new(secret.encode(), b"\n".join(lines), hashlib.sha256).hexdigest()


def answer_verdict(values: Sequence[str], *, secret: str, nonce: str, status: int, body: bytes) -> Verdict:
    """Whether the signature on an answer holds for the request that carried this nonce."""
    if not values:
        return "missing"
    match = HEADER_PATTERN.fullmatch(values[0])
    if len(values) > 1 or match is None or match[2] != nonce:
        return "bad"
    expected = answer_mac(secret=secret, timestamp=int(match[1]), nonce=nonce, status=status, body=body)
    return "good" if hmac.compare_digest(expected, match[4]) else "bad"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request that is signed and not yet sent; the same one can be sent twice (that is a replay of its nonce)."""

    request: httpx.Request
    nonce: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one direction: one header name, one key."""

    peer: Peer
    key_id: str = "main"

    def header(
        self,
        method: str,
        target: bytes,
        body: bytes,
        *,
        nonce: str,
        timestamp: int | None = None,
        key: str | None = None,
    ) -> str:
        moment = int(time.time()) if timestamp is None else timestamp
        mac = request_mac(
            secret=key or self.peer.secret, timestamp=moment, nonce=nonce, method=method, target=target, body=body
        )
        return f"t={moment},n={nonce},k={self.key_id},v1={mac}"

    def prepare(
        self,
        method: str,
        target: str,
        content: Mapping[str, object] | bytes | None = None,
        *,
        timestamp: int | None = None,
        nonce: str | None = None,
        key: str | None = None,
        signature_values: Iterable[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Signed:
        """Build a signed request; `signature_values` replaces the signature header (none, one or several values)."""
        body = to_bytes(content)
        chosen_nonce = secrets.token_hex(16) if nonce is None else nonce
        url = httpx.URL(self.peer.base_url + target)
        values = signature_values
        if values is None:
            values = [self.header(method, url.raw_path, body, nonce=chosen_nonce, timestamp=timestamp, key=key)]
        fields = [] if content is None else [("content-type", "application/json")]
        fields += [(self.peer.header_name, value) for value in values]
        request = httpx.Request(method, url, content=body, headers=fields)
        request.headers.update(headers or {})
        return Signed(request=request, nonce=chosen_nonce)

    def judge(self, signed: Signed, response: httpx.Response) -> Answer:
        verdict = answer_verdict(
            response.headers.get_list(self.peer.header_name),
            secret=self.peer.secret,
            nonce=signed.nonce,
            status=response.status_code,
            body=response.content,
        )
        return judged(response, signature=verdict)


class SigningClient:
    """Sends signed requests one at a time over kept connections; every answer's signature is judged."""

    def __init__(self, peer: Peer, *, key_id: str = "main") -> None:
        self.signer = Signer(peer, key_id)
        self.http = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=peer.verify)

    def send(self, signed: Signed) -> Answer:
        return self.signer.judge(signed, self.http.send(signed.request))

    def post(self, target: str, content: Mapping[str, object] | bytes) -> Answer:
        """A well-signed POST; its answer must be well signed too, whatever it says."""
        return self.send(self.signer.prepare("POST", target, content)).must_be_signed()

    def get(self, target: str) -> Answer:
        return self.send(self.signer.prepare("GET", target)).must_be_signed()

    def close(self) -> None:
        self.http.close()


class ParallelSigningClient:
    """The same over many connections at once, for races."""

    def __init__(self, peer: Peer, *, connections: int = CONNECTIONS_MAX) -> None:
        self.signer = Signer(peer)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self.http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False, verify=peer.verify)

    async def post(self, target: str, content: Mapping[str, object]) -> Answer:
        signed = self.signer.prepare("POST", target, content)
        return self.signer.judge(signed, await self.http.send(signed.request)).must_be_signed()

    async def get(self, target: str) -> Answer:
        signed = self.signer.prepare("GET", target)
        return self.signer.judge(signed, await self.http.send(signed.request)).must_be_signed()

    async def __aenter__(self) -> "ParallelSigningClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
