"""Commands that fail because of the database: the common checks of their output, for both services."""

from __future__ import annotations

from collections.abc import Collection

import click
from click.testing import CliRunner

CANARY = "canary-of-a-password"
FAULTS: dict[str, dict[str, str]] = {
    "wrong password": {"password": CANARY},
    "no such database": {"dbname": "nowhere"},
    "no such login": {"user": "nobody"},
    "server away": {"port": "1", "password": CANARY},
}
"""What is wrong with an address, as parameters of the connection."""


def require_refusal(
    main: click.Command, command: str, environment: dict[str, str], *named: str, examinations: Collection[str]
) -> None:
    """The command ends with one line that contains `named`, and without the password.

    The exit status is 1, or 2 for a command of `examinations`.
    """
    ended = CliRunner().invoke(main, command.split(), env={"CASINO_DEMO": "1", **environment})
    assert isinstance(ended.exception, SystemExit), (command, ended.exception)
    assert ended.exit_code == (2 if command.split(maxsplit=1)[0] in examinations else 1), command
    assert len(ended.output.splitlines()) == 1, ended.output
    assert "Traceback" not in ended.output
    assert CANARY not in ended.output
    assert "grant" not in ended.output
    for each in named:
        assert each in ended.output, command
