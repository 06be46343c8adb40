"""Protocol section 3, Providers: two studios at one casino over HTTP, each trying what is the other's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
from structlog.typing import EventDict

from casino.callbacks.feed import CALLS_OF_PROVIDER_MAX
from casino.sessions.circuit import FAILURES_MAX, Circuit
from casino.sessions.provider_client import CONNECTIONS_MAX
from casino.settings import DIRECTIONS
from casino_testing.edge import bet, payout, rollback, serving
from casino_testing.processes import held_transaction
from casino_testing.scrape import scrape, until_shown
from casino_testing.studios import (
    ACME_SLOTS,
    Studios,
    acme,
    game,
    providers_file,
    ring_of,
    secret_of,
    two_studios,
)
from casino_testing.tenant import OPENING_BALANCE_MINOR, SLOTS, Tenant
from shared_service_testing.waiting import until
from shared_signing.httpx_auth import SignedAuth
from shared_signing.signer import Signer

MESSAGE = "This game is closed for maintenance."


@pytest.fixture
async def studios(tenant: Tenant, tmp_path: Path) -> AsyncIterator[Studios]:
    async with two_studios(tenant, tmp_path / "providers.json") as both:
        yield both


def code_of(response: httpx.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("code")


async def status_of_acme(studios: Studios) -> int:
    """What the second studio's signature gets: 404 while its key is known."""
    response = await studios.acme.get("/casino/transactions/never?userId=1")
    return response.status_code


async def test_a_launch_goes_to_the_games_studio_with_its_keys_and_its_name_for_the_casino(studios: Studios) -> None:
    response = await studios.launch(ACME_SLOTS)
    assert response.status_code == 201
    assert response.json()["launchUrl"].startswith("http://acme.test/play?gameId=SLOTS_001&session=")
    assert len(studios.network.acme.requests) == 1, "signed with a key of that studio, or it had refused"
    assert studios.network.acme.asked()["casinoCode"] == "AT-ACME"
    assert (await studios.launch(SLOTS)).status_code == 201
    assert studios.network.main.asked()["casinoCode"] == studios.service.tenant.tenant_id
    providers = [row["provider_id"] for row in studios.service.tenant.rows("game_sessions")]
    assert sorted(providers) == ["acme", "main"]


async def test_both_studios_play_with_the_same_ids(studios: Studios, tenant: Tenant) -> None:
    ours, theirs = await studios.token(SLOTS), await studios.token(ACME_SLOTS)
    ids = {"transactionId": "1001", "roundId": "1"}
    assert (await studios.service.post("debit", bet(ours, **ids))).json()["balance"] == "999000"
    answer = await studios.as_acme("debit", bet(theirs, **ids))
    assert answer.json()["balance"] == "998000"
    assert answer.extensions["signature"] == "good", "its own key signed the answer"
    again = await studios.as_acme("debit", bet(theirs, **ids))
    assert (again.content, again.headers["idempotent-replay"]) == (answer.content, "true")
    assert len(tenant.transactions()) == 2


async def test_a_session_of_the_other_studio_is_not_found(studios: Studios, tenant: Tenant) -> None:
    ours, theirs = await studios.token(SLOTS), await studios.token(ACME_SLOTS)
    await studios.service.post("debit", bet(ours, transactionId="1001"))
    before = tenant.money_rows()
    for call, token in ((studios.as_acme, ours), (studios.service.post, theirs)):
        for endpoint, content in (
            ("getBalance", {"sessionToken": token, "userId": "1"}),
            ("debit", bet(token)),
            ("credit", payout(token, "1001")),
            ("rollback", rollback(token, "1001")),
        ):
            response = await call(endpoint, content)
            assert code_of(response) == (404, "session_not_found"), endpoint
            assert response.extensions["signature"] == "good"
    assert tenant.money_rows() == before
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_000


async def test_feed_and_look_up_hold_only_the_studios_own(studios: Studios) -> None:
    ours, theirs = await studios.token(SLOTS), await studios.token(ACME_SLOTS)
    await studios.service.post("debit", bet(ours, transactionId="of main"))
    await studios.as_acme("debit", bet(theirs, transactionId="of acme"))

    async def fed(client: httpx.AsyncClient) -> list[str]:
        page = (await client.get("/casino/transactions")).json()
        return [row["transactionId"] for row in page["transactions"]]

    assert await until(lambda: fed(studios.service.signed)) == ["of main"]
    assert await until(lambda: fed(studios.acme)) == ["of acme"]
    for client, own, other in (
        (studios.service.signed, "of main", "of acme"),
        (studios.acme, "of acme", "of main"),
    ):
        assert (await client.get(f"/casino/transactions/{own}?userId=1")).status_code == 200
        assert code_of(await client.get(f"/casino/transactions/{other}?userId=1")) == (404, "not_found")


async def test_a_tombstone_is_not_found_by_the_other_studio(studios: Studios) -> None:
    theirs = await studios.token(ACME_SLOTS)
    await studios.as_acme("rollback", rollback(theirs, "never came"))
    assert (await studios.acme.get("/casino/transactions/never%20came?userId=1")).json()["state"] == "cancelled"
    response = await studios.service.get("/casino/transactions/never%20came?userId=1")
    assert code_of(response) == (404, "not_found")


async def test_a_key_for_the_other_direction_signs_nothing(studios: Studios) -> None:
    ring = ring_of("acme-provider")
    auth = SignedAuth(Signer(ring), ring, "x-casino-signature")
    response = await studios.acme.get("/casino/transactions", auth=auth)
    assert code_of(response) == (401, "unknown_key")


async def test_an_answer_of_the_other_studio_is_not_believed(studios: Studios, tenant: Tenant) -> None:
    """The second studio answers with a key of the first one."""
    studios.network.acme.ring = studios.network.main.ring
    assert code_of(await studios.launch(ACME_SLOTS)) == (502, "provider_unreachable")
    assert [row["closed_at"] is not None for row in tenant.rows("game_sessions")] == [True]


async def test_a_draining_studio_gets_no_launch_and_no_new_bet_and_ends_what_it_began(
    studios: Studios, tenant: Tenant
) -> None:
    token = await studios.token(ACME_SLOTS)
    placed, undone = bet(token, roundId="1"), bet(token, roundId="2")
    first = await studios.as_acme("debit", placed)
    await studios.as_acme("debit", undone)
    studios.write(acme(status="draining"))
    await until(lambda: _is_draining(studios))
    launched = len(studios.network.acme.requests)
    refusal = await studios.launch(ACME_SLOTS)
    assert (code_of(refusal), refusal.json()["playerMessage"]) == ((423, "provider_draining"), MESSAGE)
    assert len(studios.network.acme.requests) == launched, "it was not asked"

    late = bet(token, roundId="3")
    refused = await studios.as_acme("debit", late)
    assert (code_of(refused), refused.json()["playerMessage"]) == ((423, "provider_draining"), MESSAGE)
    assert (await studios.as_acme("debit", placed)).content == first.content, "a replay comes before every gate"
    won = await studios.as_acme("credit", payout(token, placed["transactionId"], roundId="1"))
    back = await studios.as_acme("rollback", rollback(token, undone["transactionId"], roundId="2"))
    read = await studios.as_acme("getBalance", {"sessionToken": token, "userId": "1"})
    assert [answer.status_code for answer in (won, back, read)] == [200, 200, 200]
    assert (await studios.acme.get("/casino/transactions")).status_code == 200
    assert (await studios.service.post("debit", bet(await studios.token(SLOTS)))).status_code == 200, "nobody else"

    studios.write(acme())
    await until(lambda: _takes_launches(studios))
    assert (await studios.as_acme("debit", late)).content == refused.content, "it is remembered"
    assert tenant.transaction(late["transactionId"])["state"] == "refused"


async def _is_draining(studios: Studios) -> bool:
    return (await studios.launch(ACME_SLOTS)).status_code == 423


async def _takes_launches(studios: Studios) -> bool:
    return (await studios.launch(ACME_SLOTS)).status_code == 201


@pytest.mark.parametrize("entries", [[acme(status="off")], []], ids=["off", "gone"])
async def test_a_studio_that_is_off_or_gone_is_unknown_and_comes_back(
    studios: Studios, entries: list[dict[str, object]]
) -> None:
    token = await studios.token(ACME_SLOTS)
    studios.write(*entries)
    await until(lambda: _answers(studios, 401))
    refused = await studios.as_acme("debit", bet(token))
    assert (code_of(refused), refused.extensions["signature"]) == ((401, "unknown_key"), "missing")
    launch = await studios.launch(ACME_SLOTS)
    assert (code_of(launch), launch.json()["playerMessage"]) == ((423, "provider_draining"), MESSAGE)
    assert (await studios.launch(SLOTS)).status_code == 201
    studios.write(acme())
    await until(lambda: _answers(studios, 404))
    assert (await studios.as_acme("debit", bet(token))).status_code == 200, "its session is still there"


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_a_studio_whose_keys_have_ended_gets_no_launch_and_is_named_once(
    studios: Studios, logged: list[EventDict], direction: str
) -> None:
    entry = acme()
    entry["keys"][direction][0]["notAfter"] = "2020-01-01T00:00:00Z"
    studios.write(entry)
    await until(lambda: _is_draining(studios))
    refusal = await studios.launch(ACME_SLOTS)
    assert (code_of(refusal), refusal.json()["playerMessage"]) == ((423, "provider_draining"), MESSAGE)
    assert (await studios.launch(SLOTS)).status_code == 201, "nobody else"
    studios.write(acme())
    await until(lambda: _takes_launches(studios))
    said = [event for event in logged if event["event"] == "peer_without_live_key"]
    assert [(event["peer"], event["directions"], event["log_level"]) for event in said] == [
        ("acme", [direction], "error")
    ]


async def _answers(studios: Studios, status: int) -> bool:
    return await status_of_acme(studios) == status


async def test_the_log_names_the_studios_that_came_changed_and_are_gone(
    studios: Studios, logged: list[EventDict]
) -> None:
    second = {"keys": {side: [{"id": "b", "secret": secret_of(f"b-{side}")}] for side in DIRECTIONS}, "games": []}
    for entries in (
        [acme(), acme(id="beta", **second)],
        [acme(casinoCode="ELSEWHERE"), acme(id="gamma", **second)],
        [],
    ):
        seen = len(logged)
        studios.write(*entries)
        await until(lambda: [event for event in logged[seen:] if event["event"] == "peers_changed"])  # noqa: B023
    said = [event for event in logged if event["event"] == "peers_changed"]
    assert [[event[name] for name in ("added", "changed", "removed")] for event in said[-3:]] == [
        [["beta"], [], []],
        [["gamma"], ["acme"], ["beta"]],
        [[], [], ["acme", "gamma"]],
    ]


async def test_the_studio_of_the_environment_has_a_status_too(studios: Studios) -> None:
    studios.write({"id": "main", "status": "draining"}, acme())
    await until(lambda: _launch_answers(studios, 423))
    assert (await studios.launch(ACME_SLOTS)).status_code == 201
    studios.write(acme())
    await until(lambda: _launch_answers(studios, 201))


async def _launch_answers(studios: Studios, status: int) -> bool:
    return (await studios.launch(SLOTS)).status_code == status


async def test_a_game_of_another_studio_refuses_the_file_and_the_last_good_one_stays(
    studios: Studios, tenant: Tenant, logged: list[EventDict]
) -> None:
    mine = game(SLOTS, "STOLEN")
    studios.write(acme(games=[game(), mine]))
    refusals = await until(lambda: [event for event in logged if event["event"] == "key_file_refused"])
    assert refusals[0]["why"] == f"game {SLOTS} belongs to provider main"
    assert refusals[0]["file"] == "CASINO_PROVIDERS_FILE"
    assert await status_of_acme(studios) == 404
    await until_shown(studios.service.anybody, 1, "casino_key_file_refused", direction="peers")
    assert {row["game_code"] for row in tenant.rows_of_tenant("games")} == {"SLOTS_001", "CRASH_001"}
    studios.write(acme(games=[game(name="Renamed", minBet=2_000, maxBet=3_000, maxWin=9_000, twoParty=True)]))

    async def renamed() -> bool:
        return any(row["display_name"] == "Renamed" for row in tenant.rows_of_tenant("games"))

    await until(renamed)
    (row,) = [row for row in tenant.rows_of_tenant("games") if row["game_id"] == ACME_SLOTS]
    assert (row["stake_min_minor"], row["stake_max_minor"], row["win_cap_minor"], row["two_party"]) == (
        2_000, 3_000, 9_000, True,
    )  # fmt: skip
    assert len([event for event in logged if event["event"] == "key_file_refused"]) == 1, "said once"
    await until(lambda: [event for event in logged if event["event"] == "key_file_good_again"])

    async def shows_none() -> bool:
        return (await scrape(studios.service.anybody)).value("casino_key_file_refused") == 0

    await until(shows_none)


async def test_a_studio_is_in_force_in_every_process(tenant: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "providers.json"
    async with two_studios(tenant, path) as one, serving(tenant, providers_file=providers_file(path)) as other:
        ring = ring_of("acme-casino")
        one.write()
        for client in (one.acme, httpx.AsyncClient(
            transport=httpx.ASGITransport(other.app), base_url="http://casino.test",
            auth=SignedAuth(Signer(ring), ring, "x-casino-signature"),
        )):  # fmt: skip

            async def is_unknown(client: httpx.AsyncClient = client) -> bool:
                return (await client.get("/casino/transactions")).status_code == 401

            await until(is_unknown)


async def test_a_studio_that_hangs_delays_no_other(studios: Studios) -> None:
    """It holds its own calls, one more is refused at once, and the other studio's launches are answered."""
    studios.network.hangs = asyncio.Event()
    hanging = [asyncio.create_task(studios.launch(ACME_SLOTS)) for _ in range(CONNECTIONS_MAX)]
    await until(lambda: studios.network.waiting == CONNECTIONS_MAX)
    assert code_of(await studios.launch(ACME_SLOTS)) == (503, "overloaded")
    answers = await asyncio.gather(*(studios.launch(SLOTS) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [201] * 10
    token = answers[0].json()["sessionToken"]
    assert (await studios.service.post("debit", bet(token))).status_code == 200
    assert not any(task.done() for task in hanging)
    studios.network.hangs.set()
    assert {answer.status_code for answer in await asyncio.gather(*hanging)} == {201}


async def test_a_studio_that_floods_the_look_up_leaves_connections_to_the_other(
    studios: Studios, tenant: Tenant
) -> None:
    """What it asks beyond its bound is refused at once, while its first questions still wait."""
    with held_transaction(tenant) as holder:
        holder.execute("lock table casino.tombstones in access exclusive mode")
        flood = [asyncio.create_task(status_of_acme(studios)) for _ in range(CALLS_OF_PROVIDER_MAX + 10)]
        await until(lambda: sum(task.done() for task in flood) == 10)
        assert {task.result() for task in flood if task.done()} == {503}
        other = asyncio.create_task(studios.service.signed.get("/casino/transactions/never?userId=1"))
        await asyncio.sleep(0)
        assert not other.done(), "it waits its turn"
    assert {await task for task in flood} == {404, 503}
    assert (await other).status_code == 404


async def test_requests_are_counted_for_each_studio(studios: Studios) -> None:
    token = await studios.token(ACME_SLOTS)
    await studios.as_acme("debit", bet(token))
    await studios.as_acme("debit", bet("never given"))
    await studios.service.post("debit", bet(await studios.token(SLOTS)))
    shown = await scrape(studios.service.anybody)
    counted = {
        (peer, code): shown.value("casino_peer_requests_total", peer=peer, code=code)
        for peer in ("acme", "main")
        for code in ("ok", "session_not_found")
    }
    assert counted == {("acme", "ok"): 1, ("acme", "session_not_found"): 1, ("main", "ok"): 1,
                       ("main", "session_not_found"): 0}  # fmt: skip
    assert shown.label_values("peer") == {"acme", "main"}


async def test_a_studio_that_is_away_is_soon_not_called_any_more(studios: Studios) -> None:
    studios.network.acme.fails_with = httpx.ConnectError
    for _ in range(FAILURES_MAX + 5):
        assert code_of(await studios.launch(ACME_SLOTS)) == (502, "provider_unreachable")
    calls = len(studios.network.acme.requests)
    assert FAILURES_MAX <= calls < FAILURES_MAX + 5
    assert (await studios.launch(SLOTS)).status_code == 201
    studios.network.acme.fails_with = None
    await until(lambda: _takes_launches(studios))


def test_a_circuit_lets_one_call_a_second_through_until_one_is_answered() -> None:
    now = 100.0
    circuit = Circuit(lambda: now)
    for _ in range(FAILURES_MAX):
        assert circuit.lets_through()
        circuit.note(answered=False)
    assert not circuit.lets_through()
    now += 1.0
    assert [circuit.lets_through(), circuit.lets_through()] == [True, False]
    circuit.note(answered=False)
    assert not circuit.lets_through()
    now += 1.0
    assert circuit.lets_through()
    circuit.note(answered=True)
    assert [circuit.lets_through() for _ in range(3)] == [True] * 3


async def test_a_studio_that_moved_is_called_at_its_new_address(studios: Studios) -> None:
    await studios.token(ACME_SLOTS)
    studios.write(acme(url="http://main.test"))
    await until(lambda: _launch_of_acme_reaches_main(studios))


async def _launch_of_acme_reaches_main(studios: Studios) -> bool:
    before = len(studios.network.main.requests)
    await studios.launch(ACME_SLOTS)
    return len(studios.network.main.requests) > before


async def test_a_revoked_key_of_a_studio_is_refused_and_its_other_one_goes_on(
    own_database: str, tmp_path: Path
) -> None:
    tenant = Tenant.demo(own_database)
    newer = [{"id": key_id, "secret": secret_of(key_id)} for key_id in ("acme-casino", "acme-2")]
    keys = {"casino": newer, "provider": [{"id": "acme-provider", "secret": secret_of("acme-provider")}]}
    async with two_studios(tenant, tmp_path / "providers.json", acme(keys=keys)) as studios:
        with psycopg.connect(own_database, autocommit=True) as connection:
            connection.execute(
                "insert into casino.key_revocations (direction, key_id) values ('casino', 'acme-casino')"
            )
        await until(lambda: _answers(studios, 401))
        ring = ring_of("acme-2")
        auth = SignedAuth(Signer(ring), ring, "x-casino-signature")
        assert (await studios.acme.get("/casino/transactions", auth=auth)).status_code == 200
    tenant.close()


async def test_a_file_whose_games_cannot_be_taken_over_now_delays_no_revocation(
    own_database: str, tmp_path: Path
) -> None:
    """Somebody holds a game's row. The file waits for it; a key that was stolen does not."""
    tenant = Tenant.demo(own_database)
    async with two_studios(tenant, tmp_path / "providers.json") as studios:
        with psycopg.connect(own_database) as operator, psycopg.connect(own_database, autocommit=True) as owner:
            operator.execute("select from casino.games where game_id = %s for update", [ACME_SLOTS])
            studios.write(acme(games=[game(name="Renamed")]))
            await until(lambda: _waits_for_a_lock(tenant))
            owner.execute("insert into casino.key_revocations (direction, key_id) values ('casino', 'acme-casino')")
            await until(lambda: _answers(studios, 401))
            assert [row["display_name"] for row in tenant.rows_of_tenant("games")].count("Renamed") == 0
        owner.close()
        await until(lambda: _is_renamed(tenant))
    tenant.close()


async def _waits_for_a_lock(tenant: Tenant) -> bool:
    query = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return bool(tenant.sql(query))


async def _is_renamed(tenant: Tenant) -> bool:
    return any(row["display_name"] == "Renamed" for row in tenant.rows_of_tenant("games"))
