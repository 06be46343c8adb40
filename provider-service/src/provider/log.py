"""Sets up structured logging for the whole process.

Owns the shape of a log line. It must never be given a secret, token, signature or body to print: callers log codes,
ids and durations.
"""

import logging
import sys
import traceback
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

CAUSES_TOLD_MAX: Final = 5
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(*, log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's lines to the stream, standard output, in one format."""
    stream = stream or sys.stdout
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        without_text,
    ]
    renderer: Processor
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # One line for each call to the wallet is ours to write, with what it meant.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.INFO), force=True)


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
