"""Every role at every route, with things of its own tenant, of those below, above, beside it, and of foreign ones.

The routes are those that the frame made: a new one is walked without a line here, or fails for want of a thing to name.
CI names things of some tenants at each route, drawn by a seed; NIGHTLY=1 and `make test-rls` those of every one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from casino.api.frame import ANYONE, PLAYER, Operation
from casino.api.guards import STAFF
from casino.api.permissions import ROLES
from casino_testing.api import Api, Member, api_of
from casino_testing.tenant import Tenant
from casino_testing.walk import NAMED_IN_BODY, NOBODY, Thing, World, body_of, expected
from shared_service_testing.sampling import sampled

_PARENT = re.compile(r'"parentId":"[^"]*"')
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
TENANTS_SEEN, TENANTS_NOT_SEEN = 1, 2
"""For each role at each route, without NIGHTLY=1."""
# Ends its own login: walked by the tests of staff.
ENDS_LOGINS = {"/staff/logout", "/staff/password"}


@pytest.fixture
async def world(tenant: Tenant) -> AsyncIterator[World]:
    async with api_of(tenant) as api:
        yield World.of(api)


def operations(api: Api, access: str) -> list[Operation]:
    found: tuple[Operation, ...] = api.service.app.state.operations
    return [each for each in found if each.access == access]


async def send(
    api: Api, operation: Operation, token: str | None, thing: Thing | None, *, in_body: str | None = None
) -> httpx.Response:
    path, content = operation.path, body_of(operation)
    if in_body is not None and content is not None and thing is not None:
        content[in_body] = thing.id
    elif thing is not None:
        of_thing = thing
        path = _PARAMETER.sub(lambda found: of_thing.further.get(found[1], of_thing.id), path)
    return await api.call(operation.method, path, content, token=token, headers=dict(thing.headers) if thing else {})


def cell(answer: httpx.Response) -> str:
    """What an answer says of permissions."""
    if answer.status_code in (401, 404) or answer.status_code >= 500:
        return str(answer.json()["code"])
    if answer.status_code == 403 and answer.json()["code"] == "FORBIDDEN":
        return "FORBIDDEN"
    return "allowed"


def without_request_id(answer: httpx.Response) -> dict[str, object]:
    return {**answer.json(), "requestId": None}


async def walk(world: World, operation: Operation, member: Member) -> list[str]:
    """Returns the wrong cells of one member at one route."""
    names = _PARAMETER.findall(operation.path)
    in_body = NAMED_IN_BODY.get((operation.method, operation.path))
    name = "tenant_id" if in_body else names[0] if names else None
    if name is None:
        answer = await send(world.api, operation, member.token, None)
        wanted = expected(operation, member, None, sees=True, named_in_body=False)
        return [] if cell(answer) == wanted else [f"{where(operation, member)}: {answer.text} instead of {wanted}"]
    unknown = await send(world.api, operation, member.token, Thing(NOBODY), in_body=in_body)
    seen, wrong = world.seen_by(member), []
    tenants = world.agents() if name == "voucher_id" else world.tenants()
    drawn = where(operation, member)
    for tenant_id in (
        *sampled([each for each in tenants if each in seen], TENANTS_SEEN, seed=drawn),
        *sampled([each for each in tenants if each not in seen], TENANTS_NOT_SEEN, seed=drawn),
    ):
        thing = await world.make(name, tenant_id)
        answer = await send(world.api, operation, member.token, thing, in_body=in_body)
        wanted = expected(operation, member, tenant_id, sees=tenant_id in seen, named_in_body=in_body is not None)
        at = f"{where(operation, member)} with {name} of {tenant_id}"
        if cell(answer) != wanted:
            wrong.append(f"{at}: {answer.status_code} {answer.text} instead of {wanted}")
        if tenant_id not in seen and without_request_id(answer) != without_request_id(unknown):
            wrong.append(f"{at}: {answer.text}, and of nobody {unknown.text}")
    return wrong


def where(operation: Operation, member: Member) -> str:
    return f"{member.role}: {operation.method} {operation.path}"


@pytest.mark.parametrize("role", ROLES)
async def test_what_a_role_may_do(world: World, role: str) -> None:
    member = getattr(world.tree, role)
    wrong = [
        each
        for operation in operations(world.api, STAFF)
        if operation.path not in ENDS_LOGINS
        for each in await walk(world, operation, member)
    ]
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
async def test_what_a_list_shows(world: World, role: str) -> None:
    member, api = getattr(world.tree, role), world.api
    of_tenants = {tenant_id: {world.player(tenant_id), api.staff("auditor", tenant_id).staff_id, tenant_id}
                  for tenant_id in world.tenants()}  # fmt: skip
    for tenant_id, ids in of_tenants.items():
        for name in ("approval_id", "key_id", "webhook_id", *(("voucher_id",) if tenant_id in world.agents() else ())):
            ids.add((await world.make(name, tenant_id)).id)
    hidden = [one for tenant_id, ids in of_tenants.items() if tenant_id not in world.seen_by(member) for one in ids]
    assert hidden or role == "owner"
    for operation in operations(api, STAFF):
        if not operation.only_reads or "{" in operation.path:
            continue
        answer = await api.get(operation.path, token=member.token)
        text = _PARENT.sub("", answer.text)  # a tenant knows the name of the one above it
        shown = [one for one in hidden if f'"{one}"' in text]
        assert shown == [], where(operation, member)
        if operation.path == "/admin/players" and answer.status_code == 200:
            tenants = {each["tenantId"] for each in answer.json()["items"]}
            assert tenants == world.seen_by(member)


async def test_another_ledger_is_nowhere_even_for_owners(world: World, shared_database: str) -> None:
    other = Tenant.fresh(shared_database)
    other.close()
    for operation in operations(world.api, STAFF):
        if "{tenant_id}" not in operation.path:
            continue
        answer = await send(world.api, operation, world.tree.owner.token, Thing(other.tenant_id))
        assert cell(answer) in ("NOT_FOUND", "INVALID_AGENT", "FORBIDDEN"), where(operation, world.tree.owner)
    assert other.tenant_id not in (await world.api.get("/admin/tenants", token=world.tree.owner.token)).text


async def test_each_kind_of_token_opens_the_routes_of_its_kind_alone(world: World) -> None:
    api = world.api
    player, staff = api.player_token(world.player(world.tree.agent_id)), world.tree.operator.token
    for access, foreign in ((STAFF, player), (PLAYER, staff)):
        found = operations(api, access)
        assert found
        for operation in found:
            for token, code in ((None, "TOKEN_MISSING"), (foreign, "TOKEN_INVALID"), ("x.y.z", "TOKEN_INVALID")):
                answer = await send(api, operation, token, Thing(NOBODY))
                assert (answer.status_code, answer.json()["code"]) == (401, code), operation.path
    for operation in operations(api, ANYONE):
        answer = await send(api, operation, None, Thing(NOBODY))
        assert answer.json().get("code") not in ("TOKEN_MISSING", "FORBIDDEN", "INTERNAL"), operation.path


async def test_a_player_reaches_no_thing_of_another_one(world: World) -> None:
    api, agent_id = world.api, world.tree.agent_id
    own, other = world.player(agent_id), world.player(agent_id)
    limit = {"kind": "loss", "period": "day", "value": 5}
    made = await api.post("/player/limits", limit, token=api.player_token(other))
    assert made.status_code == 201, made.text
    of_another = Thing(made.json()["limit"]["limitId"])
    for operation in operations(api, PLAYER):
        if "{" not in operation.path:
            continue
        answers = [await send(api, operation, api.player_token(own), each) for each in (of_another, Thing(NOBODY))]
        assert [each.status_code for each in answers] == [404, 404], operation.path
        assert without_request_id(answers[0]) == without_request_id(answers[1])


async def test_an_api_key_does_what_its_scopes_name_and_nothing_else(world: World) -> None:
    api, maker = world.api, world.tree.operator
    scopes = ["players.read", "vouchers.read"]
    body = {"name": "x", "scopes": scopes, "endsAt": "2100-01-01T00:00:00Z"}
    key = (await api.post("/admin/api-keys", body, token=maker.token)).json()["apiKey"]["key"]
    for operation in operations(api, STAFF):
        if operation.permission is None:
            continue
        names = _PARAMETER.findall(operation.path)
        thing = await world.make(names[0], world.tree.agent_id) if names else None
        answer = await send(api, operation, key, thing)
        wanted = "allowed" if operation.permission in scopes else "FORBIDDEN"
        assert cell(answer) == wanted, f"{where(operation, maker)}: {answer.text}"
