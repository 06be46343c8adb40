"""What staff does with an account without moving the player's money: freeze, close, forfeit a bonus, erase."""

from __future__ import annotations

from typing import Final

from casino.api.call import Call
from casino.api.types import Answer, Body, Reason
from casino.players.accounts import note, read_player
from casino.players.refusals import refuse
from casino.players.shapes import OnePlayer

FREEZE: Final = "select casino.freeze_player(%s, %s, %s)"
CLOSE: Final = "select * from casino.close_player(%s, %s, %s, %s)"
ERASE: Final = "select casino.erase_player(%s, %s)"
FORFEIT: Final = "select * from casino.forfeit_player_bonus(%s, %s, %s, %s)"


class ReasonBody(Body):
    """Why."""

    reason: Reason


class Forfeited(Answer):
    """How much of a bonus was taken back."""

    forfeited_bonus_minor: int


async def freeze(call: Call, body: ReasonBody) -> OnePlayer:
    """POST /admin/players/{player_id}/freeze."""
    return await _freeze(call, body, is_frozen=True)


async def unfreeze(call: Call, body: ReasonBody) -> OnePlayer:
    """POST /admin/players/{player_id}/unfreeze."""
    return await _freeze(call, body, is_frozen=False)


async def close(call: Call, body: ReasonBody) -> OnePlayer:
    """POST /admin/players/{player_id}/close."""
    player_id = call.path["player_id"]
    code, forfeited = await call.row(CLOSE, (call.ledger_id, player_id, body.reason, call.request_id))
    refuse(code)
    await note(call, "player.closed", player_id, after={"reason": body.reason, "forfeitedBonusMinor": forfeited})
    return OnePlayer(player=await read_player(call, player_id))


async def erase(call: Call, body: ReasonBody) -> OnePlayer:
    """POST /admin/players/{player_id}/erase."""
    player_id = call.path["player_id"]
    (code,) = await call.row(ERASE, (call.ledger_id, player_id))
    refuse(code)
    await note(call, "player.erased", player_id, after={"reason": body.reason})
    return OnePlayer(player=await read_player(call, player_id))


async def forfeit_bonus(call: Call, body: ReasonBody) -> Forfeited:
    """POST /admin/players/{player_id}/bonus/forfeit."""
    player_id = call.path["player_id"]
    code, forfeited = await call.row(FORFEIT, (call.ledger_id, player_id, body.reason, call.request_id))
    refuse(code)
    await note(
        call, "player.bonus_forfeited", player_id, after={"reason": body.reason, "forfeitedBonusMinor": forfeited}
    )
    return Forfeited(forfeited_bonus_minor=forfeited)


async def _freeze(call: Call, body: ReasonBody, *, is_frozen: bool) -> OnePlayer:
    player_id = call.path["player_id"]
    before = await read_player(call, player_id)
    (code,) = await call.row(FREEZE, (call.ledger_id, player_id, is_frozen))
    refuse(code)
    after = await read_player(call, player_id)
    action = "player.frozen" if is_frozen else "player.unfrozen"
    await note(
        call, action, player_id,
        before={"status": before.status}, after={"status": after.status, "reason": body.reason},
    )  # fmt: skip
    return OnePlayer(player=after)
