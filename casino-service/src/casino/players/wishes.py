"""Limits and exclusions: what players ask for themselves, and what staff asks for them."""

from __future__ import annotations

import uuid
from typing import Annotated, Final, Literal

from msgspec import Meta

from casino.api.call import PLAYER, Call
from casino.api.errors import API_ERRORS, Refused
from casino.api.types import Body, Empty, Reason, instant
from casino.players.accounts import note, own_id
from casino.players.refusals import refuse
from casino.players.shapes import Excluded, Exclusion, Limit, OneLimit, limit_of, moment

VALUE_MAX: Final = 10**12
SET: Final = "select * from casino.set_limit(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
CONFIRM: Final = "select * from casino.confirm_limit(%s, %s, %s)"
EXCLUDE: Final = "select * from casino.exclude_player(%s, %s, %s, %s, %s, %s)"


class LimitBody(Body):
    """A limit. `value`: minor units, of kind time minutes; null asks for no such limit."""

    kind: Literal["deposit", "loss", "time"]
    period: Literal["day", "week", "month"]
    value: Annotated[int, Meta(ge=0, le=VALUE_MAX)] | None


class LimitByStaffBody(LimitBody):
    """A limit that staff lowers."""

    reason: Reason


class ExcludeBody(Body):
    """For how long not to play."""

    period: Literal["P7D", "P1M", "P6M", "PERMANENT"]


class ExcludeByStaffBody(ExcludeBody):
    """For how long a player does not play, and why."""

    reason: Reason


async def set_own_limit(call: Call, body: LimitBody) -> OneLimit:
    """POST /player/limits."""
    return await _set_limit(call, own_id(call), body, reason=None)


async def lower_limit(call: Call, body: LimitByStaffBody) -> OneLimit:
    """POST /admin/players/{player_id}/limits."""
    return await _set_limit(call, call.path["player_id"], body, reason=body.reason)


async def confirm_limit(call: Call, _: Empty) -> OneLimit:
    """POST /player/limits/{limit_id}/confirm."""
    player_id = own_id(call)
    try:
        limit_id = uuid.UUID(call.path["limit_id"])
    except ValueError:
        refuse("NOT_FOUND")
        raise
    code, *rest, before = await call.row(CONFIRM, (call.ledger_id, player_id, limit_id))
    if code == "LIMIT_NOT_DUE":
        due_at = instant(rest[-1])
        sentence = f"{API_ERRORS[code].sentence}: it is due at {due_at}"
        raise Refused(code, sentence=sentence, extras={"effectiveAt": due_at})
    refuse(code)
    limit = limit_of((limit_id, *rest))
    await _note_limit(call, player_id, limit, before=before, reason=None)
    return OneLimit(limit=limit)


async def exclude_oneself(call: Call, body: ExcludeBody) -> Excluded:
    """POST /player/exclude."""
    return await _exclude(call, own_id(call), body.period, reason=None)


async def exclude(call: Call, body: ExcludeByStaffBody) -> Excluded:
    """POST /admin/players/{player_id}/exclude."""
    return await _exclude(call, call.path["player_id"], body.period, reason=body.reason)


async def _set_limit(call: Call, player_id: str, body: LimitBody, *, reason: str | None) -> OneLimit:
    actor = call.caller
    by_staff = actor.kind != PLAYER
    wanted = (player_id, body.kind, body.period, body.value, by_staff, actor.kind, actor.id, reason)
    code, limit_id, status, effective_at, before = await call.row(SET, (call.ledger_id, *wanted))
    refuse(code)
    limit = limit_of((limit_id, body.kind, body.period, body.value, status, effective_at))
    await _note_limit(call, player_id, limit, before=before, reason=reason)
    return OneLimit(limit=limit)


async def _exclude(call: Call, player_id: str, period: str, *, reason: str | None) -> Excluded:
    actor = call.caller
    wanted = (call.ledger_id, player_id, period, reason, actor.kind, actor.id)
    code, until, is_longer, was_excluded, until_before = await call.row(EXCLUDE, wanted)
    refuse(code)
    after = {"period": period, "until": moment(until), "reason": reason}
    before = {"until": moment(until_before)} if was_excluded else None
    await note(call, "player.excluded", player_id, before=before, after=after)
    answer = Excluded(exclusion=Exclusion(until=moment(until)))
    return answer if is_longer else call.already(answer)


async def _note_limit(call: Call, player_id: str, limit: Limit, *, before: int | None, reason: str | None) -> None:
    same = {"kind": limit.kind, "period": limit.period}
    after = {**same, "value": limit.value, "status": limit.status, "reason": reason}
    await note(call, "player.limit_set", player_id, before={**same, "value": before}, after=after)
