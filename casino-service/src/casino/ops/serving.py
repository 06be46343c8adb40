"""Serves health and metrics."""

from __future__ import annotations

from functools import partial

from casino.ops.health import find_missing, why_missing
from casino.ops.metrics import Metrics
from casino.settings import Settings
from casino.sql.schema import SCHEMA
from shared_service.http.routing import Route
from shared_service.metrics.scrape import Scrape
from shared_service.postgres.database import Database
from shared_service.run.health import Readiness
from shared_service.run.loops import BackgroundLoop


def readiness_of(settings: Settings, database: Database) -> Readiness:
    """Builds readiness. `database` is a pool that no request uses."""
    return Readiness(
        partial(find_missing, database, SCHEMA.newest_revision(), settings),
        demo=settings.demo,
        explain=partial(why_missing, database, settings),
    )


def routes(readiness: Readiness, metrics: Metrics) -> list[Route]:
    """/health/live, /health/ready and /metrics."""
    return [*readiness.routes(), *Scrape(metrics.page).routes()]


def loops(readiness: Readiness, metrics: Metrics) -> list[BackgroundLoop]:
    """The loops of readiness and metrics."""
    return [*readiness.loops(), *metrics.loops()]
