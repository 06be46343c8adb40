"""Maps each code and status of a wallet's answer to what the provider does about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Step(Enum):
    """What happens next with the transaction."""

    SETTLE = "settle"  # accepted: the effect is recorded
    REFUSE = "refuse"  # refused for good: nothing moved
    RETRY = "retry the same id"  # the wallet did nothing
    SIGN_ANEW = "sign anew, once"  # after a second such answer: unknown
    UNKNOWN = "unknown"  # a debit is rolled back, a credit or a rollback is repeated


@dataclass(frozen=True, slots=True)
class Action:
    """What to do about an answer.

    `stops_session`: the session takes no new bet. `alarms`: the refusal is logged as an error and, for money, recorded
    as a difference. `never_known`: the wallet does not know the session or round, so there is nothing to roll back.
    """

    status: int
    step: Step
    stops_session: bool = False
    alarms: bool = False
    never_known: bool = False


_BAD_REQUEST: Final = Action(400, Step.REFUSE, alarms=True)
_GAME_RULE: Final = Action(400, Step.REFUSE)
_SIGNATURE: Final = Action(401, Step.SIGN_ANEW)
_PLAYER_BARRED: Final = Action(403, Step.REFUSE, stops_session=True)
_PLAYER_LIMITED: Final = Action(403, Step.REFUSE)
_NO_SESSION: Final = Action(404, Step.REFUSE, stops_session=True, never_known=True)
_NO_ROUND: Final = Action(404, Step.REFUSE, never_known=True)
_CLOSED: Final = Action(423, Step.REFUSE)
_GATEWAY: Final = Action(502, Step.UNKNOWN)
# The signature does not cover the content type. A proxy may have changed it, so a 415 decides nothing about money.
_MEDIA_TYPE: Final = Action(415, Step.UNKNOWN)

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "ok": Action(200, Step.SETTLE),
        "malformed_request": _BAD_REQUEST,
        "malformed_json": _BAD_REQUEST,
        "invalid_field": _BAD_REQUEST,
        "bad_amount": _BAD_REQUEST,
        "currency_mismatch": _BAD_REQUEST,
        "round_mismatch": _BAD_REQUEST,
        "no_matching_bet": _BAD_REQUEST,
        "not_a_bet": _BAD_REQUEST,
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
        "session_fingerprint_mismatch": _PLAYER_BARRED,
        "player_excluded": _PLAYER_BARRED,
        "wallet_blocked": _PLAYER_BARRED,
        "limit_exceeded": _PLAYER_LIMITED,
        "cooldown_active": _PLAYER_LIMITED,
        "session_time_limit": _PLAYER_LIMITED,
        "bonus_ack_required": _PLAYER_LIMITED,
        "session_not_found": _NO_SESSION,
        "session_expired": _NO_SESSION,
        "player_not_found": _NO_SESSION,
        "game_not_found": _NO_SESSION,
        "round_not_found": _NO_ROUND,
        "not_found": Action(404, Step.REFUSE, alarms=True, never_known=True),
        "method_not_allowed": Action(405, Step.REFUSE, alarms=True),
        "session_busy": Action(409, Step.RETRY),
        "body_too_large": Action(413, Step.REFUSE, alarms=True),
        "unsupported_media_type": _MEDIA_TYPE,
        "idempotency_mismatch": Action(422, Step.REFUSE, alarms=True),
        "game_disabled": _CLOSED,
        "provider_draining": _CLOSED,
        "casino_draining": _CLOSED,
        "play_stopped": _CLOSED,
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

# Used when ACTIONS does not know the code, or when the code comes with another status.
BY_STATUS: Final[Mapping[int, Action]] = MappingProxyType(
    {
        400: _BAD_REQUEST,
        401: _SIGNATURE,
        402: Action(402, Step.REFUSE),
        403: _PLAYER_BARRED,
        404: _NO_SESSION,
        405: Action(405, Step.REFUSE, alarms=True),
        409: Action(409, Step.RETRY),
        413: Action(413, Step.REFUSE, alarms=True),
        415: _MEDIA_TYPE,
        422: Action(422, Step.REFUSE, alarms=True),
        423: _CLOSED,
        429: Action(429, Step.RETRY),
        503: Action(503, Step.RETRY),
    }
)
_OTHER_STATUS: Final = Action(0, Step.UNKNOWN, alarms=True)


def action_for(status: int, code: str | None) -> Action:
    """The action for an answer. An unknown code is judged by the status; an unknown status is `Step.UNKNOWN`."""
    row = ACTIONS.get(code or "")
    if row is not None and row.status == status:
        return row
    return BY_STATUS.get(status, _OTHER_STATUS)
