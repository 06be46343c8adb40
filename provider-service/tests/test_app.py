"""The edge of the provider's HTTP: signatures in both directions, errors in one shape, request ids, health."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import psycopg
import pytest

from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import PROVIDER_KEY, Running, fresh_launch, serving
from shared_signing.keys import Key, KeyRing
from shared_signing.signer import Signer

Work = Callable[[Running], Awaitable[httpx.Response]]


async def answer_of(database_url: str, wallet: FakeWallet, work: Work, **changed: Any) -> httpx.Response:
    async with serving(database_url, wallet, **changed) as provider:
        return await work(provider)


def require_error(answer: httpx.Response, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["requestId"] == answer.headers["x-request-id"]
    assert body["error"].endswith(".")


async def test_an_error_of_the_router_has_the_shape_of_every_error(database_url: str, wallet: FakeWallet) -> None:
    async with serving(database_url, wallet) as provider:
        for method, path in (("GET", "/provider/launch"), ("PUT", "/provider/simulate")):
            answer = await provider.client.request(method, path)
            require_error(answer, 405, "method_not_allowed")
            assert answer.extensions["signature"] == "good"
        for path in ("/provider/nothing", "/provider/launch/", "/metrics"):
            require_error(await provider.client.post(path), 404, "not_found")


async def test_outside_demo_mode_no_round_is_simulated(database_url: str, wallet: FakeWallet) -> None:
    async def ask(provider: Running) -> httpx.Response:
        return await provider.client.post("/provider/simulate", json={})

    require_error(await answer_of(database_url, wallet, ask, demo=False), 404, "not_found")


async def test_an_acceptance_is_signed(database_url: str, wallet: FakeWallet) -> None:
    answer = await answer_of(database_url, wallet, lambda p: p.client.post("/provider/launch", json=fresh_launch()))
    assert answer.extensions["signature"] == "good"


def sign(method: str, path: str, body: bytes, *, key: Key = PROVIDER_KEY, at: float | None = None) -> str:
    signer = Signer(KeyRing([key])) if at is None else Signer(KeyRing([key]), lambda: at)
    return signer.sign_request(method, path, body).header


async def test_a_401_is_signed_when_the_requests_own_signature_held(database_url: str, wallet: FakeWallet) -> None:
    launch = ("POST", "/provider/launch")
    cases = [
        (None, "signature_missing"),
        ("nonsense", "signature_malformed"),
        (sign(*launch, b"{}", key=Key("other", b"x")), "unknown_key"),
        (sign(*launch, b"{} "), "bad_signature"),
        (sign("POST", "/provider/simulate", b"{}"), "bad_signature"),
        (sign(*launch, b"{}", key=Key("main", b"casino-secret")), "bad_signature"),
        (sign(*launch, b"{}", at=1_600_000_000), "timestamp_out_of_window"),
    ]
    async with serving(database_url, wallet) as provider:
        for header, code in cases:
            headers = {"x-provider-signature": header} if header else {}
            answer = await provider.client.post("/provider/launch", content=b"{}", headers=headers, auth=None)
            require_error(answer, 401, code)
            assert ("x-provider-signature" in answer.headers) == (code == "timestamp_out_of_window")
            assert ("serverTime" in answer.json()) == (code == "timestamp_out_of_window")


async def test_a_replayed_request_is_refused(database_url: str, wallet: FakeWallet) -> None:
    body = json.dumps(fresh_launch()).encode()
    headers = {"x-provider-signature": sign("POST", "/provider/launch", body)}

    async def twice(provider: Running) -> httpx.Response:
        first = await provider.client.post("/provider/launch", content=body, headers=headers, auth=None)
        assert first.status_code == 200
        return await provider.client.post("/provider/launch", content=body, headers=headers, auth=None)

    answer = await answer_of(database_url, wallet, twice)
    require_error(answer, 401, "nonce_replay")
    assert "x-provider-signature" in answer.headers


async def test_a_body_that_cannot_be_read_is_refused(database_url: str, wallet: FakeWallet) -> None:
    """Its bytes, its size, its coding."""
    cases = [
        *((body, {}, 400, "malformed_json") for body in (b"", b"[]", b'{"a":1,"a":2}')),
        (b"x" * 65_537, {}, 413, "body_too_large"),
        (b"{}", {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
    ]
    async with serving(database_url, wallet) as provider:
        for body, headers, status, code in cases:
            answer = await provider.client.post("/provider/launch", content=body, headers=headers)
            require_error(answer, status, code)
            read = status != 413 and "content-encoding" not in headers
            assert answer.extensions["signature"] == ("good" if read else "missing")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_signed_body_is_read_as_json_whatever_the_header_says(
    database_url: str, wallet: FakeWallet, media_type: str
) -> None:
    """No signature covers the header, so nothing depends on it."""
    async with serving(database_url, wallet) as provider:
        good, headers = json.dumps(fresh_launch()).encode(), {"content-type": media_type}
        assert (await provider.client.post("/provider/launch", content=good, headers=headers)).status_code == 200


async def test_a_readable_request_id_is_kept_and_another_replaced(database_url: str, wallet: FakeWallet) -> None:
    async with serving(database_url, wallet) as provider:

        async def answered(sent: str) -> str:
            answer = await provider.client.get("/health/live", headers={"x-request-id": sent})
            return str(answer.headers["x-request-id"])

        for kept in ("a-Z.0_9:x", "x" * 128):
            assert await answered(kept) == kept
        for replaced in ("x" * 129, "a b", '"', ""):
            assert len(await answered(replaced)) == 32


async def test_a_healthy_provider_is_live_and_ready_although_its_wallet_is_away(database_url: str) -> None:
    with FakeWallet() as wallet:
        pass  # its port is closed now
    async with serving(database_url, wallet) as provider:
        live, ready = [await provider.client.get(f"/health/{kind}", auth=None) for kind in ("live", "ready")]
    assert (live.status_code, ready.status_code) == (200, 200)
    assert ready.json() == {"status": "ready", "demo": True}


async def test_a_provider_without_its_migrations_is_not_ready(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.alembic_version set version_num = '0000'")
    ready = await answer_of(database_url, wallet, lambda p: p.client.get("/health/ready", auth=None))
    assert (ready.status_code, ready.json()["missing"]) == (503, "migrations")


async def test_a_provider_on_an_empty_database_is_not_ready(postgres_server: Any, wallet: FakeWallet) -> None:
    ready = await answer_of(postgres_server.url(), wallet, lambda p: p.client.get("/health/ready", auth=None))
    assert (ready.status_code, ready.json()["missing"]) == (503, "migrations")


@pytest.mark.usefixtures("own_patience")
async def test_a_provider_without_a_database_is_live_not_ready_and_does_no_work(wallet: FakeWallet) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    async with serving(nowhere, wallet) as provider:
        live, ready = [await provider.client.get(f"/health/{kind}", auth=None) for kind in ("live", "ready")]
        launch = await provider.client.post("/provider/launch", json=fresh_launch())
    assert live.status_code == 200
    assert (ready.status_code, ready.json()["missing"]) == (503, "database")
    require_error(launch, 503, "overloaded")
    assert launch.headers["retry-after"] == "1"


async def test_an_unexpected_error_is_internal_signed_and_without_its_text(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table provider.players add constraint canary_rule check (user_id <> 'canary')")
    body = fresh_launch(userId="canary")
    answer = await answer_of(database_url, wallet, lambda p: p.client.post("/provider/launch", json=body))
    require_error(answer, 500, "internal")
    assert answer.extensions["signature"] == "good"
    assert "canary" not in answer.text
    (told,) = [json.loads(line) for line in logged().splitlines() if "request_failed" in line]
    assert told["error_type"] == "CheckViolation"
    assert " in launch_session" in told["exception"], "where it happened, frame by frame"
    assert "canary" not in logged()


async def test_a_clock_that_is_far_off_is_warned_about(
    database_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    body = json.dumps(fresh_launch()).encode()
    headers = {"x-provider-signature": sign("POST", "/provider/launch", body, at=time.time() - 45)}
    answer = await answer_of(
        database_url, wallet, lambda p: p.client.post("/provider/launch", content=body, headers=headers, auth=None)
    )
    assert answer.status_code == 200
    assert "peer_clock_skewed" in logged()
