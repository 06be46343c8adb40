"""The actions that were taken because of how players play."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from casino.api import lists
from casino.api.call import Call
from casino.api.types import Answer, Identifier, Instant, Page, Shape, instant

OF_ONE_PLAYER_MAX: Final = 50
OF_EACH_PLAYER_MAX: Final = 5
"""Where many players are listed."""
LOSS_LIMITS_SHARE: Final = 5
"""One in so many of a player's actions may be a stop by a loss limit: a bot that goes on makes one with each bet."""
LOOKED_AT_MAX: Final = 1_000
_COLUMNS: Final = "action_id, at, player_id, play_session_id::text, action_type, score, reasons, evidence"
PAGE: Final = f"""
    select {_COLUMNS} from casino.safety_actions
    where ledger_id = %(ledger)s and (at, action_id) < (%(before_at)s, %(before_id)s)
        and (%(player)s::text is null or player_id = %(player)s)
    order by at desc, action_id desc limit %(limit)s
"""  # noqa: S608 - constants
OF_PLAYERS: Final = f"""
    select action.* from unnest(%(players)s::text[]) as player (id)
    cross join lateral (
        select {_COLUMNS} from (
            select *, row_number() over (
                partition by reasons = '{{LOSS_LIMIT}}' order by at desc, action_id desc
            ) as place
            from (
                select * from casino.safety_actions
                where ledger_id = %(ledger)s and player_id = player.id
                order by at desc, action_id desc limit {LOOKED_AT_MAX}
            ) as newest
        ) as placed
        where reasons <> '{{LOSS_LIMIT}}' or place <= %(limit)s / {LOSS_LIMITS_SHARE}
        order by at desc, action_id desc limit %(limit)s
    ) as action
"""  # noqa: S608 - constants


class ActionsQuery(Page):
    """Whose actions."""

    player_id: Identifier | None = None


class SafetyAction(Shape):
    """An action, why it was taken, and the figures that led to it."""

    action_id: str
    at: Instant
    player_id: str
    session_id: str | None
    """The play session."""
    action_type: str
    score: int
    reasons: list[str]
    evidence: dict[str, Any]


class SafetyActions(Answer):
    """A page of actions, the newest first."""

    items: list[SafetyAction]
    next_cursor: str | None


async def page(call: Call, query: ActionsQuery) -> SafetyActions:
    """GET /admin/safety/actions."""
    values = {
        "ledger": call.ledger_id, "player": query.player_id, **lists.parameters(query, id_is_number=True)
    }  # fmt: skip
    rows, next_cursor = lists.cut(await call.rows(PAGE, values), query, place=lambda row: (row[1], row[0]))
    return SafetyActions(items=[_action(row) for row in rows], next_cursor=next_cursor)


async def of_players(call: Call, player_ids: list[str], *, most: int) -> dict[str, list[SafetyAction]]:
    """The newest actions of players, at most so many of each, by player; a fifth of them are stops by loss limits."""
    found = defaultdict(list)
    values = {"ledger": call.ledger_id, "players": player_ids, "limit": most}
    for row in await call.rows(OF_PLAYERS, values):
        found[row[2]].append(_action(row))
    return found


def _action(row: tuple[Any, ...]) -> SafetyAction:
    action_id, at, player_id, session_id, action_type, score, reasons, evidence = row
    return SafetyAction(
        action_id=str(action_id), at=instant(at), player_id=player_id, session_id=session_id, action_type=action_type,
        score=score, reasons=reasons, evidence=evidence,
    )  # fmt: skip
