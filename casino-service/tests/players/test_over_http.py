"""Players and the staff that looks after them, over HTTP: each call once, as an operator makes it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from casino.players.export import ROWS_MAX as EXPORT_ROWS_MAX
from casino_testing.api import Api, Tree, api_of, refused
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

AMOUNT = 10_000


@dataclass(frozen=True, slots=True)
class Floor:
    """An agent's floor: the platform, its staff, and a player who redeemed a voucher of the cashier."""

    api: Api
    tree: Tree
    player_id: str
    login_code: str
    pin: str
    token: str

    async def staff(self, word: str, body: Any = None, *, role: str = "operator") -> httpx.Response:
        """A POST of staff to the player."""
        member = getattr(self.tree, role)
        content = {"reason": "why", **(body or {})}
        return await self.api.post(f"/admin/players/{self.player_id}/{word}", content, token=member.token)

    async def own(self, path: str, body: Any = None) -> httpx.Response:
        """A POST of the player."""
        return await self.api.post(f"/player/{path}", body or {}, token=self.token)

    async def log_in(self) -> httpx.Response:
        """The player's login."""
        return await self.api.post("/player/login", {"loginCode": self.login_code, "pin": self.pin})

    async def me(self) -> dict[str, Any]:
        """The player's state."""
        answer = await self.api.get("/player/me", token=self.token)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["state"])

    async def player(self) -> dict[str, Any]:
        """The player as the operator sees one."""
        answer = await self.api.get(f"/admin/players/{self.player_id}", token=self.tree.operator.token)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["player"])


@pytest.fixture
async def floor(tenant: Tenant) -> AsyncIterator[Floor]:
    async with api_of(tenant) as api:
        tree = api.tree()
        tenant.sql("update casino.tenants set bonus_bp = 0 where tenant_id = %s", tree.agent_id)
        tenant.sql(
            "select casino.move_house_money(%s, 'float_in', casino.float_of(%s, %s), 'funds', 1000000, 'x', 'x')",
            tenant.ledger_id, tenant.ledger_id, tree.agent_id,
        )  # fmt: skip
        path = f"/voucher/agents/{tree.agent_id}/vouchers"
        voucher = (await api.post(path, {"amountMinor": AMOUNT}, token=tree.cashier.token)).json()["voucher"]
        made = await api.post("/voucher/redeem", {"code": voucher["code"], "pin": voucher["pin"]})
        player = made.json()["player"]
        yield Floor(api, tree, player["playerId"], player["loginCode"], player["pin"], made.json()["token"])


def threshold(floor: Floor, minor: int | None) -> None:
    floor.api.tenant.sql(
        "update casino.tenants set require_approval_above_minor = %s where tenant_id = %s",
        minor,
        floor.tree.operator_id,
    )


async def test_a_player_logs_in_reads_the_state_and_logs_out(floor: Floor) -> None:
    answer = await floor.log_in()
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert content["player"] == {
        "playerId": floor.player_id, "tenantId": floor.tree.agent_id, "bonusAckRequired": False,
    }  # fmt: skip
    state = await floor.me()
    check = state.pop("realityCheck")
    assert uuid.UUID(state.pop("sessionId"))
    assert state == {
        "playerId": floor.player_id, "tenantId": floor.tree.agent_id, "currency": "USD", "balanceMinor": AMOUNT,
        "version": 1, "bonusPendingMinor": 0, "bonusAckRequired": False, "status": "ACTIVE", "limits": [],
        "exclusion": None, "messages": [],
    }  # fmt: skip
    assert (check.keys(), check["netMinor"]) == ({"elapsedSeconds", "netMinor", "dueAt"}, 0)
    assert (await floor.own("logout")).json() == {"ok": True}
    refused(await floor.api.get("/player/me", token=content["token"]), 401, "TOKEN_INVALID")
    refused(await floor.api.get("/player/me", token=floor.token), 401, "TOKEN_INVALID")
    again = (await floor.log_in()).json()["token"]
    assert (await floor.api.get("/player/me", token=again)).status_code == 200


@pytest.mark.parametrize("hours", [25, -25])
async def test_logins_and_logouts_go_by_the_databases_clock_alone(floor: Floor, hours: int) -> None:
    """Whatever it shows beside this process's: only the end of a token is judged here."""
    tenant = floor.api.tenant
    tenant.make_clock_settable()
    tenant.sql(
        "create or replace function casino.clock() returns timestamptz language sql volatile parallel safe"
        f" set search_path = pg_catalog, pg_temp as $$ select clock_timestamp() + interval '{hours} hours' $$"
    )
    tenant.sql("update casino.players set is_ephemeral = false where ledger_id = %s", tenant.ledger_id)
    for _ in range(3):
        token = (await floor.log_in()).json()["token"]
        assert (await floor.api.get("/player/me", token=token)).status_code == 200
        assert (await floor.api.post("/player/logout", {}, token=token)).status_code == 200
        refused(await floor.api.get("/player/me", token=token), 401, "TOKEN_INVALID")


@pytest.mark.parametrize(
    "body", [{}, {"loginCode": 1, "pin": "1"}, {"loginCode": "x"}, {"loginCode": None, "pin": "1"}]
)
async def test_a_login_without_code_or_pin_is_malformed(floor: Floor, body: Any) -> None:
    answer = await floor.api.post("/player/login", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_FIELD")


async def test_wrong_logins_answer_alike_and_lock_the_code(floor: Floor) -> None:
    wrong = {"loginCode": floor.login_code.lower().replace("-", ""), "pin": "x"}
    unknown = {"loginCode": "\x00", "pin": "x"}
    for body in (unknown, *[wrong] * 5):
        refused(await floor.api.post("/player/login", body), 401, "INVALID_PLAYER_CREDENTIALS")
    locked = await floor.log_in()
    refused(locked, 429, "LOCKED")
    assert locked.json()["lockUntil"].endswith("Z")
    assert 1 <= int(locked.headers["retry-after"]) <= 60


async def test_a_player_sets_confirms_and_sees_limits(floor: Floor) -> None:
    limit = {"kind": "loss", "period": "day", "value": 500}
    made = await floor.own("limits", limit)
    assert made.status_code == 201, made.text
    first = made.json()["limit"]
    assert first.keys() == {"limitId", "kind", "period", "value", "status", "effectiveAt", "sessionId"}
    assert (first["status"], first["value"]) == ("ACTIVE", 500)
    second = (await floor.own("limits", {**limit, "value": None})).json()["limit"]
    assert second["status"] == "PENDING"
    assert [each["status"] for each in (await floor.me())["limits"]] == ["ACTIVE", "PENDING"]
    early = await floor.own(f"limits/{second['limitId']}/confirm")
    refused(early, 409, "LIMIT_NOT_DUE")
    assert early.json()["effectiveAt"] == second["effectiveAt"]
    assert early.json()["message"].endswith(f"it is due at {second['effectiveAt']}")
    for nothing in (uuid.uuid4(), "x"):
        refused(await floor.own(f"limits/{nothing}/confirm"), 404, "NOT_FOUND")
    refused(await floor.own("limits", {**limit, "period": "week", "value": 499}), 400, "INVALID_FIELD", "value")
    floor.api.tenant.sql("update casino.player_limits set effective_at = now() where limit_id = %s", second["limitId"])
    confirmed = await floor.own(f"limits/{second['limitId']}/confirm")
    assert (confirmed.status_code, confirmed.json()["limit"]["value"]) == (200, None)
    assert (await floor.me())["limits"] == []
    for name, value in (
        ("kind", "x"),
        ("period", "year"),
        ("value", -1),
        ("value", True),
        ("value", 1.5),
        ("value", "1"),
    ):
        refused(await floor.own("limits", {**limit, name: value}), 400, "INVALID_FIELD", name)


async def test_staff_lowers_a_limit_and_nobody_raises_it(floor: Floor) -> None:
    limit = {"kind": "deposit", "period": "week", "value": 500}
    lowered = await floor.staff("limits", limit, role="agent")
    assert (lowered.status_code, lowered.json()["limit"]["status"]) == (201, "ACTIVE")
    for role in ("owner", "operator"):
        for value in (501, None):
            refused(await floor.staff("limits", {**limit, "value": value}, role=role), 409, "LIMIT_MAY_ONLY_BE_LOWERED")
    refused(await floor.staff("deposit", {"amountMinor": 501}), 409, "DEPOSIT_LIMIT_REACHED")
    assert (await floor.player())["limits"][0]["value"] == 500


async def test_an_exclusion_is_made_once_and_never_shortened(floor: Floor) -> None:
    made = await floor.own("exclude", {"period": "P1M"})
    assert made.status_code == 201, made.text
    until = made.json()["exclusion"]["until"]
    shorter = await floor.staff("exclude", {"period": "P7D"}, role="agent")
    assert (shorter.status_code, shorter.json()["exclusion"]) == (200, {"until": until})
    assert (await floor.staff("unfreeze")).json()["player"]["exclusion"] == {"until": until}
    longest = await floor.own("exclude", {"period": "PERMANENT"})
    assert (longest.status_code, longest.json()["exclusion"]) == (201, {"until": None})
    assert ((await floor.me())["status"], (await floor.player())["exclusion"]) == ("EXCLUDED", {"until": None})
    assert (await floor.log_in()).status_code == 200
    refused(await floor.own("exclude", {"period": "P1D"}), 400, "INVALID_FIELD", "period")


async def test_a_player_acknowledges_without_anything_to_acknowledge(floor: Floor) -> None:
    before = (await floor.me())["realityCheck"]["dueAt"]
    for word in ("bonus/ack", "reality-check/ack"):
        answer = await floor.own(word)
        assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert (await floor.me())["realityCheck"]["dueAt"] > before


def play(floor: Floor) -> None:
    """A round that was won, one that was taken back, and one that is open."""
    tenant = floor.api.tenant
    tenant.sql(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " values (%s, '1', 'SLOTS_001', 'Slots', 1, 100000)",
        floor.tree.agent_id,
    )
    wallet = Wallet(tenant, settings_of(tenant))
    session = wallet.open_session(floor.player_id)
    won, undone = wallet.bet(session, 1_000, round_id="won"), wallet.bet(session, 1_000, round_id="undone")
    wallet.accept(session.credit(3_000, related_id=won.transaction_id, round_id="won"))
    wallet.accept(session.rollback(undone.transaction_id, round_id="undone"))
    wallet.bet(session, 500, round_id="open")
    wallet.close()


async def test_a_player_reads_the_own_rounds(floor: Floor) -> None:
    await asyncio.to_thread(play, floor)
    items, cursor = [], None
    for _ in range(3):
        query = "?limit=1" + (f"&cursor={cursor}" if cursor else "")
        page = (await floor.api.get(f"/player/history{query}", token=floor.token)).json()
        items += page["items"]
        cursor = page["nextCursor"]
    assert cursor is None
    assert [(each["roundId"], each["state"], each["stakeMinor"], each["winMinor"]) for each in items] == [
        ("open", "OPEN", 500, 0), ("undone", "ROLLED_BACK", 0, 0), ("won", "ENDED", 1_000, 3_000),
    ]  # fmt: skip
    assert [each["balanceMinor"] for each in items] == [11_500, 12_000, 11_000]
    assert items[0].keys() == {"roundId", "gameCode", "at", "stakeMinor", "winMinor", "state", "balanceMinor"}
    assert (await floor.me())["realityCheck"]["netMinor"] == 1_500
    export = (await floor.api.get("/player/export", token=floor.token)).json()
    assert export["isComplete"]
    assert len(export["export"]["rounds"]) == 3
    assert export["export"]["player"]["playerId"] == floor.player_id
    text = (await floor.api.get("/player/export", token=floor.token)).text
    for secret in (floor.login_code, floor.login_code.replace("-", ""), f'"{floor.pin}"'):
        assert secret not in text
    ledger = (await floor.player())["ledger"]
    assert [each["amountMinor"] for each in ledger] == [-500, 1_000, 3_000, -1_000, -1_000, AMOUNT]


async def test_an_export_has_the_newest_rows_of_each_part_and_says_when_there_are_more(floor: Floor) -> None:
    floor.api.tenant.sql(
        "insert into casino.audit_trail (ledger_id, at, tenant_id, actor_kind, action, subject, outcome, request_id)"
        " select %s, clock_timestamp() - make_interval(secs => place), %s, 'system', 'row ' || place, %s, 'DONE', 'x'"
        " from generate_series(1, %s) as place",
        floor.api.tenant.ledger_id, floor.tree.agent_id, floor.player_id, EXPORT_ROWS_MAX + 1,
    )  # fmt: skip
    answer = await floor.api.get("/player/export", token=floor.token)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    export = answer.json()
    rows = export["export"]["auditTrail"]
    assert (export["isComplete"], len(rows)) == (False, EXPORT_ROWS_MAX)
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    assert f"row {EXPORT_ROWS_MAX + 1}" not in {row["action"] for row in rows}, "that is the oldest one"
    assert export["export"]["limits"] == []


async def test_staff_lists_its_own_players_page_by_page(floor: Floor) -> None:
    tenant = floor.api.tenant
    for number in range(3):
        tenant.sql(
            "select casino.create_player(%s, %s, %s, %s, 'x', null, %s, null, 'USD')",
            tenant.ledger_id, floor.tree.agent_id, f"extra-{number}", f"code-{number}".encode(), floor.tree.agent_id,
        )  # fmt: skip
    found: list[str] = []
    cursor = None
    for _ in range(2):
        query = "?limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = (await floor.api.get(f"/admin/players{query}", token=floor.tree.cashier.token)).json()
        found += [each["playerId"] for each in page["items"]]
        cursor = page["nextCursor"]
    assert (found, cursor) == (["extra-2", "extra-1", "extra-0", floor.player_id], None)
    everybody = (await floor.api.get("/admin/players?limit=200", token=floor.tree.owner.token)).json()["items"]
    assert {"1", "2", floor.player_id} <= {each["playerId"] for each in everybody}
    for query in ("?limit=0", "?cursor=x", "?limit=201"):
        answer = await floor.api.get(f"/admin/players{query}", token=floor.tree.operator.token)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_FIELD")
    player = await floor.player()
    assert player.pop("ledger") != []
    assert player == {
        "playerId": floor.player_id, "tenantId": floor.tree.agent_id, "status": "ACTIVE", "currency": "USD",
        "balanceMinor": AMOUNT, "bonus": None, "limits": [], "safetyActions": [], "exclusion": None,
        "issuedBy": floor.tree.cashier.staff_id,
    }  # fmt: skip


async def test_another_tenants_player_is_not_there(floor: Floor) -> None:
    stranger = floor.api.tree()
    for player_id in (floor.player_id, "nobody", "§tenant:" + floor.tree.agent_id):
        answer = await floor.api.get(f"/admin/players/{player_id}", token=stranger.operator.token)
        refused(answer, 404, "NOT_FOUND")
        for word in (
            "deposit",
            "withdraw",
            "adjust",
            "freeze",
            "unfreeze",
            "close",
            "exclude",
            "cashout",
            "limits",
            "erase",
        ):
            path = f"/admin/players/{player_id}/{word}"
            refused(await floor.api.post(path, {}, token=stranger.operator.token), 404, "NOT_FOUND")


async def test_money_is_deposited_withdrawn_and_adjusted(floor: Floor) -> None:
    answer = await floor.staff("deposit", {"amountMinor": 300}, role="cashier")
    assert answer.status_code == 200, answer.text
    transfer = answer.json()["transfer"]
    assert uuid.UUID(transfer.pop("transferId"))
    float_minor = 1_000_000 - AMOUNT
    assert transfer == {"amountMinor": 300, "balanceMinor": 10_300, "agentBalanceMinor": float_minor - 300}
    transfer = (await floor.staff("withdraw", {"amountMinor": 100}, role="agent")).json()["transfer"]
    assert (transfer["balanceMinor"], transfer["agentBalanceMinor"]) == (10_200, float_minor - 200)
    transfer = (await floor.staff("adjust", {"amountMinor": -200})).json()["transfer"]
    assert (transfer["balanceMinor"], transfer["agentBalanceMinor"]) == (10_000, None)
    refused(await floor.staff("withdraw", {"amountMinor": 10_001}), 409, "INSUFFICIENT_FUNDS")
    refused(await floor.staff("adjust", {"amountMinor": -10_001}), 409, "INSUFFICIENT_FUNDS")
    refused(await floor.staff("deposit", {"amountMinor": 10**12}), 409, "INSUFFICIENT_AGENT_FUNDS")
    refused(await floor.staff("adjust", {"amountMinor": 1}, role="agent"), 403, "FORBIDDEN")
    for amount in (0, -1, 10**12 + 1, 1.5, "1", None, True):
        refused(await floor.staff("deposit", {"amountMinor": amount}), 400, "INVALID_FIELD", "amountMinor")
    refused(await floor.staff("adjust", {"amountMinor": 0}), 400, "INVALID_FIELD", "amountMinor")
    refused(await floor.staff("withdraw", {"amountMinor": 1, "reason": ""}), 400, "INVALID_FIELD", "reason")
    actions = [row["action"] for row in floor.api.audit() if row["outcome"] == "DONE"]
    assert actions[-3:] == ["player.deposit", "player.withdraw", "player.adjust"]


async def test_the_same_key_pays_once(floor: Floor) -> None:
    path, body = f"/admin/players/{floor.player_id}/deposit", {"amountMinor": 5, "reason": "why"}
    headers = {"idempotency-key": "k"}
    first, second = [await floor.api.post(path, body, token=floor.tree.agent.token, headers=headers) for _ in range(2)]
    assert first.content == second.content
    assert second.headers["idempotent-replay"] == "true"
    assert (await floor.me())["balanceMinor"] == AMOUNT + 5


async def test_a_suspended_tenant_and_a_frozen_player_take_no_deposit(floor: Floor) -> None:
    assert (await floor.staff("freeze", role="agent")).json()["player"]["status"] == "FROZEN"
    refused(await floor.staff("deposit", {"amountMinor": 1}), 409, "PLAYER_NOT_ACTIVE")
    assert (await floor.staff("unfreeze", role="agent")).json()["player"]["status"] == "ACTIVE"
    floor.api.tenant.sql("update casino.tenants set status = 'SUSPENDED' where tenant_id = %s", floor.tree.operator_id)
    refused(await floor.staff("deposit", {"amountMinor": 1}, role="owner"), 403, "TENANT_NOT_ACTIVE")


async def test_above_the_threshold_somebody_else_decides(floor: Floor) -> None:
    threshold(floor, 100)
    asked = await floor.staff("withdraw", {"amountMinor": 101}, role="cashier")
    assert asked.status_code == 202, asked.text
    approval = asked.json()["approval"]
    shown = ("kind", "playerId", "amountMinor", "reason", "requestedBy", "status")
    assert {name: approval[name] for name in shown} == {
        "kind": "WITHDRAW", "playerId": floor.player_id, "amountMinor": 101, "reason": "why",
        "requestedBy": floor.tree.cashier.staff_id, "status": "PENDING",
    }  # fmt: skip
    listed = (await floor.api.get("/admin/approvals", token=floor.tree.auditor.token)).json()
    assert listed["items"] == [approval]
    path = f"/admin/approvals/{approval['approvalId']}"
    refused(await floor.api.post(f"{path}/approve", {}, token=floor.tree.agent.token), 403, "FORBIDDEN")
    done = await floor.api.post(f"{path}/approve", {}, token=floor.tree.operator.token)
    assert done.status_code == 200, done.text
    assert (done.json()["approval"]["status"], done.json()["approval"]["decidedBy"]) == (
        "APPROVED", floor.tree.operator.staff_id,
    )  # fmt: skip
    assert (await floor.me())["balanceMinor"] == AMOUNT - 101
    for word in ("approve", "reject"):
        refused(await floor.api.post(f"{path}/{word}", {}, token=floor.tree.owner.token), 409, "ALREADY_DECIDED")
    stranger = floor.api.tree()
    refused(await floor.api.post(f"{path}/reject", {}, token=stranger.operator.token), 404, "NOT_FOUND")
    refused(await floor.api.post("/admin/approvals/x/reject", {}, token=floor.tree.owner.token), 404, "NOT_FOUND")
    pending = await floor.api.get("/admin/approvals?status=PENDING", token=floor.tree.operator.token)
    assert pending.json()["items"] == []


async def test_who_asked_does_not_decide(floor: Floor) -> None:
    threshold(floor, 0)
    approval = (await floor.staff("adjust", {"amountMinor": 7}, role="operator")).json()["approval"]
    path = f"/admin/approvals/{approval['approvalId']}"
    made = floor.api.staff("operator", floor.tree.operator_id, made_by=floor.tree.operator.staff_id)
    for member in (floor.tree.operator, made):
        for word in ("approve", "reject"):
            refused(await floor.api.post(f"{path}/{word}", {}, token=member.token), 403, "SELF_APPROVAL")
    done = await floor.api.post(f"{path}/reject", {}, token=floor.tree.distributor.token)
    assert done.json()["approval"]["status"] == "REJECTED"
    assert (await floor.me())["balanceMinor"] == AMOUNT


async def test_a_key_asks_as_its_maker(floor: Floor) -> None:
    threshold(floor, 0)
    ends_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    key = {"name": "desk", "scopes": ["players.adjust"], "endsAt": ends_at}
    made = await floor.api.post("/admin/api-keys", key, token=floor.tree.operator.token)
    assert made.status_code == 201, made.text
    path = f"/admin/players/{floor.player_id}/adjust"
    asked = await floor.api.post(path, {"amountMinor": 7, "reason": "why"}, token=made.json()["apiKey"]["key"])
    approval = asked.json()["approval"]
    assert (asked.status_code, approval["requestedBy"]) == (202, floor.tree.operator.staff_id)
    path = f"/admin/approvals/{approval['approvalId']}/approve"
    refused(await floor.api.post(path, {}, token=floor.tree.operator.token), 403, "SELF_APPROVAL")
    noted = floor.api.audit()[-1]
    assert (noted["actor_id"], noted["outcome"], noted["action"]) == (
        floor.tree.operator.staff_id, "REFUSED", "POST /admin/approvals/{approval_id}/approve",
    )  # fmt: skip
    refused(await floor.api.post(path, {}, token=made.json()["apiKey"]["key"]), 403, "FORBIDDEN")
    assert (await floor.api.post(path, {}, token=floor.tree.owner.token)).status_code == 200


async def test_a_cash_out_pays_closes_and_is_not_repeated(floor: Floor) -> None:
    answer = await floor.staff("cashout", role="cashier")
    assert answer.status_code == 200, answer.text
    assert answer.json()["cashout"] == {
        "amountMinor": AMOUNT, "forfeitedBonusMinor": 0, "agentBalanceMinor": 1_000_000,
    }  # fmt: skip
    refused(await floor.api.get("/player/me", token=floor.token), 401, "TOKEN_INVALID")
    refused(await floor.log_in(), 401, "INVALID_PLAYER_CREDENTIALS")
    refused(await floor.staff("cashout"), 409, "PLAYER_NOT_ACTIVE")
    assert (await floor.player())["status"] == "CLOSED"


async def test_a_cash_out_that_waits(floor: Floor) -> None:
    threshold(floor, 0)
    approval = (await floor.staff("cashout", role="cashier")).json()["approval"]
    assert (approval["kind"], approval["amountMinor"]) == ("CASHOUT", AMOUNT)
    assert (await floor.me())["status"] == "ACTIVE"
    path = f"/admin/approvals/{approval['approvalId']}/approve"
    assert (await floor.api.post(path, {}, token=floor.tree.operator.token)).status_code == 200
    assert (await floor.player())["balanceMinor"] == 0


async def test_a_player_is_closed_and_erased(floor: Floor) -> None:
    refused(await floor.staff("erase"), 409, "PLAYER_NOT_EMPTY")
    refused(await floor.staff("bonus/forfeit"), 409, "BONUS_NOT_PENDING")
    await floor.staff("withdraw", {"amountMinor": AMOUNT})
    closed = await floor.staff("close", role="agent")
    assert closed.json()["player"]["status"] == "CLOSED"
    refused(await floor.staff("freeze"), 409, "PLAYER_NOT_ACTIVE")
    erased = await floor.staff("erase")
    assert (erased.status_code, erased.json()["player"]["playerId"]) == (200, floor.player_id)
    refused(await floor.log_in(), 401, "INVALID_PLAYER_CREDENTIALS")


async def test_a_pending_bonus_is_forfeited_to_the_float(floor: Floor) -> None:
    tenant, tree = floor.api.tenant, floor.tree
    tenant.sql("update casino.tenants set bonus_bp = 5000 where tenant_id = %s", tree.agent_id)
    path = f"/voucher/agents/{tree.agent_id}/vouchers"
    voucher = (await floor.api.post(path, {"amountMinor": 100}, token=tree.cashier.token)).json()["voucher"]
    redeemed = await floor.api.post("/voucher/redeem", {"code": voucher["code"], "pin": voucher["pin"]})
    player_id = redeemed.json()["player"]["playerId"]
    shown = await floor.api.get(f"/admin/players/{player_id}", token=tree.operator.token)
    assert shown.json()["player"]["bonus"] == {"amountMinor": 50, "state": "PENDING"}
    path = f"/admin/players/{player_id}/cashout"
    paid = await floor.api.post(path, {"reason": "why"}, token=tree.cashier.token)
    assert paid.json()["cashout"] == {
        "amountMinor": 100, "forfeitedBonusMinor": 50, "agentBalanceMinor": 1_000_000 - AMOUNT,
    }  # fmt: skip


async def test_a_cashier_closes_a_shift(floor: Floor) -> None:
    tree, api = floor.tree, floor.api
    refused(await api.post("/admin/shifts/close", {"countedMinor": 0}, token=tree.cashier.token), 409, "SHIFT_NOT_OPEN")
    opened = await api.post("/admin/shifts/open", {"cashMinor": 100}, token=tree.cashier.token)
    assert opened.status_code == 201, opened.text
    refused(await api.post("/admin/shifts/open", {"cashMinor": 1}, token=tree.cashier.token), 409, "SHIFT_OPEN")
    issue = f"/voucher/agents/{tree.agent_id}/vouchers"
    sold, void = [
        (await api.post(issue, {"amountMinor": amount}, token=tree.cashier.token)).json()["voucher"]
        for amount in (700, 40)
    ]
    await api.post("/voucher/redeem", {"code": sold["code"], "pin": sold["pin"]})
    await api.post(f"/voucher/{void['voucherId']}/void", {}, token=tree.agent.token)
    await floor.staff("deposit", {"amountMinor": 50}, role="cashier")
    await floor.staff("withdraw", {"amountMinor": 20}, role="cashier")
    await floor.staff("withdraw", {"amountMinor": 3}, role="agent")
    await floor.staff("cashout", role="cashier")
    closed = await api.post("/admin/shifts/close", {"countedMinor": 1}, token=tree.cashier.token)
    assert closed.status_code == 200, closed.text
    shift = closed.json()["shift"]
    cashed_out = AMOUNT + 50 - 23
    expected = 100 + 740 + 50 - 40 - 20 - cashed_out
    assert {name: value for name, value in shift.items() if name.endswith("Minor")} == {
        "cashMinor": 100, "issuedMinor": 740, "voidedMinor": 40, "redeemedMinor": 700, "depositedMinor": 50,
        "withdrawnMinor": 20, "cashedOutMinor": cashed_out, "expectedMinor": expected, "countedMinor": 1,
        "differenceMinor": 1 - expected,
    }  # fmt: skip
    assert shift["openedAt"] < shift["closedAt"]
    for member in (tree.cashier, tree.auditor):
        listed = await api.get("/admin/shifts", token=member.token)
        assert [each["shiftId"] for each in listed.json()["items"]] == [shift["shiftId"]]
    other = api.staff("cashier", tree.agent_id)
    assert (await api.get("/admin/shifts", token=other.token)).json()["items"] == []
    refused(await api.post("/admin/shifts/open", {"cashMinor": 1}, token=tree.agent.token), 403, "FORBIDDEN")
    refused(
        await api.post("/admin/shifts/open", {"cashMinor": -1}, token=other.token), 400, "INVALID_FIELD", "cashMinor"
    )
