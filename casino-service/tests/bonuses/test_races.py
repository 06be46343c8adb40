"""A grant against a forfeit, an acknowledgement against a bet: with real connections, one of both comes first."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

from casino.wallet.commands import Ledger
from casino_testing.bonuses import ACKNOWLEDGE, BONUS_MINOR, acknowledge, forfeit, promise
from casino_testing.processes import book_in, held_transaction, ledgers, until_answered
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet
from shared_service_testing.waiting import wait_until

TRIALS = 40
STAKE_MINOR = 1_000


def poor_player(tenant: Tenant, wallet: Wallet, player_id: str) -> Session:
    """A session of a player who has one stake and a pending bonus."""
    tenant.open_player(player_id, balance_minor=STAKE_MINOR)
    promise(tenant, player_id)
    return wallet.open_session(player_id)


def test_a_bonus_is_granted_or_forfeited_never_both(tenant: Tenant, wallet: Wallet) -> None:
    sessions = [poor_player(tenant, wallet, f"player {number}") for number in range(TRIALS)]
    for session in sessions:
        wallet.bet(session)
    seen: Counter[tuple[int, int]] = Counter()
    other = Tenant(tenant.url, tenant_id=tenant.tenant_id, ledger_id=tenant.ledger_id)

    async def race(ledger: Ledger, number: int) -> None:
        session = sessions[number]
        pauses = [0.001 * (number % 5), 0.002]

        async def lose() -> int:
            await asyncio.sleep(pauses[0])
            return (await until_answered(ledger, session.credit(0))).balance_minor or 0

        async def take_back() -> int:
            await asyncio.sleep(pauses[1])
            return await asyncio.to_thread(forfeit, other, session.player_id)

        seen[tuple(await asyncio.gather(lose(), take_back()))] += 1  # type: ignore[index]

    async def play() -> None:
        async with ledgers(tenant, 1) as (ledger,):
            for number in range(TRIALS):
                await race(ledger, number)

    wallet.wait(play())
    other.close()
    assert seen.keys() == {(BONUS_MINOR, 0), (0, BONUS_MINOR)}, seen
    states = Counter(row["state"] for row in tenant.rows("bonuses"))
    assert states == {"GRANTED": seen[BONUS_MINOR, 0], "FORFEITED": seen[0, BONUS_MINOR]}
    assert tenant.balance(f"§tenant:{tenant.tenant_id}") == states["FORFEITED"] * BONUS_MINOR


def test_a_forfeit_that_waited_for_the_grant_finds_nothing(tenant: Tenant, wallet: Wallet) -> None:
    session = poor_player(tenant, wallet, "poor")
    wallet.bet(session)
    other = Tenant(tenant.url, tenant_id=tenant.tenant_id, ledger_id=tenant.ledger_id)
    amounts: list[int] = []
    with held_transaction(tenant) as holding:
        book_in(holding, tenant, [session.credit(0)])
        taking = threading.Thread(target=lambda: amounts.append(forfeit(other, "poor")))
        taking.start()
        waiting = "select count(*) = 1 as is from pg_locks where locktype = 'advisory' and not granted"
        wait_until(lambda: tenant.sql(waiting)[0]["is"], "the forfeit waits for the wallet")
        holding.commit()
    taking.join()
    other.close()
    assert amounts == [0]
    assert tenant.balance("poor") == BONUS_MINOR


def test_a_bet_beside_an_acknowledgement_waits_for_its_commit(tenant: Tenant, wallet: Wallet) -> None:
    session = poor_player(tenant, wallet, "poor")
    wallet.bet(session)
    wallet.accept(session.credit(0))
    bet = session.debit(round_id="next")
    with held_transaction(tenant) as holding:
        values = {"ledger": tenant.ledger_id, "player": "poor", "scope": tenant.tenant_id}
        holding.execute(ACKNOWLEDGE, values)

        async def try_once() -> bool:
            async with ledgers(tenant, 1) as (ledger,):
                (outcome,) = await ledger.execute([bet])
            return outcome is None

        assert wallet.wait(try_once()), "the wallet is busy: the bet is judged after the commit"
        holding.commit()
    wallet.accept(bet)
    assert not acknowledge(tenant, "poor")


def test_bets_and_acknowledgements_at_once_refuse_or_take_the_bet(tenant: Tenant, wallet: Wallet) -> None:
    tenant.open_player("rich")
    session = wallet.open_session("rich")
    seen: Counter[str | None] = Counter()

    async def play() -> None:
        async with ledgers(tenant, 1) as (ledger,):
            for number in range(TRIALS):
                tenant.set_wallet("rich", bonus_ack_required=True)
                bet = session.debit(round_id=str(number))
                acknowledging = asyncio.to_thread(acknowledge, tenant, "rich")
                outcome, done = await asyncio.gather(until_answered(ledger, bet), acknowledging)
                assert done
                seen[outcome.code] += 1
                next_bet = session.debit(round_id=f"after {number}")
                assert (await until_answered(ledger, next_bet)).code is None, "a bet after it is taken"

    wallet.wait(play())
    assert seen.keys() <= {None, "bonus_ack_required"}
    taken = TRIALS + seen[None]
    assert tenant.balance("rich") == 1_000_000 - taken * STAKE_MINOR
