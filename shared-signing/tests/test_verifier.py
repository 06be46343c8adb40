"""The verifier: the order of its checks, when it claims a nonce, and what a refusal contains."""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared_signing.canonical import SignatureHeader
from shared_signing.keys import Key, KeyRing
from shared_signing.nonces import InMemoryNonceStore, NonceStoreOverloaded
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier, verify_response

SOURCES = Path(__file__).parents[1] / "src" / "shared_signing"
ARGUMENTS: dict[str, Any] = {"method": "POST", "target": b"/casino/debit", "body": b"{}"}


class CountingStore(InMemoryNonceStore):
    """A store that records its claims."""

    __slots__ = ("asked",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[tuple[str, str, int]] = []

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        self.asked.append((key_id, nonce, timestamp))
        return await super().claim(key_id, nonce, timestamp)


class FullStore:
    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        raise NonceStoreOverloaded("full")


def signed_by(peers: Any, nonce: str | None = None) -> bytes:
    return peers.signer.sign_request("POST", "/casino/debit", b"{}", nonce=nonce).header.encode()


async def verify(verifier: Verifier, *values: bytes, **changed: Any) -> Accepted | Refused:
    return await verifier.verify_request(values, **{**ARGUMENTS, **changed})


def test_the_refusals_are_the_codes_of_the_protocol_in_its_order() -> None:
    assert [refusal.value for refusal in Refusal] == [
        "signature_missing",
        "signature_malformed",
        "unknown_key",
        "bad_signature",
        "timestamp_out_of_window",
        "nonce_replay",
    ]


async def test_an_accepted_request_names_its_nonce_key_and_skew(peers: Any) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    value = signed_by(peers, "n" * 16)
    peers.clock.now += 7.9
    key = peers.ring.verifying_key("k2", peers.clock.now)
    assert await verify(verifier, value) == Accepted("n" * 16, key, 7, skew_is_worrying=False)


@pytest.mark.parametrize(
    ("moved", "worrying"), [(-60, True), (-31, True), (-30, False), (0, False), (30, False), (31, True), (60, True)]
)
async def test_a_skew_over_thirty_seconds_is_worrying(peers: Any, moved: int, worrying: bool) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    value = signed_by(peers)
    peers.clock.now += moved
    verdict = await verify(verifier, value)
    assert isinstance(verdict, Accepted)
    assert (verdict.skew_seconds, verdict.skew_is_worrying) == (moved, worrying)


@pytest.mark.parametrize("moved", [-60.5, 60.999])
async def test_parts_of_a_second_do_not_count(peers: Any, moved: float) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    value = signed_by(peers)
    peers.clock.now += moved
    assert isinstance(await verify(verifier, value), Accepted if moved > 0 else Refused)


async def test_a_refusal_tells_the_time_of_the_server_in_whole_seconds(peers: Any) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    value = signed_by(peers)
    peers.clock.now += 61.5
    refused = await verify(verifier, value)
    assert isinstance(refused, Refused)
    assert (refused.refusal, refused.server_time) == (Refusal.TIMESTAMP_OUT_OF_WINDOW, 1_763_690_061)


@pytest.mark.parametrize("refusal", Refusal)
async def test_a_refusal_knows_whom_to_answer_signed_only_when_the_signature_held(peers: Any, refusal: Refusal) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    value = signed_by(peers, "n" * 16)
    sent: dict[Refusal, list[bytes]] = {
        Refusal.SIGNATURE_MISSING: [],
        Refusal.SIGNATURE_MALFORMED: [value, value],
        Refusal.UNKNOWN_KEY: [value.replace(b"k=k2", b"k=k9")],
        Refusal.BAD_SIGNATURE: [value[:-64] + b"0" * 64],
    }
    if refusal is Refusal.NONCE_REPLAY:
        assert isinstance(await verify(verifier, value), Accepted)
    if refusal is Refusal.TIMESTAMP_OUT_OF_WINDOW:
        peers.clock.now += 61
    refused = await verify(verifier, *sent.get(refusal, [value]))
    assert isinstance(refused, Refused)
    assert refused.refusal is refusal
    bound = ("", None) if refusal in sent else ("n" * 16, peers.ring.verifying_key("k2", peers.clock.now))
    assert (refused.nonce, refused.key) == bound


async def test_only_a_request_that_holds_reaches_the_nonce_store(peers: Any) -> None:
    store = CountingStore(clock=peers.clock)
    verifier = Verifier(peers.ring, store, clock=peers.clock)
    value = signed_by(peers, "n" * 16)
    assert await verify(verifier) == Refused(Refusal.SIGNATURE_MISSING, 1_763_690_000)
    await verify(verifier, b"t=1")
    await verify(verifier, value, value)
    await verify(verifier, value.replace(b"k=k2", b"k=k9"))
    await verify(verifier, value, body=b"{} ")
    peers.clock.now += 61
    await verify(verifier, value)
    assert store.asked == []
    peers.clock.now -= 61
    assert isinstance(await verify(verifier, value), Accepted)
    assert store.asked == [("k2", "n" * 16, 1_763_690_000)]


async def test_a_forged_request_cannot_burn_the_nonce_of_a_good_one(peers: Any) -> None:
    """Row E6."""
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    good = signed_by(peers, "n" * 16)
    forged = Signer(KeyRing([Key("k2", b"guess")]), clock=peers.clock).sign_request(
        "POST", "/casino/debit", b"{}", nonce="n" * 16
    )
    assert await verify(verifier, forged.header.encode()) == Refused(Refusal.BAD_SIGNATURE, 1_763_690_000)
    assert isinstance(await verify(verifier, good), Accepted)
    replayed = await verify(verifier, good)
    assert isinstance(replayed, Refused)
    assert replayed.refusal is Refusal.NONCE_REPLAY


async def test_of_fifty_copies_in_flight_one_is_accepted(peers: Any) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    value = signed_by(peers)

    verdicts = await asyncio.gather(*(verifier.verify_request([value], **ARGUMENTS) for _ in range(50)))
    assert sum(isinstance(verdict, Accepted) for verdict in verdicts) == 1
    assert {verdict.refusal for verdict in verdicts if isinstance(verdict, Refused)} == {Refusal.NONCE_REPLAY}


async def test_a_store_that_cannot_answer_is_not_taken_for_a_verdict(peers: Any) -> None:
    verifier = Verifier(peers.ring, FullStore(), clock=peers.clock)
    with pytest.raises(NonceStoreOverloaded):
        await verify(verifier, signed_by(peers))


async def test_rotation_under_use_refuses_no_good_request_and_the_dropped_key_at_once(peers: Any) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    old, new = Key("main", b"casino-secret"), Key("k3", b"third-secret")
    peers.ring.replace([old])
    before, also_before = signed_by(peers), signed_by(peers)
    peers.ring.replace([old, new])
    after = signed_by(peers)
    assert isinstance(await verify(verifier, before), Accepted)
    assert isinstance(await verify(verifier, after), Accepted)
    peers.ring.replace([new])
    assert await verify(verifier, also_before) == Refused(Refusal.UNKNOWN_KEY, 1_763_690_000)


@pytest.mark.parametrize(("method", "target"), [("POST\n/a", b"/b"), ("POST", b"/a\n/b")])
async def test_a_line_break_never_holds_even_with_the_right_mac(peers: Any, method: str, target: bytes) -> None:
    # Both pairs have the same bytes to sign, so neither is accepted.
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    key = peers.ring.signing_key(peers.clock.now)
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    mac = key.mac(b"v1\n1763690000\n%b\n%b\n%b\n%b" % (b"n" * 16, method.encode(), target, digest.encode()))
    value = SignatureHeader(1_763_690_000, "n" * 16, "k2", mac).render().encode()
    refused = await verify(verifier, value, method=method, target=target, body=b"")
    assert refused == Refused(Refusal.BAD_SIGNATURE, 1_763_690_000)


async def test_an_unknown_key_costs_the_same_work_as_a_known_one(peers: Any) -> None:
    """Row E3. Row E4."""
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    bad_mac = signed_by(peers)[:-64] + b"0" * 64

    async def work(value: bytes) -> Counter[str]:
        done: Counter[str] = Counter()

        def count(frame: Any, event: str, called: Any) -> None:
            if event == "c_call":
                done[called.__name__] += 1

        sys.setprofile(count)
        try:
            await verify(verifier, value)
        finally:
            sys.setprofile(None)
        return done

    known, unknown = await work(bad_mac), await work(bad_mac.replace(b"k=k2", b"k=k9"))
    assert known["compare_digest"] == 1
    for step in ("compare_digest", "openssl_sha256", "copy", "update", "hexdigest"):
        assert unknown[step] == known[step] > 0


async def test_a_refusal_names_the_live_key_and_how_far_off_the_clock_was(peers: Any) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock)
    value = signed_by(peers)

    async def refused(*values: bytes, **changed: Any) -> tuple[Refusal, str | None, int | None]:
        verdict = await verify(verifier, *values, **changed)
        assert isinstance(verdict, Refused)
        return verdict.refusal, verdict.key_id, verdict.skew_seconds

    assert await refused() == (Refusal.SIGNATURE_MISSING, None, None)
    assert await refused(value.replace(b"k=k2", b"k=k9")) == (Refusal.UNKNOWN_KEY, None, None)
    assert await refused(value, body=b"{ }") == (Refusal.BAD_SIGNATURE, "k2", None)
    assert isinstance(await verify(verifier, value), Accepted)
    assert await refused(value) == (Refusal.NONCE_REPLAY, "k2", None)
    peers.clock.now += 61
    assert await refused(value) == (Refusal.TIMESTAMP_OUT_OF_WINDOW, "k2", 61)


@pytest.mark.parametrize("window_seconds", [1, 150])
async def test_a_window_may_be_half_of_the_time_for_which_nonces_are_kept(peers: Any, window_seconds: int) -> None:
    verifier = Verifier(peers.ring, InMemoryNonceStore(), clock=peers.clock, window_seconds=window_seconds)
    value = signed_by(peers)
    peers.clock.now += window_seconds
    assert isinstance(await verify(verifier, value), Accepted)


@pytest.mark.parametrize("window_seconds", [0, -1, 151])
def test_the_window_must_fit_into_the_memory_of_the_nonces(peers: Any, window_seconds: int) -> None:
    with pytest.raises(ValueError, match="window"):
        Verifier(peers.ring, InMemoryNonceStore(), window_seconds=window_seconds)


def test_an_answer_is_believed_under_any_live_key_and_not_under_an_ended_one(clock: Any) -> None:
    ending = Key("main", b"secret", clock.now + 10)
    ring = KeyRing([ending, Key("k2", b"second")])
    value = Signer(ring, clock=clock).sign_response(nonce="n" * 16, status=200, body=b"{}", key=ending).encode()

    def believed() -> bool:
        return verify_response([value], nonce="n" * 16, status=200, body=b"{}", key_ring=ring, clock=clock)

    assert believed()
    clock.now += 10
    assert not believed()


@pytest.mark.parametrize("module", sorted(SOURCES.glob("*.py")), ids=lambda path: path.name)
def test_no_mac_is_ever_compared_but_in_constant_time(module: Path) -> None:
    """Row E4. `==` stops at the first byte that differs, so its time shows how much of a guess was right."""
    compared = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Compare)]
    short_cuts = [ast.unparse(node) for node in compared if re.search(r"\bmac\b|digest|v1", ast.unparse(node))]
    assert [text for text in short_cuts if not text.startswith("hmac.compare_digest(")] == []
    if module.name == "verifier.py":
        assert module.read_text().count("hmac.compare_digest(") == 2, "a request's, and an answer's"
