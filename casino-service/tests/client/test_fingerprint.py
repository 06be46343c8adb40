"""Where a player's tokens may be used from: the network and the browser that used them first.

Row E7. Pitfalls 7 and 21.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from structlog.typing import EventDict

from casino.client.address import client_address
from casino.client.fingerprint import fingerprint, traits_of
from casino_testing.access_tokens import SECRET
from casino_testing.access_tokens import token as access_token
from casino_testing.edge import Service, bet, payout, rollback, serving
from casino_testing.tenant import Tenant
from shared_signing.keys import parse_keys

PROXY = "127.0.0.1"  # what the in-process transport calls its client
PHONE = "Mozilla/5.0 (Phone) Browser/1.0"


def address(text: str) -> Any:
    return ipaddress.ip_address(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.1", "198.51.100.254", True),
        ("198.51.100.1", "198.51.101.1", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%wlan1", True),
    ],
)
def test_a_client_may_move_within_its_network(one: str, other: str, same: bool) -> None:
    assert (traits_of(address(one), PHONE) == traits_of(address(other), PHONE)) is same


def test_case_and_white_space_of_the_user_agent_do_not_count_and_the_rest_does() -> None:
    home = address("198.51.100.1")
    assert traits_of(home, "  mozilla/5.0   (PHONE) browser/1.0\t") == traits_of(home, PHONE)
    assert traits_of(home, PHONE.replace("Phone", "Desk")) != traits_of(home, PHONE)
    assert traits_of(home, None) == traits_of(home, "")
    assert len(traits_of(home, "x" * 100_000)) < 600


def test_a_fingerprint_says_nothing_without_its_token() -> None:
    traits = traits_of(address("198.51.100.1"), PHONE)
    assert fingerprint("a token", traits) == fingerprint("a token", traits)
    assert fingerprint("a token", traits) != fingerprint("another", traits)


TRUSTED = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),  # no proxy: what it says of itself is not believed
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # the left one was sent by the client
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.9.9.9, 198.51.100.7, 10.2.2.2"], "198.51.100.7"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),  # what lies behind a hop that cannot be read is unknown
        ("10.0.0.1", ["203.0.113.9,,10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["203.0.113.9:5123"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8:ffff::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["\xff\x00'; drop table casino.wallets; --"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9/24"], "10.0.0.1"),
        ("10.0.0.1", [",".join(["10.0.0.2"] * 5_000)], "10.0.0.2"),
        ("10.0.0.1", ["203.0.113.9," + ",".join(["10.0.0.2"] * 100)], "10.0.0.2"),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(peer: str, forwarded: list[str], found: str) -> None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope: dict[str, Any] = {"type": "http", "client": (peer, 1), "headers": headers}
    assert client_address(scope, TRUSTED) == address(found)
    assert client_address(scope, ()) == client_address({**scope, "headers": []}, TRUSTED), "by default nobody is"


def test_the_zone_of_a_forwarded_address_is_dropped() -> None:
    """The database takes no zone, and only its own machine could tell what it means."""
    headers = [(b"x-forwarded-for", b"fe80::1%eth0")]
    found = client_address({"type": "http", "client": ("10.0.0.1", 1), "headers": headers}, TRUSTED)
    assert str(found) == "fe80::1"


def test_a_server_that_does_not_know_its_peer_is_no_error() -> None:
    headers = [(b"x-forwarded-for", b"203.0.113.9")]
    assert client_address({"type": "http", "client": None, "headers": headers}, TRUSTED) is None
    assert client_address({"type": "http", "client": ("/run/a.sock", 0), "headers": headers}, TRUSTED) is None


@pytest.fixture
async def proxied(tenant: Tenant) -> AsyncIterator[Service]:
    """The service behind a proxy that it trusts."""
    trusted = (ipaddress.ip_network(PROXY),)
    async with serving(tenant, trusted_proxies=trusted) as service:
        service.provider.answer = {"providerSessionId": "p-1", "passed": True}
        yield service


async def call(
    service: Service, endpoint: str, *, of: str = "198.51.100.1", agent: str = PHONE, **content: Any
) -> httpx.Response:
    headers = {"x-forwarded-for": of, "user-agent": agent}
    bearer = content.pop("bearer", None)
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    asked = {"userId": "1", "gameId": "1", **content}
    return await service.anybody.post(f"/casino/{endpoint}", json=asked, headers=headers)


async def launched(service: Service, **options: Any) -> str:
    return str((await call(service, "launchGame", **options)).json()["sessionToken"])


def code_of(response: httpx.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("code")


async def test_a_named_session_is_played_in_and_none_is_launched(proxied: Service, tenant: Tenant) -> None:
    token = await launched(proxied)
    for _ in range(2):
        assert code_of(await call(proxied, "simulateRound", sessionToken=token)) == (200, None)
    assert len(tenant.rows("game_sessions")) == 1
    paths = [request.url.path for request in proxied.provider.requests]
    assert paths == ["/provider/launch", "/provider/simulate", "/provider/simulate"]
    assert proxied.provider.asked() == {
        "sessionToken": token,
        "providerSessionId": "p-1",
        "userId": "1",
        "gameId": "SLOTS_001",
        "currency": "USD",
        "casinoCode": tenant.tenant_id,
    }


async def test_another_address_of_the_same_network_is_the_same_client(proxied: Service) -> None:
    token = await launched(proxied)
    answer = await call(proxied, "simulateRound", of="198.51.100.77", sessionToken=token)
    assert code_of(answer) == (200, None)


@pytest.mark.parametrize("elsewhere", [{"of": "198.51.101.1"}, {"agent": "curl/8"}], ids=["network", "browser"])
async def test_a_session_that_is_used_from_elsewhere_is_closed_and_its_bets_can_still_win(
    proxied: Service, tenant: Tenant, logged: list[EventDict], elsewhere: dict[str, str]
) -> None:
    token = await launched(proxied)
    placed, undone = bet(token), bet(token, roundId="round-2")
    for content in (placed, undone):
        assert (await proxied.post("debit", content)).status_code == 200
    answer = await call(proxied, "simulateRound", sessionToken=token, **elsewhere)
    assert code_of(answer) == (403, "session_fingerprint_mismatch")
    assert [event["event"] for event in logged if event["event"] == "session_used_elsewhere"]
    assert token not in repr(logged)
    assert code_of(await proxied.post("debit", bet(token))) == (404, "session_expired")
    assert (await proxied.post("credit", payout(token, placed["transactionId"]))).status_code == 200
    back = rollback(token, undone["transactionId"], roundId="round-2")
    assert (await proxied.post("rollback", back)).status_code == 200
    assert code_of(await call(proxied, "simulateRound", sessionToken=token)) == (404, "session_expired")
    assert tenant.balance() == 1_000_000 - 1_000 + 2_000


async def test_a_session_of_before_the_fingerprints_is_bound_at_its_first_use(proxied: Service, tenant: Tenant) -> None:
    token = await launched(proxied)
    (row,) = tenant.rows("game_sessions")
    tenant.set_session(row["session_id"], fingerprint=None)
    assert code_of(await call(proxied, "simulateRound", of="203.0.113.5", sessionToken=token)) == (200, None)
    answer = await call(proxied, "simulateRound", sessionToken=token)
    assert code_of(answer) == (403, "session_fingerprint_mismatch")


async def test_a_session_is_bound_once(proxied: Service, tenant: Tenant) -> None:
    await launched(proxied)
    (row,) = tenant.rows("game_sessions")
    tenant.sql(
        "select casino.bind_provider_session(%s, %s, %s, %s)",
        *(tenant.ledger_id, row["session_id"], row["provider_session_id"], b"somebody else"),
    )
    assert tenant.rows("game_sessions")[0]["fingerprint"] == row["fingerprint"]


async def test_the_stored_fingerprint_is_a_keyed_hash(proxied: Service, tenant: Tenant) -> None:
    tokens = [await launched(proxied) for _ in range(2)]
    stored = [bytes(row["fingerprint"]) for row in tenant.rows("game_sessions")]
    assert sorted(stored) == sorted(fingerprint(t, traits_of(address("198.51.100.9"), PHONE)) for t in tokens)
    assert len(set(stored)) == 2, "one client, two sessions: the rows do not even tell that"


async def test_a_named_session_must_be_the_players_and_alive(proxied: Service, tenant: Tenant) -> None:
    token = await launched(proxied)
    (row,) = tenant.rows("game_sessions")
    expected = {
        (404, "session_not_found"): {"sessionToken": "f" * 64},
        (403, "session_player_mismatch"): {"sessionToken": token, "userId": "2"},
        (404, "game_not_found"): {"sessionToken": token, "gameId": "2"},
        (400, "invalid_field"): {"sessionToken": ""},
    }
    for verdict, content in expected.items():
        assert code_of(await call(proxied, "simulateRound", **content)) == verdict
    tenant.set_session(row["session_id"], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert code_of(await call(proxied, "simulateRound", sessionToken=token)) == (404, "session_expired")


async def test_a_malformed_forwarded_header_is_never_an_error(proxied: Service) -> None:
    for forwarded in ("", "x", ",", "999.1.1.1", "é", "[", "]:", "%", "1.2.3.4,", "a" * 30_000):
        headers = {"x-forwarded-for": forwarded.encode()}
        launch = {"userId": "1", "gameId": "1"}
        response = await proxied.anybody.post("/casino/launchGame", json=launch, headers=headers)
        assert response.status_code == 201, forwarded


async def test_without_trusted_proxies_a_forwarded_header_changes_nothing(service: Service) -> None:
    service.provider.answer = {"providerSessionId": "p-1", "passed": True}
    token = await launched(service, of="203.0.113.1")
    assert code_of(await call(service, "simulateRound", of="198.51.100.1", sessionToken=token)) == (200, None)


@pytest.fixture
async def strict(tenant: Tenant) -> AsyncIterator[Service]:
    """Outside demo mode, behind a proxy."""
    trusted = (ipaddress.ip_network(PROXY),)
    async with serving(
        tenant, demo=False, access_token_keys=parse_keys(SECRET, None), trusted_proxies=trusted
    ) as service:
        service.provider.answer = {"providerSessionId": "p-1", "passed": True}
        yield service


async def test_an_access_token_is_bound_to_its_first_use(
    strict: Service, tenant: Tenant, logged: list[EventDict]
) -> None:
    bearer = access_token()
    assert (await call(strict, "launchGame", bearer=bearer)).status_code == 201
    assert (await call(strict, "launchGame", bearer=bearer, of="198.51.100.200")).status_code == 201
    for elsewhere in ({"of": "203.0.113.1"}, {"agent": "curl/8"}):
        answer = await call(strict, "launchGame", bearer=bearer, **elsewhere)
        assert code_of(answer) == (403, "session_fingerprint_mismatch")
    assert len(tenant.rows("game_sessions")) == 2, "nothing was launched from elsewhere"
    assert [event["event"] for event in logged if event["event"] == "access_token_used_elsewhere"]
    assert bearer not in repr(logged)
    assert (await call(strict, "launchGame", bearer=access_token(jti="2"), of="203.0.113.1")).status_code == 201


async def test_a_fingerprint_outlives_the_token_that_is_bound_to_it(strict: Service, tenant: Tenant) -> None:
    """A token is accepted for a minute after its end: forgotten at its end, it would be free for anybody."""
    now = int(time.time())
    bearer = access_token(iat=now - 600, exp=now - 30)
    assert (await call(strict, "launchGame", bearer=bearer)).status_code == 201
    tenant.sql("select casino.prune_client_limits(1000)")
    answer = await call(strict, "launchGame", bearer=bearer, of="203.0.113.1")
    assert code_of(answer) == (403, "session_fingerprint_mismatch")


async def test_a_stolen_access_token_cannot_be_written_in_another_way_to_be_new_again(strict: Service) -> None:
    """What verifies must have one spelling: padding, spare bits or strange letters would make another hash of it."""
    bearer = access_token()
    assert (await call(strict, "launchGame", bearer=bearer)).status_code == 201
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(bearer[-1])
    spare_bits = [bearer[:-1] + letters[last & ~3 | bits] for bits in range(4) if last & 3 != bits]
    for spelling in [*spare_bits, f"{bearer}=", f"{bearer}==", f"{bearer[:-5]}!{bearer[-5:]}", f" {bearer}"]:
        answer = await call(strict, "launchGame", bearer=spelling, of="203.0.113.1")
        assert answer.status_code in (401, 403), spelling
