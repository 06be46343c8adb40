"""Attempts to connect are paced while they fail, and the log says once why they do, without the address."""

from __future__ import annotations

import itertools

import psycopg
import pytest
from structlog.typing import EventDict

from shared_service.postgres import outage as outage_module
from shared_service.postgres.connections import Pool
from shared_service.postgres.outage import WORDS, NotTried, Outage, why_away
from shared_service.postgres.sessions import sentence
from shared_service_testing.waiting import until

SECRET = "secret-7"


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def attempts_of(outage: Outage, time: Time, seconds: int, *, every: float) -> list[float]:
    """The moments of the attempts that are made when one is asked for at each step."""
    made = []
    for step in range(int(seconds / every)):
        time.now = 1_000.0 + step * every
        try:
            outage.begin_attempt()
        except NotTried:
            continue
        made.append(time.now - 1_000.0)
        outage.failed("no server listens there")
    return made


def test_the_pauses_grow_with_the_outage_up_to_a_bound() -> None:
    time = Time()
    made = attempts_of(Outage("X_DATABASE_URL", monotonic=time), time, 200, every=0.0625)
    pauses = [later - earlier for earlier, later in itertools.pairwise(made)]
    assert min(pauses) >= 0.5
    assert pauses == sorted(pauses)
    assert all(pause <= max(1.0, 0.15 * at) for at, pause in zip(made, pauses, strict=False)), "a short outage is short"
    assert pauses[-1] == 5.0


def test_after_a_success_no_attempt_waits(logged: list[EventDict]) -> None:
    time = Time()
    outage = Outage("X_DATABASE_URL", monotonic=time)
    attempts_of(outage, time, 100, every=0.5)
    outage.ended()
    for _ in range(3):
        outage.begin_attempt()
    outage.failed("no server listens there")
    assert [event["event"] for event in logged] == ["database_not_connected"] * 2, "once for each outage"


def test_another_cause_is_logged_again(logged: list[EventDict]) -> None:
    outage = Outage("X_DATABASE_URL", monotonic=Time())
    for why in ("no server listens there", "no server listens there", "the server is starting"):
        outage.failed(why)
    assert [event["why"] for event in logged] == ["no server listens there", "the server is starting"]


async def test_a_pool_names_its_variable_and_the_cause_without_the_address(
    logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("PAUSE_MIN_SECONDS", "PAUSE_MAX_SECONDS"):
        monkeypatch.setattr(outage_module, bound, 3_600.0)  # a busy machine must not end the pause
    pool = Pool(
        f"postgresql://login:{SECRET}@127.0.0.1:1/books",
        variable="BOOKS_DATABASE_URL", silence_seconds=1, kwargs={}, min_size=2, max_size=2,
    )  # fmt: skip
    try:
        await pool.open(wait=False)
        await until(lambda: bool(logged))
        with pytest.raises(NotTried):
            await pool._connect()
    finally:
        await pool.close()
    (event,) = [event for event in logged if event["event"] == "database_not_connected"]
    assert event["variable"] == "BOOKS_DATABASE_URL"
    assert event["why"] == "no server listens there"
    assert SECRET not in str(logged)


REAL = {
    "no server": f"postgresql://login:{SECRET}@127.0.0.1:1/books",
    "no socket": f"postgresql://login:{SECRET}@/books?host=/nowhere",
    "no such host": f"postgresql://login:{SECRET}@no-such-host.invalid/books",
    "no authority": f"postgresql://login:{SECRET}@127.0.0.1:1/books?sslmode=verify-full&sslrootcert=/nowhere",
}


@pytest.mark.parametrize("how", REAL)
def test_what_the_driver_says_is_understood(how: str) -> None:
    with pytest.raises(psycopg.OperationalError) as failed:
        psycopg.connect(REAL[how], connect_timeout=5)
    why = why_away(str(failed.value))
    assert why is not None
    for part in (SECRET, "127.0.0.1", "no-such-host", "/nowhere", "login:"):
        assert part not in why


SERVER = [
    'password authentication failed for user "login"', 'database "books" does not exist', 'role "login" does not exist',
    "the database system is starting up", "the database system is shutting down", "sorry, too many clients already",
    'no pg_hba.conf entry for host "10.0.0.1", user "login", database "books", no encryption',
    "remaining connection slots are reserved for roles with the SUPERUSER attribute",
]  # fmt: skip


@pytest.mark.parametrize("said", SERVER)
def test_what_a_server_says_is_understood(said: str) -> None:
    why = why_away(f'connection failed: connection to server at "10.0.0.1", port 5432 failed: FATAL:  {said}\n')
    assert why in {meaning for _, meaning in WORDS}


def test_other_words_of_a_server_are_passed_on_without_the_address() -> None:
    why = why_away('connection to server at "10.0.0.1", port 5432 failed: FATAL:  this is\n  new')
    assert why is not None
    assert why.endswith("this is new")
    assert "10.0.0.1" not in why


def test_a_connection_that_breaks_off_is_told_without_the_name_of_an_exception() -> None:
    broken = psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly")
    assert "Error" not in sentence(broken, service="books")
    assert "Error" in sentence(psycopg.OperationalError("something else"), service="books")
