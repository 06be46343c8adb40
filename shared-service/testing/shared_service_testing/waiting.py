"""Waits for a state by polling: of a thread, another process or a database.

The bound only stops a test that would hang. A busy machine can pause for seconds, so tests do not measure the time.
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
    """Returns the first true result of `look`. Raises AssertionError, which names `awaited`, after `seconds`."""
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
    """`wait_until` in a coroutine. The event loop runs meanwhile, and `look` may be a coroutine function."""
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
