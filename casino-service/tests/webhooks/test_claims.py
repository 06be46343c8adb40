"""Which deliveries are sent next: in order for each player, once at a time, and after failures as the schedule says."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from casino_testing.desk import Desk
from casino_testing.tenant import SET_CLOCK, Row, Tenant
from casino_testing.webhooks import deliveries, end, listen, listen_as_owner

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TELL = "select casino.tell(%s, %s, 'player.closed', %s, null, '{}')"
Clock = Callable[[datetime], None]


@pytest.fixture
def at(tenant: Tenant, desk: Desk) -> Clock:
    """Sets the clock of the test and of the desk."""
    tenant.make_clock_settable()

    def set_clock(now: datetime) -> None:
        tenant.sql(SET_CLOCK, now.isoformat())
        desk._connection.execute(SET_CLOCK, [now.isoformat()])  # type: ignore[call-overload]

    set_clock(NOON)
    return set_clock


def tell(tenant: Tenant, *players: str | None) -> None:
    for player_id in players:
        tenant.sql(TELL, tenant.ledger_id, tenant.tenant_id, player_id)


def claim(
    desk: Desk,
    *,
    free: int = 8,
    most: int = 1_000,
    busy: dict[Any, int] | None = None,
    held: dict[str, int] | None = None,
) -> list[Row]:
    busy = busy or {}
    with desk.transaction():
        rows = desk.rows("claim_deliveries", list(busy), list(busy.values()), free, Jsonb(held or {}), most)
    return sorted(rows, key=lambda row: int(row["o_delivery_id"]))


def players(tenant: Tenant, rows: list[Row]) -> list[str | None]:
    by_id = {row["delivery_id"]: row["player_id"] for row in deliveries(tenant)}
    return [by_id[row["o_delivery_id"]] for row in rows]


def finish(desk: Desk, row: Row, *, good: bool = True, retry_after: int | None = None) -> str | None:
    status = 200 if good else 500
    arguments = (row["o_delivery_id"], row["o_attempt"], good, status, "text", None, 3, retry_after)
    answered: str | None = desk.value("finish_delivery", *arguments)
    return answered


def statuses(tenant: Tenant) -> list[str]:
    return [row["status"] for row in deliveries(tenant)]


def test_the_first_of_each_player_is_sent_and_the_next_one_after_it(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "player.closed")
    tell(tenant, "a", "a", "b", "a")
    first = claim(desk)
    assert players(tenant, first) == ["a", "b"]
    assert claim(desk) == [], "they are in flight, and the others wait behind"
    assert finish(desk, first[0]) == "DELIVERED"
    (second,) = claim(desk)
    assert second["o_delivery_id"] > first[0]["o_delivery_id"]
    finish(desk, second)
    (third,) = claim(desk)
    assert finish(desk, third) == "DELIVERED"
    assert sorted(statuses(tenant)) == ["DELIVERED", "DELIVERED", "DELIVERED", "PENDING"]


def test_what_tells_of_no_player_holds_nothing_back(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "player.closed")
    tell(tenant, None, None, None)
    assert len(claim(desk)) == 3


def test_one_that_fails_holds_back_its_player_at_that_webhook_alone(tenant: Tenant, desk: Desk, at: Clock) -> None:
    failing, other = listen(tenant, "player.closed"), listen(tenant, "player.closed")
    tell(tenant, "a", "a", "b")
    rows = claim(desk)
    for row in rows:
        finish(desk, row, good=row["o_webhook_id"] != failing or players(tenant, [row]) == ["b"])
    again = claim(desk)
    assert [(row["o_webhook_id"], players(tenant, [row])) for row in again] == [(other, ["a"])]
    at(NOON + timedelta(seconds=5))
    (retried,) = claim(desk)
    assert (retried["o_webhook_id"], retried["o_attempt"]) == (failing, 2)


def test_tries_follow_the_schedule_and_end_after_three_days(tenant: Tenant, desk: Desk, at: Clock) -> None:
    listen(tenant, "player.closed")
    tell(tenant, "a", "a")
    waits = [5, 30, 300, 1_800, 7_200, *[28_800] * 9]
    now = NOON
    for attempt, wait in enumerate(waits, start=1):
        (row,) = claim(desk)
        assert (row["o_attempt"], row["o_sent_at"]) == (attempt, now)
        assert finish(desk, row, good=False) == "PENDING"
        now = min(now + timedelta(seconds=wait), NOON + timedelta(days=3))
        at(now - timedelta(milliseconds=1))
        assert claim(desk) == []
        at(now)
    assert now == NOON + timedelta(days=3)
    (row,) = claim(desk)
    assert finish(desk, row, good=False) == "DEAD"
    (row,) = claim(desk)
    assert (row["o_attempt"], statuses(tenant)) == (1, ["DEAD", "PENDING"]), "the next one has three days of its own"


@pytest.mark.parametrize(("asked", "waits"), [(0, 5), (5, 5), (12, 12), (30, 30), (31, 30), (86_400, 30), (None, 5)])
def test_a_receiver_may_ask_for_the_next_longer_wait_and_no_other(
    tenant: Tenant, desk: Desk, at: Clock, asked: int | None, waits: int
) -> None:
    listen(tenant, "player.closed")
    tell(tenant, "a")
    finish(desk, claim(desk)[0], good=False, retry_after=asked)
    at(NOON + timedelta(seconds=waits, milliseconds=-1))
    assert claim(desk) == []
    at(NOON + timedelta(seconds=waits))
    assert len(claim(desk)) == 1


def test_a_process_that_dies_loses_its_lease_and_its_word(tenant: Tenant, desk: Desk, at: Clock) -> None:
    listen(tenant, "player.closed")
    tell(tenant, "a")
    (lost,) = claim(desk)
    at(NOON + timedelta(seconds=29))
    assert claim(desk) == []
    at(NOON + timedelta(seconds=30))
    (taken,) = claim(desk)
    assert (taken["o_delivery_id"], taken["o_attempt"]) == (lost["o_delivery_id"], 2)
    assert finish(desk, lost) is None
    assert statuses(tenant) == ["PENDING"]
    assert finish(desk, taken) == "DELIVERED"
    assert finish(desk, taken, good=False) is None
    assert statuses(tenant) == ["DELIVERED"]


def test_each_webhook_gets_what_it_has_free_and_all_together_what_the_process_has(tenant: Tenant, desk: Desk) -> None:
    busy, idle = listen(tenant, "player.closed"), listen(tenant, "player.closed")
    tell(tenant, *"abcdefghij")
    rows = claim(desk, free=4, busy={busy: 1})
    assert sorted(row["o_webhook_id"] == idle for row in rows) == [False, True, True, True, True]
    assert [row["o_webhook_id"] for row in claim(desk, free=4, busy={busy: 0}, most=12)] == [idle] * 3
    assert claim(desk, free=4, busy={busy: -1, idle: 0}) == []


def test_no_tenant_takes_more_than_a_quarter_of_what_is_free(tenant: Tenant, desk: Desk) -> None:
    """However many webhooks of how many tenants wait, others find a place."""
    greedy = [tenant.add_tenant_below(name) for name in "abcd"]
    for each in greedy:
        for _ in range(5):
            listen(tenant, "player.closed", of=each)
        for number in range(8):
            tenant.sql(TELL, tenant.ledger_id, each, f"p{number}")
    rows = claim(desk, most=40)
    taken = Counter(row["o_tenant_id"] for row in rows)
    assert set(taken) == set(greedy)
    assert max(taken.values()) <= 10
    modest = tenant.add_tenant_below("e")
    webhook = listen(tenant, "player.closed", of=modest)
    tenant.sql(TELL, tenant.ledger_id, modest, "p")
    again = claim(desk, most=40 - len(rows), held=dict(taken))
    assert [row["o_webhook_id"] for row in again] == [webhook]


def test_a_tenant_that_holds_its_share_gets_nothing_and_owners_have_a_share_of_their_own(
    tenant: Tenant, desk: Desk
) -> None:
    own, owners = listen(tenant, "player.closed"), listen_as_owner(tenant, "player.closed")
    tell(tenant, *"abcdefgh")
    rows = claim(desk, most=16, held={tenant.tenant_id: 4})
    assert [row["o_webhook_id"] for row in rows] == [owners] * 4
    assert {row["o_tenant_id"] for row in rows} == {None}
    rows = claim(desk, most=16, held={"": 4, tenant.tenant_id: 3})
    assert [row["o_webhook_id"] for row in rows] == [own]
    assert len(claim(desk, most=1)) == 1, "the last place is anybody's"


def test_a_long_line_of_one_player_delays_no_other_player(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "player.closed")
    tell(tenant, *["slow"] * 300, "other")
    first = claim(desk)
    assert players(tenant, first) == ["slow"]
    (other,) = claim(desk)
    assert players(tenant, [other]) == ["other"]
    finish(desk, first[0])
    assert players(tenant, claim(desk)) == ["slow"]


def test_nothing_is_sent_to_a_webhook_that_has_ended(tenant: Tenant, desk: Desk) -> None:
    webhook = listen(tenant, "player.closed")
    tell(tenant, "a")
    end(tenant, webhook)
    assert claim(desk) == []


def test_webhooks_that_have_ended_are_told_to_who_sends(tenant: Tenant, desk: Desk) -> None:
    kept, deleted = listen(tenant, "player.closed"), listen(tenant, "player.closed")
    end(tenant, deleted)
    with desk.transaction():
        rows = desk.rows("ended_webhooks", [kept, deleted])
    assert [row["ended_webhooks"] for row in rows] == [deleted]


def test_a_replay_begins_anew_and_holds_nothing_back(tenant: Tenant, desk: Desk, at: Clock) -> None:
    webhook = listen(tenant, "player.closed")
    tell(tenant, "a")
    (row,) = claim(desk)
    finish(desk, row)
    delivery_id = row["o_delivery_id"]
    assert desk.call("replay_delivery", webhook, delivery_id)["status"] == "PENDING"
    tell(tenant, "a")
    again, new = claim(desk)
    assert (again["o_delivery_id"], again["o_event_id"], again["o_attempt"]) == (delivery_id, row["o_event_id"], 2)
    finish(desk, again, good=False)
    assert finish(desk, new) == "DELIVERED", "the replay is not over, and holds nothing back"
    at(NOON + timedelta(seconds=5))
    assert [each["o_attempt"] for each in claim(desk)] == [3]


def test_a_replay_of_one_that_waits_tries_it_now_and_in_its_turn(tenant: Tenant, desk: Desk, at: Clock) -> None:
    webhook = listen(tenant, "player.closed")
    tell(tenant, "a", "a")
    (row,) = claim(desk)
    assert desk.call("replay_delivery", webhook, row["o_delivery_id"])["in_flight"]
    assert claim(desk) == [], "it is in flight: nothing changes"
    finish(desk, row, good=False)
    desk.call("replay_delivery", webhook, row["o_delivery_id"])
    (again,) = claim(desk)
    assert (again["o_delivery_id"], again["o_attempt"]) == (row["o_delivery_id"], 2)


def test_nobody_replays_for_a_tenant_above_or_beside(tenant: Tenant, desk: Desk) -> None:
    below = tenant.add_tenant_below("a")
    webhook = listen(tenant, "player.closed")
    tell(tenant, "a")
    (row,) = claim(desk)
    other = Desk(tenant, below)
    with other.transaction():
        assert other.rows("replay_delivery", webhook, row["o_delivery_id"]) == []
    other.close()


def test_events_are_forgotten_after_thirty_days_with_their_deliveries(tenant: Tenant, desk: Desk, at: Clock) -> None:
    webhook = listen(tenant, "player.closed")
    tell(tenant, "a", "b", "c")
    end(tenant, webhook)
    at(NOON + timedelta(days=30))
    assert desk.value("forget_webhook_events", 2) == 0
    at(NOON + timedelta(days=30, seconds=1))
    assert [desk.value("forget_webhook_events", 2) for _ in range(3)] == [2, 1, 0]
    assert [tenant.rows(name) for name in ("webhook_events", "webhook_deliveries", "webhooks")] == [[], [], []]


def test_what_nobody_sends_for_a_minute_is_overdue(tenant: Tenant, desk: Desk, at: Clock) -> None:
    listen(tenant, "player.closed")
    tell(tenant, "a", "b", "c")
    at(NOON + timedelta(seconds=60))
    assert desk.value("overdue_deliveries", 10) == 0
    at(NOON + timedelta(seconds=61))
    assert [desk.value("overdue_deliveries", most) for most in (10, 2)] == [3, 2]
    claim(desk)
    assert desk.value("overdue_deliveries", 10) == 0


def test_processes_that_claim_at_once_never_have_two_of_one_player_and_keep_the_order(
    tenant: Tenant, open_desk: Callable[[], Desk]
) -> None:
    listen(tenant, "player.closed")
    told = [f"p{number % 5}" for number in range(200)]
    tell(tenant, *told)
    by_id = {row["delivery_id"]: row["player_id"] for row in deliveries(tenant)}
    lock, in_flight, sent, faults = threading.Lock(), set[str](), list[int](), list[str]()

    def work(desk: Desk) -> None:
        while len(sent) < len(told) and not faults:
            for row in claim(desk, free=2):
                player_id = by_id[row["o_delivery_id"]]
                with lock:
                    if player_id in in_flight:
                        faults.append(player_id)
                    in_flight.add(player_id)
                    sent.append(row["o_delivery_id"])
                with lock:
                    in_flight.discard(player_id)
                finish(desk, row)

    threads = [threading.Thread(target=work, args=(open_desk(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    for player_id in set(told):
        own = [each for each in sent if by_id[each] == player_id]
        assert own == sorted(own)
    assert sorted(sent) == sorted(by_id)
