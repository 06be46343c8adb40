"""TLS of the public listener, over real sockets: who is served, and no peer keeps a connection slot for ever."""

import inspect
import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import uvloop.loop

from local_stack.certificates import Authority
from shared_service.http.dispatch import OpsListener
from shared_service.listener.connection_caps import ConnectionCaps, ListenerCaps
from shared_service.tls.certificates import Certificate
from shared_service.tls.contexts import client_context
from shared_service.tls.handshakes import Tls
from shared_service_testing.echoing import Echo, Wire, serving
from shared_service_testing.waiting import wait_until

ASK = b"GET /p HTTP/1.1\r\nhost: x\r\n\r\n"
SLOTS = 4
HELLO_BEGINS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
NO_PORT = 0
V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Echo, ssl.SSLContext]]:
    """A server with a certificate and few connection slots, and a client's context that trusts its authority."""
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority()
    with serving_tls(authority, directory) as echo:
        yield echo, client_context(authority.write(directory / "ca.pem"))


@contextmanager
def serving_tls(authority: Authority, directory: Path) -> Iterator[Echo]:
    certificate = Certificate(*authority.issue(directory), observe=lambda _: None)
    caps = ListenerCaps(ConnectionCaps(connections_max=100, per_address_max=SLOTS))
    with serving(connection_caps=caps, tls=Tls(certificate, OpsListener(NO_PORT))) as echo:
        yield echo


@contextmanager
def secured(echo: Echo, context: ssl.SSLContext, name: str = "localhost") -> Iterator[Wire]:
    with echo.connected() as wire, context.wrap_socket(wire.raw, server_hostname=name) as raw:
        yield Wire(raw)


def client_of(versions: tuple[ssl.TLSVersion, ssl.TLSVersion], ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
    """The context of a client that verifies nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = versions
    context.set_ciphers(ciphers)
    return context


def until_empty(echo: Echo) -> None:
    wait_until(lambda: echo.is_empty, "no connection is left")


def all_slots_are_free(echo: Echo, context: ssl.SSLContext) -> bool:
    until_empty(echo)
    with ExitStack() as wires:
        for _ in range(SLOTS):
            assert wires.enter_context(secured(echo, context)).send(ASK).answer().status == 200
    until_empty(echo)
    return True


Trusting = tuple[Echo, ssl.SSLContext]


@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_a_request_is_answered(trusting: Trusting, version: ssl.TLSVersion) -> None:
    echo, _ = trusting
    context = client_of((version, version))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with secured(echo, context) as wire:
        for _ in range(2):
            assert wire.send(ASK).answer().status == 200
        assert isinstance(wire.raw, ssl.SSLSocket)
        assert wire.raw.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "elsewhere.test", ""])
def test_whatever_host_is_asked_for_the_one_certificate_is_shown(trusting: Trusting, name: str) -> None:
    echo, _ = trusting
    with secured(echo, client_of((V1_2, V1_3)), name or "x") as wire:
        assert wire.send(ASK).answer().status == 200


@pytest.mark.parametrize(
    "context",
    [
        client_of((ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1)),
        client_of((ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)),
        client_of((V1_2, V1_2), "AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0"),
        client_of((V1_2, V1_2), "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"),
        client_of((V1_2, V1_2), "aNULL:@SECLEVEL=0"),
    ],
    ids=["TLS 1.1", "TLS 1.0", "no forward secrecy", "no authenticated encryption", "no certificate"],
)
def test_what_is_too_weak_is_refused(trusting: Trusting, context: ssl.SSLContext) -> None:
    echo, believing = trusting
    with pytest.raises((ssl.SSLError, ConnectionError)), secured(echo, context):
        pass
    assert all_slots_are_free(echo, believing)


@pytest.mark.parametrize(
    "said",
    [ASK, b"", HELLO_BEGINS, b"\x16\x03\x01", b"\x00" * 1000, b"\x15\x03\x03\x00\x02\x02\x28"],
    ids=["plain HTTP", "nothing", "half a hello", "a record's head", "zeros", "an alert"],
)
def test_who_does_not_shake_hands_is_closed_and_reaches_nothing(trusting: Trusting, said: bytes) -> None:
    echo, context = trusting
    until_empty(echo)
    asked = len(echo.asked)
    with ExitStack() as wires:
        opened = [wires.enter_context(echo.connected()) for _ in range(SLOTS)]
        for wire in opened:
            wire.send(said)
        for wire in opened:
            # An alert of TLS, or nothing: never an answer in HTTP.
            assert not read_to_the_end(wire.raw).startswith(b"HTTP")
    assert len(echo.asked) == asked
    assert all_slots_are_free(echo, context)


def read_to_the_end(raw: socket.socket) -> bytes:
    read = b""
    try:
        while part := raw.recv(65_536):
            read += part
    except ConnectionError:
        return read
    return read


def test_a_connection_counts_before_its_handshake(trusting: Trusting) -> None:
    echo, context = trusting
    until_empty(echo)
    with ExitStack() as wires:
        for _ in range(SLOTS):
            wires.enter_context(echo.connected())
        while echo._connections() < SLOTS:
            threading.Event().wait(0.01)
        with pytest.raises((ssl.SSLError, ConnectionError)), secured(echo, context):
            pass
    assert all_slots_are_free(echo, context)


def test_connections_that_are_cut_at_any_byte_of_their_handshake_leave_no_trace(trusting: Trusting) -> None:
    echo, context = trusting
    for sent in (1, 5, 100, 200, 1000):
        for _ in range(SLOTS * 3):
            with echo.connected() as wire:
                calling, out = hello_of(context)
                with pytest.raises(ssl.SSLWantReadError):
                    calling.do_handshake()
                wire.send(out.read()[:sent])
                if sent == 1000:
                    wire.raw.recv(1)
                wire.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close: a reset
            until_empty(echo)
    assert all_slots_are_free(echo, context)


def hello_of(context: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.MemoryBIO]:
    out = ssl.MemoryBIO()
    return context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost"), out


def test_a_request_in_the_same_packet_as_the_end_of_the_handshake_is_answered(trusting: Trusting) -> None:
    echo, context = trusting
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with echo.connected() as wire:
        while True:
            try:
                calling.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.send(outgoing.read())
                incoming.write(wire.raw.recv(65_536))
        calling.write(ASK)
        wire.send(outgoing.read())
        read = b""
        while b'"target"' not in read:
            try:
                read += calling.read()
            except ssl.SSLWantReadError:
                incoming.write(wire.raw.recv(65_536))
    assert read.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("said", [b"", b"GET /p HTT", b"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"])
def test_after_the_handshake_a_silent_peer_is_closed_as_without_tls(trusting: Trusting, said: bytes) -> None:
    echo, context = trusting
    with secured(echo, context) as wire:
        wire.send(said)
        assert wire.answers_to_the_end() == []
    assert all_slots_are_free(echo, context)


def test_a_malformed_request_is_answered_and_the_connection_closed(trusting: Trusting) -> None:
    echo, context = trusting
    with secured(echo, context) as wire:
        wire.send(b"GET /p HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n")
        assert [answer.status for answer in wire.answers_to_the_end()] == [400]


def test_the_server_stops_while_a_handshake_and_a_connection_are_open(tmp_path: Path) -> None:
    authority = Authority()
    with ExitStack() as wires:
        with serving_tls(authority, tmp_path) as echo:
            context = client_context(authority.write(tmp_path / "ca.pem"))
            silent = wires.enter_context(echo.connected())
            idle = wires.enter_context(secured(echo, context))
            assert idle.send(ASK).answer().status == 200
        assert read_to_the_end(silent.raw) == b""


def test_the_class_for_a_connection_with_tls_is_used_as_its_own_server_uses_it() -> None:
    source = Path(inspect.getfile(uvloop.loop)).parent / "handles" / "streamserver.pyx"
    used = " ".join(source.read_text().partition("ssl_protocol = ")[2].partition(")\n")[0].split())
    assert used == (
        "SSLProtocol( self._loop, protocol, self.ssl, waiter, server_side=True, server_hostname=None, "
        "ssl_handshake_timeout=self.ssl_handshake_timeout, ssl_shutdown_timeout=self.ssl_shutdown_timeout"
    )
