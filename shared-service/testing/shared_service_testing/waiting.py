"""Waits for an event that nobody announces, by asking again and again: in a thread, another process or a database.

The bound only stops a test that would hang. A busy machine can stand still for seconds, so no test measures it.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

Found = TypeVar("Found")

WAIT_SECONDS_MAX = 60.0
POLL_SECONDS = 0.02


def wait_until(
    look: Callable[[], Found], awaited: str | Callable[[], str], *, seconds: float = WAIT_SECONDS_MAX
) -> Found:
    """Returns the first true answer of `look`. After `seconds` raises AssertionError, which says what was `awaited`."""
    for found in _looks(look, awaited, seconds):
        if found:
            break
        time.sleep(POLL_SECONDS)
    return found


async def until(
    look: Callable[[], Found | Awaitable[Found]],
    awaited: str | Callable[[], str] = "see the traceback",
    *,
    seconds: float = WAIT_SECONDS_MAX,
) -> Found:
    """`wait_until` for a coroutine: the event loop goes on meanwhile, and `look` may be a coroutine itself."""
    for found in _looks(look, awaited, seconds):
        if inspect.isawaitable(found):
            found = await found  # noqa: PLW2901 - the same answer, awaited
        if found:
            break
        await asyncio.sleep(POLL_SECONDS)
    return found


def _looks(look: Callable[[], Found], awaited: str | Callable[[], str], seconds: float) -> Iterator[Found]:
    deadline = time.monotonic() + seconds
    while True:
        yield look()
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {awaited if isinstance(awaited, str) else awaited()}")
