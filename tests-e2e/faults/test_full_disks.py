"""Row A9: a disk of Postgres is full under load, and later has room again. Nobody restarts a service.

A full data disk refuses statements, and both services say that nothing was done. A full WAL disk stops the server:
Postgres would rather die than acknowledge what it cannot write down.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from e2e_testing.both_books import require_agreement
from e2e_testing.database import Database, with_database
from e2e_testing.postgres_faults import restart
from e2e_testing.stack import migrate_and_seed
from faults.betting import Betting
from faults.postgres_stack import PostgresStack, Rounds, running_server, stack_on
from faults.small_disk import SmallDisk, small_disk
from local_stack.postgres import Postgres
from shared_service_testing.waiting import wait_until

pytestmark = pytest.mark.slow

PLAYERS = 6
ANSWERS_BEFORE = 60
ANSWERS_AFTER = 60
REFUSALS = 12
DATA_DISK_MIB = 96
WAL_DISK_MIB = 80
FEW_SEGMENTS = {"max_wal_size": "48MB", "min_wal_size": "32MB", "wal_recycle": "off"}
NO_ROOM = "No space left on device"


@pytest.fixture
def on_small_data_disk(tmp_path: Path) -> Iterator[tuple[PostgresStack, SmallDisk]]:
    """The services' database in a tablespace on a small disk; the WAL has all the room it wants."""
    with small_disk(DATA_DISK_MIB) as disk, running_server(tmp_path / "server") as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"create tablespace small location '{disk.folder}'".encode())
            connection.execute("create database cramped tablespace small")
        database = Database(with_database(server.url(), "cramped"))
        migrate_and_seed(database)
        with stack_on(server, tmp_path, database=database) as faulty:
            yield faulty, disk


@pytest.fixture
def on_small_wal_disk(tmp_path: Path) -> Iterator[tuple[PostgresStack, SmallDisk]]:
    with small_disk(WAL_DISK_MIB) as disk, running_server(tmp_path / "server", settings=FEW_SEGMENTS) as server:
        server.stop()
        move_wal(server, disk)
        server.start()
        with stack_on(server, tmp_path) as faulty:
            yield faulty, disk


def move_wal(server: Postgres, disk: SmallDisk) -> None:
    """As an operator with a disk of its own for the WAL."""
    wal, target = server.data_dir / "pg_wal", disk.folder / "wal"
    target.mkdir(mode=0o700)
    owner = wal.stat()
    for entry in sorted(wal.rglob("*")):
        copy = target / entry.relative_to(wal)
        copy.mkdir(mode=0o700) if entry.is_dir() else copy.write_bytes(entry.read_bytes())
    for entry in [target, *target.rglob("*")]:
        os.chown(entry, owner.st_uid, owner.st_gid)
        entry.chmod(0o700 if entry.is_dir() else 0o600)
    wal.rename(wal.with_name("pg_wal.moved"))
    wal.symlink_to(target)


def require_the_same_services(faulty: PostgresStack, pids: list[int]) -> None:
    assert pids == [service.pid for service in faulty.stack.services.values()], "a service was restarted"


def test_a_full_data_disk_refuses_bets_at_the_door_and_takes_them_again_when_there_is_room(
    on_small_data_disk: tuple[PostgresStack, SmallDisk],
) -> None:
    """Row A9, the data disk."""
    faulty, disk = on_small_data_disk
    pids = [service.pid for service in faulty.stack.services.values()]
    players = [faulty.stack.open_player() for _ in range(2)]
    with Betting(faulty.stack.casino, faulty.sessions(PLAYERS)) as betting, Rounds(faulty, players):
        betting.wait_for(ANSWERS_BEFORE)
        disk.fill()
        betting.wait_for_trouble(REFUSALS)
        disk.enlarge(DATA_DISK_MIB * 4)
        betting.wait_for(ANSWERS_AFTER)
    statuses = {asked.status for asked in betting.asked}
    assert statuses == {200, 503}, "a statement that found no room has done nothing, and its caller is told so"
    betting.ask_again().require_nothing_lost()
    require_agreement(faulty.database)
    require_the_same_services(faulty, pids)
    assert faulty.stack.simulate(faulty.stack.open_player()).content["passed"] is True


def test_a_full_wal_disk_stops_postgres_and_loses_nothing_acknowledged(
    on_small_wal_disk: tuple[PostgresStack, SmallDisk],
) -> None:
    """Row A9, the WAL disk."""
    faulty, disk = on_small_wal_disk
    pids = [service.pid for service in faulty.stack.services.values()]
    players = [faulty.stack.open_player() for _ in range(2)]
    with Betting(faulty.stack.casino, faulty.sessions(PLAYERS)) as betting, Rounds(faulty, players):
        betting.wait_for(ANSWERS_BEFORE)
        disk.fill()
        use_up_the_wal(faulty.server)
        betting.wait_for_trouble(REFUSALS)
        disk.enlarge(WAL_DISK_MIB * 4)
        # It may have died, may be about to, or may recover by itself.
        betting.wait_for(ANSWERS_AFTER, meanwhile=lambda: faulty.server.pid or restart(faulty.server))
    assert {asked.status for asked in betting.asked} <= {200, 500, 503, None}
    betting.ask_again().require_nothing_lost()
    require_agreement(faulty.database)
    require_the_same_services(faulty, pids)
    assert was_full(faulty.server), "the WAL disk never was full"


def was_full(server: Postgres) -> bool:
    return NO_ROOM in server.log_path.read_text(errors="replace")


def use_up_the_wal(server: Postgres) -> None:
    """Begin segment after segment until there is no room for another."""

    def finds_no_room() -> bool:
        try:
            with psycopg.connect(server.url(), autocommit=True, connect_timeout=10) as connection:
                connection.execute("select pg_logical_emit_message(true, 'fill', repeat('x', 65536))")
                connection.execute("select pg_switch_wal()")
        except psycopg.OperationalError:
            return was_full(server)  # and not merely too slow to answer
        return False

    wait_until(finds_no_room, "the WAL found room to the end")
