"""`casino demo-data`: thirty days through the real functions, by a clock that is back afterwards, also after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from casino.ops.demo_data.run import BEGUN, NAME
from casino.ops.demo_data.world import DISTRIBUTOR, SECOND
from casino.ops.demo_staff import PASSWORD, seed_demo_staff
from casino.sql.schema import SCHEMA
from casino_testing.api import api_of
from casino_testing.service import login_url
from casino_testing.staff import log_in
from casino_testing.tenant import Tenant
from shared_service.postgres.migrate import migrate
from shared_service_testing.waiting import wait_until

IS_NIGHTLY: Final = os.environ.get("NIGHTLY") == "1"
BETS: Final = 200_000 if IS_NIGHTLY else 600
RUN_SECONDS: Final = 3_000 if IS_NIGHTLY else 240
CLOCK: Final = Path(SCHEMA.folder / "functions/wallet/clock.sql").read_text("utf-8")
OWN_CLOCK: Final = "select prosrc, pg_get_functiondef(oid) from pg_proc where oid = 'casino.clock()'::regprocedure"
PAID_BACK: Final = """
    select sum(amount_minor) filter (where event_type = 'WIN') / sum(amount_minor) filter (where event_type = 'BET')
    from casino.ledger_events
"""
EVERYTHING: Final = """
    BONUS_FORFEITED BONUS_GRANTED CASHOUT ERROR LIMIT_CHANGED ROLLBACK SAFETY_ACTION VOUCHER_EXPIRED VOUCHER_VOIDED
    WITHDRAW
"""
APPROVALS: Final = "select distinct status from casino.approvals"
FIGURES: Final = "select event_type, count(*), sum(amount_minor) from casino.ledger_events group by 1 order by 1"
HAS_BEGUN: Final = "select count(*) > 100 from casino.ledger_events"
IS_NOW: Final = "select abs(extract(epoch from casino.clock() - clock_timestamp())) < 1"
MINE: Final = f"""
    select count(*) from pg_stat_activity where datname = current_database() and application_name = '{NAME}'
"""
EVENTS: Final = "select event_type, count(*), min(at), max(at) from casino.ledger_events where at < %s group by 1"


def environment_of(url: str, **changes: str) -> dict[str, str]:
    return {
        "CASINO_DEMO": "1", "CASINO_OWNER_DATABASE_URL": url, "CASINO_DATABASE_URL": login_url(url),
        "CASINO_OVERSIGHT_DATABASE_URL": login_url(url, role="oversight"), "CASINO_SECRET": "casino-secret",
        "PROVIDER_SECRET": "provider-secret", **changes,
    }  # fmt: skip


def command(url: str, *, bets: int = BETS, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "casino", "demo-data", "--bets", str(bets)],
        env=environment_of(url, **changes), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(url: str, **changes: Any) -> tuple[int, str, str]:
    process = command(url, **changes)
    told, errors = process.communicate(timeout=RUN_SECONDS)
    return process.returncode, told, errors


def ask(url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode(), parameters).fetchall()


@pytest.fixture
def seeded(own_database: str) -> str:
    seed_demo_staff(own_database)
    return own_database


@pytest.fixture
def demo(seeded: str) -> Iterator[Tenant]:
    """The demo's ledger. At the end it must be whole."""
    tenant = Tenant.demo(seeded)
    yield tenant
    assert tenant.differences() == [], "the ledger's invariants are broken"
    tenant.close()


def is_own_clock(url: str) -> bool:
    (source, definition), *_ = ask(url, OWN_CLOCK)
    return "demo_now" not in f"{source}{definition}"


@pytest.mark.timeout(2 * RUN_SECONDS)
async def test_it_is_whole_and_believable_and_made_once(demo: Tenant) -> None:
    before = ask(demo.url, OWN_CLOCK)
    status, told, errors = run(demo.url)
    assert status == 0, errors
    assert "The demo data is there" in told
    assert ask(demo.url, OWN_CLOCK) == before
    assert not [line for line in migrate(SCHEMA, demo.url) if "applied" in line], "nothing is left to be put back"

    (now,) = ask(demo.url, "select clock_timestamp()")[0]
    events = {kind: (count, first, last) for kind, count, first, last in ask(demo.url, EVENTS, now)}
    bets, wins = events["BET"], events["WIN"]
    assert bets[0] >= wins[0] >= BETS
    assert {"LOGIN", "VOUCHER_ISSUED", "VOUCHER_REDEEMED", "DEPOSIT"} <= set(events)
    assert 20 <= (bets[2] - bets[1]).days <= 30
    assert ask(demo.url, "select from casino.ledger_events where at > %s", now) == []
    operators = ask(demo.url, "select tenant_id from casino.tenants where tenant_type = 'OPERATOR' order by 1")
    assert {(demo.tenant_id,), (SECOND[0],)} <= set(operators)
    (paid_back,) = ask(demo.url, PAID_BACK)[0]
    assert 0.5 < paid_back < 1.5
    assert ask(demo.url, "select from casino.game_sessions where open_bets > 0") == []
    assert ask(demo.url, "select count(*) > 0 from casino.safety_actions") == [(True,)]
    if IS_NIGHTLY:
        assert set(EVERYTHING.split()) <= set(events)
        actions = ask(demo.url, "select distinct action_type from casino.safety_actions order by 1")
        assert actions == [("COOLDOWN",), ("NUDGE",), ("STOP",)]
        assert sorted(ask(demo.url, APPROVALS)) == [("APPROVED",), ("REJECTED",)]

    figures = ask(demo.url, FIGURES)
    status, told, _ = run(demo.url)
    assert (status, "there already" in told) == (0, True)
    assert ask(demo.url, FIGURES) == figures

    async with api_of(demo) as api:
        for name in ("owner", "operator", "pacific", "seabreeze", "downtown-1"):
            answer = await log_in(api, name, PASSWORD)
            assert answer.status_code == 200, answer.text
        seen = await api.get(f"/admin/tenants/{DISTRIBUTOR[0]}", token=answer.json()["token"])
        assert seen.status_code == 404, "a cashier of another operator"


def test_after_a_kill_everybody_has_the_wall_clock_at_once_and_migrate_puts_the_function_back(demo: Tenant) -> None:
    process = command(demo.url, bets=200_000)
    try:
        wait_until(
            lambda: ask(demo.url, HAS_BEGUN) == [(True,)] or process.poll() is not None,
            lambda: "no events",
            seconds=RUN_SECONDS,
        )
        assert process.poll() is None, process.communicate()
        assert ask(demo.url, IS_NOW) == [(True,)], "another session has the wall clock meanwhile"
        assert not is_own_clock(demo.url)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    wait_until(lambda: ask(demo.url, MINE) == [(0,)], lambda: "sessions are left", seconds=60)
    with psycopg.connect(demo.url, autocommit=True) as connection:
        connection.execute("select set_config('casino.demo_now', '2000-01-01T00:00:00Z', false)")
        assert connection.execute(IS_NOW.encode()).fetchone() == (True,), "nobody can move it any more"

    status, _, errors = run(demo.url)
    assert (status, "broken off" in errors) == (1, True), errors
    assert "applied functions/wallet/clock.sql" in migrate(SCHEMA, demo.url)
    assert is_own_clock(demo.url)


def test_it_is_refused_outside_demo_mode_and_beside_a_service(demo: Tenant) -> None:
    strong = {"CASINO_SECRET": "a" * 16 + "bcdefghijklmnopq", "PROVIDER_SECRET": "zyxwvutsrqponmlkjihgfedcba987654"}
    status, _, errors = run(demo.url, CASINO_DEMO="0", **strong)
    assert (status, "demo mode only" in errors) == (1, True), errors
    with psycopg.connect(login_url(demo.url), application_name="casino"):
        status, _, errors = run(demo.url)
    assert (status, "stop it first" in errors) == (1, True), errors
    assert ask(demo.url, "select count(*) from casino.audit_trail where action = %s", BEGUN) == [(0,)]
