"""The two example clients of the documentation, run as a newcomer would run them."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from game_session import GameSession
from stack import Stack

EXAMPLES = Path(__file__).parent / "examples"
PYTHON_EXAMPLE = EXAMPLES / "signing_client_15_lines.py"
COMMANDS = {
    "Python": [sys.executable, "-I", "-W", "error", str(PYTHON_EXAMPLE)],
    "openssl and curl": ["sh", str(EXAMPLES / "sign_with_openssl.sh")],
}
LINES_OF_CODE = 15


def run(command: list[str], *arguments: str, secret: str) -> subprocess.CompletedProcess[str]:
    for tool in ("curl", "openssl"):
        if command[0] == "sh" and shutil.which(tool) is None:
            pytest.skip(f"this machine has no {tool}, which this example is about")
    environment = {"PATH": os.environ["PATH"], "CASINO_SECRET": secret}
    return subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_an_example_client_works_on_the_first_try(stack: Stack, session: GameSession, command: list[str]) -> None:
    arguments = [stack.casino.base_url, session.token, session.user_id]
    finished = run(command, *arguments, secret=stack.casino.secret)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert json.loads(finished.stdout) == {
        "userId": session.user_id,
        "balance": str(session.balance()),
        "currency": "USD",
    }


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_an_example_client_with_the_wrong_secret_gets_nothing(
    stack: Stack, session: GameSession, command: list[str]
) -> None:
    finished = run(command, stack.casino.base_url, session.token, session.user_id, secret="not-the-secret")
    assert finished.returncode != 0
    assert finished.stdout == ""


def test_the_python_example_has_fifteen_lines_of_code_and_imports_only_the_standard_library() -> None:
    parsed = ast.parse(PYTHON_EXAMPLE.read_text())
    docstring = parsed.body[0]
    lines = PYTHON_EXAMPLE.read_text().splitlines()[docstring.end_lineno :]
    assert len([line for line in lines if line.strip()]) == LINES_OF_CODE
    imported = [name.name for node in ast.walk(parsed) if isinstance(node, ast.Import) for name in node.names]
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
