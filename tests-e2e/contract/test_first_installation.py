"""docs/installation.md, run as printed against empty databases."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from e2e_testing.database import Database, drop_database, with_database
from e2e_testing.service_process import COMMAND_SECONDS, ServiceProcess, full_environment, run_command_or_fail
from local_stack.account import server_account
from local_stack.binaries import find_programs
from local_stack.ports import free_port
from local_stack.testing import PostgresServer
from shared_service_testing.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "installation.md"
BLOCK = re.compile(r"^<!-- install: ([a-z]+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = dict(BLOCK.findall(PAGE.read_text("utf-8")))
SIDES = ("casino", "provider")
LOGINS = [f"{side}_{login}" for side in SIDES for login in ("login", "migrator")] + ["casino_oversight_login"]
IN_A_CONTAINER = "docker compose run --rm --no-deps casino-migrate "


@pytest.fixture
def books(server: PostgresServer) -> Iterator[dict[str, Database]]:
    """The databases that the page makes, by their names; the logins that it makes end with them."""
    named = {side: Database(with_database(server.url(), side)) for side in SIDES}
    yield named
    for database in named.values():
        drop_database(server.url(), database)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for login in LOGINS:
            connection.execute(f"drop role if exists {login}".encode())


def run(blocks: list[str], folder: Path, **variables: str) -> str:
    """Run blocks of the page in one shell; answers what they printed."""
    programs = (Path(sys.executable).parent, find_programs(server_account()), os.environ["PATH"])
    path = ":".join(str(each) for each in programs)
    done = subprocess.run(
        ["/bin/sh", "-euc", "\n".join(blocks)],
        cwd=folder,
        env=full_environment({"PATH": path, **variables}),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def settings_in(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def started(opened: ExitStack, side: str, port: int, settings: Mapping[str, str], folder: Path) -> ServiceProcess:
    process = ServiceProcess(side, port, settings, folder / f"{side}.log")
    process.start()
    opened.callback(process.stop)
    return process


def missing_of(process: ServiceProcess) -> str | None:
    try:
        answer = httpx.get(f"{process.url}/health/ready", timeout=10, trust_env=False, verify=False).json()
    except httpx.TransportError:
        return None
    missing: str | None = answer.get("missing")
    return missing


def test_the_printed_commands_lead_from_empty_databases_to_a_player_in_a_game(
    server: PostgresServer, books: dict[str, Database], tmp_path: Path
) -> None:
    """No page said how to make a tenant: `/health/ready` answered `tenant` for good."""
    address = urlsplit(server.url())
    at = {"SERVER": f"{address.scheme}://{address.netloc}", "HOST": f"{address.hostname}:{address.port}"}
    run([PRINTED["settings"], PRINTED["databases"]], tmp_path, **at)
    ports = {side: free_port() for side in SIDES}
    urls = {f"{side.upper()}_URL": f"http://127.0.0.1:{port}" for side, port in ports.items()}
    settings = {side: settings_in(tmp_path / f"{side}.env") | urls for side in SIDES}
    assert {oct((tmp_path / f"{side}.env").stat().st_mode & 0o777) for side in SIDES} == {"0o600"}
    for side in SIDES:
        run_command_or_fail(side, "migrate", settings[side])  # as the owner's login, as at the next release
    with ExitStack() as opened:
        casino, provider = (started(opened, side, ports[side], settings[side], tmp_path) for side in SIDES)
        wait_until(lambda: missing_of(casino) == "tenant", casino.log_tail)
        assert run([PRINTED["tenant"]], tmp_path).count("was created; ") == 1
        again = run([PRINTED["tenant"]], tmp_path)
        assert again.count("there already") == 3, "every block may be repeated"
        casino.wait_until_ready()
        provider.wait_until_ready()
        load = "set -a; . ./casino.env; set +a"
        launched = json.loads(run([load, f"CASINO_PORT={casino.port}", PRINTED["launch"]], tmp_path))
        run_command_or_fail("provider", "reconcile", settings["provider"])
        run_command_or_fail("casino", "check-ledger", settings["casino"])
    assert (launched["balance"], launched["currency"]) == ("100000", "EUR")
    assert (launched["minBet"], launched["maxBet"]) == ("100", "10000")
    joined = books["provider"].row("select provider_session_id::text as id, user_id from provider.game_sessions")
    assert joined == {"id": launched["providerSessionId"], "user_id": "1"}
    capped = books["casino"].row("select tenant_id, win_cap_minor from casino.game_sessions")
    assert capped == {"tenant_id": "ACME", "win_cap_minor": 5_000_000}


def test_compose_has_the_same_commands() -> None:
    bare = [line for line in PRINTED["tenant"].splitlines() if line.startswith("casino ")]
    first, *in_containers = PRINTED["compose"].splitlines()
    assert first == "docker compose up --build --detach"
    assert in_containers == [IN_A_CONTAINER + line for line in bare]
    assert len(bare) == 4
