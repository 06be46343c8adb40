"""Group commit leaks nothing: after any mixture of outcomes nothing waits or runs, and no key is kept."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_service.batches import unknown
from shared_service.postgres import group_commit
from shared_service.postgres.database import Overloaded
from shared_service.postgres.group_commit import GroupCommit, KeyBusy
from shared_service_testing.backend import WAIT_SECONDS_MAX, Backend, Command, Effect

KEYS = ("a", "b", "c")
ENDS = ("waits", "is cancelled at once", "is cancelled later", "is too late")

arrivals = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(ENDS)), min_size=1, max_size=20)
effects = st.lists(st.sampled_from(list(Effect)), max_size=30)


@pytest.fixture(autouse=True, scope="module")
def short_pauses() -> Any:
    """Short pauses between attempts. Other tests check how long they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_commit, "BUSY_RETRY_SECONDS", 0.0001)
        for name in ("RECONNECT_FIRST_SECONDS", "RECONNECT_MOST_SECONDS"):
            patch.setattr(unknown, name, 0.0001)
        yield


@given(arrivals, effects, st.sampled_from(KEYS), st.integers(1, 3))
async def test_nothing_is_remembered_after_any_mixture_of_outcomes(
    arriving: list[tuple[str, str]], done: list[Effect], poisoned: str, turns_max: int
) -> None:
    backend = Backend(done, poison=frozenset({(poisoned, 0)}), in_turns=turns_max > 1)
    group: GroupCommit[Command, Command] = GroupCommit(
        backend.execute, batch_max=3, lanes=2, queue_max=12, key_queue_max=5, turns_max=turns_max
    )
    futures: list[asyncio.Future[Command]] = []
    for number, (key, end) in enumerate(arriving):
        deadline = time.monotonic() + (-1.0 if end == "is too late" else WAIT_SECONDS_MAX)
        try:
            futures.append(group.submit((key, number), key=key, deadline=deadline))
        except (Overloaded, KeyBusy):
            continue
        if end == "is cancelled at once":
            futures[-1].cancel()
        elif end == "is cancelled later":
            asyncio.get_running_loop().call_soon(futures[-1].cancel)
        if number % 3 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        await asyncio.gather(*futures, return_exceptions=True)
        while group.size:  # noqa: ASYNC110 - what was cancelled is resolved a moment later
            await asyncio.sleep(0.001)
        while group._running:  # noqa: ASYNC110 - the last batch's task ends a moment after its outcomes
            await asyncio.sleep(0)
    left = (group.size, group._lines, list(group._ready), group._running, group._slow, backend._keys)
    assert left == (0, {}, [], set(), set(), set())
