"""Waiting for what a test means, not for a time: on a busy machine any process stands still for a second or two.

Owns the one bound of such waits, which is there against hanging for ever. Must never be what a test measures.
"""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

HANGS_AFTER_SECONDS = 60.0
POLL_SECONDS = 0.02


def until(look: Callable[[], Found], awaited: str | Callable[[], str]) -> Found:
    """What was found, as soon as there is something; `awaited` is what a test names that waited in vain."""
    deadline = time.monotonic() + HANGS_AFTER_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            what = awaited if isinstance(awaited, str) else awaited()
            raise AssertionError(f"waited {HANGS_AFTER_SECONDS} s in vain: {what}")
        time.sleep(POLL_SECONDS)
    return found
