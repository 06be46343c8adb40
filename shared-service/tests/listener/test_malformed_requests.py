"""A malformed request is answered with 400 and ends the connection. Nothing of it is served."""

import json

import pytest
import structlog
from structlog.testing import capture_logs

from shared_service.listener import refusing
from shared_service.listener.heads import SENTENCE
from shared_service.run.bounded_log import BoundedLog
from shared_service_testing.echoing import Echo

HOST = b"host: x\r\n"
POST = b"POST /p HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"

MALFORMED = {
    "a fragment": b"GET /p#f HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment behind a query": b"GET /p?a=b#f HTTP/1.1\r\n" + HOST + b"\r\n",
    "no Host": b"GET /p HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /p HTTP/1.1\r\n" + HOST * 2 + b"\r\n",
    "two Hosts in HTTP/1.0": b"GET /p HTTP/1.0\r\n" + HOST * 2 + b"\r\n",
    "HTTP/0.9": b"GET /p HTTP/0.9\r\n" + HOST + b"\r\n",
    "a request of HTTP/0.9": b"GET /p\r\n\r\n",
    "HTTP/1.2": b"GET /p HTTP/1.2\r\n" + HOST + b"\r\n",
    "HTTP/2.0": b"GET /p HTTP/2.0\r\n" + HOST + b"\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an absolute target": b"GET http://x/p HTTP/1.1\r\n" + HOST + b"\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT x:1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT of a path": b"CONNECT /p HTTP/1.1\r\n" + HOST + b"content-length: 3\r\n\r\nabc",
    "a target without a slash": b"GET p HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab in the target": b"GET /p\tq HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control character in the target": b"GET /p\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a high byte in the target": b"GET /p\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in lower case": b"get /p HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method that nobody knows": b"BREW /p HTTP/1.1\r\n" + HOST + b"\r\n",
    "RTSP": b"GET /p RTSP/1.1\r\n" + HOST + b"\r\n",
    "RTSP with a body": b"POST /p RTSP/1.0\r\n" + HOST + b"content-length: 3\r\n\r\nabc",
    "ICE": b"SOURCE /p ICE/1.0\r\n" + HOST + b"\r\n",
    "ICE with a method of HTTP": b"GET /p ICE/1.0\r\n" + HOST + b"\r\n",
    "RTSP that offers to upgrade": b"GET /p RTSP/1.1\r\n" + HOST + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "a line feed in front": b"\nGET /p HTTP/1.1\r\n" + HOST + b"\r\n",
    "a line feed and an empty line in front": b"\n\r\nGET /p HTTP/1.1\r\n" + HOST + b"\r\n",
    "a carriage return in front": b"\rGET /p HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces before the target": b"GET  /p HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces before the version": b"GET /p  HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in Host": b"GET /p HTTP/1.1\r\nhost: a b\r\n\r\n",
    "a user in Host": b"GET /p HTTP/1.1\r\nhost: c@d\r\n\r\n",
    "a high byte in Host": b"GET /p HTTP/1.1\r\nhost: \xff\r\n\r\n",
    "a path in Host": b"GET /p HTTP/1.1\r\nhost: a/b\r\n\r\n",
    "two names in Host": b"GET /p HTTP/1.1\r\nhost: a, b\r\n\r\n",
    "two ports in Host": b"GET /p HTTP/1.1\r\nhost: a:1:2\r\n\r\n",
    "a port of letters in Host": b"GET /p HTTP/1.1\r\nhost: a:b\r\n\r\n",
    "a port above the largest in Host": b"GET /p HTTP/1.1\r\nhost: a:65536\r\n\r\n",
    "a port of thousands of digits in Host": b"GET /p HTTP/1.1\r\nhost: a:" + b"9" * 5_000 + b"\r\n\r\n",
    "half an address in Host": b"GET /p HTTP/1.1\r\nhost: [::1\r\n\r\n",
    "an address without brackets in Host": b"GET /p HTTP/1.1\r\nhost: ::1\r\n\r\n",
    "a bad Host in HTTP/1.0": b"GET /p HTTP/1.0\r\nhost: a b\r\n\r\n",
    "a space behind the version": b"GET /p HTTP/1.1 \r\n" + HOST + b"\r\n",
    "a space before the first header": b"GET /p HTTP/1.1\r\n host: x\r\n\r\n",
    "gzip, chunked": POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "gzip": POST + b"transfer-encoding: gzip\r\n\r\nabc",
    "chunked, gzip": POST + b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "identity": POST + b"transfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "xchunked": POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a comma before chunked": POST + b"transfer-encoding: , chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked and no more than that": POST + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /p HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and a length": POST + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
    "a length and chunked": POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"content-length: 3\r\n" * 2 + b"\r\nabc",
    "two lengths that differ": POST + b"content-length: 3\r\ncontent-length: 2\r\n\r\nabc",
    "a length with a sign": POST + b"content-length: +3\r\n\r\nabc",
    "a list of lengths": POST + b"content-length: 3, 3\r\n\r\nabc",
    "a hexadecimal length": POST + b"content-length: 0x3\r\n\r\nabc",
    "a length with an underscore": POST + b"content-length: 0_3\r\n\r\nabc",
    "no length in a length": POST + b"content-length:\r\n\r\nabc",
    "a length beyond 64 bits": POST + b"content-length: 99999999999999999999\r\n\r\nabc",
    "a high byte in a name": POST + b"x\xff: y\r\n\r\n",
    "a space in a name": POST + b"x y: z\r\n\r\n",
    "a space before a colon": POST + b"content-length : 3\r\n\r\nabc",
    "no name": POST + b": y\r\n\r\n",
    "no colon": POST + b"x\r\n\r\n",
    "a NUL in a value": POST + b"x: a\0b\r\n\r\n",
    "a control character in a value": POST + b"x: a\x01b\r\n\r\n",
    "bare LF": b"GET /p HTTP/1.1\nhost: x\n\n",
    "bare LF behind a header": POST + b"x: y\nz: y\r\n\r\n",
    "bare LF at the end of the head": POST + b"x: y\r\n\n",
    "bare CR behind a header": POST + b"x: y\rz: y\r\n\r\n",
    "a folded value": POST + b"x: y\r\n z\r\n\r\n",
    "a folded value of nothing": POST + b"x:\r\n y\r\n\r\n",
    "a folded length": POST + b"content-length: 1\r\n 0\r\n\r\n0123456789",
    "a folded coding": POST + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a signed chunk": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk without a size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a chunk with bare LF": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "an extension with bare LF": CHUNKED + b"3;a\nabc\r\n0\r\n\r\n",
    "a space behind a chunk size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "a trailer with a NUL": CHUNKED + b"3\r\nabc\r\n0\r\nx: \0\r\n\r\n",
    "a trailer that frames": CHUNKED + b"3\r\nabc\r\n0\r\ncontent-length: 3\r\n\r\n",
    "a trailer that ends the connection": CHUNKED + b"3\r\nabc\r\n0\r\nx: y\r\nConnection: close\r\n\r\n",
    "a trailer for proxies": CHUNKED + b"3\r\nabc\r\n0\r\nproxy-connection: close\r\nx: y\r\n\r\n",
    "too many headers": POST + b"a:\r\n" * 200 + b"\r\n",
    "a head over its bound": POST + b"x: " + b"x" * 70_000 + b"\r\n\r\n",
    "a target over the bound of a head": b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
}  # fmt: skip


@pytest.mark.parametrize("what", MALFORMED)
def test_it_is_answered_with_400_and_nothing_behind_it_is_served(echo: Echo, what: str) -> None:
    echo.asked.clear()
    answers = echo.ask(MALFORMED[what] + b"GET /behind HTTP/1.1\r\nhost: x\r\n\r\n")
    assert [answer.status for answer in answers] == [400], answers
    answer = answers[0]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    assert answer.content == {
        "error": SENTENCE, "code": "malformed_request", "requestId": answer.headers["x-request-id"],
    }  # fmt: skip
    assert "/behind" not in echo.asked
    assert "Traceback" not in json.dumps(answer.content)


@pytest.mark.parametrize("what", MALFORMED)
def test_it_is_answered_behind_the_answers_that_are_owed(echo: Echo, what: str) -> None:
    """A client that pipelines must not take the refusal for the answer to its earlier request."""
    answers = echo.ask(
        b"GET /first HTTP/1.1\r\nhost: x\r\n\r\nGET /second HTTP/1.1\r\nhost: x\r\n\r\n" + MALFORMED[what]
    )
    assert [answer.status for answer in answers] == [200, 200, 400], answers
    assert [answer.content["target"] for answer in answers[:2]] == ["/first", "/second"]


@pytest.mark.parametrize("host", [b"a:65535", b"a:", b"a:" + b"0" * 5_000 + b"80"])
def test_a_port_up_to_the_largest_is_served(echo: Echo, host: bytes) -> None:
    assert [answer.status for answer in echo.ask(b"GET /p HTTP/1.1\r\nhost: " + host + b"\r\n\r\n")] == [200]


def test_the_log_says_why_and_which_other_protocol_it_was(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    hinted = {"the preface of HTTP/2": "HTTP/2", "a TLS hello": "TLS", "no Host": None}
    for what, word in hinted.items():
        monkeypatch.setattr(refusing, "log", BoundedLog(structlog.get_logger()))  # no line is left out
        with capture_logs() as logged:
            echo.ask(MALFORMED[what])
        (refused,) = [event for event in logged if event["event"] == "request_refused"]
        assert refused["why"], what
        assert word in refused["hint"] if word else "hint" not in refused, what


def test_a_body_that_begins_like_a_tls_hello_gets_no_hint(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusing, "log", BoundedLog(structlog.get_logger()))
    with capture_logs() as logged, echo.connected() as wire:
        wire.send(POST + b"content-length: 1\r\n\r\nx")
        wire.answer()
        wire.send(b"\x16\x03\x01")
        wire.answers_to_the_end()
    (refused,) = [event for event in logged if event["event"] == "request_refused"]
    assert "hint" not in refused


@pytest.mark.parametrize("what", [name for name, data in MALFORMED.items() if len(data) < 1000])
def test_it_is_refused_wherever_its_packets_end(echo: Echo, what: str) -> None:
    data = MALFORMED[what]
    with echo.connected() as wire:
        for cut in range(len(data)):
            try:
                wire.send(data[cut : cut + 1])
            except ConnectionError:
                break
        assert [answer.status for answer in wire.answers_to_the_end()] == [400]


@pytest.mark.parametrize(
    "body", [b"content-length: 3\r\n\r\nabc", b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("what", ["RTSP", "RTSP with a body", "two spaces before the version"])
def test_another_protocol_is_refused_wherever_the_packets_end_behind_a_body(echo: Echo, what: str, body: bytes) -> None:
    data = POST + body + MALFORMED[what]
    for split_at in range(1, len(data)):
        with echo.connected() as wire:
            wire.send(data, split_at=split_at)
            assert [answer.status for answer in wire.answers_to_the_end()] == [200, 400], split_at


def test_an_empty_line_in_front_of_a_request_is_ignored_wherever_the_packets_end(echo: Echo) -> None:
    chunked = POST + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n"
    data = b"\r\n" + chunked + b"\r\n" + chunked + b"\r\nGET /p HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    for split_at in range(1, len(data)):
        with echo.connected() as wire:
            wire.send(data, split_at=split_at)
            assert [answer.status for answer in wire.answers_to_the_end()] == [200, 200, 200], split_at
