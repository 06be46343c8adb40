"""The feed and the look-up over HTTP: their parameters, their pages, and what they never show."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from casino_testing.edge import Service, bet, payout, rollback
from casino_testing.tenant import Tenant

FEED = "/casino/transactions"


async def place(service: Service, count: int) -> list[str]:
    token = await service.launch()
    contents = [bet(token) for _ in range(count)]
    for content in contents:
        await service.post("debit", content)
    return [content["transactionId"] for content in contents]


async def test_a_reader_walks_through_the_pages_to_the_end(service: Service) -> None:
    placed = await place(service, 5)
    found: list[list[str]] = []
    cursor = "0"
    for _ in range(4):
        page = (await service.get(f"{FEED}?after={cursor}&limit=2")).json()
        assert page.keys() == {"transactions", "next"}
        assert isinstance(page["next"], str)
        found.append([row["transactionId"] for row in page["transactions"]])
        cursor = page["next"]
    assert found == [placed[:2], placed[2:4], placed[4:], []]


async def test_the_first_page_needs_no_parameters_and_has_a_hundred_rows(service: Service) -> None:
    placed = await place(service, 103)
    page = (await service.get(FEED)).json()
    assert [row["transactionId"] for row in page["transactions"]] == placed[:100]


OUT_OF_BOUNDS = [
    ("after=-1", "after"), ("after=x", "after"), ("after=1.0", "after"), ("after=+1", "after"),
    ("after=9223372036854775808", "after"), ("after=" + "9" * 5_000, "after"), ("after=%D9%A1", "after"),
    ("after=", "after"), ("limit=", "limit"), ("after=00", "after"), ("limit=05", "limit"),
    ("after=0&after=1", "after"), ("limit=5&limit=6", "limit"),
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=-5", "limit"), ("limit=ten", "limit"),
    ("after=0&unknown=1", "unknown"), ("After=0", "After"), ("cursor=7", "cursor"), ("userId=1", "userId"),
    ("after=0&a%20%22b", 'a "b'), ("=0", ""), ("x" * 65 + "=", "x" * 64),
]  # fmt: skip


async def named_field(service: Service, path: str) -> str:
    response = await service.get(path)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_field"), path
    return str(response.json()["field"])


async def test_a_parameter_out_of_bounds_is_named_and_one_at_its_bound_accepted(service: Service) -> None:
    assert [(query, await named_field(service, f"{FEED}?{query}")) for query, _ in OUT_OF_BOUNDS] == OUT_OF_BOUNDS
    for query in ("limit=1000", "after=9223372036854775807"):
        assert (await service.get(f"{FEED}?{query}")).status_code == 200, query


async def test_the_look_up_shows_every_kind_of_transaction(service: Service, tenant: Tenant) -> None:
    token = await service.launch()
    paid, undone = bet(token, roundId="a"), bet(token, roundId="b")
    win = payout(token, paid["transactionId"], roundId="a")
    undo = rollback(token, undone["transactionId"], roundId="b")
    for endpoint, content in (("debit", paid), ("debit", undone), ("credit", win), ("rollback", undo)):
        await service.post(endpoint, content)
    tenant.sql("update casino.game_sessions set loss_limit_minor = 0 where ledger_id = %s", tenant.ledger_id)
    refused = bet(token, roundId="c", amount=50_000)
    await service.post("debit", refused)
    for content, expected in (
        (paid, {"type": "debit", "state": "settled", "amount": 1_000, "balanceAfter": "999000"}),
        (undone, {"type": "debit", "state": "rolled_back", "amount": 1_000}),
        (win, {"type": "credit", "state": "committed", "relatedTransactionId": paid["transactionId"]}),
        (undo, {"type": "rollback", "state": "committed", "originalTransactionId": undone["transactionId"]}),
        (refused, {"type": "debit", "state": "refused", "amount": 50_000}),
    ):
        found = (await service.get(f"{FEED}/{content['transactionId']}?userId=1")).json()
        assert {name: found[name] for name in expected} == expected
        assert (found["userId"], found["roundId"]) == ("1", content["roundId"])


async def test_a_buried_id_is_cancelled(service: Service) -> None:
    undo = rollback(await service.launch(), "never seen")
    await service.post("rollback", undo)
    found = (await service.get(f"{FEED}/never%20seen?userId=1")).json()
    assert (found["transactionId"], found["state"], found["amount"], found["type"]) == (
        "never seen", "cancelled", 0, "debit",
    )  # fmt: skip


async def test_a_bet_refused_and_then_taken_back_is_still_refused(service: Service, tenant: Tenant) -> None:
    tenant.open_player("poor", balance_minor=1)
    token = await service.launch("poor")
    refused = bet(token, userId="poor")
    await service.post("debit", refused)
    await service.post("rollback", rollback(token, refused["transactionId"], userId="poor"))
    found = (await service.get(f"{FEED}/{refused['transactionId']}?userId=poor")).json()
    assert found["state"] == "refused"


async def test_what_was_never_seen_or_is_anothers_is_not_found(service: Service) -> None:
    (placed,) = await place(service, 1)
    for path in (f"{FEED}/never-seen?userId=1", f"{FEED}/{placed}?userId=2", f"{FEED}/{placed}?userId=nobody"):
        response = await service.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), path


async def test_a_look_up_of_a_wrong_form_names_the_field(service: Service) -> None:
    wrong = [
        ("x", "userId"),
        ("x?userId=", "userId"),
        ("x?userId=1&userId=2", "userId"),
        ("x?userId=" + "a" * 129, "userId"),
        ("a" * 129 + "?userId=1", "transactionId"),
        ("x?userId=%00", "userId"),
        ("x?userId=1&limit=1", "limit"),
        ("x?userid=1", "userid"),
    ]
    assert [(path, await named_field(service, f"{FEED}/{path}")) for path, _ in wrong] == wrong


async def test_a_path_that_names_no_transaction_at_all_is_not_found(service: Service) -> None:
    for segment in ("", "%00", "%FF", "a/b", "%0A", "a%7F"):
        response = await service.anybody.get(f"{FEED}/{segment}?userId=1")
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), segment


async def test_an_encoded_id_is_data_whatever_characters_it_has(service: Service) -> None:
    token = await service.launch()
    ids = ["a/b", "a?b", "a%b", "a b", "a#b", "a&b=c", "%2F", ".", "..", "a;b", "a:b@c"]
    segments = {"".join(f"%{byte:02X}" for byte in transaction_id.encode()): transaction_id for transaction_id in ids}
    segments |= {segment: unquote(segment) for segment in ("a%2Fb", "%2e%2E", "a;b", "a:b@c", "a%20b")}
    for transaction_id in ids:
        assert (await service.post("debit", bet(token, transactionId=transaction_id))).status_code == 200
    for segment, transaction_id in segments.items():
        found = await service.get(f"{FEED}/{segment}?userId=1")
        assert (found.status_code, found.json()["transactionId"]) == (200, transaction_id), segment


async def test_opening_balances_are_not_the_providers_business(service: Service, tenant: Tenant) -> None:
    page: dict[str, Any] = (await service.get(FEED)).json()
    assert page["transactions"] == []
    (deposit, _) = tenant.rows("transactions")
    assert deposit["kind"] == "deposit"
    quoted = "".join(f"%{byte:02X}" for byte in deposit["transaction_id"].encode())
    response = await service.get(f"{FEED}/{quoted}?userId=1")
    assert response.status_code in (400, 404)


async def test_no_id_of_the_wire_meets_the_opening_deposit(service: Service) -> None:
    token = await service.launch()
    assert (await service.post("debit", bet(token, transactionId="opening-balance"))).status_code == 200
    assert (await service.post("rollback", rollback(token, "opening-balance"))).status_code == 200
    response = await service.post("debit", bet(token, transactionId="\u00a7opening-balance"))
    assert (response.status_code, response.json()["field"]) == (400, "transactionId")
