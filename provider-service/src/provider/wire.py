"""Reads and writes JSON on the wire.

A duplicate key, NaN, a byte-order mark, invalid UTF-8 or excessive nesting is malformed. Errors contain no text from
the document.
"""

import json
import re
from typing import Any, Final, NoReturn

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from provider.errors import Refused
from shared_service.http.decoding import decode_object
from shared_service.http.exchange import json_body
from shared_service.openapi.fields import Field

CURRENCY: Final = re.compile(r"[A-Z0-9]{3,8}")


class MalformedJson(ValueError):  # noqa: N818 - the word of the contract
    """The bytes are not exactly one JSON object, or two parsers could read them differently."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJson("duplicate key")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(name)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_refuse_constant)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `MalformedJson`."""
    try:
        content = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        # ValueError covers the decoder's own error, invalid UTF-8 and integers of thousands of digits.
        # `from None`, because the decoder's error contains the whole document.
        raise MalformedJson("not JSON") from None
    if not isinstance(content, dict):
        raise MalformedJson("not an object")
    return content


def read_request(request: Request) -> dict[str, Any]:
    """The JSON object in a request. Raises `Refused`."""
    return decode_object(json_body(request.scope))


def currency(members: dict[str, Any], name: str) -> str:
    """The currency code in the member `name`. Raises `invalid_field`."""
    value = members.get(name)
    if not isinstance(value, str) or CURRENCY.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value


def currency_field(name: str, into: str) -> Field:
    """A currency code as a field of a body."""
    return Field(name, into, currency, {"type": "string", "pattern": f"^{CURRENCY.pattern}$"})


def json_answer(content: object) -> Response:
    """A 200 answer with this content as JSON."""
    return Response(msgspec.json.encode(content), media_type="application/json")
