"""Outside demo mode the player is who the access token says. The guard gives every place back however a call ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from starlette.requests import Request
from starlette.responses import Response
from structlog.typing import EventDict

from casino.client.access_token import AccessToken
from casino.client.guard import PLAYER, PlayerGuard
from casino.errors import ERRORS, Refused
from casino_testing.access_tokens import SECRET, claims, raw_token, token
from casino_testing.edge import Service, serving
from casino_testing.tenant import Tenant
from shared_service.http.admission import Admission
from shared_service.http.exchange import unauthenticated_refusals
from shared_service.http.routing import Share, route
from shared_signing.keys import parse_keys


@pytest.fixture
async def strict(tenant: Tenant) -> AsyncIterator[Service]:
    """The service outside demo mode."""
    async with serving(tenant, demo=False, access_token_keys=parse_keys(SECRET, None)) as service:
        yield service


async def launch(service: Service, bearer: str | None, **fields: Any) -> httpx.Response:
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    return await service.anybody.post("/casino/launchGame", json={"gameId": "1", **fields}, headers=headers)


async def test_the_player_comes_from_the_token(strict: Service, tenant: Tenant) -> None:
    for fields in ({}, {"userId": "2"}, {"userId": 2}, {"userId": None}):
        assert (await launch(strict, token(sub="2"), **fields)).status_code == 201, fields
    assert [row["player_id"] for row in tenant.rows("game_sessions")] == ["2"] * 4


async def test_a_body_that_names_another_player_than_the_token_is_refused(strict: Service, tenant: Tenant) -> None:
    content, headers = {"gameId": "1", "userId": "1"}, {"authorization": f"Bearer {token(sub='2')}"}
    response = await strict.anybody.post("/casino/launchGame", json=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "session_player_mismatch")
    assert tenant.rows("game_sessions") == []
    assert tenant.rows_of_tenant("rate_buckets") == [], "and takes nothing"


async def test_the_scheme_is_not_case_sensitive(strict: Service) -> None:
    headers = {"authorization": f"bEARER   {token()}"}
    response = await strict.anybody.post("/casino/launchGame", json={"gameId": "1"}, headers=headers)
    assert response.status_code == 201


async def test_without_a_token_the_client_is_sent_to_get_one(strict: Service) -> None:
    for headers in ({}, *({"authorization": value} for value in ("", "Basic YTpi", "Token x"))):
        response = await strict.anybody.post("/casino/launchGame", json={"gameId": "1", "userId": "1"}, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "access_token_missing"), headers


async def test_outside_demo_mode_no_round_is_simulated_and_no_wallet_token_leaves_the_services(strict: Service) -> None:
    """A simulated round pays, and the wallet's token opens the wallet to whoever may sign."""
    headers = {"authorization": f"Bearer {token()}"}
    launched = await strict.anybody.post("/casino/launchGame", json={"gameId": "1"}, headers=headers)
    assert launched.status_code == 201
    assert "sessionToken" not in launched.json()
    simulated = await strict.anybody.post("/casino/simulateRound", json={"gameId": "1"}, headers=headers)
    assert (simulated.status_code, simulated.json()["code"]) == (404, "not_found")


def invalid() -> dict[str, tuple[str, str]]:
    """Tokens that do not hold now, and why the log says so. Made in the test: a suite takes longer than they last."""
    now = int(time.time())
    return {
        "malformed": ("garbage", "malformed"),
        "empty": ("", "malformed"),
        "without a signature": (jwt.encode(claims(), None, algorithm="none"), "malformed"),
        "cut short": (token()[:-4], "malformed"),
        "of another secret": (token(secret=SECRET[::-1]), "bad_signature"),
        "of another algorithm": (token(algorithm="HS512"), "malformed"),
        "that says so of itself": (raw_token({"alg": "HS512"}, claims()), "other_algorithm"),
        "of an unknown key": (token(headers={"kid": "k9"}), "unknown_key"),
        "with an extension": (raw_token({"alg": "HS256", "crit": ["x"], "x": 1}, claims()), "extension"),
        "expired": (token(iat=now - 400, exp=now - 100), "expired"),
        "not valid yet": (token(iat=now + 300, exp=now + 600), "not_valid_yet"),
        "not valid before": (token(nbf=now + 300), "not_valid_yet"),
        "without an end": (token(exp=None), "time_missing"),
        "without a beginning": (token(iat=None), "time_missing"),
        "for a week": (token(exp=now + 7 * 86_400), "lives_too_long"),
        "for all times": (token(exp=2**62), "time"),
        "without a player": (token(sub=None), "player"),
        "for a number": (raw_token({"alg": "HS256"}, claims(sub=1)), "player"),
        "without an audience": (token(aud=None), "other_audience"),
        "for another audience": (token(aud="casino-staff"), "other_audience"),
        "too long": (token(name="x" * 5000), "too_long"),
    }


def whys(logged: list[EventDict]) -> list[str]:
    return [event["why"] for event in logged if event["event"] == "request_refused" and "why" in event]


async def test_a_token_that_does_not_hold_opens_nothing_and_the_log_says_why(
    strict: Service, tenant: Tenant, logged: list[EventDict]
) -> None:
    tokens = invalid()
    for kind, (bearer, _) in tokens.items():
        unauthenticated_refusals.flush()  # each line is written, whatever the bound on lines a second
        response = await launch(strict, bearer, userId="1")
        assert (response.status_code, response.json()["code"]) == (401, "access_token_invalid"), kind
        assert response.json().keys() == {"error", "code", "requestId"}, "the caller is not told"
        assert not bearer or bearer not in repr(logged), kind
    assert whys(logged) == [why for _, why in tokens.values()]
    assert tenant.rows("game_sessions") == []


async def test_several_authorization_headers_are_none(strict: Service, tenant: Tenant, logged: list[EventDict]) -> None:
    good = f"Bearer {token()}"
    for values in ([good, good], [good, ""], ["Basic YTpi", good]):
        headers = [("authorization", value) for value in values]
        response = await strict.anybody.post("/casino/launchGame", json={"gameId": "1"}, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "access_token_invalid")
    assert whys(logged) == ["several_headers"] * 3
    assert tenant.rows("game_sessions") == []


async def test_tokens_of_every_live_key_hold_while_the_secret_rotates(tenant: Tenant) -> None:
    newer = "the next secret of the players' access tokens"
    keys = parse_keys(SECRET, json.dumps([{"id": "k2", "secret": newer}]))
    async with serving(tenant, demo=False, access_token_keys=tuple(keys)) as service:
        for bearer in (token(), token(headers={"kid": "main"}), token(secret=newer, headers={"kid": "k2"})):
            assert (await launch(service, bearer)).status_code == 201
        assert (await launch(service, token(secret=newer))).status_code == 401, "without an id it is main's"


async def test_without_a_configured_secret_no_token_is_valid(tenant: Tenant) -> None:
    async with serving(tenant, demo=False) as service:
        response = await launch(service, token())
    assert (response.status_code, response.json()["code"]) == (401, "access_token_invalid")


async def test_a_player_of_the_token_who_is_not_known_is_not_found(strict: Service) -> None:
    response = await launch(strict, token(sub="nobody"))
    assert (response.status_code, response.json()["code"]) == (404, "player_not_found")


async def test_in_demo_mode_the_body_names_the_player_and_a_token_means_nothing(
    service: Service, tenant: Tenant
) -> None:
    response = await launch(service, "garbage", userId="2")
    assert response.status_code == 201
    assert [row["player_id"] for row in tenant.rows("game_sessions")] == ["2"]


async def test_tokens_are_not_logged(strict: Service, logged: list[EventDict]) -> None:
    good, bad = token(), token(aud="casino-staff")
    await launch(strict, good)
    await launch(strict, bad)
    assert good not in repr(logged)
    assert bad not in repr(logged)


REQUESTS_MAX = 4
SCOPE = {"type": "http", "method": "POST", "raw_path": b"/play", "headers": [(b"content-type", b"application/json")]}


def token_of_one(_authorization: str | None) -> AccessToken:
    return AccessToken("1", 0, 2**40, "token")


async def play(_request: Request) -> Response:
    return Response()


@pytest.mark.parametrize("end", ["answers", "raises", "is cancelled", "hears that its caller left"])
async def test_a_request_is_counted_until_its_end_and_no_longer(end: str) -> None:
    admission = Admission(REQUESTS_MAX, errors=ERRORS, observe=lambda *_: None)
    share = Share(REQUESTS_MAX)
    playing = route("POST", "/play", play, access=PLAYER, share=share)
    counted: list[tuple[int, int, int]] = []
    inside = asyncio.Event()

    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        counted.append((admission.taken, share.taken, guard._running["1"]))
        inside.set()
        if end == "raises":
            raise RuntimeError(end)
        if end == "is cancelled":
            await asyncio.Event().wait()
        if end == "hears that its caller left":
            assert (await receive())["type"] == "http.disconnect"

    guard = PlayerGuard(application, admission=admission, read_token=token_of_one, calls_at_once_max=REQUESTS_MAX)

    async def ask() -> None:
        messages = [{"type": "http.request", "body": b"{}", "more_body": False}, {"type": "http.disconnect"}]

        async def receive() -> Any:
            return messages.pop(0)

        await guard({**SCOPE, "state": {"route": playing}}, receive, receive)

    for _ in range(2 * REQUESTS_MAX):  # a place that was lost each time would be missed by now
        inside.clear()
        asked = asyncio.create_task(ask())
        if end == "is cancelled":
            async with asyncio.timeout(60):
                await inside.wait()
            asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert counted == [(1, 1, 1)] * 2 * REQUESTS_MAX
    assert (admission.taken, share.taken, dict(guard._running)) == (0, 0, {})


async def test_a_request_without_a_place_takes_none() -> None:
    admission = Admission(0, errors=ERRORS, observe=lambda *_: None)
    playing = route("POST", "/play", play, access=PLAYER)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    with pytest.raises(Refused, match="overloaded"):
        await PlayerGuard(receive, admission=admission, read_token=None, calls_at_once_max=1)(  # type: ignore[arg-type]
            {**SCOPE, "state": {"route": playing}},
            receive,
            receive,  # type: ignore[arg-type]
        )
    assert admission.taken == 0
