"""Streams of bytes for one connection: good requests in every framing that HTTP/1.1 allows, and spoilt copies of them.

Everything is drawn from one random.Random, so a seed tells a whole run, but for nonces, times and ids.
"""

import random
from dataclasses import dataclass, field

from e2e_testing.answers import Peer
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.signing_client import Signed, Signer

REQUESTS_MAX = 6
SPOILINGS_MAX = 4
LONG = 70_000
"""More than a head may be."""

OFFERS = (
    (), (), (),
    ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
    ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    ("Connection: upgrade",), ("Upgrade: h2c",), ("upgrade: a", "Upgrade: b/1", "connection: UPGRADE"),
)  # fmt: skip
KINDS = ("signed", "signed", "signed", "unsigned", "forged", "health", "nowhere", "head", "hiding")
TRAILERS = (
    "x-request-id: of-a-trailer", "x-forwarded-for: 10.0.0.1", "content-type: text/plain", "host: evil", "x-empty:",
    "expect: 100-continue", "upgrade: h2c",
)  # fmt: skip
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b"#", b"?", b"%0a", b"0\r\n\r\n", b"1;x=y\r\na\r\n",
    b"ffffffffffffffff\r\n", b"Transfer-Encoding: chunked\r\n", b"transfer-encoding: gzip, chunked\r\n",
    b"Content-Length: 5\r\n", b"content-length: 0\r\n", b"Content-Length: -1\r\n", b"Host: other\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b" folded\r\n",
    b"HTTP/2.0", b"HTTP/1.0", b"HTTP/0.9", b"CONNECT ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n",
    b"POST /casino/debit HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", b"http://x/", b"\xff\xfe",
    b"\x16\x03\x01", b"x" * LONG, b"\r\n" * LONG, b"a: b\r\n" * 200, b"0" * LONG,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """One good request and the answer that is right for it. A status of 0 stands for any below 500."""

    request_id: str
    status: int
    code: str | None = None
    signed: Signed | None = None
    to_head: bool = False


@dataclass(slots=True)
class Streams:
    """Draws streams for one service."""

    rng: random.Random
    name: str
    peer: Peer
    session: GameSession
    signed_bets: set[str] = field(default_factory=set)
    """Transactions that were signed and sent, whole or spoilt: they may be in the books."""
    hidden_bets: set[str] = field(default_factory=set)
    """Transactions that were sent unsigned, or only within the body of another request."""
    placed_bets: set[str] = field(default_factory=set)
    """Those of good streams: each must be in the books."""

    def good(self) -> tuple[bytes, list[Sent]]:
        """Good requests one behind the other, and what they are answered with, in this order."""
        count = self.rng.randint(1, REQUESTS_MAX)
        drawn = [self._request(is_last=number == count - 1) for number in range(count)]
        return b"".join(data for data, _ in drawn), [sent for _, sent in drawn]

    def spoilt(self) -> bytes:
        """Good requests with some bytes of them changed, lost, doubled, moved, or put in between."""
        placed = set(self.placed_bets)
        data = bytearray(self.good()[0] + (self.good()[0] if self.rng.random() < 0.3 else b""))
        self.placed_bets = placed  # whether these are placed, nobody knows
        self.signed_bets |= self.hidden_bets  # what was hidden in a body may be a request now
        self.hidden_bets.clear()
        for _ in range(self.rng.randint(1, SPOILINGS_MAX)):
            self._spoil(data)
        return bytes(data)

    def pieces(self, data: bytes) -> list[bytes]:
        """The data as packets: in one, in a few, or byte by byte."""
        way = self.rng.random()
        if way < 0.3:
            return [data]
        if way < 0.4 and len(data) < 3_000:
            return [data[place : place + 1] for place in range(len(data))]
        places = sorted(self.rng.randrange(len(data) + 1) for _ in range(self.rng.randint(1, 8)))
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if start < end]

    def _spoil(self, data: bytearray) -> None:
        place, end = sorted(self.rng.randrange(len(data) + 1) for _ in range(2))
        end = min(end, place + 200)
        match self.rng.randrange(6):
            case 0 if place < len(data):
                data[place] = self.rng.randrange(256)
            case 1:
                del data[place:end]
            case 2:
                data[place:place] = data[place:end]
            case 3:
                del data[place:]
            case 4 if place < len(data):
                data[place] ^= 1 << self.rng.randrange(8)
            case _:
                data[place:place] = self.rng.choice(TOKENS)

    def _request(self, *, is_last: bool) -> tuple[bytes, Sent]:
        kind = self.rng.choice(KINDS)
        request_id = f"fuzz-{new_id()}"
        if kind in ("health", "nowhere", "head"):
            path = "/nowhere" if kind == "nowhere" else "/health/live"
            method = "HEAD" if kind == "head" else "GET"
            status = {"health": 200, "nowhere": 404, "head": 0}[kind]
            sent = Sent(request_id, status, "not_found" if kind == "nowhere" else None, to_head=kind == "head")
            body = self._hidden() if self.rng.random() < 0.1 else b""
            return self._framed(f"{method} {path}", [], body, request_id=request_id, is_last=is_last), sent
        signed, verdict = self._signed_call()
        if kind != "signed":
            self._will_not_be_placed(signed)
        if kind == "hiding":
            return self._refused(signed, [], request_id, is_last=is_last, body=self._hidden())
        if kind == "unsigned":
            return self._refused(signed, [], request_id, is_last=is_last)
        signature = signed.request.headers[self.peer.header_name]
        if kind == "forged":
            forged = signature[:-1] + ("0" if signature[-1] != "0" else "1")
            return self._refused(signed, [f"{self.peer.header_name}: {forged}"], request_id, is_last=is_last)
        fields = [f"{self.peer.header_name}: {signature}"]
        data = self._framed(
            self._line(signed), fields, signed.request.content, request_id=request_id, is_last=is_last
        )  # fmt: skip
        return data, Sent(request_id, *verdict, signed=signed)

    def _refused(
        self, signed: Signed, fields: list[str], request_id: str, *, is_last: bool, body: bytes | None = None
    ) -> tuple[bytes, Sent]:
        content = signed.request.content if body is None else body
        data = self._framed(self._line(signed), fields, content, request_id=request_id, is_last=is_last)
        return data, Sent(request_id, 401, "bad_signature" if fields else "signature_missing")

    @staticmethod
    def _line(signed: Signed) -> str:
        return f"{signed.request.method} {signed.request.url.raw_path.decode()}"

    def _signed_call(self) -> tuple[Signed, tuple[int, str | None]]:
        signer = Signer(self.peer)
        if self.name == "provider":
            return signer.prepare("POST", "/provider/launch", {"x": "y" * self.rng.randrange(40)}), (
                400,
                "invalid_field",
            )
        if self.rng.random() < 0.5:
            return signer.prepare("POST", "/casino/getBalance", self.session.who()), (200, None)
        bet = new_id()
        self.signed_bets.add(bet)
        self.placed_bets.add(bet)
        return signer.prepare("POST", "/casino/debit", self.session.debit_content(transaction_id=bet)), (200, None)

    def _will_not_be_placed(self, signed: Signed) -> None:
        bets = {bet for bet in self.placed_bets if bet.encode() in signed.request.content}
        self.placed_bets -= bets
        self.signed_bets -= bets
        self.hidden_bets |= bets

    def _hidden(self) -> bytes:
        """A good request that nobody must find: it is the body of another one."""
        signed, _ = self._signed_call()
        self._will_not_be_placed(signed)
        signature = f"{self.peer.header_name}: {signed.request.headers[self.peer.header_name]}"
        length = f"content-length: {len(signed.request.content)}"
        lines = [f"{self._line(signed)} HTTP/1.1", "host: x", "content-type: application/json", signature, length]
        return "\r\n".join([*lines, "", ""]).encode() + signed.request.content

    def _framed(self, line: str, fields: list[str], body: bytes, *, request_id: str, is_last: bool) -> bytes:
        version, offer = "1.1", list(self.rng.choice(OFFERS))
        is_chunked = self.rng.random() < 0.5
        lines = ["Host: x", "Content-Type: application/json", f"X-Request-Id: {request_id}", *fields, *offer]
        if is_last and self.rng.random() < 0.2:
            lines.append("Connection: close")
        if is_last and self.rng.random() < 0.1 and not is_chunked:
            version = "1.0"
        if is_last and body and self.rng.random() < 0.2:
            lines.append("Expect: 100-continue")
        if is_chunked:
            lines.append(self.rng.choice(["Transfer-Encoding: chunked", "transfer-encoding: Chunked"]))
        elif body or self.rng.random() < 0.5:
            lines.append(f"Content-Length: {'0' * self.rng.randrange(3)}{len(body)}")
        self.rng.shuffle(lines)
        head = "\r\n".join([f"{line} HTTP/{version}", *(self._respelt(each) for each in lines), "", ""]).encode()
        return b"\r\n" * self.rng.randrange(2) + head + (self._chunked(body) if is_chunked else body)

    def _respelt(self, line: str) -> str:
        name, _, value = line.partition(": ")
        spelt = self.rng.choice([name, name.lower(), name.upper(), name.title()])
        return f"{spelt}:{self.rng.choice([' ', '', '  ', chr(9)])}{value}{self.rng.choice(['', '', ' '])}"

    def _chunked(self, body: bytes) -> bytes:
        data = b""
        while body:
            size = self.rng.randint(1, len(body))
            extension = self.rng.choice([b"", b"", b";a", b";a=b", b';a="b c"'])
            data += b"%s%x%s\r\n%s\r\n" % (b"0" * self.rng.randrange(3), size, extension, body[:size])
            body = body[size:]
        trailers = self.rng.sample([*TRAILERS, f"{self.peer.header_name}: t=1"], self.rng.randrange(4))
        return data + b"0\r\n" + b"".join(f"{each}\r\n".encode() for each in trailers) + b"\r\n"
