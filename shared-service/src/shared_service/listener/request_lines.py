"""Finds the first line of each request in what was read, because the parser does not show it.

The parser takes `GET /p RTSP/1.1` and `ICE/1.0` for HTTP, several spaces for one, and skips line feeds in front.
"""

from __future__ import annotations

from typing import Final

END_OF_HEAD: Final = b"\r\n\r\n"
LINE_ENDS: Final = {"1.0": b" HTTP/1.0\r\n", "1.1": b" HTTP/1.1\r\n"}


class RequestLines:
    """Follows one connection. It copies bytes only when a head comes in more than one read."""

    __slots__ = ("_from", "_is_exact", "_kept", "_read")

    def __init__(self) -> None:
        self._read = b""
        self._from = 0
        """The next request begins here in `_read`, or later after chunks: no callback tells their overhead."""
        self._is_exact = True
        self._kept = bytearray()
        """What earlier reads brought of a head that is not whole."""

    def begin_read(self, data: bytes) -> None:
        """The parser is given `data`."""
        self._read, self._from = data, 0

    def is_sent(self, method: bytes, target: bytes, version: str) -> bool:
        """Whether the head that is whole now began with exactly this line. Only empty lines may stand in front."""
        version_at = self._from + len(method) + len(target) + 1
        if self._is_exact and not self._kept and self._read.startswith(LINE_ENDS[version], version_at):
            # Neither names of methods nor targets have spaces: nothing else can be in front.
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
        """A part of a body was read."""
        self._from += size_bytes

    def pass_chunk(self) -> None:
        """A chunk was begun."""
        self._is_exact = False

    def end_read(self, *, is_in_body: bool, has_begun: bool) -> int:
        """The parser has taken all. Returns how many bytes are kept of a head that is not whole (`has_begun`)."""
        left = b""
        if not is_in_body:
            if has_begun or self._is_exact:
                left = self._read[self._from :]
                self._kept += left
            else:
                self._is_exact = True
        self._read = b""
        return len(left)
