"""Outside demo mode the player is who the access token says, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from casino_testing.edge import Service, serving
from casino_testing.tenant import Tenant
from structlog.typing import EventDict

from shared_signing.keys import parse_keys

pytestmark = pytest.mark.anyio

SECRET = "an access token secret that is long enough for every algorithm of the family"


@pytest.fixture
async def strict(tenant: Tenant) -> AsyncIterator[Service]:
    """The service outside demo mode."""
    async with serving(tenant, demo=False, access_token_keys=parse_keys(SECRET, None)) as service:
        yield service


def claims(**changes: Any) -> dict[str, Any]:
    given = {"sub": "1", "aud": "casino-player", "exp": datetime.now(UTC) + timedelta(minutes=5), **changes}
    return {name: value for name, value in given.items() if value is not None}


def token(*, secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm=algorithm)


async def launch(service: Service, bearer: str | None, **fields: Any) -> httpx.Response:
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    return await service.anybody.post("/casino/launchGame", json={"gameId": "1", **fields}, headers=headers)


async def test_the_player_comes_from_the_token_and_not_from_the_body(strict: Service, tenant: Tenant) -> None:
    response = await launch(strict, token(sub="2"), userId="1")
    assert response.status_code == 201
    assert [row["player_id"] for row in tenant.rows("game_sessions")] == ["2"]


async def test_the_scheme_is_not_case_sensitive(strict: Service) -> None:
    headers = {"authorization": f"bEARER   {token()}"}
    response = await strict.anybody.post("/casino/launchGame", json={"gameId": "1"}, headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Token x"])
@pytest.mark.parametrize("path", ["/casino/launchGame", "/casino/simulateRound"])
async def test_without_a_token_the_client_is_sent_to_get_one(strict: Service, path: str, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    response = await strict.anybody.post(path, json={"gameId": "1", "userId": "1"}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "access_token_missing")


def forged() -> dict[str, str]:
    unsigned = jwt.encode(claims(), None, algorithm="none")
    return {
        "garbage": "garbage",
        "empty": "",
        "of another secret": token(secret=SECRET[::-1]),
        "expired": token(exp=datetime.now(UTC) - timedelta(seconds=1)),
        "without an end": token(exp=None),
        "without a player": token(sub=None),
        "without an audience": token(aud=None),
        "for another audience": token(aud="casino-staff"),
        "not valid yet": token(nbf=datetime.now(UTC) + timedelta(minutes=5)),
        "without a signature": unsigned,
        "of another algorithm": token(algorithm="HS512"),
        "cut short": token()[:-4],
        "for a number": token_of_number(),
        "for nobody": token(sub=""),
        "for a player whose id cannot be": token(sub="nul\x00"),
        "for a player with a long id": token(sub="x" * 129),
    }


def token_of_number() -> str:
    # The library refuses to make such a token; somebody else's may.
    return jwt.PyJWS().encode(b'{"sub":1,"aud":"casino-player","exp":9999999999}', SECRET, algorithm="HS256")


@pytest.mark.parametrize("kind", forged())
async def test_a_token_that_does_not_hold_opens_nothing(strict: Service, tenant: Tenant, kind: str) -> None:
    response = await launch(strict, forged()[kind], userId="1")
    assert (response.status_code, response.json()["code"]) == (401, "access_token_invalid"), kind
    assert tenant.rows("game_sessions") == []


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
