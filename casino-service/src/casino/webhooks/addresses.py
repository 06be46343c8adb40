"""Which addresses a webhook may have: public ones over https, and the own machine over plain http in demo mode.

A URL is taken apart once, by `endpoint_of`, and never read again by another parser. `may_connect` judges the address of
every connection (casino.webhooks.sender).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

URL_MAX: Final = 2048
HOST_MAX: Final = 253
PORTS: Final = {"https": 443, "http": 80}
LOCALHOST: Final = "localhost"
_URL: Final = re.compile(
    r"(?P<scheme>https|http)://(?P<host>\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*)?"
)
"""No user, no fragment, no backslash, no character beyond ASCII: what two parsers could read in two ways is refused."""
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRIVATE_V4: Final = tuple(
    IPv4Network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # answers every virtual machine of one cloud
    )
)
"""The registry of special-purpose addresses, multicast, and what is reserved."""
_PUBLIC_V6: Final = IPv6Network("2000::/3")
"""Unicast that is assigned. All else is refused: mapped, compatible and translated IPv4, unique local, link-local."""
_PRIVATE_V6: Final = tuple(
    IPv6Network(each)
    for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)
"""Tunnels that carry an IPv4 address, documentation, special purposes."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL that was taken apart."""

    scheme: str
    host: str
    """A name in small letters, or an address without brackets."""
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def is_public(address: Address) -> bool:
    """Returns whether an address is one of the public network."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _PRIVATE_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _PRIVATE_V6)


def may_connect(scheme: str, address: Address, *, demo: bool) -> bool:
    """Returns whether a connection may be made: with https to the public network, with http to the own machine."""
    return is_public(address) if scheme == "https" else demo and address.is_loopback


def endpoint_of(url: str, *, demo: bool) -> Endpoint:
    """Takes a webhook's URL apart. Raises ValueError with what would be right."""
    found = _URL.fullmatch(url) if len(url) <= URL_MAX else None
    if found is None:
        right = "https://host[:port]/path in ASCII, the scheme in small letters, without user, password and fragment"
        raise ValueError(f"Expected {right}")
    scheme, host, port = found["scheme"], found["host"].lower(), int(found["port"] or PORTS[found["scheme"]])
    if not 1 <= port <= 65_535:
        raise ValueError("Expected a port from 1 to 65535")
    if scheme == "http" and not demo:
        raise ValueError("Expected https")
    address = _literal(host)
    if address is not None:
        if not may_connect(scheme, address, demo=demo):
            raise ValueError("Expected an address of the public network")
        host = str(address)
    else:
        _check_name(host, must_be_local=scheme == "http")
    target = found["target"] or "/"
    return Endpoint(scheme, host, port, target if target.startswith("/") else f"/{target}")


def _literal(host: str) -> Address | None:
    """Returns the address that a host is, or None for a name. Raises ValueError for a doubtful spelling of one."""
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        # A host whose last label is a number is an IPv4 address to browsers and to inet_aton, however it is spelled.
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            return IPv4Address(host)
    except AddressValueError:
        raise ValueError("Expected a host's name, or an address in its usual spelling") from None
    return None


def _check_name(host: str, *, must_be_local: bool) -> None:
    labels = host.split(".")
    if len(host) > HOST_MAX or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("Expected a host's name, an international one as xn--…")
    is_local = labels[-1] == LOCALHOST
    if is_local != must_be_local or (not is_local and len(labels) == 1):
        raise ValueError("Expected the name of a public host")


def address_of(text: str) -> Address:
    """Returns the address that a resolver gave. Raises ValueError."""
    return ip_address(text)
