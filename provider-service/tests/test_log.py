"""Log lines of the provider: an exception is told by its place, never by its text or the values around it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import logging, structlog
from provider.log import configure_logging
configure_logging(log_format={log_format!r}, level="debug")
def open_session(token):
    try:
        raise ValueError(f"a row with {{token}}")
    except ValueError as cause:
        raise LookupError(token) from cause
try:
    open_session("a-clear-token")
except LookupError:
    structlog.get_logger().exception("session_lost")
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_neither_the_text_nor_the_locals_of_an_exception_are_logged(log_format: str) -> None:
    """Invariant I11: in both formats, whoever logs it."""
    environment = {**os.environ, "NO_COLOR": "1"}
    script = SCRIPT.format(log_format=log_format)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert "a-clear-token" not in ended.stdout + ended.stderr
    for told in ("session_lost", "Exception in ASGI application", "builtins.LookupError", "builtins.ValueError"):
        assert told in ended.stdout
    assert ended.stdout.count("in open_session") == 4, "the places are told: of the error and of its cause"
