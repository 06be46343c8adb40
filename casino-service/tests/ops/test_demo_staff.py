"""`casino seed-demo` in demo mode makes staff with a published password and a funded agent; outside it makes none."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from casino.__main__ import main
from casino.ops.demo_staff import AGENT, FLOAT_MINOR, PASSWORD, STAFF
from casino_testing.api import api_of
from casino_testing.staff import log_in
from casino_testing.tenant import Tenant


def seed(url: str, *, demo: str) -> None:
    environment = {"CASINO_OWNER_DATABASE_URL": url, "CASINO_DEMO": demo}
    done = CliRunner().invoke(main, ["seed-demo"], env=environment)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("times", [1, 2])
async def test_each_of_them_logs_in_and_the_cashier_sells(own_database: str, times: int) -> None:
    for _ in range(times):
        seed(own_database, demo="1")
    demo = Tenant.demo(own_database)
    async with api_of(demo) as api:
        tokens = {}
        for name, role, tenant_id in STAFF:
            answer = await log_in(api, name, PASSWORD)
            assert answer.status_code == 200, answer.text
            assert (answer.json()["staff"]["role"], answer.json()["staff"]["tenantId"]) == (role, tenant_id)
            tokens[name] = answer.json()["token"]
        path = f"/voucher/agents/{AGENT[0]}/vouchers"
        issued = await api.post(path, {"amountMinor": 1_000}, token=tokens["cashier"])
        assert issued.status_code == 201, issued.text
        cost = issued.json()["voucher"]["totalCostMinor"]
        seen = await api.get(f"/admin/tenants/{AGENT[0]}", token=tokens["owner"])
        assert seen.json()["tenant"]["balanceMinor"] == FLOAT_MINOR - cost
    assert demo.differences() == []
    demo.close()


def test_outside_demo_mode_nobody_is_made(own_database: str) -> None:
    seed(own_database, demo="0")
    demo = Tenant.demo(own_database)
    assert (demo.rows("staff"), len(demo.rows_of_tenant("tenants"))) == ([], 1)
    demo.close()
