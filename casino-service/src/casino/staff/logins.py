"""Staff log in, refresh their tokens and log out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Final

from msgspec import Meta

from casino.api import tokens
from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import Answer, Body, Empty, Text
from casino.staff import refresh_tokens
from casino.staff.passwords import Passwords
from casino.staff.proofs import prove
from casino.staff.shapes import Otp, Password, Staff, staff_of

LOGINS_AT_ONCE_MAX: Final = 10
"""Logins of one address that run at once, in this process."""
REFRESH: Final = "select * from casino.refresh_login(%s, %s, %s, %s, %s)"
LOG_OUT: Final = "select casino.log_out(%s, %s, %s)"


class LoginBody(Body):
    """Who logs in."""

    username: Text
    password: Password
    tenant_id: Text | None = None
    otp: Otp | None = None


class LoggedIn(Answer):
    """The tokens of a new login."""

    token: str
    refresh_token: str
    staff: Staff


class RefreshBody(Body):
    """A refresh token, which is used up."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=256)]


class Refreshed(Answer):
    """The next tokens of a login."""

    token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Logins:
    """The handlers that hash passwords."""

    passwords: Passwords
    running: Counter[str | None] = field(default_factory=Counter)
    """Logins that run, by address. They wait for each other in the database, and must not take all connections."""

    async def log_in(self, call: Call, body: LoginBody) -> LoggedIn:
        """POST /staff/login."""
        if self.running[call.address] >= LOGINS_AT_ONCE_MAX:
            raise Refused("RATE_LIMITED", why="logins_at_once")
        self.running[call.address] += 1
        try:
            proved = await prove(
                call, self.passwords, "staff.login", body.username,
                password=body.password, code=body.otp, tenant_id=body.tenant_id,
            )  # fmt: skip
        finally:
            self.running[call.address] -= 1
            if not self.running[call.address]:
                del self.running[call.address]
        assert proved.family_id is not None  # noqa: S101 - a login begins one
        token, refresh_token = _tokens(call, proved.staff_id, proved.family_id, 1)
        columns = (proved.staff_id, proved.username, proved.role, proved.tenant_id, True, proved.has_otp)
        return LoggedIn(token=token, refresh_token=refresh_token, staff=staff_of(columns))


async def refresh(call: Call, body: RefreshBody) -> Refreshed:
    """POST /staff/refresh."""
    used = refresh_tokens.read(call.settings.pepper, body.refresh_token)
    if used is None:
        raise Refused("TOKEN_INVALID", why="refresh_token")
    family_id, number = used
    values = (call.ledger_id, family_id, number, call.request_id, call.address)
    code, staff_id, successor = (await call.pools.tenants.call(REFRESH, values))[0]
    if code is not None:
        raise Refused(code)
    token, refresh_token = _tokens(call, staff_id, family_id, successor)
    return Refreshed(token=token, refresh_token=refresh_token)


async def log_out(call: Call, _: Empty) -> Answer:
    """POST /staff/logout."""
    await call.rows(LOG_OUT, (call.ledger_id, call.caller.id, own_login(call)))
    call.audit("staff.logout", subject=call.caller.id, tenant_id=call.caller.tenant_id)
    return Answer()


def own_login(call: Call) -> str:
    """Returns the caller's login. Raises Refused(FORBIDDEN) for an API key, which has none."""
    if call.caller.family is None:
        raise Refused("FORBIDDEN", why="an API key has no login")
    return call.caller.family


def _tokens(call: Call, staff_id: str, family_id: str, number: int) -> tuple[str, str]:
    settings = call.settings
    return (
        tokens.issue(settings.access_token_keys, tokens.STAFF, staff_id, family=family_id),
        refresh_tokens.refresh_token(settings.pepper, family_id, number),
    )
