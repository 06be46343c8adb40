"""POST /api/v1/bet/spin with the real studio: what a player is told is what both books say."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e_testing.database import Database
from e2e_testing.game_session import new_id
from e2e_testing.platform_player import PlatformPlayer
from e2e_testing.stack import OPENING_BALANCE_MINOR, Stack, StartStack
from shared_service_testing.waiting import wait_until

BOOKED = (
    "select kind, amount_minor, state from casino.transactions join casino.wallets using (ledger_id, wallet_id)"
    " where player_id = %(player)s and kind in ('debit', 'credit', 'rollback') order by transactions.sequence_no"
)


def test_a_spin_tells_what_the_ledger_and_the_studio_say(stack: Stack, database: Database) -> None:
    player, balance = PlatformPlayer.at(stack), OPENING_BALANCE_MINOR
    for _ in range(4):
        result = player.spin()
        balance += result["winMinor"] - 1_000
        assert result["balanceMinor"] == balance
        assert (result["outcome"] == "WIN") == (result["winMinor"] > 0)
        assert result["events"][-1] == {"type": "end", "win": result["winMinor"]}
        assert result["events"][0]["type"] == "spin"
        (draw,) = database.rows(
            "select events from provider.draws where round_id = %(round)s::uuid", round=result["betId"]
        )
        assert draw["events"] == result["events"]
    booked = database.rows(BOOKED, player=player.player_id)
    assert [row["kind"] for row in booked] == ["debit", "credit"] * 4
    assert len(database.rows(
        "select session_id from casino.game_sessions where player_id = %(player)s", player=player.player_id
    )) == 1  # fmt: skip


def test_a_player_without_money_is_told_so_for_ever(stack: Stack, database: Database) -> None:
    player = PlatformPlayer.at(stack, balance_minor=500)
    for _ in range(2):
        answer = player.ask("poor")
        assert (answer.status_code, answer.json()["code"]) == (402, "INSUFFICIENT_BALANCE")
    assert [row["state"] for row in database.rows(BOOKED, player=player.player_id)] == ["refused"]


def test_a_game_that_is_no_slot_is_not_found(stack: Stack) -> None:
    answer = PlatformPlayer.at(stack).ask("x", game="CRASH_001")
    assert (answer.status_code, answer.json()["code"]) == (404, "GAME_NOT_FOUND")


def test_the_casino_reads_the_studios_games(stack: Stack, database: Database) -> None:
    noted = wait_until(
        lambda: database.rows("select * from casino.provider_games where provider_id = 'main'"), "the games are noted"
    )
    games = {row["game_code"]: str(row["expected_rtp"])[:8] for row in noted}
    assert games == {"SLOTS_001": "0.953794", "SLOTS_002": "0.955844"}


@pytest.mark.slow
def test_two_processes_are_asked_for_one_spin_and_play_it_once(start_stack: StartStack) -> None:
    """The studio knows the first stack's casino alone; both processes of the casino call that studio."""
    first = start_stack()
    second = start_stack(like=first, casino_settings={"PROVIDER_URL": first.provider.base_url})
    player = PlatformPlayer.at(first)
    elsewhere = PlatformPlayer(second.casino.base_url, player.player_id, player.token)
    for _ in range(6):
        spin_id = new_id()
        with ThreadPoolExecutor(4) as threads:
            told = list(threads.map(lambda who, asked=spin_id: who.spin(asked), [player, elsewhere] * 2))
        assert told == [told[0]] * 4
    booked = first.books.rows(BOOKED, player=player.player_id)
    assert sum(row["kind"] == "debit" and row["state"] == "committed" for row in booked) == 6
