"""Two casinos and two studios at once (protocol.md, sections 2 and 3): all play, and a key reaches only its own."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.hung_listener import CALLS, calls_in_flight, hung_listener
from e2e_testing.signing_client import TIMEOUT_SECONDS, SigningClient
from e2e_testing.stack import CURRENCY, StartStack
from e2e_testing.two_pairs import RELATIONS, Relation, TwoPairs, casino_code_of, game_of, start_two_pairs
from local_stack.peers import keys
from shared_service_testing.waiting import wait_until

OWN, OTHER = (1, 1), (1, 2)
"""Casino 1 with its own studio, and with the other pair's."""
LAUNCH = "/provider/launch"


@pytest.fixture(scope="module")
def pairs(start_module_stack: StartStack, tmp_path_factory: pytest.TempPathFactory) -> TwoPairs:
    return start_two_pairs(start_module_stack, tmp_path_factory.mktemp("peers"))


@pytest.fixture
def restored(pairs: TwoPairs) -> Iterator[TwoPairs]:
    """The pairs, for a test that rewrites a file of peers; afterwards all peers are live again."""
    yield pairs
    for pair in (1, 2):
        for service in ("casino", "provider"):
            pairs.set_status(service, pair, "live")
    for relation in RELATIONS:
        wait_until(lambda relation=relation: pairs.launch(relation, "1").status == 201, f"{relation} is not live again")


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
def test_both_casinos_play_the_games_of_both_studios(pairs: TwoPairs, relation: Relation) -> None:
    game_id, _ = game_of(relation)
    stack = pairs.stack(relation[0])
    played = stack.simulate(stack.open_player(), game_id=game_id).must_be_ok()
    assert played.content["passed"], played.content


def everything(session: GameSession) -> dict[str, Callable[[], Answer]]:
    """Every call with a session token."""
    return {
        "getBalance": session.get_balance,
        "debit": session.debit,
        "credit": lambda: session.credit(100, round_id=new_id()),
        "rollback": lambda: session.rollback(new_id(), round_id=new_id()),
    }


@pytest.mark.parametrize("endpoint", ["getBalance", "debit", "credit", "rollback"])
def test_a_session_is_unknown_to_the_other_studio(pairs: TwoPairs, endpoint: str) -> None:
    session = pairs.session(OWN)
    thief = GameSession(pairs.studio(OTHER), session.user_id, session.token, session.provider_session_id, 0)
    assert everything(thief)[endpoint]().verdict == (404, "session_not_found")
    assert session.balance() == session.opening_balance_minor


def test_two_studios_use_the_same_ids_for_the_same_player_without_meeting(pairs: TwoPairs) -> None:
    own = pairs.session(OWN)
    other = pairs.session(OTHER, own.user_id)
    ids = {"transaction_id": "1001", "round_id": "7"}
    answers = [session.debit(amount, **ids).must_be_ok() for session, amount in ((own, 1000), (other, 2000))]
    assert [answer.balance for answer in answers] == [own.opening_balance_minor - paid for paid in (1000, 3000)]
    for session, amount, answer in ((own, 1000, answers[0]), (other, 2000, answers[1])):
        again = session.debit(amount, **ids)
        assert (again.body, again.is_replay) == (answer.body, True)
        shown = session.wallet.get(f"/casino/transactions/1001?userId={session.user_id}").must_be_ok()
        assert shown.content["amount"] == amount
    other.rollback("1001", round_id="7").must_be_ok()
    states = [
        one.wallet.get(f"/casino/transactions/1001?userId={one.user_id}").content["state"] for one in (own, other)
    ]
    assert states == ["committed", "rolled_back"]
    assert own.balance() == own.opening_balance_minor - 1000


def test_a_win_is_not_paid_for_the_bet_of_the_other_studio(pairs: TwoPairs) -> None:
    own = pairs.session(OWN)
    other = pairs.session(OTHER, own.user_id)
    bet = own.bet()
    refused = other.credit(5000, round_id=bet.round_id, related=bet.transaction_id)
    assert refused.verdict == (400, "no_matching_bet")
    stone = other.rollback(bet.transaction_id, round_id=bet.round_id).must_be_ok()
    assert stone.content["tombstone"], "the other studio never placed a bet of that id"
    assert own.balance() == own.opening_balance_minor - bet.amount


def test_feed_and_look_up_hold_a_studios_own_transactions_only(pairs: TwoPairs) -> None:
    own = pairs.session(OWN)
    other = pairs.session(OTHER, own.user_id)
    bets = {OWN: own.bet().transaction_id, OTHER: other.bet().transaction_id}
    for relation, transaction_id in bets.items():
        studio = pairs.studio(relation)
        shown, cursor = set(), "0"
        while rows := (page := studio.get(f"/casino/transactions?after={cursor}&limit=1000").content)["transactions"]:
            shown |= {row["transactionId"] for row in rows}
            cursor = page["next"]
        assert bets.items() & {(each, bets[each]) for each in bets if bets[each] in shown} == {
            (relation, transaction_id)
        }
        for foreign in set(bets.values()) - {transaction_id}:
            answer = studio.get(f"/casino/transactions/{foreign}?userId={own.user_id}")
            assert answer.verdict == (404, "not_found")


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
def test_a_key_is_good_at_one_service_alone(pairs: TwoPairs, relation: Relation) -> None:
    """A key id may stand for another key elsewhere (`main`), so a foreign key is unknown or its signature is bad."""
    clients = (("casino", pairs.studio(relation), "/casino/getBalance"), ("provider", pairs.casino(relation), LAUNCH))
    own = {("casino", relation[0]), ("provider", relation[1])}
    for service, client, target in clients:
        for (other, number), url in pairs.urls.items():
            if other == service and (other, number) not in own:
                signer = replace(client.signer, peer=replace(client.signer.peer, base_url=url))
                answer = client.send(signer.prepare("POST", target, {}))
                assert (answer.status, answer.signature) == (401, "missing")
                assert answer.code in ("unknown_key", "bad_signature")


def launch_content(pairs: TwoPairs, relation: Relation, **more: object) -> dict[str, object]:
    _, game_code = game_of(relation)
    return {
        "sessionToken": new_id(), "casinoSessionId": new_id(), "userId": "1", "gameId": game_code,
        "currency": CURRENCY, "casinoCode": casino_code_of(relation),
    } | more  # fmt: skip


def test_a_studio_lets_a_casino_name_itself_only(pairs: TwoPairs) -> None:
    """Studio 1 knows casino 1 as JAQPOT, and casino 2 from its file."""
    guest = pairs.casino((2, 1))
    guest.post(LAUNCH, launch_content(pairs, (2, 1))).must_be_ok()
    stolen = guest.post(LAUNCH, launch_content(pairs, (2, 1), casinoCode=casino_code_of((1, 1))))
    assert stolen.verdict == (404, "not_found")


def test_a_studios_session_is_unknown_to_the_other_casino(pairs: TwoPairs) -> None:
    session = pairs.session((1, 1))
    content = {
        "sessionToken": session.token, "providerSessionId": session.provider_session_id, "userId": session.user_id,
        "gameId": "SLOTS_001", "currency": CURRENCY, "casinoCode": casino_code_of((2, 1)),
    }  # fmt: skip
    assert pairs.casino((2, 1)).post("/provider/simulate", content).status == 404
    assert session.balance() == session.opening_balance_minor


def test_a_draining_studio_takes_no_new_bet_and_all_else_goes_on(restored: TwoPairs) -> None:
    session = restored.session(OTHER)
    bet, unpaid = session.bet(), session.bet()
    restored.set_status("casino", 1, "draining")
    wait_until(lambda: restored.launch(OTHER, "1").verdict == (423, "provider_draining"), "studio 2 does not drain")
    refused = session.debit(transaction_id="while-draining", round_id="r")
    assert refused.verdict == (423, "provider_draining")
    assert refused.content["playerMessage"]
    session.credit(3000, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    session.rollback(unpaid.transaction_id, round_id=unpaid.round_id).must_be_ok()
    assert session.debit(bet.amount, transaction_id=bet.transaction_id, round_id=bet.round_id).is_replay
    assert session.balance() == session.opening_balance_minor + 3000 - bet.amount
    session.wallet.get("/casino/transactions?after=0").must_be_ok()
    restored.session(OWN).bet()
    restored.set_status("casino", 1, "live")
    wait_until(lambda: restored.launch(OTHER, "1").status == 201, "studio 2 is not live again")
    session.bet()
    assert session.debit(transaction_id="while-draining", round_id="r").body == refused.body, "remembered for ever"


@pytest.mark.parametrize("gone", [False, True], ids=["off", "gone"])
def test_no_signature_of_a_studio_that_is_off_or_gone_is_good(restored: TwoPairs, *, gone: bool) -> None:
    session = restored.session(OTHER)
    if gone:
        restored.write("casino", 1, [])
    else:
        restored.set_status("casino", 1, "off")
    signer = session.wallet.signer

    def asked() -> Answer:
        return session.wallet.send(signer.prepare("POST", "/casino/getBalance", session.who()))

    wait_until(lambda: asked().verdict == (401, "unknown_key"), "the key of studio 2 still signs")
    assert restored.launch(OTHER, "1").verdict == (423, "provider_draining")
    restored.session(OWN).bet()
    restored.set_status("casino", 1, "live")
    wait_until(lambda: asked().status == 200, "studio 2 is not live again")
    session.bet()


def test_a_draining_casino_launches_no_game_and_one_that_is_off_is_not_known(restored: TwoPairs) -> None:
    casino, content = restored.casino((2, 1)), launch_content(restored, (2, 1))

    def launched() -> Answer:
        return casino.send(casino.signer.prepare("POST", LAUNCH, content))

    restored.set_status("provider", 1, "draining")
    wait_until(lambda: launched().verdict == (423, "casino_draining"), "casino 2 does not drain at studio 1")
    assert restored.launch((1, 1), "1").status == 201
    restored.set_status("provider", 1, "off")
    wait_until(lambda: launched().verdict == (401, "unknown_key"), "casino 2 is not off at studio 1")
    assert restored.launch((1, 1), "1").status == 201


def test_the_files_of_the_page_connect_a_studio_and_a_casino(restored: TwoPairs, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "peers.md").read_text("utf-8")
    [script] = re.findall(r"<!-- peers: files -->\n```sh\n(.*?)```", page, re.S)
    chosen = {
        "STUDIO": "acme", "CASINO": "LUCKY", "STUDIO_URL": restored.urls["provider", 2],
        "CASINO_URL": restored.urls["casino", 1],
    }  # fmt: skip
    subprocess.run(["sh", "-euc", script], cwd=tmp_path, env=os.environ | chosen, check=True, timeout=60)
    for service, pair in (("provider", 2), ("casino", 1)):
        added = json.loads((tmp_path / f"{service}.json").read_text())
        restored.write(service, pair, restored.entries(service, pair) + added)
    stack = restored.stack(1)
    player = stack.open_player()
    wait_until(lambda: stack.launch(player, game_id="10").status == 201, "the studio of the page is not known")
    assert stack.simulate(player, game_id="10").must_be_ok().content["passed"]


def test_a_file_that_is_no_list_of_peers_changes_nothing(restored: TwoPairs) -> None:
    path = restored.folder / "casino-1.json"
    path.write_text('[{"id": "studio-2"')
    log = restored.stack(1).casino_process
    wait_until(lambda: "key_file_refused" in log.log_tail(), log.log_tail)
    restored.session(OTHER).bet()


def test_a_studio_that_hangs_delays_no_other(restored: TwoPairs) -> None:
    stack = restored.stack(1)
    with hung_listener() as hung:
        entry = restored.entries("casino", 1)[0] | {"id": "hung", "url": hung.url, "keys": keys(casino=1, studio=3)}
        entry["games"] = [entry["games"][0] | {"gameId": "20"}]
        restored.write("casino", 1, [*restored.entries("casino", 1), entry])
        known = "select from casino.games where game_id = '20'"
        wait_until(lambda: stack.books.rows(known), "the studio that hangs is not known")
        players = [stack.open_player() for _ in range(CALLS)]
        with calls_in_flight(lambda number: stack.launch(players[number], game_id="20"), hung) as answers:
            for relation in (OWN, OTHER) * 3:
                game_id, _ = game_of(relation)
                assert stack.simulate(stack.open_player(), game_id=game_id).must_be_ok().content["passed"]
        assert {answer.verdict for answer in answers} == {(502, "provider_unreachable")}


def test_a_casino_that_hangs_delays_no_other(restored: TwoPairs) -> None:
    with hung_listener() as hung:
        hung_keys = keys(casino=3, studio=1)
        entry: dict[str, Any] = {"id": "HUNG", "url": hung.url, "status": "live", "keys": hung_keys}
        restored.write("provider", 1, [*restored.entries("provider", 1), entry])
        [key] = hung_keys["provider"]
        casino = restored.casino((1, 1)).signer
        signer = replace(casino, peer=replace(casino.peer, secret=key["secret"]), key_id=key["id"])
        client = restored.stack(1).signing_client(signer.peer, key_id=key["id"])
        wait_until(lambda: client.send(signer.prepare("POST", LAUNCH, {})).status != 401, "casino 3 is not known")

        def bet(number: int) -> Answer:
            asked = {"userId": f"player-{number}", "gameId": "SLOTS_001", "currency": CURRENCY, "casinoCode": "HUNG"}
            seat = {"sessionToken": new_id(), "casinoSessionId": new_id()}
            own = SigningClient(signer.peer, key_id=key["id"])
            try:
                launched = own.post(LAUNCH, asked | seat).must_be_ok().content
                seated = {"sessionToken": seat["sessionToken"], "providerSessionId": launched["providerSessionId"]}
                return own.post("/provider/simulate", asked | seated | {"script": "mixed"})
            finally:
                own.close()

        with calls_in_flight(bet, hung) as answers:
            for relation in ((1, 1), (2, 1)) * 3:
                game_id, _ = game_of(relation)
                stack = restored.stack(relation[0])
                assert stack.simulate(stack.open_player(), game_id=game_id).must_be_ok().content["passed"]
        assert not any(answer.content.get("passed") for answer in answers)
        ops_url = restored.stack(1).provider_process.ops_url
        health = httpx.get(f"{ops_url}/health/wallet", trust_env=False, timeout=TIMEOUT_SECONDS)
        states = {code: told["status"] for code, told in health.json()["casinos"].items()}
        assert (health.status_code, states["HUNG"], states["JAQPOT"]) == (200, "down", "healthy")
