"""What the provider needs to do its work, and GET /health/wallet.

The wallet is not part of readiness: a provider whose wallet is away still has work to finish.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from starlette.requests import Request
from starlette.responses import Response

from provider.db import DATABASE_AWAY, Pool
from provider.wallet_client.health import HealthReport, Status
from provider.wire import json_answer
from shared_service.routing import OPS, Route, route


def wallet_health_routes(wallet: Callable[[], HealthReport]) -> list[Route]:
    """GET /health/wallet, on the operations listener."""

    async def get_wallet(_: Request) -> Response:
        report = wallet()
        since = datetime.fromtimestamp(report.since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        rate = round(report.error_rate, 4)
        answer = json_answer({"status": report.status, "since": since, "errorRate": rate, "calls": report.calls})
        answer.status_code = 503 if report.status is Status.DOWN else 200
        return answer

    return [route("GET", "/health/wallet", get_wallet, access=OPS)]


async def find_missing(pool: Pool, expected_version: str) -> str | None:
    """`database` or `migrations`; None when nothing is missing."""
    try:
        async with pool.connection() as connection:
            row = await (await connection.execute("select version_num from provider.alembic_version")).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.InsufficientPrivilege):
        return "migrations"
    except DATABASE_AWAY:
        return "database"
    # A newer schema serves older code too: migrations come first in a rolling deployment.
    return None if row is not None and row[0] >= expected_version else "migrations"
