"""The routes of webhooks: who makes, sees and deletes them, their deliveries, and the whole way to a receiver."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from casino.webhooks.webhooks import EVENTS
from casino_testing.api import Api, Member, api_of, refused
from casino_testing.receiver import answer, receiving
from casino_testing.tenant import Tenant
from shared_service_testing.waiting import until

URL = "https://hooks.example/in?key=s3cret"
PATH = "/admin/webhooks"


async def make(api: Api, member: Member, *events: str, url: str = URL, **options: Any) -> httpx.Response:
    return await api.post(PATH, {"url": url, "events": list(events)}, token=member.token, **options)


async def test_a_webhook_is_made_shown_and_deleted_and_its_secret_is_shown_once(api: Api) -> None:
    tree = api.tree()
    made = await make(api, tree.operator, "player.closed", "limit.changed", "player.closed")
    assert made.status_code == 201
    webhook = made.json()["webhook"]
    assert webhook.pop("secret").startswith("whsec_")
    assert webhook["url"] == URL
    assert webhook["events"] == ["limit.changed", "player.closed"]
    assert webhook["tenantId"] == tree.operator_id
    path = f"{PATH}/{webhook['webhookId']}"
    assert (await api.get(path, token=tree.operator.token)).json()["webhook"] == webhook
    assert (await api.get(PATH, token=tree.operator.token)).json()["items"] == [webhook]
    assert (await api.get(PATH, token=tree.auditor.token)).json()["items"] == [webhook]
    assert (await api.get(PATH, token=tree.owner.token)).json()["items"] == [webhook]
    assert (await api.call("DELETE", path, token=tree.operator.token)).json() == {"ok": True}
    for answered in (
        await api.get(path, token=tree.operator.token),
        await api.get(f"{path}/deliveries", token=tree.owner.token),
    ):
        refused(answered, 404, "NOT_FOUND")
    assert (await api.get(PATH, token=tree.operator.token)).json()["items"] == []


async def test_the_audit_trail_has_neither_path_nor_secret(api: Api) -> None:
    tree = api.tree()
    made = (await make(api, tree.operator, "player.closed")).json()["webhook"]
    await api.call("DELETE", f"{PATH}/{made['webhookId']}", token=tree.operator.token)
    rows = [row for row in api.audit() if row["action"].startswith("webhook")]
    assert [(row["action"], row["tenant_id"]) for row in rows] == [
        ("webhook.made", tree.operator_id), ("webhook.deleted", tree.operator_id),
    ]  # fmt: skip
    assert rows[0]["after"] == rows[1]["before"] == {"host": "hooks.example", "events": ["player.closed"]}
    assert "s3cret" not in repr(rows)
    assert made["secret"] not in repr(rows)


async def test_a_repeated_request_has_the_same_secret(api: Api) -> None:
    owner = api.owner()
    first, again = [await make(api, owner, "player.closed", headers={"idempotency-key": "k"}) for _ in range(2)]
    assert first.json() == again.json()
    assert first.json()["webhook"]["tenantId"] is None
    assert "secret" not in api.tenant.rows("webhooks")[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "https://127.0.0.1/", "https://localhost/", "https://2130706433/", "https://0x7f.1/",
        "https://017700000001/", "https://[::ffff:10.0.0.1]/", "https://u:p@hooks.example/", "https://hooks.example./",
        "https://169.254.169.254/latest", "https://[::1]:8443/", "ftp://hooks.example/", "", "x" * 3_000,
    ],
)  # fmt: skip
async def test_an_address_that_may_not_be_called_is_an_invalid_field(api: Api, url: str) -> None:
    refused(await make(api, api.owner(), "player.closed", url=url), 400, "INVALID_FIELD", "url")


@pytest.mark.parametrize("events", [[], ["player.opened"], None, "player.closed", ["player.closed"] * 11, [1]])
async def test_events_that_are_none(api: Api, events: Any) -> None:
    answered = await api.post(PATH, {"url": URL, "events": events}, token=api.owner().token)
    content = answered.json()
    assert (answered.status_code, content["code"]) == (400, "INVALID_FIELD")
    assert content["field"].startswith("events")


async def key_of(api: Api, member: Member, *scopes: str) -> Member:
    """An API key of a member with these scopes."""
    content = {"name": "hooks", "scopes": list(scopes), "endsAt": "2100-01-01T00:00:00Z"}
    made = await api.post("/admin/api-keys", content, token=member.token)
    assert made.status_code == 201, made.text
    return replace(member, token=made.json()["apiKey"]["key"])


@pytest.mark.parametrize(
    ("scope", "events"),
    [
        ("vouchers.read", ["voucher.issued", "voucher.redeemed"]),
        (
            "players.read",
            ["player.closed", "player.excluded", "withdrawal.requested", "withdrawal.paid", "round.settled"],
        ),
        ("safety.read", ["limit.changed", "safety.action"]),
        ("audit.read", ["difference.found"]),
    ],
)
async def test_who_is_told_of_something_may_read_it(api: Api, scope: str, events: list[str]) -> None:
    operator = api.tree().operator
    bare, reader = [await key_of(api, operator, "webhooks.manage", *more) for more in ((), (scope,))]
    for event in EVENTS:
        refused(await make(api, bare, event), 403, "FORBIDDEN")
        answered = await make(api, reader, event)
        assert (answered.status_code == 201) == (event in events), event
    refused(await make(api, reader, *EVENTS), 403, "FORBIDDEN")
    assert len(api.tenant.rows("webhooks")) == len(events)


async def test_deliveries_are_shown_and_replayed_to_who_may_read_what_they_tell(api: Api) -> None:
    operator = api.tree().operator
    made = (await make(api, operator, "player.closed", "safety.action")).json()["webhook"]
    path = f"{PATH}/{made['webhookId']}/deliveries"
    api.tenant.sql(
        "select casino.tell(%s, %s, 'player.closed', 'p', null, '{}')", api.tenant.ledger_id, made["tenantId"]
    )
    (item,) = (await api.get(path, token=operator.token)).json()["items"]
    short = await key_of(api, operator, "webhooks.manage", "players.read")
    refused(await api.get(path, token=short.token), 403, "FORBIDDEN")
    refused(await api.post(f"{path}/{item['deliveryId']}/replay", token=short.token), 403, "FORBIDDEN")
    full = await key_of(api, operator, "webhooks.manage", "players.read", "safety.read")
    assert (await api.get(path, token=full.token)).status_code == 200
    assert (await api.post(f"{path}/{item['deliveryId']}/replay", token=full.token)).status_code == 200


async def test_every_event_of_the_contract_can_be_asked_for(api: Api) -> None:
    made = await make(api, api.owner(), *EVENTS)
    assert made.json()["webhook"]["events"] == sorted(EVENTS)
    assert len(EVENTS) == 10


async def test_the_twenty_first_is_refused(api: Api) -> None:
    tree = api.tree()
    for _ in range(20):
        assert (await make(api, tree.operator, "player.closed")).status_code == 201
    refused(await make(api, tree.operator, "player.closed"), 409, "TOO_MANY_WEBHOOKS")
    assert len(api.tenant.rows("webhooks")) == 20
    assert (await make(api, tree.owner, "player.closed")).status_code == 201


async def test_a_scheme_in_capitals_is_refused_with_what_would_be_right(api: Api) -> None:
    answered = await make(api, api.owner(), "player.closed", url="HTTPS://hooks.example/")
    refused(answered, 400, "INVALID_FIELD", "url")
    assert "the scheme in small letters" in answered.json()["message"]


async def test_outside_demo_mode_not_even_the_own_machine_is_called(tenant: Tenant) -> None:
    async with api_of(tenant, demo=False) as api:
        answered = await make(api, api.owner(), "player.closed", url="http://127.0.0.1:9/")
        refused(answered, 400, "INVALID_FIELD", "url")


async def test_the_whole_way(api: Api) -> None:
    """An exclusion is told, fails, is seen, is replayed, and arrives with a good signature."""
    tree = api.tree()
    api.tenant.sql(
        "select casino.open_player(%s, 'p', 'somebody', 'USD', 100, %s)", tree.agent_id, api.tenant.ledger_id
    )
    async with receiving() as receiver:
        receiver.answers.append(answer(500, b"not today"))
        webhook = (await make(api, tree.operator, "player.excluded", url=receiver.url)).json()["webhook"]
        excluded = await api.post(
            "/admin/players/p/exclude", {"period": "P7D", "reason": "asked"}, token=tree.operator.token
        )
        assert excluded.status_code == 201, excluded.text
        path = f"{PATH}/{webhook['webhookId']}/deliveries"

        async def newest() -> dict[str, Any]:
            listed = await api.get(path, token=tree.operator.token)
            assert listed.status_code == 200, listed.text
            items = listed.json()["items"]
            return items[0] if items else {"response": None, "attempt": 0}

        await until(lambda: receiver.messages, "the first try")

        async def is_noted() -> bool:
            return (await newest())["response"] is not None

        await until(is_noted, "its outcome")
        failed = await newest()
        assert (failed["status"], failed["type"], failed["attempt"]) == ("PENDING", "player.excluded", 1)
        assert failed["response"] == {"status": 500, "body": "not today"}
        assert failed["nextAt"] is not None
        message = receiver.messages[0]
        assert failed["request"]["url"] == receiver.url
        assert failed["request"]["body"].encode() == message.body
        assert failed["request"]["headers"].items() <= message.headers.items()
        assert failed["eventId"] == message.id
        replayed = await api.post(f"{path}/{failed['deliveryId']}/replay", token=tree.operator.token)
        assert replayed.status_code == 200
        assert replayed.json()["delivery"]["deliveryId"] == failed["deliveryId"]

        async def is_delivered() -> bool:
            return bool((await newest())["status"] == "DELIVERED")

        await until(is_delivered, "the second try")
    first, second = receiver.messages
    assert (first.id, first.body) == (second.id, second.body)
    content = second.verify(webhook["secret"])
    assert content["type"] == "player.excluded"
    assert content["timestamp"].endswith("Z")
    assert content["data"]["tenantId"] == tree.agent_id
    assert content["data"]["playerId"] == "p"
    assert (await newest())["attempt"] == 2
    assert "webhook.replayed" in [row["action"] for row in api.audit()]


@pytest.mark.parametrize("delivery_id", ["nobody", "0", "9" * 18, "9" * 40, "-1", "1.5", "٣"])
async def test_a_delivery_that_is_not_there(api: Api, delivery_id: str) -> None:
    owner = api.owner()
    made = (await make(api, owner, "player.closed")).json()["webhook"]
    path = f"{PATH}/{made['webhookId']}/deliveries/{delivery_id}/replay"
    refused(await api.post(path, token=owner.token), 404, "NOT_FOUND")


async def test_deliveries_come_in_pages_the_newest_first(api: Api) -> None:
    tree = api.tree()
    made = (await make(api, tree.operator, "player.closed")).json()["webhook"]
    api.tenant.sql("update casino.webhooks set url = 'https://10.0.0.1/' where ledger_id = %s", api.tenant.ledger_id)
    for number in range(5):
        api.tenant.sql(
            "select casino.tell(%s, %s, 'player.closed', %s, null, '{}')",
            api.tenant.ledger_id,
            tree.agent_id,
            f"p{number}",
        )
    path, seen, cursor = f"{PATH}/{made['webhookId']}/deliveries?limit=2", list[str](), None
    while cursor is not None or not seen:
        page = (await api.get(path + (f"&cursor={cursor}" if cursor else ""), token=tree.auditor.token)).json()
        seen += [item["deliveryId"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == sorted(seen, key=int, reverse=True)
    assert len(seen) == 5
