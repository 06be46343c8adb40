"""The embedded server keeps its data, refuses unknown logins, survives crashes and runs under any account."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local_stack.child import LOG_BYTES_MAX
from local_stack.cluster import remove_cluster
from local_stack.ports import free_port
from local_stack.postgres import AddressInUseError, Postgres
from local_stack.testing import CloneDatabase, PostgresServer, create_database

SETTLE_SECONDS = 60


def scalar(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    state_dir = tmp_path_factory.mktemp("embedded")
    with Postgres(state_dir) as server:
        yield server
    remove_cluster(state_dir)


def test_a_second_start_finds_the_data_of_the_first(tmp_path: Path) -> None:
    with Postgres(tmp_path) as server, psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create table kept (value int)")
        connection.execute("insert into kept values (42)")
    with Postgres(tmp_path) as again:
        assert scalar(again.url(), "select value from kept") == 42


def test_a_crashed_server_starts_again_with_every_committed_row(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create table kept as select generate_series(1, 1000)")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with Postgres(tmp_path) as again:
        assert scalar(again.url(), "select count(*) from kept") == 1000


def test_a_pidfile_that_names_another_living_program_does_not_stop_a_start(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    server.start()
    server.stop()
    pidfile = server.data_dir / "postmaster.pid"
    pidfile.write_text(f"{os.getpid()}\n{server.data_dir}\n")
    with server:
        assert scalar(server.url(), "select 1") == 1


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
    ],
)
def test_the_server_is_durable_and_private(embedded: Postgres, setting: str, expected: str) -> None:
    assert scalar(embedded.url(), f"show {setting}") == expected


def test_nobody_gets_in_without_the_password(embedded: Postgres) -> None:
    wrong = embedded.url().replace(embedded.passwords.of("postgres"), "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_the_password_file_is_closed_to_others(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    server.passwords.of("postgres")
    assert (tmp_path / "passwords" / "postgres").stat().st_mode & 0o777 == 0o600


def test_durability_cannot_be_switched_off(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fsync"):
        Postgres(tmp_path, settings={"fsync": "off"})


def test_a_given_port_is_used_and_a_taken_one_is_named_in_the_error(embedded: Postgres, tmp_path: Path) -> None:
    port = free_port()
    with Postgres(tmp_path, port=port) as server:
        assert f":{port}/" in server.url()
    with pytest.raises(AddressInUseError, match=str(embedded.port)):
        Postgres(tmp_path, port=embedded.port).start()


def test_a_clone_has_what_its_template_has(postgres_server: PostgresServer, clone_database: CloneDatabase) -> None:
    template = create_database(postgres_server, "clone_template")
    with psycopg.connect(template) as connection:
        connection.execute("create table inherited as select 7 as value")
    first, second = clone_database("clone_template"), clone_database("clone_template")
    scalar(first, "update inherited set value = 8 returning value")
    assert [scalar(first, "select value from inherited"), scalar(second, "select value from inherited")] == [8, 7]


OWNER_PROGRAM = """
import sys, time
from pathlib import Path
from local_stack.postgres import Postgres
server = Postgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def test_killing_the_owner_leaves_no_server_behind(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER_PROGRAM, tmp_path], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    deadline = time.monotonic() + SETTLE_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    with Postgres(tmp_path) as again:
        assert scalar(again.url(), "select 1") == 1


def test_a_log_that_has_grown_too_large_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    with server.log_path.open("wb") as log:
        log.truncate(LOG_BYTES_MAX + 1)
    with server:
        assert server.log_path.stat().st_size < LOG_BYTES_MAX
    assert (tmp_path / "postgres.log.old").stat().st_size == LOG_BYTES_MAX + 1
