"""The table of the platform's errors: the codes of `/api/v1`. docs/errors.md is rendered from it."""

from __future__ import annotations

from typing import Any, Final

from shared_service.http.errors import ErrorKind, ErrorTable, Refused

__all__ = ("API_ERRORS", "Refused", "invalid")

_NEVER: Final = "never retries"
_LOGIN: Final = "logs in anew"
_TELL: Final = "tells the person"
_WAIT: Final = "waits as told"


class ApiErrorTable(ErrorTable):
    """Codes in capitals, in a flat body. The codes of the shared runtime library are found in small letters, too."""

    def __getitem__(self, code: str) -> ErrorKind:
        return super().__getitem__(code.upper())

    def content(self, kind: ErrorKind, sentence: str, request_id: str) -> dict[str, Any]:
        """A flat body, as a success has it."""
        return {"ok": False, "code": kind.code, "message": sentence, "requestId": request_id}


API_ERRORS: Final = ApiErrorTable(
    (
        ErrorKind("MALFORMED_REQUEST", 400, _NEVER, "The request is malformed"),
        ErrorKind("MALFORMED_JSON", 400, _NEVER, "The body is not one JSON object with unique keys"),
        ErrorKind("INVALID_FIELD", 400, _NEVER, "A field is missing or has a wrong form"),
        ErrorKind("INVALID_AMOUNT", 400, _NEVER, "The amount is no integer from 1 to 1,000,000,000,000"),
        ErrorKind("INVALID_OR_USED_VOUCHER", 400, _TELL, "The voucher cannot be redeemed with this code and PIN"),
        ErrorKind("GAME_CODE_REQUIRED", 400, _NEVER, "The game's code is missing, or is none"),
        ErrorKind("INVALID_STAKE", 400, _NEVER, "The stake must be an integer within the game's range"),
        ErrorKind("SESSION_REQUIRED", 400, _NEVER, "The header x-session-id is missing"),
        ErrorKind("TOKEN_MISSING", 401, _LOGIN, "The bearer token is missing"),
        ErrorKind("INVALID_CREDENTIALS", 401, _TELL, "Name, password or one-time password is wrong"),
        ErrorKind("OTP_REQUIRED", 401, "repeats with a one-time password", "A one-time password is required"),
        ErrorKind("TOKEN_REUSED", 401, _LOGIN, "The refresh token was used before: its login has ended"),
        ErrorKind("INVALID_PLAYER_CREDENTIALS", 401, _TELL, "Login code or PIN is wrong"),
        ErrorKind("TOKEN_INVALID", 401, _LOGIN, "The bearer token is not valid"),
        ErrorKind("INSUFFICIENT_BALANCE", 402, _TELL, "The balance is too low"),
        ErrorKind(
            "BONUS_ACK_REQUIRED",
            403,
            "acknowledges the bonus, takes a new spin id",
            "A bonus was granted: acknowledge it with /player/bonus/ack, then spin with a new id",
        ),
        ErrorKind("COOLDOWN_ACTIVE", 403, "takes a new spin id after the break", "You are taking a break from play"),
        ErrorKind("FORBIDDEN", 403, _NEVER, "The caller may not do this"),
        ErrorKind(
            "LOSS_LIMIT_REACHED",
            403,
            _TELL,
            "Loss limit reached for this session.",
            extras={"action": {"actionType": "STOP"}},
        ),
        ErrorKind("OTP_ENROLMENT_REQUIRED", 403, _TELL, "One-time passwords are required: enrol first"),
        ErrorKind("PLAYER_NOT_ACTIVE", 403, _TELL, "The player's account is not active"),
        ErrorKind("SELF_APPROVAL", 403, _NEVER, "Who asked, or staff whom that person made, cannot decide"),
        ErrorKind("TENANT_NOT_ACTIVE", 403, _TELL, "The tenant, or one above it, is not active"),
        ErrorKind("TIME_LIMIT_REACHED", 403, _TELL, "You have reached your time limit"),
        ErrorKind("INVALID_AGENT", 404, _NEVER, "There is no such active agent"),
        ErrorKind("GAME_NOT_FOUND", 404, _NEVER, "The game is not known"),
        ErrorKind("NOT_FOUND", 404, _NEVER, "There is nothing here"),
        ErrorKind("METHOD_NOT_ALLOWED", 405, _NEVER, "The method is not allowed here"),
        ErrorKind("ALREADY_DECIDED", 409, _NEVER, "It was approved or rejected before"),
        ErrorKind("BALANCE_TOO_HIGH", 409, _TELL, "No balance can hold that much"),
        ErrorKind("BONUS_NOT_PENDING", 409, _NEVER, "No bonus is pending"),
        ErrorKind(
            "BUSY",
            409,
            "repeats the same request",
            "The same request, or another one, is at work on this",
            retry_after_seconds=1,
        ),
        ErrorKind("CURRENCY_MISMATCH", 409, _NEVER, "The float is in another currency than the player's wallet"),
        ErrorKind("DEPOSIT_LIMIT_REACHED", 409, _TELL, "The deposit is above a limit of the player"),
        ErrorKind(
            "IDEMPOTENCY_MISMATCH", 409, _NEVER, "The idempotency key, or the spin's id, was used with other content"
        ),
        ErrorKind("INSUFFICIENT_AGENT_FUNDS", 409, _TELL, "The agent's float does not hold enough"),
        ErrorKind("INSUFFICIENT_FUNDS", 409, _TELL, "There is not enough money"),
        ErrorKind("LIMIT_MAY_ONLY_BE_LOWERED", 409, _NEVER, "Only the player may raise or remove a limit"),
        ErrorKind("LIMIT_NOT_DUE", 409, "waits until the limit's effectiveAt", "It is too early to confirm the limit"),
        ErrorKind("LOSS_LIMIT_LOCKED", 409, _NEVER, "The loss limit of a session can only be lowered"),
        ErrorKind("OPEN_BETS", 409, "repeats when the rounds have ended", "A bet is open"),
        ErrorKind(
            "PLAYER_NOT_ACTIVE", 409, _TELL, "The player's account is not active", found_as="PLAYER_NOT_ACTIVE_409"
        ),
        ErrorKind("PLAYER_NOT_EMPTY", 409, _TELL, "The player has money, an open bet or a pending bonus"),
        ErrorKind("SHIFT_NOT_OPEN", 409, _NEVER, "No shift is open"),
        ErrorKind("SHIFT_OPEN", 409, _NEVER, "A shift is open already"),
        ErrorKind("TENANT_NOT_EMPTY", 409, _TELL, "The tenant still has money, players with money, or new vouchers"),
        ErrorKind("TOO_MANY_WEBHOOKS", 409, _NEVER, "The tenant has 20 webhooks: delete one first"),
        ErrorKind("VOUCHER_NOT_NEW", 409, _NEVER, "The voucher was redeemed, is void or has expired"),
        ErrorKind("OTP_ENROLLED", 409, _NEVER, "One-time passwords are enrolled already"),
        ErrorKind("OTP_NOT_ENROLLED", 409, _NEVER, "There is no enrolment to confirm or delete"),
        ErrorKind("USERNAME_TAKEN", 409, _TELL, "The name is taken"),
        ErrorKind("BODY_TOO_LARGE", 413, _NEVER, "The body is larger than 64 KiB"),
        ErrorKind("UNSUPPORTED_MEDIA_TYPE", 415, _NEVER, "The body must be uncompressed application/json"),
        ErrorKind("GAME_DISABLED", 423, _TELL, "The game is under maintenance"),
        ErrorKind("PLAY_STOPPED", 423, _TELL, "The operator has stopped play"),
        ErrorKind("LOCKED", 429, _WAIT, "Too many refused logins: locked for a while"),
        ErrorKind("RATE_LIMITED", 429, _WAIT, "Too many calls", retry_after_seconds=1),
        ErrorKind("INTERNAL", 500, "repeats with the same idempotency key", "An internal error"),
        ErrorKind("PROVIDER_UNREACHABLE", 502, "repeats with the same id", "The game's provider cannot be reached"),
        ErrorKind("OVERLOADED", 503, _WAIT, "Too busy: nothing was done", retry_after_seconds=1),
    )
)
"""Sorted by status, then by code. A slice adds its rows here."""


def invalid(field: str | None, reason: str, *, why: str | None = None) -> Refused:
    """Returns the refusal of a field. `reason` says what would be right, and nothing of what was sent."""
    sentence = f"{API_ERRORS['INVALID_FIELD'].sentence}: {reason}"
    return Refused("INVALID_FIELD", field=field, sentence=sentence, why=why)
