"""The tree of tenants in a ledger: which of them are open, and what the keys forbid."""

from __future__ import annotations

import psycopg
import pytest

from casino.sql.schema import SCHEMA, database_for
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service.postgres.migrate import migrate

BACK_TO_0011 = """
    alter table casino.ledgers drop constraint ledger_has_its_tenant;
    update casino.alembic_version set version_num = '0011';
    insert into casino.ledgers (ledger_id, tenant_id) values (77, 'JAQPOT');
"""


def open_tenants(tenant: Tenant) -> set[str]:
    rows = tenant.sql("select tenant_id from casino.tenants where ledger_id = %s and is_open", tenant.ledger_id)
    return {str(row["tenant_id"]).removeprefix(tenant.tenant_id) for row in rows}


def set_status(tenant: Tenant, name: str, status: str) -> None:
    tenant.sql("update casino.tenants set status = %s where tenant_id = %s", status, tenant.tenant_id + name)


def test_a_tenant_is_open_while_it_and_all_above_it_are_active(tenant: Tenant) -> None:
    tenant.add_tenant_below("a")
    tenant.add_tenant_below("b", parent=f"{tenant.tenant_id}-a")
    tenant.add_tenant_below("c")
    assert open_tenants(tenant) == {"", "-a", "-b", "-c"}
    set_status(tenant, "-a", "SUSPENDED")
    assert open_tenants(tenant) == {"", "-c"}
    tenant.sql(
        "update casino.tenants set parent_id = %s where tenant_id = %s", tenant.tenant_id, f"{tenant.tenant_id}-b"
    )
    assert open_tenants(tenant) == {"", "-b", "-c"}, "it was moved out from below the suspended one"
    set_status(tenant, "", "CLOSED")
    assert open_tenants(tenant) == set()
    set_status(tenant, "", "ACTIVE")
    assert open_tenants(tenant) == {"", "-b", "-c"}


def test_tenants_whose_parents_go_round_in_a_circle_are_closed(tenant: Tenant) -> None:
    first, second = tenant.add_tenant_below("a"), tenant.add_tenant_below("b", parent=f"{tenant.tenant_id}-a")
    tenant.sql("update casino.tenants set parent_id = %s where tenant_id = %s", second, first)
    assert open_tenants(tenant) == {""}
    tenant.sql("update casino.tenants set parent_id = %s where tenant_id = %s", tenant.tenant_id, first)
    assert open_tenants(tenant) == {"", "-a", "-b"}


def test_two_changes_of_the_tree_at_once_leave_no_tenant_open_that_is_not(tenant: Tenant) -> None:
    """The second waits for the first, and sees it."""
    first = tenant.add_tenant_below("a")
    below = tenant.add_tenant_below("b", parent=first)
    set_status(tenant, "-a", "SUSPENDED")
    change = "update casino.tenants set status = %s where tenant_id = %s"
    with psycopg.connect(tenant.url) as one, psycopg.connect(tenant.url, autocommit=True) as other:
        one.execute(change, ["SUSPENDED", below])
        other.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(change, ["ACTIVE", first])
        one.commit()
        other.execute(change, ["ACTIVE", first])
    assert open_tenants(tenant) == {"", "-a"}


@pytest.mark.parametrize(
    "statement",
    [
        "update casino.tenants set parent_id = 'JAQPOT' where tenant_id = %(below)s",
        "update casino.tenants set ledger_id = 1 where tenant_id = %(below)s",
        "insert into casino.ledgers (ledger_id, tenant_id) values (31999, %(top)s)",
        "update casino.wallets set tenant_id = 'JAQPOT' where ledger_id = %(ledger)s",
        "update casino.game_sessions set tenant_id = 'JAQPOT' where ledger_id = %(ledger)s",
    ],
)
def test_nothing_joins_two_ledgers(wallet: Wallet, tenant: Tenant, statement: str) -> None:
    wallet.open_session()
    values = {"top": tenant.tenant_id, "below": tenant.add_tenant_below("a"), "ledger": tenant.ledger_id}
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        tenant.sql(statement, values)


def test_a_tenant_without_a_ledger_joins_the_first_one_that_is_made_for_it(tenant: Tenant) -> None:
    name = f"{tenant.tenant_id}-new"
    tenant.sql("insert into casino.tenants (tenant_id, display_name) values (%s, 'x')", name)
    tenant.sql("insert into casino.ledgers (ledger_id, tenant_id) values (%s, %s)", 30_000 + tenant.ledger_id, name)
    row = tenant.sql("select ledger_id, is_open from casino.tenants where tenant_id = %s", name)[0]
    assert row == {"ledger_id": 30_000 + tenant.ledger_id, "is_open": True}


async def test_a_transaction_of_a_tenant_sees_it_and_what_is_below_and_ends_with_it(tenant: Tenant) -> None:
    below = tenant.add_tenant_below("a")
    count = "select tenant_id from casino.tenants order by tenant_id"
    database = database_for(settings_of(tenant))
    async with database:
        for scope, seen in ((tenant.tenant_id, [tenant.tenant_id, below]), (below, [below]), ("JAQPOT", [])):
            async with database.transaction(scope) as connection:
                rows = await (await connection.execute(count)).fetchall()
            assert [row[0] for row in rows] == seen
        assert await database.call(count) == []


def test_a_tenant_with_several_ledgers_is_not_migrated(postgres_server: PostgresServer) -> None:
    """Whose the rows of the second ledger are could not be told any more."""
    url = create_database(postgres_server, "casino_two_ledgers")
    try:
        migrate(SCHEMA, url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("insert into casino.tenants (tenant_id, display_name) values ('JAQPOT', 'x')")
            connection.execute("insert into casino.ledgers (ledger_id, tenant_id) values (1, 'JAQPOT')")
            connection.execute(BACK_TO_0011)
        with pytest.raises(psycopg.errors.RaiseException, match="tenant JAQPOT has several ledgers"):
            migrate(SCHEMA, url)
    finally:
        drop_database(postgres_server, "casino_two_ledgers")
