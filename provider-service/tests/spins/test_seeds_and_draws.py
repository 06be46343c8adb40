"""What the books let a spin be: locks, counters, and rows that nobody changes."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from provider.catalogue.games import GAMES
from provider.offers.configurations import Configurations
from provider.outbox.books import Answered
from provider.outbox.calls import MoneyCall
from provider.outbox.steps import Draw, OfSpin, Opening, Refusal, StepResult
from provider.sessions.sealing import SEEDS, Sealer
from provider.spins.queries import spin_by_id
from provider.spins.seeds import ServerSeed, seed_for
from provider.wallet_client.actions import action_for
from provider.wallet_client.outcomes import Refused
from provider_testing.round_case import NO_MONEY, OK, RoundCase, another_round, called, paying
from provider_testing.service import rows
from shared_service.postgres.database import Overloaded

SLOT = GAMES["SLOTS_001"].slot
assert SLOT is not None
SEALER = Sealer([b"a-sealing-key"], purpose=SEEDS)

UNKNOWN_THERE = Refused(404, "session_not_found", action_for(404, "session_not_found"), {})


@dataclass
class SpinCase:
    """The books with sessions of one player that have no open round, and the player's seed."""

    case: RoundCase
    player_id: int
    configuration_hash: str
    sessions: list[uuid.UUID]

    async def seed(self) -> ServerSeed:
        return await seed_for(self.case.pool, SEALER, player_id=self.player_id, game_code="SLOTS_001")

    def bet(self, session: int = 0) -> MoneyCall:
        call = self.case.call("debit", round_id=uuid.uuid4())
        return replace(call, provider_session_id=self.sessions[session])

    async def open(self, bet: MoneyCall, **changed: Any) -> StepResult:
        """Open the round of a spin, with the intent of its debit."""
        seed = changed.pop("seed", None) or await self.seed()
        opening = Opening(
            bet.provider_session_id, bet.round_id, "spin", "r", spin_id=changed.pop("spin_id", bet.round_id.hex),
            debit_id=bet.transaction_id, stake_minor=bet.amount_minor, seed_id=seed.seed_id, client_seed="lucky",
            counter=seed.counter, configuration_hash=self.configuration_hash, **changed,
        )  # fmt: skip
        return await self.case.books.record(intent=bet, of_spin=OfSpin(self.player_id, opening=opening))

    async def draw(self, bet: MoneyCall, outcome: Any = OK) -> StepResult:
        """Record the debit's outcome, a draw, and the intent of its payout."""
        payout = replace(
            paying(self.case, bet, round_id=bet.round_id, end_round=True),
            provider_session_id=bet.provider_session_id,
        )
        draw = Draw(bet.provider_session_id, bet.round_id, payout.transaction_id, '[{"type":"end","win":1000}]')
        answered = Answered(bet, called(outcome))
        result = await self.case.books.record(answered, intent=payout, of_spin=OfSpin(self.player_id, draw=draw))
        if result.intent == "recorded":
            await self.case.books.write_outcome(payout, called(OK))
        return result


@pytest.fixture
async def spins(case: RoundCase, owner_url: str) -> SpinCase:
    others = [await another_round(case) for _ in range(2)]
    for round_id in (case.round_id, *others):
        await case.books.void_round(round_id, "test")
    (player,) = rows(owner_url, "select player_id from provider.players")
    configuration_hash = (await Configurations(case.pool).stored(SLOT, "USD")).hash
    sessions = [case.session_id, *(case.other_sessions[each] for each in others)]
    return SpinCase(case, player["player_id"], configuration_hash, sessions)


async def test_a_seed_is_sealed_and_its_hash_is_stored_before_its_first_use(spins: SpinCase, owner_url: str) -> None:
    seeds = await asyncio.gather(*(spins.seed() for _ in range(5)))
    assert len({seed.secret for seed in seeds}) == 1
    (row,) = rows(owner_url, "select * from provider.server_seeds")
    assert (row["next_counter"], len(seeds[0].secret)) == (0, 32)
    assert seeds[0].secret not in bytes(row["seed_sealed"])
    assert seeds[0].secret.hex().encode() not in bytes(row["seed_sealed"])
    assert seeds[0].secret.hex() not in repr(seeds[0])
    other = await seed_for(spins.case.pool, SEALER, player_id=spins.player_id, game_code="SLOTS_002")
    assert other.secret != seeds[0].secret


async def test_while_a_round_is_open_no_other_begins_with_its_seed(spins: SpinCase) -> None:
    first, second = spins.bet(0), spins.bet(1)
    assert (await spins.open(first)).opening == "opened"
    assert (await spins.open(second)).opening == "session_busy"
    await spins.draw(first)
    assert (await spins.open(second)).opening == "opened"


async def test_of_spins_at_once_with_one_seed_one_begins_even_in_one_batch(spins: SpinCase, owner_url: str) -> None:
    seed = await spins.seed()
    results = await asyncio.gather(*(spins.open(spins.bet(number), seed=seed) for number in range(3)))
    assert sorted(str(result.opening) for result in results) == ["opened", "session_busy", "session_busy"]
    assert len(rows(owner_url, "select from provider.spins")) == 1
    assert len(rows(owner_url, "select from provider.wallet_transactions where kind = 'debit'")) == 1


async def test_of_spins_at_once_with_one_id_one_begins(spins: SpinCase) -> None:
    results = await asyncio.gather(*(spins.open(spins.bet(number), spin_id="s-1") for number in range(3)))
    assert sorted(str(result.opening) for result in results) == ["opened", "spin_known", "spin_known"]


async def test_a_spin_of_a_counter_that_has_moved_does_not_begin(spins: SpinCase) -> None:
    old, bet = await spins.seed(), spins.bet()
    await spins.open(bet)
    await spins.draw(bet)
    assert (await spins.open(spins.bet(), seed=old)).opening == "seed_moved"
    assert (await spins.seed()).counter == 1


ELSEWHERE = {
    "retired": "retired_at = provider.clock()",
    "of another game": "game_code = 'SLOTS_002'",
    "of another player": "player_id = (select max(player_id) from provider.players)",
}


@pytest.mark.parametrize("change", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_seed_that_is_not_the_players_for_this_game_begins_nothing(
    spins: SpinCase, owner_url: str, change: str
) -> None:
    seed = await spins.seed()
    with psycopg.connect(owner_url) as connection:
        connection.execute("insert into provider.players (casino_code, user_id) values ('JAQPOT', 'other')")
        connection.execute(f"update provider.server_seeds set {change}".encode())
    assert (await spins.open(spins.bet(), seed=seed)).opening == "seed_moved"


async def test_a_spin_waits_for_nobody_who_holds_its_player(spins: SpinCase, owner_url: str) -> None:
    """It is tried again, and others of the batch go on."""
    bet = spins.bet()
    with psycopg.connect(owner_url) as holder:
        holder.execute("select from provider.players for no key update")
        opening = asyncio.create_task(spins.open(bet))
        other = await another_round(spins.case)
        await spins.case.books.write_intent(spins.case.call("debit", round_id=other))
        assert not opening.done()
        holder.rollback()
        assert (await opening).opening == "opened"


async def test_a_spin_that_finds_its_player_held_for_long_is_refused_before_any_work(
    spins: SpinCase, owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_service.postgres.group_commit.BUSY_PATIENCE_SECONDS", 0.05)
    await spins.seed()
    with psycopg.connect(owner_url) as holder:
        holder.execute("select from provider.players for no key update")
        with pytest.raises(Overloaded):
            await spins.open(spins.bet())
    assert rows(owner_url, "select from provider.spins") == []


async def test_a_step_that_is_recorded_twice_is_one_draw(spins: SpinCase, owner_url: str) -> None:
    bet = spins.bet()
    for again in (False, True):
        assert (await spins.open(bet, again=again, spin_id="s-1")).opening == "opened"
    await spins.draw(bet)
    await spins.draw(bet)
    assert len(rows(owner_url, "select from provider.draws")) == 1
    assert (await spins.seed()).counter == 1


async def test_a_debit_that_was_not_accepted_has_no_draw(spins: SpinCase, owner_url: str) -> None:
    bet = spins.bet()
    await spins.open(bet)
    assert (await spins.draw(bet, NO_MONEY)).intent == "given_up"
    assert rows(owner_url, "select from provider.draws") == []
    assert (await spins.seed()).counter == 0


@pytest.mark.parametrize("rollback", [None, UNKNOWN_THERE], ids=["rollback pending", "never known to the wallet"])
async def test_a_debit_that_was_given_up_has_no_draw_and_no_refusal(
    spins: SpinCase, owner_url: str, rollback: Any
) -> None:
    bet = spins.bet()
    await spins.open(bet, spin_id="s-1")
    await spins.case.end_leases()
    assert await spins.case.books.give_up_expired_bets(10) == 1
    if rollback is not None:
        (due,) = await spins.case.books.claim_due({"JAQPOT": 10})
        await spins.case.books.write_outcome(due.opened("token", fresh_request_id="r"), called(rollback))
        assert await spins.case.state_of(bet) == "refused"
    assert (await spins.draw(bet)).intent == "given_up"
    refusal = Refusal(bet.provider_session_id, bet.round_id, 402, "insufficient_balance", "No.", None)
    await spins.case.books.record(Answered(bet, called(NO_MONEY)), of_spin=OfSpin(spins.player_id, refusal=refusal))
    assert rows(owner_url, "select from provider.draws union all select from provider.spin_refusals") == []
    stored = await spin_by_id(spins.case.pool, spins.player_id, "s-1")
    assert stored is not None
    assert stored.is_unclear is (rollback is None)
    assert (await spins.seed()).counter == 0


async def test_a_counter_that_comes_twice_is_against_a_constraint(spins: SpinCase, owner_url: str) -> None:
    bet = spins.bet()
    await spins.open(bet)
    await spins.draw(bet)
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.server_seeds set next_counter = 0")
    again = spins.bet()
    await spins.open(again)
    with pytest.raises(psycopg.errors.UniqueViolation, match="no_counter_twice"):
        await spins.draw(again)


@pytest.mark.parametrize("table", ["spins", "draws", "spin_refusals", "configurations"])
def test_the_application_cannot_change_what_was_drawn(database_url: str, table: str) -> None:
    for statement in (f"update provider.{table} set created_at = now()", f"delete from provider.{table}"):
        with (
            psycopg.connect(database_url, options="-c role=provider_app") as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())


@pytest.mark.parametrize("column", ["seed_sealed", "seed_sha256", "player_id", "game_code"])
def test_the_application_cannot_change_a_seed(database_url: str, column: str) -> None:
    with (
        psycopg.connect(database_url, options="-c role=provider_app") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"update provider.server_seeds set {column} = {column}".encode())
