"""Every field of every body that players and their staff send: missing, of another type, out of range."""

from __future__ import annotations

from typing import Any, Final

import pytest

from casino_testing.api import Api, Tree, refused
from casino_testing.tenant import Tenant

REASON: Final = {"reason": "why"}
STAFF: Final[dict[str, dict[str, Any]]] = {
    **dict.fromkeys(("freeze", "unfreeze", "close", "erase", "cashout", "bonus/forfeit"), REASON),
    **{word: {"amountMinor": 1, **REASON} for word in ("deposit", "withdraw", "adjust")},
    "exclude": {"period": "P7D", **REASON},
    "limits": {"kind": "loss", "period": "day", "value": 1, **REASON},
}
OWN: Final[dict[str, dict[str, Any]]] = {
    "limits": {"kind": "loss", "period": "day", "value": 1},
    "exclude": {"period": "P7D"},
}
SHIFTS: Final[dict[str, dict[str, Any]]] = {"open": {"cashMinor": 1}, "close": {"countedMinor": 1}}
WRONG: Final[dict[str, list[Any]]] = {
    "reason": [None, 1, "", "x" * 257, "a\nb", "\u0000", " ", "\u2007\u3000", "a\u202ab", "\u2069x", "\ufffe", [], {}],
    "amountMinor": [None, True, 1.5, "1", 10**12 + 1, -(10**12) - 1, 2**80, []],
    "kind": [None, 1, "DEPOSIT", "", "x"],
    "period": [None, 1, "P7d", "year", ""],
    "value": [True, 1.5, "1", -1, 10**12 + 1, {}],
    "cashMinor": [None, True, -1, "1", 10**12 + 1],
    "countedMinor": [None, True, -1, "1", 10**12 + 1],
}


@pytest.fixture
def tree(api: Api) -> Tree:
    return api.tree()


async def each_wrong(api: Api, path: str, good: dict[str, Any], token: str) -> None:
    for name in good:
        missing = {other: value for other, value in good.items() if other != name}
        refused(await api.post(path, missing, token=token), 400, "INVALID_FIELD", name)
        for value in WRONG[name]:
            refused(await api.post(path, {**good, name: value}, token=token), 400, "INVALID_FIELD", name)


async def test_a_wrong_field_of_staff_moves_nothing(api: Api, tenant: Tenant) -> None:
    token, before = api.owner().token, tenant.money_rows()
    for word, good in STAFF.items():
        await each_wrong(api, f"/admin/players/1/{word}", good, token)
        for body in (b"", b"{}x", b"[]", b'{"reason": "a", "reason": "b"}'):
            answer = await api.post(f"/admin/players/1/{word}", body, token=token)
            assert answer.status_code == 400, answer.text
    assert tenant.money_rows() == before
    assert tenant.rows("player_payments") == tenant.rows("approvals") == tenant.rows("player_limits") == []


async def test_a_wrong_field_of_a_player_changes_nothing(api: Api, tenant: Tenant) -> None:
    for word, good in OWN.items():
        await each_wrong(api, f"/player/{word}", good, api.player_token("1"))
    assert tenant.rows("player_limits") == tenant.rows("player_exclusions") == []


async def test_a_wrong_field_of_a_shift_changes_nothing(api: Api, tenant: Tenant, tree: Tree) -> None:
    for word, good in SHIFTS.items():
        await each_wrong(api, f"/admin/shifts/{word}", good, tree.cashier.token)
    assert tenant.rows("shifts") == []


async def test_an_id_that_nobody_can_have_is_not_there(api: Api) -> None:
    token = api.owner().token
    for player_id in ("%00", "%FF", "%ED%A0%80", "%C2%A7tenant:x", "x" * 300, "%20"):
        for answer in (
            await api.get(f"/admin/players/{player_id}", token=token),
            await api.post(f"/admin/players/{player_id}/deposit", STAFF["deposit"], token=token),
            await api.post(f"/admin/approvals/{player_id}/approve", {}, token=token),
            await api.post(f"/player/limits/{player_id}/confirm", {}, token=api.player_token("1")),
        ):
            assert answer.status_code in (400, 404), f"{player_id}: {answer.text}"


WRONG_QUERIES = [
    "limit=0",
    "limit=201",
    "limit=x",
    "limit=1.0",
    "limit=1e1",
    "limit=01",
    "cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsIjEiXQ",
    "limit=1&limit=2",
    "cursor=x",
    "cursor=",
    "other=1",
]


async def test_a_wrong_query_is_refused(api: Api, tree: Tree) -> None:
    for path, token in (
        ("/admin/players", tree.operator.token), ("/admin/approvals", tree.operator.token),
        ("/admin/shifts", tree.cashier.token), ("/player/history", api.player_token("1")),
    ):  # fmt: skip
        for query in WRONG_QUERIES:
            answer = await api.get(f"{path}?{query}", token=token)
            assert answer.status_code == 400, f"{path}?{query}: {answer.text}"
