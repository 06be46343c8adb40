"""The bytes that a MAC covers, and the grammar of the signature header. See docs/protocol.md, section 2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

DEFAULT_KEY_ID: Final = "main"
"""The key id of a header without `k`."""

HEADER_MAX_BYTES: Final = 512
"""A longer header value is refused. Signers write at most 218 bytes."""

KEY_ID_PATTERN: Final = "[0-9A-Za-z._-]{1,64}"
NONCE_PATTERN: Final = "[0-9A-Za-z_-]{16,64}"

# No leading zero. The MAC covers the number, so a change to a second spelling would not be noticed.
_TIMESTAMP: Final = "(?:0|[1-9][0-9]{0,11})"
_MAC: Final = "[0-9a-f]{64}"

_USUAL_ORDER: Final = re.compile(
    f"t=({_TIMESTAMP}),n=({NONCE_PATTERN})(?:,k=({KEY_ID_PATTERN}))?,v1=({_MAC})", re.ASCII
)
# An unknown name is long, or a later version of `v1`. So no change of one byte turns `k` into an unknown name.
_PARAMETER: Final = re.compile("([tnk]|v[0-9]{1,2}|[a-z][0-9a-z_-]{2,15})=([!-+\\--~]+)", re.ASCII)
_REQUIRED: Final = {
    name: re.compile(pattern) for name, pattern in {"t": _TIMESTAMP, "n": NONCE_PATTERN, "v1": _MAC}.items()
}
_KEY_ID: Final = re.compile(KEY_ID_PATTERN)


class MalformedSignature(ValueError):  # noqa: N818 - the word of the contract
    """The header value does not follow the grammar. The text names the rule, never the value."""


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """The parameters of one signature header. `timestamp` is in unix seconds, `mac` is 64 lower-case hex digits."""

    timestamp: int
    nonce: str
    key_id: str
    mac: str

    @classmethod
    def parse(cls, value: bytes | str) -> SignatureHeader:
        """Parse a header value. Raises only `MalformedSignature`, whatever the value is.

        The parameters `t`, `n` and `v1` are required, `k` is optional. They may come in any order, each once.
        Parameters with other names (`v2` and the like, or 3 to 16 characters of a-z 0-9 _ -) are ignored, so that a
        later version may add some.
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
        """Returns the header value, with all parameters in the usual order."""
        return f"t={self.timestamp},n={self.nonce},k={self.key_id},v1={self.mac}"


def request_bytes(*, timestamp: int, nonce: str, method: str, target: str | bytes, body: bytes) -> bytes:
    """Returns the bytes that the MAC of a request covers.

    `target` is the raw path, then "?" and the raw query if there is one, as sent: percent-encoding is not changed. A
    target given as text must be ASCII: raises `UnicodeEncodeError`, a `ValueError`.
    """
    raw_target = target.encode("ascii") if isinstance(target, str) else target
    head = f"v1\n{timestamp}\n{nonce}\n{method}\n".encode()
    return b"%b%b\n%b" % (head, raw_target, sha256(body).hexdigest().encode())


def response_bytes(*, timestamp: int, nonce: str, status: int, body: bytes) -> bytes:
    """Returns the bytes that the MAC of an answer covers. `nonce` is the request's, `body` the answer's raw body."""
    return f"v1-response\n{timestamp}\n{nonce}\n{status}\n{sha256(body).hexdigest()}".encode()
