"""Reads a whole ASGI request body within a bound, and sends a whole answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.types import Message, Receive, Send

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""

BODY_TOO_LARGE: Final = "body_too_large"
UNSUPPORTED_MEDIA_TYPE: Final = "unsupported_media_type"
_LENGTH_DIGITS_MAX: Final = 18


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
