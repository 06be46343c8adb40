"""The loop that sends, against real servers: all arrives, signed and in order; one that hangs delays no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from casino.sql.schema import database_for
from casino.webhooks import signing
from casino.webhooks.deliveries import (
    IN_FLIGHT_AFTER_FAILURE,
    IN_FLIGHT_FAILING_MAX,
    IN_FLIGHT_MAX,
    IN_FLIGHT_OF_ONE,
    Dispatcher,
)
from casino.webhooks.sender import RESOLVERS_MAX, Sender
from casino_testing.receiver import answer, receiving
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.webhooks import deliveries, end, listen
from shared_service.run.loops import BackgroundLoop, running
from shared_service_testing.waiting import until

TELL = "select casino.tell(%s, %s, 'player.closed', %s, null, '{\"amountMinor\": 5}')"


def tell(tenant: Tenant, *players: str | None) -> None:
    for player_id in players:
        tenant.sql(TELL, tenant.ledger_id, tenant.tenant_id, player_id)


@asynccontextmanager
async def dispatcher_of(tenant: Tenant) -> AsyncIterator[tuple[Dispatcher, Counter[str]]]:
    """What a process has: its loop is not running."""
    settings, counted = settings_of(tenant), Counter[str]()
    async with database_for(settings, size_max=1) as database:
        sender = Sender(demo=True)
        one = Dispatcher(database, settings, sender, lambda name: counted.update([name]))
        try:
            yield one, counted
        finally:
            await one.close()


def loop_of(one: Dispatcher) -> BackgroundLoop:
    return BackgroundLoop("webhooks", one.step, interval_seconds=0.05, nudged=one.wake)


def make_due(tenant: Tenant) -> None:
    """Let no try wait any more."""
    tenant.sql(
        "update casino.webhook_deliveries set next_at = now() - interval '1 day' where ledger_id = %s and not in_flight"
        " and status = 'PENDING'",
        tenant.ledger_id,
    )


async def test_everything_arrives_signed_and_in_order(tenant: Tenant) -> None:
    async with receiving() as receiver, dispatcher_of(tenant) as (one, counted):
        webhook = listen(tenant, "player.closed", url=receiver.url)
        tell(tenant, *["a", "b", None] * 10)
        async with running([loop_of(one)]):
            await until(lambda: len(receiver.messages) == 30, "every message")
            await until(lambda: counted["delivered"] == 30, "every outcome is noted")
    secret = signing.secret_of(one.settings.pepper, str(webhook))
    rows = deliveries(tenant)
    expected = {str(row["event_id"]): row["data"] for row in rows}
    assert {each.id: each.verify(secret)["data"] for each in receiver.messages} == expected
    for player_id in ("a", "b"):
        told = [str(row["event_id"]) for row in rows if row["player_id"] == player_id]
        assert [each.id for each in receiver.messages if each.content["data"].get("playerId") == player_id] == told


async def test_a_failure_is_repeated_with_the_same_id_and_body(tenant: Tenant) -> None:
    async with receiving() as receiver, dispatcher_of(tenant) as (one, counted):
        listen(tenant, "player.closed", url=receiver.url)
        receiver.answers += [answer(503, b"later"), b"", answer(302, b"", "location: http://127.0.0.1:1/")]
        tell(tenant, "a")
        for attempt in range(1, 5):
            make_due(tenant)
            assert await one.step()
            await until(lambda: not one._in_flight, "the outcome")
            assert sum(counted.values()) == attempt
    assert counted == {"pending": 3, "delivered": 1}
    assert len({(each.id, each.body) for each in receiver.messages}) == 1
    (row,) = tenant.rows("webhook_deliveries")
    assert (row["status"], row["attempt"], row["response_status"], row["error"]) == ("DELIVERED", 4, 204, None)


async def test_what_was_answered_is_kept_for_whoever_looks(tenant: Tenant) -> None:
    async with receiving() as receiver, dispatcher_of(tenant) as (one, counted):
        listen(tenant, "player.closed", url=receiver.url)
        receiver.answers.append(answer(500, b"no\0"))
        tell(tenant, "a")
        await one.step()
        await until(lambda: counted["pending"] == 1, "the outcome")
    (row,) = tenant.rows("webhook_deliveries")
    assert (row["response_status"], row["response_body"], row["in_flight"]) == (500, "no�", False)
    assert row["duration_ms"] >= 0


async def test_a_wait_that_a_receiver_asks_for_is_kept(tenant: Tenant) -> None:
    async with receiving() as receiver, dispatcher_of(tenant) as (one, counted):
        listen(tenant, "player.closed", url=receiver.url)
        receiver.answers.append(answer(429, b"", "retry-after: 20"))
        tell(tenant, "a")
        await one.step()
        await until(lambda: counted["pending"] == 1, "the outcome")
    (row,) = tenant.rows("webhook_deliveries")
    assert (row["next_at"] - row["sent_at"]).total_seconds() >= 20


async def test_one_that_hangs_delays_no_other_and_has_few_in_flight(tenant: Tenant) -> None:
    async with receiving() as hanging, receiving() as good, dispatcher_of(tenant) as (one, counted):
        hanging.hang = asyncio.Event()
        listen(tenant, "player.closed", url=hanging.url)
        listen(tenant, "player.closed", url=good.url)
        players = [f"p{number}" for number in range(40)]
        async with running([loop_of(one)]):
            tell(tenant, *players)
            await until(lambda: len(good.messages) == 40, "all of the good one while the other hangs")
            assert len(hanging.messages) <= IN_FLIGHT_OF_ONE
            assert counted["delivered"] == 40 or await until(lambda: counted["delivered"] == 40)
            hanging.hang.set()
            await until(lambda: counted["delivered"] == 80, "the rest once it answers again")


async def test_however_many_hang_they_leave_room_for_the_others(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("casino.webhooks.deliveries.IN_FLIGHT_MAX", 8)
    monkeypatch.setattr("casino.webhooks.deliveries.IN_FLIGHT_FAILING_MAX", 4, raising=False)
    async with receiving() as hanging, receiving() as good, dispatcher_of(tenant) as (one, _):
        hanging.hang = asyncio.Event()
        for below in [tenant.add_tenant_below(f"below{number}") for number in range(12)]:
            one._failing.add(listen(tenant, "player.closed", of=below, url=hanging.url))
            tenant.sql(TELL, tenant.ledger_id, below, "a")
        async with running([loop_of(one)]):
            await until(lambda: len(hanging.messages) >= 4, "as many hang as may")
            listen(tenant, "player.closed", url=good.url)
            tell(tenant, *"abcdefgh")
            await until(lambda: len(good.messages) == 8, "all of the good one while many others hang")
            assert len(hanging.messages) == 4
            hanging.hang.set()


def test_names_that_hang_leave_threads_for_other_names() -> None:
    assert 2 * IN_FLIGHT_FAILING_MAX < RESOLVERS_MAX


async def test_tenants_whose_webhooks_hang_delay_no_other_tenant(tenant: Tenant) -> None:
    async with receiving() as hanging, receiving() as good, dispatcher_of(tenant) as (one, counted):
        hanging.hang = asyncio.Event()
        below = {name: tenant.add_tenant_below(name) for name in ("first", "second", "third")}
        for each in (below["first"], below["second"]):
            for _ in range(20):
                listen(tenant, "player.closed", of=each, url=hanging.url)
            for number in range(IN_FLIGHT_OF_ONE):
                tenant.sql(TELL, tenant.ledger_id, each, f"p{number}")
        while await one.step():
            pass
        held = sum(map(len, one._in_flight.values()))
        await until(lambda: len(hanging.messages) == held, "all that may be sent hangs")
        assert held <= IN_FLIGHT_MAX // 2
        listen(tenant, "player.closed", of=below["third"], url=good.url)
        tenant.sql(TELL, tenant.ledger_id, below["third"], "p")
        assert await one.step()
        await until(lambda: counted["delivered"] == 1, "the third tenant's, while the others hang")
        assert len(hanging.messages) == held


async def test_what_is_sent_to_a_webhook_is_broken_off_when_it_is_deleted(tenant: Tenant) -> None:
    async with receiving() as hanging, dispatcher_of(tenant) as (one, counted):
        hanging.hang = asyncio.Event()
        deleted, kept = [listen(tenant, "player.closed", url=hanging.url) for _ in range(2)]
        tell(tenant, "a", "b")
        await one.step()
        await until(lambda: len(hanging.messages) == 4, "all of them hang")
        end(tenant, deleted)
        await one.break_off()
        await until(lambda: set(one._in_flight) == {kept}, "those of the deleted one are broken off")
        assert one._held(one._in_flight) == {tenant.tenant_id: 2}
        hanging.hang.set()
        await until(lambda: counted == {"delivered": 2}, "those of the other one go on")
        await one.break_off()


async def test_after_a_failure_one_at_a_time_is_tried(tenant: Tenant) -> None:
    async with receiving() as receiver, dispatcher_of(tenant) as (one, counted):
        listen(tenant, "player.closed", url=receiver.url)
        receiver.answers.append(answer(500))
        tell(tenant, "first")
        await one.step()
        await until(lambda: not one._in_flight, "the failure")
        receiver.hang = asyncio.Event()
        tell(tenant, *"abcdefgh")
        await one.step()
        await one.step()
        assert sum(map(len, one._in_flight.values())) == IN_FLIGHT_AFTER_FAILURE
        receiver.hang.set()
        await until(lambda: not one._in_flight, "it answers again")
        await one.step()
        await until(lambda: counted["delivered"] == 8, "all at once again")


async def test_a_process_that_stops_leaves_what_hangs_to_others(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("casino.webhooks.deliveries.CLOSE_SECONDS", 0.1)
    async with receiving() as receiver:
        receiver.hang = asyncio.Event()
        async with dispatcher_of(tenant) as (one, _):
            listen(tenant, "player.closed", url=receiver.url)
            tell(tenant, "a")
            await one.step()
            await until(lambda: receiver.messages, "it is sent")
        receiver.hang = None
        tenant.sql(
            "update casino.webhook_deliveries set next_at = now() where ledger_id = %s", tenant.ledger_id
        )  # its lease ends
        async with dispatcher_of(tenant) as (other, counted):
            await other.step()
            await until(lambda: counted["delivered"] == 1, "it is sent again")
    assert len({each.id for each in receiver.messages}) == 1


async def test_a_url_that_the_rules_of_today_refuse_is_never_called(tenant: Tenant) -> None:
    async with dispatcher_of(tenant) as (one, counted):
        for url in ("https://10.0.0.1/", "https://u:p@good.example/", "file:///etc/passwd", "http://hooks.example/"):
            webhook = listen(tenant, "player.closed", url=url)
            tell(tenant, None)
            await one.step()
            await until(lambda: not one._in_flight, "the outcome")
            end(tenant, webhook)
    rows: list[dict[str, Any]] = tenant.rows("webhook_deliveries")
    assert {row["error"] for row in rows} == {"ADDRESS_REFUSED"}
    assert counted == {"pending": 4}
