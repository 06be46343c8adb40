"""Vouchers over HTTP: issue, list, slip, void, redeem, and what each caller may."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
import segno

from casino_testing.api import Api, Tree, refused
from shared_service_testing.waiting import until

FUNDS_MINOR = 1_000_000
REFUSED = "INVALID_OR_USED_VOUCHER"


@pytest.fixture
async def tree(api: Api) -> Tree:
    """A tree whose agent has money, which came down from an owner."""
    return await api.funded_tree(float_minor=FUNDS_MINOR)


async def issue(api: Api, tree: Tree, **content: Any) -> httpx.Response:
    content.setdefault("amountMinor", 10_000)
    return await api.post(f"/voucher/agents/{tree.agent_id}/vouchers", content, token=tree.cashier.token)


async def issued(api: Api, tree: Tree, **content: Any) -> dict[str, Any]:
    answer = await issue(api, tree, **content)
    assert answer.status_code == 201, answer.text
    voucher: dict[str, Any] = answer.json()["voucher"]
    return voucher


async def redeem(api: Api, voucher: dict[str, Any], **options: Any) -> httpx.Response:
    return await api.post("/voucher/redeem", {name: voucher[name] for name in ("code", "pin")}, **options)


async def test_a_voucher_from_issue_to_its_player(api: Api, tree: Tree) -> None:
    voucher = await issued(api, tree, prizeWheelEnabled=True)
    assert (voucher["amountMinor"], voucher["bonusAmountMinor"], voucher["totalCostMinor"]) == (10_000, 5_000, 15_000)
    assert (voucher["status"], voucher["prizeWheelEnabled"]) == ("NEW", True)
    answer = await redeem(api, {**voucher, "code": voucher["code"].lower().replace("-", "")})
    assert answer.status_code == 201, answer.text
    player = answer.json()["player"]
    assert (player["balanceMinor"], player["bonusAmountMinor"], player["prizeWheelEnabled"]) == (10_000, 5_000, True)
    assert (len(player["loginCode"].replace("-", "")), len(player["pin"])) == (10, 6)
    assert api.tenant.balance(player["playerId"]) == 10_000
    shown = (await api.get(f"/voucher/{voucher['voucherId']}", token=tree.operator.token)).json()["voucher"]
    assert (shown["status"], shown["playerId"], shown["issuedBy"]) == (
        "USED",
        player["playerId"],
        tree.cashier.staff_id,
    )
    assert shown["redeemedAt"] is not None
    assert not {"code", "pin", "slipToken"} & shown.keys()
    refused(await redeem(api, voucher), 400, REFUSED)
    assert api.tenant.differences() == []


async def test_a_batch_is_a_list_even_of_one(api: Api, tree: Tree) -> None:
    answer = await issue(api, tree, count=1)
    assert [len(answer.json()["vouchers"]), "voucher" in answer.json()] == [1, False]
    answer = await issue(api, tree, count=40, amountMinor=100)
    vouchers = answer.json()["vouchers"]
    assert len({each["code"] for each in vouchers}) == 40
    refused(await issue(api, tree, count=500, amountMinor=10_000), 409, "INSUFFICIENT_AGENT_FUNDS")
    for count in (0, 501, "2", 1.5):
        refused(await issue(api, tree, count=count), 400, "INVALID_FIELD", "count")


@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1, "5", 1.5, None, True])
async def test_an_amount_is_refused_before_the_agent(api: Api, tree: Tree, amount: Any) -> None:
    path = "/voucher/agents/nobody/vouchers"
    refused(
        await api.post(path, {"amountMinor": amount}, token=tree.cashier.token), 400, "INVALID_AMOUNT", "amountMinor"
    )
    refused(await api.post(path, {"amountMinor": 5}, token=tree.cashier.token), 404, "INVALID_AGENT")
    refused(await api.post(path, {}, token=tree.cashier.token), 400, "INVALID_AMOUNT", "amountMinor")


async def test_who_may_issue_void_and_read(api: Api, tree: Tree) -> None:
    voucher = await issued(api, tree)
    foreign, path = api.tree(), f"/voucher/agents/{tree.agent_id}/vouchers"
    for member in (tree.owner, tree.distributor, tree.operator, tree.auditor):
        refused(await api.post(path, {"amountMinor": 1}, token=member.token), 403, "FORBIDDEN")
    refused(await api.post(path, {"amountMinor": 1}, token=foreign.cashier.token), 404, "INVALID_AGENT")
    (tried,) = [row for row in api.audit() if row["actor_id"] == foreign.cashier.staff_id]
    assert (tried["outcome"], tried["subject"]) == ("REFUSED", tree.agent_id)
    one = f"/voucher/{voucher['voucherId']}"
    for token in (foreign.agent.token, foreign.operator.token):
        refused(await api.get(one, token=token), 404, "NOT_FOUND")
        refused(await api.post(f"{one}/void", token=token), 404, "NOT_FOUND")
        refused(await api.get(path, token=token), 404, "NOT_FOUND")
    for member in (tree.cashier, tree.distributor, tree.auditor):
        refused(await api.post(f"{one}/void", token=member.token), 403, "FORBIDDEN")
        assert (await api.get(one, token=member.token)).json()["voucher"]["status"] == "NEW"
    void = await api.post(f"{one}/void", token=tree.operator.token)
    assert (void.status_code, void.json()["voucher"]["status"]) == (200, "VOID")
    refused(await api.post(f"{one}/void", token=tree.owner.token), 409, "VOUCHER_NOT_NEW")
    assert api.tenant.balance(f"§tenant:{tree.agent_id}") == FUNDS_MINOR


async def test_a_list_pages_through_every_voucher_once(api: Api, tree: Tree) -> None:
    await issue(api, tree, count=7, amountMinor=10)
    seen, cursor = [], None
    while cursor is not None or not seen:
        params = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        path = f"/voucher/agents/{tree.agent_id}/vouchers"
        page = (await api.get(path, token=tree.agent.token, params=params)).json()
        seen += [each["voucherId"] for each in page["items"]]
        cursor = page["nextCursor"]
    assert len(seen) == len(set(seen)) == 7


async def test_every_refusal_to_redeem_is_one_answer(api: Api, tree: Tree) -> None:
    used, void, wrong = [await issued(api, tree) for _ in range(3)]
    assert (await redeem(api, used)).status_code == 201
    await api.post(f"/voucher/{void['voucherId']}/void", token=tree.agent.token)
    bodies = set()
    for code, pin in (
        (used["code"], used["pin"]), (void["code"], void["pin"]), (wrong["code"], "000000x"), ("", ""),
        ("x" * 999, "\0"),        ("ABCD-EFGH-JKMN-PQRS", "123456"),
    ):  # fmt: skip
        answer = await api.post("/voucher/redeem", {"code": code, "pin": pin})
        refused(answer, 400, REFUSED)
        bodies.add(json.dumps({**answer.json(), "requestId": ""}))
    assert len(bodies) == 1
    for content in ({"code": "x"}, {"pin": "x"}, {"code": 1, "pin": "x"}, {"code": "x", "pin": None}):
        refused(
            await api.post("/voucher/redeem", content),
            400,
            "INVALID_FIELD",
            "code" if content.get("code") != "x" else "pin",
        )


async def test_five_wrong_pins_lock_although_each_is_refused(api: Api, tree: Tree) -> None:
    voucher = await issued(api, tree)
    for _ in range(5):
        refused(await redeem(api, {**voucher, "pin": "wrong"}), 400, REFUSED)
    refused(await redeem(api, voucher), 400, REFUSED)
    assert api.tenant.rows("vouchers")[0]["status"] == "NEW"


async def test_the_twenty_first_try_of_an_address_waits(api: Api, tree: Tree) -> None:
    vouchers = [await issued(api, tree, amountMinor=10) for _ in range(2)]
    assert (await redeem(api, vouchers[0])).status_code == 201, "a success counts, too"
    for _ in range(19):
        refused(await api.post("/voucher/redeem", {"code": "x", "pin": "x"}), 400, REFUSED)
    answer = await redeem(api, vouchers[1])
    refused(answer, 429, "RATE_LIMITED")
    assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_a_kept_answer_to_redeem_is_for_whoever_knows_code_and_pin(api: Api, tree: Tree) -> None:
    voucher, headers = await issued(api, tree), {"idempotency-key": "k-1"}
    first = await redeem(api, voucher, headers=headers)
    again = await redeem(api, voucher, headers=headers)
    assert (first.status_code, first.content) == (again.status_code, again.content) != (400, b"")
    assert again.headers["idempotent-replay"] == "true"
    spelled = {**voucher, "code": f" {voucher['code'].lower().replace('-', '')}"}
    assert (await redeem(api, spelled, headers=headers)).content == first.content
    shown = [row for row in api.audit() if row["action"] == "voucher.shown_again"]
    assert [(row["actor_kind"], row["subject"]) for row in shown] == [
        ("anyone", first.json()["player"]["playerId"])
    ] * 2
    refused(await redeem(api, voucher, headers={"idempotency-key": "k-2"}), 400, REFUSED)
    for key in ("k-1", "k-1", "k-1", "k-3", "k-1"):
        wrong = await redeem(api, {**voucher, "pin": "wrong"}, headers={"idempotency-key": key})
        refused(wrong, 400, REFUSED)
    refused(await redeem(api, voucher, headers=headers), 400, REFUSED)


async def test_an_idempotency_key_is_no_way_around_the_lock(api: Api, tree: Tree) -> None:
    voucher, headers = await issued(api, tree), {"idempotency-key": "k-1"}
    for _ in range(5):
        refused(await redeem(api, {**voucher, "pin": "wrong"}, headers=headers), 400, REFUSED)
    refused(await redeem(api, voucher, headers=headers), 400, REFUSED)
    assert api.tenant.rows("kept_answers") == []
    assert api.tenant.rows("vouchers")[0]["status"] == "NEW"


async def test_copies_of_a_redeem_at_once_get_one_answer(api: Api, tree: Tree) -> None:
    voucher, headers = await issued(api, tree), {"idempotency-key": "k-1"}
    answers = await asyncio.gather(*[redeem(api, voucher, headers=headers) for _ in range(4)])
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert api.tenant.differences() == []


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-01-01T00:00:00Z"])
async def test_an_expiry_at_the_edge_of_time_names_its_field(api: Api, tree: Tree, at: str) -> None:
    answer = await issue(api, tree, expiresAt=at)
    refused(answer, 400, "INVALID_FIELD", "expiresAt")
    assert "years 1 to 9998" in answer.json()["message"]
    scopes = {"name": "k", "scopes": ["audit.read"], "endsAt": at}
    refused(await api.post("/admin/api-keys", scopes, token=tree.operator.token), 400, "INVALID_FIELD", "endsAt")


async def test_null_for_an_optional_member_is_as_if_it_were_absent(api: Api, tree: Tree) -> None:
    voucher = await issued(api, tree, prizeWheelEnabled=None, expiresAt=None, count=None)
    assert voucher["prizeWheelEnabled"] is False


async def test_a_batch_that_is_shown_again_is_noted(api: Api, tree: Tree) -> None:
    path, key = f"/voucher/agents/{tree.agent_id}/vouchers", {"idempotency-key": "one"}
    first, again = [await api.post(path, {"amountMinor": 5}, token=tree.cashier.token, headers=key) for _ in range(2)]
    assert first.content == again.content
    rows = [row for row in api.audit() if row["actor_id"] == tree.cashier.staff_id]
    assert [(row["action"], row["subject"], row["tenant_id"]) for row in rows[1:]] == [
        ("repeated: POST /voucher/agents/{tenant_id}/vouchers", tree.agent_id, tree.agent_id)
    ]


async def test_redeems_at_once_have_one_winner(api: Api, tree: Tree) -> None:
    voucher = await issued(api, tree)
    answers = await asyncio.gather(*[redeem(api, voucher) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400, 400, 400]
    assert api.tenant.differences() == []


async def test_in_a_suspended_tenant_nothing_is_issued_or_redeemed(api: Api, tree: Tree) -> None:
    voucher = await issued(api, tree)
    path = f"/admin/tenants/{tree.operator_id}"
    assert (await api.call("PATCH", path, {"status": "SUSPENDED"}, token=tree.distributor.token)).status_code == 200
    refused(await issue(api, tree), 403, "TENANT_NOT_ACTIVE")
    refused(await redeem(api, {**voucher, "pin": "wrong"}), 400, REFUSED)
    refused(await redeem(api, voucher), 403, "TENANT_NOT_ACTIVE")
    assert (await api.call("PATCH", path, {"status": "ACTIVE"}, token=tree.distributor.token)).status_code == 200
    assert (await redeem(api, voucher)).status_code == 201


@pytest.mark.parametrize("kind", ["txt", "svg"])
async def test_a_slip_is_printed_once_with_its_token(api: Api, tree: Tree, kind: str) -> None:
    voucher = await issued(api, tree)
    path, token = f"/voucher/{voucher['voucherId']}/slip", tree.cashier.token
    headers = {"x-slip-token": voucher["slipToken"]}
    refused(await api.get(path, token=token), 404, "NOT_FOUND")
    refused(await api.get(path, token=token, headers={"x-slip-token": "another"}), 404, "NOT_FOUND")
    refused(await api.get(path, token=tree.operator.token, headers=headers), 403, "FORBIDDEN")
    refused(await api.get(path, token=api.tree().cashier.token, headers=headers), 404, "NOT_FOUND")
    refused(await api.get(path, token=token, headers=headers, params={"format": "pdf"}), 400, "INVALID_FIELD", "format")
    head = await api.call("HEAD", path, token=token, headers=headers)
    assert (head.status_code, head.headers["allow"]) == (405, "GET")
    slip = await api.get(path, token=token, headers=headers, params={"format": kind})
    assert slip.status_code == 200
    assert voucher["code"] in slip.text
    assert voucher["pin"] in slip.text
    assert slip.headers["content-type"].startswith({"txt": "text/plain", "svg": "image/svg+xml"}[kind])
    refused(await api.get(path, token=token, headers=headers), 404, "NOT_FOUND")
    assert api.tenant.rows("voucher_slips") == []
    (printed,) = [row for row in api.audit() if row["action"] == "voucher.slip_printed"]
    assert (printed["actor_id"], printed["subject"], printed["tenant_id"], printed["after"]) == (
        tree.cashier.staff_id, voucher["voucherId"], tree.agent_id, {"format": kind},
    )  # fmt: skip
    if kind == "svg":
        address = f"http://127.0.0.1:8000/redeem#{voucher['code']}"
        drawn = segno.make(address, error="m", micro=False).svg_inline(border=4)
        (path,) = re.findall(r' d="([^"]+)"', drawn)
        assert f' d="{path}"' in slip.text, "the QR code holds the address and the code, and nothing else"


async def test_neither_code_nor_pin_is_in_the_database(api: Api, tree: Tree) -> None:
    voucher = await issued(api, tree)
    player = (await redeem(api, voucher)).json()["player"]
    secrets = [voucher["code"], voucher["code"].replace("-", ""), voucher["slipToken"], player["loginCode"]]
    tables = ("vouchers", "voucher_slips", "redeem_tries", "audit_trail", "players", "transactions", "ledger_events")
    for table in tables:
        text = str(api.tenant.rows(table))
        assert not [secret for secret in secrets if secret in text], table


async def test_the_loop_gives_the_money_of_late_vouchers_back(api: Api, tree: Tree) -> None:
    """The loop of the running application, which finds its work in the database."""
    voucher = await issued(api, tree)
    api.tenant.sql("update casino.vouchers set expires_at = casino.clock() where voucher_id = %s", voucher["voucherId"])
    refused(await redeem(api, voucher), 400, REFUSED)
    await until(lambda: api.tenant.rows("vouchers")[0]["status"] == "EXPIRED", "the expiry")
    assert api.tenant.balance(f"§tenant:{tree.agent_id}") == FUNDS_MINOR
    assert api.tenant.differences() == []


async def test_redeeming_logs_the_player_in(api: Api, tree: Tree) -> None:
    content = (await redeem(api, await issued(api, tree))).json()
    me = (await api.get("/player/me", token=content["token"])).json()["state"]
    assert (me["playerId"], me["balanceMinor"], me["bonusPendingMinor"]) == (
        content["player"]["playerId"],
        10_000,
        5_000,
    )
    (session,) = api.tenant.rows("play_sessions")
    assert (me["sessionId"], session["opening_balance_minor"]) == (str(session["play_session_id"]), 10_000)
    login = {name: content["player"][name] for name in ("loginCode", "pin")}
    assert (await api.post("/player/login", login)).status_code == 200
    told = [row for row in api.tenant.rows("ledger_events") if row["event_type"] == "LOGIN"]
    assert [(row["agent_id"], row["cashier_id"]) for row in told] == [(tree.agent_id, tree.cashier.staff_id)] * 2
