"""A tenant's statement over HTTP: opening, closing, running balance, days of the tenant's time zone, and CSV."""

from __future__ import annotations

import base64
import csv
import io
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from casino_testing.api import Api, Tree, refused

FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture
async def tree(api: Api) -> Tree:
    """An agent with eleven entries: funded ten times, and a voucher."""
    tree = api.tree()
    for tenant_id, amount in ((tree.distributor_id, 10_000), (tree.operator_id, 10_000)):
        await api.post(
            f"/admin/tenants/{tenant_id}/fund", {"amountMinor": amount, "reason": "x"}, token=tree.owner.token
        )
    for number in range(1, 11):
        body = {"amountMinor": 100 * number, "reason": FORMULA}
        answer = await api.post(f"/admin/tenants/{tree.agent_id}/fund", body, token=tree.operator.token)
        assert answer.status_code == 200
    await api.post(f"/voucher/agents/{tree.agent_id}/vouchers", {"amountMinor": 1_000}, token=tree.agent.token)
    return tree


async def statement(api: Api, tree: Tree, *, accept: str = "application/json", **params: Any) -> httpx.Response:
    path = f"/admin/tenants/{tree.agent_id}/statement"
    return await api.get(path, token=tree.agent.token, params=params, headers={"accept": accept})


def spread(api: Api, tree: Tree, *instants: datetime) -> None:
    """Date the agent's entries back, in order; the newest ones keep their time."""
    for number, at in enumerate(instants, start=1):
        api.tenant.sql(
            "update casino.float_entries set at = %s where tenant_id = %s and sequence_no = %s",
            at, tree.agent_id, number,
        )  # fmt: skip


def date_as_booked(api: Api) -> None:
    """Undo `spread`: a ledger whose statements differ from its books is not whole."""
    api.tenant.sql(
        "update casino.float_entries as told set at = entry.recorded_at from casino.transactions as entry"
        " where told.ledger_id = %s and (entry.ledger_id, entry.wallet_id, entry.transaction_id)"
        " = (told.ledger_id, told.wallet_id, told.transaction_id)",
        api.tenant.ledger_id,
    )


async def test_every_entry_has_the_balance_after_it(api: Api, tree: Tree) -> None:
    shown = (await statement(api, tree)).json()
    items = shown["items"]
    assert (shown["openingMinor"], shown["closingMinor"], len(items)) == (0, 4_000, 11)
    assert shown["openingMinor"] + sum(item["amountMinor"] for item in items) == shown["closingMinor"]
    assert all(one["balanceMinor"] + two["amountMinor"] == two["balanceMinor"] for one, two in pairwise(items))
    assert (items[0]["kind"], items[0]["counterparty"], items[0]["actorId"], items[0]["reason"]) == (
        "FUND_IN", tree.operator_id, tree.operator.staff_id, FORMULA,
    )  # fmt: skip
    assert (items[-1]["kind"], items[-1]["amountMinor"], items[-1]["actorId"]) == (
        "VOUCHER_ISSUE", -1_500, tree.agent.staff_id,
    )  # fmt: skip
    assert items[-1]["reference"] == api.tenant.rows("vouchers")[0]["voucher_id"]


async def test_pages_have_one_opening_and_one_closing(api: Api, tree: Tree) -> None:
    amounts: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await statement(api, tree, limit="4", **({"cursor": cursor} if cursor else {}))).json()
        assert (page["openingMinor"], page["closingMinor"]) == (0, 4_000)
        amounts += [item["amountMinor"] for item in page["items"]]
        if not cursor:  # booked between two pages: no page shows it
            body = {"amountMinor": 5, "reason": "x"}
            await api.post(f"/admin/tenants/{tree.agent_id}/fund", body, token=tree.operator.token)
        cursor = page["nextCursor"]
    assert amounts == [*range(100, 1_100, 100), -1_500]


async def test_a_cursor_is_good_for_the_statement_that_made_it(api: Api, tree: Tree) -> None:
    made = (await statement(api, tree, limit="4")).json()["nextCursor"]
    assert (await statement(api, tree, limit="2", cursor=made)).status_code == 200
    content = base64.urlsafe_b64decode(made + "=" * (-len(made) % 4))
    assert content.endswith(b"1.5.12")
    forged = base64.urlsafe_b64encode(content.replace(b"1.5.12", b"3.5.12")).decode().rstrip("=")
    for wrong in ("x", "1.5.12", "1.2", forged, made[:-1], made + "A", "a" * 512, "\u00e9"):
        refused(await statement(api, tree, cursor=wrong), 400, "INVALID_FIELD", "cursor")
    for change in ({"from": "2026-01-01"}, {"to": "2999-01-01"}, {"from": "", "to": "2999-01-01T00:00:00Z"}):
        answer = await statement(api, tree, cursor=made, **change)
        refused(answer, 400, "INVALID_FIELD", "cursor")
    operators = f"/admin/tenants/{tree.operator_id}/statement"
    listed = "/admin/tenants"
    for path in (operators, listed):
        refused(await api.get(path, token=tree.operator.token, params={"cursor": made}), 400, "INVALID_FIELD", "cursor")


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("text/csv;q=0", False), ("text/csv; q=0.5, application/json", False), ("text/csv, */*;q=0.1", True),
        ("*/*", False), ("text/csvx", False), ("TEXT/CSV;charset=utf-8", True), ("x/y;a=text/csv", False),
    ],
)  # fmt: skip
async def test_an_accept_header_is_read_by_its_media_types(api: Api, accept: str, is_csv: bool) -> None:
    answer = await statement(api, api.tree(), accept=accept)
    assert answer.headers["content-type"].startswith("text/csv") == is_csv


async def test_from_is_inclusive_and_to_is_exclusive_or_a_whole_local_day(api: Api, tree: Tree) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    first, second = datetime(2026, 3, 7, 23, 59, tzinfo=zone), datetime(2026, 3, 8, 0, 0, tzinfo=zone)
    third, fourth = datetime(2026, 3, 8, 23, 59, 59, tzinfo=zone), datetime(2026, 3, 9, 0, 0, tzinfo=zone)
    spread(api, tree, first, second, third, fourth)

    async def seen(**params: str) -> tuple[int, list[int], int]:
        shown = (await statement(api, tree, **params)).json()
        return shown["openingMinor"], [item["amountMinor"] for item in shown["items"]], shown["closingMinor"]

    day = {"from": "2026-03-08", "to": "2026-03-08"}  # 23 hours long
    assert await seen(**day) == (100, [200, 300], 600)
    assert await seen(**{"from": "2026-03-08T08:00:00Z", "to": "2026-03-09T07:00:00Z"}) == (100, [200, 300], 600)
    assert await seen(**{"from": "2026-03-08T00:00:00-08:00", "to": "2026-03-08T23:59:59-07:00"}) == (100, [200], 300)
    assert await seen(**{"from": "2026-01-01", "to": "2026-03-06"}) == (0, [], 0)
    assert await seen(**{"from": "2026-03-10", "to": "2026-03-11"}) == (1_000, [], 1_000)
    assert await seen(**{"from": "2999-01-01"}) == (4_000, [], 4_000)
    later = (await seen())[1]
    assert later == [*range(500, 1_100, 100), -1_500], "the last 30 days"
    date_as_booked(api)


WRONG_TIMES = [
    ({"from": "yesterday"}, "from"), ({"from": "2026-13-01"}, "from"), ({"from": "2026-01-01T00:00:00"}, "from"),
    ({"from": "0001-01-01T00:00:00+23:59"}, "from"), ({"to": "9999-12-31"}, "to"), ({"to": ""}, "to"),
    ({"from": "2026-01-03", "to": "2026-01-01"}, "from"), ({"from": "2026-01-02", "to": "2026-01-01"}, "from"),
    ({"from": "2026-01-02T10:00:00Z", "to": "2026-01-01"}, "from"),
    ({"limit": "1.0"}, "limit"), ({"limit": "1e1"}, "limit"),
    ({"to": "9999-12-31T23:59:59-14:00"}, "to"), ({"limit": "0"}, "limit"), ({"limit": "201"}, "limit"),
]  # fmt: skip


async def test_a_wrong_time_names_its_field(api: Api) -> None:
    tree = api.tree()
    for params, field in WRONG_TIMES:
        refused(await statement(api, tree, **params), 400, "INVALID_FIELD", field)


async def test_a_statement_is_of_those_below_and_not_for_cashiers(api: Api, tree: Tree) -> None:
    path = f"/admin/tenants/{tree.agent_id}/statement"
    refused(await api.get(path, token=tree.cashier.token), 403, "FORBIDDEN")
    refused(await api.get(path, token=api.tree().operator.token), 404, "NOT_FOUND")
    for member in (tree.owner, tree.distributor, tree.auditor):
        assert len((await api.get(path, token=member.token)).json()["items"]) == 11


async def test_a_tenant_without_entries_has_an_empty_statement(api: Api) -> None:
    shown = (await statement(api, api.tree())).json()
    assert (shown["openingMinor"], shown["closingMinor"], shown["items"]) == (0, 0, [])


async def test_csv_is_the_whole_statement_without_formulas(api: Api, tree: Tree) -> None:
    answer = await statement(api, tree, accept="text/csv", limit="3")
    assert answer.headers["content-type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == [
        "at", "kind", "amountMinor", "balanceMinor", "counterparty", "actorId", "reason", "reference",
    ]  # fmt: skip
    assert len(rows) == 11
    assert {row[6] for row in rows} == {f"'{FORMULA}", ""}
    assert (rows[-1][2], rows[-1][3]) == ("-1500", "4000"), "numbers stay numbers"
    assert answer.text.endswith("\r\n")
    assert datetime.fromisoformat(rows[0][0]).tzinfo == UTC
