"""Bounds how many transactions of one tenant's staff run at once, so that one tenant cannot hold all connections.

Whoever is above the bound waits without a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from casino.api.errors import Refused

AT_ONCE_MAX: Final = 2
"""Of the six connections of the platform."""
WAITING_MAX: Final = 32


@dataclass(slots=True)
class _Tenant:
    passes: asyncio.Semaphore
    inside: int = 0
    """Those that run or wait."""


@dataclass(slots=True)
class Turnstile:
    """One process's bound for each tenant."""

    wait_seconds: float
    _tenants: dict[str, _Tenant] = field(default_factory=dict)

    @asynccontextmanager
    async def of(self, tenant_id: str) -> AsyncIterator[None]:
        """Run as one of the tenant's few. Raises Refused(OVERLOADED) when too many wait, or for too long."""
        tenant = self._tenants.setdefault(tenant_id, _Tenant(asyncio.Semaphore(AT_ONCE_MAX)))
        if tenant.inside >= AT_ONCE_MAX + WAITING_MAX:
            raise Refused("OVERLOADED")
        tenant.inside += 1
        try:
            await self._enter(tenant)
            try:
                yield
            finally:
                tenant.passes.release()
        finally:
            tenant.inside -= 1
            if not tenant.inside:
                del self._tenants[tenant_id]

    async def _enter(self, tenant: _Tenant) -> None:
        try:
            async with asyncio.timeout(self.wait_seconds):
                await tenant.passes.acquire()
        except TimeoutError:
            raise Refused("OVERLOADED") from None
