"""The example clients of the documentation, run as a newcomer would run them."""

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
PYTHON_EXAMPLES = [EXAMPLES / "signing_client_15_lines.py", EXAMPLES / "your_own_provider.py"]
LINES_OF_CODE = 15
BALANCE = "/casino/getBalance"


def run(command: list[str], *, secret: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CASINO_SECRET": secret, **more}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def run_python(stack: Stack, session: GameSession, *, secret: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-W", "error", str(PYTHON_EXAMPLES[0])]
    return run([*command, stack.casino.base_url, session.token, session.user_id], secret=secret)


def run_curl(stack: Stack, *arguments: str, secret: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    for tool in ("curl", "openssl"):
        if shutil.which(tool) is None:
            pytest.skip(f"this machine has no {tool}, which this example is about")
    command = ["sh", str(EXAMPLES / "signed_call.sh"), stack.casino.base_url, *arguments]
    return run(command, secret=secret or stack.casino.secret, **more)


def expected_balance(session: GameSession) -> dict[str, str]:
    return {"userId": session.user_id, "balance": str(session.balance()), "currency": "USD"}


def test_fifteen_lines_of_python_ask_for_a_balance(stack: Stack, session: GameSession) -> None:
    finished = run_python(stack, session, secret=stack.casino.secret)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert json.loads(finished.stdout) == expected_balance(session)


def test_fifteen_lines_of_python_with_the_wrong_secret_get_nothing(stack: Stack, session: GameSession) -> None:
    finished = run_python(stack, session, secret="not-the-secret")
    assert finished.returncode != 0
    assert finished.stdout == ""


def test_curl_posts_a_signed_body_and_gets_with_a_signed_query(stack: Stack, session: GameSession) -> None:
    finished = run_curl(stack, "POST", BALANCE, json.dumps(session.who()))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert json.loads(finished.stdout) == expected_balance(session)
    page = run_curl(stack, "GET", "/casino/transactions?after=0&limit=2")
    assert (page.returncode, json.loads(page.stdout).keys()) == (0, {"transactions", "next"})


def test_curl_shows_a_signed_refusal(stack: Stack) -> None:
    finished = run_curl(stack, "POST", BALANCE, '{"userId":"1"}')
    assert (finished.returncode, json.loads(finished.stdout)["code"]) == (1, "invalid_field")


@pytest.mark.parametrize(
    ("secret", "more", "code", "cure"),
    [
        ("not-the-secret", {}, "bad_signature", "CASINO_SECRET"),
        (None, {"KEY_ID": "k7"}, "unknown_key", "k7"),
        (None, {"CLOCK_OFFSET": "5000"}, "timestamp_out_of_window, signed: yes", "CLOCK_OFFSET="),
    ],
)
def test_curl_explains_a_401(stack: Stack, secret: str | None, more: dict[str, str], code: str, cure: str) -> None:
    finished = run_curl(stack, "POST", BALANCE, '{"userId":"1"}', secret=secret, **more)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert f"401 {code}" in finished.stderr
    assert cure in finished.stderr


def test_the_short_example_has_fifteen_lines_of_code() -> None:
    docstring = ast.parse(PYTHON_EXAMPLES[0].read_text()).body[0]
    lines = PYTHON_EXAMPLES[0].read_text().splitlines()[docstring.end_lineno :]
    assert len([line for line in lines if line.strip()]) == LINES_OF_CODE


@pytest.mark.parametrize("example", PYTHON_EXAMPLES, ids=lambda path: path.name)
def test_a_python_example_imports_only_the_standard_library(example: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(example.read_text())) if isinstance(node, ast.Import)]
    assert {name.name.split(".")[0] for node in imports for name in node.names} <= sys.stdlib_module_names
