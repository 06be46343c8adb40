"""The service's settings in tests: demo secrets, a small pool, the tenant's ledger."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from casino.settings import (
    DEMO_ACCESS_TOKEN_SECRET,
    DEMO_CASINO_SECRET,
    DEMO_PEPPER,
    DEMO_PROVIDER_SECRET,
    Settings,
)
from casino_testing.tenant import Tenant
from local_stack.testing import service_url
from shared_signing.keys import parse_keys

PROVIDER_URL: Final = "http://provider.test"


def login_url(url: str, *, role: str = "app") -> str:
    """The URL with which the service serves the database of a superuser's URL. `role` may be `oversight`."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=_login_at(parts.netloc, role)))


@cache
def _login_at(superuser: str, role: str) -> str:
    return urlsplit(service_url(f"postgresql://{superuser}/postgres", "casino", role=role)).netloc


def settings_of(tenant: Tenant, **changes: Any) -> Settings:
    """Settings of a service that serves this tenant."""
    chosen: dict[str, Any] = {
        "database_url": login_url(tenant.url),
        "provider_url": PROVIDER_URL,
        "demo": True,
        "casino_keys": tuple(parse_keys(DEMO_CASINO_SECRET, None)),
        "provider_keys": tuple(parse_keys(DEMO_PROVIDER_SECRET, None)),
        "access_token_keys": tuple(parse_keys(DEMO_ACCESS_TOKEN_SECRET, None)),
        "pepper": DEMO_PEPPER.encode(),
        "oversight_database_url": login_url(tenant.url, role="oversight"),
        "tenant_id": tenant.tenant_id,
        "ledger_id": tenant.ledger_id,
        "pool_size_max": 1,
        # Patience for a machine with other work: whoever tests a time-out says so.
        "pool_wait_seconds": 30.0,
        "statement_timeout_ms": 30_000,
        "lock_timeout_ms": 20_000,
        "request_budget_seconds": 60.0,
        "client_burst_calls": 1_000_000,  # a test launches as it likes; those of the limit say so
        **changes,
    }
    return Settings(**chosen)
