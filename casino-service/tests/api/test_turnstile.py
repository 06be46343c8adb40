"""One tenant's staff cannot hold all connections of the platform. Red before: twelve batches stopped every operator."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from casino.api.turnstile import AT_ONCE_MAX, WAITING_MAX, Turnstile
from casino_testing.api import Api, api_of, refused
from casino_testing.tenant import Tenant
from shared_service.http.errors import Refused
from shared_service_testing.waiting import until

CALLS = 8
WAITS_FOR_LOCK = """
    select count(*) as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and application_name = 'casino'
"""


async def test_a_tenant_waits_behind_its_own_work_and_others_are_served(tenant: Tenant) -> None:
    async with api_of(tenant) as api:
        busy, other = api.tree(), api.tree()
        for tree in (busy, other):
            fund(api, tree.operator_id)
        path = f"/admin/tenants/{busy.agent_id}/fund"
        body = {"amountMinor": 1, "reason": "because"}
        with psycopg.connect(tenant.url) as holder:
            holder.execute("select from casino.tenants where tenant_id = %s for update", [busy.agent_id])
            holder.execute(
                "select casino.hold_wallets(ledger_id, array_agg(wallet_id)) from casino.wallets"
                " where tenant_id = any (%s) group by ledger_id", [[busy.agent_id, busy.operator_id]],
            )  # fmt: skip
            calls = [asyncio.create_task(api.post(path, body, token=busy.operator.token)) for _ in range(CALLS)]
            await until(lambda: tenant.sql(WAITS_FOR_LOCK)[0]["waiting"] >= AT_ONCE_MAX)
            for _ in range(3):
                assert (await api.get("/staff/me", token=other.operator.token)).status_code == 200
                other_path = f"/admin/tenants/{other.agent_id}/fund"
                assert (await api.post(other_path, body, token=other.operator.token)).status_code == 200
            assert tenant.sql(WAITS_FOR_LOCK)[0]["waiting"] == AT_ONCE_MAX
            holder.rollback()
        assert [(await call).status_code for call in calls] == [200] * CALLS


async def test_above_the_bound_of_those_that_wait_a_call_is_refused() -> None:
    turnstile, go, entered = Turnstile(wait_seconds=60.0), asyncio.Event(), 0

    async def stay() -> None:
        nonlocal entered
        async with turnstile.of("busy"):
            entered += 1
            await go.wait()

    staying = [asyncio.create_task(stay()) for _ in range(AT_ONCE_MAX + WAITING_MAX)]
    await until(lambda: entered == AT_ONCE_MAX)
    with pytest.raises(Refused, match="OVERLOADED"):
        async with turnstile.of("busy"):
            pytest.fail("one too many")
    async with turnstile.of("other"):
        pass
    go.set()
    await asyncio.gather(*staying)
    assert entered == len(staying)
    assert turnstile._tenants == {}


async def test_who_waits_too_long_is_refused_and_takes_no_place() -> None:
    turnstile = Turnstile(wait_seconds=0.01)
    async with turnstile.of("busy"), turnstile.of("busy"):
        with pytest.raises(Refused, match="OVERLOADED"):
            async with turnstile.of("busy"):
                pytest.fail("there was no place")
    async with turnstile.of("busy"), turnstile.of("busy"):
        pass


async def test_a_lock_that_is_not_had_in_time_is_busy_only_for_a_copy(tenant: Tenant) -> None:
    async with api_of(tenant, lock_timeout_ms=50) as api:
        tree = api.tree()
        fund(api, tree.operator_id)
        path, body = f"/admin/tenants/{tree.agent_id}/fund", {"amountMinor": 1, "reason": "because"}
        with psycopg.connect(tenant.url) as holder:
            holder.execute(
                "select casino.hold_wallets(ledger_id, array_agg(wallet_id)) from casino.wallets"
                " where tenant_id = any (%s) group by ledger_id", [[tree.agent_id, tree.operator_id]],
            )  # fmt: skip
            refused(await api.post(path, body, token=tree.operator.token), 503, "OVERLOADED")
            key = {"idempotency-key": "one"}
            refused(await api.post(path, body, token=tree.operator.token, headers=key), 409, "BUSY")


def fund(api: Api, tenant_id: str) -> None:
    """Give a tenant's float some money."""
    found = api.tenant.sql(
        "select wallet_id from casino.wallets where tenant_id = %s and owner_kind = 'tenant'", tenant_id
    )
    api.tenant.sql(
        "select casino.move_house_money(%s, 'float_in', %s, 'for-a-test', 1000, 'a test', 'a-test')",
        api.tenant.ledger_id, found[0]["wallet_id"],
    )  # fmt: skip
