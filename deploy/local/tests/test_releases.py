"""After a rollback of a release, the old one serves with the newer schema, and its commands do not fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import casino
import provider
import shared_service
import shared_signing
from local_stack.testing import PostgresServer, create_database, drop_database
from local_stack_testing.service_start import (
    SAME_PROGRAMS,
    START_SECONDS,
    DatabaseOf,
    demo_settings,
    run_to_its_end,
    started,
)
from shared_service_testing.sampling import sampled
from shared_service_testing.waiting import wait_until

SERVICES = ("casino", "provider")
PACKAGES = (casino, provider, shared_service, shared_signing)
COST_OF_THE_NEWER = 4711


def put_at(url: str, service: str, revision: str) -> None:
    """Change the schema as a newer release would: another revision, another function, other digests."""
    schema = sql.Identifier(service)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("update {}.alembic_version set version_num = {}").format(schema, revision))
        connection.execute(sql.SQL("alter function {}.clock() cost {}").format(schema, COST_OF_THE_NEWER))
        connection.execute(sql.SQL("update {}.applied_sql_files set sha256 = 'of the newer release'").format(schema))


def is_of_the_newer(url: str, service: str) -> bool:
    """The function is unchanged: `create or replace` would have reset its cost."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select procost from pg_proc where oid = %s::regproc", [f"{service}.clock"]).fetchone()
    return row == (COST_OF_THE_NEWER,)


@pytest.mark.parametrize("service", SERVICES)
def test_a_newer_schema_is_left_as_it_is_and_serves(service: str, database_of: DatabaseOf, tmp_path: Path) -> None:
    url = database_of(service)
    put_at(url, service, "9999")
    migrated = run_to_its_end(service, "migrate", demo_settings(service, url))
    assert (migrated.returncode, migrated.stderr) == (0, "")
    assert "the schema is newer (9999) than this release (" in migrated.stdout
    assert "); nothing to do" in migrated.stdout
    assert is_of_the_newer(url, service)
    with started(service, url, tmp_path / "log") as running:
        assert running.answers("/metrics") == 200


@pytest.mark.parametrize("service", SERVICES)
def test_a_schema_that_no_release_made_is_refused_with_a_sentence(service: str, database_of: DatabaseOf) -> None:
    url = database_of(service)
    put_at(url, service, "0000")
    migrated = run_to_its_end(service, "migrate", demo_settings(service, url))
    assert (migrated.returncode, migrated.stderr.count("\n")) == (1, 1), migrated.stderr
    assert "the schema is at 0000, which this release (" in migrated.stderr
    assert is_of_the_newer(url, service)


def test_the_casinos_commands_work_on_a_newer_schema(database_of: DatabaseOf) -> None:
    url = database_of("casino")
    put_at(url, "casino", "9999")
    for command in ("seed-demo", "seed-demo", "check-ledger", "keys"):
        done = run_to_its_end("casino", command, demo_settings("casino", url))
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_providers_commands_work_on_a_newer_schema(database_of: DatabaseOf) -> None:
    """Without a casino `reconcile` ends as usual: it cannot finish."""
    url = database_of("provider")
    put_at(url, "provider", "9999")
    settings = demo_settings("provider", url) | {"CASINO_URL": "http://127.0.0.1:9"}
    for command, status in (("reconcile", 2), ("heads", 0), ("keys", 0)):
        done = run_to_its_end("provider", command, settings)
        assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stdout + done.stderr


@pytest.mark.parametrize("service", sampled(SERVICES, 1))
def test_migrations_run_from_a_folder_with_any_name(
    service: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    sources = tmp_path / "100% %s %(here)s a b'c\"d $HOME`x` #ü;&|*?[a]{b}~" / ("é" * 100)
    for package in PACKAGES:
        assert package.__file__ is not None
        shutil.copytree(Path(package.__file__).parent, sources / package.__name__)
    name = f"odd_path_{service}"
    try:
        settings = demo_settings(service, create_database(postgres_server, name)) | {"PYTHONPATH": str(sources)}
        migrated = run_to_its_end(service, "migrate", settings)
        assert migrated.returncode == 0, migrated.stderr
    finally:
        drop_database(postgres_server, name)


def test_both_services_migrate_one_database_while_its_rights_are_changed(postgres_server: PostgresServer) -> None:
    """`make serve` and compose migrate both at once. Both revoke the same right, and Postgres lets one of them fail."""
    name = "both_at_once"
    url = create_database(postgres_server, name)
    try:
        with psycopg.connect(url) as administrator, psycopg.connect(url, autocommit=True) as observer:
            administrator.execute(sql.SQL("grant connect on database {} to public").format(sql.Identifier(name)))
            both = [
                subprocess.Popen(
                    [sys.executable, "-m", service, "migrate"], env=SAME_PROGRAMS | demo_settings(service, url),
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                )
                for service in SERVICES
            ]  # fmt: skip
            waiting = (
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'revoke temp%'"
            )
            wait_until(
                lambda: observer.execute(waiting).fetchone() == (2,), "both wait for the lock", seconds=START_SECONDS
            )
            administrator.commit()
        said = [each.communicate(timeout=START_SECONDS)[0] for each in both]
        assert [each.returncode for each in both] == [0, 0], said
        with psycopg.connect(url) as connection:
            question = "select has_database_privilege('casino_app', current_database(), 'temporary')"
            assert connection.execute(question).fetchone() == (False,)
    finally:
        drop_database(postgres_server, name)
