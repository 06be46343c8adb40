"""Metrics of the books: no old values when they cannot be read, and no negative age."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg

from provider.ops import backlog
from provider.ops.backlog import BacklogReader
from provider.sql.schema import database_for
from provider_testing.fake_wallet import FakeWallet
from provider_testing.scraping import scrape
from provider_testing.service import serving, settings_for


async def test_a_run_that_ends_in_the_future_is_none(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: Any
) -> None:
    """Red before: its age stayed 0, so that nobody was called when nothing was reconciled any more."""
    monkeypatch.setattr(backlog, "FRESH_SECONDS", 0.0)
    schedule = (
        "insert into provider.casinos (casino_code, known_since) values ('JAQPOT', now() + %s::interval)"
        " on conflict (casino_code) do update set known_since = excluded.known_since"
    )
    ended = (
        "insert into provider.reconciliation_runs"
        " (casino_code, ran_by, heals, started_at, lease_until, found, healed, ended_at, exit_status)"
        " values ('JAQPOT', 'test', false, now(), now(), %s, 0, now() + %s::interval, 1)"
    )

    async with serving(database_url, wallet) as provider:
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute("update provider.reconciliation_schedule set installed_at = 'infinity'")
            connection.execute(ended, (7, "1 year"))
            connection.execute(schedule, ("-3 hours",))
            installed = await scrape(provider.client)
            assert 10_800 <= installed.value("provider_reconciliation_age_seconds") < 10_900
            assert installed.value("provider_reconciliation_differences") == 0
            connection.execute(schedule, ("1 year",))
            assert (await scrape(provider.client)).value("provider_reconciliation_age_seconds") > 1e9
            connection.execute(schedule, ("-3 hours",))
            connection.execute(ended, (4, "-1 hour"))
            connection.execute(ended, (9, "infinity"))
            seen = await scrape(provider.client)
        assert 3600 <= seen.value("provider_reconciliation_age_seconds") < 3700
        assert seen.value("provider_reconciliation_differences") == 4


async def test_books_that_cannot_be_read_show_no_old_numbers_and_are_a_warning(
    database_url: str, owner_url: str, monkeypatch: Any, logged: Callable[[], str]
) -> None:
    monkeypatch.setattr(backlog, "FRESH_SECONDS", 0.0)

    async with database_for(settings_for(database_url, "http://unused")) as pool:
        reader = BacklogReader(pool, list)
        await reader.refresh()
        assert reader.backlog is not None
        assert reader.reconciled is not None
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute("alter table provider.wallet_transactions rename to hidden")
        await reader.refresh()
        assert (reader.backlog, reader.reconciled) == (None, None)
    (told,) = [json.loads(line) for line in logged().splitlines() if "backlog_not_read" in line]
    assert (told["level"], told["error_type"]) == ("warning", "UndefinedTable")
