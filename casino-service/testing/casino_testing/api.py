"""The operator's platform over HTTP: the whole application, staff with tokens, and a tree of tenants.

async with api_of(tenant) as api:
    tree = api.tree()
    answer = await api.post("/admin/tenants/…/fund", {…}, token=tree.operator.token)
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec

from casino.api import tokens
from casino.settings import DEMO_ACCESS_TOKEN_SECRET
from casino_testing.documented import require_documented
from casino_testing.edge import Service, serving
from casino_testing.tenant import Tenant
from shared_signing.keys import parse_keys

BASE: Final = "/api/v1"
KEYS: Final = parse_keys(DEMO_ACCESS_TOKEN_SECRET, None)
TYPE_OF_ROLE: Final = {"distributor": "DISTRIBUTOR", "operator": "OPERATOR", "agent": "AGENT", "cashier": "AGENT"}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff who is logged in."""

    staff_id: str
    username: str
    role: str
    tenant_id: str | None
    token: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A distributor, its operator, and the operator's agent: their ids, and one member of staff for each role."""

    distributor_id: str
    operator_id: str
    agent_id: str
    owner: Member
    distributor: Member
    operator: Member
    agent: Member
    cashier: Member
    auditor: Member
    """Of the operator."""

    def members(self) -> tuple[Member, ...]:
        """One of each role, the highest first."""
        return (self.owner, self.distributor, self.operator, self.agent, self.cashier, self.auditor)


@dataclass(frozen=True, slots=True)
class Api:
    """Calls the platform, and arranges what it needs as a superuser."""

    service: Service
    tenant: Tenant

    async def call(
        self, method: str, path: str, content: Any = None, *, token: str | None = None, **options: Any
    ) -> httpx.Response:
        """One call. `content` is the body's content, or its bytes. The answer must be one of OpenAPI's."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if content is not None:
            headers.setdefault("content-type", "application/json")
            options["content"] = content if isinstance(content, bytes) else msgspec.json.encode(content)
        answer = await self.service.anybody.request(method, BASE + path, headers=headers, **options)
        require_documented(self.service.app.state.operations, method, BASE + path, answer)
        return answer

    async def post(self, path: str, content: Any = None, **options: Any) -> httpx.Response:
        """A POST."""
        return await self.call("POST", path, content, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """A GET."""
        return await self.call("GET", path, **options)

    def staff(self, role: str, tenant_id: str | None, *, made_by: str | None = None) -> Member:
        """A new member of staff with an access token."""
        number = next(_numbers)
        username, ledger_id = f"{role}-{number}", self.tenant.ledger_id
        staff_id = str(
            self.tenant.sql(
                "insert into casino.staff (ledger_id, tenant_id, username, role, made_by, made_at)"
                " values (%s, %s, %s, %s, %s, casino.clock()) returning staff_id",
                ledger_id, tenant_id, username, role, made_by,
            )[0]["staff_id"]
        )  # fmt: skip
        return Member(staff_id, username, role, tenant_id, self.token_of(staff_id))

    def owner(self) -> Member:
        """A new owner."""
        return self.staff("owner", None)

    def token_of(self, staff_id: str) -> str:
        """A token of a new login."""
        family = self.tenant.sql(
            "insert into casino.staff_families (ledger_id, staff_id, births, ends_at)"
            " values (%s, %s, array[casino.clock()], casino.clock() + interval '12 hours') returning family_id",
            self.tenant.ledger_id, staff_id,
        )[0]["family_id"]  # fmt: skip
        return tokens.issue(KEYS, tokens.STAFF, staff_id, family=str(family))

    def player_token(self, player_id: str) -> str:
        """A token of a player."""
        return tokens.issue(KEYS, tokens.PLAYERS, player_id)

    def add_tenant(self, kind: str, parent_id: str | None, **columns: Any) -> str:
        """A new tenant in this test's ledger, with a float of 0; returns its id."""
        tenant_id = f"{self.tenant.tenant_id}-{kind.lower()}-{next(_numbers)}"
        ledger_id = self.tenant.ledger_id
        self.tenant.sql(
            "insert into casino.tenants (tenant_id, display_name, ledger_id, parent_id, tenant_type)"
            " values (%s, %s, %s, %s, %s)",
            tenant_id, tenant_id, ledger_id, parent_id, kind,
        )  # fmt: skip
        for name, value in columns.items():
            self.tenant.sql(f"update casino.tenants set {name} = %s where tenant_id = %s", value, tenant_id)
        self.tenant.sql(
            "insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency, owner_kind)"
            " values (%s, %s, %s, %s, 'USD', 'tenant') on conflict do nothing",
            ledger_id, tenant_id, f"§tenant:{tenant_id}", tenant_id,
        )  # fmt: skip
        return tenant_id

    def tree(self) -> Tree:
        """A distributor at the top, an operator below it and an agent below that, with staff."""
        distributor = self.add_tenant("DISTRIBUTOR", None)
        operator = self.add_tenant("OPERATOR", distributor)
        agent = self.add_tenant("AGENT", operator)
        return Tree(
            distributor, operator, agent, self.owner(), self.staff("distributor", distributor),
            self.staff("operator", operator), self.staff("agent", agent), self.staff("cashier", agent),
            self.staff("auditor", operator),
        )  # fmt: skip

    async def funded_tree(self, *, float_minor: int = 1_000_000) -> Tree:
        """A tree in which each tenant has had this much money, which came down from an owner: the agent has it now."""
        tree = self.tree()
        for tenant_id in (tree.distributor_id, tree.operator_id, tree.agent_id):
            body = {"amountMinor": float_minor, "reason": "opening"}
            answer = await self.post(f"/admin/tenants/{tenant_id}/fund", body, token=tree.owner.token)
            assert answer.status_code == 200, answer.text
        return tree

    def audit(self) -> list[dict[str, Any]]:
        """The audit trail, the oldest row first."""
        return sorted(self.tenant.rows("audit_trail"), key=lambda row: int(row["audit_id"]))


@asynccontextmanager
async def api_of(tenant: Tenant, **changes: Any) -> AsyncIterator[Api]:
    """The platform of this tenant's ledger, started. `changes` are settings."""
    async with serving(tenant, **changes) as service:
        yield Api(service, tenant)


def refused(answer: httpx.Response, status: int, code: str, field: str | None = None) -> None:
    """The answer is this refusal."""
    content = answer.json()
    assert (answer.status_code, content.get("code"), content.get("field")) == (status, code, field), answer.text
    assert (content["ok"], content["requestId"]) == (False, answer.headers["x-request-id"])
    assert content["message"]
