"""What a provider's answer to a spin means: its outcome, or the platform's refusal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from casino.api.errors import API_ERRORS, Refused
from casino.errors import ERRORS
from shared_service.http import decoding

SENTENCE_MAX: Final = 256
KEPT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "insufficient_balance": "INSUFFICIENT_BALANCE",
        "limit_exceeded": "LOSS_LIMIT_REACHED",
        "session_time_limit": "TIME_LIMIT_REACHED",
        "cooldown_active": "COOLDOWN_ACTIVE",
        "bonus_ack_required": "BONUS_ACK_REQUIRED",
        "player_excluded": "PLAYER_NOT_ACTIVE",
        "wallet_blocked": "PLAYER_NOT_ACTIVE",
    }
)
"""Refusals of the wallet that are the spin's answer for ever."""
OVER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "play_stopped": "PLAY_STOPPED",
        "provider_draining": "GAME_DISABLED",
        "game_disabled": "GAME_DISABLED",
        "stake_too_low": "INVALID_STAKE",
        "stake_too_high": "INVALID_STAKE",
        "operator_unreachable": "PROVIDER_UNREACHABLE",  # the stake was returned
    }
)
"""The spin has ended at the provider without an outcome: whoever asks again asks for a new one."""
NOTHING_DONE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "session_busy": "BUSY",
        "rate_limited": "RATE_LIMITED",
        "casino_draining": "GAME_DISABLED",
        "game_not_found": "GAME_NOT_FOUND",
        "player_not_found": "NOT_FOUND",
        "idempotency_mismatch": "IDEMPOTENCY_MISMATCH",
    }
)
"""Nothing has changed, or the outcome is not known yet: the same is asked for again."""
LAUNCH_REFUSED: Final = "launch refused"
"""Stands for a provider's refusal to join the session."""
LOST_SESSION: Final = frozenset({"session_expired", "session_not_found", "session_player_mismatch", LAUNCH_REFUSED})
IN_OWN_WORDS: Final = frozenset({"play_stopped"})
"""Refusals whose sentence is the operator's."""
EXCLUDED: Final[str] = ERRORS["player_excluded"].extras["playerMessage"]
"""The sentence of PLAYER_NOT_ACTIVE for an excluded player, as casino.spin_refusal has it."""
NOT_TOLD_AGAIN: Final = frozenset({"player_excluded", "limit_exceeded"})
"""The first is EXCLUDED. The second has the body of the contract, whose `message` is for players."""
PLAYER_MESSAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        own: ERRORS[code].extras["playerMessage"]
        for code, own in {**OVER, **KEPT}.items()
        if code in ERRORS and "playerMessage" in ERRORS[code].extras and code not in NOT_TOLD_AGAIN
    }
)
"""The wire's sentences for players, by the platform's codes."""


def outcome_of(told: dict[str, Any]) -> dict[str, Any] | None:
    """The outcome in a provider's answer, or None for an answer that is not one."""
    win_minor, balance, events = told.get("win"), told.get("balance"), told.get("events")
    try:
        round_id = decoding.identifier(told, "roundId")
        balance_minor = int(balance) if isinstance(balance, str) and balance.isdecimal() else -1
        events_json = msgspec.json.encode(events).decode()
    except (Refused, ValueError, RecursionError):  # ValueError: too many digits, or half of a surrogate pair
        return None
    if type(win_minor) is not int or win_minor < 0 or not 0 <= balance_minor < 2**63 or not isinstance(events, list):
        return None
    return {
        "round_id": round_id,
        "win_minor": min(win_minor, 2**63 - 1),
        "balance_minor": balance_minor,
        "events": events_json,
    }


def refusal(code: str, sentence: str | None) -> Refused:
    """The refusal of the platform. What `casino.open_session` refuses has the wallet's codes."""
    own = KEPT.get(code) or OVER.get(code) or NOTHING_DONE.get(code) or code
    if code == "player_excluded":
        sentence = EXCLUDED
    told = EXCLUDED if sentence == EXCLUDED else PLAYER_MESSAGES.get(own)
    extras = None if told is None else {**API_ERRORS[own].extras, "playerMessage": told}
    return Refused(own, sentence=sentence, field="stakeMinor" if own == "INVALID_STAKE" else None, extras=extras)


def sentence_of(text: str | None) -> str | None:
    """A provider's sentence, which is untrusted: short and printable, else None."""
    return text[:SENTENCE_MAX] if text and text.isprintable() else None
