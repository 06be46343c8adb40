"""The script that creates the stack's logins names the variables that .env lacks before it creates anything."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "postgres-init" / "10-logins.sh"
PASSWORDS = [
    "POSTGRES_PASSWORD", "CASINO_DATABASE_PASSWORD", "CASINO_OWNER_DATABASE_PASSWORD",
    "CASINO_OVERSIGHT_DATABASE_PASSWORD", "PROVIDER_DATABASE_PASSWORD", "PROVIDER_OWNER_DATABASE_PASSWORD",
]  # fmt: skip
STARTS_AFRESH = "docker compose down --volumes"


def run(tmp_path: Path, environment: dict[str, str], *, psql_status: int = 0) -> tuple[int, str, bool]:
    """Run the script; returns its exit status, its output, and whether it called psql."""
    psql, asked = tmp_path / "psql", tmp_path / "asked"
    psql.write_text(f"#!/bin/sh\ncat >/dev/null; touch {asked}; exit {psql_status}\n")
    psql.chmod(0o755)
    given = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "POSTGRES_USER": "postgres", "POSTGRES_DB": "stack"}
    ended = subprocess.run(
        ["sh", str(SCRIPT)], env=given | environment, capture_output=True, text=True, timeout=60, check=False
    )
    return ended.returncode, ended.stderr, asked.exists()


@pytest.mark.parametrize("value", ["demo-only-x", "", None], ids=["left as it was", "empty", "not set"])
@pytest.mark.parametrize("left_out", PASSWORDS)
def test_a_half_filled_file_is_refused_before_anything_is_made(
    tmp_path: Path, left_out: str, value: str | None
) -> None:
    filled = {name: "a-password-of-ones-own" for name in PASSWORDS if name != left_out}
    if value is not None:
        filled[left_out] = value
    status, said, has_asked = run(tmp_path, {**filled, "CASINO_DEMO": "0"})
    assert (status, has_asked) == (1, False)
    assert [name for name in PASSWORDS if f" {name} " in said] == [left_out]
    assert STARTS_AFRESH in said


@pytest.mark.parametrize("word", ["1", "True", "yes", "on"])
def test_demo_mode_takes_the_passwords_of_the_demo(tmp_path: Path, word: str) -> None:
    demo = dict.fromkeys(PASSWORDS, "demo-only-x")
    assert run(tmp_path, {**demo, "CASINO_DEMO": word}) == (0, "", True)


def test_a_database_that_refuses_says_how_to_start_afresh(tmp_path: Path) -> None:
    """After a failure the volume is not empty: the next start would skip the script and have no logins."""
    status, said, _ = run(tmp_path, dict.fromkeys(PASSWORDS, "own") | {"CASINO_DEMO": "0"}, psql_status=3)
    assert status == 3
    assert STARTS_AFRESH in said
