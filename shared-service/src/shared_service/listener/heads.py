"""Checks request heads that the parser accepts but that are malformed, and renders heads and answers as bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Final

from starlette.types import Scope

Header = tuple[bytes, bytes]
Answer = tuple[int, list[Header], bytes]
"""Status, headers and body."""
EarlyAnswer = Callable[[Scope], Answer | None]
"""Returns the answer to a request from its head alone, or None to call the application."""
EARLY_ANSWER: Final = "early_answer"
"""The key of an application's `EarlyAnswer` in the state of the lifespan."""
STATUS_LINES: Final = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}

MALFORMED: Final = "malformed_request"
SENTENCE: Final = "This is not a well-formed HTTP/1.1 request"
"""Also a row of each error table, although this answer is sent before any application is called."""
_BODY: Final = b'{"error":"%s","code":"%s","requestId":"%%s"}' % (SENTENCE.encode(), MALFORMED.encode())
NO_TRAILERS: Final = frozenset({b"connection", b"proxy-connection"})
"""In a trailer these are refused: the parser obeys them there too, and would stop reading the connection."""
VERSIONS: Final = frozenset({"1.0", "1.1"})
HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[\w.~!$&'()*+,;=%-]*)(?::(?P<port>[0-9]*))?")
"""An address or a name, with or without a port. RFC 9112 allows an empty value."""
PORT_MAX: Final = 65_535
OTHER_PROTOCOLS: Final = (
    (b"PRI * HTTP/2", "an HTTP/2 client: this service speaks HTTP/1.1"),
    (b"\x16", "a TLS client on a listener without TLS"),
)
"""The first bytes of a connection, and what they mean."""
ORIGIN_FORM: Final = re.compile(rb"/[!-\"$-~]*")
"""A path with its query, in printable ASCII and without a fragment."""


def fault_of_head(*, version: str, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Returns why the head is refused, or None. The reason contains nothing of the request.

    The names of the headers are in lower case. The parser has checked the rest: tokens, line ends, lengths.
    """
    if version not in VERSIONS:
        return "HTTP version"
    if method == b"CONNECT" or ORIGIN_FORM.fullmatch(target) is None:
        return "request target"
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if not _is_host(value):
                return "Host"
        elif name == b"transfer-encoding" and (value.strip().lower() != b"chunked" or version == "1.0"):
            return "transfer coding"
    if hosts != 1 and (hosts or version == "1.1"):
        return "Host"
    return None


def _is_host(value: bytes) -> bool:
    found = HOST.fullmatch(value)
    if found is None:
        return False
    port = (found["port"] or b"").lstrip(b"0") or b"0"
    return len(port) <= len(str(PORT_MAX)) and int(port) <= PORT_MAX


def malformed_answer(request_id: str) -> Answer:
    """The 400 answer to a malformed request. The connection is closed after it."""
    own_id = request_id.encode()
    headers = [(b"content-type", b"application/json"), (b"x-request-id", own_id), (b"connection", b"close")]
    return 400, headers, _BODY % own_id


class Malformed(Exception):  # noqa: N818 - an event, not a defect
    """A callback raises it to stop the parser. The text contains nothing of the request."""


def reason_of(error: Exception) -> str:
    """Returns why the parser stopped: its own message, or the exception of a callback."""
    cause = error.__context__
    if cause is None or isinstance(cause, Malformed):
        return str(cause or error)
    return type(cause).__name__  # a defect in a callback


def hint_of(first: bytes) -> str | None:
    """Returns which other protocol the first bytes of a connection belong to, or None."""
    return next((hint for start, hint in OTHER_PROTOCOLS if first.startswith(start)), None)


def bytes_of_answer(answer: Answer, more_headers: Iterable[Header], *, to_head: bool = False) -> bytes:
    """Renders a whole answer with its content-length. The answer to HEAD has no body."""
    status, headers, body = answer
    head = [b"%s: %s\r\n" % header for header in (*more_headers, *headers)]
    sent = b"" if to_head else body
    return b"%s%scontent-length: %d\r\n\r\n%s" % (STATUS_LINES[status], b"".join(head), len(body), sent)


def head_without_offer(method: bytes, target: bytes, version: str, headers: Sequence[Header]) -> bytes:
    """Renders a request head without its offer to upgrade."""
    lines = [b"%s %s HTTP/%s" % (method, target, version.encode())]
    lines += [b"%s: %s" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])


def size_of_head(target: bytes, headers: Sequence[Header]) -> int:
    """Returns the approximate size of a head in bytes, without the white space that the parser removed."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)
