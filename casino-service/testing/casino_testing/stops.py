"""Makes and ends stops, as staff of a tenant do."""

from __future__ import annotations

from typing import Final

from casino_testing.tenant import Row, Tenant

MAKE: Final = """
    select made.* from casino.see_tenant(%(ledger)s, %(scope_of)s) as seen,
    casino.make_stop(%(ledger)s, %(tenant)s, %(scope)s, %(target)s, %(reason)s, 's-1') as made where seen is not null
"""
LIFT: Final = """
    select gone.* from casino.see_tenant(%(ledger)s, %(scope_of)s) as seen,
    casino.lift_stop(%(ledger)s, %(stop)s) as gone where seen is not null
"""


def make(
    tenant: Tenant, scope: str = "all", target: str | None = None, *, of: str | None = None, reason: str = "a reason"
) -> Row:
    """Make a stop of the tenant, or of the tenant `of`."""
    own = of or tenant.tenant_id
    values = {"ledger": tenant.ledger_id, "scope_of": own, "tenant": own, "scope": scope, "target": target}
    return tenant.sql(MAKE, {**values, "reason": reason})[0]


def lift(tenant: Tenant, stop: Row, *, of: str | None = None) -> list[Row]:
    """End a stop; returns it, or nothing."""
    values = {"ledger": tenant.ledger_id, "scope_of": of or tenant.tenant_id, "stop": stop["o_stop_id"]}
    return tenant.sql(LIFT, values)
