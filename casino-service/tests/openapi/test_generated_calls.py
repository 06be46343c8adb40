"""Every answer to a generated call is in the OpenAPI document: its status, its media type, its shape and its code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from casino.api.permissions import PERMISSIONS
from casino_testing.api import Api, api_of
from casino_testing.tenant import Tenant
from casino_testing.walk import World
from shared_service_testing.generated_calls import GeneratedCalls

pytestmark = [
    pytest.mark.slow,
    # The application's thread draws random numbers while the generator does.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module"),
]

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


@dataclass(kw_only=True)
class Calls(GeneratedCalls):
    """Generated calls to the casino's application."""

    api: Api


@pytest.fixture
def calls(tenant: Tenant) -> Iterator[Calls]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(api_of(tenant)) as api:
        yield Calls(portal=portal, client=api.service.anybody, api=api)


def below(calls: Calls, beginning: str) -> list[Any]:
    return [each for each in calls.all_operations() if each.path.startswith(beginning)]


@pytest.mark.parametrize("role", ["operator", "cashier"])
def test_staff(calls: Calls, role: str) -> None:
    world = World.of(calls.api)
    member = getattr(world.tree, role)
    for operation in below(calls, "/api/v1/"):
        schemes = {name for each in operation.definition.raw["security"] for name in each}
        if "staff" not in schemes or operation.path in ("/api/v1/staff/logout", "/api/v1/staff/password"):
            continue
        permission = operation.definition.raw.get("x-permission")
        if permission is not None and role not in PERMISSIONS[permission]:
            continue
        names = _PARAMETER.findall(operation.path)

        def named(names: list[str] = names) -> dict[str, str]:
            return {name: calls.portal.call(world.make, name, world.tree.agent_id).id for name in names}

        calls.run(operation, token=member.token, named=named)
        if names:
            calls.run(operation, token=member.token)
    assert not calls.wrong, "\n\n".join(calls.wrong)


def test_players(calls: Calls) -> None:
    world = World.of(calls.api)
    for operation in below(calls, "/api/v1/"):
        if operation.definition.raw["security"] == [{"player": []}]:
            player = world.player(world.tree.agent_id)
            calls.run(operation, token=calls.api.player_token(player))
    assert not calls.wrong, "\n\n".join(calls.wrong)


def test_anybody_and_logins(calls: Calls) -> None:
    for operation in calls.all_operations():
        if operation.path == "/casino/simulateRound":
            continue  # the provider of this test plays no rounds
        if {} in operation.definition.raw["security"] or not operation.definition.raw["security"]:
            calls.run(operation)
    assert not calls.wrong, "\n\n".join(calls.wrong)
    assert calls.statuses["POST /api/v1/staff/login"] & {400, 401, 429}


def test_a_provider_that_signs(calls: Calls) -> None:
    signed = [each for each in calls.all_operations() if {"signature": []} in each.definition.raw["security"]]
    assert len(signed) == 6
    for operation in signed:
        calls.run(operation, client=calls.api.service.signed)
        calls.run(operation)
    assert not calls.wrong, "\n\n".join(calls.wrong)
