"""Events of type ERROR: written behind the requests, once each, bounded, and never in their way."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from casino.events.error_events import BATCH_MAX, QUEUE_MAX, ErrorEvents
from casino_testing.edge import Service, bet
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from shared_service.postgres.database import OutcomeUnknown, Overloaded
from shared_service_testing.waiting import until


def errors_of(tenant: Tenant) -> list[dict[str, Any]]:
    return [row for row in tenant.rows("ledger_events") if row["event_type"] == "ERROR"]


async def told(tenant: Tenant, count: int = 1) -> list[dict[str, Any]]:
    """The errors, when there are so many."""
    await until(lambda: len(errors_of(tenant)) >= count)
    return errors_of(tenant)


async def test_a_5xx_of_the_wire_is_told_with_code_and_route(service: Service) -> None:
    service.provider.status = 500
    answer = await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})
    assert answer.status_code == 502
    (error,) = await told(service.tenant)
    assert (error["code"], error["route"]) == (answer.json()["code"], "/casino/launchGame")
    assert (error["tenant_id"], error["player_id"]) == (service.tenant.tenant_id, None)
    assert not error["imported"]


async def test_a_refused_bet_that_nobody_remembers_is_told_with_its_id(service: Service) -> None:
    token = await service.launch()
    answer = await service.post("debit", bet(token, amount=999, transactionId="t", roundId="r"))
    assert answer.json()["code"] == "stake_too_low"
    (error,) = await told(service.tenant)
    assert (error["action_id"], error["code"], error["route"]) == ("main:1:t", answer.json()["code"], "/casino/debit")
    names = ("player_id", "round_id", "game_key", "provider_id")
    assert [error[name] for name in names] == ["1", "r", "SLOTS_001", "main"]
    assert error["session_id"] is not None
    assert error["amount_minor"] == 999


async def test_a_refused_bet_that_the_ledger_remembers_is_told_once(service: Service) -> None:
    token = await service.launch("1")
    service.tenant.set_wallet("1", blocked_at="2026-01-01")
    assert (await service.post("debit", bet(token, transactionId="t"))).status_code == 403
    assert (await service.post("debit", bet(token, transactionId="t"))).status_code == 403
    service.provider.status = 500
    assert (await service.anybody.post("/casino/launchGame", json={"userId": "2", "gameId": "1"})).status_code == 502
    errors = await told(service.tenant, 2)
    assert [(row["action_id"], row["code"], row["route"]) for row in errors if row["player_id"]] == [
        ("main:1:t", "wallet_blocked", "/casino/debit")
    ]


class Caller:
    """A database whose calls end as the test says."""

    def __init__(self, wallet: Wallet) -> None:
        self._database = wallet.database
        self.ends: list[type[Exception] | None] = []

    async def call(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        end = self.ends.pop(0) if self.ends and "tell_errors" in statement else None
        if end is Overloaded:
            raise Overloaded
        rows = await self._database.call(statement, parameters)
        if end is not None:
            raise end
        return rows


@pytest.fixture
def caller(wallet: Wallet) -> Caller:
    return Caller(wallet)


def queue_of(caller: Caller, tenant: Tenant, lost: list[int]) -> ErrorEvents:
    return ErrorEvents(caller, settings_of(tenant), lost.append)  # type: ignore[arg-type]


def test_a_full_queue_drops_counts_and_goes_on(wallet: Wallet, caller: Caller, tenant: Tenant) -> None:
    lost: list[int] = []
    errors = queue_of(caller, tenant, lost)
    observe = errors.observing(lambda *_: None)
    for _ in range(QUEUE_MAX + 3):
        observe("/casino/debit", "internal", 0.0, "")
        observe("/casino/debit", "ok", 0.0, "")
        observe("/casino/debit", "unknown_key", 0.0, "")
    assert lost == [1, 1, 1]
    for _ in range(QUEUE_MAX // BATCH_MAX):
        wallet.wait(errors.write_some())
    assert len(errors_of(tenant)) == QUEUE_MAX


@pytest.mark.parametrize("end", [Overloaded, OutcomeUnknown])
def test_a_batch_that_may_have_been_written_is_told_once(
    wallet: Wallet, caller: Caller, tenant: Tenant, end: type[Exception]
) -> None:
    errors = queue_of(caller, tenant, [])
    observe = errors.observing(lambda *_: None)
    observe("/api/v1/staff/login", "INTERNAL", 0.0)
    caller.ends = [end, None]
    wallet.wait(errors.write_some())
    observe("/casino/debit", "internal", 0.0)
    for _ in range(3):
        wallet.wait(errors.write_some())
    assert sorted(row["route"] for row in errors_of(tenant)) == ["/api/v1/staff/login", "/casino/debit"]


def test_a_batch_that_the_database_refuses_is_counted_and_the_next_one_written(
    wallet: Wallet, caller: Caller, tenant: Tenant
) -> None:
    lost: list[int] = []
    errors = queue_of(caller, tenant, lost)
    observe = errors.observing(lambda *_: None)
    observe("/casino/debit", "internal", 0.0)
    caller.ends = [psycopg.errors.QueryCanceled]
    with pytest.raises(psycopg.errors.QueryCanceled):
        wallet.wait(errors.write_some())
    assert lost == [1]
    observe("/casino/credit", "internal", 0.0)
    wallet.wait(errors.write_some())
    assert "/casino/credit" in {row["route"] for row in errors_of(tenant)}


def test_an_error_was_when_it_was_noted_and_never_in_the_future(wallet: Wallet, tenant: Tenant) -> None:
    tell = "select casino.tell_errors(%s, %s, casino.clock() + interval '1 day', %s::jsonb)"
    for age in (-50, 0, 1_000_000):
        entry = f'[{{"id": "{age}", "age": {age}, "code": "internal", "route": "/x"}}]'
        wallet.wait(wallet.database.call(tell, (tenant.ledger_id, tenant.tenant_id, entry)))
    ages = tenant.sql(
        "select action_id, at <= now() as past, at > now() - interval '61 minutes' as fresh"
        " from casino.ledger_events where ledger_id = %s and event_type = 'ERROR'", tenant.ledger_id,
    )  # fmt: skip
    assert {(row["past"], row["fresh"]) for row in ages} == {(True, True)}
    assert len(ages) == 3
