"""Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, steps of 30 seconds, one step either side."""

from __future__ import annotations

import base64
import hmac
import re
from hashlib import sha1
from typing import Final
from urllib.parse import quote, urlencode

from casino.api import codes
from casino.api.pepper import mac

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
NONCE_BYTES: Final = 16
RECOVERY_CODES: Final = 10
RECOVERY_CHARACTERS: Final = 10
ISSUER: Final = "casino"
_CODE: Final = re.compile(r"[0-9]{6}")


def secret_of(pepper: bytes, staff_id: str, nonce: bytes) -> bytes:
    """Returns the secret that belongs to a nonce. The database holds the nonce: without the pepper it shows nothing."""
    return mac(pepper, "otp secret", f"{staff_id}\n{nonce.hex()}")[:SECRET_BYTES]


def shown(secret: bytes) -> str:
    """Returns a secret in base32, as apps read it."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, username: str) -> str:
    """Returns the address that an app reads from a QR code."""
    details = {"secret": shown(secret), "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{quote(f'{ISSUER}:{username}')}?{urlencode(details)}"


def code_of(secret: bytes, step: int) -> str:
    """Returns the password of a step."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: bytes, code: str, now: int) -> int | None:
    """Returns the step whose password this is: the step `now`, or the one before or after it. None: none of them."""
    if _CODE.fullmatch(code) is None:
        return None
    fitting = [step for step in (now, now - 1, now + 1) if hmac.compare_digest(code_of(secret, step), code)]
    return fitting[0] if fitting else None


def new_recovery_code() -> str:
    """Returns a new recovery code, such as `7K2Q-M0ZX-4C`."""
    return codes.shown(codes.new_code(RECOVERY_CHARACTERS))


def recovery_mac(pepper: bytes, staff_id: str, code: str) -> bytes:
    """Returns what is stored of a recovery code. Case and hyphens do not matter."""
    return mac(pepper, "recovery code", f"{staff_id}\n{codes.plain(code)}")
