"""Room for so many at once and no more.

Owns a count. It must never make anybody wait: who finds no room is told so before any work.
"""

from __future__ import annotations

from casino.db import Overloaded


class Room:
    """Enter it with `with`. Raises Overloaded when it is full."""

    def __init__(self, *, places: int) -> None:
        self._places = places
        self._taken = 0

    def __enter__(self) -> None:
        if self._taken >= self._places:
            raise Overloaded
        self._taken += 1

    def __exit__(self, *_: object) -> None:
        self._taken -= 1
