"""Heads of HTTP/1.1 as bytes, and which heads of requests are refused although the parser takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

Header = tuple[bytes, bytes]
Answer = tuple[int, list[Header], bytes]
"""Status, headers and body."""
STATUS_LINES: Final = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}

MALFORMED: Final = "malformed_request"
SENTENCE: Final = "This is not a well-formed HTTP/1.1 request"
"""For the error tables too: this answer is given before any application is called."""
_BODY: Final = b'{"error":"%s","code":"%s","requestId":"%%s"}' % (SENTENCE.encode(), MALFORMED.encode())
NO_TRAILERS: Final = frozenset({b"connection", b"proxy-connection"})
"""The parser heeds them in a trailer, too, and would read nothing more of the connection."""
VERSIONS: Final = frozenset({"1.0", "1.1"})
HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[\w.~!$&'()*+,;=%-]*)(?::[0-9]*)?")
"""An address or a name, with a port or without; RFC 9112 allows an empty one."""
ORIGIN_FORM: Final = re.compile(rb"/[!-\"$-~]*")
"""A path with its query, in printable ASCII without a fragment: the form that every client sends to a server."""


def fault_of_head(*, version: str, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Why the head is refused, in words that hold nothing of the request; None when nothing is wrong with it.

    The names of the headers are in lower case. The parser has looked at the rest: tokens, line ends, lengths.
    """
    if version not in VERSIONS:
        return "HTTP version"
    if method == b"CONNECT" or ORIGIN_FORM.fullmatch(target) is None:
        return "request target"
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if HOST.fullmatch(value) is None:
                return "Host"
        elif name == b"transfer-encoding" and (value.strip().lower() != b"chunked" or version == "1.0"):
            return "transfer coding"
    if hosts != 1 and (hosts or version == "1.1"):
        return "Host"
    return None


def malformed_answer(request_id: str) -> Answer:
    """The answer, for a connection that is closed after it."""
    own_id = request_id.encode()
    headers = [(b"content-type", b"application/json"), (b"x-request-id", own_id), (b"connection", b"close")]
    return 400, headers, _BODY % own_id


class Malformed(Exception):  # noqa: N818 - an event, not a defect
    """Stops the parser. Its text holds nothing of the request."""


def reason_of(error: Exception) -> str:
    """Why the parser stopped: what it says itself, or the exception that a callback raised."""
    cause = error.__context__
    if cause is None or isinstance(cause, Malformed):
        return str(cause or error)
    return type(cause).__name__  # a defect of ours: its name is what there is to find it by


def bytes_of_answer(answer: Answer, more_headers: Iterable[Header], *, to_head: bool = False) -> bytes:
    """A whole answer with its length; to HEAD, without its body."""
    status, headers, body = answer
    head = [b"%s: %s\r\n" % header for header in (*more_headers, *headers)]
    sent = b"" if to_head else body
    return b"%s%scontent-length: %d\r\n\r\n%s" % (STATUS_LINES[status], b"".join(head), len(body), sent)


def head_without_offer(method: bytes, target: bytes, version: str, headers: Sequence[Header]) -> bytes:
    """The head of a request as it would be without an offer to upgrade."""
    lines = [b"%s %s HTTP/%s" % (method, target, version.encode())]
    lines += [b"%s: %s" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])


def size_of_head(target: bytes, headers: Sequence[Header]) -> int:
    """About how many bytes a head was, without white space that the parser dropped."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)
