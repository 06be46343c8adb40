"""Reads the audit trail: who did what, before and after, and what was refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from casino.api import lists
from casino.api.call import Call
from casino.api.errors import invalid
from casino.api.types import Answer, Instant, InstantIn, Page, Shape, Text, instant

COLUMNS: Final = (
    "at, audit_id, actor_kind, actor_id, actor_name, tenant_id, action, subject, outcome, before, after, request_id,"
    " host(address), refusals"
)
_ROWS: Final = f"""
    select {COLUMNS} from casino.audit_trail as entry
    where ledger_id = %(ledger)s and (at, audit_id) < (%(before_at)s, %(before_id)s)
        and (%(actor_id)s::text is null or actor_id = %(actor_id)s)
        and (%(action)s::text is null or action = %(action)s)
        and (%(from)s::timestamptz is null or at >= %(from)s)
        and (%(to)s::timestamptz is null or at < %(to)s)
        {{of_tenant}}
    order by at desc, audit_id desc limit %(limit)s
"""  # noqa: S608 - constants
OF_ALL: Final = _ROWS.format(of_tenant="")
# The newest of each tenant that is seen, and of these the newest: a small tenant reads no other one's rows.
OF_TENANTS: Final = f"""
    select entry.* from casino.tenants
    cross join lateral ({_ROWS.format(of_tenant="and entry.tenant_id = tenants.tenant_id")}) as entry
    order by at desc, audit_id desc limit %(limit)s
"""  # noqa: S608 - constants


class AuditQuery(Page):
    """Which entries."""

    actor_id: Text | None = None
    action: Text | None = None
    since: InstantIn | None = msgspec.field(name="from", default=None)
    until: InstantIn | None = msgspec.field(name="to", default=None)


class Actor(Shape):
    """Who did it. An API key is its maker."""

    kind: str
    id: str | None
    name: str | None


class Entry(Shape):
    """What was done or refused."""

    audit_id: str
    at: Instant
    actor: Actor
    tenant_id: str | None
    action: str
    subject: str | None
    outcome: str
    before: Any
    after: Any
    request_id: str
    address: str | None
    refusals: int
    """How many refusals of one address share the entry."""


class AuditTrail(Answer):
    """A page of the audit trail, the newest first."""

    items: list[Entry]
    next_cursor: str | None


async def read(call: Call, query: AuditQuery) -> AuditTrail:
    """GET /admin/audit."""
    if query.since is not None and query.until is not None and query.since > query.until:
        raise invalid("from", "`from` is after `to`")
    values: dict[str, Any] = {
        "ledger": call.ledger_id, "actor_id": query.actor_id, "action": query.action,
        "from": query.since, "to": query.until, **lists.parameters(query, id_is_number=True),
    }  # fmt: skip
    rows = await call.rows(OF_ALL if call.caller.tenant_id is None else OF_TENANTS, values)
    page, cursor = lists.cut(rows, query, place=_place)
    return AuditTrail(items=[_entry(row) for row in page], next_cursor=cursor)


def _place(row: tuple[Any, ...]) -> tuple[datetime, int]:
    return row[0], row[1]


def _entry(row: tuple[Any, ...]) -> Entry:
    (at, audit_id, kind, actor_id, name, *facts, address, refusals) = row
    tenant_id, action, subject, outcome, before, after, request_id = facts
    return Entry(
        audit_id=str(audit_id), at=instant(at), actor=Actor(kind=kind, id=actor_id, name=name), tenant_id=tenant_id,
        action=action, subject=subject, outcome=outcome, before=before, after=after, request_id=request_id,
        address=address, refusals=refusals,
    )  # fmt: skip
