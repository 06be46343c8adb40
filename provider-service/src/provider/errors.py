"""Every error that the provider answers with: code, status, retry advice and default sentence, and their one renderer.

It must never choose a status anywhere else, and never put anything of a request into a sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from shared_service.heads import MALFORMED, SENTENCE


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the table."""

    code: str
    status: int
    advice: str
    sentence: str


NEVER: Final = "never retries"
SIGNS_ANEW: Final = "signs anew, retries once"
LAUNCHES_ANEW: Final = "launches anew"
ENDS_THE_GAME: Final = "ends or pauses the game"
RETRIES_SOON: Final = "retries after 100 ms"
WAITS: Final = "waits as retry-after says, then retries"
UNKNOWN: Final = "outcome unknown: retries the same request"

_ROWS: Final = (
    ErrorKind(MALFORMED, 400, NEVER, SENTENCE + "."),
    ErrorKind("malformed_json", 400, NEVER, "The body is not a JSON object."),
    ErrorKind("invalid_field", 400, NEVER, "A field is missing or not what it must be."),
    ErrorKind("currency_mismatch", 400, NEVER, "The session has another currency."),
    ErrorKind("signature_missing", 401, SIGNS_ANEW, "The request carries no signature."),
    ErrorKind("signature_malformed", 401, SIGNS_ANEW, "The signature header cannot be read."),
    ErrorKind("unknown_key", 401, SIGNS_ANEW, "No live key has this id."),
    ErrorKind("bad_signature", 401, SIGNS_ANEW, "The signature does not fit the request."),
    ErrorKind("timestamp_out_of_window", 401, SIGNS_ANEW, "The signature's time is too far from ours."),
    ErrorKind("nonce_replay", 401, SIGNS_ANEW, "The signature was used before."),
    ErrorKind("session_player_mismatch", 403, ENDS_THE_GAME, "The session belongs to another player."),
    ErrorKind("session_not_found", 404, LAUNCHES_ANEW, "There is no such game session."),
    ErrorKind("session_expired", 404, LAUNCHES_ANEW, "The game session has ended."),
    ErrorKind("game_not_found", 404, LAUNCHES_ANEW, "There is no such game."),
    ErrorKind("not_found", 404, LAUNCHES_ANEW, "There is nothing here."),
    ErrorKind("method_not_allowed", 405, NEVER, "This address does not know that method."),
    ErrorKind("session_busy", 409, RETRIES_SOON, "The session has a bet that is still being cleared up."),
    ErrorKind("body_too_large", 413, NEVER, "The body is larger than 64 KiB."),
    ErrorKind("unsupported_media_type", 415, NEVER, "The body must be plain, uncompressed JSON."),
    ErrorKind("idempotency_mismatch", 422, NEVER, "This session was launched with other content."),
    ErrorKind("internal", 500, UNKNOWN, "Something went wrong here."),
    ErrorKind("overloaded", 503, WAITS, "Too much is going on. Nothing was done."),
)
ERRORS: Final[Mapping[str, ErrorKind]] = MappingProxyType({row.code: row for row in _ROWS})

RETRY_AFTER_SECONDS: Final = b"1"

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""


class ProviderError(Exception):
    """A request ends with this error. `field` names what is wrong with the body."""

    def __init__(self, code: str, *, field: str | None = None, sentence: str | None = None) -> None:
        super().__init__(code)
        self.kind = ERRORS[code]
        self.field = field
        self.sentence = sentence or self.kind.sentence


def render(error: ProviderError, request_id: str, extras: Mapping[str, Any] | None = None) -> Answer:
    """The one rendering of every error."""
    content: dict[str, Any] = {"error": error.sentence, "code": error.kind.code, "requestId": request_id}
    if error.field is not None:
        content["field"] = error.field
    content.update(extras or {})
    headers = [(b"content-type", b"application/json")]
    if error.kind.status == 503:
        headers.append((b"retry-after", RETRY_AFTER_SECONDS))
    return error.kind.status, headers, msgspec.json.encode(content)
