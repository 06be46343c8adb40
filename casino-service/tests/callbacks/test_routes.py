"""The wallet's endpoints over HTTP: what goes in, and exactly which bytes come out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casino_testing.edge import Service, bet, payout, rollback
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant


def rendered(content: dict[str, Any]) -> bytes:
    return msgspec.json.encode(content)


async def test_a_bet_its_payout_and_a_rollback_answer_as_the_protocol_says(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    first, second = bet(token), bet(token)
    for number, content in enumerate((first, second), start=1):
        response = await service.post("debit", content)
        assert (response.status_code, response.content) == (
            200,
            rendered(
                {
                    "transactionId": content["transactionId"],
                    "balance": str(OPENING_BALANCE_MINOR - number * 1_000),
                    "currency": "USD",
                    "status": "ok",
                    "head": tenant.head(content["transactionId"]),
                }
            ),
        )
        assert response.headers["content-type"] == "application/json"
        assert "idempotent-replay" not in response.headers
    undo = rollback(token, second["transactionId"])
    assert (await service.post("rollback", undo)).json() == {
        "transactionId": undo["transactionId"], "balance": "999000", "currency": "USD", "status": "ok",
        "head": tenant.head(undo["transactionId"]),
    }  # fmt: skip
    win = payout(token, first["transactionId"], endRound=True)
    assert (await service.post("credit", win)).json()["balance"] == "1001000"
    balance = await service.post("getBalance", {"sessionToken": token, "userId": "1"})
    head = tenant.head(win["transactionId"])
    assert balance.content == rendered({"userId": "1", "balance": "1001000", "currency": "USD", "head": head})


async def test_a_retry_is_the_first_answer_byte_for_byte_with_a_header_that_says_so(service: Service) -> None:
    token = await service.launch()
    content = bet(token)
    first = await service.post("debit", content, headers={"x-request-id": "the-first"})
    await service.post("debit", bet(token))
    again = await service.post("debit", content, headers={"x-request-id": "the-second"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replay"] == "true"
    assert again.headers["x-request-id"] == "the-second"


async def test_a_remembered_refusal_is_replayed_byte_for_byte_too(service: Service, tenant: Tenant) -> None:
    tenant.open_player("poor", balance_minor=10)
    token = await service.launch("poor")
    content = bet(token, userId="poor")
    first = await service.post("debit", content, headers={"x-request-id": "the-first"})
    again = await service.post("debit", content)
    assert first.status_code == again.status_code == 402
    assert first.content == again.content
    assert again.json()["requestId"] == "the-first"
    assert again.headers["idempotent-replay"] == "true"


async def test_tombstone_and_second_rollback_are_said(service: Service) -> None:
    token = await service.launch()
    stone = (await service.post("rollback", rollback(token, "never seen"))).json()
    assert (stone["tombstone"], stone["balance"]) == (True, "1000000")
    content = bet(token)
    await service.post("debit", content)
    answers = [await service.post("rollback", rollback(token, content["transactionId"])) for _ in range(2)]
    assert [answer.json().get("alreadyRolledBack") for answer in answers] == [None, True]
    assert [answer.json()["balance"] for answer in answers] == ["1000000", "1000000"]


async def test_an_integer_means_its_decimal_string_and_answers_are_always_strings(service: Service) -> None:
    token = await service.launch()
    content = bet(token, userId=1, transactionId=12345678901234567890, roundId=-7)
    response = await service.post("debit", content)
    assert response.json()["transactionId"] == "12345678901234567890"
    replay = await service.post(
        "debit", {**content, "userId": "1", "transactionId": "12345678901234567890", "roundId": "-7"}
    )
    assert replay.headers["idempotent-replay"] == "true"
    found = await service.get("/casino/transactions/12345678901234567890?userId=1")
    assert found.json()["roundId"] == "-7"


async def test_unknown_keys_are_ignored(service: Service) -> None:
    token = await service.launch()
    response = await service.post("debit", bet(token, gameId=7, nested={"a": [1, {"b": None}]}, note=None))
    assert response.status_code == 200


async def test_optional_fields_may_be_null(service: Service) -> None:
    token = await service.launch()
    content = bet(token, currency=None, reason=None)
    assert (await service.post("debit", content)).status_code == 200
    win = payout(token, "x", relatedTransactionId=None, endRound=None)
    assert (await service.post("credit", win)).status_code == 200


async def test_ids_have_up_to_128_printable_characters(service: Service) -> None:
    token = await service.launch()
    for transaction_id in ("~", "~ !/?#%&" * 16):
        response = await service.post("debit", bet(token, transactionId=transaction_id, roundId=transaction_id))
        assert response.json()["transactionId"] == transaction_id


async def test_a_sane_request_id_is_echoed_and_kept_with_the_transaction(service: Service, tenant: Tenant) -> None:
    content = bet(await service.launch())
    response = await service.post("debit", content, headers={"x-request-id": "trace:4_2.7-a"})
    assert response.headers.get_list("x-request-id") == ["trace:4_2.7-a"]
    assert tenant.transaction(content["transactionId"])["request_id"] == "trace:4_2.7-a"


async def test_any_other_request_id_is_replaced(service: Service) -> None:
    for other in (b"", b"with space", b"a" * 129, b'quote"', b"semi;colon", "ünicode".encode()):
        response = await service.anybody.get("/health/live", headers=[(b"x-request-id", other)])
        assert response.headers["x-request-id"] != other.decode("latin-1")
        assert len(response.headers["x-request-id"]) == 32, other


async def test_the_session_lives_on_through_balance_questions_and_ends_with_its_half_hour(
    service: Service, tenant: Tenant
) -> None:
    token = await service.launch()
    tenant.sql(
        "update casino.game_sessions set expires_at = expires_at - interval '29 minutes' where ledger_id = %s",
        tenant.ledger_id,
    )
    assert (await service.post("getBalance", {"sessionToken": token, "userId": "1"})).status_code == 200
    tenant.sql(
        "update casino.game_sessions set expires_at = expires_at - interval '29 minutes' where ledger_id = %s",
        tenant.ledger_id,
    )
    content = bet(token)
    assert (await service.post("debit", content)).status_code == 200
    tenant.sql(
        "update casino.game_sessions set expires_at = expires_at - interval '31 minutes' where ledger_id = %s",
        tenant.ledger_id,
    )
    assert (await service.post("debit", bet(token))).json()["code"] == "session_expired"
    assert (await service.post("getBalance", {"sessionToken": token, "userId": "1"})).status_code == 404
    assert (await service.post("credit", payout(token, content["transactionId"]))).status_code == 200


async def test_a_rollback_that_names_its_own_id_is_refused_with_the_field(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    before = tenant.money_rows()
    response = await service.post("rollback", rollback(token, "same", transactionId="same"))
    assert (response.status_code, response.json()["code"]) == (400, "invalid_field")
    assert response.json()["field"] == "originalTransactionId"
    assert tenant.money_rows() == before


@pytest.mark.parametrize("kind", ["credit", "rollback"])
async def test_a_tombstoned_id_is_looked_up_as_cancelled_whatever_came_under_it(service: Service, kind: str) -> None:
    token = await service.launch()
    await service.post("debit", bet(token))
    late = bet(token)
    await service.post("rollback", rollback(token, late["transactionId"]))
    taking = {"transactionId": late["transactionId"]}
    other = payout(token, "never seen", **taking) if kind == "credit" else rollback(token, "never seen", **taking)
    response = await service.post(kind, other)
    assert (response.status_code, response.json()["code"], response.json()["field"]) == (
        422, "idempotency_mismatch", "endpoint",
    )  # fmt: skip
    assert (await service.post("debit", late)).json()["code"] == "transaction_rolled_back"
    found = (await service.get(f"/casino/transactions/{late['transactionId']}?userId=1")).json()
    assert (found["type"], found["state"]) == ("debit", "cancelled")


@pytest.mark.parametrize("endpoint", ["debit", "credit", "rollback", "getBalance"])
async def test_a_parameter_that_no_post_has_is_refused_by_name_and_books_nothing(
    service: Service, tenant: Tenant, endpoint: str
) -> None:
    token = await service.launch()
    placed = bet(token)
    await service.post("debit", placed)
    content = {
        "debit": bet(token),
        "credit": payout(token, placed["transactionId"]),
        "rollback": rollback(token, placed["transactionId"]),
        "getBalance": {"sessionToken": token, "userId": "1"},
    }[endpoint]
    before = tenant.money_rows()
    response = await service.post(f"{endpoint}?x=1", content)
    assert (response.status_code, response.json()["code"], response.json()["field"]) == (400, "invalid_field", "x")
    assert tenant.money_rows() == before
    assert (await service.post(endpoint, content)).status_code == 200


@pytest.mark.parametrize("endpoint", ["launchGame", "simulateRound"])
async def test_a_parameter_that_a_client_endpoint_does_not_have_is_refused_by_name(
    service: Service, endpoint: str
) -> None:
    response = await service.anybody.post(f"/casino/{endpoint}?userId=2", json={"userId": "1", "gameId": "1"})
    assert (response.status_code, response.json()["code"], response.json()["field"]) == (400, "invalid_field", "userId")


async def test_authentication_and_the_path_come_before_the_parameters(service: Service) -> None:
    unsigned = await service.anybody.post("/casino/debit?x=1", json={})
    assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature_missing")
    assert (await service.anybody.get("/casino/nothing?x=1")).status_code == 404
    assert (await service.anybody.get("/casino/launchGame?x=1")).status_code == 405


async def test_a_probe_may_add_parameters(service: Service) -> None:
    assert (await service.anybody.get("/health/live?x=1")).status_code == 200
