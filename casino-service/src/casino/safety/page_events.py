"""What a game's page asks while it is played: the risk now, and what it is to show the player."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import Answer, Body, Identifier, Shape
from casino.safety.loss_limit import session_of

ASK: Final = "select * from casino.ask_safety(%s, %s, %s)"
COOLDOWN_SECONDS: Final = 90
"""As casino.take_action has it."""
MESSAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NUDGE": "Quick check-in: your pace/bets changed a lot in the last few minutes. Want to take a short break?",
        "COOLDOWN": "Let\u2019s pause for 90s. Your balance and session will still be here.",
        "STOP": "Let\u2019s stop here for today. Your balance is safe.",
    }
)


class PageEvent(Body):
    """What happened on the page."""

    game_key: Identifier
    event_type: Literal["SPIN"]


class Risk(Shape):
    """How the player plays: a score from 0 to 100, its band, and every signal that there is."""

    score: int
    band: str
    reasons: list[str]


class ToShow(Shape, kw_only=True):
    """What the page shows: NUDGE, COOLDOWN or STOP."""

    action_type: str
    cooldown_seconds: int | UnsetType = UNSET
    """Only of a COOLDOWN: how long it lasted when it began."""
    message: str


class Watched(Answer):
    """The risk, and the newest action that no answer has shown yet."""

    risk: Risk
    action: ToShow | None


async def report_event(call: Call, _: PageEvent) -> Watched:
    """POST /safety/event."""
    session_id = session_of(call)
    code, score, band, reasons, action_type = await call.row(ASK, (call.ledger_id, call.caller.id, session_id))
    if code is not None:
        raise Refused(code)
    return Watched(risk=Risk(score=score, band=band, reasons=reasons), action=_to_show(action_type))


def _to_show(action_type: str | None) -> ToShow | None:
    if action_type is None:
        return None
    seconds = COOLDOWN_SECONDS if action_type == "COOLDOWN" else UNSET
    return ToShow(action_type=action_type, cooldown_seconds=seconds, message=MESSAGES[action_type])
