"""Types of requests and answers: structs whose members are camelCase on the wire. OpenAPI is made from them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

AMOUNT_MAX_MINOR: Final = 10**12
LIMIT_MAX: Final = 200
CURSOR_MAX: Final = 2048
"""A cursor has an instant and up to two ids of 128 characters, as base64 of JSON."""
YEAR_MAX: Final = 9998
_CONTROL: Final = r"\x00-\x1f\x7f-\x9f"
_UNSHOWN: Final = _CONTROL + r"\u2028-\u202e\u2066-\u2069\ufffe\uffff"
# Blanks, one character that is none, and the rest: no text makes it go back. Without (?!\n) Python's `$` would also
# match before a newline at the end.
PRINTABLE: Final = rf"^[^\S{_CONTROL}\u2028\u2029]*[^\s{_UNSHOWN}][^{_UNSHOWN}]*$(?!\n)"
"""A text that is not only blanks, without controls, breaks of lines, changes of direction and what is no character."""

Amount = Annotated[int, Meta(ge=1, le=AMOUNT_MAX_MINOR, description="Minor units of the currency")]
Reason = Annotated[str, Meta(min_length=1, max_length=256, pattern=PRINTABLE)]
Text = Annotated[str, Meta(min_length=1, max_length=256, pattern=PRINTABLE)]
"""A short text that can be shown in a line."""
Identifier = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$(?!\n)")]
Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, description="UTC, milliseconds, Z")]
"""An instant in an answer: see `instant`."""
InstantIn = Annotated[datetime, Meta(tz=True)]
"""An instant in a request: ISO 8601 with an offset. What is read has passed `to_utc`."""


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """A request's body, or its query. Unknown members are ignored."""


class Empty(Body):
    """A body without members."""


class Page(Body, kw_only=True):
    """The query of a list."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=CURSOR_MAX)] | None = None


class Shape(msgspec.Struct, rename="camel", kw_only=True):
    """A thing in an answer."""


class Answer(Shape, kw_only=True):
    """A successful answer's body."""

    ok: bool = True


def instant(value: datetime) -> str:
    """Returns an instant as answers show it: `2026-01-31T23:59:59.123Z`."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_utc(given: datetime) -> datetime:
    """Returns an instant of a request in UTC. Raises ValueError for one that is not in the years 1 to 9998 there."""
    try:
        moved = given.astimezone(UTC)
    except OverflowError:
        raise ValueError(given) from None
    if moved.year > YEAR_MAX:
        raise ValueError(given)
    return moved
