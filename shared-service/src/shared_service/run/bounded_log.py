"""A logger with a bounded rate: the first lines of each second in full, the others as one line with their number.

For events that anybody can cause. A peer without a key can be refused thousands of times a second. All those lines
would rotate a log in half a minute and hide other lines.

    refusals = BoundedLog(structlog.get_logger())
    refusals.info("request_refused", code="signature_missing", endpoint="orders")

Lines are counted separately for each event, `code` and `endpoint`, so a flood of one refusal does not hide another.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

LINES_MAX: Final = 10
"""Lines a second in full, for each event and code."""
WINDOW_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Seen:
    level: str
    lines: int = 0


class BoundedLog:
    """Log `code` and `endpoint` only with values of a fixed table, because each value has its own counter."""

    def __init__(
        self, logger: Any, *, lines_max: int = LINES_MAX, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._lines_max = lines_max
        self._monotonic = monotonic
        self._began = float("-inf")
        self._seen: dict[tuple[str, str | None, str | None], _Seen] = {}
        self._summary: asyncio.TimerHandle | None = None

    def debug(self, event: str, **fields: Any) -> None:
        """Log or count a line at debug level."""
        self._say("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Log or count a line at info level."""
        self._say("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Log or count a line at warning level."""
        self._say("warning", event, fields)

    def flush(self) -> None:
        """End the present second: write one line for each event, code and endpoint with lines left out."""
        if self._summary is not None:
            self._summary.cancel()
            self._summary = None
        ended, self._seen = self._seen, {}
        for (event, code, endpoint), seen in ended.items():
            left_out = seen.lines - self._lines_max
            if left_out > 0:
                named = {"code": code, "endpoint": endpoint}
                fields = {name: value for name, value in named.items() if value is not None}
                getattr(self._logger, seen.level)(event, lines_left_out=left_out, **fields)

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        now = self._monotonic()
        if now - self._began >= WINDOW_SECONDS:
            # In an empty context, because the lines left out belong to many requests.
            contextvars.Context().run(self.flush)
            self._began = now
        seen = self._seen.setdefault((event, fields.get("code"), fields.get("endpoint")), _Seen(level))
        seen.lines += 1
        if seen.lines <= self._lines_max:
            getattr(self._logger, level)(event, **fields)
        elif self._summary is None:
            with contextlib.suppress(RuntimeError):  # without an event loop, the next line flushes
                self._summary = asyncio.get_running_loop().call_later(
                    self._began + WINDOW_SECONDS - now, self.flush, context=contextvars.Context()
                )
