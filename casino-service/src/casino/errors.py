"""The table of the casino's errors: code, status, advice and sentence. docs/errors.md is rendered from it."""

from __future__ import annotations

from typing import Final

from shared_service.http.errors import JSON_HEADERS, Answer, ErrorKind, ErrorTable, Refused
from shared_service.listener.heads import MALFORMED, SENTENCE

__all__ = ("ERRORS", "JSON_HEADERS", "Answer", "ErrorKind", "Refused", "render")


_NEVER: Final = "never retries"
_SIGN_ANEW: Final = "signs anew, retries once"
_LAUNCH: Final = "launches anew"
_END: Final = "ends or pauses the game"


def _told(code: str, status: int, advice: str, sentence: str, player_message: str) -> ErrorKind:
    """A row whose answers have a sentence that may be shown to the player."""
    return ErrorKind(code, status, advice, sentence, extras={"playerMessage": player_message})


ERRORS: Final = ErrorTable(
    (
        ErrorKind(MALFORMED, 400, _NEVER, SENTENCE),
        ErrorKind("malformed_json", 400, _NEVER, "The body is not one JSON object with unique keys"),
        ErrorKind("invalid_field", 400, _NEVER, "A field is missing or has a wrong form"),
        ErrorKind(
            "bad_amount", 400, _NEVER, "The amount must be an integer in the currency's minor unit, within bounds"
        ),
        ErrorKind("currency_mismatch", 400, _NEVER, "The currency is not the session's"),
        ErrorKind("round_mismatch", 400, _NEVER, "The round belongs to another session, or the bet to another round"),
        ErrorKind("no_matching_bet", 400, _NEVER, "There is no committed bet that this credit could answer"),
        ErrorKind("bet_rolled_back", 400, _NEVER, "The bet was rolled back"),
        ErrorKind("transaction_rolled_back", 400, _NEVER, "This transaction was rolled back before it arrived"),
        ErrorKind("round_has_payout", 400, _NEVER, "Cannot rollback: round already has a payout"),
        ErrorKind("not_a_bet", 400, _NEVER, "Only a debit can be rolled back"),
        ErrorKind("stake_too_low", 400, _NEVER, "The stake is below the game's minimum"),
        ErrorKind("stake_too_high", 400, _NEVER, "The stake is above the game's maximum"),
        ErrorKind("win_cap_exceeded", 400, _NEVER, "The round would pay more than the game may pay"),
        ErrorKind("signature_missing", 401, _SIGN_ANEW, "The request is not signed"),
        ErrorKind("signature_malformed", 401, _SIGN_ANEW, "The signature header is malformed"),
        ErrorKind("unknown_key", 401, _SIGN_ANEW, "The signature names a key that is not known"),
        ErrorKind("bad_signature", 401, _SIGN_ANEW, "The signature does not match the request"),
        ErrorKind("timestamp_out_of_window", 401, _SIGN_ANEW, "The signature's time is too far from the server's"),
        ErrorKind("nonce_replay", 401, _SIGN_ANEW, "The signature was used before"),
        ErrorKind("access_token_missing", 401, _NEVER, "The player's access token is missing"),
        ErrorKind("access_token_invalid", 401, _NEVER, "The player's access token is not valid"),
        _told(
            "insufficient_balance",
            402,
            "tells the player",
            "Insufficient balance",
            "Your balance is too low for this bet.",
        ),
        ErrorKind("session_player_mismatch", 403, _END, "The session belongs to another player"),
        ErrorKind("session_fingerprint_mismatch", 403, _END, "The session is used from somewhere else"),
        _told("player_excluded", 403, _END, "The player is excluded from play", "You are excluded from play."),
        _told("wallet_blocked", 403, _END, "The wallet is blocked", "Your account is not open for play."),
        _told("limit_exceeded", 403, _END, "A limit of the player has been reached", "You have reached your limit."),
        _told("session_time_limit", 403, _END, "A time limit has been reached", "You have reached your time limit."),
        _told("cooldown_active", 403, _END, "The player is taking a break", "You are taking a break from play."),
        _told(
            "bonus_ack_required",
            403,
            _END,
            "The player has to acknowledge a bonus first",
            "You were granted a bonus. Please confirm it to go on.",
        ),
        ErrorKind("session_not_found", 404, _LAUNCH, "The session is not known"),
        ErrorKind("session_expired", 404, _LAUNCH, "The session has ended"),
        ErrorKind("player_not_found", 404, _LAUNCH, "The player is not known"),
        ErrorKind("game_not_found", 404, _LAUNCH, "The game is not known"),
        ErrorKind("not_found", 404, _NEVER, "There is nothing here"),
        ErrorKind("method_not_allowed", 405, _NEVER, "The method is not allowed here"),
        ErrorKind("session_busy", 409, "retries the same id after 100 ms", "The wallet is busy"),
        ErrorKind("body_too_large", 413, _NEVER, "The body is larger than 64 KiB"),
        ErrorKind("unsupported_media_type", 415, _NEVER, "The body must be uncompressed application/json"),
        ErrorKind(
            "idempotency_mismatch", 422, "never retries; alarms", "The transaction id was used with other content"
        ),
        _told(
            "game_disabled",
            423,
            "shows maintenance",
            "The game is under maintenance",
            "This game is closed for maintenance.",
        ),
        _told("play_stopped", 423, "shows maintenance", "The operator has stopped play", "Play is stopped for now."),
        _told(
            "provider_draining",
            423,
            "shows maintenance",
            "The game's provider takes no new bets",
            "This game is closed for maintenance.",
        ),
        ErrorKind("rate_limited", 429, "waits as told", "Too many calls", retry_after_seconds=1),
        ErrorKind("internal", 500, "outcome unknown", "An internal error: the outcome is not known"),
        ErrorKind("provider_unreachable", 502, "shows a wallet error", "The game provider cannot be reached"),
        ErrorKind(
            "provider_rejected",
            502,
            "shows a wallet error; never retries",
            "The game provider refused: its code is in the casino's log",
        ),
        ErrorKind("overloaded", 503, "waits as told, same id", "Too busy: nothing was done", retry_after_seconds=1),
    )
)
render: Final = ERRORS.render

DEBIT_AFTER_PAYOUT: Final = "Cannot bet: round already has a payout"
RECORDED_WITHOUT_EXTRAS: Final = "bare"
"""The detail of a refusal from before refusals had a playerMessage: its replay is the first answer."""
STOPPED_BECAUSE: Final = "because "
"""The detail of a `play_stopped` begins with it and goes on with the stop's reason. None: the tenant is not open."""
BREAKS_A_BOUND: Final = frozenset({"stake_too_low", "stake_too_high"})


def sentence_of(code: str, detail: str | None, *, is_debit: bool) -> str | None:
    """Returns a more specific sentence for a wallet's refusal, such as a stop's reason, or None for the table's."""
    if code == "round_has_payout" and is_debit:
        return DEBIT_AFTER_PAYOUT
    if detail is not None and detail.startswith(STOPPED_BECAUSE):
        return detail.removeprefix(STOPPED_BECAUSE)
    return f"{ERRORS[code].sentence}: {detail}" if code in BREAKS_A_BOUND and detail is not None else None
