"""GET /health/live and /health/ready.

Owns what "ready" means: the database answers and has the schema that this package needs. The wallet is not part of it:
a provider whose wallet is away still has work to finish.
"""

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from provider.db import DATABASE_AWAY, Pool
from provider.wire import json_answer


def health_routes(pool: Pool, *, expected_version: str) -> list[Route]:
    """The two addresses."""

    async def get_live(_: Request) -> Response:
        return json_answer({"status": "live"})

    async def get_ready(_: Request) -> Response:
        missing = await _missing(pool, expected_version)
        answer = json_answer({"status": "not ready" if missing else "ready", "missing": missing})
        answer.status_code = 503 if missing else 200
        return answer

    return [Route("/health/live", get_live, methods=["GET"]), Route("/health/ready", get_ready, methods=["GET"])]


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
