"""Answers the codes with which the SQL functions of players refuse."""

from __future__ import annotations

from typing import Final

from casino.api.errors import Refused

FIELDS: Final = {"INVALID_FIELD": "value"}
"""The field that is wrong, by code."""
CONFLICTS: Final = {"PLAYER_NOT_ACTIVE": "PLAYER_NOT_ACTIVE_409"}
"""Rows of the table of errors for codes that a spin answers with another status."""


def refuse(code: str | None) -> None:
    """Raise Refused for a code; None is no refusal."""
    if code is not None:
        raise Refused(CONFLICTS.get(code, code), field=FIELDS.get(code))
