"""Protocol section 3, several providers at one casino: two real studios, each with its own games, keys and books."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e_testing.answers import Peer
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.service_process import run_command
from e2e_testing.stack import CASINO_HEADER, Stack, StartStack
from shared_service_testing.waiting import wait_until

STUDIO_CALLS = "the-second-studio-calls-the-casino"
CASINO_CALLS = "the-casino-calls-the-second-studio"
KEYS = {
    "casino": [{"id": "studio-2", "secret": STUDIO_CALLS}],
    "provider": [{"id": "studio-2", "secret": CASINO_CALLS}],
}
THEIR_GAME = "7"
GAME = {"gameId": THEIR_GAME, "gameCode": "SLOTS_001", "name": "Slots", "minBet": 1000, "maxBet": 100000}


def write(file: Path, *entries: Mapping[str, Any]) -> None:
    file.with_suffix(".new").write_text(json.dumps(entries))
    file.with_suffix(".new").rename(file)


def entry_of(second: Stack, **more: Any) -> dict[str, Any]:
    """What the casino knows of the second studio."""
    entry = {"id": "studio-2", "url": second.provider.base_url, "status": "live", "casinoCode": "FIRST", "keys": KEYS}
    return entry | {"games": [GAME]} | more


@pytest.fixture
def two_studios(start_stack: StartStack, tmp_path: Path) -> tuple[Stack, Stack, Path]:
    """A casino with a studio of its own and the studio of another stack. And its file of providers."""
    providers, casinos = tmp_path / "providers.json", tmp_path / "casinos.json"
    write(providers)
    one = start_stack(casino_settings={"CASINO_PROVIDERS_FILE": str(providers)})
    write(casinos, {"id": "FIRST", "url": one.casino.base_url, "status": "live", "keys": KEYS})
    two = start_stack(provider_settings={"PROVIDER_CASINOS_FILE": str(casinos)})
    write(providers, entry_of(two))
    player = one.open_player()
    wait_until(lambda: one.launch(player, game_id=THEIR_GAME).status == 201, "the second studio takes launches")
    return one, two, providers


def session_of_the_second(one: Stack, user_id: str) -> GameSession:
    """A session of the second studio's game, and calls with the second studio's key."""
    studio = Peer(one.casino.base_url, CASINO_HEADER, STUDIO_CALLS)
    session = one.session(user_id, game_id=THEIR_GAME)
    return replace(session, wallet=one.signing_client(studio, key_id="studio-2"))


@pytest.mark.provokes("provider_draining")
def test_two_studios_play_at_one_casino_and_reach_only_their_own(
    two_studios: tuple[Stack, Stack, Path],
) -> None:
    one, two, file = two_studios
    # A whole round at each, over both real services.
    for game_id in ("1", THEIR_GAME):
        report = one.simulate(one.open_player(), game_id=game_id).must_be_ok().content
        assert report["passed"], report
    # Each studio's books agree with the feed of its own: the other's round is not in it.
    for stack, casino in ((one, "JAQPOT"), (two, "FIRST")):
        finished = run_command("provider", f"reconcile --casino {casino}", stack.provider_process.environment)
        assert finished.returncode == 0, finished.stdout + finished.stderr

    # The same ids, in one player's wallet.
    ours = one.session()
    theirs = session_of_the_second(one, ours.user_id)
    bet, back = new_id(), new_id()
    for session in (ours, theirs):
        session.debit(1_000, transaction_id=bet, round_id="1").must_be_ok()
    assert ours.balance() == ours.opening_balance_minor - 2_000
    theirs.rollback(bet, round_id="1", transaction_id=back).must_be_ok()
    assert ours.balance() == ours.opening_balance_minor - 1_000, "the other studio's bet stands"

    # Each with the other's session, look-up and feed.
    for session, other in ((ours, theirs), (theirs, ours)):
        stolen = replace(session, wallet=other.wallet)
        for answer in (stolen.get_balance(), stolen.debit(), stolen.credit(1, round_id="1", related=bet)):
            assert answer.verdict == (404, "session_not_found")
    look_up = f"/casino/transactions/{back}?userId={ours.user_id}"
    assert theirs.wallet.get(look_up).must_be_ok().content["transactionId"] == back
    assert ours.wallet.get(look_up).verdict == (404, "not_found")

    # The second studio drains, is off, and comes back.
    write(file, entry_of(two, status="draining"))
    wait_until(lambda: one.launch(ours.user_id, game_id=THEIR_GAME).verdict == (423, "provider_draining"), "it drains")
    assert theirs.debit(1_000, round_id="2").verdict == (423, "provider_draining")
    assert theirs.balance() == ours.balance()
    ours.debit(1_000, round_id="2").must_be_ok()
    write(file, entry_of(two, status="off"))
    asked = theirs.wallet.signer.prepare("GET", look_up)
    wait_until(lambda: theirs.wallet.send(asked).verdict == (401, "unknown_key"), "it is off")
    write(file, entry_of(two))
    wait_until(lambda: one.launch(ours.user_id, game_id=THEIR_GAME).status == 201, "it is back")

    shown = run_command("casino", "keys", one.casino_process.environment).stdout
    assert "casino    studio-2             live    signs  of studio-2" in shown.splitlines()
    assert "casino    main                 live    signs  of main" in shown.splitlines()


def test_a_file_with_a_game_of_another_studio_refuses_the_start(start_stack: StartStack, tmp_path: Path) -> None:
    stack = start_stack()
    file = tmp_path / "providers.json"
    write(file, entry_of(stack, games=[GAME | {"gameId": "1"}]))
    environment = stack.casino_process.environment | {"CASINO_PROVIDERS_FILE": str(file), "CASINO_PORT": "0"}
    finished = run_command("casino", "serve", environment)
    assert finished.returncode == 1
    assert "CASINO_PROVIDERS_FILE is not usable: game 1 belongs to provider main" in finished.stdout + finished.stderr
    assert STUDIO_CALLS not in finished.stdout + finished.stderr
