"""The fingerprint of a client: a keyed hash of its network and its user agent.

A phone may change its address within its network. The key is the token, which is not stored, so a stored fingerprint
shows neither the address nor the user agent.
"""

from __future__ import annotations

import hmac
import ipaddress
from hashlib import sha256
from typing import Final

from casino.client.address import Address

IPV4_PREFIX_BITS: Final = 24
IPV6_PREFIX_BITS: Final = 64
USER_AGENT_MAX_CHARACTERS: Final = 512
_PURPOSE: Final = b"casino client fingerprint v1"


def traits_of(address: Address | None, user_agent: str | None) -> bytes:
    """Returns a client's network and its user agent, without case and white space, as bytes for `fingerprint`."""
    agent = " ".join((user_agent or "").lower().split())[:USER_AGENT_MAX_CHARACTERS]
    return f"{_network(address)}\n{agent}".encode()


def fingerprint(token: str, traits: bytes) -> bytes:
    """Returns the HMAC of the traits with a key from the token: equal only for the same token and traits."""
    key = hmac.digest(token.encode(), _PURPOSE, sha256)
    return hmac.digest(key, traits, sha256)


def _network(address: Address | None) -> str:
    if address is None:
        return "unknown"
    bits = IPV4_PREFIX_BITS if address.version == 4 else IPV6_PREFIX_BITS
    return str(ipaddress.ip_network((address.packed, bits), strict=False))
