"""The one table that says what the provider does about each answer of a wallet.

Owns the meaning of codes and statuses. It must never be bypassed: nobody else looks at a status to decide something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Step(Enum):
    """What happens next with the transaction."""

    SETTLE = "settle"  # accepted: its effect is written down
    REFUSE = "refuse"  # refused for good: nothing moved
    RETRY = "retry the same id"  # nothing happened yet
    SIGN_ANEW = "sign anew, once"  # the second time: unknown
    UNKNOWN = "unknown"  # a debit is rolled back, a credit or a rollback is repeated


@dataclass(frozen=True, slots=True)
class Action:
    """One row. `stops_session`: no new bet in it. `alarms`: a person has to look. `never_known`: nothing to undo."""

    status: int
    step: Step
    stops_session: bool = False
    alarms: bool = False
    never_known: bool = False


_OUR_FAULT: Final = Action(400, Step.REFUSE, alarms=True)
_GAME_RULE: Final = Action(400, Step.REFUSE)
_SIGNATURE: Final = Action(401, Step.SIGN_ANEW)
_PLAYER_ENDS: Final = Action(403, Step.REFUSE, stops_session=True)
_PLAYER_PAUSES: Final = Action(403, Step.REFUSE)
_SESSION_GONE: Final = Action(404, Step.REFUSE, stops_session=True, never_known=True)
_THING_GONE: Final = Action(404, Step.REFUSE, never_known=True)
_GATEWAY: Final = Action(502, Step.UNKNOWN)
# No signature covers the content type: whoever spoilt it on the way decides nothing about a bet, let alone about a win.
_SPOILT: Final = Action(415, Step.UNKNOWN)

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "ok": Action(200, Step.SETTLE),
        "malformed_request": _OUR_FAULT,
        "malformed_json": _OUR_FAULT,
        "invalid_field": _OUR_FAULT,
        "bad_amount": _OUR_FAULT,
        "currency_mismatch": _OUR_FAULT,
        "round_mismatch": _OUR_FAULT,
        "no_matching_bet": _OUR_FAULT,
        "not_a_bet": _OUR_FAULT,
        "bet_rolled_back": _GAME_RULE,
        "transaction_rolled_back": _GAME_RULE,
        "round_has_payout": _GAME_RULE,
        "stake_too_low": _GAME_RULE,
        "stake_too_high": _GAME_RULE,
        "win_cap_exceeded": _GAME_RULE,
        "signature_missing": _SIGNATURE,
        "signature_malformed": _SIGNATURE,
        "unknown_key": _SIGNATURE,
        "bad_signature": _SIGNATURE,
        "timestamp_out_of_window": _SIGNATURE,
        "nonce_replay": _SIGNATURE,
        "insufficient_balance": Action(402, Step.REFUSE),
        "session_player_mismatch": Action(403, Step.REFUSE, stops_session=True, alarms=True),
        "session_fingerprint_mismatch": _PLAYER_ENDS,
        "player_excluded": _PLAYER_ENDS,
        "wallet_blocked": _PLAYER_ENDS,
        "limit_exceeded": _PLAYER_PAUSES,
        "cooldown_active": _PLAYER_PAUSES,
        "session_not_found": _SESSION_GONE,
        "session_expired": _SESSION_GONE,
        "player_not_found": _SESSION_GONE,
        "game_not_found": _SESSION_GONE,
        "round_not_found": _THING_GONE,
        "not_found": Action(404, Step.REFUSE, alarms=True, never_known=True),
        "method_not_allowed": Action(405, Step.REFUSE, alarms=True),
        "session_busy": Action(409, Step.RETRY),
        "body_too_large": Action(413, Step.REFUSE, alarms=True),
        "unsupported_media_type": _SPOILT,
        "idempotency_mismatch": Action(422, Step.REFUSE, alarms=True),
        "game_disabled": Action(423, Step.REFUSE),
        "rate_limited": Action(429, Step.RETRY),
        "internal": Action(500, Step.UNKNOWN),
        "provider_unreachable": _GATEWAY,
        "provider_rejected": _GATEWAY,
        "operator_unreachable": _GATEWAY,
        "operator_rejected": _GATEWAY,
        "operator_bad_response": _GATEWAY,
        "overloaded": Action(503, Step.RETRY),
    }
)

# "The status alone tells what to do": for a code that this table does not know, or that comes with another status.
BY_STATUS: Final[Mapping[int, Action]] = MappingProxyType(
    {
        400: _OUR_FAULT,
        401: _SIGNATURE,
        402: Action(402, Step.REFUSE),
        403: _PLAYER_ENDS,
        404: _SESSION_GONE,
        405: Action(405, Step.REFUSE, alarms=True),
        409: Action(409, Step.RETRY),
        413: Action(413, Step.REFUSE, alarms=True),
        415: _SPOILT,
        422: Action(422, Step.REFUSE, alarms=True),
        423: Action(423, Step.REFUSE),
        429: Action(429, Step.RETRY),
        503: Action(503, Step.RETRY),
    }
)
_NO_MEANING: Final = Action(0, Step.UNKNOWN, alarms=True)


def action_for(status: int, code: str | None) -> Action:
    """The row for a refusal."""
    row = ACTIONS.get(code or "")
    if row is not None and row.status == status:
        return row
    return BY_STATUS.get(status, _NO_MEANING)
