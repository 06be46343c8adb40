"""The commands: what they say when they may not start, and that a database that comes late is waited for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from provider.sql.schema import SCHEMA
from provider_testing.fake_wallet import FakeWallet
from provider_testing.process import SAME_PROGRAMS, ProviderProcess
from shared_service.postgres.migrate import migrate


def run(command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "provider", command],
        env={**SAME_PROGRAMS, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["serve", "recover-once"])
def test_a_service_without_settings_ends_at_once_and_says_what_is_missing(command: str) -> None:
    ended = run(command)
    assert ended.returncode == 1
    for name in ("CASINO_SECRET", "PROVIDER_SECRET", "PROVIDER_DATABASE_URL"):
        assert sum(name in line for line in ended.stderr.splitlines()) == 1, ended.stderr


def test_a_service_with_weak_secrets_does_not_start_and_does_not_show_them() -> None:
    ended = run("serve", PROVIDER_DATABASE_URL="postgresql://x", CASINO_SECRET="tiny-canary", PROVIDER_SECRET="canary2")
    assert ended.returncode == 1
    assert "CASINO_SECRET is shorter than 32 bytes" in ended.stderr
    assert "canary" not in ended.stderr + ended.stdout


def test_a_migration_without_a_database_address_says_so() -> None:
    ended = run("migrate")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "PROVIDER_DATABASE_URL" in ended.stderr


def test_the_migration_command_is_idempotent(owner_url: str) -> None:
    migrate(SCHEMA, owner_url)  # a copy of a template does not keep the rights on its database
    for _ in range(2):
        ended = run("migrate", PROVIDER_DATABASE_URL=owner_url, PROVIDER_OWNER_DATABASE_URL=owner_url)
        assert (ended.returncode, ended.stdout) == (0, "provider: the schema is up to date\n")


def test_a_serving_process_is_small_and_does_not_load_what_only_migrations_need(
    database_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    probe = "import sys, provider.app; print([m for m in sys.modules if m in ('alembic', 'sqlalchemy')])"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout == "[]\n"
    with ProviderProcess(database_url, wallet.url, tmp_path / "log") as provider:
        assert provider.resident_mib() < 150
