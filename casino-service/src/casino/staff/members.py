"""Staff make, list and change the staff below them, and owners say which roles need one-time passwords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from casino.api import lists
from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.types import Answer, Body, Identifier, Page
from casino.staff.passwords import Passwords
from casino.staff.shapes import STAFF_COLUMNS, NewPassword, Role, Staff, Username, read_staff, staff_of

MISFIT: Final = "The role does not fit the type of the tenant"
FINDS: Final = "select from casino.staff where ledger_id = %(ledger_id)s and staff_id = %(staff_id)s"
CREATE: Final = "select * from casino.create_staff(%s, %s, %s, %s, %s, %s)"
CHANGE: Final = "select * from casino.change_staff(%s, %s, %s, %s, %s, %s)"
SET_OTP_ROLES: Final = "select casino.set_otp_roles(%s, %s)"
LIST: Final = f"""
    select made_at, {STAFF_COLUMNS} from casino.staff
    where ledger_id = %(ledger)s and (made_at, staff_id) < (%(before_at)s, %(before_id)s)
    order by made_at desc, staff_id desc limit %(limit)s
"""  # noqa: S608 - constants


class NewStaffBody(Body):
    """A new member of staff."""

    username: Username
    password: NewPassword
    role: Role
    tenant_id: Identifier


class ChangeBody(Body):
    """What changes of a member of staff."""

    role: Role | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    password: NewPassword | UnsetType = UNSET


class OneOfStaff(Answer):
    """A member of staff."""

    staff: Staff


class StaffList(Answer):
    """A page of staff, the newest first."""

    items: list[Staff]
    next_cursor: str | None


class OtpRoles(Body):
    """The roles that need one-time passwords."""

    roles: list[Role]


class OtpRolesSet(Answer):
    """The roles that need one-time passwords."""

    roles: list[Role]


@dataclass(frozen=True, slots=True)
class Members:
    """The handlers that hash passwords."""

    passwords: Passwords

    async def hash(self, _: Call, body: NewStaffBody | ChangeBody) -> str | None:
        """Returns the hash of the password in a body, or None."""
        return None if isinstance(body.password, UnsetType) else await self.passwords.hash(body.password)

    async def create(self, call: Call, body: NewStaffBody) -> OneOfStaff:
        """POST /admin/staff."""
        username = body.username.lower()
        values = (call.ledger_id, call.caller.id, username, call.prepared, body.role, body.tenant_id)
        code, field, staff_id = await call.row(CREATE, values)
        if code is not None:
            raise invalid(field, MISFIT) if code == "INVALID_FIELD" else Refused(code, field=field)
        staff = await read_staff(call, staff_id)
        call.audit("staff.created", subject=staff_id, tenant_id=body.tenant_id, after=_audited(staff))
        return OneOfStaff(staff=staff)

    async def change(self, call: Call, body: ChangeBody) -> OneOfStaff:
        """PATCH /admin/staff/{staff_id}."""
        staff_id = call.path["staff_id"]
        before = await read_staff(call, staff_id)
        password_hash = call.prepared
        role, active = (None if value is UNSET else value for value in (body.role, body.active))
        values = (call.ledger_id, call.caller.id, staff_id, role, active, password_hash)
        code, field = await call.row(CHANGE, values)
        if code is not None:
            raise invalid(field, MISFIT) if code == "INVALID_FIELD" else Refused(code, field=field)
        staff = await read_staff(call, staff_id)
        after = {**_audited(staff), **({"password": "changed"} if password_hash is not None else {})}
        call.audit("staff.changed", subject=staff_id, tenant_id=staff.tenant_id, before=_audited(before), after=after)
        return OneOfStaff(staff=staff)


async def list_staff(call: Call, query: Page) -> StaffList:
    """GET /admin/staff."""
    rows = await call.rows(LIST, {"ledger": call.ledger_id, **lists.parameters(query)})
    page, cursor = lists.cut(rows, query, place=lambda row: (row[0], row[1]))
    return StaffList(items=[staff_of(row[1:]) for row in page], next_cursor=cursor)


async def set_otp_roles(call: Call, body: OtpRoles) -> OtpRolesSet:
    """PUT /admin/otp-roles. Only owners may."""
    roles = sorted(set(body.roles))
    if not (await call.row(SET_OTP_ROLES, (call.ledger_id, roles)))[0]:
        raise Refused("FORBIDDEN")
    call.audit("otp_roles.set", after={"roles": roles})
    return OtpRolesSet(roles=roles)


def _audited(staff: Staff) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(staff)
    return {name: facts[name] for name in ("username", "role", "tenantId", "active")}
