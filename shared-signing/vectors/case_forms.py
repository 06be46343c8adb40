"""Makes one case of signatures.json: the signed request or answer, what arrives, and the expected outcome.

The MACs are made from the text of the protocol, without the library under test (test_vectors.py checks that).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

T = 1763690000
NONCE = "0123456789abcdef0123456789abcdef"
MAIN, SECOND, ENDED, ENDING = "casino-secret", "second-casino-secret-0123456789ab", "ended-secret", "ending-secret"
PROVIDER = "provider-secret"
LONG_ID, LONG_ID_SECRET = "Key_id.with-64-characters." + "x" * 38, "秘密のきー-for-the-long-id"
KEYS = {
    "casino": [
        {"id": "main", "secret": MAIN},
        {"id": "ended", "secret": ENDED, "notAfter": "2025-11-21T01:53:20Z"},
        {"id": "ending", "secret": ENDING, "notAfter": "2025-11-21T01:53:21Z"},
        {"id": LONG_ID, "secret": LONG_ID_SECRET},
        {"id": "k2", "secret": SECOND},
    ],
    "provider": [{"id": "main", "secret": PROVIDER}],
}
ANSWERED_SIGNED = ("accepted", "timestamp_out_of_window", "nonce_replay")
"""The outcomes of requests with a valid signature."""
BODY = '{"sessionToken":"s","userId":"1"}'


def mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def raw(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()


def body_member(body: str | bytes) -> dict[str, str]:
    return {"bodyHex": body.hex()} if isinstance(body, bytes) else {"body": body}


def header(t: int, n: str, k: str | None, v1: str) -> str:
    return f"t={t},n={n}" + (f",k={k}" if k is not None else "") + f",v1={v1}"


def request(
    name: str,
    expect: str = "accepted",
    *,
    keys: str = "casino",
    secret: str = MAIN,
    k: str | None = "main",
    t: int = T,
    n: str = NONCE,
    method: str = "POST",
    target: str = "/casino/getBalance",
    body: str | bytes = BODY,
    now: int = T,
    signed: str = "v1\n{t}\n{n}\n{method}\n{target}\n{digest}",
    headers: list[str] | None = None,
    seen: list[list[str]] | None = None,
    sent: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One request: signed as the arguments say, then `sent` replaces what differs on the wire."""
    digest = hashlib.sha256(raw(body)).hexdigest()
    text = signed.format(t=t, n=n, method=method, target=target, digest=digest, upper=digest.upper())
    v1 = mac(secret, text)
    wire = {"t": t, "n": n, "k": k, "v1": v1, "method": method, "target": target, "body": body, **(sent or {})}
    usual = header(wire["t"], wire["n"], wire["k"], wire["v1"])
    case: dict[str, Any] = {"name": name, "keys": keys, "now": now, "method": wire["method"], "target": wire["target"]}
    case |= body_member(wire["body"])
    case["headers"] = [usual] if headers is None else [h.format(usual=usual, v1=v1) for h in headers]
    if seen is not None:
        case["seenNonces"] = [{"key": key, "nonce": nonce} for key, nonce in seen]
    case["expect"] = expect
    case["answerSigned"] = expect in ANSWERED_SIGNED
    if expect == "accepted":
        case["signedText"] = text
    return case


def malformed(name: str, *headers: str, **more: Any) -> dict[str, Any]:
    """A request with a malformed header: the header itself, or malformed parts of it."""
    return request(name, "signature_malformed", headers=list(headers) or None, **more)


def response(
    name: str,
    expect: str = "good",
    *,
    secret: str = MAIN,
    k: str | None = "main",
    t: int = T + 1,
    n: str = NONCE,
    status: int = 200,
    body: str | bytes = '{"userId":"1","balance":"1000000","currency":"USD"}',
    signed: str = "v1-response\n{t}\n{n}\n{status}\n{digest}",
    headers: list[str] | None = None,
    sent: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One answer: signed as the arguments say, then `sent` replaces what differs on the wire."""
    text = signed.format(t=t, n=n, status=status, digest=hashlib.sha256(raw(body)).hexdigest())
    v1 = mac(secret, text)
    wire = {"t": t, "n": n, "k": k, "v1": v1, "status": status, "body": body, **(sent or {})}
    usual = header(wire["t"], wire["n"], wire["k"], wire["v1"])
    case: dict[str, Any] = {"name": name, "keys": "casino", "now": T + 1, "requestNonce": NONCE}
    case |= {"status": wire["status"], **body_member(wire["body"])}
    case["headers"] = [usual] if headers is None else [h.format(usual=usual, v1=v1) for h in headers]
    case["expect"] = expect
    if expect == "good":
        case["signedText"] = text
    return case
