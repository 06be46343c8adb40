"""Tables of a body's fields: the decoder reads them, and OpenAPI is made from them.

LAUNCH = Message("Launch", (identifier_field("userId", "user_id"), text_field("reason", "reason")))
LAUNCH.read({"userId": 7})  # {"user_id": "7", "reason": None}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared_service.http import decoding

Read = Callable[[dict[str, Any], str], Any]
"""Reads a member of a body by its name. Raises Refused."""

IDENTIFIER: Final[Mapping[str, Any]] = {
    "type": ["string", "integer"],
    "minLength": 1,
    "maxLength": decoding.IDENTIFIER_MAX_CHARACTERS,
    "pattern": r"^[\x20-\x7e]+$",
}
"""The schema of an identifier in a request: an integer means its decimal string."""
TEXT: Final[Mapping[str, Any]] = {
    "type": ["string", "null"],
    "maxLength": decoding.TEXT_MAX_CHARACTERS,
    "description": "Printable characters",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a body: its name there, the name of what is read, how it is read, and its JSON schema."""

    name: str
    into: str
    read: Read
    schema: Mapping[str, Any]
    is_required: bool = True


class Message:
    """A body's fields. They are read in the order of the table: the first wrong one is refused."""

    def __init__(self, name: str, fields: tuple[Field, ...]) -> None:
        self.name: Final = name
        self.fields: Final = fields
        self._plan: Final = tuple((each.into, each.read, each.name) for each in fields)

    def read(self, content: dict[str, Any]) -> dict[str, Any]:
        """What the fields say, by `into`. Raises Refused."""
        return {into: read(content, name) for into, read, name in self._plan}

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the body. Unknown members are ignored."""
        return {
            "type": "object",
            "properties": {each.name: dict(each.schema) for each in self.fields},
            "required": [each.name for each in self.fields if each.is_required],
        }


def identifier_field(name: str, into: str, *, is_required: bool = True, description: str = "") -> Field:
    """An identifier of 1 to 128 printable ASCII characters."""
    schema: dict[str, Any] = dict(IDENTIFIER)
    if description:
        schema["description"] = description
    if is_required:
        return Field(name, into, decoding.identifier, schema)
    return Field(name, into, decoding.optional_identifier, {**schema, "type": [*schema["type"], "null"]}, False)


def text_field(name: str, into: str) -> Field:
    """A short text, which may be absent."""
    return Field(name, into, decoding.optional_text, TEXT, False)


def flag_field(name: str, into: str) -> Field:
    """A boolean, false when it is absent."""
    return Field(name, into, decoding.optional_flag, {"type": ["boolean", "null"]}, False)
