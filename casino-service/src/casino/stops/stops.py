"""Stops play, lets it go on, and lists what is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from casino.api import lists
from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.types import Answer, Body, Empty, Instant, Page, Reason, Shape, Text, instant

MAKE: Final = "select * from casino.make_stop(%s, %s, %s, %s, %s, %s)"
LIFT: Final = "select tenant_id, scope, target, reason from casino.lift_stop(%s, %s::uuid)"
LIST: Final = """
    select stop_id::text, scope, target, reason, tenant_id, made_by, made_at
    from casino.stops
    where ledger_id = %(ledger_id)s and (made_at, stop_id::text collate "C") < (%(before_at)s, %(before_id)s)
    order by made_at desc, stop_id::text collate "C" desc
    limit %(limit)s
"""
FINDS_STOP: Final = "select from casino.stops where ledger_id = %(ledger_id)s and stop_id::text = %(stop_id)s"


class NewStop(Body):
    """What to stop: all play, or one provider's id, game's code or player's id."""

    scope: Literal["all", "provider", "game", "player"]
    reason: Reason
    id: Text | None = None


class Stop(Shape):
    """A stop in an answer. `tenantId` is null for an owner's, which holds everywhere."""

    stop_id: str
    scope: str
    id: str | None
    reason: str
    tenant_id: str | None
    made_by: str
    at: Instant


class StopAnswer(Answer):
    """An answer with one stop."""

    stop: Stop


class StopsAnswer(Answer):
    """A page of stops, the newest first."""

    items: list[Stop]
    next_cursor: str | None


async def make(call: Call, body: NewStop) -> StopAnswer:
    """POST /admin/stops."""
    if (body.scope == "all") != (body.id is None):
        raise invalid("id", "Expected with each `scope` but `all`, and only there")
    own_tenant, made_by = call.caller.tenant_id, str(call.caller.id)
    parameters = (call.ledger_id, own_tenant, body.scope, body.id, body.reason, made_by)
    code, stop_id, made_at = await call.row(MAKE, parameters)
    if code is not None:
        raise Refused(code)
    after = {"scope": body.scope, "id": body.id, "reason": body.reason}
    call.audit("stop.made", subject=str(stop_id), tenant_id=own_tenant, after=after)
    return StopAnswer(stop=_stop((str(stop_id), body.scope, body.id, body.reason, own_tenant, made_by, made_at)))


async def lift(call: Call, _: Empty) -> Answer:
    """DELETE /admin/stops/{stop_id}."""
    stop_id = call.path["stop_id"]
    tenant_id, scope, target, reason = await call.row(LIFT, (call.ledger_id, stop_id))
    before = {"scope": scope, "id": target, "reason": reason}
    call.audit("stop.lifted", subject=stop_id, tenant_id=tenant_id, before=before)
    return Answer()


async def show_all(call: Call, query: Page) -> StopsAnswer:
    """GET /admin/stops."""
    rows = await call.rows(LIST, {"ledger_id": call.ledger_id, **lists.parameters(query)})
    page, cursor = lists.cut(rows, query, place=lambda row: (row[6], row[0]))
    return StopsAnswer(items=[_stop(row) for row in page], next_cursor=cursor)


def _stop(row: Sequence[Any]) -> Stop:
    stop_id, scope, target, reason, tenant_id, made_by, made_at = row
    return Stop(
        stop_id=stop_id, scope=scope, id=target, reason=reason, tenant_id=tenant_id, made_by=made_by,
        at=instant(made_at),
    )  # fmt: skip
