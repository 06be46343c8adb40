"""A client's address: the peer of its connection, or the one that a trusted proxy forwards.

Forwarded headers of any other peer are ignored.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.types import Scope

from shared_service.settings.values import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORWARDED_FOR: Final = b"x-forwarded-for"
HOPS_MAX: Final = 32
"""Entries of a forwarded header that are read, from the right. No deployment has that many proxies."""


def client_address(scope: Scope, trusted_proxies: Sequence[Network]) -> Address | None:
    """Returns the nearest address that is not a trusted proxy, or None when the server does not know its peer.

    Reads X-Forwarded-For from the right, and only entries that trusted proxies added: a client can send the others. If
    an entry is not an address, returns the proxy that added it.
    """
    peer = scope.get("client")
    address = _parse(peer[0]) if peer else None
    if address is None or not trusted_proxies:
        return address
    for entry in _forwarded(scope):
        if not _is_among(address, trusted_proxies):
            break
        before = _parse(entry)
        if before is None:
            break
        address = before
    return address


def _forwarded(scope: Scope) -> list[str]:
    """The entries of every X-Forwarded-For header, the nearest hop first."""
    values = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
    return b",".join(values).decode("latin-1").rsplit(",", HOPS_MAX)[::-1][:HOPS_MAX] if values else []


def _is_among(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    """Parses an address, with or without a port. An IPv4-mapped IPv6 address becomes an IPv4 address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without the zone: no database takes one
    return address
