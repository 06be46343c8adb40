"""Decodes a request's body: JSON objects, identifiers, short texts, flags.

content = decode_object(body)
item_id = identifier(content, "itemId")
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

import msgspec

from shared_service.http.errors import Refused

IDENTIFIER_MAX_CHARACTERS: Final = 128
TEXT_MAX_CHARACTERS: Final = 256
KEY_MAX_CHARACTERS: Final = 64
"""The name of a doubled key is cut to this length in the log."""

_decode = msgspec.json.Decoder(type=dict[str, Any]).decode


def decode_object(body: bytes) -> dict[str, Any]:
    """Returns the body's JSON object. Raises Refused(malformed_json), also for a key that occurs twice."""
    try:
        content = _decode(body)
    except msgspec.ValidationError:  # not an object, or a number too large for the decoder
        return _decode_any_number(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: very deep nesting
        raise Refused("malformed_json", why=_why(error)) from None
    # The decoder accepts a key twice. With as many colons as keys there is none twice; with more, decode again. (There
    # are also colons in texts and nested objects.)
    if body.count(b":") != len(content):
        _decode_any_number(body)
    return content


def _decode_any_number(body: bytes) -> dict[str, Any]:
    """Decodes more slowly: refuses a key that occurs twice at any depth, and reads a very long integer as infinity.

    The field with the infinite value is then refused by its name, as with any other wrong value.
    """
    try:
        content = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_int=_whole_number, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Refused("malformed_json", why=_why(error)) from None
    if not isinstance(content, dict):
        raise Refused("malformed_json", why="not an object")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in members if names.count(name) > 1)
        raise Refused("malformed_json", why=f"a key comes twice: {doubled[:KEY_MAX_CHARACTERS]}")
    return members


def _why(error: Exception) -> str:
    """The cause, for the log. The decoders' messages name the position, and quote nothing of the body."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"  # its position counts from the text, not from the body
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _whole_number(text: str) -> int | float:
    return int(text) if len(text) <= IDENTIFIER_MAX_CHARACTERS else math.inf


def _no_constant(name: str) -> NoReturn:
    raise Refused("malformed_json", why=f"{name} is no JSON")


def identifier(content: dict[str, Any], name: str) -> str:
    """A required identifier. Raises Refused(invalid_field)."""
    value = optional_identifier(content, name)
    if value is None:
        raise Refused("invalid_field", field=name)
    return value


def optional_identifier(content: dict[str, Any], name: str) -> str | None:
    """An identifier: printable ASCII, or an integer, which becomes its decimal string. None when absent or null.

    Raises Refused(invalid_field).
    """
    value = content.get(name)
    if value is None:
        return None
    if type(value) is int:
        value = _decimal(value, name)
    if type(value) is not str or not 0 < len(value) <= IDENTIFIER_MAX_CHARACTERS:
        raise Refused("invalid_field", field=name)
    if not (value.isascii() and value.isprintable()):
        raise Refused("invalid_field", field=name)
    return value


def _decimal(value: int, name: str) -> str:
    # 128 digits have less than 426 bits. A larger number is refused anyway, and str() of it is slow.
    if value.bit_length() > IDENTIFIER_MAX_CHARACTERS * 10 // 3:
        raise Refused("invalid_field", field=name)
    return str(value)


def optional_text(content: dict[str, Any], name: str) -> str | None:
    """A short printable text. None when absent or null. Raises Refused(invalid_field)."""
    value = content.get(name)
    if value is None:
        return None
    if type(value) is not str or len(value) > TEXT_MAX_CHARACTERS or not value.isprintable():
        raise Refused("invalid_field", field=name)
    return value


def optional_flag(content: dict[str, Any], name: str) -> bool:
    """A JSON boolean. False when absent or null. Raises Refused(invalid_field)."""
    value = content.get(name)
    if value is None:
        return False
    if type(value) is not bool:
        raise Refused("invalid_field", field=name)
    return value
