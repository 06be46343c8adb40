"""Bounds the connections of a process on each listener, the memory of their requests, and their open files."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from uvicorn.protocols.utils import get_local_addr

from shared_service.http.dispatch import OpsListener
from shared_service.run.bounded_log import BoundedLog
from shared_service.settings.values import Network

log = BoundedLog(structlog.get_logger())

CONNECTION_CAPS: Final = "connection_caps"
"""The key of an application's `ListenerCaps` in the state of the lifespan."""
CONNECTIONS_MAX: Final = 4_096
PER_ADDRESS_MAX: Final = 1_024
OPS_CONNECTIONS_MAX: Final = 64
OPS_PER_ADDRESS_MAX: Final = 32
IPV6_SITE_BITS: Final = 64
"""An internet subscriber usually has a whole network of this size, so it counts as one address."""
HELD_BYTES_MAX: Final = 64 << 20
"""Memory for unanswered requests, of all connections of a listener together."""
HEADER_BYTES: Final = 200
REQUEST_BYTES: Final = 4_096
"""The approximate memory of a header and of a request, besides the received bytes."""
OTHER_FILES: Final = 256
"""Open files for other uses: operations, the database, calls to other services, logs, libraries."""


class TooFewFiles(ValueError):  # noqa: N818 - its text is shown to an operator
    """The system lets this process open too few files for its connections."""


class ConnectionCaps:
    """Counts connections, in all and for each address. The networks in `exempt` have no bound for an address.

    If `exempt` has networks, a quarter of all connections is reserved for them: other peers cannot take those.
    """

    def __init__(
        self,
        *,
        connections_max: int = CONNECTIONS_MAX,
        per_address_max: int = PER_ADDRESS_MAX,
        exempt: Iterable[Network] = (),
    ) -> None:
        self._connections_max = connections_max
        self._per_address_max = per_address_max
        self._exempt = tuple(exempt)
        self._limited_max = connections_max - (connections_max // 4 if self._exempt else 0)
        self._open = 0
        self._limited: dict[str, int] = {}
        self._limited_open = 0
        self.held_bytes = 0
        self.fair_share_bytes = HELD_BYTES_MAX // connections_max
        self._site = functools.lru_cache(connections_max)(self._site_of)

    def enter(self, address: str | None) -> str | None:
        """Count a connection and return None, or return the name of the bound that refuses it.

        `address` is None for a peer without an address.
        """
        site = self._site(address)
        if self._open >= self._connections_max:
            return "connections"
        if site is not None:
            if self._limited_open >= self._limited_max:
                return "connections"
            if self._limited.get(site, 0) >= self._per_address_max:
                return "connections of an address"
            self._limited[site] = self._limited.get(site, 0) + 1
            self._limited_open += 1
        self._open += 1
        return None

    def leave(self, address: str | None) -> None:
        """Stop counting a connection that `enter` counted."""
        self._open -= 1
        site = self._site(address)
        if site is not None:
            self._limited_open -= 1
            self._limited[site] -= 1
            if not self._limited[site]:
                del self._limited[site]

    def _site_of(self, address: str | None) -> str | None:
        """Returns what counts as one address: an IPv4 address, or the network of an IPv6 address. None: no bound."""
        if address is None:
            return None
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address):
            parsed = parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed))  # without the zone
        if any(parsed in network for network in self._exempt):
            return None
        if isinstance(parsed, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((parsed, IPV6_SITE_BITS), strict=False))
        return str(parsed)


class ListenerCaps:
    """The caps of both listeners, counted separately."""

    def __init__(self, public: ConnectionCaps, *, ops: OpsListener | None = None) -> None:
        self._public = public
        self._listener = ops
        self._ops = ConnectionCaps(connections_max=OPS_CONNECTIONS_MAX, per_address_max=OPS_PER_ADDRESS_MAX)

    def of(self, transport: asyncio.Transport) -> ConnectionCaps:
        """Returns the caps of the listener that accepted this connection."""
        is_ops = self._listener is not None and self._listener.is_at(get_local_addr(transport))
        return self._ops if is_ops else self._public


@dataclass(slots=True)
class ConnectionSlot:
    """One counted connection and the memory of its requests. Without caps it counts nothing."""

    caps: ConnectionCaps | None
    peer: str | None
    held_bytes: int = 0

    def hold(self, size_bytes: int) -> bool:
        """Count memory of this connection's requests. Returns False when the connection must be closed.

        That is so when all connections together hold too much and this one holds more than its fair share.
        """
        caps = self.caps
        if caps is None:
            return True
        self.held_bytes += size_bytes
        caps.held_bytes += size_bytes
        return caps.held_bytes <= HELD_BYTES_MAX or self.held_bytes <= caps.fair_share_bytes

    def hold_request(self, headers: int) -> None:
        """Count the memory of a request with this number of headers, besides its received bytes."""
        self.hold(REQUEST_BYTES + HEADER_BYTES * headers)

    def settle(self, left_bytes: int) -> None:
        """All requests of this connection are answered. Only `left_bytes` of the next request are still held."""
        if self.caps is not None:
            self.caps.held_bytes += left_bytes - self.held_bytes
            self.held_bytes = left_bytes

    def leave(self) -> None:
        """Stop counting this connection. May be called again."""
        if self.caps is not None:
            self.settle(0)
            self.caps.leave(self.peer)
            self.caps = None


def take_slot(listeners: ListenerCaps | None, transport: asyncio.Transport, peer: str | None) -> ConnectionSlot | None:
    """Count a new connection. Returns None when a bound refuses it; the connection is then closed."""
    caps = listeners.of(transport) if listeners is not None else None
    bound = caps.enter(peer) if caps is not None else None
    if bound is None:
        return ConnectionSlot(caps, peer)
    log.warning("connection_refused", code=bound, peer=peer)
    transport.abort()
    return None


def raise_file_limit(connections_max: int) -> None:
    """Raise this process's limit of open files to what the connections need.

    Raises TooFewFiles, with a text for the operator, when the system does not allow it.
    """
    needed = connections_max + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError):
        raise TooFewFiles(
            f"{connections_max} connections need {needed} open files, and the system allows {hard}: "
            f"allow more (ulimit -Hn), or fewer connections"
        ) from None
