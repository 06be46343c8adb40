"""The routes of webhooks, and the loops that send what they are told."""

from __future__ import annotations

from typing import Any, Final, Protocol

from casino.api.frame import Frame
from casino.api.types import Answer, Page
from casino.settings import Settings
from casino.sql.schema import database_for
from casino.webhooks import webhooks
from casino.webhooks.deliveries import Dispatcher
from casino.webhooks.sender import Sender
from shared_service.http.routing import Route
from shared_service.run.loops import BackgroundLoop

POOL_MAX: Final = 2
SEND_SECONDS: Final = 0.5
BREAK_OFF_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 15.0
FORGET_SECONDS: Final = 60.0
OVERDUE_MAX: Final = 10_000
FORGET_PAGE: Final = 500
OVERDUE: Final = "select casino.overdue_deliveries(%s, %s)"
FORGET: Final = "select casino.forget_webhook_events(%s, %s)"


class Watcher(Protocol):
    """What metrics show of webhooks."""

    def count_webhook(self, outcome: str) -> object: ...

    def show_overdue_webhooks(self, deliveries: int) -> object: ...


def dispatcher_of(settings: Settings, watcher: Watcher) -> Dispatcher:
    """Builds what sends, with connections of its own to the database and to the receivers."""
    sender = Sender(demo=settings.demo)
    return Dispatcher(database_for(settings, size_max=POOL_MAX), settings, sender, watcher.count_webhook)


def routes(frame: Frame) -> list[Route]:
    """Every route of webhooks."""
    every, one = "/admin/webhooks", "/admin/webhooks/{webhook_id}"
    managing: dict[str, Any] = {"permission": "webhooks.manage", "finds": webhooks.FINDS_WEBHOOK}
    replaying: dict[str, Any] = {"permission": "webhooks.manage", "finds": webhooks.FINDS_DELIVERY}
    return [
        frame.post(
            every, webhooks.make, body=webhooks.NewWebhook, answer=webhooks.Made, status=201,
            permission="webhooks.manage", codes=("TOO_MANY_WEBHOOKS",),
        ),
        frame.get(
            every, webhooks.show_all, query=Page, answer=webhooks.WebhooksAnswer, permission="webhooks.manage"
        ),
        frame.get(one, webhooks.show, answer=webhooks.WebhookAnswer, **managing),
        frame.delete(one, webhooks.end, answer=Answer, **managing),
        frame.get(
            f"{one}/deliveries", webhooks.show_deliveries, query=Page, answer=webhooks.DeliveriesAnswer, **managing
        ),
        frame.post(
            f"{one}/deliveries/{{delivery_id}}/replay", webhooks.replay, answer=webhooks.DeliveryAnswer, **replaying
        ),
    ]  # fmt: skip


def loops(dispatcher: Dispatcher, watcher: Watcher) -> list[BackgroundLoop]:
    """The loops that send, that show what is late, and that forget what is old."""
    database, ledger_id = dispatcher.database, dispatcher.settings.ledger_id

    async def look() -> None:
        ((overdue,),) = await database.call(OVERDUE, (ledger_id, OVERDUE_MAX))
        watcher.show_overdue_webhooks(overdue)

    async def forget() -> bool:
        ((forgotten,),) = await database.call(FORGET, (ledger_id, FORGET_PAGE))
        return int(forgotten) == FORGET_PAGE

    return [
        BackgroundLoop("webhooks", dispatcher.step, interval_seconds=SEND_SECONDS, nudged=dispatcher.wake),
        BackgroundLoop("ended_webhooks", dispatcher.break_off, interval_seconds=BREAK_OFF_SECONDS),
        BackgroundLoop("overdue_webhooks", look, interval_seconds=LOOK_SECONDS),
        BackgroundLoop("webhook_events", forget, interval_seconds=FORGET_SECONDS),
    ]


async def close(dispatcher: Dispatcher) -> None:
    """Let what is in flight end. The database must still be open."""
    await dispatcher.close()
