"""Properties: what is signed is accepted, and with any one byte of it changed it is refused. Row E2."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared_signing.keys import Key, KeyRing
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier, verify_response

NOW = 1_763_690_000
KEY = Key("main", b"casino-secret")
RING = KeyRing([KEY])
METHODS = st.from_regex("[A-Z]{1,8}", fullmatch=True)
TARGETS = st.from_regex(rb"/[!-~]{0,60}", fullmatch=True)
BODIES = st.binary(max_size=200)


def clock() -> float:
    return float(NOW)


async def verdict_on(value: bytes, method: str, target: bytes, body: bytes) -> Accepted | Refused:
    verifier = Verifier(RING, InMemoryNonceStore(clock=clock), clock=clock)
    return await verifier.verify_request([value], method=method, target=target, body=body)


def with_one_byte_changed(data: st.DataObject, original: bytes, *, printable: bool = False) -> bytes:
    """`original` with one byte replaced, added or removed."""
    low, high = (33, 126) if printable else (0, 255)
    ways = ["replace", "insert", "remove"] if original else ["insert"]
    way = data.draw(st.sampled_from(ways))
    position = data.draw(st.integers(0, len(original) - (way != "insert")))
    if way == "remove":
        return original[:position] + original[position + 1 :]
    byte = data.draw(st.integers(low, high).filter(lambda b: way == "insert" or b != original[position]))
    return original[:position] + bytes([byte]) + original[position + (way == "replace") :]


@given(METHODS, TARGETS, BODIES)
async def test_every_request_that_is_signed_is_accepted_once(method: str, target: bytes, body: bytes) -> None:
    signed = Signer(RING, clock=clock).sign_request(method, target, body)
    verifier = Verifier(RING, InMemoryNonceStore(clock=clock), clock=clock)

    arguments: dict[str, Any] = {"method": method, "target": target, "body": body}
    assert [await verifier.verify_request([signed.header.encode()], **arguments) for _ in range(2)] == [
        Accepted(signed.nonce, KEY, 0, skew_is_worrying=False),
        Refused(Refusal.NONCE_REPLAY, NOW, signed.nonce, KEY),
    ]


@given(METHODS, TARGETS, BODIES, st.data())
async def test_a_request_with_one_byte_of_its_method_target_or_body_changed_is_refused(
    method: str, target: bytes, body: bytes, data: st.DataObject
) -> None:
    value = Signer(RING, clock=clock).sign_request(method, target, body).header.encode()
    what = data.draw(st.sampled_from(["method", "target", "body"]))
    if what == "method":
        method = with_one_byte_changed(data, method.encode(), printable=True).decode()
    elif what == "target":
        target = with_one_byte_changed(data, target)
    else:
        body = with_one_byte_changed(data, body)
    assert await verdict_on(value, method, target, body) == Refused(Refusal.BAD_SIGNATURE, NOW)


@given(METHODS, TARGETS, BODIES, st.data())
async def test_a_request_with_one_byte_of_its_header_changed_is_refused(
    method: str, target: bytes, body: bytes, data: st.DataObject
) -> None:
    value = Signer(RING, clock=clock).sign_request(method, target, body).header.encode()
    changed = with_one_byte_changed(data, value)
    verdict = await verdict_on(changed, method, target, body)
    assert isinstance(verdict, Refused)
    assert verdict.refusal in (Refusal.SIGNATURE_MALFORMED, Refusal.UNKNOWN_KEY, Refusal.BAD_SIGNATURE)


@given(st.binary(max_size=200), METHODS, TARGETS, BODIES)
async def test_nothing_that_is_not_signed_is_accepted(value: bytes, method: str, target: bytes, body: bytes) -> None:
    assert isinstance(await verdict_on(value, method, target, body), Refused)


@given(st.integers(100, 599), BODIES, st.data())
def test_an_answer_with_its_status_nonce_body_or_header_changed_is_not_believed(
    status: int, body: bytes, data: st.DataObject
) -> None:
    nonce = "0123456789abcdef"
    value = Signer(RING, clock=clock).sign_response(nonce=nonce, status=status, body=body, key=KEY).encode()

    def believed(header: bytes = value, **changed: Any) -> bool:
        arguments: dict[str, Any] = {"nonce": nonce, "status": status, "body": body, **changed}
        return verify_response([header], **arguments, key_ring=RING, clock=clock)

    assert believed()
    assert not believed(status=data.draw(st.integers(100, 599).filter(lambda other: other != status)))
    assert not believed(nonce=with_one_byte_changed(data, nonce.encode(), printable=True).decode())
    assert not believed(body=with_one_byte_changed(data, body))
    assert not believed(with_one_byte_changed(data, value))


async def test_no_single_byte_of_a_usual_header_can_be_replaced_added_or_removed() -> None:
    value = Signer(RING, clock=clock).sign_request("GET", "/", b"").header.encode()
    changes = {value[:at] + value[at + 1 :] for at in range(len(value))}
    for byte in range(256):
        changes |= {value[:at] + bytes([byte]) + value[at + 1 :] for at in range(len(value))}
        changes |= {value[:at] + bytes([byte]) + value[at:] for at in range(len(value) + 1)}
    changes.discard(value)
    verifier = Verifier(RING, InMemoryNonceStore(clock=clock), clock=clock)

    assert len(changes) > 60_000
    verdicts = [
        (change, await verifier.verify_request([change], method="GET", target=b"/", body=b"")) for change in changes
    ]
    assert [change for change, verdict in verdicts if isinstance(verdict, Accepted)] == []
