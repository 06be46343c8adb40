"""Staff of the operator's platform over HTTP: an owner made by the command line, and a tree of tenants with logins."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from e2e_testing.service_process import COMMAND_SECONDS, ServiceProcess, full_environment
from e2e_testing.signing_client import TIMEOUT_SECONDS

PASSWORD = "correct horse battery"


@dataclass(slots=True)
class Member:
    """A member of staff who is logged in."""

    url: str
    token: str
    tenant_id: str | None
    verify: Any = False

    def call(self, method: str, path: str, content: object = None, **headers: str) -> httpx.Response:
        """One call of `/api/v1`."""
        authorization = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.request(
            method, f"{self.url}/api/v1{path}", json=content, verify=self.verify, trust_env=False,
            timeout=TIMEOUT_SECONDS, headers={**authorization, **headers},
        )  # fmt: skip

    def post(self, path: str, content: object = None, *, status: int = 200, **headers: str) -> dict[str, Any]:
        """A POST that succeeds."""
        answer = self.call("POST", path, content, **headers)
        assert answer.status_code == status, f"{path}: {answer.text}"
        told: dict[str, Any] = answer.json()
        return told

    def get(self, path: str) -> dict[str, Any]:
        """A GET that succeeds."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        told: dict[str, Any] = answer.json()
        return told

    def add_tenant(self, kind: str, parent_id: str | None, **fields: object) -> str:
        """A new tenant's id."""
        content = {"type": kind, "name": f"{kind.lower()} {uuid4().hex[:6]}", "parentId": parent_id} | fields
        tenant_id: str = self.post("/admin/tenants", content, status=201)["tenant"]["tenantId"]
        return tenant_id

    def add_staff(self, role: str, tenant_id: str) -> "Member":
        """A new member of staff, logged in."""
        username = f"{role}-{uuid4().hex[:8]}"
        content = {"username": username, "password": PASSWORD, "role": role, "tenantId": tenant_id}
        self.post("/admin/staff", content, status=201)
        return log_in(self.url, username, tenant_id, self.verify)


@dataclass(slots=True)
class Operator:
    """A distributor, an operator and an agent below each other, with funds at the agent."""

    owner: Member
    distributor_id: str
    operator: Member
    agent: Member
    cashier: Member


def log_in(url: str, username: str, tenant_id: str | None, verify: Any) -> Member:
    """Log a member of staff in."""
    anyone = Member(url, "", tenant_id, verify)
    anyone.token = anyone.post("/staff/login", {"username": username, "password": PASSWORD})["token"]
    return anyone


def owner_of(casino: ServiceProcess, verify: Any = False) -> Member:
    """A new owner, made as the operator's guide says."""
    username = f"owner-{uuid4().hex[:8]}"
    made = subprocess.run(
        [sys.executable, "-m", "casino", "staff", "create", username, "--role", "owner"],
        env=full_environment(casino.environment), input=f"{PASSWORD}\n", text=True,
        capture_output=True, timeout=COMMAND_SECONDS, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return log_in(casino.url, username, None, verify)


def operator_of(casino: ServiceProcess, *, float_minor: int = 1_000_000, verify: Any = False) -> Operator:
    """A new tree of tenants at the top of the ledger, whose agent has this float."""
    owner = owner_of(casino, verify)
    distributor_id = owner.add_tenant("DISTRIBUTOR", None, currency="USD")
    operator_id = owner.add_tenant("OPERATOR", distributor_id)
    operator = owner.add_staff("operator", operator_id)
    agent_id = operator.add_tenant("AGENT", operator_id)
    agent = operator.add_staff("agent", agent_id)
    for payer, tenant_id in ((owner, distributor_id), (owner, operator_id), (operator, agent_id)):
        payer.post(f"/admin/tenants/{tenant_id}/fund", {"amountMinor": float_minor, "reason": "to begin with"})
    return Operator(owner, distributor_id, operator, agent, operator.add_staff("cashier", agent_id))
