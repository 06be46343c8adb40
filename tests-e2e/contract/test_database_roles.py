"""Protocol section 4 (11) and architecture.md: what the services' own database roles cannot do, tried by SQL."""

import psycopg
import pytest

from e2e_testing.database import Database
from e2e_testing.game_session import GameSession

FORBIDDEN = {
    "casino_app": [
        "update casino.postings set amount_minor = 1",
        "delete from casino.postings",
        "truncate casino.postings",
        "update casino.transactions set amount_minor = 1",
        "update casino.transactions set balance_after_minor = 1",
        "delete from casino.transactions",
        "delete from casino.tombstones",
        "delete from casino.ledger_events",
        "alter table casino.postings add column x int",
        "drop table casino.postings",
        "create table casino.mine (x int)",
        "select 1 from provider.wallet_transactions",
        "select 1 from provider.game_sessions",
    ],
    "provider_app": [
        "update provider.wallet_transactions set amount_minor = 1",
        "update provider.wallet_transactions set round_id = gen_random_uuid()",
        "delete from provider.wallet_transactions",
        "delete from provider.rounds",
        "truncate provider.wallet_transactions",
        "create table provider.mine (x int)",
        "select 1 from casino.wallets",
        "select 1 from casino.postings",
        "select casino.clock()",
    ],
}


@pytest.mark.parametrize(
    ("role", "statement"), [(role, statement) for role, statements in FORBIDDEN.items() for statement in statements]
)
def test_an_application_role_is_not_allowed_to(
    database: Database, session: GameSession, role: str, statement: str
) -> None:
    session.bet()
    with database.transaction() as connection:
        connection.execute(f"set local role {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.parametrize("role", FORBIDDEN)
def test_an_application_role_rules_over_nobody(database: Database, role: str) -> None:
    found = database.row(
        "select rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication from pg_roles"
        " where rolname = %(role)s",
        role=role,
    )
    assert set(found.values()) == {False}


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_every_table_belongs_to_the_owner_role_and_not_to_the_application(database: Database, package: str) -> None:
    owned = database.rows(
        "select distinct pg_get_userbyid(relowner) as owner from pg_class"
        " where relnamespace = %(schema)s::regnamespace and relkind in ('r', 'p')",
        schema=package,
    )
    assert [row["owner"] for row in owned] == [f"{package}_owner"]
