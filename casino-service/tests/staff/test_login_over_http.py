"""Login, refresh and logout over HTTP: what answers say, and what they do not."""

from __future__ import annotations

import asyncio
import itertools
import re
from typing import Any

import psycopg
import pytest

from casino.staff.passwords import Passwords
from casino_testing.api import Api, refused
from casino_testing.staff import PASSWORD, add_member, log_in, tokens_of


async def test_a_login_answers_tokens_and_who_it_is(api: Api) -> None:
    staff_id = add_member(api, "anna", "auditor")
    answer = await log_in(api, "ANNA", tenantId=api.tenant.tenant_id)
    content = answer.json()
    assert answer.status_code == 200
    assert content["staff"] == {
        "id": staff_id,
        "username": "anna",
        "role": "auditor",
        "tenantId": api.tenant.tenant_id,
        "permissions": [
            "tenants.read", "players.read", "vouchers.read", "statements.read", "safety.read", "analytics.read",
            "audit.read",
        ],
        "active": True,
        "otp": False,
    }  # fmt: skip
    assert content.keys() == {"ok", "token", "refreshToken", "staff"}
    me = await api.get("/staff/me", token=content["token"])
    assert me.json() == {"ok": True, "staff": content["staff"]}


@pytest.mark.parametrize(
    "given",
    [
        {"username": "nobody"},
        {"username": "not a name!"},
        {"username": "Ｋevin"},
        {"password": "another password"},
        {"password": "x"},
        {"tenantId": "JAQPOT"},
        {"username": "gone"},
    ],
    ids=str,
)
async def test_all_that_is_wrong_is_one_answer(api: Api, given: dict[str, Any]) -> None:
    add_member(api, "anna")
    api.tenant.sql("update casino.staff set is_active = false where staff_id = %s", add_member(api, "gone"))
    answer = await log_in(api, **{"username": "anna", "password": PASSWORD, **given})
    refused(answer, 401, "INVALID_CREDENTIALS")
    assert answer.json().keys() == {"ok", "code", "message", "requestId"}


async def test_a_password_is_verified_whatever_the_name(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time shows no difference: also a locked name and one that nobody has take the work."""
    verified: list[bool] = []
    original = Passwords.matches

    async def matches(self: Passwords, password_hash: str | None, password: str) -> bool:
        verified.append(password_hash is not None)
        return await original(self, password_hash, password)

    monkeypatch.setattr(Passwords, "matches", matches)
    add_member(api, "anna")
    for username in ("anna", "nobody", "not a name!"):
        for _ in range(6):
            await log_in(api, username, "another password")
    assert verified == [*[True] * 6, *[False] * 12]


@pytest.mark.parametrize("username", ["anna", "nobody"])
async def test_a_locked_name_says_until_when(api: Api, username: str) -> None:
    add_member(api, "anna")
    for _ in range(5):
        refused(await log_in(api, username, "another password"), 401, "INVALID_CREDENTIALS")
    answer = await log_in(api, username)
    refused(answer, 429, "LOCKED")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.json()["lockUntil"])
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_the_31st_refusal_of_an_address_says_how_long_to_wait(api: Api) -> None:
    for number in range(30):
        refused(await log_in(api, f"name-{number}"), 401, "INVALID_CREDENTIALS")
    answer = await log_in(api, "another")
    refused(answer, 429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_logins_of_one_address_beyond_ten_at_once_are_refused_before_they_take_a_connection(api: Api) -> None:
    add_member(api, "anna")
    await log_in(api, "anna")
    with psycopg.connect(api.tenant.url) as holder:
        holder.execute("select from casino.login_refusals where ledger_id = %s for update", [api.tenant.ledger_id])
        tasks = [asyncio.ensure_future(log_in(api, "anna")) for _ in range(16)]
        for answered in itertools.islice(asyncio.as_completed(tasks), 6):
            refused(await answered, 429, "RATE_LIMITED")
    assert sorted([answer.status_code for answer in await asyncio.gather(*tasks)]) == [*[200] * 10, *[429] * 6]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": PASSWORD}, "username"),
        ({"username": "anna"}, "password"),
        ({"username": 1, "password": PASSWORD}, "username"),
        ({"username": "anna", "password": None}, "password"),
        ({"username": "anna\n", "password": PASSWORD}, "username"),
        ({"username": "a\0", "password": PASSWORD}, "username"),
        ({"username": "anna", "password": "x" * 1025}, "password"),
        ({"username": "anna", "password": PASSWORD, "tenantId": 5}, "tenantId"),
        ({"username": "anna", "password": PASSWORD, "otp": 123456}, "otp"),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    refused(await api.post("/staff/login", body), 400, "INVALID_FIELD", field)


async def test_odd_passwords_and_codes_are_only_wrong(api: Api) -> None:
    add_member(api, "anna")
    for password in ("\0" * 12, "🂡" * 12, " " * 12, "x" * 1024):
        refused(await log_in(api, "anna", password), 401, "INVALID_CREDENTIALS")
    assert (await log_in(api, "anna", otp="🂡")).status_code == 200, "not enrolled: the code is not asked for"


async def test_a_refresh_token_is_used_once_and_its_successor_is_answered_again(api: Api) -> None:
    add_member(api, "anna")
    _, first = await tokens_of(api, "anna")
    answers = await asyncio.gather(*(api.post("/staff/refresh", {"refreshToken": first}) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    (second,) = {answer.json()["refreshToken"] for answer in answers}
    assert second != first
    assert (await api.get("/staff/me", token=answers[0].json()["token"])).status_code == 200
    api.tenant.sql(
        "update casino.staff_families set births = array[casino.clock() - interval '11 seconds'] where ledger_id = %s",
        api.tenant.ledger_id,
    )
    refused(await api.post("/staff/refresh", {"refreshToken": first}), 401, "TOKEN_REUSED")
    refused(await api.post("/staff/refresh", {"refreshToken": second}), 401, "TOKEN_INVALID")
    refused(await api.get("/staff/me", token=answers[0].json()["token"]), 401, "TOKEN_INVALID")


@pytest.mark.parametrize("token", ["", "rt_", "x", None, 5])
async def test_what_is_no_refresh_token_is_refused(api: Api, token: object) -> None:
    answer = await api.post("/staff/refresh", {"refreshToken": token})
    if isinstance(token, str) and token:
        refused(answer, 401, "TOKEN_INVALID")
    else:
        refused(answer, 400, "INVALID_FIELD", "refreshToken")


async def test_a_logout_ends_the_tokens_of_its_login_and_no_others(api: Api) -> None:
    add_member(api, "anna")
    (access, refresh), (other, _) = await tokens_of(api, "anna"), await tokens_of(api, "anna")
    assert (await api.post("/staff/logout", token=access)).json() == {"ok": True}
    refused(await api.get("/staff/me", token=access), 401, "TOKEN_INVALID")
    refused(await api.post("/staff/logout", token=access), 401, "TOKEN_INVALID")
    refused(await api.post("/staff/refresh", {"refreshToken": refresh}), 401, "TOKEN_INVALID")
    assert (await api.get("/staff/me", token=other)).status_code == 200
    assert [row["action"] for row in api.audit()] == ["staff.login", "staff.login", "staff.logout"]


async def test_an_owner_logs_in_without_a_tenant(api: Api) -> None:
    add_member(api, "olga", "owner")
    access, _ = await tokens_of(api, "olga")
    staff = (await api.get("/staff/me", token=access)).json()["staff"]
    assert (staff["role"], staff["tenantId"]) == ("owner", None)
