"""Keys that come, end and go while requests are under way: what is signed, and who is believed."""

from __future__ import annotations

from typing import Any

import pytest

from shared_signing.keys import Key, KeyRing, KeysNotLoaded, NoLiveKey
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier


async def test_a_ring_that_awaits_its_keys_signs_nothing_and_believes_nobody(house: Any) -> None:
    ring = KeyRing.awaiting_keys()
    with pytest.raises(NoLiveKey):
        Signer(ring).sign_request("POST", "/x", b"")
    headers, _ = house.sign()
    verifier = Verifier(ring, InMemoryNonceStore())

    async def ask() -> None:
        await verifier.verify_request([headers[0][1]], method="POST", target=b"/casino/debit", body=b"")

    with pytest.raises(KeysNotLoaded):
        await ask()


async def test_before_the_first_read_every_request_is_asked_to_come_again(house: Any, send_to: Any) -> None:
    """Row E5. A restart must not accept a revoked key for a moment."""
    headers, _ = house.sign()
    keys = house.ring.keys
    house.ring = KeyRing.awaiting_keys()
    edge = house.edge(None)
    for signed in (headers, []):
        answer = await send_to(edge, headers=signed)
        assert (answer.status, answer.body, answer.all(b"x-casino-signature")) == (503, b"overloaded", [])
    house.ring.replace(keys)
    assert (await send_to(edge, headers=[])).body == b"signature_missing"


async def test_expiry_is_exact_to_the_instant_for_signing_and_verifying(clock: Any) -> None:
    """Row E5. A key ends at its notAfter, not a moment before and not one after."""
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


async def test_an_answer_is_never_signed_with_a_key_that_was_revoked_under_way(house: Any, send_to: Any) -> None:
    """Row E5. The newest live key signs it instead, so that the caller can believe it."""

    async def revoking(_scope: Any, _receive: Any, send: Any) -> None:
        house.ring.replace([key.ended() if key.key_id == "k2" else key for key in house.ring.keys])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    headers, nonce = house.sign()
    answer = await send_to(house.edge(revoking), headers=headers)
    (signature,) = answer.all(b"x-casino-signature")
    assert b",k=main," in signature
    assert house.believes(answer, nonce)


async def test_without_a_live_key_an_answer_is_an_unsigned_error_never_an_unsigned_acceptance(
    house: Any, send_to: Any
) -> None:
    """Row E5. What was done is done; the caller cannot know, and asks again when there is a key."""

    async def revoking(_scope: Any, _receive: Any, send: Any) -> None:
        house.ring.replace([key.ended() for key in house.ring.keys])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"balance":"1"}'})

    headers, _ = house.sign()
    answer = await send_to(house.edge(revoking), headers=headers)
    assert (answer.status, answer.body, answer.all(b"x-casino-signature")) == (500, b"internal", [])
