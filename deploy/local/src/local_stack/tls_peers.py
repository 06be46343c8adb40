"""TLS servers with one fault each, for tests of clients."""

import os
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID

from local_stack.certificates import Authority
from local_stack.ports import HOST

WAIT_SECONDS = 30.0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
NOT_A_TLS_RECORD = b"this is no record of TLS" * 4
HALF_TLS_RECORD = b"\x17\x03\x03\x40\x00"


@dataclass(frozen=True, slots=True)
class Issuer:
    """The authority that the client trusts, and a folder for certificates."""

    authority: Authority
    directory: Path


Behaviour = Callable[[socket.socket, Issuer], None]


@contextmanager
def peer(behave: Behaviour, issuer: Issuer) -> Iterator[int]:
    """Run a server on loopback that calls `behave` with each connection; yields its port."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.settimeout(WAIT_SECONDS)
                    with connection, suppress(OSError):
                        behave(connection, issuer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(WAIT_SECONDS)


def serving_with(pair: Callable[[Issuer], tuple[Path, Path]], answer: bytes = ANSWER) -> Behaviour:
    """A peer that uses this certificate and answers."""

    def behave(connection: socket.socket, issuer: Issuer) -> None:
        with _context(*pair(issuer)).wrap_socket(connection, server_side=True) as secured:
            _read_request(secured)
            secured.sendall(answer)
            secured.unwrap()

    return behave


def after_the_request(raw: bytes) -> Behaviour:
    """A peer that reads the request over TLS, then sends raw bytes without TLS, and closes."""

    def behave(connection: socket.socket, issuer: Issuer) -> None:
        with _context(*_good(issuer)).wrap_socket(connection, server_side=True) as secured:
            _read_request(secured)
            os.write(secured.fileno(), raw)

    return behave


def _good(issuer: Issuer) -> tuple[Path, Path]:
    return issuer.authority.issue(issuer.directory / "good")


def _plain(connection: socket.socket, _: Issuer) -> None:
    connection.recv(65_536)
    connection.sendall(ANSWER)


def _silent(connection: socket.socket, _: Issuer) -> None:
    while connection.recv(65_536):
        pass


def _closing(connection: socket.socket, _: Issuer) -> None:
    connection.recv(1)


def _cut(connection: socket.socket, issuer: Issuer) -> None:
    """Send half of the server's handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = _context(*_good(issuer)).wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(connection.recv(65_536))
    with suppress(ssl.SSLWantReadError):
        serving.do_handshake()
    said = outgoing.read()
    connection.sendall(said[: len(said) // 2])


def _outdated(connection: socket.socket, issuer: Issuer) -> None:
    context = _context(*_good(issuer))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.wrap_socket(connection, server_side=True)


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def _read_request(secured: ssl.SSLSocket) -> None:
    read = b""
    while b"\r\n\r\n" not in read and (part := secured.recv(65_536)):
        read += part


GOOD = serving_with(_good)
NEVER_CONNECTED: dict[str, Behaviour] = {
    "of another authority": serving_with(lambda issuer: Authority().issue(issuer.directory / "other")),
    "of another host": serving_with(lambda issuer: issuer.authority.issue(issuer.directory / "host", "elsewhere.test")),
    "of another address": serving_with(
        lambda issuer: issuer.authority.issue(issuer.directory / "address", "127.0.0.9")
    ),
    "expired": serving_with(lambda issuer: issuer.authority.issue(issuer.directory / "old", valid_days=(-9, -2))),
    "not yet valid": serving_with(lambda issuer: issuer.authority.issue(issuer.directory / "new", valid_days=(2, 9))),
    "self-signed": serving_with(lambda issuer: issuer.authority.issue(issuer.directory / "self", self_signed=True)),
    "of a client": serving_with(
        lambda issuer: issuer.authority.issue(issuer.directory / "use", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    ),
    "plain HTTP": _plain,
    "silent": _silent,
    "closed in the handshake": _closing,
    "cut in the handshake": _cut,
    "TLS 1.1": _outdated,
}
"""Peers whose handshake fails, so that no request is sent."""
UNKNOWN: dict[str, Behaviour] = {
    "closed": after_the_request(b""),
    "no record": after_the_request(NOT_A_TLS_RECORD),
    "half a record": after_the_request(HALF_TLS_RECORD),
    "an alert": after_the_request(b"\x15\x03\x03\x00\x02\x02\x28"),
    "half an answer": serving_with(_good, answer=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"),
}
"""Peers that may have read the request but send no complete answer."""
