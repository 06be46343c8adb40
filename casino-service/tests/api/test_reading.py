"""Bodies are read or refused, whatever they hold."""

from __future__ import annotations

from contextlib import suppress

import pytest

from casino.api import reading
from casino.api.errors import Refused


@pytest.mark.parametrize("depth", [10, 500, *range(850, 1_000)])
def test_a_body_is_hashed_or_refused_however_deep_it_is(depth: int) -> None:
    """Red for depths that are decoded, but not encoded again."""
    body = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    with suppress(Refused):
        reading.body_hash(reading.decode(body))
