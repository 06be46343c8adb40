"""Requests as bytes: offers to upgrade, trailers, what is not well-formed. Both services read them alike.

shared-service/tests has every case of both; here is that each service is served by that code, and that money is safe.

Row E2. Row D4.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack

import httpx
import pytest

from e2e_testing.answers import judged
from e2e_testing.game_session import GameSession
from e2e_testing.raw_wire import SERVICES, Wire, connected, head_of, resident_mebibytes
from e2e_testing.signing_client import Signed, Signer
from e2e_testing.stack import Stack
from shared_service_testing.waiting import wait_until

H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAA")
WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AA==")
SPLITS = 24
FLOOD_MEBIBYTES = 24
GROWTH_MEBIBYTES_MAX = 48
MALFORMED = {
    "a fragment": b"POST /casino/debit#x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
    "two hosts": b"GET /health/live HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    "no host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "another version": b"GET /health/live HTTP/2.0\r\nhost: x\r\n\r\n",
    "another coding": b"POST /casino/debit HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a head without bounds": b"GET /health/live HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 70_000 + b"\r\n\r\n",
    "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
}


def signed_call(stack: Stack, session: GameSession, name: str) -> Signed:
    """A call whose answer tells that its signature held over its whole body."""
    if name == "casino":
        return Signer(stack.casino).prepare("POST", "/casino/getBalance", session.who())
    return Signer(stack.provider).prepare("POST", "/provider/launch", {"sessionToken": "x" * 20})


def as_bytes(signed: Signed, fields: Sequence[str], *, chunked: bool = False, trailers: bytes = b"") -> bytes:
    request = signed.request
    headers = [f"{name}: {value}" for name, value in request.headers.multi_items()]
    body = request.content
    if chunked:
        headers = [line for line in headers if not line.startswith("content-length")] + ["Transfer-Encoding: chunked"]
        half = len(body) // 2
        parts = (body[:half], body[half:])
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailers + b"\r\n"
    lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1", *headers, *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def response_on(wire: Wire, request: httpx.Request) -> httpx.Response:
    head, _, body = wire.read_answer().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])]
    return httpx.Response(int(lines[0].split()[1]), headers=fields, content=body, request=request)


def require_read(stack: Stack, name: str, signed: Signed, response: httpx.Response) -> None:
    answer = Signer({"casino": stack.casino, "provider": stack.provider}[name]).judge(signed, response)
    expected = {"casino": (200, None), "provider": (400, "invalid_field")}
    assert answer.must_be_signed().verdict == expected[name]


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("sent", [(H2C, False), (H2C, True), (WEBSOCKET, False), (WEBSOCKET, True)])
def test_an_offer_to_upgrade_changes_nothing(
    stack: Stack, session: GameSession, database: object, name: str, sent: tuple[Sequence[str], bool]
) -> None:
    """Java's client and `curl --http2` offer it on every request, and send the body in a packet of its own."""
    offer, chunked = sent
    with connected(stack.services[name]) as wire:
        for number in range(SPLITS):
            signed = signed_call(stack, session, name)
            data = as_bytes(signed, offer, chunked=chunked)
            head_end = data.index(b"\r\n\r\n") + 4
            place = head_end if number == 0 else number * len(data) // SPLITS
            wire.send(data[:place])
            wire.send(data[place:])
            require_read(stack, name, signed, response_on(wire, signed.request))


def test_a_signature_in_a_trailer_is_none(stack: Stack, session: GameSession, database: object) -> None:
    signed = Signer(stack.casino).prepare("POST", "/casino/debit", session.debit_content())
    signature = signed.request.headers.pop(stack.casino.header_name)
    before = session.balance()
    with connected(stack.casino_process) as wire:
        wire.send(as_bytes(signed, (), chunked=True, trailers=f"{stack.casino.header_name}: {signature}\r\n".encode()))
        answer = judged(response_on(wire, signed.request), signature="")
    assert answer.verdict == (401, "signature_missing")
    assert session.balance() == before


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("part", [b"x-t: " + b"t" * 100 + b"\r\n", b"t" * 105], ids=["trailers", "one trailer"])
def test_trailers_take_no_memory(stack: Stack, database: object, name: str, part: bytes) -> None:
    service = stack.services[name]
    path = {"casino": "/casino/debit", "provider": "/provider/launch"}[name]
    before = resident_mebibytes(service)
    with connected(service) as wire:
        wire.send(head_of(path, "transfer-encoding: chunked") + b"2\r\n{}\r\n0\r\n")
        wire.send_until_refused(part * 1_000, bytes_max=FLOOD_MEBIBYTES << 20)
    assert resident_mebibytes(service) - before < GROWTH_MEBIBYTES_MAX


@pytest.mark.provokes("malformed_request")
@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_not_well_formed_is_refused_by_both_services(
    stack: Stack, database: object, name: str, what: str
) -> None:
    with connected(stack.services[name]) as wire:
        wire.send(MALFORMED[what])
        answer = judged(response_on(wire, httpx.Request("GET", "http://x/any")), signature="")
        assert wire.read_to_the_end() == b""
    assert answer.verdict == (400, "malformed_request")


@pytest.mark.parametrize("name", SERVICES)
def test_refusals_of_anybody_are_logged_at_a_bounded_rate_and_counted(
    stack: Stack, database: object, name: str
) -> None:
    service, sent = stack.services[name], 300
    seen = len(service.log_path.read_text().splitlines())
    with ExitStack() as wires:
        for _ in range(sent):
            wires.enter_context(connected(service)).send(MALFORMED["no host"])

    def lines() -> list[str]:
        return [line for line in service.log_path.read_text().splitlines()[seen:] if "malformed_request" in line]

    def counted() -> bool:
        left_out = [re.search(r"lines_left_out=(\d+)", line) for line in lines()]
        return sum(int(found[1]) if found else 1 for found in left_out) == sent

    wait_until(counted, "every refusal is logged or counted")
    assert len(lines()) < sent / 2
