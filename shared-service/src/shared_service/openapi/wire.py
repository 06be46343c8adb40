"""What the wires of both services have in common, as OpenAPI describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_service.openapi.document import JSON_TYPE, Operation, Schema, reference

REFUSAL: Final = "Refusal"
REFUSAL_SCHEMA: Final[Schema] = {
    "description": "Why a call was refused",
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "A sentence for a person"},
        "code": {"type": "string"},
        "requestId": {"type": "string"},
        "field": {"type": "string", "description": "The field that is wrong"},
        "playerMessage": {"type": "string", "description": "A sentence that may be shown to the user"},
        "serverTime": {"type": "integer", "description": "Of timestamp_out_of_window: unix seconds"},
    },
    "required": ["error", "code", "requestId"],
}
SIGNED_CODES: Final = (
    "malformed_request", "signature_missing", "signature_malformed", "unknown_key", "bad_signature",
    "timestamp_out_of_window", "nonce_replay", "invalid_field", "internal", "overloaded",
)  # fmt: skip
"""The codes that every signed endpoint can answer with."""
_READY: Final = {JSON_TYPE: reference("Health")}
HEALTH: Final = (
    Operation(
        method="GET", path="/health/live", summary="Whether the process runs", tag="health", answers={200: _READY},
        parameters=(),
    ),
    Operation(
        method="GET", path="/health/ready", summary="Whether the service can serve", tag="health",
        answers={200: _READY, 503: _READY},
    ),
)  # fmt: skip
HEALTH_SCHEMA: Final[Mapping[str, Schema]] = {"Health": {"type": "object", "description": "What a probe is told"}}


def signature_scheme(header: str) -> dict[str, Any]:
    """The security scheme of signed requests."""
    return {
        "type": "apiKey", "in": "header", "name": header,
        "description": (
            "t=<unix seconds>,n=<nonce>,k=<key id>,v1=<HMAC-SHA256 of the request>: docs/protocol.md, section 2."
            " Answers are signed, too."
        ),
    }  # fmt: skip
