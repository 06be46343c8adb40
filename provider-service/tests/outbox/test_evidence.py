"""Log events of the outbox: abandoned work taken over, failed deliveries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from provider_testing.abandoned_rounds import plant_abandoned_rounds
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.service import rows, serving, settled
from shared_service_testing.waiting import until
from shared_signing.keys import Key

Logged = Callable[[], str]
ROLLBACKS = "select transaction_id::text as id from provider.wallet_transactions where kind = 'rollback'"


def events(logged: Logged, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged().splitlines() if f'"{name}"' in line]


async def test_work_that_was_taken_over_is_counted(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Logged
) -> None:
    plant_abandoned_rounds(owner_url, 3)

    async with serving(database_url, wallet):
        await settled(owner_url)
    (told,) = events(logged, "abandoned_work_taken_over")
    assert (told["level"], told["bets"], told["rounds"]) == ("warning", 3, 3)
    accepted = events(logged, "rollback_accepted")
    found = rows(
        owner_url, "select transaction_id::text as id from provider.wallet_transactions where kind = 'rollback'"
    )
    assert {event["transaction_id"] for event in accepted} == {row["id"] for row in found}


async def test_a_delivery_that_fails_says_which_and_how(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Logged
) -> None:
    """The books refuse the outcome: the row comes back when its lease ends, and somebody should look."""
    plant_abandoned_rounds(owner_url, 1)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(
            "alter table provider.wallet_transactions add constraint spoilt check (balance_after_minor is null)"
        )

        async def run() -> None:
            async with serving(database_url, wallet):
                await until(lambda: events(logged, "delivery_failed"))

        await run()
    (rollback,) = rows(
        owner_url, "select transaction_id::text as id from provider.wallet_transactions where kind = 'rollback'"
    )
    told = events(logged, "delivery_failed")[0]
    assert (told["level"], told["transaction_id"], told["error_type"]) == ("error", rollback["id"], "CheckViolation")


async def test_a_secret_that_is_still_needed_is_missed_at_the_start(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Logged
) -> None:
    plant_abandoned_rounds(owner_url, 2)

    async with serving(database_url, wallet, casino_keys=(Key("main", b"another"),)):
        await until(lambda: events(logged, "token_seals_broken"))
    told = events(logged, "token_seals_broken")[0]
    assert (told["level"], told["sessions"], told["looked_at"]) == ("error", 2, 2)


@pytest.mark.parametrize("kind", ["debit", "rollback"])
async def test_an_answer_that_was_lost_is_a_warning_with_every_id(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Logged, kind: str
) -> None:
    async def lose(exchange: Exchange) -> None:
        exchange.execute()
        exchange.cut()

    wallet.plan(kind, lose)

    async with serving(database_url, wallet) as provider:
        await provider.client.post("/provider/simulate", json=await provider.launch())
        await settled(owner_url)
    told = events(logged, f"{kind}_outcome_unknown")[0]
    row = rows(
        owner_url, "select * from provider.wallet_transactions where transaction_id = %s", told["transaction_id"]
    )[0]
    assert told["level"] == "warning"
    assert told["code"] == "operator_unreachable"
    assert told["tries"] == 1
    assert [told[name] for name in ("round_id", "session_id", "request_id")] == [
        str(row["round_id"]), str(row["provider_session_id"]), row["request_id"],
    ]  # fmt: skip
