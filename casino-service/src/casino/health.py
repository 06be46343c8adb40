"""Liveness and readiness: is this process running, and can it do its work?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from casino.db import Database, OutcomeUnknown, Overloaded
from casino.wallet.queries import RESTORE_UNFINISHED

MIGRATED_TO: Final = "select version_num from casino.alembic_version"


@dataclass(frozen=True, slots=True)
class Health:
    """What readiness looks at."""

    database: Database
    expected_revision: str
    ledger_id: int

    def routes(self) -> Sequence[BaseRoute]:
        """The routes of this slice."""
        return [
            Route("/health/live", self._live, methods=["GET"]),
            Route("/health/ready", self._ready, methods=["GET"]),
        ]

    async def _live(self, _request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def _ready(self, _request: Request) -> Response:
        missing = await self._missing()
        if missing is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not_ready", "missing": missing}, status_code=503)

    async def _missing(self) -> str | None:
        try:
            rows = await self.database.call(MIGRATED_TO)
            # A newer schema serves older code too: migrations come first in a rolling deployment.
            if not rows or rows[0][0] < self.expected_revision:
                return "migrations"
            reasons = await self.database.call(RESTORE_UNFINISHED, [self.ledger_id])
        except psycopg.errors.UndefinedTable:
            return "migrations"
        except (Overloaded, OutcomeUnknown, psycopg.Error):
            return "database" if self.database.refusal() is None else "after_restore"
        return "after_restore" if reasons and reasons[0][0] is not None else None
