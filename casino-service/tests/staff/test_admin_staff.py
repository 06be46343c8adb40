"""Staff make, list and change staff over HTTP, and API keys: what answers show, and what the audit trail says."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from casino.api import permissions
from casino_testing.api import Api, Member, Tree, refused
from casino_testing.staff import PASSWORD, add_member, log_in, tokens_of

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


def body_for(tree: Tree, **changes: Any) -> dict[str, Any]:
    return {"username": "Anna.1", "password": PASSWORD, "role": "cashier", "tenantId": tree.agent_id, **changes}


async def test_a_member_of_staff_is_made_and_logs_in(api: Api) -> None:
    tree = api.tree()
    answer = await api.post("/admin/staff", body_for(tree), token=tree.operator.token)
    staff = answer.json()["staff"]
    assert answer.status_code == 201
    assert (staff["username"], staff["role"], staff["tenantId"]) == ("anna.1", "cashier", tree.agent_id)
    assert (staff["active"], staff["otp"]) == (True, False)
    assert (await log_in(api, "anna.1")).json()["staff"] == staff
    refused(await api.post("/admin/staff", body_for(tree), token=tree.operator.token), 409, "USERNAME_TAKEN")
    (row,) = (row for row in api.audit() if row["action"] == "staff.created")
    assert (row["actor_id"], row["subject"], row["tenant_id"]) == (tree.operator.staff_id, staff["id"], tree.agent_id)
    assert row["after"] == {"username": "anna.1", "role": "cashier", "tenantId": tree.agent_id, "active": True}


NOT_MADE: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"role": "owner"}, 403, "FORBIDDEN", None),
    ({"role": "operator"}, 403, "FORBIDDEN", None),
    ({"role": "king"}, 400, "INVALID_FIELD", "role"),
    ({"tenantId": "JAQPOT"}, 404, "NOT_FOUND", None),
    ({"tenantId": None}, 400, "INVALID_FIELD", "tenantId"),
    ({"username": "ab"}, 400, "INVALID_FIELD", "username"),
    ({"username": "anna\n"}, 400, "INVALID_FIELD", "username"),
    ({"username": "änna"}, 400, "INVALID_FIELD", "username"),
    ({"username": "a" * 65}, 400, "INVALID_FIELD", "username"),
    ({"password": "eleven char"}, 400, "INVALID_FIELD", "password"),
    ({"password": "x" * 129}, 400, "INVALID_FIELD", "password"),
]


async def test_what_may_not_be_made_is_refused(api: Api) -> None:
    tree = api.tree()
    for changes, status, code, field in NOT_MADE:
        answer = await api.post("/admin/staff", body_for(tree, **changes), token=tree.operator.token)
        refused(answer, status, code, field)


async def test_a_role_that_does_not_fit_the_tenant_names_the_tenant(api: Api) -> None:
    tree = api.tree()
    answer = await api.post("/admin/staff", body_for(tree, tenantId=tree.operator_id), token=tree.operator.token)
    refused(answer, 400, "INVALID_FIELD", "tenantId")


async def test_an_idempotency_key_makes_one(api: Api) -> None:
    tree = api.tree()
    options: dict[str, Any] = {"token": tree.operator.token, "headers": {"idempotency-key": "7"}}
    first, again = [await api.post("/admin/staff", body_for(tree), **options) for _ in range(2)]
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replay"] == "true"


async def test_a_change_holds_at_once(api: Api) -> None:
    tree = api.tree()
    staff_id = add_member(api, "anna", "agent", tree.agent_id)
    access, _ = await tokens_of(api, "anna")

    async def change(**body: Any) -> Any:
        return await api.call("PATCH", f"/admin/staff/{staff_id}", body, token=tree.operator.token)

    assert (await change(role="cashier")).json()["staff"]["role"] == "cashier"
    assert (await api.get("/staff/me", token=access)).json()["staff"]["role"] == "cashier"
    assert (await change(active=False)).json()["staff"]["active"] is False
    refused(await api.get("/staff/me", token=access), 401, "TOKEN_INVALID")
    assert (await change(active=True, password="a new password")).status_code == 200
    refused(await log_in(api, "anna"), 401, "INVALID_CREDENTIALS")
    assert (await log_in(api, "anna", "a new password")).status_code == 200
    assert (await change()).status_code == 200
    assert (await change(active=None, role=None)).json()["staff"]["active"] is True, "null is as if it were absent"
    rows = [row for row in api.audit() if row["action"] == "staff.changed"]
    assert [(row["before"]["role"], row["after"]["role"]) for row in rows[:1]] == [("agent", "cashier")]
    assert "a new password" not in str(rows)


async def test_who_may_not_be_changed_is_forbidden_or_not_there(api: Api) -> None:
    tree = api.tree()

    async def change(by: Member, staff_id: str) -> Any:
        return await api.call("PATCH", f"/admin/staff/{staff_id}", {"active": False}, token=by.token)

    refused(await change(tree.operator, tree.operator.staff_id), 403, "FORBIDDEN")
    refused(await change(tree.operator, tree.distributor.staff_id), 404, "NOT_FOUND")
    refused(await change(tree.operator, tree.owner.staff_id), 404, "NOT_FOUND")
    refused(await change(tree.owner, tree.owner.staff_id), 403, "FORBIDDEN")
    refused(await change(tree.owner, api.owner().staff_id), 403, "FORBIDDEN")
    refused(await change(tree.agent, tree.cashier.staff_id), 403, "FORBIDDEN")
    refused(await change(tree.auditor, tree.cashier.staff_id), 403, "FORBIDDEN")
    assert (await change(tree.owner, tree.distributor.staff_id)).status_code == 200
    for odd in ("%00", "%F0%9F%82%A1", "x" * 500, "'", "%2e%2e"):
        assert (await change(tree.owner, odd)).status_code == 404, odd


async def test_the_list_shows_the_own_tenant_and_those_below_the_newest_first(api: Api) -> None:
    tree = api.tree()
    seen = {}
    for member in (tree.owner, tree.distributor, tree.operator, tree.auditor):
        items = (await api.get("/admin/staff", token=member.token)).json()["items"]
        seen[member.role] = [item["role"] for item in items]
    assert seen == {
        "owner": ["auditor", "cashier", "agent", "operator", "distributor", "owner"],
        "distributor": ["auditor", "cashier", "agent", "operator", "distributor"],
        "operator": ["auditor", "cashier", "agent", "operator"],
        "auditor": ["auditor", "cashier", "agent", "operator"],
    }
    for member in (tree.agent, tree.cashier):
        refused(await api.get("/admin/staff", token=member.token), 403, "FORBIDDEN")


async def test_pages_neither_repeat_nor_skip(api: Api) -> None:
    tree = api.tree()
    names, path = [], "/admin/staff?limit=2"
    while path:
        page = (await api.get(path, token=tree.distributor.token)).json()
        names += [item["username"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        api.staff("auditor", tree.operator_id)  # new ones stand before the page
        path = f"/admin/staff?limit=2&cursor={page['nextCursor']}"
    expected = [tree.auditor, tree.cashier, tree.agent, tree.operator, tree.distributor]
    assert names == [member.username for member in expected]
    for query in ("limit=0", "limit=201", "limit=x", "cursor=x", "cursor="):
        refused(
            await api.get(f"/admin/staff?{query}", token=tree.owner.token), 400, "INVALID_FIELD", query.split("=")[0]
        )


async def new_key(api: Api, member: Member, scopes: list[str] | None = None, ends_at: str = TOMORROW) -> Any:
    body = {"name": "reports", "scopes": scopes or ["players.read"], "endsAt": ends_at}
    return await api.post("/admin/api-keys", body, token=member.token)


async def test_a_key_calls_with_its_scopes_and_is_shown_once(api: Api) -> None:
    tree = api.tree()
    answer = await new_key(api, tree.operator, ["audit.read", "players.read"])
    key = answer.json()["apiKey"]
    assert answer.status_code == 201
    secret = key.pop("key")
    assert secret.startswith(key["prefix"])
    assert secret.startswith("ck_")
    assert (key["name"], key["madeBy"]) == ("reports", tree.operator.staff_id)
    assert key["scopes"] == ["players.read", "audit.read"]
    listed = (await api.get("/admin/api-keys", token=tree.auditor.token)).json()
    assert listed == {"ok": True, "items": [key], "nextCursor": None}
    me = (await api.get("/staff/me", token=secret)).json()["staff"]
    assert (me["id"], me["permissions"]) == (tree.operator.staff_id, ["players.read", "audit.read"])
    assert (await api.get("/admin/audit", token=secret)).status_code == 200
    refused(await api.get("/admin/staff", token=secret), 403, "FORBIDDEN")
    for path in ("/staff/logout", "/staff/otp/enrol"):
        refused(await api.post(path, token=secret), 403, "FORBIDDEN")
    assert secret not in str(api.tenant.rows("api_keys"))
    assert secret not in str(api.audit())


async def test_a_key_has_what_its_maker_still_has_and_ends_with_it(api: Api) -> None:
    tree = api.tree()
    secret = (await new_key(api, tree.operator, ["audit.read"])).json()["apiKey"]["key"]
    api.tenant.sql("update casino.staff set role = 'agent' where staff_id = %s", tree.operator.staff_id)
    refused(await api.get("/admin/audit", token=secret), 403, "FORBIDDEN")
    api.tenant.sql("update casino.staff set is_active = false where staff_id = %s", tree.operator.staff_id)
    refused(await api.get("/admin/audit", token=secret), 401, "TOKEN_INVALID")


async def test_a_key_whose_maker_becomes_an_auditor_reads_no_more_than_its_scopes(api: Api) -> None:
    """An auditor reads lists without their permission; a key that was made before does not."""
    tree = api.tree()
    secret = (await new_key(api, tree.operator, ["players.read"])).json()["apiKey"]["key"]
    api.tenant.sql("update casino.staff set role = 'auditor' where staff_id = %s", tree.operator.staff_id)
    assert (await api.get("/admin/players", token=secret)).status_code == 200
    for path in ("/admin/staff", "/admin/api-keys", "/admin/stops", "/admin/approvals", "/admin/shifts"):
        refused(await api.get(path, token=secret), 403, "FORBIDDEN")


async def test_scopes_are_the_makers_and_some_are_for_nobody(api: Api) -> None:
    tree = api.tree()
    for member in (tree.owner, tree.operator):
        allowed = permissions.of_role(member.role) - {"apikeys.manage", "staff.manage", "approvals.decide"}
        for scope in (*permissions.PERMISSIONS, "nothing", ""):
            answer = await new_key(api, member, [scope])
            if scope in allowed:
                assert answer.status_code == 201, scope
            else:
                refused(answer, 400, "INVALID_FIELD", "scopes")
    empty = {"name": "x", "scopes": [], "endsAt": TOMORROW}
    refused(await api.post("/admin/api-keys", empty, token=tree.owner.token), 400, "INVALID_FIELD", "scopes")


@pytest.mark.parametrize(
    "ends_at", ["2020-01-01T00:00:00Z", "2099-01-01", "2099-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "never", ""]
)
async def test_an_end_is_an_instant_to_come(api: Api, ends_at: str) -> None:
    refused(await new_key(api, api.tree().operator, ends_at=ends_at), 400, "INVALID_FIELD", "endsAt")


async def test_a_key_is_deleted_by_its_tenant_or_one_above(api: Api) -> None:
    tree = api.tree()
    other = api.staff("operator", api.add_tenant("OPERATOR", tree.distributor_id))
    made = (await new_key(api, tree.operator)).json()["apiKey"]
    path = f"/admin/api-keys/{made['id']}"
    refused(await api.call("DELETE", path, token=other.token), 404, "NOT_FOUND")
    refused(await api.call("DELETE", path, token=tree.distributor.token), 403, "FORBIDDEN")
    assert (await api.call("DELETE", path, token=tree.owner.token)).json() == {"ok": True}
    refused(await api.call("DELETE", path, token=tree.operator.token), 404, "NOT_FOUND")
    refused(await api.get("/staff/me", token=made["key"]), 401, "TOKEN_INVALID")
    assert (await api.get("/admin/api-keys", token=tree.operator.token)).json()["items"] == []


async def test_who_waits_for_a_hash_holds_no_connection(api: Api) -> None:
    """Red before: four owners who made staff held the owners' connections while their passwords waited to be hashed."""
    tree = api.tree()
    assert (await api.post("/admin/staff", body_for(tree, username="first"), token=tree.owner.token)).status_code == 201
    pid = hashing_process()
    os.kill(pid, signal.SIGSTOP)
    try:
        making = [
            asyncio.ensure_future(
                api.post("/admin/staff", body_for(tree, username=f"anna-{each}"), token=api.owner().token)
            )
            for each in range(4)
        ]
        changed = {"password": PASSWORD + "!"}
        path = f"/admin/staff/{tree.cashier.staff_id}"
        making.append(asyncio.ensure_future(api.call("PATCH", path, changed, token=tree.owner.token)))
        for _ in range(3):
            assert (await api.get("/admin/staff", token=api.owner().token)).status_code == 200
        assert not any(each.done() for each in making)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [(await each).status_code for each in making] == [201] * 4 + [200]


def hashing_process() -> int:
    """The process that hashes for this one."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    (pid,) = [int(each) for each in children if b"casino.staff.hashing" in Path("/proc", each, "cmdline").read_bytes()]
    return pid
