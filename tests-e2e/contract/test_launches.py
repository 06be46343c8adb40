"""Protocol section 3: launchGame, and the client endpoints outside demo mode."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from e2e_testing.database import Database
from e2e_testing.stack import Stack, StartStack


def test_a_launch_answers_all_that_a_client_needs(stack: Stack) -> None:
    answer = stack.launch(stack.open_player())
    assert answer.status == 201
    content = answer.content
    assert set(content) == {
        "sessionToken", "providerSessionId", "launchUrl", "gameId", "currency", "balance", "minBet", "maxBet",
        "expiresAt",
    }  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{64}", content["sessionToken"]), "32 random bytes in hex"
    assert (content["currency"], content["minBet"], content["maxBet"]) == ("USD", "1000", "100000")
    assert isinstance(content["balance"], str)
    assert isinstance(content["providerSessionId"], str)
    assert content["launchUrl"]
    left = datetime.fromisoformat(content["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30, seconds=5)


def test_every_launch_has_a_token_of_its_own(stack: Stack) -> None:
    player = stack.open_player()
    tokens = {stack.launch(player).content["sessionToken"] for _ in range(5)}
    assert len(tokens) == 5


def test_ids_are_accepted_as_integers(stack: Stack) -> None:
    assert stack.as_player("launchGame", {"userId": 1, "gameId": 1}).status == 201


def test_a_launch_may_tell_where_the_player_is(stack: Stack) -> None:
    """Pitfall 29."""
    assert stack.launch(stack.open_player(), country="MT", ipAddress="203.0.113.7").status == 201
    assert stack.launch(stack.open_player(), country="MT", ipAddress="2001:db8::1").status == 201


def test_an_address_that_is_none_is_refused(stack: Stack) -> None:
    answer = stack.launch(stack.open_player(), ipAddress="somewhere")
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), "ipAddress")


@pytest.mark.provokes("player_not_found", "game_not_found")
def test_an_unknown_player_or_game_is_not_launched(stack: Stack) -> None:
    assert stack.launch("nobody-by-this-name").verdict == (404, "player_not_found")
    assert stack.launch(stack.open_player(), game_id="no-such-game").verdict == (404, "game_not_found")


@pytest.mark.parametrize("field", ["userId", "gameId"])
def test_a_launch_without_a_player_or_a_game_is_refused(stack: Stack, field: str) -> None:
    content = {"userId": "1", "gameId": "1"}
    del content[field]
    answer = stack.as_player("launchGame", content)
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), field)


def test_a_token_is_stored_nowhere_in_clear(stack: Stack, database: Database) -> None:
    token = stack.session().token
    tables = database.rows(
        "select format('%%I.%%I', schemaname, tablename) as name from pg_tables"
        " where schemaname in ('casino', 'provider')"
    )
    assert len(tables) > 10
    holding = [
        row["name"]
        for row in tables
        if database.rows(
            f"select 1 from {row['name']} as line where line::text like %(like)s limit 1", like=f"%{token}%"
        )
    ]
    assert holding == []


@pytest.mark.provokes("provider_rejected")
def test_a_game_that_the_studio_does_not_have_is_rejected_by_it_and_its_code_is_logged(
    stack: Stack, database: Database
) -> None:
    """It came to the client as "cannot be reached", and no log had the provider's `game_not_found`."""
    database.change(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " values ('JAQPOT', 'not-there', 'NOT_THERE_001', 'Not there', 1000, 100000) on conflict do nothing"
    )
    assert stack.launch(stack.open_player(), game_id="not-there").verdict == (502, "provider_rejected")
    assert "game_not_found" in stack.casino_process.log_tail()


def test_an_excluded_player_places_no_bet_through_a_new_session(stack: Stack, database: Database) -> None:
    """Pitfall 22."""
    player = stack.open_player()
    database.change(
        "update casino.wallets set excluded_until = now() + interval '1 day' where player_id = %(player)s",
        player=player,
    )
    launched = stack.launch(player)
    assert launched.status in (201, 403)
    if launched.status == 201:
        assert stack.session(player).debit().verdict == (403, "player_excluded")


@pytest.mark.provokes("provider_unreachable")
@pytest.mark.slow
def test_a_launch_that_the_provider_does_not_hear_of_leaves_no_open_session(start_stack: StartStack) -> None:
    stack = start_stack()
    player = stack.open_player()
    stack.provider_process.kill_9()
    assert stack.launch(player).verdict == (502, "provider_unreachable")
    assert stack.simulate(player).verdict == (502, "provider_unreachable")
    left_open = stack.books.rows(
        "select session_id from casino.game_sessions where player_id = %(player)s and closed_at is null", player=player
    )
    assert left_open == []
    stack.provider_process.restart()
    assert stack.launch(player).status == 201
