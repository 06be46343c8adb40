"""Each failure of a connection has its own message, and none quotes the address."""

from __future__ import annotations

import psycopg
import pytest

from shared_service.postgres.away import WORDS, why_away
from shared_service.postgres.sessions import sentence

SECRET = "secret-7"

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
