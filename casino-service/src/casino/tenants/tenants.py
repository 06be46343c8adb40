"""Makes, shows and changes tenants."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

import msgspec
from msgspec import UNSET, Meta, UnsetType
from psycopg.types.json import Jsonb

from casino.api import lists
from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.types import AMOUNT_MAX_MINOR, PRINTABLE, Answer, Body, Empty, Page, Shape, Text
from casino.tenants import queries

Region = Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
COLUMNS: Final = {"name": "display_name"}
"""Where a column is not called as the member is."""
MISFIT: Final = (
    "Expected an OPERATOR below a DISTRIBUTOR or none, an AGENT below an OPERATOR, and the parent's currency"
)


class Tenant(Shape):
    """A tenant in an answer."""

    tenant_id: str
    type: str
    name: str
    parent_id: str | None
    currency: str
    status: str
    bonus_bp: int
    timezone: str
    region: str | None
    require_approval_above_minor: int | None
    balance_minor: int


class TenantAnswer(Answer):
    """An answer with one tenant."""

    tenant: Tenant


class TenantsAnswer(Answer):
    """A page of tenants."""

    items: list[Tenant]
    next_cursor: str | None


class NewTenant(Body):
    """What a tenant is made of. Everything else it has from its parent."""

    type: Literal["DISTRIBUTOR", "OPERATOR", "AGENT", "DEV"]
    name: Text
    parent_id: Text | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,8}$(?!\n)")] | None = None


class TenantChanges(Body):
    """What is to be changed. What is not named stays."""

    name: Text | UnsetType = UNSET
    status: Literal["ACTIVE", "SUSPENDED", "CLOSED"] | UnsetType = UNSET
    bonus_bp: Annotated[int, Meta(ge=0, le=20_000)] | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    region: Region | UnsetType | None = UNSET
    require_approval_above_minor: Annotated[int, Meta(ge=0, le=AMOUNT_MAX_MINOR)] | UnsetType | None = UNSET


async def create(call: Call, body: NewTenant) -> TenantAnswer:
    """Make a tenant below the caller, or an owner's at the top."""
    tenant_id = str(uuid.uuid4())
    parameters = (call.ledger_id, tenant_id, body.parent_id, body.type, body.name, body.currency)
    code, field = await call.row(queries.CREATE, parameters)
    if code is not None:
        raise invalid(field, MISFIT) if code == "INVALID_FIELD" else Refused(code)
    if call.caller.tenant_id is not None:  # the transaction's view is older than the tenant
        await call.rows(queries.SEE, (call.ledger_id, call.caller.tenant_id))
    tenant = await read(call, tenant_id)
    call.audit("tenant.created", subject=tenant_id, tenant_id=tenant_id, after=_audited(tenant))
    return TenantAnswer(tenant=tenant)


async def show(call: Call, _: Empty) -> TenantAnswer:
    """One tenant."""
    return TenantAnswer(tenant=await read(call, call.path["tenant_id"]))


async def show_all(call: Call, query: Page) -> TenantsAnswer:
    """The caller's tenant and those below it, the newest first."""
    rows = await call.rows(queries.LIST, {"ledger_id": call.ledger_id, **lists.parameters(query)})
    page, cursor = lists.cut(rows, query, place=lambda row: (row[-1], row[0]))
    return TenantsAnswer(items=[_tenant(row) for row in page], next_cursor=cursor)


async def change(call: Call, body: TenantChanges) -> TenantAnswer:
    """Change a tenant below the caller."""
    tenant_id = call.path["tenant_id"]
    if body.timezone is not UNSET and body.timezone not in _timezones():
        raise invalid("timezone", "Expected a name of a time zone of IANA")
    before = await read(call, tenant_id)
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    changes = {COLUMNS.get(name, name): value for name, value in given.items() if value is not UNSET}
    (code,) = await call.row(queries.CHANGE, (call.ledger_id, tenant_id, Jsonb(changes)))
    if code is not None:
        raise Refused(code)
    after = await read(call, tenant_id)
    call.audit("tenant.changed", subject=tenant_id, tenant_id=tenant_id, before=_audited(before), after=_audited(after))
    return TenantAnswer(tenant=after)


async def read(call: Call, tenant_id: str) -> Tenant:
    """Returns a tenant that the caller sees. Raises Refused(NOT_FOUND)."""
    return _tenant(await call.row(queries.ONE, {"ledger_id": call.ledger_id, "tenant_id": tenant_id}))


def _tenant(row: tuple[Any, ...]) -> Tenant:
    return Tenant(**dict(zip(Tenant.__struct_fields__, row, strict=False)))


def _audited(tenant: Tenant) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(tenant)
    return content


@cache
def _timezones() -> frozenset[str]:
    """The names of IANA's time zones."""
    return frozenset(name for name in available_timezones() if name not in {"localtime", "posixrules", "Factory"})
