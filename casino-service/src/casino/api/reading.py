"""Reads bodies and queries into structs, and names the field that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect
from starlette.datastructures import Headers

from casino.api.errors import Refused, invalid
from casino.api.types import PRINTABLE, YEAR_MAX, to_utc
from shared_service.http import decoding

B = TypeVar("B", bound=msgspec.Struct)

_AT: Final = re.compile(r"`\$\.([0-9A-Za-z_]+)")
_MISSING: Final = re.compile(r"required field `([0-9A-Za-z_]+)`")
KEY_MAX_CHARACTERS: Final = 128
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_FLAGS: Final = {"true": True, "false": False}
_ONLY_IN_PYTHON: Final = repr("(?!\\n)")[1:-1]
_WITH_NULL: Final = (inspect.NoneType, inspect.AnyType)


def decode(body: bytes) -> dict[str, Any]:
    """Returns the JSON object of a body; an empty body is an empty object. Raises Refused(MALFORMED_JSON)."""
    return decoding.decode_object(body) if body.strip() else {}


def body_hash(content: Mapping[str, Any]) -> bytes:
    """Returns the hash of a parsed body: the same for the same content in another spelling."""
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(text.encode()).digest()
    except UnicodeEncodeError:  # half of a surrogate pair, which no database stores
        raise Refused("MALFORMED_JSON", why="a lone surrogate") from None
    except RecursionError:  # some depths can be decoded, but not encoded
        raise Refused("MALFORMED_JSON", why="nested too deeply") from None


def convert(content: Mapping[str, Any], kind: type[B], codes: Mapping[str, str], *, is_query: bool = False) -> B:
    """Returns the struct; null for an optional member that has no null of its own is as if it were absent.

    Raises Refused: the field's code of `codes`, or INVALID_FIELD, with the field's name and what would be right.
    """
    members = _members_of(kind)
    given = {name: value for name, value in content.items() if value is not None or name not in members.never_null}
    if is_query:
        given = {name: _read(value, members.kinds.get(name)) for name, value in given.items()}
    try:
        made = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _AT.search(text) or _MISSING.search(text)
        name = found.group(1) if found else None
        code = codes.get(name or "", "INVALID_FIELD")
        if code != "INVALID_FIELD":
            raise Refused(code, field=name, why=text[:200]) from None
        raise invalid(name, _reason(text, members.kinds.get(name or "")), why=text[:200]) from None
    for attribute, name in members.instants:
        value = getattr(made, attribute)
        if isinstance(value, datetime):
            try:
                setattr(made, attribute, to_utc(value))
            except ValueError:
                raise invalid(name, f"Expected an instant of the years 1 to {YEAR_MAX} in UTC") from None
    return made


@dataclass(frozen=True, slots=True)
class _Members:
    """What `convert` knows of a struct, by the members' names on the wire."""

    kinds: Mapping[str, inspect.Type]
    never_null: frozenset[str]
    """Optional ones without a null of their own."""
    instants: tuple[tuple[str, str], ...]
    """Attributes, and their names on the wire."""


@cache
def _members_of(kind: type[msgspec.Struct]) -> _Members:
    described = inspect.type_info(kind)
    fields = described.fields if isinstance(described, inspect.StructType) else ()
    return _Members(
        {each.encode_name: each.type for each in fields},
        frozenset(
            each.encode_name
            for each in fields
            if not each.required and not any(isinstance(one, _WITH_NULL) for one in _parts(each.type))
        ),
        tuple(
            (each.name, each.encode_name)
            for each in fields
            if any(isinstance(one, inspect.DateTimeType) for one in _parts(each.type))
        ),
    )


def _parts(kind: inspect.Type | None) -> Iterator[inspect.Type]:
    """The types that a union or a list is made of."""
    if isinstance(kind, inspect.Metadata):
        yield from _parts(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _parts(each)
    elif kind is not None:
        yield kind


def _read(value: str, kind: inspect.Type | None) -> Any:
    """Returns a parameter as its type is written in JSON: an integer without exponent, fraction or leading zeros."""
    parts = tuple(_parts(kind))
    if _INTEGER.fullmatch(value) and any(isinstance(each, inspect.IntType) for each in parts):
        return int(value)
    if value in _FLAGS and any(isinstance(each, inspect.BoolType) for each in parts):
        return _FLAGS[value]
    return value


def _reason(text: str, kind: inspect.Type | None) -> str:
    """Returns what msgspec says without where it is, and without what was sent."""
    if text.startswith("Invalid enum value"):
        parts = [part.item_type if isinstance(part, inspect.ListType) else part for part in _parts(kind)]
        values = [value for part in parts if isinstance(part, inspect.LiteralType) for value in part.values]
        return "Expected one of " + ", ".join(f"`{value}`" for value in values)
    reason = text.partition(" - at ")[0]
    if repr(PRINTABLE) in reason:
        return "Expected a text of one line that is not blank"
    return reason.replace(_ONLY_IN_PYTHON, "")


def idempotency_key(headers: Headers) -> str | None:
    """The request's idempotency key, or None. Raises Refused(INVALID_FIELD)."""
    keys = headers.getlist("idempotency-key")
    if not keys:
        return None
    key = keys[0]
    if len(keys) > 1 or not (0 < len(key) <= KEY_MAX_CHARACTERS and key.isascii() and key.isprintable()):
        raise invalid("idempotency-key", f"Expected one header with 1 to {KEY_MAX_CHARACTERS} printable characters")
    return key
