"""The loss limit of a play session, which a game lets its player set."""

from __future__ import annotations

import uuid
from typing import Annotated, Final

from msgspec import Meta

from casino.api.call import Call
from casino.api.errors import Refused, invalid
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
    """The play session that a call of a game names, spelt as the state spells it.

    Raises Refused(SESSION_REQUIRED), Refused(INVALID_FIELD) for two headers, Refused(NOT_FOUND).
    """
    names = call.headers.getlist(SESSION_HEADER)
    if len(names) > 1:
        raise invalid(SESSION_HEADER, "Expected one header")
    if not names or not names[0]:
        raise Refused("SESSION_REQUIRED")
    try:
        session_id = uuid.UUID(names[0])
    except ValueError:
        raise Refused("NOT_FOUND") from None
    if str(session_id) != names[0]:
        raise Refused("NOT_FOUND")
    return session_id


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
