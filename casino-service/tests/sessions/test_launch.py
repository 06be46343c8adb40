"""launchGame and simulateRound: the casino's session first, then the provider's side of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from structlog.typing import EventDict

from casino_testing.edge import CASINO_RING, FakeProvider, Service, bet, serving
from casino_testing.tenant import Tenant

LAUNCH = {"userId": "1", "gameId": "1"}


async def launch(service: Service, **fields: Any) -> httpx.Response:
    return await service.anybody.post("/casino/launchGame", json={**LAUNCH, **fields})


def sessions(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.rows("game_sessions")


async def test_a_launch_answers_all_that_a_game_page_needs(service: Service, tenant: Tenant) -> None:
    response = await launch(service)
    assert response.status_code == 201
    content = response.json()
    (session,) = sessions(tenant)
    assert content == {
        "sessionToken": content["sessionToken"],
        "providerSessionId": session["provider_session_id"],
        "launchUrl": f"http://127.0.0.1:8100/play?gameId=SLOTS_001&session={session['provider_session_id']}",
        "gameId": "1",
        "currency": "USD",
        "balance": "1000000",
        "minBet": "1000",
        "maxBet": "100000",
        "expiresAt": content["expiresAt"],
    }
    assert len(bytes.fromhex(content["sessionToken"])) == 32
    life = datetime.fromisoformat(content["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < life <= timedelta(minutes=30)
    assert content["sessionToken"] not in content["launchUrl"], "addresses end up in logs"


async def test_the_provider_is_asked_with_a_signature_and_told_what_it_needs(service: Service, tenant: Tenant) -> None:
    response = await launch(service, gameId="2")
    (session,) = sessions(tenant)
    (request,) = service.provider.requests
    assert (request.method, str(request.url)) == ("POST", "http://provider.test/provider/launch")
    assert request.headers["x-request-id"] == response.headers["x-request-id"]
    assert service.provider.asked() == {
        "sessionToken": response.json()["sessionToken"],
        "casinoSessionId": str(session["session_id"]),
        "userId": "1",
        "gameId": "CRASH_001",
        "currency": "USD",
        "casinoCode": tenant.tenant_id,
    }


async def test_every_launch_has_a_token_of_its_own(service: Service) -> None:
    tokens = {(await launch(service)).json()["sessionToken"] for _ in range(5)}
    assert len(tokens) == 5


async def test_country_and_address_are_kept_with_the_session(service: Service, tenant: Tenant) -> None:
    assert (await launch(service, country="AT", ipAddress="2001:db8::7")).status_code == 201
    (session,) = sessions(tenant)
    assert (session["country"], str(session["client_address"])) == ("AT", "2001:db8::7")


async def test_an_address_that_is_none_and_a_missing_field_are_refused_and_named(
    service: Service, tenant: Tenant
) -> None:
    for address in ("", "localhost", "1.2.3", "1.2.3.4/8", "fe80::1%eth0", "1.2.3.4\n", 7):
        response = await launch(service, ipAddress=address)
        assert (response.status_code, response.json().get("field")) == (400, "ipAddress"), address
    for missing in LAUNCH:
        content = {name: value for name, value in LAUNCH.items() if name != missing}
        response = await service.anybody.post("/casino/launchGame", json=content)
        assert (response.status_code, response.json()["field"]) == (400, missing)
    assert sessions(tenant) == []


@pytest.mark.parametrize(
    ("columns", "status", "code"),
    [
        ({"excluded_until": datetime.now(UTC) + timedelta(days=1)}, 403, "player_excluded"),
        ({"blocked_at": datetime.now(UTC)}, 403, "wallet_blocked"),
    ],
)
async def test_a_player_who_may_not_bet_gets_no_session(
    service: Service, tenant: Tenant, columns: dict[str, Any], status: int, code: str
) -> None:
    tenant.set_wallet(**columns)
    response = await launch(service)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert sessions(tenant) == []
    assert service.provider.requests == []


UNBELIEVABLE: dict[str, dict[str, Any]] = {
    "cannot be reached": {"fails_with": httpx.ConnectError},
    "does not answer in time": {"fails_with": httpx.ReadTimeout},
    "cuts the connection": {"fails_with": httpx.RemoteProtocolError},
    "answers without a signature": {"signs": False},
    "signs with the other direction's secret": {"ring": CASINO_RING},
    "answers 500": {"status": 500},
    "answers 404 without a signature": {"status": 404, "signs": False},
    "answers 401": {"status": 401},
    "answers 429": {"status": 429},
    "answers 201": {"status": 201},
    "redirects": {"status": 307},
    "names no session": {"answer": {}},
    "names an empty session": {"answer": {"providerSessionId": ""}},
    "names a session that is no text": {"answer": {"providerSessionId": ["x"]}},
    "names a session that cannot be stored": {"answer": {"providerSessionId": "nul\x00"}},
    "names a session of a megabyte": {"answer": {"providerSessionId": "x" * 1_000_000}},
}


PROVIDER_CALL_EVENTS = {"provider_call_failed", "provider_call_refused", "provider_answer_malformed"}


def behave(provider: FakeProvider, **how: Any) -> None:
    """Make a provider that serves already a fresh one of this behaviour."""
    vars(provider).update(vars(FakeProvider(**how)))


async def test_when_the_provider_does_not_join_the_session_is_closed_and_the_client_told(
    service: Service, tenant: Tenant, logged: list[EventDict]
) -> None:
    for how, behaviour in UNBELIEVABLE.items():
        logged.clear()
        behave(service.provider, **behaviour)
        response = await launch(service)
        assert (response.status_code, response.json()["code"]) == (502, "provider_unreachable"), how
        paths = [event["path"] for event in logged if event["event"] in PROVIDER_CALL_EVENTS]
        assert paths == ["/provider/launch"], f"{how}: the log says why"
        assert all(session["closed_at"] is not None for session in sessions(tenant)), how
    assert [session["provider_session_id"] for session in sessions(tenant)] == [None] * len(UNBELIEVABLE)


async def test_a_signed_refusal_of_the_provider_is_told_as_one_and_its_code_is_logged(
    service: Service, tenant: Tenant, logged: list[EventDict]
) -> None:
    codes: dict[int, list[Any]] = {status: ["game_not_found"] for status in (400, 403, 404, 409, 422, 423)}
    codes[404] += [None, 7, "", "Not a code\n", "x" * 65]
    for status, code in ((status, code) for status, several in codes.items() for code in several):
        logged.clear()
        behave(service.provider, status=status, answer={"error": "No such game.", "code": code})
        response = await launch(service)
        assert (response.status_code, response.json()["code"]) == (502, "provider_rejected"), status
        (refused,) = [event for event in logged if event["event"] == "provider_call_refused"]
        is_a_code = code == "game_not_found"
        assert (refused["status"], refused["provider_code"]) == (status, code if is_a_code else None)
        assert len(service.provider.requests) == 1
        assert all(session["closed_at"] is not None for session in sessions(tenant))


async def test_a_member_that_a_launchs_answer_lacks_is_named_in_the_log(
    tenant: Tenant, logged: list[EventDict]
) -> None:
    async with serving(tenant, provider=FakeProvider(answer={"maxBet": "5"})) as service:
        await launch(service)
    (malformed,) = [event for event in logged if event["event"] == "provider_answer_malformed"]
    assert malformed["field"] == "providerSessionId"


async def test_a_closed_session_takes_no_bet_from_a_provider_that_joined_after_all(tenant: Tenant) -> None:
    async with serving(tenant, provider=FakeProvider(signs=False)) as service:
        await launch(service)
        token = service.provider.asked()["sessionToken"]
        response = await service.post("debit", bet(token))
    assert (response.status_code, response.json()["code"]) == (404, "session_expired")


SPOILT_JSON = {
    "nested": b'{"providerSessionId":"p","a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "doubled": b'{"providerSessionId":"p","providerSessionId":"q"}',
    "a list": b'[{"providerSessionId":"p"}]',
    "not UTF-8": b'{"providerSessionId":"\xff"}',
    "with a mark of byte order": b'\xef\xbb\xbf{"providerSessionId":"p"}',
    "not a number": b'{"providerSessionId":"p","a":NaN}',
    "a number of thousands of digits": b'{"providerSessionId":' + b"9" * 10_000 + b"}",
    "a lone surrogate": b'{"providerSessionId":"\\ud800"}',
    "cut": b'{"providerSessionId":"p"',
    "no JSON": b"<html>",
    "nothing": b"",
}
"""Bodies of signed answers that are not one JSON object with one meaning."""


async def test_a_signed_answer_that_is_not_one_json_object_joins_no_session(service: Service, tenant: Tenant) -> None:
    for kind, body in SPOILT_JSON.items():
        behave(service.provider, answer=body)
        response = await launch(service)
        assert (response.status_code, response.json()["code"]) == (502, "provider_unreachable"), kind
        placed = await service.post("debit", bet(service.provider.asked()["sessionToken"]))
        assert (placed.status_code, placed.json()["code"]) == (404, "session_expired"), kind
        simulated = await service.anybody.post("/casino/simulateRound", json=LAUNCH)
        assert (simulated.status_code, simulated.json()["code"]) == (502, "provider_unreachable"), kind
    assert all(session["closed_at"] is not None for session in sessions(tenant))


async def test_an_integer_for_the_providers_session_means_its_decimal_string(tenant: Tenant) -> None:
    async with serving(tenant, provider=FakeProvider(answer={"providerSessionId": 42})) as service:
        response = await launch(service)
    assert (response.status_code, response.json()["providerSessionId"]) == (201, "42")


async def test_the_game_page_keeps_its_own_query_and_ids_are_quoted(tenant: Tenant) -> None:
    """Pitfall 32."""
    provider = FakeProvider(answer={"providerSessionId": "a&b=c d"})
    async with serving(tenant, provider=provider, game_url="https://games.test/play?theme=dark#top") as service:
        content = (await launch(service)).json()
    assert content["launchUrl"] == "https://games.test/play?theme=dark&gameId=SLOTS_001&session=a%26b%3Dc+d#top"


async def test_the_providers_address_of_the_page_is_handed_on_unchanged(tenant: Tenant) -> None:
    """Pitfall 31: only the studio knows which page a game has."""
    page = "https://games.test/play/JAQPOT/SLOTS_001?theme=dark#code=" + "A" * 43
    async with serving(tenant, provider=FakeProvider(answer={"providerSessionId": "p", "launchUrl": page})) as service:
        assert (await launch(service)).json()["launchUrl"] == page
    for bad in ("javascript:alert(1)", "//games.test", "https://games.test/a b", "https://g.test/" + "x" * 2048, 7):
        answer = {"providerSessionId": "p", "launchUrl": bad}
        async with serving(tenant, provider=FakeProvider(answer=answer)) as service:
            assert (await launch(service)).json()["launchUrl"].startswith("http://127.0.0.1:8100/play?gameId=")


async def test_simulate_round_launches_plays_and_hands_the_report_through(service: Service, tenant: Tenant) -> None:
    report = {"passed": True, "providerSessionId": "p-1", "steps": [{"step": 1}], "netProfit": "1000"}
    service.provider.answer = report
    response = await service.anybody.post("/casino/simulateRound", json=LAUNCH)
    assert (response.status_code, response.json()) == (200, report)
    assert [request.url.path for request in service.provider.requests] == ["/provider/launch", "/provider/simulate"]
    asked = service.provider.asked()
    assert asked == {
        "sessionToken": service.provider.asked(0)["sessionToken"],
        "providerSessionId": "p-1",
        "userId": "1",
        "gameId": "SLOTS_001",
        "currency": "USD",
        "casinoCode": tenant.tenant_id,
    }


async def test_a_simulation_that_fails_is_502_too(service: Service) -> None:
    service.provider.status = 500
    response = await service.anybody.post("/casino/simulateRound", json=LAUNCH)
    assert (response.status_code, response.json()["code"]) == (502, "provider_unreachable")


HANDED_ON: list[tuple[dict[str, Any], int, str]] = [
    ({"status": 409}, 409, "session_busy"),
    ({"status": 404}, 404, "session_expired"),
    ({"status": 503}, 503, "overloaded"),
    ({"status": 503, "signs": False}, 503, "overloaded"),
    ({"status": 409, "signs": False}, 502, "provider_unreachable"),
    ({"status": 404, "signs": False}, 502, "provider_unreachable"),
    ({"status": 403}, 502, "provider_rejected"),
    ({"status": 403, "signs": False}, 502, "provider_unreachable"),
]


async def test_what_a_client_can_do_something_about_is_handed_on(service: Service) -> None:
    token = await service.launch()
    for behaviour, status, code in HANDED_ON:
        behave(service.provider, **behaviour)
        response = await service.anybody.post("/casino/simulateRound", json={**LAUNCH, "sessionToken": token})
        assert (response.status_code, response.json()["code"]) == (status, code), behaviour
        assert ("retry-after" in response.headers) is (status == 503), behaviour


async def test_the_session_token_is_not_logged(service: Service, logged: list[EventDict]) -> None:
    token = (await launch(service)).json()["sessionToken"]
    assert [event["event"] for event in logged if event["event"] == "game_launched"]
    assert token not in repr(logged)
    assert msgspec.json.encode(token).decode() not in repr(logged)


@pytest.mark.parametrize(("off_seconds", "calls"), [(0, 1), (240, 2), (-240, 2), (590, 2), (610, 2)])
async def test_a_provider_whose_clock_is_off_by_minutes_is_called_once_more_with_its_own_time(
    tenant: Tenant, off_seconds: int, calls: int
) -> None:
    """Row C1. Within ten minutes the launch succeeds; beyond them its time is not believed. Never a third call."""
    provider = FakeProvider(clock=lambda: time.time() + off_seconds)
    async with serving(tenant, provider=provider) as service:
        response = await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})
    assert response.status_code == (201 if abs(off_seconds) <= 600 else 502)
    assert len(provider.requests) == calls
