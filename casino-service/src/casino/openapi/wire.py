"""Describes the casino's wire for OpenAPI: what providers, players' clients and probes call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casino.callbacks import fields
from casino.callbacks.feed import CURSOR_MAX, PAGE_DEFAULT, PAGE_MAX
from casino.callbacks.serving import SIGNATURE_HEADER
from casino.errors import ERRORS
from shared_service.http.errors import ErrorKind
from shared_service.openapi.document import JSON_TYPE, Operation, Schema, query_parameter, reference
from shared_service.openapi.fields import IDENTIFIER, Message, identifier_field
from shared_service.openapi.wire import HEALTH, HEALTH_SCHEMA, REFUSAL, REFUSAL_SCHEMA, SIGNED_CODES, signature_scheme

SIGNED: Final[tuple[Mapping[str, list[str]], ...]] = ({"signature": []},)
CLIENT: Final[tuple[Mapping[str, list[str]], ...]] = ({"accessToken": []},)
IN_DEMO_MODE: Final[tuple[Mapping[str, list[str]], ...]] = ({}, *CLIENT)
SCHEMES: Final[Mapping[str, Mapping[str, Any]]] = {
    "signature": signature_scheme(SIGNATURE_HEADER),
    "accessToken": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A player's token of the operator",
    },
}  # fmt: skip
_CLIENT_CODES: Final = (
    "malformed_request", "malformed_json", "invalid_field", "access_token_missing", "access_token_invalid",
    "session_player_mismatch", "player_excluded", "wallet_blocked", "cooldown_active", "limit_exceeded",
    "player_not_found", "game_not_found", "body_too_large", "unsupported_media_type", "game_disabled", "play_stopped",
    "provider_draining", "rate_limited", "internal", "provider_unreachable", "provider_rejected", "overloaded",
)  # fmt: skip
_OF_SESSION: Final = ("session_not_found", "session_expired", "session_player_mismatch")
_OF_MONEY: Final = (*_OF_SESSION, "round_mismatch", "idempotency_mismatch", "session_busy")
_DEBIT_CODES: Final = (
    *_OF_MONEY, "bad_amount", "currency_mismatch", "transaction_rolled_back", "round_has_payout", "stake_too_low",
    "stake_too_high", "insufficient_balance", "player_excluded", "wallet_blocked", "limit_exceeded", "cooldown_active",
    "bonus_ack_required", "game_disabled", "play_stopped", "provider_draining",
)  # fmt: skip
_CREDIT_CODES: Final = (
    *_OF_MONEY, "bad_amount", "currency_mismatch", "no_matching_bet", "bet_rolled_back", "win_cap_exceeded",
    "transaction_rolled_back",
)  # fmt: skip
_ROLLBACK_CODES: Final = (*_OF_MONEY, "round_has_payout", "not_a_bet")
LAUNCH: Final = Message(
    "LaunchGame",
    (
        identifier_field("userId", "player_id"), identifier_field("gameId", "game_id"),
        identifier_field("country", "country", is_required=False),
        identifier_field("ipAddress", "client_address", is_required=False, description="An IP address"),
    ),
)  # fmt: skip
SIMULATE: Final = Message(
    "SimulateRound", (*LAUNCH.fields, identifier_field("sessionToken", "session_token", is_required=False))
)


class Launched(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to launchGame. `sessionToken`: in demo mode only."""

    session_token: str | UnsetType = UNSET
    provider_session_id: str
    launch_url: str
    game_id: str
    currency: str
    balance: fields.MinorText
    min_bet: fields.MinorText
    max_bet: fields.MinorText
    expires_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


_ANSWERS: Final = (fields.Booked, fields.SessionBalance, fields.FeedPage, fields.FeedRow, Launched)
_MESSAGES: Final = (fields.DEBIT, fields.CREDIT, fields.ROLLBACK, fields.BALANCE, LAUNCH, SIMULATE)


def schemas() -> dict[str, Schema]:
    """The schemas that the operations refer to."""
    _, components = msgspec.json.schema_components(_ANSWERS, ref_template="#/components/schemas/{name}")
    bodies: dict[str, Schema] = {each.name: each.schema() for each in _MESSAGES}
    return {**components, **bodies, REFUSAL: REFUSAL_SCHEMA, **HEALTH_SCHEMA}


def _kinds(codes: Iterable[str]) -> list[ErrorKind]:
    return [ERRORS[code] for code in dict.fromkeys(codes)]


def _money(name: str, summary: str, message: Message, answer: str, codes: Iterable[str]) -> Operation:
    return Operation(
        method="POST", path=f"/casino/{name}", summary=summary, tag="wallet", body=reference(message.name),
        answers={200: {JSON_TYPE: reference(answer)}}, security=SIGNED,
        refusals=_kinds((*SIGNED_CODES, "malformed_json", "body_too_large", "unsupported_media_type", *codes)),
    )  # fmt: skip


OPERATIONS: Final = (
    _money("debit", "Bet a stake", fields.DEBIT, "Booked", _DEBIT_CODES),
    _money("credit", "Pay out a bet", fields.CREDIT, "Booked", _CREDIT_CODES),
    _money("rollback", "Take a bet back", fields.ROLLBACK, "Booked", _ROLLBACK_CODES),
    _money("getBalance", "The balance of a session", fields.BALANCE, "SessionBalance", _OF_SESSION),
    Operation(
        method="GET", path="/casino/transactions", summary="The provider's transactions in the order of commits",
        tag="feed", security=SIGNED, refusals=_kinds(SIGNED_CODES),
        answers={200: {JSON_TYPE: reference("FeedPage")}},
        parameters=[
            query_parameter("after", {"type": "integer", "minimum": 0, "maximum": CURSOR_MAX, "default": 0}),
            query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT}),
        ],
    ),
    Operation(
        method="GET", path="/casino/transactions/{transaction_id}", summary="One transaction of a player", tag="feed",
        security=SIGNED, refusals=_kinds((*SIGNED_CODES, "not_found")),
        answers={200: {JSON_TYPE: reference("FeedRow")}},
        parameters=[query_parameter("userId", {**IDENTIFIER, "type": "string"}, is_required=True)],
    ),
    Operation(
        method="POST", path="/casino/launchGame", summary="Launch a game for a player's client", tag="client",
        body=reference(LAUNCH.name), security=IN_DEMO_MODE, refusals=_kinds(_CLIENT_CODES),
        answers={201: {JSON_TYPE: reference("Launched")}},
    ),
    Operation(
        method="POST", path="/casino/simulateRound", summary="Play a scripted round: in demo mode only", tag="client",
        body=reference(SIMULATE.name), security=IN_DEMO_MODE, answers={200: {JSON_TYPE: {"type": "object"}}},
        refusals=_kinds((*_CLIENT_CODES, *_OF_SESSION, "session_fingerprint_mismatch", "session_busy")),
    ),
    *HEALTH,
)  # fmt: skip
