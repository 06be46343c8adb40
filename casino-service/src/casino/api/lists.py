"""Pages of lists: the newest first, ties by id, with the place at which the next page begins.

The frame makes the cursor of the place, and the place of the cursor (casino.api.cursors).

    position = lists.position(query)                        # None: the first page
    rows = await call.rows(STATEMENT, {..., **lists.parameters(query)})
    items, next_cursor = lists.cut(rows, query, place=lambda row: (row.at, row.id))

The statement has `(at, id) < (%(before_at)s, %(before_id)s)`, orders by both descending, and asks for `%(limit)s` rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from casino.api.types import Page

R = TypeVar("R")

LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
LAST_ID: Final = "\U0010ffff"
LAST_NUMBER: Final = 9223372036854775807
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[datetime, str | int]).decode


def parameters(query: Page, *, id_is_number: bool = False) -> dict[str, Any]:
    """Returns before_at, before_id and limit (one more than the page, to see whether there is a next one)."""
    at, last_id = LAST, LAST_NUMBER if id_is_number else LAST_ID
    if query.cursor is not None:
        at, last_id = _decode(query.cursor)
    return {"before_at": at, "before_id": last_id, "limit": query.limit + 1}


def cut(
    rows: Sequence[R], query: Page, *, place: Callable[[R], tuple[datetime, str | int]]
) -> tuple[list[R], str | None]:
    """Returns the rows of the page, and the place of the next one or None. `place` returns a row's instant and id."""
    page = list(rows[: query.limit])
    if len(rows) <= query.limit:
        return page, None
    at, last_id = place(page[-1])
    return page, _encode((at.astimezone(UTC), last_id)).decode()
