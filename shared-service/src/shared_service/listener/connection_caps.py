"""How many connections a process holds on each listener, how much memory their requests take, and their open files."""

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

from shared_service.http.routing import OpsListener
from shared_service.run.bounded_log import BoundedLog
from shared_service.settings.values import Network

log = BoundedLog(structlog.get_logger())

CONNECTIONS_MAX: Final = 4_096
PER_ADDRESS_MAX: Final = 1_024
OPS_CONNECTIONS_MAX: Final = 64
OPS_PER_ADDRESS_MAX: Final = 32
IPV6_SITE_BITS: Final = 64
"""One subscriber has at least so large a network, and every address in it."""
HELD_BYTES_MAX: Final = 64 << 20
"""Memory for requests that are not answered yet, of all connections of a listener together."""
HEADER_BYTES: Final = 200
REQUEST_BYTES: Final = 4_096
"""About what a header and a request take in memory, besides the bytes that were sent."""
OTHER_FILES: Final = 256
"""Open files besides the connections of peers: operations, the database, calls to other services, logs, libraries."""


class TooFewFiles(ValueError):  # noqa: N818 - it is shown as a sentence
    """The system lets this process open too few files for its connections."""


class ConnectionCaps:
    """Counts connections. Those of the networks in `exempt` have no bound of their own address.

    With such networks, a quarter of all connections is kept for them: strangers cannot lock them out.
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
        self._strangers_max = connections_max - (connections_max // 4 if self._exempt else 0)
        self._open = 0
        self._strangers: dict[str, int] = {}
        self._strangers_open = 0
        self.held_bytes = 0
        self.fair_share_bytes = HELD_BYTES_MAX // connections_max
        self._site = functools.lru_cache(connections_max)(self._site_of)

    def enter(self, address: str | None) -> str | None:
        """Count a connection and return None, or return which bound refuses it. None is a peer without an address."""
        site = self._site(address)
        if self._open >= self._connections_max:
            return "connections"
        if site is not None:
            if self._strangers_open >= self._strangers_max:
                return "connections"
            if self._strangers.get(site, 0) >= self._per_address_max:
                return "connections of an address"
            self._strangers[site] = self._strangers.get(site, 0) + 1
            self._strangers_open += 1
        self._open += 1
        return None

    def leave(self, address: str | None) -> None:
        """Forget a connection that had entered."""
        self._open -= 1
        site = self._site(address)
        if site is not None:
            self._strangers_open -= 1
            self._strangers[site] -= 1
            if not self._strangers[site]:
                del self._strangers[site]

    def _site_of(self, address: str | None) -> str | None:
        """What counts as one address: an IPv4 address, or the network of an IPv6 one. None: there is no bound."""
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
    """The caps of both listeners: neither takes connections of the other one's."""

    def __init__(self, public: ConnectionCaps, *, ops: OpsListener | None = None) -> None:
        self._public = public
        self._listener = ops
        self._ops = ConnectionCaps(connections_max=OPS_CONNECTIONS_MAX, per_address_max=OPS_PER_ADDRESS_MAX)

    def of(self, transport: asyncio.Transport) -> ConnectionCaps:
        """The caps of the listener that a connection came through."""
        is_ops = self._listener is not None and self._listener.is_at(get_local_addr(transport))
        return self._ops if is_ops else self._public


@dataclass(slots=True)
class Place:
    """One connection's place among those that count."""

    caps: ConnectionCaps | None
    peer: str | None
    held_bytes: int = 0

    def hold(self, size_bytes: int) -> bool:
        """Count memory that this connection's requests take. False: the connection must end.

        Only when all connections together hold too much, and then those that hold more than their fair share.
        """
        caps = self.caps
        if caps is None:
            return True
        self.held_bytes += size_bytes
        caps.held_bytes += size_bytes
        return caps.held_bytes <= HELD_BYTES_MAX or self.held_bytes <= caps.fair_share_bytes

    def hold_request(self, headers: int) -> None:
        """Count what a request with so many headers takes besides the bytes that were sent."""
        self.hold(REQUEST_BYTES + HEADER_BYTES * headers)

    def settle(self, left_bytes: int) -> None:
        """All requests of this connection are answered: it holds only what came of the next one."""
        if self.caps is not None:
            self.caps.held_bytes += left_bytes - self.held_bytes
            self.held_bytes = left_bytes

    def leave(self) -> None:
        """Count it no more. Safe to repeat."""
        if self.caps is not None:
            self.settle(0)
            self.caps.leave(self.peer)
            self.caps = None


def take_place(listeners: ListenerCaps | None, transport: asyncio.Transport, peer: str | None) -> Place | None:
    """A place for a new connection; None: there was none, and the connection is closed. Without caps there is one."""
    caps = listeners.of(transport) if listeners is not None else None
    bound = caps.enter(peer) if caps is not None else None
    if bound is None:
        return Place(caps, peer)
    log.warning("connection_refused", code=bound, peer=peer)
    transport.abort()
    return None


def hold_open_files(connections_max: int) -> None:
    """Raise this process's limit of open files so far that the connections fit.

    Raises TooFewFiles with a sentence for the operator when the system does not allow that.
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
