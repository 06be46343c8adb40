"""An operator's tree whose agent has a float, a cashier at the desk, and people at the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from casino_testing.api import Api, Tree, api_of
from casino_testing.guest import Guest, guest_of
from casino_testing.staff import PASSWORD, add_member
from casino_testing.tenant import Tenant

FLOAT_MINOR = 1_000_000
Come = Callable[[], Awaitable[Guest]]


@pytest.fixture
async def api(tenant: Tenant) -> AsyncIterator[Api]:
    async with api_of(tenant) as api:
        yield api


@pytest.fixture
async def tree(api: Api) -> Tree:
    tree = api.tree()
    for tenant_id in (tree.distributor_id, tree.operator_id, tree.agent_id):
        body = {"amountMinor": FLOAT_MINOR, "reason": "opening"}
        answer = await api.post(f"/admin/tenants/{tenant_id}/fund", body, token=tree.owner.token)
        assert answer.status_code == 200, answer.text
    return tree


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
