"""The games of a player's lobby."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from casino.api.call import Call
from casino.api.types import Answer, Empty, Shape
from casino.players.accounts import own_id

GAMES: Final = "select * from casino.games_of_player(%s, %s)"


class Game(Shape):
    """A game that the player's tenant has. `isOpen`: whether it can be launched now; `reason`: why it is stopped."""

    game_id: str
    game_code: str
    name: str
    stake_min_minor: int
    stake_max_minor: int
    expected_rtp: str | None
    """What it pays back in the long run, as a fraction; None where its provider states none."""
    is_open: bool
    reason: str | None


class Games(Answer):
    """The player's games, by name."""

    items: list[Game]


async def games(call: Call, _: Empty) -> Games:
    """GET /player/games."""
    rows = await call.rows(GAMES, (call.ledger_id, own_id(call)))
    return Games(
        items=[
            Game(
                game_id=game_id, game_code=code, name=name, stake_min_minor=least, stake_max_minor=most,
                expected_rtp=_text(rtp), is_open=is_open, reason=reason,
            )
            for game_id, code, name, least, most, rtp, is_open, reason in rows
        ]
    )  # fmt: skip


def _text(rtp: Decimal | None) -> str | None:
    return None if rtp is None else f"{rtp:f}"
