"""GET /health/live, /health/ready and /health/wallet.

Owns what "ready" means: the database answers and has the schema that this package needs. The wallet is not part of it:
a provider whose wallet is away still has work to finish. What is known of the wallet has an address of its own.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from provider.db import DATABASE_AWAY, Pool
from provider.wallet_client.health import HealthReport, Status
from provider.wire import json_answer


def health_routes(pool: Pool, *, expected_version: str, wallet: Callable[[], HealthReport]) -> list[Route]:
    """The three addresses."""

    async def get_live(_: Request) -> Response:
        return json_answer({"status": "live"})

    async def get_ready(_: Request) -> Response:
        missing = await _missing(pool, expected_version)
        answer = json_answer({"status": "not ready" if missing else "ready", "missing": missing})
        answer.status_code = 503 if missing else 200
        return answer

    async def get_wallet(_: Request) -> Response:
        report = wallet()
        since = datetime.fromtimestamp(report.since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        rate = round(report.error_rate, 4)
        answer = json_answer({"status": report.status, "since": since, "errorRate": rate, "calls": report.calls})
        answer.status_code = 503 if report.status is Status.DOWN else 200
        return answer

    return [
        Route("/health/live", get_live, methods=["GET"]),
        Route("/health/ready", get_ready, methods=["GET"]),
        Route("/health/wallet", get_wallet, methods=["GET"]),
    ]


async def _missing(pool: Pool, expected_version: str) -> list[str]:
    try:
        async with pool.connection() as connection:
            row = await (await connection.execute("select version_num from provider.alembic_version")).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.InsufficientPrivilege):
        return ["migrations"]
    except DATABASE_AWAY:
        return ["database"]
    # A newer schema serves older code too: migrations come first in a rolling deployment.
    return [] if row is not None and row[0] >= expected_version else ["migrations"]
