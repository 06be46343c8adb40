"""Describes the operator's platform for OpenAPI, from the operations that the frame made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from casino.api import permissions
from casino.api.errors import API_ERRORS
from casino.api.frame import BASE
from casino.api.guards import ANYONE, PLAYER, STAFF, WITHOUT_ENROLMENT
from casino.api.operations import Operation as Made
from casino.api.types import Empty
from shared_service.http.errors import ErrorKind
from shared_service.openapi.document import (
    JSON_TYPE,
    Operation,
    Place,
    Schema,
    header_parameter,
    query_parameter,
    reference,
)

REFUSAL: Final = "PlatformRefusal"
SCHEMES: Final[Mapping[str, Mapping[str, Any]]] = {
    "staff": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The token of /staff/login"},
    "apiKey": {"type": "http", "scheme": "bearer", "bearerFormat": "ck_…", "description": "A key of /admin/api-keys"},
    "player": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "The token of /voucher/redeem or /player/login",
    },
}  # fmt: skip
REFUSAL_SCHEMA: Final[Schema] = {
    "description": "Why a call of the platform was refused",
    "type": "object",
    "properties": {
        "ok": {"const": False},
        "code": {"type": "string"},
        "message": {"type": "string", "description": "A sentence for a person"},
        "requestId": {"type": "string"},
        "field": {"type": "string", "description": "The field that is wrong"},
        "effectiveAt": {"type": "string", "format": "date-time", "description": "When a limit can be confirmed"},
        "playerMessage": {"type": "string", "description": "Of a spin: a sentence that may be shown to the player"},
    },
    "required": ["ok", "code", "message", "requestId"],
}
_EVERY: Final = ("MALFORMED_REQUEST", "INVALID_FIELD", "RATE_LIMITED", "INTERNAL", "OVERLOADED")
_WITH_TOKEN: Final = ("TOKEN_MISSING", "TOKEN_INVALID")
_WITH_BODY: Final = ("MALFORMED_JSON", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "BUSY")
_IN_MODULE: Final = re.compile(r"casino\.([a-z]+)\.[a-z_]+\.([A-Za-z]+)")
# Python's `$` also matches before a newline; that of JSON Schema does not.
_ONLY_IN_PYTHON: Final = "(?!\\n)"


def places(operations: Iterable[Made]) -> set[Place]:
    """Method and path of each operation."""
    return {(each.method, BASE + each.path) for each in operations}


def describe(operations: Iterable[Made]) -> tuple[list[Operation], dict[str, Schema]]:
    """Returns the operations, and the schemas that they refer to."""
    made = tuple(operations)
    types = list({kind: None for each in made for kind in (each.body, each.answer) if kind is not None})
    references, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = {_short(name): _for_json(schema) for name, schema in components.items()}
    names = {kind: _short(one["$ref"]).rpartition("/")[2] for kind, one in zip(types, references, strict=True)}
    described = [_describe(each, names, schemas) for each in made]
    for each in made:
        if each.only_reads or each.body is Empty:
            schemas.pop(names[each.body], None)
    return described, {**schemas, REFUSAL: REFUSAL_SCHEMA}


def _describe(made: Made, names: Mapping[Any, str], schemas: Mapping[str, Schema]) -> Operation:
    body = schemas[names[made.body]]
    answers: dict[int, dict[str, Schema]] = {
        status: {JSON_TYPE: reference(names[made.answer])} if made.answer is not None else dict(_OTHER_MEDIA)
        for status in (made.status, *made.other_statuses)
    }
    for media in made.media_types:
        answers[made.status][media] = {"type": "string"}
    parameters = [header_parameter(name, {"type": "string"}) for name in made.headers]
    if made.only_reads:
        required = body.get("required", ())
        parameters += [
            query_parameter(name, schema, is_required=name in required)
            for name, schema in body.get("properties", {}).items()
        ]
    if made.method == "POST":
        parameters.append(header_parameter("idempotency-key", _KEY))
    has_body = not made.only_reads and made.body is not Empty
    return Operation(
        method=made.method, path=BASE + made.path, summary=summary_of(made), tag=_tag(made.path),
        description=_described(made), parameters=parameters, body=reference(names[made.body]) if has_body else None,
        is_body_required=bool(body.get("required")), answers=answers, refusals=refusals_of(made), refusal=REFUSAL,
        security=_security(made), extras={} if made.permission is None else {"x-permission": made.permission},
    )  # fmt: skip


_OTHER_MEDIA: Final[Mapping[str, Schema]] = {}
_KEY: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[\\x20-\\x7e]+$"}


def refusals_of(made: Made) -> list[ErrorKind]:
    """The refusals of an operation: what the frame and the guard say of every route like it, and its own codes."""
    codes = [*_EVERY, *made.codes, *made.field_codes.values()]
    if made.access != ANYONE:
        codes += _WITH_TOKEN
    if made.access == STAFF and not f"{BASE}{made.path}".startswith(WITHOUT_ENROLMENT):
        codes.append("OTP_ENROLMENT_REQUIRED")
    if made.access == STAFF:  # without a permission: an API key has no login of its own
        codes.append("FORBIDDEN")
    if "{" in made.path:
        codes.append("NOT_FOUND")
    if not made.only_reads:
        codes += _WITH_BODY
    if made.keeps_answers:
        codes.append("IDEMPOTENCY_MISMATCH")
    return [API_ERRORS[code] for code in dict.fromkeys(codes)]


def _security(made: Made) -> list[dict[str, list[str]]]:
    if made.access == ANYONE:
        return []
    if made.access == PLAYER:
        return [{"player": []}]
    roles = [] if made.permission is None else [made.permission]
    return [{"staff": roles}, {"apiKey": roles}]


def summary_of(made: Made) -> str:
    """The first sentence of the handler's docstring; where that is a path, the answer's, or the handler's name."""
    text = _first_sentence(made.handler)
    if text and not text.startswith((made.method, "Only")):
        return text
    if made.only_reads and made.answer is not None:
        return _first_sentence(made.answer)
    return str(getattr(made.handler, "__name__", made.path)).replace("_", " ").capitalize()


def _first_sentence(of: object) -> str:
    return (of.__doc__ or "").strip().partition("\n")[0].partition(". ")[0].rstrip(".")


def who_may(made: Made) -> str:
    """Who may call it: roles, or what else the caller must be."""
    if made.access != STAFF:
        return "anyone" if made.access == ANYONE else "players"
    if made.permission is None:
        return "staff"
    if made.only_owners:
        return permissions.OWNER
    roles = [role for role in permissions.ROLES if role in permissions.PERMISSIONS[made.permission]]
    if made.only_reads and made.permission in permissions.READ_BY_AUDITORS:
        roles.append(permissions.AUDITOR)
    return ", ".join(roles)


def _described(made: Made) -> str:
    if made.permission is None:
        return ""
    return f"Permission {made.permission}: {who_may(made)}. On the own tenant and those below it."


def _tag(path: str) -> str:
    words = [word for word in path.split("/") if word and not word.startswith("{")]
    return "/".join(words[:2]) if words[0] == "admin" else words[0]


def _short(name: str) -> str:
    """A name in which two slices differ by their own name: `casino.tenants.funding.Transfer` is `TenantsTransfer`."""
    return _IN_MODULE.sub(lambda found: f"{found[1].capitalize()}{found[2]}", name)


def _for_json(schema: Any) -> Any:
    """A schema of msgspec as JSON Schema: its patterns are Python's, and its names have modules."""
    if isinstance(schema, dict):
        return {
            name: _short(value)
            if name == "$ref"
            else value.replace(_ONLY_IN_PYTHON, "")
            if name == "pattern" and isinstance(value, str)
            else _for_json(value)
            for name, value in schema.items()
        }
    return [_for_json(each) for each in schema] if isinstance(schema, list) else schema
