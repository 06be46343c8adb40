"""The routes of tenants and their floats."""

from __future__ import annotations

from casino.api.frame import FINDS_TENANT, Frame
from casino.api.types import Page
from casino.tenants import funding, statement, tenants
from shared_service.http.routing import Route


def routes(frame: Frame) -> list[Route]:
    """Every route of tenants."""
    one = "/admin/tenants/{tenant_id}"
    moving = ("FORBIDDEN", "TENANT_NOT_ACTIVE", "INSUFFICIENT_FUNDS")
    return [
        frame.post(
            "/admin/tenants", tenants.create, body=tenants.NewTenant, answer=tenants.TenantAnswer, status=201,
            permission="tenants.manage", codes=("FORBIDDEN", "NOT_FOUND", "TENANT_NOT_ACTIVE"),
        ),
        frame.get(
            "/admin/tenants", tenants.show_all, query=Page, answer=tenants.TenantsAnswer,
            permission="tenants.read",
        ),
        frame.get(one, tenants.show, answer=tenants.TenantAnswer, permission="tenants.read", finds=FINDS_TENANT),
        frame.patch(
            one, tenants.change, body=tenants.TenantChanges, answer=tenants.TenantAnswer, permission="tenants.manage",
            finds=FINDS_TENANT, codes=("FORBIDDEN", "TENANT_NOT_ACTIVE", "TENANT_NOT_EMPTY"),
        ),
        frame.post(
            f"{one}/fund", funding.fund, body=funding.FundBody, answer=funding.Funded, finds=FINDS_TENANT,
            permission="tenants.manage", codes=moving,
        ),
        frame.post(
            f"{one}/withdraw", funding.withdraw, body=funding.FundBody, answer=funding.Funded, finds=FINDS_TENANT,
            permission="tenants.manage", codes=moving,
        ),
        frame.get(
            f"{one}/statement", statement.show, query=statement.StatementQuery, answer=statement.Statement,
            permission="statements.read", finds=FINDS_TENANT, media_types=("text/csv",),
        ),
    ]  # fmt: skip
