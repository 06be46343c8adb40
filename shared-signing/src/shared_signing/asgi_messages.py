"""Reads the target and the bounded body of an ASGI request, buffers the messages of an answer, and sends an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.types import Message, Receive, Scope, Send

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""

BODY_TOO_LARGE: Final = "body_too_large"
UNSUPPORTED_MEDIA_TYPE: Final = "unsupported_media_type"
_LENGTH_DIGITS_MAX: Final = 18


class AnswerTooLarge(RuntimeError):  # noqa: N818 - an outcome, named as the others are
    """The application's answer is larger than its bound. A signed answer is buffered as a whole."""


class AnswerBuffer:
    """Collects the ASGI messages of one answer."""

    __slots__ = ("_bytes_max", "_held", "_is_complete", "_start")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._start: Message | None = None
        self._held: bytearray | None = None
        self._is_complete = False

    def add(self, message: Message) -> Answer | None:
        """Returns the answer after its last message, else None.

        Raises RuntimeError for a message out of order, and AnswerTooLarge.
        """
        kind = message["type"]
        if kind == "http.response.start" and self._start is None:
            self._start = message
            return None
        if kind != "http.response.body" or self._start is None or self._is_complete:
            raise RuntimeError(f"a signed answer cannot take the message {kind} now")
        part: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if len(part) + len(self._held or b"") > self._bytes_max:
            raise AnswerTooLarge(f"more than {self._bytes_max} bytes")
        if self._held is not None or more:
            self._held = self._held or bytearray()
            self._held += part
        if more:
            return None
        self._is_complete = True
        # The usual case is one piece: it is not copied.
        body = part if self._held is None else bytes(self._held)
        return self._start["status"], list(self._start.get("headers", ())), body


def refused_by_head(headers: Iterable[tuple[bytes, bytes]], bytes_max: int) -> str | None:
    """Returns the code that refuses a request by its headers: its body is too large or encoded. Else returns None."""
    length = encoding = b""
    for name, value in headers:
        if name == b"content-length":
            length = value.strip(b" \t")
        elif name == b"content-encoding":
            encoding = value if not encoding else b"several"
    # The server refuses other values. `read_body` keeps its bound whatever length was declared.
    if length.isdigit() and (len(length) > _LENGTH_DIGITS_MAX or int(length) > bytes_max):
        return BODY_TOO_LARGE
    if encoding and encoding.strip().lower() != b"identity":
        return UNSUPPORTED_MEDIA_TYPE
    return None


async def read_body(receive: Receive, bytes_max: int) -> bytes | None:
    """Returns the raw body, or None when the caller disconnects.

    Stops reading above `bytes_max`: the result is then longer than that and incomplete.
    """
    message = await receive()
    if message["type"] != "http.request":
        return None
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return first
    body = bytearray(first)
    while len(body) <= bytes_max:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def with_body(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that first returns `body`, which was read before, and then the server's further messages."""
    pending = True

    async def replay() -> Message:
        nonlocal pending
        if not pending:
            return await receive()
        pending = False
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer with its content-length."""
    status, headers, body = answer
    framed = [header for header in headers if header[0] != b"content-length"]
    framed.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": framed})
    await send({"type": "http.response.body", "body": body})


def target_of(scope: Scope) -> bytes:
    """Returns the raw path with its raw query. Raises RuntimeError if the server gives only a decoded path."""
    raw_path: bytes | None = scope.get("raw_path")
    if raw_path is None:
        raise RuntimeError("the ASGI server must provide raw_path: a decoded path cannot be verified")
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path
