"""Reads bodies and queries into structs, and names the field that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec

from casino.api.errors import Refused
from shared_service.http import decoding

B = TypeVar("B", bound=msgspec.Struct)

_AT: Final = re.compile(r"`\$\.([0-9A-Za-z_]+)")
_MISSING: Final = re.compile(r"required field `([0-9A-Za-z_]+)`")
KEY_MAX_CHARACTERS: Final = 128


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
    """Returns the struct. Raises Refused: the field's code of `codes`, or INVALID_FIELD, with the field's name."""
    try:
        return msgspec.convert(content, kind, strict=not is_query)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _AT.search(text) or _MISSING.search(text)
        name = found.group(1) if found else None
        raise Refused(codes.get(name or "", "INVALID_FIELD"), field=name, why=text[:200]) from None


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The request's idempotency key, or None. Raises Refused(INVALID_FIELD)."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not (0 < len(key) <= KEY_MAX_CHARACTERS and key.isascii() and key.isprintable()):
        raise Refused("INVALID_FIELD", field="idempotency-key")
    return key
