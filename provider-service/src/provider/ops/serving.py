"""Serves health and metrics, and deletes old nonces.

Readiness does not depend on the wallet: without it the provider still has work to finish.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import psycopg
from starlette.requests import Request
from starlette.responses import Response

from provider.ops.nonces import CLOCK_OFF_MAX_SECONDS, PostgresNonceStore
from provider.settings import Settings
from provider.sql.schema import SCHEMA
from provider.wallet_client.health import STEP_SECONDS, HealthReport, Status
from provider.wallet_client.wallets import Wallets
from provider.wire import json_answer
from shared_service.http.routing import ANY_QUERY, OPS, Route, route
from shared_service.metrics.scrape import Scrape
from shared_service.postgres.database import DATABASE_DOWN, Database
from shared_service.run import health
from shared_service.run.loops import BackgroundLoop

_LOOK: Final = "select version_num, extract(epoch from provider.clock())::float8 from provider.alembic_version"


def readiness_of(settings: Settings, pool: Database) -> health.Readiness:
    """Build the readiness check. `pool`: its own, which no request uses."""
    return health.Readiness(partial(find_missing, pool, SCHEMA.newest_revision()), demo=settings.demo)


def routes(
    readiness: health.Readiness, wallets: Callable[[], Mapping[str, HealthReport]], scrape: Scrape
) -> list[Route]:
    """/health/live, /health/ready, /health/wallet and /metrics."""

    async def get_wallet(_: Request) -> Response:
        reports = wallets()
        status, since = worst_of(list(reports.values()))
        answer = json_answer(
            {
                "status": status,
                "since": _moment(since),
                "casinos": {
                    code: {
                        "status": report.status,
                        "since": _moment(report.since),
                        "errorRate": round(report.error_rate, 4),
                        "calls": report.calls,
                    }
                    for code, report in reports.items()
                },
            }
        )
        all_down = bool(reports) and all(report.status is Status.DOWN for report in reports.values())
        answer.status_code = 503 if all_down else 200
        return answer

    return [
        *readiness.routes(),
        route("GET", "/health/wallet", get_wallet, access=OPS, query=ANY_QUERY),
        *scrape.routes(),
    ]


def worst_of(reports: Sequence[HealthReport]) -> tuple[Status, float | None]:
    """The worst state, and since when one of the wallets has it. Without a wallet: healthy, and no time."""
    worst = max((report.status for report in reports), key=list(Status).index, default=Status.HEALTHY)
    return worst, min((report.since for report in reports if report.status is worst), default=None)


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def loops(
    settings: Settings, readiness: health.Readiness, nonces: PostgresNonceStore, wallets: Wallets
) -> list[BackgroundLoop]:
    """The loops that check readiness, probe the wallets and delete old nonces."""
    return [
        *readiness.loops(),
        BackgroundLoop("prune_nonces", nonces.prune, interval_seconds=settings.prune_interval_seconds),
        BackgroundLoop("wallet_health", wallets.step, interval_seconds=STEP_SECONDS),
    ]


async def find_missing(pool: Database, expected_version: str) -> str | None:
    """What keeps the service from being ready: `database`, `migrations` or `clock`; None when it is ready."""
    try:
        async with pool.connection() as connection:
            row = await (await connection.execute(_LOOK)).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.InsufficientPrivilege):
        return "migrations"
    except DATABASE_DOWN:
        return "database"
    # A newer schema is fine: a rolling deployment migrates first.
    if row is None or row[0] < expected_version:
        return "migrations"
    # With a larger difference every nonce claim fails: see CLOCK_OFF_MAX_SECONDS.
    return None if abs(time.time() - row[1]) <= CLOCK_OFF_MAX_SECONDS else "clock"
