"""Bodies that are too much, or not what they say: refused before they are read, and never unpacked.

Row D5. What is wrong with the JSON inside a body (Row D6) is in test_strict_json.py.
"""

import contextlib

import pytest

from e2e_testing.raw_wire import (
    HOSTILE_MEGABYTES,
    PATHS,
    PATIENCE_SECONDS,
    SERVICES,
    connected,
    head_of,
    resident_mebibytes,
)
from e2e_testing.stack import Stack

BODY_MAX_BYTES = 65_536


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("declared", [BODY_MAX_BYTES + 1, 10**9, 10**30], ids=["a byte over", "a gigabyte", "absurd"])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(
    impatient: Stack, name: str, declared: int
) -> None:
    for path in PATHS[name]:
        with connected(impatient.services[name]) as wire:
            wire.send(head_of(path, f"content-length: {declared}"))
            said = wire.read_answer() if declared < 10**18 else wire.read_to_the_end()
            assert said.split(b" ")[1] in ((b"413",) if declared < 10**18 else (b"413", b"400"))


@pytest.mark.parametrize("name", SERVICES)
def test_chunks_without_an_end_are_refused_at_the_bound_and_take_no_memory(impatient: Stack, name: str) -> None:
    service = impatient.services[name]
    before = resident_mebibytes(service)
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for path in PATHS[name]:
        with connected(service) as wire:
            wire.send(head_of(path, "transfer-encoding: chunked"))
            wire.raw.settimeout(PATIENCE_SECONDS)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                for _ in range((HOSTILE_MEGABYTES << 20) // len(chunk)):
                    wire.send(chunk)
            assert resident_mebibytes(service) < before + HOSTILE_MEGABYTES / 2
            with contextlib.suppress(ConnectionResetError):
                assert wire.raw.recv(12) in (b"HTTP/1.1 413", b"HTTP/1.1 401")


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_body_is_refused_before_it_is_sent(impatient: Stack, name: str, encoding: str) -> None:
    """A gzip bomb is never unpacked: nothing compressed is."""
    for path in PATHS[name]:
        with connected(impatient.services[name]) as wire:
            wire.send(head_of(path, f"content-encoding: {encoding}", "content-length: 50"))
            assert wire.read_answer().startswith(b"HTTP/1.1 415")


LIES = {
    "two lengths": ("content-length: 2", "content-length: 3"),
    "a length and chunks": ("content-length: 2", "transfer-encoding: chunked"),
    "a negative length": ("content-length: -1",),
    "a length that is no number": ("content-length: ten",),
    "a length with a sign": ("content-length: +2",),
}


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("lie", LIES)
def test_a_head_that_contradicts_itself_is_refused_and_the_connection_ended(
    impatient: Stack, name: str, lie: str
) -> None:
    for path in PATHS[name]:
        with connected(impatient.services[name]) as wire:
            wire.send(head_of(path, *LIES[lie]) + b"{}")
            assert wire.read_to_the_end().startswith(b"HTTP/1.1 400")


def test_a_length_short_of_the_body_smuggles_no_second_request(impatient: Stack) -> None:
    """What is left over of a body is no request that anybody signed."""
    session = impatient.session()
    start = session.balance()
    signed = impatient.wallet.signer.prepare("POST", "/casino/getBalance", session.who())
    smuggled = head_of("/casino/debit", "content-length: 2") + b"{}"
    fields = "".join(f"{name}: {value}\r\n" for name, value in signed.request.headers.items())
    with connected(impatient.services["casino"]) as wire:
        wire.send(f"POST /casino/getBalance HTTP/1.1\r\n{fields}\r\n".encode() + signed.request.content + smuggled)
        said = wire.read_to_the_end()
    assert said.count(b"HTTP/1.1 ") == 2
    assert said.startswith(b"HTTP/1.1 200")
    assert b"signature_missing" in said
    # Over a connection of its own: the wallet's may be about to end.
    answer = impatient.signing_client(impatient.casino).post("/casino/getBalance", session.who())
    assert answer.must_be_ok().balance == start
