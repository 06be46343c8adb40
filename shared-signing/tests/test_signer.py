"""Unit tests of the signer."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from shared_signing.canonical import SignatureHeader
from shared_signing.keys import Key, KeyRing, NoLiveKey
from shared_signing.signer import Signer, clock_correction


def test_a_request_is_signed_with_the_newest_key_and_the_present_second(peers: Any) -> None:
    peers.clock.now += 0.9
    signed = peers.signer.sign_request("POST", "/casino/debit?a=1", b"{}")
    header = SignatureHeader.parse(signed.header)
    text = f"v1\n1763690000\n{signed.nonce}\nPOST\n/casino/debit?a=1\n{hashlib.sha256(b'{}').hexdigest()}"
    mac = hmac.new(b"second-secret", text.encode(), hashlib.sha256).hexdigest()
    assert header == SignatureHeader(1_763_690_000, signed.nonce, "k2", mac)


def test_every_request_gets_a_nonce_of_its_own(peers: Any) -> None:
    nonces = {peers.signer.sign_request("GET", "/", b"").nonce for _ in range(1000)}
    assert len(nonces) == 1000
    assert all(len(nonce) == 32 for nonce in nonces)


def test_a_given_nonce_is_used(peers: Any) -> None:
    assert peers.signer.sign_request("GET", "/", b"", nonce="0" * 16).nonce == "0" * 16


@pytest.mark.parametrize("nonce", ["", "0" * 15, "0" * 65, "0" * 16 + "\n", "é" * 16])
def test_a_nonce_out_of_shape_is_refused(peers: Any, nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        peers.signer.sign_request("GET", "/", b"", nonce=nonce)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("post", "/"),
        ("", "/"),
        ("POST\n/a", "/"),
        ("POST", ""),
        ("POST", "/a\n/b"),
        ("POST", "/a b"),
        ("POST", "/a\x7f"),
        ("POST", "/é"),
        ("POST", b"/\x00"),
    ],
)
def test_what_http_cannot_send_is_not_signed(peers: Any, method: str, target: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"as HTTP sends them|ascii"):
        peers.signer.sign_request(method, target, b"")


def test_nothing_is_signed_with_a_key_that_has_ended(clock: Any) -> None:
    signer = Signer(KeyRing([Key("main", b"secret", clock.now)]), clock=clock)
    with pytest.raises(NoLiveKey):
        signer.sign_request("GET", "/", b"")


def test_an_answer_is_signed_with_the_key_of_its_request_not_with_the_newest(peers: Any) -> None:
    key = peers.ring.verifying_key("main", peers.clock.now)
    text = peers.signer.sign_response(nonce="n" * 16, status=404, body=b"{}", key=key)
    header = SignatureHeader.parse(text)
    covered = f"v1-response\n1763690000\n{'n' * 16}\n404\n{hashlib.sha256(b'{}').hexdigest()}"
    mac = hmac.new(b"casino-secret", covered.encode(), hashlib.sha256).hexdigest()
    assert header == SignatureHeader(1_763_690_000, "n" * 16, "main", mac)


@pytest.mark.parametrize(
    ("server_time", "correction_seconds"),
    [
        (1_763_690_600, 600),
        (1_763_690_601, 0),
        (1_763_689_400, -600),
        (1_763_689_399, 0),
        (1_763_690_000.0, 0),
        ("1763690061", 0),
        (True, 0),
        (None, 0),
    ],
)
def test_a_peers_clock_is_believed_within_ten_minutes(server_time: object, correction_seconds: int) -> None:
    """Row C1. The correction of a caller's clock, for the one request that it signs again."""
    assert clock_correction(server_time, 1_763_690_000.9) == correction_seconds
