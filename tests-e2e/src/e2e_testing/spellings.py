"""Generates spellings of the request for a route, the right one and thousands of others.

    for asked in spellings("/items", ["POST"]): ...

A spelling is what goes on the wire: method, target and version, as bytes. Every byte is tried in front of a path,
within it and behind it, plain and encoded; then letter cases, slashes, dots, forms of a target, versions and methods.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

VERSIONS = (b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3", b"http/1.1", b"HTTP/1.1 x", b"")
METHODS = (
    b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PROPFIND", b"QUERY",
    b"post", b"Post", b"POSTS", b"POS", b"PRI", b"M-SEARCH", b"\x00POST", b"POST\x00", b" POST", b"",
)  # fmt: skip
BEFORE = (
    b"/",
    b"/.",
    b"/..",
    b"//",
    b"/%2e",
    b"/%2E%2E",
    b"/;",
    b"/x/..",
    b"/%2f",
    b".",
    b"\\",
    b"/\\",
    b"http:",
    b"*",
)
BEHIND = (
    b"/", b"//", b"/.", b"/..", b"/%2e", b";", b";a=b", b"#", b"#x", b"%23", b"%3f", b"%3Fa=b", b"%00", b"%0a",
    b"%0d%0a", b"%20", b"%09", b"/x", b".json", b"%", b"%2", b"%zz", b"%25", b"/..;/", b"\\", b"%5c", b"%c0%af",
)  # fmt: skip
FORMS = (b"http://x%s", b"https://x%s", b"http://x:80%s", b"HTTP://x%s", b"//x%s", b"x%s", b"http:/%s", b"file://%s")


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way of asking. `is_exact`: it is the route's own path and one of its methods, in HTTP/1.0 or 1.1."""

    method: bytes
    target: bytes
    version: bytes
    is_exact: bool

    @property
    def request_line(self) -> bytes:
        """As it goes on the wire."""
        return b" ".join((self.method, self.target, self.version)) + b"\r\n"


def spellings(path: str, methods: Iterable[str]) -> Iterator[Spelling]:
    """Every spelling of a route: several thousands."""
    own = [method.encode() for method in methods]
    exact = path.encode()

    def asked(target: bytes, *, method: bytes = own[0], version: bytes = b"HTTP/1.1") -> Spelling:
        plain, _, _ = target.partition(b"?")
        right_version = version in (b"HTTP/1.1", b"HTTP/1.0")
        return Spelling(method, target, version, plain == exact and method in own and right_version)

    for target in _targets(exact):
        yield asked(target)
    for version in VERSIONS:
        yield asked(exact, version=version)
    for method in METHODS:
        yield asked(exact, method=method)
    for query in (b"?", b"?a=b", b"??", b"?%00", b"?\x80", b"?a#b", b"?" + b"x" * 5_000):
        yield asked(exact + query)


def _targets(exact: bytes) -> Iterator[bytes]:
    for at in range(len(exact) + 1):
        for byte in range(256):
            for written in (bytes([byte]), b"%%%02x" % byte, b"%%%02X" % byte):
                yield exact[:at] + written + exact[at:]
    for at, byte in enumerate(exact):
        for written in (b"%%%02x" % byte, b"%%%02X" % byte, b"%%25%02x" % byte, bytes([byte]).swapcase(), b""):
            if written != bytes([byte]):
                yield exact[:at] + written + exact[at + 1 :]
    for before in BEFORE:
        yield before + exact
    for behind in BEHIND:
        yield exact + behind
    for form in FORMS:
        yield form % exact
    yield exact.upper()
    yield exact.replace(b"/", b"//")
    yield exact.replace(b"/", b"%2F")
    yield exact.replace(b"/", b"\\")
    yield b"*"
    yield b"%s/../%s" % (exact, exact.rsplit(b"/", 1)[1])
