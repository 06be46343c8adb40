"""The settings of a service's two listeners: the public one and the one for operations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared_service.listener.connection_caps import CONNECTIONS_MAX, PER_ADDRESS_MAX
from shared_service.settings.reader import Reader
from shared_service.settings.values import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """The listeners' settings. See README.md for the variables."""

    host: str = "127.0.0.1"
    port: int
    ops_host: str = "127.0.0.1"
    ops_port: int
    """The port of metrics and health; 0 means any free port."""
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    socket_seconds: int = 10
    """How long a connection waits for its peer: for a head, for a body, and for the peer to read the answer."""
    connections_max: int = CONNECTIONS_MAX
    connections_per_address: int = PER_ADDRESS_MAX
    peer_networks: tuple[Network, ...] = ()
    """The networks of known peers. They may have more than `connections_per_address`."""


def read_listeners(reader: Reader, prefix: str, *, default: ListenerSettings) -> ListenerSettings:
    """Read the variables that begin with `prefix`. An unset one has its value in `default`."""
    tls_cert_file, tls_key_file = reader.certificate(f"{prefix}_TLS_CERT_FILE", f"{prefix}_TLS_KEY_FILE")
    settings = ListenerSettings(
        host=reader.host(f"{prefix}_HOST", default.host),
        port=reader.port(f"{prefix}_PORT", default.port),
        ops_host=reader.host(f"{prefix}_OPS_HOST", default.ops_host),
        ops_port=reader.port(f"{prefix}_OPS_PORT", default.ops_port),
        tls_cert_file=tls_cert_file,
        tls_key_file=tls_key_file,
        socket_seconds=reader.whole(f"{prefix}_SOCKET_SECONDS", default=default.socket_seconds, least=1, most=300),
        connections_max=reader.whole(
            f"{prefix}_CONNECTIONS_MAX", default=default.connections_max, least=16, most=1_000_000
        ),
        connections_per_address=reader.whole(
            f"{prefix}_CONNECTIONS_PER_ADDRESS", default=default.connections_per_address, least=1, most=1_000_000
        ),
        peer_networks=reader.networks(f"{prefix}_PEER_NETWORKS"),
    )
    public, ops = (settings.host, settings.port), (settings.ops_host, settings.ops_port)
    reader.refuse_same_address(f"{prefix}_PORT", f"{prefix}_OPS_PORT", public, ops)
    return settings
