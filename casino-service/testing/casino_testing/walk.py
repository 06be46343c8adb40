"""What the walk over roles, routes and tenants needs: trees of tenants, and a new thing in a tenant for each call.

async with api_of(tenant) as api:
    world = World.of(api)
    path = "/admin/players/{player_id}/freeze"
    target = await world.make("player_id", world.tree.agent_id)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from casino.api import permissions
from casino.api.errors import API_ERRORS
from casino.api.frame import Operation
from casino_testing.api import Api, Member, Tree
from casino_testing.tenant import Tenant

NOBODY: Final = "nobody"
"""An id that never was."""
PASSWORD: Final = "a-password-that-is-long"
BODY: Final[Mapping[str, Any]] = {
    "reason": "why", "amountMinor": 1, "cashMinor": 0, "countedMinor": 0, "name": "walked", "type": "OPERATOR",
    "kind": "loss", "period": "day", "value": 1, "role": "auditor", "active": True, "password": PASSWORD,
    "scope": "all", "scopes": ["players.read"], "endsAt": "2100-01-01T00:00:00Z", "roles": [], "url": "https://a.test",
    "events": ["player.closed"],
}  # fmt: skip
"""A body that every route takes, with what is said in BODIES: members that a route does not know are ignored."""
BODIES: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("POST", "/admin/players/{player_id}/exclude"): {"period": "P7D"},
    ("PATCH", "/admin/tenants/{tenant_id}"): {"name": "walked", "type": None},
}
NAMED_IN_BODY: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/admin/tenants"): "parentId",
    ("POST", "/admin/staff"): "tenantId",
}
"""Routes whose body names a tenant: it counts as one of the path does."""
ROWS: Final[Mapping[str, str]] = {
    "approval_id": """
        insert into casino.approvals (
            ledger_id, tenant_id, player_id, wallet_id, kind, amount_minor, reason, requested_by, requested_at
        ) select %(ledger)s, tenant_id, player_id, wallet_id, 'WITHDRAW', 1, 'x', 'x', now() from casino.players
        where ledger_id = %(ledger)s and player_id = %(player)s returning approval_id
    """,
    "key_id": """
        insert into casino.api_keys (ledger_id, tenant_id, made_by, name, prefix, key_mac, scopes, made_at, ends_at)
        values (%(ledger)s, %(tenant)s, %(maker)s, 'x', 'x', %(name)s::text::bytea, '{}', now(),
            now() + interval '1 day')
        returning key_id
    """,
    "stop_id": """
        insert into casino.stops (ledger_id, tenant_id, scope, target, reason, made_by, made_at)
        values (%(ledger)s, %(tenant)s, 'player', %(name)s, 'x', 'x', now()) returning stop_id
    """,
}
"""Makes a row that a path can name. A new parameter of a path gets its row here."""
WEBHOOK: Final = """
    with webhook as (
        insert into casino.webhooks (ledger_id, tenant_id, url, events, made_by, made_at)
        values (%(ledger)s, %(tenant)s, 'https://a.test/', '{player.closed}', 'x', now()) returning webhook_id
    ), event as (
        insert into casino.webhook_events (ledger_id, tenant_id, event_type, data, told_at)
        values (%(ledger)s, %(tenant)s, 'player.closed', '{}', now()) returning event_id
    )
    insert into casino.webhook_deliveries (ledger_id, event_id, webhook_id, tenant_id, told_at, next_at, status)
    select %(ledger)s, event_id, webhook_id, %(tenant)s, now(), now(), 'DEAD' from webhook, event
    returning webhook_id, delivery_id
"""
"""A webhook with a delivery."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Thing:
    """What the path of a call names, and the headers that the call needs."""

    id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, str] = field(default_factory=dict)
    """The ids of what belongs to it, by their names in the path."""


@dataclass(frozen=True, slots=True)
class World:
    """Two trees of tenants, a second agent and a second operator in the first one, and another ledger."""

    api: Api
    tree: Tree
    foreign: Tree
    other_operator_id: str
    other_agent_id: str
    top_id: str
    """A top tenant of the ledger, to which no tree belongs."""

    @classmethod
    def of(cls, api: Api) -> World:
        """Make it. Every float holds money."""
        tree, foreign = api.tree(), api.tree()
        other_operator = api.add_tenant("OPERATOR", tree.distributor_id)
        other_agent = api.add_tenant("AGENT", tree.operator_id)
        world = cls(api, tree, foreign, other_operator, other_agent, api.tenant.tenant_id)
        for tenant_id in world.tenants():
            fund(api.tenant, tenant_id)
        return world

    def tenants(self) -> tuple[str, ...]:
        """The tenants of the ledger."""
        tree, foreign = self.tree, self.foreign
        return (
            tree.distributor_id, tree.operator_id, tree.agent_id, self.other_operator_id, self.other_agent_id,
            foreign.distributor_id, foreign.operator_id, foreign.agent_id, self.top_id,
        )  # fmt: skip

    def agents(self) -> tuple[str, ...]:
        """Those that sell vouchers."""
        return (self.tree.agent_id, self.other_agent_id, self.foreign.agent_id)

    def seen_by(self, member: Member) -> frozenset[str]:
        """The own tenant and those below it, from the tree as it was made: an owner sees every one."""
        tree = self.tree
        below_operator = {tree.operator_id, tree.agent_id, self.other_agent_id}
        of_own = {
            None: set(self.tenants()),
            tree.distributor_id: {tree.distributor_id, self.other_operator_id} | below_operator,
            tree.operator_id: below_operator,
            tree.agent_id: {tree.agent_id},
        }
        return frozenset(of_own[member.tenant_id])

    async def make(self, name: str, tenant_id: str) -> Thing:
        """A new thing of a tenant, by the name of its parameter in a path."""
        if name == "voucher_id":
            return await self._voucher(tenant_id)
        if name == "webhook_id":
            values = {"ledger": self.api.tenant.ledger_id, "tenant": tenant_id}
            row = self.api.tenant.sql(WEBHOOK, values)[0]
            return Thing(str(row["webhook_id"]), further={"delivery_id": str(row["delivery_id"])})
        return Thing(self._id_of_new(name, tenant_id))

    def _id_of_new(self, name: str, tenant_id: str) -> str:
        known = {
            "tenant_id": lambda: tenant_id,
            "player_id": lambda: self.player(tenant_id),
            "staff_id": lambda: self.api.staff("auditor", tenant_id).staff_id,
        }
        if name in known:
            return known[name]()
        values = {"ledger": self.api.tenant.ledger_id, "tenant": tenant_id, "name": f"walked-{next(_numbers)}"}
        if name == "approval_id":
            values["player"] = self.player(tenant_id)
        if name == "key_id":
            values["maker"] = self.api.staff("operator", tenant_id).staff_id
        return str(self.api.tenant.sql(WEBHOOK if name == "delivery_id" else ROWS[name], values)[0][name])

    def player(self, tenant_id: str) -> str:
        """A new player of a tenant; the id."""
        player_id = f"walked-{next(_numbers)}"
        self.api.tenant.sql(
            "select casino.open_player(%s, %s, 'somebody', 'USD', 100, %s)",
            tenant_id, player_id, self.api.tenant.ledger_id,
        )  # fmt: skip
        return player_id

    async def _voucher(self, agent_id: str) -> Thing:
        cashier = self.api.staff("cashier", agent_id)
        answer = await self.api.post(f"/voucher/agents/{agent_id}/vouchers", {"amountMinor": 1}, token=cashier.token)
        assert answer.status_code == 201, answer.text
        voucher = answer.json()["voucher"]
        return Thing(voucher["voucherId"], {"x-slip-token": voucher["slipToken"]})


def fund(tenant: Tenant, tenant_id: str) -> None:
    """Put money into a float."""
    tenant.sql(
        "select casino.move_house_money(%(ledger)s, 'float_in', casino.float_of(%(ledger)s, %(tenant)s), 'funds',"
        " 1000000, 'funds', 'x')",
        {"ledger": tenant.ledger_id, "tenant": tenant_id},
    )


def body_of(operation: Operation) -> dict[str, Any] | None:
    """A body that the route takes; None for one that reads."""
    if operation.only_reads:
        return None
    own = {**BODY, "username": f"walked.{next(_numbers)}"}
    return {**own, **BODIES.get((operation.method, operation.path), {})}


def expected(operation: Operation, member: Member, target: str | None, *, sees: bool, named_in_body: bool) -> str:
    """The cell of the walk: `FORBIDDEN`, a code of 404, or `allowed`. By the rules of the contract, not by the code.

    Staff act on their own tenant and those below; `tenants.manage` changes those below only.
    """
    wanted = operation.permission
    if wanted is not None:
        reads = operation.only_reads and member.role == "auditor" and wanted in permissions.READ_BY_AUDITORS
        if member.role not in permissions.PERMISSIONS[wanted] and not reads:
            return "FORBIDDEN"
        if operation.only_owners and member.role != "owner":
            return "FORBIDDEN"
    if target is not None and not sees:
        return next((code for code in operation.codes if API_ERRORS[code].status == 404), "NOT_FOUND")
    is_own = target == member.tenant_id and not operation.only_reads and not named_in_body
    return "FORBIDDEN" if is_own and wanted == "tenants.manage" else "allowed"
