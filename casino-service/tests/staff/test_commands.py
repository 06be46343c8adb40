"""`casino staff create`: the first member of staff, made with the owner's database address alone."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from casino.__main__ import main
from casino_testing.staff import StaffBooks

PASSWORD = "correct horse battery"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(books: StaffBooks) -> Run:
    def invoke(*arguments: str, password: str = PASSWORD, command: str = "create") -> tuple[int, str, str]:
        environment = {
            "CASINO_OWNER_DATABASE_URL": books.tenant.url,
            "CASINO_LEDGER": str(books.tenant.ledger_id),
        }
        result = CliRunner().invoke(main, ["staff", command, *arguments], env=environment, input=f"{password}\nmore\n")
        return result.exit_code, result.stdout.strip(), result.stderr

    return invoke


def test_an_owner_is_made_whose_id_is_printed(run: Run, books: StaffBooks) -> None:
    code, staff_id, said = run("Olga.1", "--role", "owner")
    assert (code, said) == (0, "")
    (row,), (secret,) = books.tenant.rows("staff"), books.tenant.rows("staff_secrets")
    assert (row["staff_id"], row["username"], row["role"], row["tenant_id"]) == (staff_id, "olga.1", "owner", None)
    assert PasswordHasher().verify(secret["password_hash"], PASSWORD)
    (audited,) = books.audit("staff.created")
    assert (audited["actor_kind"], audited["subject"], audited["after"]["role"]) == ("system", staff_id, "owner")
    assert PASSWORD not in str(audited)


def test_others_need_a_tenant_that_fits(run: Run, books: StaffBooks) -> None:
    tenant_id = books.tenant.tenant_id
    assert run("anna", "--role", "operator", "--tenant", tenant_id)[0] == 0
    for arguments, why in {
        ("bert", "--role", "operator"): "belongs to a tenant",
        ("bert", "--role", "owner", "--tenant", tenant_id): "belongs to no tenant",
        ("bert", "--role", "operator", "--tenant", "NOBODY"): "has no tenant NOBODY",
        ("bert", "--role", "cashier", "--tenant", tenant_id): "has no cashier",
        ("Anna", "--role", "owner"): "is taken",
        ("a", "--role", "owner"): "NAME must be",
        ("bért", "--role", "owner"): "NAME must be",
    }.items():
        code, printed, said = run(*arguments)
        assert (code, printed) == (1, ""), arguments
        assert why in said
    assert [row["username"] for row in books.tenant.rows("staff")] == ["anna"]


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 129])
def test_a_password_that_is_too_short_or_too_long_is_refused(run: Run, books: StaffBooks, password: str) -> None:
    code, printed, said = run("olga", "--role", "owner", password=password)
    assert (code, printed) == (1, "")
    assert "12 to 128 characters" in said
    assert books.tenant.rows("staff") == []


def test_an_unknown_role_is_refused(run: Run) -> None:
    assert run("olga", "--role", "king")[0] == 2


def test_an_owner_is_deactivated_and_gets_rid_of_lost_one_time_passwords(run: Run, books: StaffBooks) -> None:
    staff_id = run("olga", "--role", "owner")[1]
    (secret,) = books.tenant.rows("staff_secrets")
    books.tenant.sql("update casino.staff set has_otp = true where staff_id = %s", staff_id)
    assert books.judge("olga", secret["password_hash"])["o_code"] == "OTP_REQUIRED"
    assert run("Olga", command="reset-otp") == (0, "olga has no one-time passwords now.", "")
    login = books.judge("olga", secret["password_hash"])
    assert books.is_in(staff_id, login["o_family_id"])
    assert run("olga", command="deactivate") == (0, "olga is deactivated.", "")
    assert not books.is_in(staff_id, login["o_family_id"])
    assert [row["ended_at"] is not None for row in books.tenant.rows("staff_families")] == [True]
    actions = ("staff.created", "staff.otp.delete", "staff.changed")
    actors = [row["actor_name"] for action in actions for row in books.audit(action)]
    assert actors == ["casino staff create", "casino staff reset-otp", "casino staff deactivate"]
    for command in ("reset-otp", "deactivate"):
        code, printed, said = run("nobody", command=command)
        assert (code, printed) == (1, "")
        assert "has nobody with the name 'nobody'" in said


AT_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, sys.argv[1:])
"""


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(books: StaffBooks) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "CASINO_OWNER_DATABASE_URL": books.tenant.url,
        "CASINO_LEDGER": str(books.tenant.ledger_id),
    }
    command = [sys.executable, "-P", "-m", "casino", "staff", "create", "olga", "--role", "owner"]
    own, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL, *command],
        stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, env=environment,
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        for line in ("one password", "another password", PASSWORD, PASSWORD):
            while not shown.endswith((b"Password: ", b"confirmation: ")):
                shown += os.read(own, 1)
            os.write(own, f"{line}\n".encode())
            shown += b"<- a line\n"
        printed, _ = process.communicate(timeout=60)
    os.close(own)
    (row,) = books.tenant.rows("staff")
    assert (process.returncode, printed.decode().strip()) == (0, row["staff_id"])
    assert b"password" not in shown.replace(b"do not match", b"")
    assert PASSWORD.encode() not in shown
