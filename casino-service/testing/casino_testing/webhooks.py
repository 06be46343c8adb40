"""Webhooks in SQL: makes them, and shows what was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from casino_testing.tenant import Row, Tenant

MAKE: Final = """
    select made.* from casino.see_tenant(%(ledger)s, %(tenant)s) as seen,
    casino.make_webhook(%(ledger)s, %(tenant)s, %(url)s, %(events)s, 's-1') as made where seen is not null
"""
MAKE_OWNERS: Final = """
    insert into casino.webhooks (ledger_id, url, events, made_by, made_at)
    values (%(ledger)s, %(url)s, %(events)s, 'o-1', casino.clock()) returning webhook_id as o_webhook_id, null as o_code
"""
END: Final = """
    select gone.* from casino.see_tenant(%(ledger)s, %(tenant)s) as seen,
    casino.end_webhook(%(ledger)s, %(webhook)s) as gone where seen is not null
"""
TOLD: Final = """
    select delivery_id, event_id, webhook_id, event_type, data, event.tenant_id, delivery.player_id, status, attempt
    from casino.webhook_deliveries as delivery
    join casino.webhook_events as event using (ledger_id, event_id)
    where ledger_id = %s order by delivery_id
"""
URL: Final = "https://hooks.example/told"


def listen(tenant: Tenant, *events: str, of: str | None = None, url: str = URL) -> Any:
    """A webhook of the tenant, or of the tenant `of`; returns its id."""
    values = {"ledger": tenant.ledger_id, "tenant": of or tenant.tenant_id, "url": url, "events": list(events)}
    made = tenant.sql(MAKE, values)[0]
    assert made["o_code"] is None
    return made["o_webhook_id"]


def listen_as_owner(tenant: Tenant, *events: str, url: str = URL) -> Any:
    """A webhook of owners; returns its id."""
    values = {"ledger": tenant.ledger_id, "url": url, "events": list(events)}
    return tenant.sql(MAKE_OWNERS, values)[0]["o_webhook_id"]


def end(tenant: Tenant, webhook_id: Any, *, of: str | None = None) -> list[Row]:
    """Delete a webhook; returns it, or nothing."""
    values = {"ledger": tenant.ledger_id, "tenant": of or tenant.tenant_id, "webhook": webhook_id}
    return tenant.sql(END, values)


def deliveries(tenant: Tenant) -> list[Row]:
    """Every delivery of the ledger with its event, in the order in which they were told."""
    return tenant.sql(TOLD, tenant.ledger_id)


def told(tenant: Tenant) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of every delivery, in the order in which they were told."""
    return [(row["event_type"], row["data"]) for row in deliveries(tenant)]


def types(rows: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """The types alone."""
    return [name for name, _ in rows]
