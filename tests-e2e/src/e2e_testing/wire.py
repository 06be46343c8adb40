"""Whole HTTP/1.1 messages as bytes: just enough for a proxy that must not change a byte that it passes on."""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

HEAD_BYTES_MAX = 65536
BODY_BYTES_MAX = 1048576
HOP_HEADERS = (b"connection", b"keep-alive", b"content-length", b"transfer-encoding")


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its first line, its header fields in order, its body."""

    first_line: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def field(self, name: str) -> str | None:
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.fields if key.lower() == wanted), None)

    def with_field(self, name: str, value: str | None) -> "Message":
        """The message with one header field set, or without it."""
        wanted = name.lower().encode()
        kept = tuple((key, old) for key, old in self.fields if key.lower() != wanted)
        added = () if value is None else ((wanted, value.encode("latin-1")),)
        return replace(self, fields=kept + added)

    def with_body(self, body: bytes) -> "Message":
        return replace(self, body=body)

    @property
    def method(self) -> str:
        return self.first_line.split(b" ")[0].decode()

    @property
    def target(self) -> str:
        return self.first_line.split(b" ")[1].decode()

    @property
    def status(self) -> int:
        return int(self.first_line.split(b" ")[1])

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object in the body; empty where there is none, as in a body that was spoilt on its way."""
        try:
            content = json.loads(self.body) if self.body else {}
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def head_bytes(self, *, keep_alive: bool = True) -> bytes:
        """The head on the wire, with the length of the body as it is now."""
        fields = [(key, value) for key, value in self.fields if key.lower() not in HOP_HEADERS]
        fields.append((b"content-length", b"%d" % len(self.body)))
        fields.append((b"connection", b"keep-alive" if keep_alive else b"close"))
        lines = [self.first_line, *(key + b": " + value for key, value in fields)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def to_bytes(self, *, keep_alive: bool = True) -> bytes:
        """The whole message on the wire."""
        return self.head_bytes(keep_alive=keep_alive) + self.body


def answer(status: int, content: object, **fields: str) -> Message:
    """A JSON answer of the proxy's own; header names are written with underscores."""
    head = [(b"content-type", b"application/json")]
    head += [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return Message(b"HTTP/1.1 %d Made-Up" % status, tuple(head), json.dumps(content).encode())


def html(status: int, page: str) -> Message:
    """A page, as proxies and hosting companies answer."""
    return Message(b"HTTP/1.1 %d Made-Up" % status, ((b"content-type", b"text/html"),), page.encode())


async def read_message(reader: asyncio.StreamReader) -> Message | None:
    """The next message on a connection, or None where the peer closed between two messages."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    first_line, *lines = head[:-4].split(b"\r\n")
    fields = tuple((name, value.strip()) for name, _, value in (line.partition(b":") for line in lines))
    message = Message(first_line, fields, b"")
    if message.field("transfer-encoding"):
        raise ValueError("a peer sent chunks where it knows the length")
    length = int(message.field("content-length") or 0)
    if length > BODY_BYTES_MAX:
        raise ValueError(f"a body of {length} bytes")
    return message.with_body(await reader.readexactly(length))
