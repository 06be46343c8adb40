"""/metrics: what is counted, under which labels, and that neither a dead database nor a hostile caller spoils it."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.typing import EventDict

from casino.api.errors import API_ERRORS
from casino.errors import ERRORS
from casino.ops.metrics import Metrics
from casino_testing.edge import CASINO_RING, JSON, Service, bet, payout, rollback, serving
from casino_testing.processes import Wire
from casino_testing.scrape import OPS_URL, scrape
from casino_testing.tenant import Tenant
from shared_service.http.exchange import NO_CODE, OK, UNANSWERED
from shared_service.http.routing import ELSEWHERE
from shared_signing.signer import Signer

DEBIT = "/casino/debit"
ROLLBACK = "/casino/rollback"


async def test_each_request_is_counted_by_its_route_and_outcome_and_timed_once(service: Service) -> None:
    token = await service.launch()
    for amount in (1_000, 2_000, 1, "ten"):
        await service.post("debit", bet(token, amount=amount))
    await service.get("/casino/transactions/never-seen?userId=1")
    seen = await scrape(service.anybody)
    assert seen.value("casino_requests_total", endpoint="/casino/launchGame", code=OK) == 1
    assert seen.value("casino_requests_total", endpoint=DEBIT, code=OK) == 2
    assert seen.value("casino_requests_total", endpoint=DEBIT, code="stake_too_low") == 1
    assert seen.value("casino_requests_total", endpoint=DEBIT, code="bad_amount") == 1
    assert seen.value("casino_requests_total", endpoint="/casino/transactions/{transaction_id}", code="not_found") == 1
    assert seen.value("casino_request_seconds_count", endpoint=DEBIT) == 4
    assert seen.value("casino_request_seconds_bucket", endpoint=DEBIT, le="+Inf") == 4
    assert 0 < seen.value("casino_request_seconds_sum", endpoint=DEBIT) < 60
    again = await scrape(service.anybody)
    assert again.value("casino_request_seconds_count", endpoint=DEBIT) == 4, "a scrape counts nothing twice"


async def test_replays_tombstones_and_late_debits_can_be_told_apart(service: Service) -> None:
    token = await service.launch()
    content, late = bet(token), bet(token)
    for _ in range(3):
        await service.post("debit", content)
    stone = rollback(token, late["transactionId"])
    await service.post("rollback", stone)
    await service.post("rollback", stone)
    await service.post("debit", late)
    await service.post("credit", payout(token, content["transactionId"]))
    seen = await scrape(service.anybody)
    assert seen.value("casino_replays_total", kind="debit") == 2
    assert seen.value("casino_replays_total", kind="rollback") == 1
    assert seen.value("casino_replays_total", kind="credit") == 0
    assert seen.value("casino_tombstones_total") == 1
    assert seen.value("casino_requests_total", endpoint=DEBIT, code="transaction_rolled_back") == 1


async def test_a_mismatch_and_each_refused_signature_have_their_code(service: Service) -> None:
    token = await service.launch()
    content = bet(token)
    await service.post("debit", content)
    await service.post("debit", {**content, "amount": 1_001})
    await service.anybody.post(DEBIT, json=content)
    await service.anybody.post(DEBIT, json=content, headers={"x-casino-signature": "nonsense"})
    seen = await scrape(service.anybody)
    for code in ("idempotency_mismatch", "signature_missing", "signature_malformed"):
        assert seen.value("casino_requests_total", endpoint=DEBIT, code=code) == 1, code


async def test_the_clock_of_the_provider_is_shown(service: Service) -> None:
    behind = Signer(CASINO_RING, lambda: time.time() - 40)
    path, body = "/casino/getBalance", b"{}"
    headers = {**JSON, "x-casino-signature": behind.sign_request("POST", path, body).header}
    assert (await scrape(service.anybody)).value("casino_peer_clock_skew_seconds") == 0
    response = await service.anybody.post(path, content=body, headers=headers)
    assert response.json()["code"] == "invalid_field"
    assert 39 <= (await scrape(service.anybody)).value("casino_peer_clock_skew_seconds") <= 55


async def test_the_clock_of_a_provider_that_corrects_itself_stays_in_sight(service: Service) -> None:
    for behind_seconds in (500, 0):
        signer = Signer(CASINO_RING, lambda behind=behind_seconds: time.time() - behind)
        path, body = "/casino/getBalance", b"{}"
        headers = {**JSON, "x-casino-signature": signer.sign_request("POST", path, body).header}
        await service.anybody.post(path, content=body, headers=headers)
    assert (await scrape(service.anybody)).value("casino_peer_clock_skew_seconds") >= 499


async def test_batches_queues_and_the_pool_are_shown(service: Service) -> None:
    token = await service.launch()
    await service.post("debit", bet(token))
    await service.post("getBalance", {"sessionToken": token, "userId": "1"})
    seen = await scrape(service.anybody)
    for queue in ("money", "balances"):
        assert seen.value("casino_batch_size_count", queue=queue) == 1
        assert seen.value("casino_batch_size_sum", queue=queue) == 1
    assert seen.label_values("queue") == {"money", "balances", "nonces"}
    assert seen.value("casino_queue_length") == 0
    assert seen.value("casino_pool_connections", pool="money", state="open") >= 1
    assert {"open", "idle", "waited_for"} == seen.label_values("state")
    assert {"money", "general", "feed"} == seen.label_values("pool")


async def test_shed_requests_are_counted_and_a_dead_database_does_not_stop_a_scrape(tenant: Tenant) -> None:
    async with Wire.to(tenant.url) as wire:
        nobody_listens = wire.url
    async with serving(tenant, database_url=nobody_listens, pool_wait_seconds=0.05) as service:
        answer = await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})
        await service.anybody.get("/health/ready")
        seen = await scrape(service.anybody)
    assert answer.json()["code"] == "overloaded"
    assert seen.value("casino_requests_total", endpoint="/casino/launchGame", code="overloaded") == 1
    assert seen.value("casino_requests_total", endpoint="/health/ready", code=NO_CODE) == 1


async def test_only_get_is_allowed(service: Service) -> None:
    response = await service.anybody.post(f"{OPS_URL}/metrics", content=b"{}", headers=JSON)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


async def test_the_public_listener_shows_no_metrics_and_the_one_of_operations_takes_no_money(service: Service) -> None:
    assert (await service.anybody.get("/metrics")).status_code == 404
    assert (await service.anybody.get(f"{OPS_URL}/health/ready")).status_code == 200
    for path in (DEBIT, "/casino/launchGame"):
        assert (await service.anybody.post(f"{OPS_URL}{path}", json={})).status_code == 404


async def test_every_refused_request_is_logged_once_with_its_code_and_id(
    service: Service, logged: list[EventDict]
) -> None:
    """Invariant I10."""
    token = await service.launch()
    own_id = {"x-request-id": "refused-1"}
    asked: list[Any] = [
        await service.anybody.post(DEBIT, json={}, headers=own_id),
        await service.post("debit", bet(token, amount=0), headers=own_id),
        await service.post("debit", bet(token, amount=1), headers=own_id),
        await service.post("debit", bet("f" * 64), headers=own_id),
        await service.post("debit", b"{", headers=own_id),
        await service.post("getBalance", {"sessionToken": token, "userId": "2"}, headers=own_id),
        await service.anybody.get("/nowhere/at/all", headers=own_id),
        await service.anybody.put("/casino/launchGame", headers=own_id),
        await service.anybody.post("/casino/launchGame", json={"userId": "nobody", "gameId": "1"}, headers=own_id),
    ]
    codes = [response.json()["code"] for response in asked]
    assert len(set(codes)) == len(asked), codes
    lines = [event for event in logged if event["event"] == "request_refused"]
    assert [event["code"] for event in lines] == codes


PATHS = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#%"), max_size=60),
    st.uuids().map(lambda own: f"casino/transactions/{own}"),
    st.uuids().map(lambda own: f"casino/{own}"),
    st.sampled_from(
        ["casino/debit/", "CASINO/DEBIT", "casino//debit", "casino/debit;x=1", "metrics/", "health/live/x"]
    ),
)


async def test_fuzzed_paths_ids_and_methods_make_no_new_series(tenant: Tenant) -> None:
    """Row H4."""
    async with serving(tenant) as service:
        known = {route.path for route in service.app.state.table.routes}

        @settings(suppress_health_check=list(HealthCheck))
        @given(path=PATHS, method=st.sampled_from(["GET", "POST", "PUT", "BREW"]), request_id=st.uuids())
        def ask(path: str, method: str, request_id: uuid.UUID) -> None:
            asked.append((path, method, str(request_id)))

        asked: list[tuple[str, str, str]] = []
        ask()
        for path, method, request_id in asked:
            headers = {"x-request-id": request_id, "x-casino-signature": request_id}
            await service.anybody.request(method, f"http://casino.test/{path}", headers=headers)
        seen = await scrape(service.anybody)
    assert seen.label_values("endpoint") <= known | {ELSEWHERE}
    assert seen.label_values("code") <= {*ERRORS, *API_ERRORS, OK, NO_CODE, UNANSWERED}
    assert seen.value("casino_requests_total", endpoint=ELSEWHERE) > 0
    assert len(seen.samples) < 20 * len(known), "buckets and alarming codes of each route"


@pytest.mark.parametrize("demo", [True, False])
def test_demo_mode_is_a_metric(demo: bool) -> None:
    assert Metrics(demo=demo).registry.get_sample_value("casino_demo_mode") == demo
