"""The library passes the published vectors, and their file is the generator's output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared_signing.canonical import SignatureHeader, request_bytes, response_bytes
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Refusal, Refused, Verifier, verify_response

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS: dict[str, Any] = json.loads((FOLDER / "signatures.json").read_text(encoding="utf-8"))
REQUESTS: list[dict[str, Any]] = VECTORS["requests"]
RESPONSES: list[dict[str, Any]] = VECTORS["responses"]
# The three of the protocol, copied from its text.
PROTOCOL_MACS = {
    "the request of the protocol": "43ec3136144be16ab6ca62b5c43be7fcf12925588172dcb6edc3a46bdeb1779c",
    "the feed of the protocol": "dab836d70bb3a9eccbb8cbd576a9298f21b3fb04a65e8196bd49935aabab3d14",
    "the answer of the protocol": "9e5d96c936830a6c8dbc098f53cefa0707071390bf41574b3815a64b7282431c",
}


def ring_of(case: dict[str, Any]) -> KeyRing:
    main, *newer = VECTORS["keys"][case["keys"]]
    return KeyRing(parse_keys(main["secret"], json.dumps(newer)))


def body_of(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(case["bodyHex"]) if "bodyHex" in case else case["body"].encode()


def by_name(case: dict[str, Any]) -> str:
    return case["name"].replace(" ", "_")


async def verdict_on(case: dict[str, Any]) -> Accepted | Refused:
    def clock() -> float:
        return float(case["now"])

    nonces = InMemoryNonceStore(clock=clock)
    for seen in case.get("seenNonces", []):
        assert await nonces.claim(seen["key"], seen["nonce"], case["now"])
    return await Verifier(ring_of(case), nonces, clock=clock).verify_request(
        [value.encode() for value in case["headers"]],
        method=case["method"],
        target=case["target"].encode("ascii"),
        body=body_of(case),
    )


@pytest.mark.parametrize("case", REQUESTS, ids=by_name)
async def test_a_request_vector_leads_to_what_it_names(case: dict[str, Any]) -> None:
    """Row E2. Row E3."""
    verdict = await verdict_on(case)
    assert ("accepted" if isinstance(verdict, Accepted) else verdict.refusal.value) == case["expect"]
    assert (verdict.key is not None) == case["answerSigned"]


@pytest.mark.parametrize("case", [c for c in REQUESTS if c["expect"] == "accepted"], ids=by_name)
def test_the_signer_makes_the_mac_of_an_accepted_vector(case: dict[str, Any]) -> None:
    header = SignatureHeader.parse(case["headers"][0])
    method, target, body = case["method"], case["target"], body_of(case)
    key = ring_of(case).verifying_key(header.key_id, case["now"])
    assert key is not None
    signer = Signer(KeyRing([key]), clock=lambda: float(header.timestamp))
    assert SignatureHeader.parse(signer.sign_request(method, target, body, nonce=header.nonce).header) == header
    text = request_bytes(timestamp=header.timestamp, nonce=header.nonce, method=method, target=target, body=body)
    assert text == case["signedText"].encode()


@pytest.mark.parametrize("case", RESPONSES, ids=by_name)
def test_a_response_vector_leads_to_what_it_names(case: dict[str, Any]) -> None:
    holds = verify_response(
        [value.encode() for value in case["headers"]],
        nonce=case["requestNonce"],
        status=case["status"],
        body=body_of(case),
        key_ring=ring_of(case),
        clock=lambda: float(case["now"]),
    )
    assert holds == (case["expect"] == "good")


@pytest.mark.parametrize("case", [c for c in RESPONSES if c["expect"] == "good"], ids=by_name)
def test_the_signer_makes_the_mac_of_a_good_response_vector(case: dict[str, Any]) -> None:
    header = SignatureHeader.parse(case["headers"][0])
    ring = ring_of(case)
    key = ring.verifying_key(header.key_id, case["now"])
    assert key is not None
    signed = Signer(ring, clock=lambda: float(header.timestamp)).sign_response(
        nonce=header.nonce, status=case["status"], body=body_of(case), key=key
    )
    assert SignatureHeader.parse(signed) == header
    text = response_bytes(timestamp=header.timestamp, nonce=header.nonce, status=case["status"], body=body_of(case))
    assert text == case["signedText"].encode()


def test_the_three_vectors_of_the_protocol_are_among_them() -> None:
    macs = {
        case["name"]: SignatureHeader.parse(case["headers"][0]).mac
        for case in [*REQUESTS, *RESPONSES]
        if case["name"] in PROTOCOL_MACS
    }
    assert macs == PROTOCOL_MACS


def test_every_refusal_has_its_vectors_and_every_name_is_unique() -> None:
    assert {case["expect"] for case in REQUESTS} == {"accepted", *(refusal.value for refusal in Refusal)}
    assert {case["expect"] for case in RESPONSES} == {"good", "missing", "bad"}
    for cases in (REQUESTS, RESPONSES):
        assert len({case["name"] for case in cases}) == len(cases)
    assert len(REQUESTS) + len(RESPONSES) >= 30


def test_the_vectors_are_what_their_generator_writes() -> None:
    written = subprocess.run(
        [sys.executable, "-B", "generate.py"],
        cwd=FOLDER,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert written.stdout == (FOLDER / "signatures.json").read_bytes()


def test_the_generator_does_not_use_the_library() -> None:
    sources = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py")]
    assert len(sources) == 4
    assert not any("shared_signing" in source for source in sources)
