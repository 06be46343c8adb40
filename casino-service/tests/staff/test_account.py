"""The own account over HTTP: the password, one-time passwords, and the roles that must have them."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from typing import Any

import pytest

from casino.api.reading import body_hash
from casino.staff import otp
from casino_testing.api import Api, refused
from casino_testing.staff import PASSWORD, add_member, log_in, tokens_of

NEW = "another password"


def code_of(enrolled: dict[str, Any], *, steps_ahead: int = 0) -> str:
    return otp.code_of(base64.b32decode(enrolled["secret"]), int(time.time()) // 30 + steps_ahead)


async def enrol(api: Api, username: str = "anna") -> tuple[str, dict[str, Any]]:
    """Enrols and confirms. Returns a token, and what was shown."""
    access, _ = await tokens_of(api, username)
    enrolled = (await api.post("/staff/otp/enrol", token=access)).json()
    assert (await api.post("/staff/otp/confirm", {"otp": code_of(enrolled)}, token=access)).json() == {"ok": True}
    return access, enrolled


async def test_a_new_password_ends_all_other_logins(api: Api) -> None:
    add_member(api, "anna")
    (access, refresh), (other, _) = await tokens_of(api, "anna"), await tokens_of(api, "anna")
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert (await api.post("/staff/password", body, token=access)).json() == {"ok": True}
    refused(await api.get("/staff/me", token=other), 401, "TOKEN_INVALID")
    assert (await api.get("/staff/me", token=access)).status_code == 200
    assert (await api.post("/staff/refresh", {"refreshToken": refresh})).status_code == 200
    refused(await log_in(api, "anna"), 401, "INVALID_CREDENTIALS")
    assert (await log_in(api, "anna", NEW)).status_code == 200


async def test_a_wrong_current_password_is_counted_with_the_logins(api: Api) -> None:
    """Otherwise a stolen token would guess for ever."""
    add_member(api, "anna")
    access, _ = await tokens_of(api, "anna")
    body = {"currentPassword": "wrong", "newPassword": NEW}
    for _ in range(5):
        refused(await api.post("/staff/password", body, token=access), 401, "INVALID_CREDENTIALS")
    refused(await api.post("/staff/password", {**body, "currentPassword": PASSWORD}, token=access), 429, "LOCKED")
    refused(await log_in(api, "anna"), 429, "LOCKED")
    assert [row["outcome"] for row in api.audit() if row["action"] == "staff.password"] == ["REFUSED"] * 6


async def test_proofs_at_once_do_not_wait_for_each_others_connections(api: Api) -> None:
    """Red if a proof in a transaction took a second connection from the pool that the transactions have emptied."""
    tenants = [api.add_tenant("OPERATOR", None) for _ in range(3)]
    tokens = []
    for number, tenant_id in enumerate(tenants):
        add_member(api, f"anna-{number}", "operator", tenant_id)
        tokens.append((await tokens_of(api, f"anna-{number}"))[0])
    body = {"currentPassword": "wrong", "newPassword": NEW}
    proofs = await asyncio.gather(*(api.post("/staff/password", body, token=token) for token in tokens * 2))
    assert Counter(answer.json()["code"] for answer in proofs) == {"INVALID_CREDENTIALS": 6}


async def test_a_password_cannot_be_guessed_at_in_a_kept_request(api: Api) -> None:
    add_member(api, "anna")
    access, _ = await tokens_of(api, "anna")
    body, headers = {"currentPassword": PASSWORD, "newPassword": NEW}, {"idempotency-key": "7"}
    first, again = [await api.post("/staff/password", body, token=access, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200)
    (row,) = api.tenant.rows("kept_answers")
    assert row["body_hash"] != body_hash(body)


@pytest.mark.parametrize("password", ["eleven char", "x" * 129, "", None])
async def test_a_new_password_has_12_to_128_characters(api: Api, password: str | None) -> None:
    add_member(api, "anna")
    access, _ = await tokens_of(api, "anna")
    body = {"currentPassword": PASSWORD, "newPassword": password}
    refused(await api.post("/staff/password", body, token=access), 400, "INVALID_FIELD", "newPassword")


async def test_one_time_passwords_are_asked_for_once_they_are_confirmed(api: Api) -> None:
    add_member(api, "anna")
    access, _ = await tokens_of(api, "anna")
    enrolled = (await api.post("/staff/otp/enrol", token=access)).json()
    assert enrolled.keys() == {"ok", "secret", "uri", "recoveryCodes"}
    assert len(set(enrolled["recoveryCodes"])) == 10
    assert (await log_in(api, "anna")).status_code == 200, "not confirmed yet"
    refused(await api.post("/staff/otp/confirm", {"otp": "000000x"}, token=access), 401, "INVALID_CREDENTIALS")
    used = code_of(enrolled)
    assert (await api.post("/staff/otp/confirm", {"otp": used}, token=access)).status_code == 200
    assert (await api.get("/staff/me", token=access)).json()["staff"]["otp"]
    refused(await log_in(api, "anna"), 401, "OTP_REQUIRED")
    refused(await log_in(api, "anna", NEW), 401, "INVALID_CREDENTIALS")
    refused(await log_in(api, "anna", otp=used), 401, "INVALID_CREDENTIALS")
    assert (await log_in(api, "anna", otp=code_of(enrolled, steps_ahead=1))).status_code == 200
    code = enrolled["recoveryCodes"][0]
    assert (await log_in(api, "anna", otp=code.lower())).status_code == 200
    refused(await log_in(api, "anna", otp=code), 401, "INVALID_CREDENTIALS")


async def test_an_enrolment_that_was_not_confirmed_is_replaced(api: Api) -> None:
    add_member(api, "anna")
    access, _ = await tokens_of(api, "anna")
    refused(await api.post("/staff/otp/confirm", {"otp": "123456"}, token=access), 409, "OTP_NOT_ENROLLED")
    first, second = [(await api.post("/staff/otp/enrol", token=access)).json() for _ in range(2)]
    refused(await api.post("/staff/otp/confirm", {"otp": code_of(first)}, token=access), 401, "INVALID_CREDENTIALS")
    assert (await api.post("/staff/otp/confirm", {"otp": code_of(second)}, token=access)).status_code == 200
    refused(await api.post("/staff/otp/enrol", token=access), 409, "OTP_ENROLLED")
    refused(await api.post("/staff/otp/confirm", {"otp": "123456"}, token=access), 409, "OTP_ENROLLED")


async def test_deleting_them_takes_both_proofs(api: Api) -> None:
    add_member(api, "anna")
    access, enrolled = await enrol(api)
    recovery, another = enrolled["recoveryCodes"][:2]

    async def delete(password: str, code: str) -> Any:
        return await api.call("DELETE", "/staff/otp", {"password": password, "otp": code}, token=access)

    refused(await delete("wrong", recovery), 401, "INVALID_CREDENTIALS")
    refused(await delete(PASSWORD, "wrong"), 401, "INVALID_CREDENTIALS")
    assert (await delete(PASSWORD, recovery)).json() == {"ok": True}
    assert (await log_in(api, "anna")).status_code == 200
    refused(await delete(PASSWORD, another), 409, "OTP_NOT_ENROLLED")
    assert (await api.post("/staff/otp/enrol", token=access)).status_code == 200


async def test_a_role_that_must_have_them_may_only_enrol(api: Api) -> None:
    tree = api.tree()
    add_member(api, "anna", "agent", tree.agent_id)
    access, _ = await tokens_of(api, "anna")
    roles = {"roles": ["agent", "auditor", "agent"]}
    answer = await api.call("PUT", "/admin/otp-roles", roles, token=tree.owner.token)
    assert answer.json() == {"ok": True, "roles": ["agent", "auditor"]}
    refused(await api.get("/admin/audit", token=access), 403, "OTP_ENROLMENT_REQUIRED")
    refused(await api.get("/admin/audit", token=tree.auditor.token), 403, "OTP_ENROLMENT_REQUIRED")
    noted = [row["actor_id"] for row in api.audit() if row["action"] == "GET /admin/audit"]
    assert noted[-1] == tree.auditor.staff_id
    refused(await api.get("/admin/audit", token=tree.cashier.token), 403, "FORBIDDEN")
    access, _ = await enrol(api)
    refused(await api.get("/admin/audit", token=access), 403, "FORBIDDEN")
    await api.call("PUT", "/admin/otp-roles", {"roles": []}, token=tree.owner.token)
    assert (await api.get("/admin/audit", token=tree.auditor.token)).status_code == 200


async def test_only_an_owner_says_which_roles(api: Api) -> None:
    tree = api.tree()
    for member in tree.members()[1:]:
        refused(await api.call("PUT", "/admin/otp-roles", {"roles": 1}, token=member.token), 403, "FORBIDDEN")
    refused(
        await api.call("PUT", "/admin/otp-roles", {"roles": ["king"]}, token=tree.owner.token),
        400, "INVALID_FIELD", "roles",
    )  # fmt: skip


async def test_no_secret_is_stored_or_audited(api: Api) -> None:
    add_member(api, "anna")
    _, enrolled = await enrol(api)
    _, refresh = await tokens_of(api, "anna", otp=enrolled["recoveryCodes"][9])
    tables = ("staff", "staff_secrets", "staff_families", "audit_trail", "kept_answers", "login_refusals")
    stored = str([api.tenant.rows(table) for table in tables])
    for secret in (PASSWORD, enrolled["secret"], refresh, *enrolled["recoveryCodes"]):
        assert secret not in stored
