"""Who is told, and that it is told with what happened: committed together, rolled back together."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from casino_testing.desk import Desk
from casino_testing.tenant import Tenant
from casino_testing.webhooks import MAKE, URL, deliveries, end, listen, listen_as_owner, told
from shared_service_testing.waiting import wait_until

TELL = "select casino.tell(%s, %s, 'player.closed', 'p', null, '{\"amountMinor\": 1}')"


def tell(tenant: Tenant, of: str | None = None) -> None:
    tenant.sql(TELL, tenant.ledger_id, of or tenant.tenant_id)


def asked(tenant: Tenant) -> dict[str, list[str]]:
    return {row["tenant_id"].removeprefix(tenant.tenant_id): row["told_events"] for row in tenant.rows("tenants")}


def test_where_no_webhook_asks_nothing_is_written(tenant: Tenant) -> None:
    listen(tenant, "limit.changed")
    tell(tenant)
    assert (tenant.rows("webhook_events"), tenant.rows("webhook_deliveries")) == ([], [])


def test_one_event_goes_to_each_webhook_of_the_tenant_above_and_of_owners(tenant: Tenant) -> None:
    below, beside = tenant.add_tenant_below("a"), tenant.add_tenant_below("b")
    expected = {
        listen(tenant, "player.closed", "limit.changed"), listen(tenant, "player.closed", of=below),
        listen_as_owner(tenant, "player.closed"),
    }  # fmt: skip
    listen(tenant, "player.closed", of=beside)
    listen(tenant, "limit.changed", of=below)
    tell(tenant, below)
    rows = deliveries(tenant)
    assert {row["webhook_id"] for row in rows} == expected
    assert len({row["event_id"] for row in rows}) == 1
    assert {row["tenant_id"] for row in rows} == {below}
    assert rows[0]["data"] == {"tenantId": below, "playerId": "p", "amountMinor": 1}


def test_what_a_tenant_is_told_follows_its_webhooks_and_its_place(tenant: Tenant) -> None:
    first, second = tenant.add_tenant_below("a"), tenant.add_tenant_below("b")
    below = tenant.add_tenant_below("c", parent=first)
    assert asked(tenant) == {"": [], "-a": [], "-b": [], "-c": []}
    of_first = listen(tenant, "player.closed", of=first)
    listen(tenant, "limit.changed", of=below)
    owners = listen_as_owner(tenant, "voucher.issued", "limit.changed")
    everywhere = ["limit.changed", "voucher.issued"]
    both = ["limit.changed", "player.closed", "voucher.issued"]
    assert asked(tenant) == {"": everywhere, "-a": both, "-b": everywhere, "-c": both}
    tenant.sql("update casino.tenants set parent_id = %s where tenant_id = %s", second, below)
    assert asked(tenant)["-c"] == everywhere
    tenant.sql("update casino.webhooks set ended_at = now() where webhook_id = %s", owners)
    assert asked(tenant) == {"": [], "-a": ["player.closed"], "-b": [], "-c": ["limit.changed"]}
    end(tenant, of_first)
    assert asked(tenant)["-a"] == []
    tenant.add_tenant_below("d", parent=below)
    assert asked(tenant)["-d"] == ["limit.changed"]


def test_a_webhook_that_has_ended_is_told_nothing(tenant: Tenant) -> None:
    webhook = listen(tenant, "player.closed")
    assert [row["webhook_id"] for row in end(tenant, webhook)] == [webhook]
    tell(tenant)
    assert (deliveries(tenant), end(tenant, webhook)) == ([], [])


def test_nobody_makes_or_ends_a_webhook_of_a_tenant_above_or_beside(tenant: Tenant) -> None:
    below, beside = tenant.add_tenant_below("a"), tenant.add_tenant_below("b")
    webhook = listen(tenant, "player.closed")
    assert end(tenant, webhook, of=below) == end(tenant, listen(tenant, "player.closed", of=beside), of=below) == []
    assert end(tenant, listen_as_owner(tenant, "player.closed")) == []
    with psycopg.connect(tenant.url) as connection:
        connection.execute("select casino.see_tenant(%s, %s)", [tenant.ledger_id, below])
        for other in (tenant.tenant_id, beside, None):
            row = connection.execute(
                "select o_code from casino.make_webhook(%s, %s, 'https://a.example', '{player.closed}', 's')",
                [tenant.ledger_id, other],
            ).fetchone()
            assert row == ("NOT_FOUND",)


def test_a_tenant_has_at_most_twenty_webhooks(tenant: Tenant) -> None:
    made = [listen(tenant, "player.closed") for _ in range(20)]
    values = {"ledger": tenant.ledger_id, "tenant": tenant.tenant_id, "url": URL, "events": ["player.closed"]}
    with psycopg.connect(tenant.url) as connection:
        row: Any = connection.execute(MAKE, values).fetchone()
        connection.rollback()
    assert row[0] == "TOO_MANY_WEBHOOKS"
    end(tenant, made[0])
    listen(tenant, "player.closed")


def test_two_that_make_webhooks_at_once_leave_both_heard(tenant: Tenant) -> None:
    below = tenant.add_tenant_below("a")
    values = {"ledger": tenant.ledger_id, "tenant": tenant.tenant_id, "url": URL, "events": ["player.closed"]}
    with psycopg.connect(tenant.url) as connection:
        connection.execute(MAKE, values)
        maker = threading.Thread(target=lambda: listen(tenant, "limit.changed", of=below))
        maker.start()
        waiting = "select count(*) = 1 as is from pg_locks where locktype = 'advisory' and not granted"
        own = Tenant(tenant.url, tenant_id=tenant.tenant_id, ledger_id=tenant.ledger_id)
        wait_until(lambda: own.sql(waiting)[0]["is"], "the second change waits for the first")
        own.close()
    maker.join()
    assert asked(tenant) == {"": ["player.closed"], "-a": ["limit.changed", "player.closed"]}


@pytest.mark.parametrize("commits", [True, False])
def test_what_happened_and_what_is_told_commit_together(tenant: Tenant, desk: Desk, *, commits: bool) -> None:
    listen(tenant, "player.excluded")

    class UndoneError(Exception):
        pass

    try:
        with desk.transaction():
            desk.rows("exclude_player", "1", "P7D", "why", "player", "1")
            if not commits:
                raise UndoneError
    except UndoneError:
        pass
    assert len(told(tenant)) == len(tenant.rows("player_exclusions")) == int(commits)


def test_each_limit_that_comes_into_force_is_told(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "limit.changed")
    desk.call("set_limit", "1", "loss", "day", 400, False, "player", "1")
    desk.call("set_limit", "1", "loss", "day", 500, False, "player", "1")
    desk.call("set_limit", "1", "loss", "day", 300, True, "staff", "s-1")
    first, second = told(tenant)
    assert first == (
        "limit.changed",
        {
            "tenantId": tenant.tenant_id, "playerId": "1", "limitId": first[1]["limitId"], "kind": "loss",
            "period": "day", "value": 400, "madeBy": "player",
        },
    )  # fmt: skip
    assert (second[1]["value"], second[1]["madeBy"]) == (300, "staff")


def test_an_exclusion_is_told_when_it_is_longer_than_the_one_before(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "player.excluded")
    for period in ("P7D", "P7D", "P1M", "P7D", "PERMANENT"):
        desk.call("exclude_player", "1", period, "why", "player", "1")
    untils = [data["until"] for _, data in told(tenant)]
    assert untils[-1] is None
    assert [until[-1] for until in untils[:-1]] == ["Z"] * len(untils[:-1])
    assert len(set(untils)) == len(untils) == 3
