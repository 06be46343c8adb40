"""What requests and answers about staff are made of."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from casino.api import permissions
from casino.api.call import Call
from casino.api.types import Shape

PASSWORD_MIN_CHARACTERS: Final = 12
PASSWORD_MAX_CHARACTERS: Final = 128
USERNAME: Final = re.compile(r"[a-z0-9._-]{3,64}", re.ASCII)

Role = Literal["owner", "distributor", "operator", "agent", "cashier", "auditor"]
Username = Annotated[str, Meta(pattern=r"^[0-9A-Za-z._-]{3,64}$(?!\n)", description="Without regard to case")]
NewPassword = Annotated[str, Meta(min_length=PASSWORD_MIN_CHARACTERS, max_length=PASSWORD_MAX_CHARACTERS)]
Password = Annotated[str, Meta(min_length=1, max_length=1024)]
Otp = Annotated[str, Meta(min_length=1, max_length=64, description="Six digits, or a recovery code")]

STAFF_COLUMNS: Final = "staff_id, username, role, tenant_id, is_active, has_otp"
ONE: Final = f"select {STAFF_COLUMNS} from casino.staff where ledger_id = %s and staff_id = %s"  # noqa: S608 - constants


class Staff(Shape):
    """A member of staff."""

    id: str
    username: str
    role: Role
    tenant_id: str | None
    permissions: list[str]
    active: bool
    otp: bool
    """Whether one-time passwords are asked for."""


def staff_of(row: tuple[Any, ...], allowed: frozenset[str] | None = None) -> Staff:
    """Returns a row of STAFF_COLUMNS as a shape. `allowed`: the permissions, if not all those of the role."""
    staff_id, username, role, tenant_id, is_active, has_otp = row
    granted = permissions.of_role(role) if allowed is None else allowed
    return Staff(
        id=staff_id, username=username, role=role, tenant_id=tenant_id,
        permissions=[name for name in permissions.PERMISSIONS if name in granted],
        active=is_active, otp=has_otp,
    )  # fmt: skip


async def read_staff(call: Call, staff_id: str) -> Staff:
    """Returns a member of staff whom the request's transaction sees. Raises Refused(NOT_FOUND)."""
    return staff_of(await call.row(ONE, (call.ledger_id, staff_id)))
