"""Requests on one connection: however the bytes arrive, each request and its body are read once, in order."""

import pytest

from shared_service_testing.echoing import Answer, Echo

H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
WEBSOCKET = (
    b"connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
)
TWO_OFFERS = b"upgrade: h2c\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
NO_OFFER = b"connection: upgrade\r\n"
OFFERS = {"h2c": H2C, "websocket": WEBSOCKET, "two": TWO_OFFERS, "of nothing": NO_OFFER, "none": b""}
STOLEN = b"GET /stolen HTTP/1.1\r\nhost: x\r\n\r"
"""A body that looks like a request: a server that miscounts bytes would serve it."""
BODIES = {
    "with a length": b"content-length: 5\r\n\r\nHELLO",
    "chunked": b"transfer-encoding: chunked\r\n\r\n2\r\nHE\r\n3;a=b\r\nLLO\r\n0\r\n\r\n",
    "with trailers": b"Transfer-Encoding: Chunked\r\n\r\n5\r\nHELLO\r\n0\r\nx-trailer: a\r\nupgrade: h2c\r\n\r\n",
    "that looks like a request": b"content-length: %d\r\n\r\n" % len(STOLEN) + STOLEN,
    "none": b"\r\n",
}
MEANT = {"that looks like a request": STOLEN.decode(), "none": ""}


def post(offer: bytes, body: bytes) -> bytes:
    return b"POST /p?q=1 HTTP/1.1\r\nHost: x\r\n" + offer + b"X-Mine: 1\r\n" + body


def get(target: str, *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET %s HTTP/1.1" % target.encode(), b"host: x", *fields, b"", b""])


def require(answer: Answer, *, body: str) -> None:
    assert answer.status == 200
    content = answer.content
    assert (content["method"], content["target"], content["body"]) == ("POST", "/p?q=1", body)
    names = [name for name, _ in content["headers"]]
    assert (names.count("host"), names.count("x-mine"), names.count("upgrade")) == (1, 1, 0)
    assert "x-trailer" not in names


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_to_upgrade_is_ignored_wherever_its_packets_end(echo: Echo, offer: str, body: str) -> None:
    data, meant = post(OFFERS[offer], BODIES[body]), MEANT.get(body, "HELLO")
    echo.asked.clear()
    with echo.connected() as wire:  # one connection for all: it is of use after each
        for cut in range(1, len(data)):
            wire.send(data, split_at=cut)
            require(wire.answer(), body=meant)
        wire.send((data + get("/next")) * 10)
        for _ in range(10):
            require(wire.answer(), body=meant)
            assert wire.answer().content["target"] == "/next"
    assert "/stolen" not in echo.asked


@pytest.mark.parametrize("offer", OFFERS)
def test_it_may_arrive_a_byte_at_a_time(echo: Echo, offer: str) -> None:
    with echo.connected() as wire:
        for body, framed in BODIES.items():
            data = post(OFFERS[offer], framed) + get("/next")
            for cut in range(len(data)):
                wire.send(data[cut : cut + 1])
            require(wire.answer(), body=MEANT.get(body, "HELLO"))
            assert wire.answer().content["target"] == "/next"


def test_a_connection_with_an_offer_may_end_with_its_answer(echo: Echo) -> None:
    offer = H2C.replace(b"Upgrade,", b"Upgrade, close,")
    with echo.connected() as wire:
        wire.send(post(offer, BODIES["with a length"]))
        answers = wire.answers_to_the_end()
    assert [answer.headers["connection"] for answer in answers] == ["close"]


def test_nothing_in_a_trailer_is_believed(echo: Echo) -> None:
    trailers = b"host: evil\r\nx-mine: 2\r\nx-forwarded-for: 1.2.3.4\r\nexpect: 100-continue\r\nX-New: 3\r\n"
    with echo.connected() as wire:
        wire.send(post(b"", b"transfer-encoding: chunked\r\n\r\n5\r\nHELLO\r\n0\r\n" + trailers + b"\r\n"))
        headers = wire.answer().content["headers"]
    assert headers == [["host", "x"], ["x-mine", "1"], ["transfer-encoding", "chunked"]]


def test_white_space_around_a_value_is_not_part_of_it(echo: Echo) -> None:
    with echo.connected() as wire:
        wire.send(b"GET /p HTTP/1.1\r\nhost:x\r\na: \t b c \t \r\nb:\t\r\ncontent-length: 0 \r\n\r\n")
        headers = wire.answer().content["headers"]
    assert headers == [["host", "x"], ["a", "b c"], ["b", ""], ["content-length", "0"]]


ENDLESS = {
    "a head of one value": (b"GET /p HTTP/1.1\r\nhost: x\r\nx: ", b"x" * 10_000),
    "a head of one name": (b"GET /p HTTP/1.1\r\nhost: x\r\n", b"x" * 10_000),
    "a head of a target": (b"GET /", b"x" * 10_000),
    "a method": (b"", b"G" * 10_000),
    "blank lines": (b"", b"\r\n" * 5_000),
    "blank lines after an answer": (get("/p"), b"\r\n" * 5_000),
    "a trailer's value": (post(b"", b"transfer-encoding: chunked\r\n\r\n0\r\nx: "), b"x" * 10_000),
    "a trailer's name": (post(b"", b"transfer-encoding: chunked\r\n\r\n0\r\n"), b"x" * 10_000),
    "trailers": (post(b"", b"transfer-encoding: chunked\r\n\r\n5\r\nHELLO\r\n0\r\n"), b"x: y\r\n" * 2_000),
    "a chunk extension": (post(b"", b"transfer-encoding: chunked\r\n\r\n5;"), b"x" * 10_000),
    "a chunk size": (post(b"", b"transfer-encoding: chunked\r\n\r\n"), b"0" * 10_000),
    "chunks of one byte": (post(b"", b"transfer-encoding: chunked\r\n\r\n"), b"1\r\nx\r\n" * 2_000),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_is_no_body_has_a_bound(echo: Echo, what: str) -> None:
    """The parser has no bound: with trailers a client used two gigabytes in ten seconds."""
    begin, part = ENDLESS[what]
    with echo.connected() as wire:
        wire.send(begin)
        taken = 0
        try:
            for _ in range(1_000):
                wire.raw.sendall(part)
                taken += len(part)
        except ConnectionError:
            pass
        assert taken < 9_000_000, "what the refusal still reads, and what fits into the buffers between"


@pytest.mark.parametrize("what", sorted(ENDLESS.keys() - {"blank lines after an answer"}))
def test_a_peer_that_stops_at_the_bound_is_told(echo: Echo, what: str) -> None:
    begin, part = ENDLESS[what]
    with echo.connected() as wire:
        wire.send(begin + part * (80_000 // len(part) + 1))
        statuses = [answer.status for answer in wire.answers_to_the_end()]
    assert statuses == [400]


def test_what_is_below_the_bound_is_served(echo: Echo) -> None:
    with echo.connected() as wire:
        wire.send(get("/p", b"x: " + b"x" * 60_000))
        assert wire.answer().status == 200
        wire.send(get("/p", *(b"x-%d: %s" % (number, b"y" * 500) for number in range(98))))
        assert wire.answer().status == 200
        wire.send(post(b"", b"content-length: 65536\r\n\r\n" + b"x" * 65_536))
        require(wire.answer(), body="x" * 65_536)
        chunks = b"".join(b"10\r\n" + b"x" * 16 + b"\r\n" for _ in range(4096))
        wire.send(
            post(b"", b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\nx-t: " + b"t" * 30_000 + b"\r\n\r\n")
        )
        require(wire.answer(), body="x" * 65_536)
        wire.send((get("/p", b"x: " + b"x" * 40_000) + post(b"", b"content-length: 50000\r\n\r\n" + b"y" * 50_000)) * 8)
        for _ in range(8):
            assert wire.answer().content["target"] == "/p"
            require(wire.answer(), body="y" * 50_000)


def test_answers_come_in_the_order_of_their_requests(echo: Echo) -> None:
    echo.go.clear()
    with echo.connected() as wire:
        wire.send(get("/wait") + b"".join(get(f"/{number}") for number in range(30)))
        echo.go.set()
        targets = [wire.answer().content["target"] for _ in range(31)]
    assert targets == ["/wait", *(f"/{number}" for number in range(30))]


def test_who_sends_too_far_ahead_is_closed_before_the_requests_take_memory(echo: Echo) -> None:
    echo.go.clear()
    with echo.connected() as wire:
        wire.send_as_far_as_taken(get("/wait") + get("/p") * 10_000, times=1)
        echo.go.set()
        assert len(wire.answers_to_the_end()) <= 33


def test_a_peer_that_has_said_all_gets_its_answers(echo: Echo) -> None:
    """PHP and netcat close their side of the connection after the request."""
    half = post(b"", b"content-length: 9\r\n\r\nhalf")
    assert [answer.content["target"] for answer in echo.ask(get("/1"))] == ["/1"]
    assert [answer.content["target"] for answer in echo.ask(get("/1") + get("/2") + get("/3"))] == ["/1", "/2", "/3"]
    assert [answer.content["target"] for answer in echo.ask(get("/1") + get("/2") + half)] == ["/1", "/2"]
    assert [answer.content["target"] for answer in echo.ask(get("/1") + b"GET /ha")] == ["/1"]
    assert echo.ask(half) == []
    assert echo.ask(b"") == []


LINE = b"POST /p?q=1 HTTP/1.1\r\n"
HARD = b"\n\n" + LINE + b"\n\r\n" + LINE + b"\r\n\r\n"
"""A body that looks like requests with line feeds in front."""
STREAM = [
    post(b"", b"content-length: %d\r\n\r\n" % len(HARD) + HARD),
    post(b"", b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(HARD) + HARD + b"\r\n0\r\n\r\n"),
    post(b"", b"transfer-encoding: chunked\r\n\r\n1\r\n\n\r\n%x;a\r\n" % len(HARD) + HARD + b"\r\n0\r\na: b\r\n\r\n"),
    b"\r\n" + get("/p?q=1"),
    post(H2C, b"content-length: %d\r\n\r\n" % len(HARD) + HARD),
    b"\r\n\r\n" + post(b"", b"\r\n"),
]


def test_requests_are_told_apart_wherever_their_packets_end(echo: Echo) -> None:
    data = b"".join(STREAM)
    for split_at in range(1, len(data)):
        with echo.connected() as wire:
            wire.send(data, split_at=split_at)
            answers = [wire.answer() for _ in STREAM]
            assert [answer.status for answer in answers] == [200] * len(STREAM), split_at
    assert [len(answer.content["body"]) for answer in answers] == [len(HARD), len(HARD), len(HARD) + 1, 0, len(HARD), 0]
    with echo.connected() as wire:
        for cut in range(len(data)):
            wire.send(data[cut : cut + 1])
        assert [wire.answer().status for _ in STREAM] == [200] * len(STREAM)


HOSTS = [
    "",
    "a",
    "a.example",
    "a_b-c.example.:8000",
    "127.0.0.1",
    "[::1]:8000",
    "[fe80::1%25eth0]",
    "a:",
    "%61",
    "a!$&'()*+,;=~",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_a_name_or_an_address_with_a_port_or_without(echo: Echo, host: str) -> None:
    with echo.connected() as wire:
        assert wire.send(b"GET /p HTTP/1.1\r\nhost: %s\r\n\r\n" % host.encode()).answer().status == 200


def test_http_1_0_gets_no_100_continue(echo: Echo) -> None:
    """An HTTP/1.0 client would read it as the answer."""
    with echo.connected() as wire:
        wire.send(b"POST /p HTTP/1.0\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\nhi")
        answers = wire.answers_to_the_end()
        assert [(answer.status, answer.content["body"]) for answer in answers] == [(200, "hi")]


def test_http_1_0_is_answered_and_ended(echo: Echo) -> None:
    for fields in (b"", b"connection: keep-alive\r\n", b"host: x\r\n"):
        with echo.connected() as wire:
            wire.send(b"POST /p HTTP/1.0\r\nContent-Length: 2\r\n" + fields + b"\r\nhi")
            answers = wire.answers_to_the_end()
        assert [(answer.status, answer.headers["connection"]) for answer in answers] == [(200, "close")]
        assert (answers[0].content["version"], answers[0].content["body"]) == ("1.0", "hi")


def test_100_continue_is_sent_when_the_body_is_read(echo: Echo) -> None:
    with echo.connected() as wire:
        for expect in (b"Expect: 100-continue\r\n", b"expect: 100-Continue\r\n"):
            wire.send(b"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n" + expect + b"\r\n")
            assert wire.answer().status == 100
            wire.send(b"HELLO")
            assert wire.answer().content["body"] == "HELLO"
            wire.send(b"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n" + expect + b"\r\nHELLO")
            answer = wire.answer()
            assert (wire.answer() if answer.status == 100 else answer).content["body"] == "HELLO"


def test_a_body_that_came_without_100_continue_is_not_taken_for_a_request(echo: Echo) -> None:
    """After a refusal the client may send the body or not, so the connection is closed."""
    with echo.connected() as wire:
        wire.send(b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 32\r\nexpect: 100-continue\r\n\r\n")
        answer = wire.answer()
        assert (answer.status, answer.headers.get("connection")) == (200, "close")
        wire.send_as_far_as_taken(get("/stolen"), times=1)
        assert wire.answers_to_the_end() == []


def test_a_body_that_nobody_reads_is_not_taken_for_a_request(echo: Echo) -> None:
    with echo.connected() as wire:
        wire.send(b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(STOLEN))
        assert wire.answer().content["target"] == "/unread"
        wire.send(STOLEN + get("/next"))
        assert wire.answer().content["target"] == "/next"
