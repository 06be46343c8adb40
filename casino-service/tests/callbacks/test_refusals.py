"""Protocol section 6: every code that this service can answer with, over HTTP, with its status and its shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from casino.errors import ERRORS
from casino_testing.edge import JSON, FakeProvider, Service, bet, payout, rollback, serving
from casino_testing.limits import count
from casino_testing.processes import Wire, held_transaction
from casino_testing.tenant import Tenant
from shared_service.postgres import group_commit
from shared_signing.keys import KeyRing, parse_keys

Provocation = Callable[[Service], Awaitable[httpx.Response]]
LATER = datetime.now(UTC) + timedelta(days=1)
AT_THE_WALLET: dict[str, Provocation] = {}
BY_THE_CLIENT: dict[str, Provocation] = {}


def provokes(code: str, table: dict[str, Provocation]) -> Callable[[Provocation], Provocation]:
    def enter(provocation: Provocation) -> Provocation:
        table[code] = provocation
        return provocation

    return enter


async def refused_bet(service: Service, **fields: object) -> httpx.Response:
    return await service.post("debit", bet(await service.launch(), **fields))


def bet_with(code: str, **fields: object) -> None:
    async def provoke(service: Service) -> httpx.Response:
        return await refused_bet(service, **fields)

    AT_THE_WALLET[code] = provoke


def gated(code: str, **columns: object) -> None:
    async def provoke(service: Service) -> httpx.Response:
        token = await service.launch()
        service.tenant.set_wallet("1", **columns)
        return await service.post("debit", bet(token))

    AT_THE_WALLET[code] = provoke


bet_with("invalid_field", roundId="")
bet_with("bad_amount", amount=10.0)
bet_with("currency_mismatch", currency="EUR")
bet_with("stake_too_low", amount=999)
bet_with("stake_too_high", amount=100_001)
bet_with("session_player_mismatch", userId="2")
bet_with("session_not_found", sessionToken="never given")
gated("player_excluded", excluded_until=LATER)
gated("wallet_blocked", blocked_at=datetime.now(UTC))
gated("cooldown_active", cooldown_until=LATER)
gated("bonus_ack_required", bonus_ack_required=True)


@provokes("session_time_limit", AT_THE_WALLET)
async def no_time_left(service: Service) -> httpx.Response:
    token = await service.launch()
    count(service.tenant, day_time_max=timedelta(0))
    return await service.post("debit", bet(token))


@provokes("malformed_json", AT_THE_WALLET)
async def not_an_object(service: Service) -> httpx.Response:
    return await service.post("debit", b"[]")


@provokes("round_mismatch", AT_THE_WALLET)
async def anothers_round(service: Service) -> httpx.Response:
    await service.post("debit", bet(await service.launch()))
    return await refused_bet(service)


@provokes("no_matching_bet", AT_THE_WALLET)
async def win_without_a_bet(service: Service) -> httpx.Response:
    return await service.post("credit", payout(await service.launch(), "never seen"))


@provokes("bet_rolled_back", AT_THE_WALLET)
async def win_of_a_dead_bet(service: Service) -> httpx.Response:
    token = await service.launch()
    content = bet(token)
    await service.post("debit", content)
    await service.post("rollback", rollback(token, content["transactionId"]))
    return await service.post("credit", payout(token, content["transactionId"]))


@provokes("transaction_rolled_back", AT_THE_WALLET)
async def late_bet(service: Service) -> httpx.Response:
    token = await service.launch()
    content = bet(token)
    await service.post("rollback", rollback(token, content["transactionId"]))
    return await service.post("debit", content)


async def paid_round(service: Service) -> tuple[str, str, str]:
    """The session's token, and the ids of a bet and of its payout."""
    token = await service.launch()
    content = bet(token)
    await service.post("debit", content)
    win = payout(token, content["transactionId"])
    await service.post("credit", win)
    return token, content["transactionId"], win["transactionId"]


@provokes("round_has_payout", AT_THE_WALLET)
async def rollback_of_a_paid_bet(service: Service) -> httpx.Response:
    token, bet_id, _ = await paid_round(service)
    return await service.post("rollback", rollback(token, bet_id))


@provokes("not_a_bet", AT_THE_WALLET)
async def rollback_of_a_win(service: Service) -> httpx.Response:
    token, _, win_id = await paid_round(service)
    return await service.post("rollback", rollback(token, win_id))


@provokes("win_cap_exceeded", AT_THE_WALLET)
async def too_big_a_win(service: Service) -> httpx.Response:
    service.tenant.set_game(win_cap_minor=1_999)
    token = await service.launch()
    content = bet(token)
    await service.post("debit", content)
    return await service.post("credit", payout(token, content["transactionId"]))


@provokes("insufficient_balance", AT_THE_WALLET)
async def bet_of_the_poor(service: Service) -> httpx.Response:
    service.tenant.open_player("poor", balance_minor=1)
    return await service.post("debit", bet(await service.launch("poor"), userId="poor"))


@provokes("limit_exceeded", AT_THE_WALLET)
async def bet_over_the_limit(service: Service) -> httpx.Response:
    token = await service.launch()
    service.tenant.sql("update casino.game_sessions set loss_limit_minor = 0 where ledger_id = %s",
                       service.tenant.ledger_id)  # fmt: skip
    return await service.post("debit", bet(token))


@provokes("session_expired", AT_THE_WALLET)
async def bet_after_the_end(service: Service) -> httpx.Response:
    token = await service.launch()
    service.tenant.sql("update casino.game_sessions set expires_at = now() - interval '1 hour' where ledger_id = %s",
                       service.tenant.ledger_id)  # fmt: skip
    return await service.post("debit", bet(token))


@provokes("idempotency_mismatch", AT_THE_WALLET)
async def same_id_other_content(service: Service) -> httpx.Response:
    content = bet(await service.launch())
    await service.post("debit", content)
    return await service.post("debit", {**content, "amount": 1_001})


@provokes("not_found", AT_THE_WALLET)
async def unknown_transaction(service: Service) -> httpx.Response:
    return await service.get("/casino/transactions/never-seen?userId=1")


@provokes("method_not_allowed", AT_THE_WALLET)
async def get_instead_of_post(service: Service) -> httpx.Response:
    return await service.get("/casino/debit")


@provokes("unsupported_media_type", BY_THE_CLIENT)
async def text_instead_of_json(service: Service) -> httpx.Response:
    headers = {"content-type": "text/plain"}
    return await service.anybody.post("/casino/launchGame", content=b"{}", headers=headers)


@provokes("session_busy", AT_THE_WALLET)
async def bet_of_a_held_wallet(service: Service) -> httpx.Response:
    token = await service.launch()
    with held_transaction(service.tenant) as holder:
        holder.execute("select 1 from casino.wallets where ledger_id = %s for update", [service.tenant.ledger_id])
        return await service.post("debit", bet(token))


@provokes("player_not_found", BY_THE_CLIENT)
async def launch_of_a_stranger(service: Service) -> httpx.Response:
    return await service.anybody.post("/casino/launchGame", json={"userId": "nobody", "gameId": "1"})


@provokes("game_not_found", BY_THE_CLIENT)
async def launch_of_no_game(service: Service) -> httpx.Response:
    return await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "99"})


@provokes("game_disabled", BY_THE_CLIENT)
async def launch_of_a_closed_game(service: Service) -> httpx.Response:
    service.tenant.set_game(disabled_at=datetime.now(UTC))
    return await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})


@provokes("play_stopped", AT_THE_WALLET)
async def bet_of_a_suspended_tenant(service: Service) -> httpx.Response:
    token = await service.launch()
    service.tenant.set_tenant(status="SUSPENDED")
    return await service.post("debit", bet(token))


@provokes("provider_draining", BY_THE_CLIENT)
async def launch_of_a_game_whose_provider_is_gone(service: Service) -> httpx.Response:
    service.tenant.set_game(provider_id="gone")
    return await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})


@provokes("provider_unreachable", BY_THE_CLIENT)
async def launch_without_a_provider(service: Service) -> httpx.Response:
    service.provider.fails_with = httpx.ConnectError
    return await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})


@provokes("provider_rejected", BY_THE_CLIENT)
async def launch_of_a_game_that_the_provider_does_not_have(service: Service) -> httpx.Response:
    service.provider.status, service.provider.answer = 404, {"code": "game_not_found"}
    return await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})


@provokes("body_too_large", BY_THE_CLIENT)
async def launch_with_a_huge_body(service: Service) -> httpx.Response:
    return await service.anybody.post("/casino/launchGame", json={"userId": "1", "note": "x" * 65_536})


TELLS_BOUNDS = {"bad_amount": f": 1 to {2**53 - 1}", "stake_too_low": ": 1000", "stake_too_high": ": 100000"}


def must_be(response: httpx.Response, code: str) -> None:
    kind = ERRORS[code]
    content = response.json()
    assert (response.status_code, content["code"]) == (kind.status, code)
    assert content.keys() - {"field", "serverTime"} == {"error", "code", "requestId", *kind.extras}
    assert content["error"].startswith(kind.sentence)
    assert content["error"].removeprefix(kind.sentence) == TELLS_BOUNDS.get(code, "")
    assert content["requestId"] == response.headers["x-request-id"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers.get("retry-after") == (str(kind.retry_after_seconds) if kind.retry_after_seconds else None)


@pytest.mark.parametrize("code", AT_THE_WALLET)
async def test_the_wallet_answers_with_this_code_signed_and_in_the_tables_words(
    service: Service, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(group_commit, "BUSY_PATIENCE_SECONDS", 0.03)
    must_be(await AT_THE_WALLET[code](service), code)


@pytest.mark.parametrize("code", BY_THE_CLIENT)
async def test_a_client_is_answered_with_this_code_in_the_tables_words(service: Service, code: str) -> None:
    must_be(await BY_THE_CLIENT[code](service), code)


async def test_internal_errors_are_signed_and_say_that_the_outcome_is_unknown(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    async with serving(tenant) as service:
        token = await service.launch()
        tenant.sql("drop function casino.judge_batch")
        must_be(await service.post("debit", bet(token)), "internal")
    tenant.close()


async def test_a_nonce_that_cannot_be_claimed_is_an_answer_of_the_table_too(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    async with serving(tenant) as service:
        tenant.sql("drop function casino.take_nonces")
        response = await service.signed.post("/casino/debit", json=bet("a token"))
    tenant.close()
    assert response.status_code in (500, 503)
    must_be(response, response.json()["code"])
    assert response.extensions["signature"] == "missing", "the request was not verified to its end"


async def test_a_database_that_is_away_is_overload_and_nothing_was_done(tenant: Tenant) -> None:
    async with Wire.to(tenant.url) as wire:
        nobody_listens = wire.url
    async with serving(tenant, database_url=nobody_listens, pool_wait_seconds=0.05) as service:
        response = await service.signed.post("/casino/debit", json=bet("a token"))
        must_be(response, "overloaded")
        assert response.extensions["signature"] == "missing"
        must_be(await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"}), "overloaded")


@pytest.mark.parametrize(
    ("authorization", "code"), [(None, "access_token_missing"), ("Bearer x", "access_token_invalid")]
)
async def test_outside_demo_mode_a_client_needs_a_token(tenant: Tenant, authorization: str | None, code: str) -> None:
    async with serving(tenant, demo=False, access_token_keys=parse_keys("s" * 32, None)) as service:
        headers = {} if authorization is None else {"authorization": authorization}
        response = await service.anybody.post("/casino/launchGame", json={"gameId": "1"}, headers=headers)
        must_be(response, code)


SIGNATURE_CODES = {
    *("signature_missing", "signature_malformed", "unknown_key", "bad_signature", "timestamp_out_of_window"),
    "nonce_replay",
}


def test_every_code_of_the_table_is_provoked_here_or_among_the_signatures() -> None:
    by_clients = {"access_token_missing", "access_token_invalid", "rate_limited", "session_fingerprint_mismatch"}
    before_the_application = {"malformed_request"}
    elsewhere = {"internal", "overloaded", *before_the_application, *by_clients, *SIGNATURE_CODES}
    assert {*AT_THE_WALLET, *BY_THE_CLIENT, *elsewhere} == set(ERRORS)


async def test_a_second_key_signs_and_the_answer_is_signed_with_the_key_of_the_request(tenant: Tenant) -> None:
    newer = '[{"id": "k2", "secret": "another secret of the demo"}]'
    both = tuple(parse_keys("casino-secret", newer))
    async with serving(tenant, casino_keys=both, ring=KeyRing(both)) as service:
        response = await service.post("debit", bet(await service.launch()))
        assert ",k=k2," in response.headers["x-casino-signature"]
    async with serving(tenant, casino_keys=both, provider=FakeProvider()) as service:
        response = await service.post("debit", bet(await service.launch()))
        assert ",k=main," in response.headers["x-casino-signature"]


async def test_json_may_name_its_character_set(service: Service) -> None:
    token = await service.launch()
    headers = {**JSON, "content-type": "Application/JSON ; charset=utf-8"}
    assert (await service.post("debit", bet(token), headers=headers)).status_code == 200
