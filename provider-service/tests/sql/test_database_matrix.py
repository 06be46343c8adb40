"""Whatever the operator's database, login or address has set: the nine steps leave the same books.

A seeded sample of local_stack.unusual_settings; NIGHTLY=1 plays every case.
"""

from __future__ import annotations

import uuid

import psycopg
import pytest
from click.testing import CliRunner

from local_stack.testing import PostgresServer, drop_database
from local_stack.unusual_settings import ODD_NAMES, Case, cases, made
from provider.__main__ import main
from provider.sql.schema import SCHEMA
from provider_testing.books import require_agreement
from provider_testing.fake_wallet import FakeWallet
from provider_testing.reconciling import play, reconciled
from shared_service.postgres import sessions as postgres_session
from shared_service.postgres.migrate import migrate

ROLES = ("provider_app", "provider_owner")
SECRETS = {"CASINO_SECRET": "casino-secret", "PROVIDER_SECRET": "provider-secret", "PROVIDER_DEMO": "1"}


@pytest.mark.parametrize("case", cases(), ids=str)
async def test_no_setting_changes_a_round(
    postgres_server: PostgresServer, owner_url: str, wallet: FakeWallet, case: Case
) -> None:
    name = f"operator_{uuid.uuid4().hex[:8]}"
    with made(postgres_server.url(), owner_url, case, name=name, roles=ROLES) as address:
        await everything_works(address, wallet)
    require_agreement(owner_url, wallet.model)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_login_may_be_called_anything(
    postgres_server: PostgresServer, owner_url: str, wallet: FakeWallet, name: str
) -> None:
    with made(postgres_server.url(), owner_url, Case("login", ()), name=name, roles=ROLES) as address:
        await everything_works(address, wallet)
    require_agreement(owner_url, wallet.model)


async def everything_works(address: str, wallet: FakeWallet) -> None:
    """The functions are made anew, rounds are played, both books are compared."""
    with postgres_session.connect(
        address, role="provider_owner", application_name="test", statement_timeout=0
    ) as connection:  # the preparation of this test is not bound by the settings that it tries
        connection.execute("update provider.applied_sql_files set sha256 = 'of another release'")
    assert "applied functions/clock.sql" in migrate(SCHEMA, address)
    await play(address, wallet, rounds=2)
    report = await reconciled(address, wallet)
    assert (report["exitStatus"], report["differences"]) == (0, [])


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused_with_a_sentence(
    postgres_server: PostgresServer, encoding: str
) -> None:
    name = f"provider_{encoding.lower()}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} encoding '{encoding}' locale 'C' template template0")
    try:
        url = postgres_server.url(name)
        environment = {**SECRETS, "PROVIDER_DATABASE_URL": url, "PROVIDER_OWNER_DATABASE_URL": url}
        for command in ("migrate", "serve", "recover-once", "reconcile", "heads", "keys"):
            ended = CliRunner().invoke(main, [command], env=environment)
            assert ended.exit_code in (1, 2), ended.output
            assert encoding in ended.output, command
            assert isinstance(ended.exception, SystemExit), ended.exception
    finally:
        drop_database(postgres_server, name)
