"""A member of staff and the own account: who one is, the password, one-time passwords."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from casino.api.call import API_KEY, Call
from casino.api.errors import Refused
from casino.api.types import Answer, Body, Empty
from casino.staff import otp
from casino.staff.logins import own_login
from casino.staff.passwords import Passwords
from casino.staff.proofs import CONFIRM, prove
from casino.staff.shapes import ONE, NewPassword, Otp, Password, Staff, read_staff, staff_of

CHANGE_PASSWORD: Final = "select casino.change_password(%s, %s, %s, %s, %s)"  # noqa: S105 - a statement
CHANGE_OTP: Final = "select casino.change_otp(%s, %s, %s, %s, %s)"


class Me(Answer):
    """Who calls."""

    staff: Staff


class PasswordBody(Body):
    """The own password, and the one that follows it."""

    current_password: Password
    new_password: NewPassword


class Enrolled(Answer):
    """What an app needs for one-time passwords. It is shown once."""

    secret: str
    uri: str
    recovery_codes: list[str]


class OtpBody(Body):
    """A one-time password."""

    otp: Otp


class PasswordAndOtpBody(Body):
    """The own password and a one-time password or a recovery code."""

    password: Password
    otp: Otp


async def me(call: Call, _: Empty) -> Me:
    """GET /staff/me."""
    caller = call.caller
    row = await call.row(ONE, (call.ledger_id, caller.id))
    return Me(staff=staff_of(row, caller.permissions if caller.kind == API_KEY else None))


async def enrol(call: Call, _: Empty) -> Enrolled:
    """POST /staff/otp/enrol. What was begun before and not confirmed is replaced."""
    own_login(call)
    pepper, staff_id = call.settings.pepper, str(call.caller.id)
    nonce = secrets.token_bytes(otp.NONCE_BYTES)
    codes = [otp.new_recovery_code() for _ in range(otp.RECOVERY_CODES)]
    await _change_otp(call, "enrol", nonce, [otp.recovery_mac(pepper, staff_id, code) for code in codes])
    secret = otp.secret_of(pepper, staff_id, nonce)
    uri = otp.uri(secret, str(call.caller.name))
    return Enrolled(secret=otp.shown(secret), uri=uri, recovery_codes=codes)


@dataclass(frozen=True, slots=True)
class Account:
    """The handlers that hash passwords."""

    passwords: Passwords

    async def prove_password(self, call: Call, body: PasswordBody) -> tuple[str | None, str]:
        """Returns the stored hash that the current password fits, and the hash of the new one."""
        own_login(call)
        proved = await prove(
            call, self.passwords, "staff.password", str(call.caller.name), password=body.current_password
        )
        return proved.password_hash, await self.passwords.hash(body.new_password)

    async def change_password(self, call: Call, _: PasswordBody) -> Answer:
        """POST /staff/password. Ends all other logins."""
        values = (call.ledger_id, call.caller.id, own_login(call), *call.prepared)
        if not (await call.row(CHANGE_PASSWORD, values))[0]:
            raise Refused("BUSY", why="another change came first")
        call.audit("staff.password", subject=call.caller.id, tenant_id=call.caller.tenant_id)
        return Answer()

    async def prove_code(self, call: Call, body: OtpBody) -> None:
        """Ask for the one-time password that confirms an enrolment."""
        await _require_otp(call, enrolled=False)
        await prove(call, self.passwords, CONFIRM, str(call.caller.name), code=body.otp)

    async def prove_both(self, call: Call, body: PasswordAndOtpBody) -> None:
        """Ask for both proofs."""
        await _require_otp(call, enrolled=True)
        await prove(
            call, self.passwords, "staff.otp.delete", str(call.caller.name), password=body.password, code=body.otp
        )


async def confirm_otp(call: Call, _: OtpBody) -> Answer:
    """POST /staff/otp/confirm."""
    await _change_otp(call, "confirm")
    return Answer()


async def delete_otp(call: Call, _: PasswordAndOtpBody) -> Answer:
    """DELETE /staff/otp."""
    await _change_otp(call, "delete")
    return Answer()


async def _require_otp(call: Call, *, enrolled: bool) -> None:
    """Raises Refused before a proof is asked for, which a mistake should not count as refused."""
    own_login(call)
    async with call.begin():
        staff = await read_staff(call, str(call.caller.id))
    if staff.otp != enrolled:
        raise Refused("OTP_NOT_ENROLLED" if enrolled else "OTP_ENROLLED")


async def _change_otp(
    call: Call, change: str, nonce: bytes | None = None, recovery_macs: list[bytes] | None = None
) -> None:
    values = (call.ledger_id, call.caller.id, change, nonce, recovery_macs or [])
    code = (await call.row(CHANGE_OTP, values))[0]
    if code is not None:
        raise Refused(code)
    call.audit(f"staff.otp.{change}", subject=call.caller.id, tenant_id=call.caller.tenant_id)
