"""The loss limit of a play session, which a game lets its player set."""

from __future__ import annotations

import uuid
from typing import Annotated, Final

from msgspec import Meta

from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import Answer, Body

SESSION_HEADER: Final = "x-session-id"
VALUE_MAX: Final = 10**12
SET: Final = """
    select o_code, o_before, tenant_id
    from casino.set_session_limit(%(ledger_id)s, %(player_id)s, %(session_id)s, %(value)s)
    left join casino.players on ledger_id = %(ledger_id)s and player_id = %(player_id)s
"""


class LossLimitBody(Body):
    """What may be lost in the play session, in minor units."""

    loss_limit_cents: Annotated[int, Meta(ge=0, le=VALUE_MAX)]


class LossLimit(Answer):
    """The limit that holds now. It can be lowered, and is never raised."""

    loss_limit_cents: int
    locked: bool = True


def session_of(call: Call) -> uuid.UUID:
    """The play session that a call of a game names. Raises Refused(SESSION_REQUIRED), Refused(NOT_FOUND)."""
    named = call.headers.get(SESSION_HEADER)
    if not named:
        raise Refused("SESSION_REQUIRED")
    try:
        return uuid.UUID(named)
    except ValueError:
        raise Refused("NOT_FOUND") from None


async def set_loss_limit(call: Call, body: LossLimitBody) -> LossLimit:
    """POST /safety/loss-limit."""
    session_id, value = session_of(call), body.loss_limit_cents
    wanted = {"ledger_id": call.ledger_id, "player_id": call.caller.id, "session_id": session_id, "value": value}
    code, before, tenant_id = await call.row(SET, wanted)
    if code is not None:
        raise Refused(code)
    subject = {"sessionId": str(session_id), "kind": "loss", "period": "session"}
    call.audit(
        "player.limit_set", subject=call.caller.id, tenant_id=tenant_id,
        before={**subject, "value": before}, after={**subject, "value": value},
    )  # fmt: skip
    return LossLimit(loss_limit_cents=value)
