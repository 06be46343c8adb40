"""Proves who somebody is: the password and the one-time password, judged and counted by `casino.judge_staff`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import instant
from casino.staff import otp
from casino.staff.passwords import Passwords
from casino.staff.shapes import USERNAME

BEGIN: Final = "select * from casino.begin_login(%s, %s, %s)"
CONFIRM: Final = "staff.otp.confirm"
JUDGE: Final = "select * from casino.judge_staff(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """Somebody who proved it. `family_id` is the login that began, or None."""

    staff_id: str
    family_id: str | None
    tenant_id: str | None
    username: str
    role: str
    has_otp: bool
    password_hash: str | None
    """The stored hash that the password fits."""


async def prove(
    call: Call, passwords: Passwords, action: str, username: str, *,
    password: str | None = None, code: str | None = None, tenant_id: str | None = None,
) -> Proved:  # fmt: skip
    """Returns who it is. Raises Refused: INVALID_CREDENTIALS, OTP_REQUIRED, OTP_NOT_ENROLLED, LOCKED, RATE_LIMITED or
    OVERLOADED.

    Takes as long for a name that nobody has. Its two statements are committed, whatever the request becomes, and it
    holds no connection between them. Raises RuntimeError in a request's transaction: those who hold all connections
    would wait for each other.
    """
    if call.connection is not None:
        raise RuntimeError("a proof is asked for while the request prepares")
    database = call.pools.tenants
    name = account_name(username)
    rows = await database.call(BEGIN, (call.ledger_id, name, call.address))
    wait_seconds, staff_id, password_hash, nonce, now = rows[0]
    if action == CONFIRM and nonce is None:
        raise Refused("OTP_NOT_ENROLLED")
    verified = None
    if password is not None and not wait_seconds:
        verified = password_hash if await passwords.matches(password_hash, password) else None
    step = mac = None
    if code is not None and staff_id is not None and nonce is not None:
        step = otp.step_of(otp.secret_of(call.settings.pepper, staff_id, nonce), code, now)
        mac = otp.recovery_mac(call.settings.pepper, staff_id, code)
    judged = await database.call(
        JUDGE,
        (
            *(call.ledger_id, action, name, verified, tenant_id, code is not None, step, mac),
            *(call.request_id, call.address),
        ),
    )
    refused_with, locked_until, wait_seconds, *found = judged[0]
    if refused_with is not None:
        raise _refusal(refused_with, locked_until, wait_seconds)
    names = ("staff_id", "family_id", "tenant_id", "username", "role", "has_otp")
    facts: dict[str, Any] = dict(zip(names, found, strict=True))
    return Proved(**facts, password_hash=verified)


def account_name(username: str) -> str:
    """Returns a name as it is stored. One that nobody can have becomes a text of its own that is no name."""
    name = username.lower()
    if username.isascii() and USERNAME.fullmatch(name):
        return name
    return "?" + sha256(username.encode()).hexdigest()


def _refusal(code: str, locked_until: datetime | None, wait_seconds: int) -> Refused:
    if code == "LOCKED" and locked_until is not None:
        return Refused(code, extras={"lockUntil": instant(locked_until)}, retry_after_seconds=max(wait_seconds, 1))
    return Refused(code, retry_after_seconds=wait_seconds if code == "RATE_LIMITED" else None)
