"""Makes, lists and deletes webhooks; lists their deliveries, and sends one again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta

from casino.api import lists
from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.types import Answer, Body, Empty, Instant, Page, Shape, instant
from casino.webhooks import signing
from casino.webhooks.addresses import URL_MAX, endpoint_of

Event = Literal[
    "voucher.issued", "voucher.redeemed", "player.closed", "player.excluded", "limit.changed", "safety.action",
    "withdrawal.requested", "withdrawal.paid", "round.settled", "difference.found",
]  # fmt: skip
EVENTS: Final[tuple[str, ...]] = get_args(Event)
READS: Final = {
    "voucher": "vouchers.read", "player": "players.read", "withdrawal": "players.read", "round": "players.read",
    "limit": "safety.read", "safety": "safety.read", "difference": "audit.read",
}  # fmt: skip
"""The permission to read what such an event tells, by the first word of its type."""
MAKE: Final = "select * from casino.make_webhook(%s, %s, %s, %s, %s)"
END: Final = "select tenant_id, url, events from casino.end_webhook(%s, %s::uuid)"
COLUMNS: Final = "webhook_id::text, url, events, tenant_id, made_by, made_at"
ONE: Final = f"""
    select {COLUMNS} from casino.webhooks
    where ledger_id = %s and webhook_id = %s::uuid and ended_at is null
"""  # noqa: S608 - constants
LIST: Final = f"""
    select {COLUMNS} from casino.webhooks
    where ledger_id = %(ledger_id)s and ended_at is null
        and (made_at, webhook_id::text collate "C") < (%(before_at)s, %(before_id)s)
    order by made_at desc, webhook_id::text collate "C" desc
    limit %(limit)s
"""  # noqa: S608 - constants
FINDS_WEBHOOK: Final = (
    "select from casino.webhooks where ledger_id = %(ledger_id)s and webhook_id::text = %(webhook_id)s"
    " and ended_at is null"
)
FINDS_DELIVERY: Final = (
    "select from casino.webhooks as webhook"
    " join casino.webhook_deliveries as delivery using (ledger_id, webhook_id)"
    " where ledger_id = %(ledger_id)s and webhook_id::text = %(webhook_id)s and ended_at is null"
    " and delivery_id = case when %(delivery_id)s::text ~ '^[0-9]{1,18}$' then %(delivery_id)s::text::bigint end"
)
_DELIVERIES: Final = """
    select
        delivery_id, event_id::text, event_type, casino.wire_instant(event.told_at) as timestamp, data::text, status,
        attempt, sent_at, response_status, response_body, error, duration_ms, delivery.told_at, in_flight,
        case when status = 'PENDING' then next_at end as next_at
    from casino.webhook_deliveries as delivery
    join casino.webhook_events as event using (ledger_id, event_id)
    where ledger_id = %(ledger_id)s and webhook_id = %(webhook_id)s::uuid
"""
DELIVERY: Final = f"{_DELIVERIES} and delivery_id = %(delivery_id)s::bigint"
DELIVERIES: Final = f"""
    {_DELIVERIES} and (delivery.told_at, delivery_id) < (%(before_at)s, %(before_id)s)
    order by delivery.told_at desc, delivery_id desc
    limit %(limit)s
"""
REPLAY: Final = "select delivery_id from casino.replay_delivery(%s, %s::uuid, %s::bigint)"


class NewWebhook(Body):
    """An address of another system, and what it is told."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_MAX)]
    events: Annotated[list[Event], Meta(min_length=1, max_length=len(EVENTS))]


class Webhook(Shape):
    """A webhook in an answer. `tenantId` is null for an owner's, which is told of every tenant."""

    webhook_id: str
    url: str
    events: list[str]
    tenant_id: str | None
    made_by: str
    at: Instant


class NewlyMadeWebhook(Webhook):
    """A webhook that was just made. The secret is shown once."""

    secret: str


class Made(Answer):
    """A new webhook."""

    webhook: NewlyMadeWebhook


class WebhookAnswer(Answer):
    """An answer with one webhook."""

    webhook: Webhook


class WebhooksAnswer(Answer):
    """A page of webhooks, the newest first."""

    items: list[Webhook]
    next_cursor: str | None


class Sent(Shape):
    """What was sent at the newest try."""

    url: str
    headers: dict[str, str]
    body: str


class Received(Shape):
    """What was answered. `body` is its beginning."""

    status: int
    body: str


class Delivery(Shape):
    """An event for this webhook, and its newest try. `error` is a fixed word, where there was no answer."""

    delivery_id: str
    event_id: str
    type: str
    status: Literal["PENDING", "DELIVERED", "DEAD"]
    attempt: int
    request: Sent | None
    response: Received | None
    error: str | None
    duration_ms: int | None
    at: Instant
    next_at: Instant | None


class DeliveryAnswer(Answer):
    """An answer with one delivery."""

    delivery: Delivery


class DeliveriesAnswer(Answer):
    """A page of deliveries, the newest first."""

    items: list[Delivery]
    next_cursor: str | None


async def make(call: Call, body: NewWebhook) -> Made:
    """POST /admin/webhooks: tell another system what happens in the caller's tenant and below."""
    try:
        endpoint = endpoint_of(body.url, demo=call.settings.demo)
    except ValueError as error:
        raise invalid("url", str(error)) from None
    own_tenant, made_by = call.caller.tenant_id, str(call.caller.id)
    events: list[str] = sorted(set(body.events))
    _require_reading(call, events)
    code, webhook_id, made_at = await call.row(MAKE, (call.ledger_id, own_tenant, body.url, events, made_by))
    if code is not None:
        raise Refused(code)
    after = {"host": endpoint.authority, "events": events}  # a path may hold a secret of the receiver
    call.audit("webhook.made", subject=str(webhook_id), tenant_id=own_tenant, after=after)
    secret = signing.secret_of(call.settings.pepper, str(webhook_id))
    return Made(
        webhook=NewlyMadeWebhook(
            webhook_id=str(webhook_id), url=body.url, events=events, tenant_id=own_tenant, made_by=made_by,
            at=instant(made_at), secret=secret,
        )
    )  # fmt: skip


async def show(call: Call, _: Empty) -> WebhookAnswer:
    """GET /admin/webhooks/{webhook_id}: one webhook, without its secret."""
    return WebhookAnswer(webhook=_webhook(await call.row(ONE, (call.ledger_id, call.path["webhook_id"]))))


async def show_all(call: Call, query: Page) -> WebhooksAnswer:
    """GET /admin/webhooks: the webhooks of the caller's tenant and below."""
    rows = await call.rows(LIST, {"ledger_id": call.ledger_id, **lists.parameters(query)})
    page, cursor = lists.cut(rows, query, place=lambda row: (row[5], row[0]))
    return WebhooksAnswer(items=[_webhook(row) for row in page], next_cursor=cursor)


async def end(call: Call, _: Empty) -> Answer:
    """DELETE /admin/webhooks/{webhook_id}: send it nothing any more, not even what waits."""
    webhook_id = call.path["webhook_id"]
    tenant_id, url, events = await call.row(END, (call.ledger_id, webhook_id))
    before = {"host": _host_of(url), "events": events}
    call.audit("webhook.deleted", subject=webhook_id, tenant_id=tenant_id, before=before)
    return Answer()


async def show_deliveries(call: Call, query: Page) -> DeliveriesAnswer:
    """GET /admin/webhooks/{webhook_id}/deliveries: what it was told in the last 30 days, and what came of it."""
    webhook_id = call.path["webhook_id"]
    _, url, events, *_ = await call.row(ONE, (call.ledger_id, webhook_id))
    _require_reading(call, events)
    named = {"ledger_id": call.ledger_id, "webhook_id": webhook_id}
    rows = await call.rows(DELIVERIES, {**named, **lists.parameters(query, id_is_number=True)})
    page, cursor = lists.cut(rows, query, place=lambda row: (row[12], row[0]))
    return DeliveriesAnswer(items=[_delivery(call, webhook_id, url, row) for row in page], next_cursor=cursor)


async def replay(call: Call, _: Empty) -> DeliveryAnswer:
    """POST /admin/webhooks/{webhook_id}/deliveries/{delivery_id}/replay: send it again, now."""
    webhook_id, delivery_id = call.path["webhook_id"], call.path["delivery_id"]
    _, url, events, tenant_id, _, _ = await call.row(ONE, (call.ledger_id, webhook_id))
    _require_reading(call, events)
    await call.row(REPLAY, (call.ledger_id, webhook_id, delivery_id))
    call.audit("webhook.replayed", subject=webhook_id, tenant_id=tenant_id, after={"deliveryId": delivery_id})
    named = {"ledger_id": call.ledger_id, "webhook_id": webhook_id, "delivery_id": delivery_id}
    return DeliveryAnswer(delivery=_delivery(call, webhook_id, url, await call.row(DELIVERY, named)))


def _require_reading(call: Call, events: Sequence[str]) -> None:
    """Who is told of something, or sees what was told, may read it. Raises Refused(FORBIDDEN)."""
    if not {READS[event.partition(".")[0]] for event in events} <= call.caller.permissions:
        raise Refused("FORBIDDEN")


def _webhook(row: Sequence[Any]) -> Webhook:
    webhook_id, url, events, tenant_id, made_by, made_at = row
    return Webhook(
        webhook_id=webhook_id, url=url, events=events, tenant_id=tenant_id, made_by=made_by, at=instant(made_at)
    )


def _delivery(call: Call, webhook_id: str, url: str, row: Sequence[Any]) -> Delivery:
    delivery_id, event_id, kind, told, data, status, attempt, sent_at, answered, text, error, took, at, flies, due = row
    sent = None
    if sent_at is not None:
        body = signing.body_of(kind, told, data)
        at_second = int(sent_at.timestamp())
        headers = signing.headers_of(call.settings.pepper, webhook_id, event_id=event_id, at=at_second, body=body)
        sent = Sent(url=url, headers=headers, body=body.decode())
    return Delivery(
        delivery_id=str(delivery_id), event_id=event_id, type=kind, status=status, attempt=attempt, request=sent,
        response=None if answered is None else Received(status=answered, body=text or ""), error=error,
        duration_ms=took, at=instant(at), next_at=None if due is None or flies else instant(due),
    )  # fmt: skip


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
