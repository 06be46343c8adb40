"""Two processes and two tabs of one player against one limit: both stay below it, and nothing is refused early.

A seeded sample; NIGHTLY=1 plays a thousand trials with a seed of its own.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence

from casino.wallet.commands import Ledger, WalletCommand
from casino_testing.desk import Desk
from casino_testing.limits import count
from casino_testing.processes import ledgers, until_answered
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet, new_id

NIGHTLY = os.environ.get("NIGHTLY") == "1"
TRIALS = 1_000 if NIGHTLY else 60
SEED = random.SystemRandom().randrange(2**32) if NIGHTLY else 12
HEAD_START_SECONDS_MAX = 0.002
LIMIT_MINOR = 5_000
LIMITS = ("session", "day_loss_max_minor", "week_loss_max_minor", "month_loss_max_minor")


def limited(wallet: Wallet, player_id: str, limit: str) -> list[Session]:
    """Two tabs of a new player with one limit."""
    tenant = wallet.tenant
    tenant.open_player(player_id)
    tabs = [wallet.open_session(player_id) for _ in range(2)]
    count(tenant, player_id, **({} if limit == "session" else {limit: LIMIT_MINOR}))
    if limit == "session":
        statement = "update casino.play_sessions set loss_limit_minor = %s where ledger_id = %s and player_id = %s"
        tenant.sql(statement, LIMIT_MINOR, tenant.ledger_id, player_id)
    return tabs


async def bet_on(ledger: Ledger, bets: Sequence[WalletCommand], pause_seconds: float) -> list[tuple[str | None, int]]:
    await asyncio.sleep(max(pause_seconds, 0))
    return [((await until_answered(ledger, bet)).code, bet.amount) for bet in bets]


def test_two_processes_and_two_tabs_do_not_pass_a_limit_together(wallet: Wallet, tenant: Tenant) -> None:
    draw = random.Random(SEED)
    seen: Counter[str | None] = Counter()

    async def play() -> None:
        async with ledgers(tenant, 2) as processes:
            for number in range(TRIALS):
                limit = draw.choice(LIMITS)
                tabs = await asyncio.to_thread(limited, wallet, f"player {number}", limit)
                bets = [
                    [
                        tab.debit(draw.randrange(1_000, 3_000), round_id=new_id("round"))
                        for _ in range(draw.randint(1, 4))
                    ]
                    for tab in tabs
                ]
                head_start = draw.uniform(-HEAD_START_SECONDS_MAX, HEAD_START_SECONDS_MAX)
                answers = await asyncio.gather(
                    bet_on(processes[0], bets[0], head_start), bet_on(processes[1], bets[1], -head_start)
                )
                outcomes = [outcome for answered in answers for outcome in answered]
                lost = sum(amount for code, amount in outcomes if code is None)
                assert lost < LIMIT_MINOR, (SEED, number, limit, outcomes)
                for code, amount in outcomes:
                    assert code in (None, "limit_exceeded")
                    assert code is None or lost + amount >= LIMIT_MINOR, (SEED, number, "refused too early")
                seen.update(code for code, _ in outcomes)

    asyncio.run(play())
    assert min(seen[None], seen["limit_exceeded"]) > TRIALS / 4, "without both the race proves nothing"


def test_a_bet_that_races_a_lower_limit_comes_before_or_after_it(wallet: Wallet, tenant: Tenant) -> None:
    seen: Counter[str | None] = Counter()
    desk = Desk(tenant)

    async def play() -> None:
        async with ledgers(tenant, 1) as (ledger,):
            for number in range(TRIALS // 4):
                player_id = f"player {number}"
                tab, _ = await asyncio.to_thread(limited, wallet, player_id, "month_loss_max_minor")
                bet = tab.debit(2_000, round_id="raced")
                pause = random.uniform(0, HEAD_START_SECONDS_MAX)
                (answered,), _ = await asyncio.gather(
                    bet_on(ledger, [bet], pause),
                    asyncio.to_thread(
                        desk.call, "set_limit", player_id, "loss", "day", 2_000, False, "player", player_id
                    ),
                )
                code, _ = answered
                after = (await until_answered(ledger, tab.debit(1_999, round_id="after"))).code
                assert (code, after) in ((None, "limit_exceeded"), ("limit_exceeded", None))
                seen[code] += 1

    asyncio.run(play())
    desk.close()
    assert sum(seen.values()) == TRIALS // 4
