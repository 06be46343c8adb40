"""JSON on the wire: read strictly, whoever sent it, and written in one way.

Owns what counts as a JSON object and as an identifier. It must never guess: a duplicate key, NaN, a byte-order mark,
bad UTF-8 or endless nesting is malformed, and the text of what was sent is in no error.
"""

import json
import re
from typing import Any, Final, NoReturn

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from provider.errors import Refused

IDENTIFIER_MAX_CHARS: Final = 128
CURRENCY: Final = re.compile(r"[A-Z0-9]{3,8}")
_PRINTABLE: Final = re.compile(r"[ -~]{1,128}")


class MalformedJson(ValueError):  # noqa: N818 - the word of the contract
    """The bytes are not one JSON object that can be read in only one way."""


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
        # ValueError covers the decoder's own error, bad UTF-8 and integers of thousands of digits. `from None`: the
        # decoder's error carries the whole document.
        raise MalformedJson("not JSON") from None
    if not isinstance(content, dict):
        raise MalformedJson("not an object")
    return content


async def read_request(request: Request) -> dict[str, Any]:
    """The JSON object in a request. Raises the error that its sender gets."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused("unsupported_media_type")
    try:
        return read_object(await request.body())
    except MalformedJson:
        raise Refused("malformed_json") from None


def identifier(members: dict[str, Any], name: str) -> str:
    """The identifier `name`: a string of 1 to 128 printable ASCII characters, or an integer meaning its digits."""
    value = members.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or _PRINTABLE.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value


def currency(members: dict[str, Any], name: str) -> str:
    """The currency code `name`."""
    value = members.get(name)
    if not isinstance(value, str) or CURRENCY.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value


def json_answer(content: object) -> Response:
    """A 200 answer."""
    return Response(msgspec.json.encode(content), media_type="application/json")
