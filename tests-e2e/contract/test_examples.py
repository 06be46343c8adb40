"""The example clients of the documentation, run as a newcomer would run them."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from e2e_testing.game_session import GameSession, JsonObject
from e2e_testing.stack import Stack

EXAMPLES = Path(__file__).parents[1] / "examples"
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


class NotTheWallet(BaseHTTPRequestHandler):
    """Answers everything with a balance that nobody signed."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"userId":"1","balance":"999999","currency":"USD"}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def liar() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), NotTheWallet) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def expected_balance(session: GameSession) -> JsonObject:
    return session.get_balance().must_be_ok().content


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


def test_an_unsigned_answer_to_a_get_is_shown_and_asks_for_no_repeated_transaction(stack: Stack) -> None:
    finished = run_curl(stack, "GET", "/casino/nothing")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "404" in finished.stderr
    assert "not_found" in finished.stderr, "the body is shown"
    assert "transactionId" not in finished.stderr


@pytest.mark.parametrize("example", ["sh signed_call.sh", "python3 signing_client_15_lines.py"])
def test_an_example_without_arguments_says_its_usage(example: str) -> None:
    runner, script = example.split()
    finished = run([runner, str(EXAMPLES / script)], secret="one-secret")
    assert (finished.returncode != 0, finished.stdout) == (True, "")
    assert "Usage: " in finished.stderr
    assert "Traceback" not in finished.stderr


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


EXAMPLES_WITHOUT = [
    ("sh signed_call.sh", "POST /casino/getBalance {}", "CASINO_SECRET"),
    ("python3 signing_client_15_lines.py", "token 1", "CASINO_SECRET"),
    ("python3 your_own_provider.py", "0", "CASINO_SECRET"),
    ("python3 your_own_provider.py", "0", "PROVIDER_SECRET"),
    ("node your_own_provider.mjs", "0", "CASINO_SECRET"),
    ("node your_own_provider.mjs", "0", "PROVIDER_SECRET"),
]


@pytest.mark.parametrize("value", [None, ""], ids=["not set", "empty"])
@pytest.mark.parametrize(("example", "arguments", "absent"), EXAMPLES_WITHOUT)
def test_an_example_without_its_secret_asks_for_it_and_believes_nobody(
    liar: str, example: str, arguments: str, absent: str, value: str | None
) -> None:
    runner, script = example.split()
    if shutil.which(runner) is None:
        pytest.skip(f"this machine has no {runner}")
    environment = {"PATH": os.environ["PATH"], "CASINO_SECRET": "one-secret", "PROVIDER_SECRET": "another-secret"}
    del environment[absent]
    if value is not None:
        environment[absent] = value
    command = [runner, str(EXAMPLES / script), liar, *arguments.split()]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert finished.stdout == ""
    assert finished.returncode == 2 if runner == "sh" else finished.returncode != 0
    assert len(finished.stderr.splitlines()) == 1
    assert absent in finished.stderr


@pytest.mark.parametrize("broken", ["exit 1", "true"])
def test_curl_believes_nobody_when_openssl_makes_no_signature(liar: str, tmp_path: Path, broken: str) -> None:
    openssl = tmp_path / "openssl"
    openssl.write_text(f"#!/bin/sh\n[ $1 = rand ] && echo abc && exit\n{broken}\n")
    openssl.chmod(0o755)
    command = ["sh", str(EXAMPLES / "signed_call.sh"), liar, "POST", BALANCE, '{"userId":"1"}']
    finished = run(command, secret="one-secret", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (finished.returncode, finished.stdout) == (2, "")


def test_the_short_example_has_fifteen_lines_of_code() -> None:
    docstring = ast.parse(PYTHON_EXAMPLES[0].read_text()).body[0]
    lines = PYTHON_EXAMPLES[0].read_text().splitlines()[docstring.end_lineno :]
    assert len([line for line in lines if line.strip()]) == LINES_OF_CODE


@pytest.mark.parametrize("example", PYTHON_EXAMPLES, ids=lambda path: path.name)
def test_a_python_example_imports_only_the_standard_library(example: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(example.read_text())) if isinstance(node, ast.Import)]
    assert {name.name.split(".")[0] for node in imports for name in node.names} <= sys.stdlib_module_names
