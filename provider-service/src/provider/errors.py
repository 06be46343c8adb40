"""The provider's table of errors: code, status, retry advice and default sentence.

`Refused(code)` is answered with the status of this table. Sentences contain nothing from a request.
"""

from collections.abc import Mapping
from typing import Final

from shared_service.http.errors import ErrorKind, ErrorTable, Refused
from shared_service.listener.heads import MALFORMED, SENTENCE
from shared_service.postgres.database import Overloaded

__all__ = ("CODES_BY_EXCEPTION", "ERRORS", "ErrorKind", "Refused")


NEVER: Final = "never retries"
SIGNS_ANEW: Final = "signs anew, retries once"
LAUNCHES_ANEW: Final = "launches anew"
ENDS_THE_GAME: Final = "ends or pauses the game"
RETRIES_SOON: Final = "retries the same id after 100 ms"
ALARMS: Final = "never retries; alarms"
SHOWS_MAINTENANCE: Final = "shows maintenance"
WAITS: Final = "waits as told, same id"
SLOWS_DOWN: Final = "waits as told"
TELLS: Final = "tells the player"
UNKNOWN: Final = "outcome unknown"
WALLET_ERROR: Final = "shows a wallet error"

_ROWS: Final = (
    ErrorKind(MALFORMED, 400, NEVER, SENTENCE + "."),
    ErrorKind("malformed_json", 400, NEVER, "The body is not a JSON object."),
    ErrorKind("invalid_field", 400, NEVER, "A field is missing or not what it must be."),
    ErrorKind("stake_too_low", 400, NEVER, "The stake is below the game's smallest."),
    ErrorKind("stake_too_high", 400, NEVER, "The stake is above the game's largest."),
    ErrorKind("currency_mismatch", 400, NEVER, "The session has another currency."),
    ErrorKind("signature_missing", 401, SIGNS_ANEW, "The request carries no signature."),
    ErrorKind("signature_malformed", 401, SIGNS_ANEW, "The signature header cannot be read."),
    ErrorKind("unknown_key", 401, SIGNS_ANEW, "No live key has this id."),
    ErrorKind("bad_signature", 401, SIGNS_ANEW, "The signature does not fit the request."),
    ErrorKind("timestamp_out_of_window", 401, SIGNS_ANEW, "The signature's time is too far from ours."),
    ErrorKind("nonce_replay", 401, SIGNS_ANEW, "The signature was used before."),
    ErrorKind("launch_code_invalid", 401, LAUNCHES_ANEW, "The launch code was used, has expired or never existed."),
    ErrorKind("play_token_invalid", 401, LAUNCHES_ANEW, "The play token does not hold: launch the game again."),
    ErrorKind("insufficient_balance", 402, TELLS, "The balance is smaller than the stake."),
    ErrorKind("demo_not_allowed", 403, NEVER, "Demo play is not allowed here."),
    ErrorKind("session_player_mismatch", 403, ENDS_THE_GAME, "The session belongs to another player."),
    ErrorKind("session_not_found", 404, LAUNCHES_ANEW, "There is no such game session."),
    ErrorKind("session_expired", 404, LAUNCHES_ANEW, "The game session has ended."),
    ErrorKind("game_not_found", 404, LAUNCHES_ANEW, "There is no such game."),
    ErrorKind("not_found", 404, NEVER, "There is nothing here."),
    ErrorKind("method_not_allowed", 405, NEVER, "This address does not know that method."),
    ErrorKind("session_busy", 409, RETRIES_SOON, "The session has a bet that is still being cleared up."),
    ErrorKind("body_too_large", 413, NEVER, "The body is larger than 64 KiB."),
    ErrorKind("unsupported_media_type", 415, NEVER, "The body must be plain, uncompressed JSON."),
    ErrorKind("idempotency_mismatch", 422, ALARMS, "This id was used with other content."),
    ErrorKind(
        "casino_draining", 423, SHOWS_MAINTENANCE, "This studio takes no new session and no new bet of the casino."
    ),
    ErrorKind("play_stopped", 423, SHOWS_MAINTENANCE, "The studio has stopped this game."),
    ErrorKind("rate_limited", 429, SLOWS_DOWN, "Too many calls, or too soon.", retry_after_seconds=2),
    ErrorKind("internal", 500, UNKNOWN, "Something went wrong here."),
    ErrorKind("operator_unreachable", 502, WALLET_ERROR, "The casino's wallet did not answer. The stake is returned."),
    ErrorKind("operator_rejected", 502, WALLET_ERROR, "The casino's wallet refused the payout."),
    ErrorKind("operator_bad_response", 502, WALLET_ERROR, "The casino's wallet answered what cannot be."),
    ErrorKind("overloaded", 503, WAITS, "Too much is going on. Nothing was done.", retry_after_seconds=1),
)
ERRORS: Final = ErrorTable(_ROWS)

# Raised before a statement is sent, so nothing was done. Any other error may come after a statement.
CODES_BY_EXCEPTION: Final[Mapping[type[Exception], str]] = {Overloaded: "overloaded"}
