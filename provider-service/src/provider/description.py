"""Serves the provider's OpenAPI document, made from the tables that its decoders read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from provider.errors import ERRORS
from provider.play.operations import BODIES, SCHEME
from provider.play.operations import OPERATIONS as PLAY_OPERATIONS
from provider.play.returns import Returns
from provider.play.views import Round, Rounds, Seeds, Started, State
from provider.rounds.serving import SIMULATION
from provider.sessions.launch import LAUNCH, SESSION
from provider.spins.answers import PlayedAnswer, SpinAnswer
from provider.spins.serving import SPIN
from shared_service.http.errors import ErrorKind
from shared_service.http.routing import Route
from shared_service.openapi import serving
from shared_service.openapi.document import (
    JSON_TYPE,
    Operation,
    Schema,
    document,
    query_parameter,
    reference,
    release_of,
    served,
)
from shared_service.openapi.fields import Message
from shared_service.openapi.wire import HEALTH, HEALTH_SCHEMA, REFUSAL, REFUSAL_SCHEMA, SIGNED_CODES, signature_scheme

TITLE: Final = "provider-service"
ABOUT: Final = (
    "What casinos call (signed), and the studio's public list of games. Rules and examples: docs/protocol.md."
)
SIGNATURE_HEADER: Final = "x-provider-signature"
_SIGNED: Final[tuple[Mapping[str, list[str]], ...]] = ({"signature": []},)
_BODY_CODES: Final = (*SIGNED_CODES, "malformed_json", "body_too_large", "unsupported_media_type")
_LAUNCH_CODES: Final = (*_BODY_CODES, "not_found", "game_not_found", "idempotency_mismatch", "casino_draining")
_SESSION_CODES: Final = (
    *_LAUNCH_CODES, "session_not_found", "session_expired", "session_player_mismatch", "currency_mismatch",
    "session_busy", "operator_unreachable", "operator_rejected", "rate_limited",
    "play_stopped",
)  # fmt: skip
_WALLET_STATUSES: Final = (400, 402, 403, 404, 422, 423)
"""Of the wallet's refusals, which a spin passes on."""
SPIN_BODY: Final = Message("SpinRequest", (*SESSION.fields, *SPIN.fields))
SIMULATION_BODY: Final = Message("SimulationRequest", (*SESSION.fields, *SIMULATION.fields))


class Launched(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to a launch. Bets are minor units as decimal text."""

    provider_session_id: str
    game_id: str
    currency: str
    min_bet: str
    max_bet: str
    player_id: str
    launch_url: str


def _kinds(codes: Iterable[str]) -> list[ErrorKind]:
    return [ERRORS[code] for code in dict.fromkeys(codes)]


def _signed(name: str, summary: str, body: str, answer: Schema, codes: Iterable[str], **options: Any) -> Operation:
    return Operation(
        method="POST", path=f"/provider/{name}", summary=summary, tag="sessions", body=reference(body),
        answers={200: {JSON_TYPE: answer}}, security=_SIGNED, refusals=_kinds(codes), **options,
    )  # fmt: skip


def _public(path: str, summary: str, codes: Iterable[str], parameters: Iterable[Mapping[str, Any]] = ()) -> Operation:
    return Operation(
        method="GET", path=path, summary=summary, tag="games", answers={200: {JSON_TYPE: {"type": "object"}}},
        parameters=list(parameters),
        refusals=_kinds(("malformed_request", "invalid_field", "internal", "overloaded", *codes)),
    )  # fmt: skip


OPERATIONS: Final = (
    _signed("launch", "Open a game session", LAUNCH.name, reference("Launched"), _LAUNCH_CODES),
    _signed(
        "simulate", "Play a scripted round: in demo mode only", SIMULATION_BODY.name, {"type": "object"}, _SESSION_CODES
    ),
    _signed(
        "spin", "Play a slot: one debit, one draw, one credit", SPIN_BODY.name, reference("SpinAnswer"),
        (*_SESSION_CODES, "stake_too_low", "stake_too_high"), passes_on=_WALLET_STATUSES,
    ),
    _public(
        "/v1/games", "The games that can be played", (),
        (
            query_parameter("casino", {"type": "string", "pattern": "^[0-9A-Za-z._-]{1,64}$"}),
            query_parameter("currency", {"type": "string", "pattern": "^[A-Z0-9]{3,8}$"}),
        ),
    ),
    _public("/v1/games/{game_id}/par", "The PAR sheet of a slot", ("game_not_found", "not_found")),
    _public("/v1/configurations/{hash}", "The configuration with this SHA-256", ("not_found",)),
    *PLAY_OPERATIONS,
    *HEALTH,
)  # fmt: skip


def document_of(routes: Iterable[Route]) -> dict[str, Any]:
    """The document of what these routes serve."""
    answered = (SpinAnswer, Launched, Started, State, PlayedAnswer, Rounds, Round, Seeds, Returns)
    _, answers = msgspec.json.schema_components(answered, ref_template="#/components/schemas/{name}")
    bodies: dict[str, Schema] = {each.name: each.schema() for each in (LAUNCH, SPIN_BODY, SIMULATION_BODY)}
    bodies.update(BODIES)
    return document(
        served(OPERATIONS, routes, own=serving.OWN_PATHS),
        title=TITLE, version=release_of(TITLE), description=ABOUT,
        schemas={**answers, **bodies, REFUSAL: REFUSAL_SCHEMA, **HEALTH_SCHEMA},
        security_schemes={"signature": signature_scheme(SIGNATURE_HEADER), "playToken": SCHEME},
    )  # fmt: skip


def description_routes(others: Iterable[Route]) -> list[Route]:
    """GET /openapi.json and GET /docs. `others` are the routes that they describe.

    Raises ValueError for a route without a description.
    """
    others = tuple(others)
    served(OPERATIONS, others, own=serving.OWN_PATHS)
    return serving.routes(lambda: document_of(others))
