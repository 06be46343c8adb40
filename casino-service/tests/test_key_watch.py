"""Keys while the service runs: nothing is accepted before the revocations are read, and what was read last holds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from structlog.typing import EventDict

from casino.__main__ import main
from casino.sql.schema import SCHEMA, database_for
from casino_testing.edge import serving
from casino_testing.processes import WAIT_SECONDS_MAX, Wire, until_waiting
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from local_stack.testing import database_urls
from shared_service.keys.watch import POLL_SECONDS, KeyWatch
from shared_service_testing.waiting import until
from shared_signing.keys import Key

K2 = Key("k2", b"k2-secret-of-the-casino")
LIVE = {"casino": ("main", "k2"), "provider": ("main",)}
WITHOUT_K2 = {"casino": ("main",), "provider": ("main",)}


def write(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def revoke(url: str) -> None:
    write(url, "insert into casino.key_revocations (direction, key_id) values ('casino', 'k2')")


@pytest.fixture
def demo(own_database: str) -> Iterator[Tenant]:
    """The demo tenant, in a database of the test's own: keys are revoked for all tenants."""
    with contextlib.closing(Tenant.demo(own_database)) as tenant:
        yield tenant


def watch_of(tenant: Tenant, **changes: Any) -> KeyWatch:
    settings = settings_of(tenant, **changes)
    settings = settings_of(tenant, casino_keys=(*settings.casino_keys, K2), **changes)
    return KeyWatch(settings.live_keys(), database_for(settings, size_max=1), schema=SCHEMA.name)


async def test_a_revocation_from_before_the_start_holds_from_the_first_moment(demo: Tenant) -> None:
    """Row E5. What a restart must not forget."""
    revoke(demo.url)
    watch = watch_of(demo)
    assert watch.keys.ring("casino").awaiting
    await watch.start()
    assert watch.keys.live_ids(0) == WITHOUT_K2
    await watch.stop()


async def test_without_a_database_nobody_is_believed_until_it_has_been_read_once(
    tenant: Tenant, logged: list[EventDict]
) -> None:
    """Row E5. The service starts before its database; the keys come with it, within one look."""
    async with Wire.to(tenant.url) as wire:
        away = wire.url.replace("127.0.0.1", "127.0.0.2")
        watch = watch_of(tenant, database_url=away, pool_wait_seconds=0.05)
        await watch.start()
        await asyncio.sleep(2.5 * POLL_SECONDS)
        assert watch.keys.ring("casino").awaiting
        assert [event["event"] for event in logged].count("revocations_not_readable") == 1, "once, not with every look"
        await watch.stop()


async def test_while_the_database_is_away_the_last_known_state_stays(demo: Tenant) -> None:
    """Row E5. Neither does a revoked key come back nor does a good one stop."""
    revoke(demo.url)
    async with Wire.to(demo.url) as wire:
        watch = watch_of(demo, database_url=wire.url, pool_wait_seconds=0.05)
        await watch.start()
        await until(lambda: watch.keys.live_ids(0) == WITHOUT_K2)  # with so little patience not always the first look
        wire.loses_answers = True
        wire.cut()
        write(demo.url, "delete from casino.key_revocations")
        await asyncio.sleep(2.5 * POLL_SECONDS)
        assert watch.keys.live_ids(0) == WITHOUT_K2
        wire.loses_answers = False
        wire.cut()
        await until(lambda: watch.keys.live_ids(0) == LIVE)
        await watch.stop()


async def test_a_flood_that_holds_every_connection_does_not_keep_a_key_alive(demo: Tenant) -> None:
    """Row E5. The watch has a connection of its own: the requests' pool may be used up for as long as it likes."""
    forged = {"x-casino-signature": f"t=1,n={'n' * 32},k=k2,v1={'0' * 64}"}
    async with serving(demo, casino_keys=(*settings_of(demo).casino_keys, K2), pool_size_max=1) as service:

        async def verdict() -> str:
            answer = await service.anybody.post("/casino/getBalance", content=b"{}", headers=forged)
            return str(answer.json()["code"])

        assert await verdict() == "bad_signature", "the key is known"
        balance = {"sessionToken": await service.launch(), "userId": "1"}
        with psycopg.connect(demo.url) as connection:
            connection.execute("lock table casino.wallets in access exclusive mode")
            holding = asyncio.create_task(service.post("getBalance", balance))
            await until_waiting(demo)
            revoke(demo.url)
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                while await verdict() != "unknown_key":  # noqa: ASYNC110 - the service tells nobody
                    await asyncio.sleep(POLL_SECONDS / 10)
            assert not holding.done(), "the requests' only connection is still held"
            connection.rollback()
        assert (await holding).status_code == 200


@pytest.fixture
def run_command(own_database: str) -> Callable[..., tuple[int, str]]:
    """Runs a command of the casino as a person would."""
    environment = {
        **database_urls("casino", own_database),
        "CASINO_SECRET": "canary-0c5e1a94f7d2836b98e0a7d3c41f6b25",
        "CASINO_KEYS": json.dumps([{"id": "k2", "secret": "canary-39a6d1f05c7be824f21c8b50e96d73a4"}]),
        "PROVIDER_SECRET": "canary-7b20f9d6e8a1435c6d93b0f8215ea47c",
        "CASINO_ACCESS_TOKEN_SECRET": "canary-e47f0a5b92d8136ccb1695f30da2e874",
        "CASINO_PEPPER": "canary-58c1e0b7f42d96a3807bd4e1c95f3a60",
    }

    def run(*arguments: str, **changes: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, arguments, env={**environment, **changes})
        assert "canary" not in result.output
        return result.exit_code, result.output

    return run


def test_the_command_writes_the_row_as_the_owner_and_says_who_did_it(
    own_database: str, run_command: Callable[..., tuple[int, str]]
) -> None:
    status, said = run_command("revoke-key", "k2", "--direction", "casino")
    assert (status, said.splitlines()[0]) == (
        0,
        "casino: key k2, direction casino (provider to casino), is revoked.",
    )
    with psycopg.connect(own_database) as connection:
        rows = connection.execute("select direction, key_id, revoked_by from casino.key_revocations").fetchall()
        owner = connection.execute("select session_user").fetchone()
    assert owner is not None
    assert rows == [("casino", "k2", owner[0])]


def test_the_command_says_what_is_wrong_without_an_address_or_a_password(
    run_command: Callable[..., tuple[int, str]],
) -> None:
    status, said = run_command(
        "revoke-key", "k2", "--direction", "casino",
        CASINO_OWNER_DATABASE_URL="postgresql://owner:canary-password@127.0.0.1:1/casino",
    )  # fmt: skip
    assert status == 1
    assert "casino_owner" in said
    assert "canary" not in said


def test_the_applications_login_may_not_revoke(shared_database: str) -> None:
    with psycopg.connect(shared_database) as connection:
        connection.execute("set session authorization casino_app")
        for statement in (
            "insert into casino.key_revocations (direction, key_id) values ('casino', 'k2')",
            "delete from casino.key_revocations",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[call-overload]
            connection.rollback()
            connection.execute("set session authorization casino_app")


def test_keys_and_a_file_of_keys_together_are_refused(
    tmp_path: Path, run_command: Callable[..., tuple[int, str]]
) -> None:
    status, said = run_command("keys", CASINO_KEYS_FILE=str(tmp_path / "keys.json"))
    assert status == 1
    assert any({"CASINO_KEYS", "CASINO_KEYS_FILE"} <= set(re.findall(r"\w+", line)) for line in said.splitlines())
    status, said = run_command("keys", CASINO_KEYS="", CASINO_KEYS_FILE=str(tmp_path / "none.json"))
    assert (status, said.count("\n"), "CASINO_KEYS_FILE" in said) == (1, 1, True)
    (tmp_path / "keys.json").write_text('[{"id": "k3", "secret": "canary"}]')
    status, said = run_command("keys", CASINO_KEYS="", CASINO_KEYS_FILE=str(tmp_path / "keys.json"))
    assert (status, "CASINO_KEYS_FILE" in said, "k3" in said, "canary" in said) == (1, True, True, False)
