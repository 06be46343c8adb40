"""Liveness and readiness: is the process running, and can it do its work?"""

from __future__ import annotations

import re
import time

import psycopg
import pytest
from psycopg import sql
from structlog.typing import EventDict

from casino.ops import health
from casino.sql.schema import SCHEMA, database_for
from casino_testing.edge import Service, serving
from casino_testing.processes import Wire
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service_testing.waiting import until

pytestmark = pytest.mark.usefixtures("kept_connections")


async def ready(service: Service) -> tuple[int, object]:
    response = await service.anybody.get("/health/ready")
    assert response.headers["x-request-id"]
    return response.status_code, response.json()


async def test_a_service_with_a_migrated_database_is_live_and_ready(service: Service) -> None:
    assert await ready(service) == (200, {"status": "ready", "demo": True})
    live = await service.anybody.get("/health/live")
    assert (live.status_code, live.json()) == (200, {"status": "live"})


async def test_without_a_database_the_service_starts_lives_and_says_what_is_missing(tenant: Tenant) -> None:
    async with Wire.to(tenant.url) as wire:
        nobody_listens = wire.url
    async with serving(tenant, database_url=nobody_listens, pool_wait_seconds=0.05) as service:
        assert await ready(service) == (503, {"status": "not_ready", "demo": True, "missing": "database"})
        assert (await service.anybody.get("/health/live")).status_code == 200


async def test_a_service_is_ready_again_when_its_database_is_back(tenant: Tenant) -> None:
    async with Wire.to(tenant.url) as wire, serving(tenant, database_url=wire.url) as service:
        assert (await ready(service))[0] == 200
        wire.cut()
        for _ in range(50):
            if (await ready(service))[0] == 200:
                break
        assert await ready(service) == (200, {"status": "ready", "demo": True})


async def test_an_empty_database_wants_migrations(postgres_server: PostgresServer, casino_template: str) -> None:
    name = "casino_never_migrated"
    tenant = Tenant(create_database(postgres_server, name), tenant_id="T", ledger_id=1)
    try:
        async with serving(tenant) as service:
            assert await ready(service) == (503, {"status": "not_ready", "demo": True, "missing": "migrations"})
    finally:
        tenant.close()
        drop_database(postgres_server, name)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"tenant_id": "NOBODY"}, {"CASINO_TENANT=NOBODY"}),
        ({"ledger_id": 32_767}, {"CASINO_LEDGER=32767"}),
        ({"ledger_id": 32_767, "tenant_id": "NOBODY"}, {"CASINO_LEDGER=32767", "CASINO_TENANT=NOBODY"}),
    ],
)
async def test_the_log_names_the_setting_that_the_database_does_not_know(
    tenant: Tenant, wrong: dict[str, str | int], named: set[str], logged: list[EventDict]
) -> None:
    async with serving(tenant, **wrong):
        pass
    (changed,) = [event for event in logged if event["event"] == "readiness_changed"]
    assert set(re.findall(r"CASINO_\w+=\w+", changed["why"])) == named


@pytest.mark.parametrize("wrong", [{"tenant_id": "NOBODY"}, {"ledger_id": 32_767}, {"ledger_id": 1}])
async def test_a_tenant_or_ledger_that_the_database_does_not_know_is_missing(
    tenant: Tenant, wrong: dict[str, str | int]
) -> None:
    """Ledger 1 is there, but is another tenant's."""
    async with serving(tenant, **wrong) as service:
        assert await ready(service) == (503, {"status": "not_ready", "demo": True, "missing": "tenant"})


async def test_a_service_is_ready_as_soon_as_its_tenant_is_there(tenant: Tenant) -> None:
    async with serving(tenant, tenant_id="LATER", ledger_id=30_000) as service:
        assert (await ready(service))[0] == 503
        tenant.sql("insert into casino.tenants (tenant_id, display_name) values ('LATER', 'A tenant')")
        assert (await ready(service))[0] == 503
        tenant.sql("insert into casino.ledgers (ledger_id, tenant_id) values (30000, 'LATER')")

        async def is_ready() -> bool:
            return (await ready(service))[0] == 200

        await until(is_ready)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("update casino.alembic_version set version_num = '0000'", 503),
        ("delete from casino.alembic_version", 503),
        ("drop table casino.alembic_version", 503),
        (f"update casino.alembic_version set version_num = '{SCHEMA.newest_revision()}'", 200),
    ],
)
async def test_an_older_schema_wants_migrations(own_database: str, change: str, status: int) -> None:
    tenant = Tenant.demo(own_database)
    tenant.sql(change)
    async with serving(tenant) as service:
        found = await ready(service)
    tenant.close()
    assert found[0] == status
    assert status == 200 or found[1] == {"status": "not_ready", "demo": True, "missing": "migrations"}


async def test_a_newer_schema_is_served_while_the_new_code_is_rolled_out(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    tenant.sql("update casino.alembic_version set version_num = '9999'")
    async with serving(tenant) as service:
        found = await ready(service)
    tenant.close()
    assert found == (200, {"status": "ready", "demo": True})


async def test_a_plain_login_that_may_become_the_applications_role_is_enough(
    postgres_server: PostgresServer, tenant: Tenant
) -> None:
    name = "casino_plain_login"
    database = str(psycopg.conninfo.conninfo_to_dict(tenant.url)["dbname"])
    url = postgres_server.url(database, user=name)
    password = str(psycopg.conninfo.conninfo_to_dict(url)["password"])
    tenant.sql(f"drop role if exists {name}")
    statement = sql.SQL("create role {} login noinherit password {} in role casino_app")
    tenant._connection.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
    try:
        async with serving(tenant, database_url=url) as service:
            assert await ready(service) == (200, {"status": "ready", "demo": True})
            token = await service.launch()
            answer = await service.post("getBalance", {"sessionToken": token, "userId": "1"})
            assert answer.status_code == 200
    finally:
        tenant.sql(f"drop role {name}")


async def test_a_login_without_the_applications_role_is_of_no_use(
    postgres_server: PostgresServer, tenant: Tenant
) -> None:
    name = "casino_stranger"
    database = str(psycopg.conninfo.conninfo_to_dict(tenant.url)["dbname"])
    url = postgres_server.url(database, user=name)
    password = str(psycopg.conninfo.conninfo_to_dict(url)["password"])
    statement = sql.SQL("create role {} login password {}")
    tenant._connection.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
    try:
        async with serving(tenant, database_url=url, pool_wait_seconds=0.3) as service:
            assert await ready(service) == (503, {"status": "not_ready", "demo": True, "missing": "database"})
    finally:
        tenant.sql(f"drop role {name}")


@pytest.mark.parametrize(("off_seconds", "missing"), [(119, None), (121, "clock"), (-359, None), (-362, "clock")])
async def test_a_clock_that_left_the_databases_is_not_ready(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, off_seconds: int, missing: str | None
) -> None:
    """Beyond that every signature would be `nonce_replay`, which says nothing of a clock."""
    settings = settings_of(tenant)
    database = database_for(settings)
    await database.open()
    try:
        monkeypatch.setattr(health.time, "time", lambda: time.time_ns() / 1e9 + off_seconds)
        assert await health.find_missing(database, SCHEMA.newest_revision(), settings) == missing
    finally:
        await database.close()
