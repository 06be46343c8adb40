"""Staff of the demo with a published password, and an agent whose float holds money. In demo mode only."""

from __future__ import annotations

from typing import Final

from casino.ops.demo import CURRENCY, LEDGER_ID, TENANT
from casino.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session

PASSWORD: Final = "demo-password"  # noqa: S105 - published
PASSWORD_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$yWMO+tR6FwVG3nCP6H6xLQ$mccDuYhURE/Ex0IF8nYnUDPGJ8DPAbBHIbu/iWN/kqw"  # noqa: S105 - of PASSWORD
)
AGENT: Final = ("DEMO-AGENT", "Demo agent")
FLOAT_MINOR: Final = 1_000_000
STAFF: Final = (
    ("owner", "owner", None), ("operator", "operator", TENANT[0]), ("agent", "agent", AGENT[0]),
    ("cashier", "cashier", AGENT[0]),
)  # fmt: skip
"""Name, role, tenant."""
ADD_AGENT: Final = """
    insert into casino.tenants (tenant_id, display_name, ledger_id, parent_id, tenant_type, currency)
    values (%(agent)s, %(name)s, %(ledger)s, %(parent)s, 'AGENT', %(currency)s) on conflict do nothing
"""
# The id of the entry says that it was booked: a repeated command books nothing.
FUND: Final = """
    select o_code from casino.move_house_money(
        %(ledger)s, 'float_in', casino.float_of(%(ledger)s, %(agent)s), 'demo-float', %(minor)s, 'Demo', 'seed-demo'
    )
"""
ADD_STAFF: Final = "select casino.add_staff(%s, null, %s, %s, %s, %s)"


def seed_demo_staff(owner_url: str) -> None:
    """Load them as the schema's owner. May be repeated."""
    values = {
        "agent": AGENT[0], "name": AGENT[1], "ledger": LEDGER_ID, "parent": TENANT[0], "currency": CURRENCY,
        "minor": FLOAT_MINOR,
    }  # fmt: skip
    with (
        postgres_session.connect(
            owner_url, role=SCHEMA.owner_role, application_name="casino-seed-demo", migrated=True
        ) as connection,
        connection.transaction(),
    ):
        connection.execute(ADD_AGENT, values)
        connection.execute(FUND, values)
        for name, role, tenant_id in STAFF:
            connection.execute(ADD_STAFF, (LEDGER_ID, name, PASSWORD_HASH, role, tenant_id))
