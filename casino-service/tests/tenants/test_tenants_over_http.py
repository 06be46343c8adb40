"""Tenants and floats over HTTP: create, list, change, fund, withdraw, and what each caller may."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from casino_testing.api import Api, Member, Tree, refused


@pytest.fixture
def tree(api: Api) -> Tree:
    return api.tree()


async def create(api: Api, member: Member, **content: Any) -> httpx.Response:
    return await api.post("/admin/tenants", {"name": "A name", **content}, token=member.token)


async def patch(api: Api, member: Member, tenant_id: str, **content: Any) -> httpx.Response:
    return await api.call("PATCH", f"/admin/tenants/{tenant_id}", content, token=member.token)


async def move(
    api: Api, member: Member, tenant_id: str, amount: Any, *, way: str = "fund", **options: Any
) -> httpx.Response:
    body = {"amountMinor": amount, "reason": "because"}
    return await api.post(f"/admin/tenants/{tenant_id}/{way}", body, token=member.token, **options)


async def test_a_tree_is_made_from_the_top(api: Api, tree: Tree) -> None:
    answer = await create(api, tree.owner, type="DISTRIBUTOR", currency="EUR")
    assert answer.status_code == 201, answer.text
    top = answer.json()["tenant"]
    assert top == {
        "tenantId": top["tenantId"], "type": "DISTRIBUTOR", "name": "A name", "parentId": None, "currency": "EUR",
        "status": "ACTIVE", "bonusBp": 5000, "timezone": "America/Los_Angeles", "region": None,
        "requireApprovalAboveMinor": None, "balanceMinor": 0,
    }  # fmt: skip
    changes = {"bonusBp": 20_000, "timezone": "Europe/Rome", "region": "IT", "requireApprovalAboveMinor": 5}
    assert (await patch(api, tree.owner, top["tenantId"], **changes)).json()["tenant"] == {**top, **changes}
    below = await create(api, tree.owner, type="OPERATOR", parentId=top["tenantId"])
    assert below.json()["tenant"].items() >= {**changes, "currency": "EUR", "parentId": top["tenantId"]}.items()
    own = await create(api, tree.operator, type="AGENT", parentId=tree.operator_id)
    assert own.json()["tenant"]["type"] == "AGENT"


async def test_a_tenant_at_the_top_has_every_game_of_main(api: Api, tree: Tree) -> None:
    content = {"type": "OPERATOR", "name": "At the top", "currency": "USD"}
    made = (await api.post("/admin/tenants", content, token=tree.owner.token)).json()["tenant"]["tenantId"]
    games = api.tenant.sql("select * from casino.games where tenant_id = %s", made)
    assert {"CRASH_001", "SLOTS_001"} <= {row["game_code"] for row in games}
    assert {(row["stake_min_minor"], row["stake_max_minor"]) for row in games} == {(1, 100_000)}


async def test_who_makes_which_tenant(api: Api, tree: Tree) -> None:
    for member in (tree.distributor, tree.operator):
        for kind in ("DISTRIBUTOR", "OPERATOR", "DEV"):
            refused(await create(api, member, type=kind), 403, "FORBIDDEN")
    for member in (tree.agent, tree.cashier, tree.auditor):
        refused(await create(api, member, type="AGENT", parentId=tree.operator_id), 403, "FORBIDDEN")
    for kind, parent in (("DEV", "distributor"), ("DISTRIBUTOR", "distributor"), ("AGENT", "distributor"),
                         ("OPERATOR", "operator"), ("AGENT", "agent")):  # fmt: skip
        parent_id = getattr(tree, f"{parent}_id")
        refused(await create(api, tree.owner, type=kind, parentId=parent_id), 400, "INVALID_FIELD", "parentId")
    refused(await create(api, tree.owner, type="AGENT"), 400, "INVALID_FIELD", "parentId")
    refused(await create(api, tree.owner, type="PLAYER"), 400, "INVALID_FIELD", "type")
    foreign = api.tree()
    refused(await create(api, tree.operator, type="AGENT", parentId=foreign.operator_id), 404, "NOT_FOUND")
    refused(await create(api, tree.operator, type="AGENT", parentId="nobody"), 404, "NOT_FOUND")
    refused(await create(api, tree.operator, type="AGENT", parentId="a\0b"), 400, "INVALID_FIELD", "parentId")


async def test_everybody_sees_the_own_tenant_and_those_below(api: Api, tree: Tree) -> None:
    foreign = api.tree()
    own = {tree.distributor_id, tree.operator_id, tree.agent_id}
    for member, seen in (
        (tree.distributor, own), (tree.operator, own - {tree.distributor_id}), (tree.cashier, {tree.agent_id}),
        (tree.auditor, own - {tree.distributor_id}),
    ):  # fmt: skip
        listed = (await api.get("/admin/tenants", token=member.token)).json()
        assert ({each["tenantId"] for each in listed["items"]}, listed["nextCursor"]) == (seen, None)
        for tenant_id in own | {foreign.agent_id, "nobody"}:
            answer = await api.get(f"/admin/tenants/{tenant_id}", token=member.token)
            assert answer.status_code == (200 if tenant_id in seen else 404)
    ids, cursor = [], ""
    while cursor is not None:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await api.get("/admin/tenants", token=tree.owner.token, params=params)).json()
        ids += [each["tenantId"] for each in page["items"]]
        cursor = page["nextCursor"]
    assert len(ids) == len(set(ids))
    assert own | {foreign.agent_id} <= set(ids)


WRONG_CHANGES: list[tuple[str, Any]] = [
    ("status", "OPEN"), ("bonusBp", -1), ("bonusBp", 20_001), ("timezone", "Mars/Olympus"),
    ("timezone", "localtime"), ("timezone", "../etc/passwd"), ("timezone", "EST5EDT4,M3.2.0,M11.1.0"),
    ("region", "x" * 65), ("region", ""), ("requireApprovalAboveMinor", -1), ("requireApprovalAboveMinor", 1.5),
    ("name", ""), ("name", "a\0b"), ("name", " \u00a0"), ("name", "a\u202eb"), ("name", "a\u2066"),
    ("region", "\uffff"),
]  # fmt: skip


async def test_a_wrong_change_names_its_field(api: Api, tree: Tree) -> None:
    for field, value in WRONG_CHANGES:
        refused(await patch(api, tree.operator, tree.agent_id, **{field: value}), 400, "INVALID_FIELD", field)


async def test_the_own_tenant_is_not_for_oneself(api: Api, tree: Tree) -> None:
    refused(await patch(api, tree.operator, tree.operator_id, bonusBp=1), 403, "FORBIDDEN")
    refused(await patch(api, tree.operator, tree.distributor_id, bonusBp=1), 404, "NOT_FOUND")
    for way in ("fund", "withdraw"):
        refused(await move(api, tree.operator, tree.operator_id, 1, way=way), 403, "FORBIDDEN")
        refused(await move(api, tree.operator, tree.distributor_id, 1, way=way), 404, "NOT_FOUND")
        refused(await move(api, tree.agent, tree.agent_id, 1, way=way), 403, "FORBIDDEN")
    tried = [
        row["subject"]
        for row in api.audit()
        if row["outcome"] == "REFUSED" and row["actor_id"] == tree.operator.staff_id
    ]
    assert tried == [tree.operator_id, tree.distributor_id, *[tree.operator_id, tree.distributor_id] * 2]


async def test_money_goes_down_the_tree_and_back(api: Api, tree: Tree) -> None:
    answer = await move(api, tree.owner, tree.distributor_id, 1_000)
    transfer = answer.json()["transfer"]
    assert (transfer["amountMinor"], transfer["balanceMinor"], transfer["parentBalanceMinor"]) == (1_000, 1_000, None)
    refused(await move(api, tree.distributor, tree.operator_id, 1_001), 409, "INSUFFICIENT_FUNDS")
    answer = await move(api, tree.distributor, tree.operator_id, 600)
    assert answer.json()["transfer"].items() >= {"balanceMinor": 600, "parentBalanceMinor": 400}.items()
    assert (await move(api, tree.distributor, tree.agent_id, 500)).json()["transfer"]["parentBalanceMinor"] == 100
    refused(await move(api, tree.operator, tree.agent_id, 501, way="withdraw"), 409, "INSUFFICIENT_FUNDS")
    back = (await move(api, tree.operator, tree.agent_id, 500, way="withdraw")).json()["transfer"]
    assert (back["balanceMinor"], back["parentBalanceMinor"]) == (0, 600)
    assert (await move(api, tree.owner, tree.distributor_id, 400, way="withdraw")).json()["transfer"][
        "balanceMinor"
    ] == 0
    for amount in (0, -1, 10**12 + 1, "1", 1.0, None):
        refused(await move(api, tree.owner, tree.distributor_id, amount), 400, "INVALID_FIELD", "amountMinor")
    actions = [row["action"] for row in api.audit() if row["outcome"] == "DONE"]
    assert actions.count("tenant.funded") == 3
    assert actions.count("tenant.withdrawn") == 2
    assert api.tenant.differences() == []


async def test_a_repeated_key_funds_once(api: Api, tree: Tree) -> None:
    headers = {"idempotency-key": "once"}
    answers = await asyncio.gather(*[move(api, tree.owner, tree.distributor_id, 7, headers=headers) for _ in range(3)])
    assert len({answer.content for answer in answers}) == 1
    assert api.tenant.balance(f"§tenant:{tree.distributor_id}") == 7
    refused(await move(api, tree.owner, tree.distributor_id, 8, headers=headers), 409, "IDEMPOTENCY_MISMATCH")


async def test_the_last_money_goes_once(api: Api, tree: Tree) -> None:
    await move(api, tree.owner, tree.distributor_id, 150)
    answers = await asyncio.gather(*[move(api, tree.distributor, tree.operator_id, 100) for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert api.tenant.differences() == []


async def test_a_closed_tenant_stays_closed(api: Api, tree: Tree) -> None:
    await move(api, tree.owner, tree.distributor_id, 10)
    await move(api, tree.owner, tree.operator_id, 10)
    refused(await patch(api, tree.distributor, tree.operator_id, status="CLOSED"), 409, "TENANT_NOT_EMPTY")
    await move(api, tree.owner, tree.operator_id, 10, way="withdraw")
    closed = await patch(api, tree.distributor, tree.operator_id, status="CLOSED")
    assert closed.json()["tenant"]["status"] == "CLOSED"
    refused(await patch(api, tree.distributor, tree.operator_id, status="ACTIVE"), 403, "TENANT_NOT_ACTIVE")
    refused(await move(api, tree.owner, tree.operator_id, 1), 403, "TENANT_NOT_ACTIVE")
    refused(await create(api, tree.owner, type="AGENT", parentId=tree.operator_id), 403, "TENANT_NOT_ACTIVE")
    changed = next(row for row in api.audit() if row["action"] == "tenant.changed")
    assert (changed["before"]["status"], changed["after"]["status"]) == ("ACTIVE", "CLOSED")
