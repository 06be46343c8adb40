"""Logging: structlog for the service's own events and for the libraries' that log through the standard library.

Owns the format. Events are in the past tense; a secret, token, PIN, signature or body is never a value of one.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, Final

import structlog
from structlog.typing import EventDict

UVICORN_LOGGERS: Final = ("uvicorn", "uvicorn.error")
CAUSES_TOLD_MAX: Final = 5


def configure_logging(*, log_format: str, level: str, service: str) -> None:
    """Log lines to standard output: `json` for machines, `console` for people."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
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
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
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
    # httpx logs every URL at INFO; a query string may hold what must not be logged.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in UVICORN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def without_text(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """An exception as its classes and places, its causes after it. Its text is left out: a database's error holds the
    row that it complains about, and a library's the value."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if not isinstance(error, BaseException):
        return event
    told: list[str] = []
    for _ in range(CAUSES_TOLD_MAX):
        frames = traceback.extract_tb(error.__traceback__)
        told += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        told.append(f"{type(error).__module__}.{type(error).__qualname__}")
        cause = error.__cause__ or error.__context__
        if cause is None:
            break
        told.append("caused by")
        error = cause
    event["exception"] = "\n".join(told)
    return event
