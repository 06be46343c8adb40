"""What every route of the platform gets from the frame, tried on routes of this file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from casino.api import guards
from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.frame import FINDS_TENANT, Frame
from casino.api.types import Amount, Answer, Body
from casino.ops.metrics import Metrics
from casino.platform import serving
from casino.sessions.providers import Providers
from casino_testing.api import Api, api_of, refused
from casino_testing.tenant import Tenant
from shared_service.http.routing import Route

MAKE = "select casino.note_audit(%s, null, 'system', null, null, 'made', null, 'DONE', null, null, 'x', null)"


class Given(Body):
    amount_minor: Amount
    pin: str = ""


class Made(Answer):
    amount_minor: int
    pin: str


async def change(call: Call, body: Given) -> Made:
    await call.rows(MAKE, (call.ledger_id,))
    if body.amount_minor == 13:
        raise Refused("INSUFFICIENT_FUNDS")
    if body.amount_minor != 14:
        call.audit("tested", subject=call.path["tenant_id"], tenant_id=call.path["tenant_id"])
    return Made(amount_minor=body.amount_minor, pin="1234")


async def look(call: Call, _: Body) -> Answer:
    return Answer()


def routes(frame: Frame) -> list[Route]:
    return [
        frame.post("/trial/{tenant_id}", change, body=Given, answer=Made, permission="tenants.manage", status=201,
                   finds=FINDS_TENANT, codes=("INSUFFICIENT_FUNDS",)),
        frame.get("/trial/{tenant_id}", look, answer=Answer, permission="tenants.manage", finds=FINDS_TENANT),
        frame.post("/mine", look, answer=Answer, access=guards.PLAYER),
    ]  # fmt: skip


@pytest.fixture
async def api(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    built = serving.platform_of

    def with_trial(*given: Any, **named: Any) -> serving.Platform:
        platform = built(*given, **named)
        platform.routes.extend(routes(platform.frame))
        return platform

    monkeypatch.setattr("casino.app.platform_of", with_trial)
    async with api_of(tenant) as api:
        yield api


def made(api: Api) -> int:
    return sum(row["action"] == "made" for row in api.audit())


async def test_the_order_of_refusals(api: Api) -> None:
    tree, foreign = api.tree(), api.tree()
    path, other = f"/trial/{tree.agent_id}", f"/trial/{foreign.agent_id}"
    wrong: dict[str, Any] = {"amountMinor": "1"}
    refused(await api.post(path, wrong), 401, "TOKEN_MISSING")
    refused(await api.post(path, wrong, token="x.y.z"), 401, "TOKEN_INVALID")
    refused(await api.post(path, wrong, token=api.player_token("1")), 401, "TOKEN_INVALID")
    refused(await api.post("/mine", wrong, token=tree.operator.token), 401, "TOKEN_INVALID")
    refused(await api.post(path, wrong, token=tree.cashier.token), 403, "FORBIDDEN")
    refused(await api.post("/trial/nobody", wrong, token=tree.cashier.token), 403, "FORBIDDEN")
    for unknown in (other, "/trial/nobody", f"/trial/{api.tenant.tenant_id}"):
        refused(await api.post(unknown, wrong, token=tree.operator.token), 404, "NOT_FOUND")
    answer = await api.post(path, wrong, token=tree.operator.token)
    refused(answer, 400, "INVALID_FIELD", "amountMinor")
    assert answer.json()["message"].endswith(": Expected `int`, got `str`")
    answer = await api.post(path, {"amountMinor": 0}, token=tree.operator.token)
    assert answer.json()["message"].endswith(": Expected `int` >= 1")
    refused(await api.post(path, b"{", token=tree.operator.token), 400, "MALFORMED_JSON")
    refused(await api.post(path, {"amountMinor": 13}, token=tree.operator.token), 409, "INSUFFICIENT_FUNDS")
    assert made(api) == 0
    answer = await api.post(path, {"amountMinor": 1, "unknown": 1}, token=tree.operator.token)
    assert (answer.status_code, answer.json()) == (201, {"ok": True, "amountMinor": 1, "pin": "1234"})


async def test_an_owner_reaches_every_tenant_and_an_auditor_reads(api: Api) -> None:
    tree, foreign = api.tree(), api.tree()
    for found in (tree.agent_id, foreign.distributor_id, api.tenant.tenant_id):
        assert (await api.post(f"/trial/{found}", {"amountMinor": 1}, token=tree.owner.token)).status_code == 201
    assert (await api.get(f"/trial/{tree.agent_id}", token=tree.auditor.token)).status_code == 200
    refused(await api.get(f"/trial/{foreign.agent_id}", token=tree.auditor.token), 404, "NOT_FOUND")
    refused(await api.post(f"/trial/{tree.agent_id}", {"amountMinor": 1}, token=tree.auditor.token), 403, "FORBIDDEN")
    refused(await api.get("/trial/nobody", token=tree.owner.token), 404, "NOT_FOUND")


async def test_paths_methods_and_queries_that_nobody_allowed(api: Api) -> None:
    owner = api.owner().token
    refused(await api.get("/nothing", token=owner), 404, "NOT_FOUND")
    refused(await api.call("DELETE", f"/trial/{api.tenant.tenant_id}", token=owner), 405, "METHOD_NOT_ALLOWED")
    path = f"/trial/{api.tenant.tenant_id}"
    refused(await api.get(f"{path}?limt=1", token=owner), 400, "INVALID_FIELD", "limt")
    refused(
        await api.post(path, b"a", token=owner, headers={"content-type": "text/plain"}), 415, "UNSUPPORTED_MEDIA_TYPE"
    )
    refused(await api.post(path, b"x" * 70_000, token=owner), 413, "BODY_TOO_LARGE")
    refused(await api.post(path, b'{"amountMinor": 1, "pin": "\\ud800"}', token=owner), 400, "MALFORMED_JSON")


async def test_a_kept_answer_is_given_again_byte_for_byte_and_its_secret_for_a_day(api: Api) -> None:
    owner, path = api.owner().token, f"/trial/{api.tenant.tenant_id}"
    key = {"idempotency-key": "one"}
    first = await api.post(path, {"amountMinor": 5, "pin": "a"}, token=owner, headers=key)
    again = await api.post(path, b'{ "pin":"a",  "amountMinor":5}', token=owner, headers=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert (first.headers.get("idempotent-replay"), again.headers["idempotent-replay"]) == (None, "true")
    refused(await api.post(path, {"amountMinor": 6}, token=owner, headers=key), 409, "IDEMPOTENCY_MISMATCH")
    assert made(api) == 1
    (row,) = api.tenant.rows("kept_answers")
    assert b"1234" not in row["answer"] + row["sealed"]
    api.tenant.sql("update casino.kept_answers set kept_at = kept_at - interval '25 hours'")
    api.tenant.sql("select casino.forget_kept_answers(%s, 100)", api.tenant.ledger_id)
    later = await api.post(path, {"amountMinor": 5, "pin": "a"}, token=owner, headers=key)
    assert later.json() == {**first.json(), "pin": None}
    other = await api.post(path, {"amountMinor": 5}, token=api.owner().token, headers=key)
    assert (other.status_code, "idempotent-replay" in other.headers) == (201, False)


async def test_a_refusal_is_not_kept(api: Api) -> None:
    owner, path = api.owner().token, f"/trial/{api.tenant.tenant_id}"
    key = {"idempotency-key": "one"}
    refused(await api.post(path, {"amountMinor": 13}, token=owner, headers=key), 409, "INSUFFICIENT_FUNDS")
    assert (await api.post(path, {"amountMinor": 12}, token=owner, headers=key)).status_code == 201
    twice = [("idempotency-key", "a"), ("idempotency-key", "a"), ("authorization", f"Bearer {owner}")]
    answer = await api.service.anybody.post(f"/api/v1{path}", headers=twice)
    refused(answer, 400, "INVALID_FIELD", "idempotency-key")
    forbidden = await api.post(path, {}, token=api.tree().cashier.token, headers={"idempotency-key": ""})
    refused(forbidden, 403, "FORBIDDEN")
    for bad in ("", "x" * 129):
        answer = await api.post(path, {"amountMinor": 12}, token=owner, headers={"idempotency-key": bad})
        refused(answer, 400, "INVALID_FIELD", "idempotency-key")


async def test_the_audit_trail_has_changes_and_refused_tries(api: Api) -> None:
    tree, foreign = api.tree(), api.tree()
    await api.post(f"/trial/{tree.agent_id}", {"amountMinor": 1}, token=tree.operator.token)
    await api.post(f"/trial/{tree.agent_id}", {"amountMinor": 1}, token=tree.cashier.token)
    await api.post(f"/trial/{foreign.agent_id}", {"amountMinor": 1}, token=tree.operator.token)
    rows = [row for row in api.audit() if row["actor_kind"] == "staff"]
    assert [(row["actor_id"], row["action"], row["subject"], row["outcome"]) for row in rows] == [
        (tree.operator.staff_id, "tested", tree.agent_id, "DONE"),
        (tree.cashier.staff_id, "POST /trial/{tenant_id}", tree.agent_id, "REFUSED"),
        (tree.operator.staff_id, "POST /trial/{tenant_id}", foreign.agent_id, "REFUSED"),
    ]


async def test_a_change_without_a_row_in_the_audit_trail_is_a_defect_and_is_undone(api: Api) -> None:
    answer = await api.post(f"/trial/{api.tenant.tenant_id}", {"amountMinor": 14}, token=api.owner().token)
    refused(answer, 500, "INTERNAL")
    assert made(api) == 0


def test_a_route_of_staff_names_its_permission(tenant: Tenant) -> None:
    from casino_testing.service import settings_of

    settings = settings_of(tenant)
    frame = serving.platform_of(settings, Providers(settings, settings.live_keys()), Metrics()).frame
    with pytest.raises(ValueError, match="permission"):
        frame.post("/x", look)
    with pytest.raises(ValueError, match="permission"):
        frame.post("/x", look, permission="everything")
    with pytest.raises(ValueError, match="NO_SUCH_CODE"):
        frame.post("/x", look, permission="tenants.manage", codes=("NO_SUCH_CODE",))


async def test_without_a_pepper_there_is_no_platform(tenant: Tenant) -> None:
    async with api_of(tenant, pepper=b"") as api:
        refused(await api.post("/staff/login", {}), 404, "NOT_FOUND")
        assert isinstance(api.service.app, Starlette)
        health: httpx.Response = await api.service.anybody.get("/health/live")
        assert health.status_code == 200
