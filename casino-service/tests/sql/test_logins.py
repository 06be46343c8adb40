"""The service refuses a login for which row-level security does not hold, or a table without it, and says the cure."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from casino.audit.after_restore import why_not_to_start
from casino_testing.edge import serving
from casino_testing.service import login_url, settings_of
from casino_testing.tenant import Tenant
from local_stack.testing import PostgresServer

pytestmark = pytest.mark.usefixtures("kept_connections")

UNSAFE = {
    "superuser": ("superuser", "", "is a superuser"),
    "bypasses row security": ("bypassrls", "", "has BYPASSRLS"),
    "may become the owner": ("", "casino_owner", "is a member of casino_owner, which owns the schema"),
    "may become the functions' role": (
        "",
        "casino_ledger",
        "is a member of casino_ledger, which owns the schema or its",
    ),
    "through another role": ("", "{between}", "is a member of casino_owner"),
    "through a role that bypasses it": ("", "{bypassing}", "which has BYPASSRLS"),
}
"""What a login may do: its attributes, a role that it belongs to, and what is said of it."""


@pytest.fixture
def demo(own_database: str) -> Iterator[Tenant]:
    tenant = Tenant.demo(own_database)
    yield tenant
    tenant.close()


@pytest.fixture
def unsafe_login(request: pytest.FixtureRequest, demo: Tenant, postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a login that may take the application's role, and may do more."""
    attributes, member_of, _ = UNSAFE[request.param]
    suffix = uuid.uuid4().hex[:8]
    names = {"login": f"casino_unsafe_{suffix}", "between": f"between_{suffix}", "bypassing": f"bypassing_{suffix}"}
    identifiers = {name: sql.Identifier(role) for name, role in names.items()}
    with psycopg.connect(demo.url, autocommit=True) as connection:
        for statement in (
            "create role {between} in role casino_owner",
            "create role {bypassing} bypassrls",
            "create role {login} login noinherit " + attributes + " password {password} in role casino_app",
            f"grant {member_of} to {{login}}" if member_of else "select",
        ):
            password = sql.Literal(postgres_server.passwords.of(names["login"]))
            connection.execute(sql.SQL(statement).format(**identifiers, password=password))
        yield postgres_server.url(str(conninfo_to_dict(demo.url)["dbname"]), user=names["login"])
        for role in identifiers.values():
            connection.execute(sql.SQL("drop role {}").format(role))


@pytest.mark.parametrize(
    ("unsafe_login", "said"), [(name, UNSAFE[name][2]) for name in UNSAFE], indirect=["unsafe_login"]
)
async def test_a_login_for_which_row_security_does_not_hold_is_refused(
    demo: Tenant, unsafe_login: str, said: str
) -> None:
    reason = why_not_to_start(settings_of(demo, database_url=unsafe_login))
    assert reason is not None
    assert said in reason
    assert "create role casino_login login noinherit password '…' in role casino_app" in reason
    async with serving(demo, database_url=unsafe_login, pool_wait_seconds=0.3) as service:
        ready = await service.anybody.get("/health/ready")
        assert (ready.status_code, ready.json()["missing"]) == (503, "login"), "a database that answers only later"


def test_the_login_that_migrates_is_not_told_to_take_the_applications_role(
    demo: Tenant, postgres_server: PostgresServer
) -> None:
    """That advice would lead to the next refusal."""
    name = f"casino_migrator_{uuid.uuid4().hex[:8]}"
    password = sql.Literal(postgres_server.passwords.of(name))
    with psycopg.connect(demo.url, autocommit=True) as connection:
        made = sql.SQL("create role {} login noinherit password {} in role casino_owner")
        connection.execute(made.format(sql.Identifier(name), password))
        url = postgres_server.url(str(conninfo_to_dict(demo.url)["dbname"]), user=name)
        reason = why_not_to_start(settings_of(demo, database_url=url))
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    assert "is a member of casino_owner" in str(reason)


async def test_the_login_of_the_application_is_taken(demo: Tenant) -> None:
    assert why_not_to_start(settings_of(demo)) is None
    async with serving(demo) as service:
        assert (await service.anybody.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("change", ["disable row level security", "no force row level security"])
async def test_a_table_without_forced_row_security_is_refused(demo: Tenant, change: str) -> None:
    demo.sql(f"alter table casino.postings {change}")
    reason = why_not_to_start(settings_of(demo))
    assert reason is not None
    assert "alter table casino.postings enable row level security, force row level security" in reason
    async with serving(demo, pool_wait_seconds=0.3) as service:
        assert (await service.anybody.get("/health/ready")).json()["missing"] == "login"


async def test_a_table_that_a_later_hand_adds_is_refused(demo: Tenant) -> None:
    demo.sql("create table casino.forgotten (tenant_id text not null)")
    assert "the table casino.forgotten has no forced row-level security" in str(why_not_to_start(settings_of(demo)))


def test_serve_ends_with_the_sentence_and_before_it_listens(demo: Tenant) -> None:
    environment = {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ
    } | {"CASINO_DEMO": "1", "CASINO_PORT": "0", "CASINO_OPS_PORT": "0"}  # fmt: skip
    command = [sys.executable, "-m", "casino", "serve"]
    ended = subprocess.run(
        command,
        env=environment | {"CASINO_DATABASE_URL": demo.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("casino: ")]
    assert "is a superuser, so row-level security does not hold for it: serve with another login" in line
    assert login_url(demo.url) not in ended.stderr
