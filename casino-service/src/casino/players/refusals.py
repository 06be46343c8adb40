"""Answers the codes with which the SQL functions of players refuse."""

from __future__ import annotations

from typing import Final

from casino.api.errors import Refused, invalid

ORDER: Final = (
    "A limit by day is at most that by week, by week at most that by month; null removes one that is in force"
)
"""Of INVALID_FIELD, which is about the value of a limit."""
CONFLICTS: Final = {"PLAYER_NOT_ACTIVE": "PLAYER_NOT_ACTIVE_409"}
"""Rows of the table of errors for codes that a spin answers with another status."""


def refuse(code: str | None) -> None:
    """Raise Refused for a code; None is no refusal."""
    if code is not None:
        raise invalid("value", ORDER) if code == "INVALID_FIELD" else Refused(CONFLICTS.get(code, code))
