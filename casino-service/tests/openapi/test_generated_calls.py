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
from shared_service_testing.sampling import IS_NIGHTLY, sampled

pytestmark = [
    pytest.mark.slow,
    # The application's thread draws random numbers while the generator does.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module"),
]

ENDS_LOGINS = ("/api/v1/staff/logout", "/api/v1/staff/password")
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


@dataclass(kw_only=True)
class Calls(GeneratedCalls):
    """Generated calls to the casino's application."""

    api: Api


@pytest.fixture
def calls(tenant: Tenant) -> Iterator[Calls]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(api_of(tenant)) as api:
        yield Calls(portal=portal, client=api.service.anybody, api=api)


def schemes_of(operation: Any) -> set[str]:
    return {name for each in operation.definition.raw["security"] for name in each}


def below(calls: Calls, beginning: str) -> list[Any]:
    return [each for each in calls.all_operations() if each.path.startswith(beginning)]


def test_staff(calls: Calls) -> None:
    """Half of the routes as an operator or a cashier, whoever may call it; with NIGHTLY=1 every one as both."""
    world = World.of(calls.api)
    found = [each for each in below(calls, "/api/v1/") if "staff" in schemes_of(each) and each.path not in ENDS_LOGINS]
    operations = sampled(found, len(found) // 2)
    unnamed = {id(each) for each in sampled(operations, len(operations) // 4)}
    for operation in operations:
        permission = operation.definition.raw.get("x-permission")
        roles = [role for role in ("operator", "cashier") if permission is None or role in PERMISSIONS[permission]]
        names = _PARAMETER.findall(operation.path)

        def named(names: list[str] = names) -> dict[str, str]:
            return {name: calls.portal.call(world.make, name, world.tree.agent_id).id for name in names}

        for role in sampled(roles, 1, seed=operation.path):
            member = getattr(world.tree, role)
            calls.run(operation, token=member.token, named=named)
            if names and (IS_NIGHTLY or id(operation) in unnamed):
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
