"""Protocol section 2 at the service's door: which requests are believed, and which answers are signed."""

from __future__ import annotations

import time
from hashlib import sha256

import httpx
import msgspec
import pytest
from structlog.typing import EventDict

from casino_testing.edge import CASINO_RING, JSON, PROVIDER_RING, Service, bet
from shared_signing.keys import KeyRing, parse_keys
from shared_signing.signer import Signer

BODY = msgspec.json.encode(bet("no session has this token"))
HEADER = "x-casino-signature"


def headers_for(
    body: bytes = BODY, *, path: str = "/casino/debit", ring: KeyRing = CASINO_RING, skew_seconds: float = 0.0
) -> dict[str, str]:
    signer = Signer(ring, clock=lambda: time.time() + skew_seconds)
    return {**JSON, HEADER: signer.sign_request("POST", path, body).header}


async def send(service: Service, headers: dict[str, str], *, path: str = "/casino/debit") -> httpx.Response:
    return await service.anybody.post(path, content=BODY, headers=headers)


async def test_without_a_signature_nothing_is_believed(service: Service) -> None:
    response = await send(service, dict(JSON))
    assert (response.status_code, response.json()["code"]) == (401, "signature_missing")
    assert HEADER not in response.headers, "a request that does not hold gets an unsigned answer"


async def test_a_malformed_signature_is_said_to_be_malformed(service: Service) -> None:
    for value in ("", "v1=00", "t=1,n=short,v1=00", "t=x" + "0" * 600):
        response = await send(service, {**JSON, HEADER: value})
        assert (response.status_code, response.json()["code"]) == (401, "signature_malformed"), value


async def test_a_key_that_nobody_knows_is_unknown(service: Service) -> None:
    ring = KeyRing(parse_keys("casino-secret", '[{"id": "k9", "secret": "not known there"}]'))
    response = await send(service, headers_for(ring=ring))
    assert (response.status_code, response.json()["code"]) == (401, "unknown_key")


async def test_the_secret_of_the_other_direction_does_not_open_this_one(service: Service) -> None:
    response = await send(service, headers_for(ring=PROVIDER_RING))
    assert (response.status_code, response.json()["code"]) == (401, "bad_signature")


async def test_a_signature_for_one_endpoint_or_query_does_not_hold_at_another(service: Service) -> None:
    for path in ("/casino/credit", "/casino/debit?x=1"):
        response = await send(service, headers_for(), path=path)
        assert (response.status_code, response.json()["code"]) == (401, "bad_signature")
        assert HEADER not in response.headers


@pytest.mark.parametrize("skew_seconds", [-70, 70])
async def test_a_clock_that_is_far_off_is_refused_with_the_servers_time(service: Service, skew_seconds: int) -> None:
    asked_at = int(time.time())
    response = await send(service, headers_for(skew_seconds=skew_seconds))
    content = response.json()
    assert (response.status_code, content["code"]) == (401, "timestamp_out_of_window")
    assert asked_at <= content["serverTime"] <= time.time()
    assert HEADER in response.headers, "a caller believes the time only when it is signed"


async def test_a_clock_that_is_a_little_off_is_believed_and_logged(service: Service, logged: list[EventDict]) -> None:
    started = time.monotonic()
    response = await send(service, headers_for(skew_seconds=-45))
    assert response.json()["code"] == "session_not_found"
    (event,) = [event for event in logged if event["event"] == "peer_clock_skewed"]
    assert (event["key_id"], event["log_level"]) == ("main", "warning")
    assert 44 <= event["skew_seconds"] <= 46 + time.monotonic() - started


async def test_the_same_request_twice_is_a_replay(service: Service) -> None:
    headers = headers_for()
    assert (await send(service, headers)).json()["code"] == "session_not_found"
    again = await send(service, headers)
    assert (again.status_code, again.json()["code"]) == (401, "nonce_replay")
    assert HEADER in again.headers, "its signature held"


async def test_a_request_with_a_bad_mac_does_not_use_up_the_nonce(service: Service) -> None:
    headers = headers_for()
    broken = {**headers, HEADER: headers[HEADER][:-1] + ("0" if headers[HEADER][-1] != "0" else "1")}
    assert (await send(service, broken)).json()["code"] == "bad_signature"
    assert (await send(service, headers)).json()["code"] == "session_not_found"


async def test_the_body_is_not_read_before_the_signature_holds(service: Service) -> None:
    response = await service.anybody.post("/casino/debit", content=b"{not json", headers=dict(JSON))
    assert response.json()["code"] == "signature_missing"
    signed = await service.post("debit", b"{not json")
    assert signed.json()["code"] == "malformed_json"


async def test_every_endpoint_of_a_provider_wants_a_signature(service: Service) -> None:
    asked = [("POST", f"/casino/{name}") for name in ("debit", "credit", "rollback", "getBalance")]
    asked += [("GET", "/casino/transactions"), ("GET", "/casino/transactions/x?userId=1")]
    for method, path in asked:
        response = await service.anybody.request(method, path, json={} if method == "POST" else None)
        assert (response.status_code, response.json()["code"]) == (401, "signature_missing"), path


async def test_a_path_that_is_not_there_is_not_found_and_never_a_redirect(service: Service) -> None:
    spellings = ("/casino/debit/", "/casino//debit", "/casino/%64ebit", "/casino/debit%0A", "/casino/launchGame/")
    for path in (*spellings, "/casino", "/nowhere"):
        response = await service.anybody.post(path, json={})
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), path
        assert response.json()["requestId"] == response.headers["x-request-id"]


async def test_neither_tokens_nor_signatures_nor_bodies_are_logged(service: Service, logged: list[EventDict]) -> None:
    token = await service.launch()
    content = bet(token, reason="canary-reason")
    await service.post("debit", content)
    await service.post("debit", {**content, "amount": 5_000})
    headers = headers_for()
    for _ in range(2):
        await send(service, headers)
    assert logged
    text = repr(logged)
    for secret in (token, "canary-reason", headers[HEADER][-64:], "casino-secret", "provider-secret"):
        assert secret not in text


async def test_the_line_about_a_refusal_tells_who_sent_it_as_far_as_it_is_known(
    service: Service, logged: list[EventDict]
) -> None:
    """The runbooks' steps begin with the address, the key and the skew. Of a signed request the signer is known."""
    stranger = KeyRing(parse_keys("casino-secret", '[{"id": "k9", "secret": "not known there"}]'))
    good = headers_for()
    for headers in (
        {**JSON},
        {**JSON, HEADER: "not a signature"},
        headers_for(ring=stranger),
        headers_for(ring=PROVIDER_RING),
        headers_for(skew_seconds=-500),
        {**good, "content-encoding": "gzip"},
        good,
        good,
    ):
        await send(service, headers)
    await service.anybody.post("/casino/launchGame", content=b"{", headers=JSON)
    lines = [event for event in logged if event["event"] == "request_refused"]
    told = [(line["code"], line.get("key_id"), "skew_seconds" in line, "peer" in line) for line in lines]
    assert told == [
        ("signature_missing", None, False, True),
        ("signature_malformed", None, False, True),
        ("unknown_key", None, False, True),
        ("bad_signature", "main", False, True),
        ("timestamp_out_of_window", "main", True, True),
        ("unsupported_media_type", None, False, True),
        ("session_not_found", None, False, True),
        ("nonce_replay", "main", False, True),
        ("malformed_json", None, False, True),
    ]
    assert {line["peer"] for line in lines if line["code"] != "session_not_found"} == {"127.0.0.1"}
    assert {line["peer"] for line in lines if line["code"] == "session_not_found"} == {"main"}, "whose key signed"
    (skew,) = (line["skew_seconds"] for line in lines if "skew_seconds" in line)
    assert skew > 60


async def test_a_signature_that_does_not_hold_is_logged_with_the_hash_of_what_it_had_to_cover(
    service: Service, logged: list[EventDict]
) -> None:
    """An integrator compares it with the hash of his own bytes: equal ones leave only the secret."""
    headers = headers_for(ring=PROVIDER_RING)
    await send(service, headers)
    (line,) = [event for event in logged if event["event"] == "request_refused"]
    t, n = (part.partition("=")[2] for part in headers[HEADER].split(",")[:2])
    canonical = "\n".join(["v1", t, n, "POST", "/casino/debit", sha256(BODY).hexdigest()])
    assert (line["code"], line["canonical_sha256"]) == ("bad_signature", sha256(canonical.encode()).hexdigest())


async def test_the_line_about_a_mismatch_names_the_transaction_and_the_field(
    service: Service, logged: list[EventDict]
) -> None:
    content = bet(await service.launch())
    await service.post("debit", content)
    await service.post("debit", {**content, "amount": 5_000})
    (line,) = [event for event in logged if event["event"] == "request_refused"]
    told = (line["code"], line["field"], line["transaction_id"])
    assert told == ("idempotency_mismatch", "amount", content["transactionId"])
