"""POST /provider/spin: the answer, its repetitions, its fields and its gates."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from provider.games.fairness.draws import seed_hash
from provider.sessions.sealing import SEEDS, Sealer
from provider.settings import DEMO_SEALING_KEY
from provider_testing.books import require_agreement, states
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import Running, rows, serving
from provider_testing.spinning import code_of, require_fair_draws, spin
from provider_testing.two_casinos import Two
from provider_testing.wallet_faults import hold
from shared_service_testing.waiting import until


@pytest.fixture
async def provider(database_url: str, wallet: FakeWallet) -> AsyncIterator[Running]:
    async with serving(database_url, wallet) as running:
        yield running


async def test_a_spin_is_one_debit_one_draw_and_one_credit(
    provider: Running, owner_url: str, wallet: FakeWallet
) -> None:
    session = await provider.launch()
    answer = await spin(provider, session, spinId="s-1")
    assert answer.status_code == 200, answer.text
    assert answer.extensions["signature"] == "good"
    said = answer.json()
    assert list(said) == ["spinId", "roundId", "stake", "win", "balance", "events", "configuration"]
    assert (said["spinId"], said["stake"]) == ("s-1", 1000)
    assert said["balance"] == str(1_000_000 - 1000 + said["win"])
    assert said["events"][-1] == {"type": "end", "win": said["win"]}
    document = await provider.client.get(f"/v1/configurations/{said['configuration']['hash']}", auth=None)
    assert hashlib.sha256(document.content).hexdigest() == said["configuration"]["hash"]
    assert document.json()["version"] == said["configuration"]["version"]
    debit, credit = wallet.calls
    assert (debit.kind, debit.members["amount"]) == ("debit", 1000)
    assert (credit.kind, credit.members["amount"], credit.members["endRound"]) == ("credit", said["win"], True)
    assert credit.members["relatedTransactionId"] == debit.members["transactionId"]
    assert {call.members["roundId"] for call in wallet.calls} == {said["roundId"]}
    assert not {"commitment", "configuration"} & debit.members.keys()
    assert sorted(states(owner_url)) == [("credit", "committed"), ("debit", "settled")]
    (draw,) = require_fair_draws(owner_url)
    assert (str(draw["round_id"]), draw["events"]) == (said["roundId"], said["events"])
    assert (draw["client_seed"], draw["configuration_hash"]) == ("s-1", said["configuration"]["hash"])
    require_agreement(owner_url, wallet.model)


async def test_the_same_spin_id_has_the_same_answer_byte_for_byte(provider: Running, wallet: FakeWallet) -> None:
    session = await provider.launch()
    first = await spin(provider, session, spinId="s-1")
    await spin(provider, session, spinId="s-2")
    made = len(wallet.calls)
    for again in (session, await provider.launch()):  # also from another session of the player
        answer = await spin(provider, again, spinId="s-1", clientSeed="another")
        assert (answer.status_code, answer.content) == (200, first.content)
    assert len(wallet.calls) == made


async def test_copies_of_a_spin_at_once_are_one_spin(provider: Running, owner_url: str, wallet: FakeWallet) -> None:
    sessions = [await provider.launch() for _ in range(2)]
    answers = await asyncio.gather(*(spin(provider, sessions[number % 2], spinId="s-1") for number in range(8)))
    codes = {code_of(answer) for answer in answers}
    assert (200, "ok") in codes
    assert codes <= {(200, "ok"), (409, "session_busy")}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert [call.kind for call in wallet.calls] == ["debit", "credit"]
    require_fair_draws(owner_url)


async def test_spins_of_several_sessions_of_a_player_share_a_seed_and_skip_no_counter(
    provider: Running, owner_url: str, wallet: FakeWallet
) -> None:
    async def play(session: dict[str, Any], name: str) -> None:
        for number in range(4):
            while (answer := await spin(provider, session, spinId=f"{name}-{number}")).status_code != 200:
                assert code_of(answer) == (409, "session_busy")

    sessions = [await provider.launch() for _ in range(3)]
    await asyncio.gather(*(play(session, f"p{number}") for number, session in enumerate(sessions)))
    draws = require_fair_draws(owner_url)
    assert [draw["counter"] for draw in draws] == list(range(12))
    require_agreement(owner_url, wallet.model)


async def test_the_client_seed_is_the_players_and_without_one_the_spin_id(provider: Running, owner_url: str) -> None:
    session = await provider.launch()
    for changed in ({"clientSeed": "lucky"}, {"clientSeed": None}, {}):
        assert (await spin(provider, session, **changed)).status_code == 200
    first, second, third = require_fair_draws(owner_url)
    assert first["client_seed"] == "lucky"
    assert (second["client_seed"], third["client_seed"]) == (second["spin_id"], third["spin_id"])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"stake": 2000}, "stake"),
        ({"gameId": "SLOTS_002"}, "gameId"),
    ],
)
async def test_a_spin_id_with_other_content_is_refused(
    provider: Running, wallet: FakeWallet, changed: dict[str, Any], field: str
) -> None:
    await spin(provider, await provider.launch(), spinId="s-1")
    made = len(wallet.calls)
    session = await provider.launch(gameId=changed.pop("gameId", "SLOTS_001"))
    answer = await spin(provider, session, spinId="s-1", **changed)
    assert code_of(answer) == (422, "idempotency_mismatch")
    assert answer.json()["field"] == field
    assert len(wallet.calls) == made


BAD = {
    "spinId": [None, "", "a" * 65, "a b", "a.b", "é", 1.5, True, {}, "a\n"],
    "stake": [None, 0, -1, 1.0, "1000", True, {}],
    "clientSeed": ["", "a" * 65, "a b", "a:b", 1.5, True, []],
    "sessionToken": [None, ""],
    "providerSessionId": [None, ""],
    "userId": [None, ""],
    "gameId": [None, ""],
    "currency": [None, "usd"],
    "casinoCode": [None, ""],
}


async def test_a_field_that_is_not_what_it_must_be_is_named(provider: Running, wallet: FakeWallet) -> None:
    session = await provider.launch()
    for field, values in BAD.items():
        for value in values:
            answer = await spin(provider, session, **{field: value})
            assert (*code_of(answer), answer.json()["field"]) == (400, "invalid_field", field), value
    assert wallet.calls == []


UNFIT: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"stake": 100_001}, (400, "stake_too_high")),
    ({"stake": 2**63}, (400, "stake_too_high")),
    ({"stake": 10**120}, (400, "stake_too_high")),
    ({"sessionToken": "another"}, (404, "session_not_found")),
    ({"providerSessionId": "nothing"}, (404, "session_not_found")),
    ({"userId": "2"}, (403, "session_player_mismatch")),
    ({"gameId": "CRASH_001"}, (404, "game_not_found")),
    ({"currency": "EUR"}, (400, "currency_mismatch")),
    ({"casinoCode": "ACME"}, (404, "not_found")),
]


async def test_a_spin_that_does_not_fit_its_session_is_refused(
    provider: Running, owner_url: str, wallet: FakeWallet
) -> None:
    session = await provider.launch()
    for changed, expected in UNFIT:
        assert code_of(await spin(provider, session, **changed)) == expected, changed
    assert wallet.calls == []
    assert rows(owner_url, "select from provider.rounds") == []


async def test_the_limits_themselves_are_stakes(provider: Running) -> None:
    session = await provider.launch()
    for stake in (1, 100_000):
        assert (await spin(provider, session, stake=stake)).status_code == 200


async def test_free_spins_are_one_round_with_one_debit_and_one_credit(
    provider: Running, wallet: FakeWallet, owner_url: str
) -> None:
    """The published vector: docs/fairness.md."""
    await spin(provider, await provider.launch(gameId="SLOTS_002"))
    wallet.calls.clear()
    secret = b"\x33" * 32
    sealed = Sealer([DEMO_SEALING_KEY.encode()], purpose=SEEDS).seal(secret.hex())
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.server_seeds set retired_at = now()")
        connection.execute(
            "insert into provider.server_seeds (seed_id, player_id, game_code, seed_sealed, seed_sha256)"
            " select gen_random_uuid(), player_id, game_code, %s, %s from provider.server_seeds",
            (sealed, seed_hash(secret)),
        )
    session = await provider.launch(gameId="SLOTS_002")
    answers = [(await spin(provider, session, clientSeed="lucky")).json() for _ in range(6)]
    events = answers[5]["events"]
    assert ([event["type"] for event in events].count("spin"), answers[5]["win"]) == (11, 2000)
    assert {"type": "free_spins", "count": 10} in events
    assert (len(wallet.made("debit")), len(wallet.made("credit"))) == (6, 6)
    require_fair_draws(owner_url)


async def test_a_game_that_is_no_slot_of_ours_has_no_spin(provider: Running, wallet: FakeWallet) -> None:
    for game in ("CRASH_001", "CRASH_002"):
        assert code_of(await spin(provider, await provider.launch(gameId=game))) == (404, "game_not_found")
    assert wallet.calls == []


async def test_a_repetition_comes_before_every_gate(two: Two, owner_url: str) -> None:
    session = await two.other.launch()
    first = await spin(two.other, session, spinId="s-1")
    assert first.status_code == 200
    with psycopg.connect(owner_url) as connection:
        connection.execute("select provider.stop_session(%s, 'excluded')", (session["providerSessionId"],))
    assert (await spin(two.other, session, spinId="s-1")).content == first.content
    assert code_of(await spin(two.other, session)) == (404, "session_expired")
    await two.status("draining")
    assert (await spin(two.other, session, spinId="s-1")).content == first.content
    assert code_of(await spin(two.other, session)) == (423, "casino_draining")


async def test_players_of_two_casinos_share_neither_spins_nor_seeds(
    two: Two, owner_url: str, wallet: FakeWallet, acme: FakeWallet
) -> None:
    own, other = await two.own.launch(), await two.other.launch()
    answers = [await spin(two.own, own, spinId="s-1"), await spin(two.other, other, spinId="s-1", stake=2000)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["roundId"] != answers[1].json()["roundId"]
    assert [len(each.made("debit")) for each in (wallet, acme)] == [1, 1]
    assert len({draw["seed_id"] for draw in require_fair_draws(owner_url)}) == 2
    stolen = own | {"casinoCode": "ACME"}
    assert code_of(await spin(two.other, stolen)) == (404, "session_not_found")


async def test_rounds_of_a_casino_have_a_bound(database_url: str, wallet: FakeWallet) -> None:
    async with serving(database_url, wallet, rounds_max=1) as provider:
        first, second = await provider.launch(userId="1"), await provider.launch(userId="2")
        wallet.plan("debit", hold)
        playing = asyncio.create_task(spin(provider, first))
        await asyncio.to_thread(wallet.reached.wait, 60)
        refused = await spin(provider, second)
        assert (*code_of(refused), refused.headers["retry-after"]) == (503, "overloaded", "1")
        assert (await provider.client.post("/provider/simulate", json=second)).status_code == 503
        wallet.forget_plans()
        assert (await playing).status_code == 200
        assert (await spin(provider, second)).status_code == 200


async def test_spins_take_half_of_the_capacity_and_launches_find_the_rest(
    database_url: str, wallet: FakeWallet
) -> None:
    async with serving(database_url, wallet, requests_max=4) as provider:
        sessions = [await provider.launch(userId=str(number)) for number in range(3)]
        wallet.plan("debit", hold, times=2)
        playing = [asyncio.create_task(spin(provider, session)) for session in sessions[:2]]
        await until(lambda: len(wallet.made("debit")) == 2)
        assert code_of(await spin(provider, sessions[2])) == (503, "overloaded")
        await provider.launch(userId="4")
        wallet.forget_plans()
        assert [(await each).status_code for each in playing] == [200, 200]
        assert (await spin(provider, sessions[2])).status_code == 200
