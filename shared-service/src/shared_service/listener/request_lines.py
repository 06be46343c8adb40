"""Finds the first line of each request in the received bytes, because the parser does not show it.

The parser accepts `RTSP/1.1` and `ICE/1.0` in place of `HTTP/1.1`, several spaces for one, and line feeds before the
line. With the exact line such requests can be refused.
"""

from __future__ import annotations

from typing import Final

END_OF_HEAD: Final = b"\r\n\r\n"
LINE_ENDS: Final = {"1.0": b" HTTP/1.0\r\n", "1.1": b" HTTP/1.1\r\n"}


class RequestLines:
    """Tracks the request lines of one connection. Copies bytes only when a head arrives in several reads."""

    __slots__ = ("_from", "_is_exact", "_kept", "_read")

    def __init__(self) -> None:
        self._read = b""
        self._from = 0
        """Where the next request begins in `_read`; after chunks only a lower bound, their overhead is unknown."""
        self._is_exact = True
        self._kept = bytearray()
        """The bytes of an incomplete head from earlier reads."""

    def begin_read(self, data: bytes) -> None:
        """The parser begins to read `data`."""
        self._read, self._from = data, 0

    def began_with(self, method: bytes, target: bytes, version: str) -> bool:
        """Returns whether the complete head began with exactly this line. Only empty lines may come before it."""
        version_at = self._from + len(method) + len(target) + 1
        if self._is_exact and not self._kept and self._read.startswith(LINE_ENDS[version], version_at):
            # Methods and targets have no spaces, so nothing else can be before the line.
            self._from = self._read.find(END_OF_HEAD, version_at) + len(END_OF_HEAD)
            return True
        return self._is_found(b"%b %b%b" % (method, target, LINE_ENDS[version]))

    def _is_found(self, line: bytes) -> bool:
        self._read = bytes(self._kept) + self._read
        self._kept.clear()
        line_at = self._read.find(line, self._from)
        if line_at < 0:
            return False
        in_front = self._read[self._from : line_at]
        self._from = self._read.find(END_OF_HEAD, line_at) + len(END_OF_HEAD)
        return not self._is_exact or not in_front.replace(b"\r\n", b"")

    def pass_body(self, size_bytes: int) -> None:
        """The parser has read a part of a body."""
        self._from += size_bytes

    def pass_chunk(self) -> None:
        """A chunk begins."""
        self._is_exact = False

    def end_read(self, *, is_in_body: bool, has_begun: bool) -> int:
        """The parser has read all of `data`. Returns how many bytes of an incomplete head (`has_begun`) are kept."""
        left = b""
        if not is_in_body:
            if has_begun or self._is_exact:
                left = self._read[self._from :]
            else:
                left = b"\r" if self._read.endswith(b"\r") else b""  # half of an empty line behind a body of chunks
                self._is_exact = True
        self._kept += left
        self._read = b""
        return len(left)
