"""The bytes that are signed and the grammar of the signature header.

This file owns the wire form of section 2 of the protocol: what goes into a MAC, and how the header that carries it is
read and written. It must never see a secret, a clock or a network, and reading must never raise anything but
`MalformedSignature`, whatever the bytes are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

DEFAULT_KEY_ID: Final = "main"
"""The key that a header without `k` means."""

HEADER_MAX_BYTES: Final = 512
"""Longest header value that is read at all. The longest one a signer writes has 218 bytes."""

KEY_ID_PATTERN: Final = "[0-9A-Za-z._-]{1,64}"
NONCE_PATTERN: Final = "[0-9A-Za-z_-]{16,64}"

# No leading zero: the MAC covers the number, so a second spelling of it would be a byte that may change unnoticed.
_TIMESTAMP: Final = "(?:0|[1-9][0-9]{0,11})"
_MAC: Final = "[0-9a-f]{64}"

_USUAL_ORDER: Final = re.compile(
    f"t=({_TIMESTAMP}),n=({NONCE_PATTERN})(?:,k=({KEY_ID_PATTERN}))?,v1=({_MAC})", re.ASCII
)
# Names that mean nothing yet are long, or later versions of `v1`: no single changed byte turns `k` into one of them.
_PARAMETER: Final = re.compile("([tnk]|v[0-9]{1,2}|[a-z][0-9a-z_-]{2,15})=([!-+\\--~]+)", re.ASCII)
_REQUIRED: Final = {
    name: re.compile(pattern) for name, pattern in {"t": _TIMESTAMP, "n": NONCE_PATTERN, "v1": _MAC}.items()
}
_KEY_ID: Final = re.compile(KEY_ID_PATTERN)


class MalformedSignature(ValueError):  # noqa: N818 - the word of the contract
    """The header value does not follow the grammar. Its text says which rule, and never repeats the value."""


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """One signature as it stands in a header: `timestamp` in unix seconds, `mac` as 64 lower-case hex digits."""

    timestamp: int
    nonce: str
    key_id: str
    mac: str

    @classmethod
    def parse(cls, value: bytes | str) -> SignatureHeader:
        """Read a header value.

        The parameters `t`, `n` and `v1` are required, `k` is optional; their order is free, none may occur twice, and
        parameters with other names (`v2` and the like, or 3 to 16 characters of a-z 0-9 _ -) are ignored, so that a
        later version may add some. Raises `MalformedSignature`.
        """
        if len(value) > HEADER_MAX_BYTES:
            raise MalformedSignature(f"longer than {HEADER_MAX_BYTES} bytes")
        try:
            text = value if isinstance(value, str) else value.decode("ascii")
        except UnicodeDecodeError:
            raise MalformedSignature("not ASCII") from None
        usual = _USUAL_ORDER.fullmatch(text)
        if usual is None:
            return cls._parse_any_order(text)
        timestamp, nonce, key_id, mac = usual.groups()
        return cls(int(timestamp), nonce, key_id or DEFAULT_KEY_ID, mac)

    @classmethod
    def _parse_any_order(cls, text: str) -> SignatureHeader:
        parameters: dict[str, str] = {}
        for part in text.split(","):  # at most HEADER_MAX_BYTES parts
            parameter = _PARAMETER.fullmatch(part)
            if parameter is None:
                raise MalformedSignature("a part is not name=value")
            name, content = parameter.groups()
            if name in parameters:
                raise MalformedSignature("a parameter occurs twice")
            parameters[name] = content
        for name, pattern in _REQUIRED.items():
            if pattern.fullmatch(parameters.get(name, "")) is None:
                raise MalformedSignature(f"parameter {name} is missing or out of shape")
        key_id = parameters.get("k", DEFAULT_KEY_ID)
        if _KEY_ID.fullmatch(key_id) is None:
            raise MalformedSignature("parameter k is out of shape")
        return cls(int(parameters["t"]), parameters["n"], key_id, parameters["v1"])

    def render(self) -> str:
        """The header value, with every parameter and in the usual order."""
        return f"t={self.timestamp},n={self.nonce},k={self.key_id},v1={self.mac}"


def request_bytes(*, timestamp: int, nonce: str, method: str, target: str | bytes, body: bytes) -> bytes:
    """What the MAC of a request covers.

    `target` is the raw path and, if there is one, "?" and the raw query, exactly as sent: percent-encoding is neither
    added nor undone. A text target must be ASCII (`UnicodeEncodeError`, a `ValueError`, if it is not); bytes may be
    anything.
    """
    raw_target = target.encode("ascii") if isinstance(target, str) else target
    head = f"v1\n{timestamp}\n{nonce}\n{method}\n".encode()
    return b"%b%b\n%b" % (head, raw_target, sha256(body).hexdigest().encode())


def response_bytes(*, timestamp: int, nonce: str, status: int, body: bytes) -> bytes:
    """What the MAC of an answer covers. `nonce` is that of the request; `body` the raw bytes of the answer's body."""
    return f"v1-response\n{timestamp}\n{nonce}\n{status}\n{sha256(body).hexdigest()}".encode()
