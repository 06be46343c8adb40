"""Log lines: each is one JSON object with the request's id, libraries' lines too. None contains a URL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import logging, structlog
from shared_service.run.log import configure_logging
configure_logging(log_format={log_format!r}, level={level!r}, service="orders")
structlog.contextvars.bind_contextvars(request_id="r-1")
structlog.get_logger().info("order_recorded", amount_minor=5)
structlog.get_logger().debug("order_looked_at")
logging.getLogger("httpx").info("HTTP Request: GET http://x/?token=secret")
logging.getLogger("uvicorn.error").info("started")
try:
    try:
        raise ValueError("a token in a row")
    except ValueError as cause:
        raise LookupError("a token was lost") from cause
except LookupError:
    structlog.get_logger().exception("order_lost")
"""


def lines(log_format: str, level: str) -> list[str]:
    """The log lines of a new process: logging is configured once for a whole process."""
    script = SCRIPT.format(log_format=log_format, level=level)
    environment = {**os.environ, "NO_COLOR": "1"}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def test_every_line_is_one_json_object_with_service_time_level_and_request() -> None:
    events: list[dict[str, Any]] = [json.loads(line) for line in lines("json", "info")]
    assert [event["event"] for event in events] == ["order_recorded", "started", "order_lost"]
    assert {event["service"] for event in events} == {"orders"}
    assert [event["level"] for event in events] == ["info", "info", "error"]
    assert all(event["timestamp"].endswith("Z") for event in events)
    assert (events[0]["request_id"], events[0]["amount_minor"]) == ("r-1", 5)
    told = events[2]["exception"].splitlines()
    assert [line for line in told if "in <module>" not in line] == [
        "builtins.LookupError", "caused by", "builtins.ValueError",
    ]  # fmt: skip
    assert told[0].startswith("<string>:"), "the location is logged"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_text_of_an_exception_is_left_out_for_it_may_hold_anything(log_format: str) -> None:
    """Invariant I11. The same holds for the exception's causes."""
    told = "\n".join(lines(log_format, "info"))
    assert "LookupError" in told
    assert "ValueError" in told
    assert "a token" not in told


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_addresses_that_the_http_client_logs_are_left_out(log_format: str) -> None:
    assert "secret" not in "\n".join(lines(log_format, "debug"))


def test_the_level_is_a_choice_and_the_console_format_is_for_people() -> None:
    assert any("order_looked_at" in line for line in lines("console", "debug"))
    assert not any("order_recorded" in line for line in lines("console", "error"))


def test_another_stream_takes_all_of_it() -> None:
    script = (
        "import logging, sys, structlog\n"
        "from shared_service.run.log import configure_logging\n"
        "configure_logging(log_format='json', level='info', service='orders', stream=sys.stderr)\n"
        "structlog.get_logger().info('order_recorded')\n"
        "logging.getLogger('uvicorn.error').info('started')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert [json.loads(line)["event"] for line in ended.stderr.splitlines()] == ["order_recorded", "started"]
