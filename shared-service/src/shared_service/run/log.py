"""Configures the log: lines of one form, from the service and from libraries that use the standard library's logging.

Events are named in the past tense. Do not log a secret, token, PIN, signature or body.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict

FORMATS: Final = ("json", "console")
LEVELS: Final = ("info", "debug", "warning", "error")
UVICORN_LOGGERS: Final = ("uvicorn", "uvicorn.error")
CAUSES_MAX: Final = 5


def configure_logging(*, log_format: str, level: str, service: str, stream: TextIO | None = None) -> None:
    """Log to `stream`, by default standard output: `json` for machines, `console` for people."""
    stream = stream or sys.stdout
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _method, event: {"service": service, **event},
    ]
    structlog.configure(
        processors=[*shared, without_text, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                without_text,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)
    # httpx logs every URL at INFO, and a query string may contain anything.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # The pool logs the driver's message, which quotes the address, at each attempt. See shared_service.postgres.outage.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    for name in UVICORN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def without_text(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Logs the types and locations of an exception and its causes, not the texts: Postgres errors quote row values."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if not isinstance(error, BaseException):
        return event
    lines: list[str] = []
    for _ in range(CAUSES_MAX):
        frames = traceback.extract_tb(error.__traceback__)
        lines += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
        cause = error.__cause__ or error.__context__
        if cause is None:
            break
        lines.append("caused by")
        error = cause
    event["exception"] = "\n".join(lines)
    return event
