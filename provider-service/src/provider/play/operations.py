"""Describes what game pages call, for OpenAPI."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from provider.errors import ERRORS
from provider.play.serving import SEEDS, SPIN_OF_PAGE, START
from shared_service.openapi.document import JSON_TYPE, Operation, Schema, query_parameter, reference
from shared_service.openapi.wire import REFUSAL

HTML: Final = "text/html"
TOKEN: Final[tuple[Mapping[str, list[str]], ...]] = ({"playToken": []},)
SIGNATURE: Final[Mapping[str, list[str]]] = {"signature": []}
SCHEME: Final[Mapping[str, Any]] = {
    "type": "http", "scheme": "bearer", "description": "The `playToken` of POST /v1/play/start",
}  # fmt: skip
_ALWAYS: Final = ("malformed_request", "invalid_field", "rate_limited", "internal", "overloaded")
_BODY: Final = ("malformed_json", "body_too_large", "unsupported_media_type")
_WALLET: Final = (
    "operator_unreachable",
    "operator_bad_response",
    "session_not_found",
    "session_expired",
    "casino_draining",
    "play_stopped",
)
_WALLET_STATUSES: Final = (400, 402, 403, 404, 422, 423)
"""Of the wallet's refusals, which a page is told."""
_CASINO: Final = query_parameter("casino", {"type": "string", "pattern": "^[0-9A-Za-z._-]{1,64}$"})


def _play(
    method: str,
    path: str,
    summary: str,
    answer: str,
    codes: Iterable[str] = (),
    *,
    body: str | None = None,
    security: tuple[Mapping[str, list[str]], ...] = TOKEN,
    **options: Any,
) -> Operation:
    every = (*_ALWAYS, *(_BODY if body else ()), *(("play_token_invalid",) if security else ()), *codes)
    return Operation(
        method=method, path=path, summary=summary, tag="play", answers={200: {JSON_TYPE: reference(answer)}},
        body=reference(body) if body else None, security=security,
        refusals=[ERRORS[code] for code in dict.fromkeys(every)], **options,
    )  # fmt: skip


_ROUND: Final = ("not_found",)
OPERATIONS: Final = (
    _play(
        "POST", "/v1/play/start", "Trade a launch code for a play token, or begin demo play", "Started",
        ("launch_code_invalid", "demo_not_allowed", "game_not_found", "not_found"), body=START.name, security=(),
    ),
    _play("GET", "/v1/play/state", "The state of the game", "State", _WALLET, passes_on=_WALLET_STATUSES),
    _play(
        "POST", "/v1/play/slots/{game_id}/spin", "Play a slot", "PlayedAnswer",
        (
            *_WALLET, "game_not_found", "session_busy", "stake_too_low", "stake_too_high", "idempotency_mismatch",
            "insufficient_balance", "operator_rejected",
        ),
        body=SPIN_OF_PAGE.name, passes_on=_WALLET_STATUSES,
    ),
    _play("GET", "/v1/play/rounds", "The last ten rounds", "Rounds"),
    _play("GET", "/v1/play/rounds/{round_id}", "One round", "Round", _ROUND),
    _play("GET", "/v1/play/seeds", "The seeds of the next draw", "Seeds", ("session_busy",)),
    _play(
        "POST", "/v1/play/seeds", "Set the client seed; with `rotate` reveal the server seed", "Seeds",
        ("session_busy",), body=SEEDS.name,
    ),
    _play(
        "GET", "/v1/merchants/{casino_id}/rtp", "What the games pay back for a casino", "Returns",
        (
            "not_found", "signature_missing", "signature_malformed", "unknown_key", "bad_signature",
            "timestamp_out_of_window", "nonce_replay",
        ),
        security=(*TOKEN, SIGNATURE), parameters=[query_parameter("currency", {"type": "string"}, is_required=True)],
    ),
    Operation(
        method="GET", path="/v1/launch", summary="Leads to the page of a game", tag="play",
        answers={302: {HTML: {"type": "string"}}},
        parameters=[query_parameter("gameId", {"type": "string"}, is_required=True), _CASINO],
        refusals=[ERRORS[code] for code in ("malformed_request", "invalid_field", "game_not_found", "internal")],
    ),
    Operation(
        method="GET", path="/play/{casino_code}/{game_id}", summary="The page of a game", tag="play",
        answers={
            200: {HTML: {"type": "string"}},
            404: {HTML: {"type": "string"}, JSON_TYPE: reference(REFUSAL)},
            423: {HTML: {"type": "string"}},
        },
        refusals=[ERRORS[code] for code in ("malformed_request", "invalid_field", "internal")],
    ),
)  # fmt: skip
BODIES: Final[Mapping[str, Schema]] = {each.name: each.schema() for each in (START, SPIN_OF_PAGE, SEEDS)}
