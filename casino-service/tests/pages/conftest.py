"""An operator's tree whose agent has a float, a cashier at the desk, and people at the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from casino_testing.api import Api, Tree
from casino_testing.guest import Guest, guest_of
from casino_testing.staff import PASSWORD, add_member

FLOAT_MINOR = 1_000_000
Come = Callable[[], Awaitable[Guest]]


@pytest.fixture
async def tree(api: Api) -> Tree:
    return await api.funded_tree(float_minor=FLOAT_MINOR)


@pytest.fixture
async def come(api: Api) -> AsyncIterator[Come]:
    """Lets another person come, with a browser of their own."""
    async with AsyncExitStack() as people:

        async def one() -> Guest:
            return await people.enter_async_context(guest_of(api.service))

        yield one


@pytest.fixture
async def guest(come: Come) -> Guest:
    """Somebody who is not logged in."""
    return await come()


@pytest.fixture
async def cashier(come: Come, api: Api, tree: Tree) -> Guest:
    """A cashier of the tree's agent, logged in at the desk."""
    add_member(api, "kim", "cashier", tree.agent_id)
    person = await come()
    await person.log_in("kim", PASSWORD)
    return person
