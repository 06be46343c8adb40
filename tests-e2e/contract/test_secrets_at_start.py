"""Protocol section 9: which secrets a service starts with, and what it says of the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from e2e_testing.database import Database
from e2e_testing.service_process import ServiceProcess, full_environment, run_command_or_fail
from e2e_testing.stack import demo_environment
from local_stack.ports import free_port

GOOD = {
    "CASINO_SECRET": "one-good-casino-secret-0c5e1a94f7d2836b",
    "PROVIDER_SECRET": "one-good-provider-secret-7b20f9d6e8a1435c",
    "CASINO_ACCESS_TOKEN_SECRET": "one-good-token-secret-e47f0a5b92d8136c",
}
START_SECONDS = 60


def environment(database: Database, **secrets: str) -> dict[str, str]:
    shared = demo_environment(database, casino_url="http://127.0.0.1:1", provider_url="http://127.0.0.1:1")
    port = str(free_port())
    chosen = shared | GOOD | {"CASINO_DEMO": "", "CASINO_PORT": port, "PROVIDER_PORT": port} | secrets
    return {name: value for name, value in chosen.items() if value}


def refusal(package: str, settings: dict[str, str]) -> str:
    """What the service says when it will not start; a service that starts is the failure."""
    serving = subprocess.Popen(
        [sys.executable, "-m", package, "serve"],
        env=full_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = serving.communicate(timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        serving.kill()
        said, _ = serving.communicate()
        pytest.fail(f"{package} started:\n{said}")
    assert serving.returncode != 0
    assert "Traceback" not in said, f"a refusal is a sentence, not a crash:\n{said}"
    return said


@pytest.mark.parametrize("package", ["casino", "provider"])
@pytest.mark.parametrize("name", ["CASINO_SECRET", "PROVIDER_SECRET"])
@pytest.mark.parametrize("value", ["", "short-secret-of-31-bytes-long-!", None], ids=["missing", "short", "well known"])
def test_a_service_refuses_to_start_with_a_weak_secret_and_says_which(
    template: Database, package: str, name: str, value: str | None
) -> None:
    well_known = {"CASINO_SECRET": "casino-secret", "PROVIDER_SECRET": "provider-secret"}[name]
    weak = well_known if value is None else value
    said = refusal(package, environment(template, **{name: weak}))
    other = {"CASINO_SECRET": "PROVIDER_SECRET", "PROVIDER_SECRET": "CASINO_SECRET"}[name]
    assert name in said
    assert other not in said, "and blames no other"
    if weak:
        assert weak not in said, "without telling it"


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_a_weak_further_key_is_refused_too(template: Database, package: str) -> None:
    said = refusal(package, environment(template, CASINO_KEYS='[{"id":"k2","secret":"short"}]'))
    assert "CASINO_KEYS" in said


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_keys_that_cannot_be_read_are_refused(template: Database, package: str) -> None:
    assert "PROVIDER_KEYS" in refusal(package, environment(template, PROVIDER_KEYS="{not json"))


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_a_service_starts_outside_demo_mode_with_good_secrets_and_stops_on_sigterm(
    scratch: Database, tmp_path: Path, package: str
) -> None:
    service = ServiceProcess(package, free_port(), environment(scratch), tmp_path / f"{package}.log")
    service.start()
    try:
        service.wait_until_ready()
    finally:
        exit_code = service.stop()
    assert exit_code in (0, -15), service.log_tail()


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_a_second_migration_changes_nothing(scratch: Database, package: str) -> None:
    tables = "select schemaname, tablename from pg_tables where schemaname in ('casino', 'provider') order by 1, 2"
    before = scratch.rows(tables)
    run_command_or_fail(package, "migrate", environment(scratch))
    assert scratch.rows(tables) == before


def test_seeding_twice_gives_no_money_twice(scratch: Database) -> None:
    balances = "select player_id, balance_minor from casino.wallets order by player_id"
    before = scratch.rows(balances)
    assert [(row["player_id"], row["balance_minor"]) for row in before] == [("1", 1_000_000), ("2", 1_000_000)]
    run_command_or_fail("casino", "seed-demo", environment(scratch) | {"CASINO_DEMO": "1"})
    assert scratch.rows(balances) == before
