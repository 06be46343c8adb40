"""GET /admin/audit: of the own tenants, filtered, in pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from casino.api.types import instant
from casino_testing.api import Api, refused
from casino_testing.staff import add_member, log_in

NOTE = "select casino.note_audit(%s, %s, 'staff', %s, 'x', %s, null, 'DONE', null, null, 'x', '192.0.2.1')"


def note(api: Api, tenant_id: str | None, action: str = "tried", actor_id: str = "1") -> None:
    api.tenant.sql(NOTE, api.tenant.ledger_id, tenant_id, actor_id, action)


async def listed(api: Api, token: str, query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(f"/admin/audit{query}", token=token)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_an_entry_says_who_did_what(api: Api) -> None:
    staff_id = add_member(api, "anna", "auditor")
    token = (await log_in(api, "anna")).json()["token"]
    refused(await log_in(api, "anna", "another password"), 401, "INVALID_CREDENTIALS")
    second, first = await listed(api, token)
    assert first == {
        "auditId": first["auditId"],
        "at": first["at"],
        "actor": {"kind": "staff", "id": staff_id, "name": "anna"},
        "tenantId": api.tenant.tenant_id,
        "action": "staff.login",
        "subject": staff_id,
        "outcome": "DONE",
        "before": None,
        "after": None,
        "requestId": first["requestId"],
        "address": "127.0.0.1",
        "refusals": 1,
    }
    assert (second["outcome"], second["after"]) == ("REFUSED", {"code": "INVALID_CREDENTIALS"})
    assert isinstance(first["auditId"], str)


async def test_each_sees_its_own_tenants_and_owners_what_belongs_to_none(api: Api) -> None:
    tree = api.tree()
    tenants = (tree.distributor_id, tree.operator_id, tree.agent_id, None, "JAQPOT")
    for tenant_id in tenants:
        note(api, tenant_id, actor_id=str(tenant_id))
    note(api, None, actor_id="None")
    seen = {
        member.role: [item["tenantId"] for item in await listed(api, member.token, "?action=tried")]
        for member in (tree.owner, tree.distributor, tree.operator, tree.auditor)
    }
    assert seen == {
        "owner": [None, "JAQPOT", None, tree.agent_id, tree.operator_id, tree.distributor_id],
        "distributor": [tree.agent_id, tree.operator_id, tree.distributor_id],
        "operator": [tree.agent_id, tree.operator_id],
        "auditor": [tree.agent_id, tree.operator_id],
    }
    for member in (tree.agent, tree.cashier):
        refused(await api.get("/admin/audit", token=member.token), 403, "FORBIDDEN")


async def test_filters_and_pages(api: Api) -> None:
    tree = api.tree()
    for number in range(6):
        note(api, (tree.operator_id, tree.agent_id)[number % 2], f"action-{number % 3}", str(number))
    token = tree.operator.token
    assert [item["actor"]["id"] for item in await listed(api, token, "?action=action-1")] == ["4", "1"]
    assert [item["actor"]["id"] for item in await listed(api, token, "?actorId=3")] == ["3"]
    assert await listed(api, token, "?actorId=3&action=action-1") == []
    api.tenant.sql(
        "update casino.audit_trail set at = at + interval '1 second' * (actor_id::integer) where ledger_id = %s",
        api.tenant.ledger_id,
    )
    moved = [row for row in api.audit() if row["action"].startswith("action")]
    since, until = (instant(moved[place]["at"] + timedelta(milliseconds=1)) for place in (1, 4))
    found = await listed(api, token, f"?from={since}&to={until}")
    assert [item["actor"]["id"] for item in found] == ["4", "3", "2"]

    seen, cursor = [], ""
    while True:
        page = (await api.get(f"/admin/audit?limit=2{cursor}", token=token)).json()
        seen += [item["actor"]["id"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == ["5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2026-01-01T00:00:00", "limit=0", "cursor=!", "actorId=", "action=%00"]
)
async def test_a_wrong_parameter_is_named(api: Api, query: str) -> None:
    token = api.tree().auditor.token
    refused(await api.get(f"/admin/audit?{query}", token=token), 400, "INVALID_FIELD", query.split("=", maxsplit=1)[0])


async def test_instants_at_the_edge_are_only_early_or_late(api: Api) -> None:
    tree = api.tree()
    note(api, tree.operator_id)
    edges = "?from=0001-01-01T00:00:00Z&to=9998-12-31T23:59:59Z"
    assert len(await listed(api, tree.operator.token, edges)) == 1


async def test_from_is_not_after_to(api: Api) -> None:
    token = api.tree().auditor.token
    same = "to=2026-01-01T00:00:00Z&from=2026-01-01T01:00:00"
    assert (await api.get(f"/admin/audit?{same}%2B01:00", token=token)).status_code == 200
    refused(await api.get(f"/admin/audit?{same}Z", token=token), 400, "INVALID_FIELD", "from")
