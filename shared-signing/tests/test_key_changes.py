"""Keys that are added, end or are revoked while requests are in flight."""

from __future__ import annotations

from typing import Any

import pytest

from shared_signing.keys import Key, KeyRing, KeysNotLoaded, NoLiveKey
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier


async def test_a_ring_that_awaits_its_keys_signs_nothing_and_believes_nobody(peers: Any) -> None:
    ring = KeyRing.awaiting_keys()
    with pytest.raises(NoLiveKey):
        Signer(ring).sign_request("POST", "/x", b"")
    headers, _ = peers.sign()
    verifier = Verifier(ring, InMemoryNonceStore())

    async def ask() -> None:
        await verifier.verify_request([headers[0][1]], method="POST", target=b"/casino/debit", body=b"")

    with pytest.raises(KeysNotLoaded):
        await ask()


async def test_before_the_first_read_every_request_is_asked_to_come_again(peers: Any, send_to: Any) -> None:
    """Row E5. After a restart a revoked key is never accepted."""
    headers, _ = peers.sign()
    keys = peers.ring.keys
    peers.ring = KeyRing.awaiting_keys()
    edge = peers.edge(None)
    for signed in (headers, []):
        answer = await send_to(edge, headers=signed)
        assert (answer.status, answer.body, answer.all(b"x-casino-signature")) == (503, b"overloaded", [])
    peers.ring.replace(keys)
    assert (await send_to(edge, headers=[])).body == b"signature_missing"


async def test_expiry_is_exact_to_the_instant_for_signing_and_verifying(clock: Any) -> None:
    """Row E5. A key ends exactly at its notAfter."""
    end = clock.now + 1
    ring = KeyRing([Key("main", b"first-secret"), Key("k2", b"second-secret", end)])
    caller, verifier = Signer(ring, clock), Verifier(ring, InMemoryNonceStore(clock=clock), clock=clock)

    async def verdict(header: str) -> Accepted | Refused:
        return await verifier.verify_request([header.encode()], method="POST", target=b"/x", body=b"")

    clock.now = end - 0.001
    last = caller.sign_request("POST", "/x", b"").header
    spare = caller.sign_request("POST", "/x", b"").header
    assert ",k=k2," in last
    assert isinstance(await verdict(last), Accepted)
    clock.now = end
    assert await verdict(spare) == Refused(Refusal.UNKNOWN_KEY, int(end))
    assert ",k=main," in caller.sign_request("POST", "/x", b"").header


async def test_an_answer_is_never_signed_with_a_key_that_was_revoked_under_way(peers: Any, send_to: Any) -> None:
    """Row E5. The newest live key signs it instead, so that the caller can verify it."""

    async def revoking(_scope: Any, _receive: Any, send: Any) -> None:
        peers.ring.replace([key.ended() if key.key_id == "k2" else key for key in peers.ring.keys])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    headers, nonce = peers.sign()
    answer = await send_to(peers.edge(revoking), headers=headers)
    (signature,) = answer.all(b"x-casino-signature")
    assert b",k=main," in signature
    assert peers.believes(answer, nonce)


async def test_without_a_live_key_an_answer_is_an_unsigned_error_never_an_unsigned_acceptance(
    peers: Any, send_to: Any
) -> None:
    """Row E5. The work was done, but the caller does not know that, and repeats its request later."""

    async def revoking(_scope: Any, _receive: Any, send: Any) -> None:
        peers.ring.replace([key.ended() for key in peers.ring.keys])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"balance":"1"}'})

    headers, _ = peers.sign()
    answer = await send_to(peers.edge(revoking), headers=headers)
    assert (answer.status, answer.body, answer.all(b"x-casino-signature")) == (500, b"internal", [])
