"""What group commit keeps of an item that waits, and of the items of one key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome


class KeyBusy(Exception):  # noqa: N818 - an outcome, not a defect
    """Refused before any work: too many items wait for this key, or another process holds it."""


@dataclass(slots=True, eq=False)
class Waiting(Generic[I, O]):
    """One item with its caller's future."""

    item: I
    key: Hashable
    deadline: float
    future: asyncio.Future[O]
    busy_until: float = 0.0
    may_be_committed: bool = False
    """An attempt had an unknown outcome, so a later error does not prove that nothing was done."""


@dataclass(slots=True)
class Line(Generic[I, O]):
    """The entries of one key in their order. The first `in_flight` ones are executed at this moment."""

    entries: deque[Waiting[I, O]]
    in_flight: int = 0
    is_busy: bool = False
    """Another process held the key, so that an entry that was in flight waits again."""
