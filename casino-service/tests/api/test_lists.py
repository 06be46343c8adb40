"""Cursors of lists."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from casino.api import cursors, lists
from casino.api.types import Page

AT = datetime(2026, 6, 1, 12, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("character", ["x", '"', "\\", "é", "\U0001f0a1"])
def test_a_cursor_that_was_answered_is_taken_however_long_its_id_is(character: str) -> None:
    """Red if it were refused: then nobody would read on. A player's history has a round's id and its provider's."""
    last = character * 128 + " " + character * 128
    page, place = lists.cut([AT, AT], Page(limit=1), place=lambda at: (at, last))
    assert page == [AT]
    assert place is not None
    query = msgspec.convert({"limit": 1, "cursor": cursors.sealed(b"pepper", "a list", place)}, Page)
    assert query.cursor is not None
    query.cursor = cursors.opened(b"pepper", "a list", query.cursor)
    assert lists.parameters(query) == {"before_at": AT, "before_id": last, "limit": 2}
