"""`/api/v1/admin/stops`: who makes, sees and ends a stop, and what the wire says while it holds."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from casino_testing.api import Api, Member, Tree, refused
from casino_testing.edge import bet
from casino_testing.tenant import Tenant

STOPS = "/admin/stops"


@pytest.fixture
def tree(api: Api) -> Tree:
    """A tree with the games of the test's tenant."""
    tree = api.tree()
    api.tenant.sql(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " select %s, game_id, game_code, display_name, stake_min_minor, stake_max_minor from casino.games"
        " where tenant_id = %s",
        tree.distributor_id, api.tenant.tenant_id,
    )  # fmt: skip
    return tree


async def make(api: Api, member: Member, scope: str = "all", **content: Any) -> httpx.Response:
    return await api.post(STOPS, {"scope": scope, "reason": "An inspection", **content}, token=member.token)


async def made(api: Api, member: Member, scope: str = "all", **content: Any) -> dict[str, Any]:
    answer = await make(api, member, scope, **content)
    assert answer.status_code == 201, answer.text
    stop: dict[str, Any] = answer.json()["stop"]
    return stop


async def lift(api: Api, member: Member, stop: dict[str, Any]) -> httpx.Response:
    return await api.call("DELETE", f"{STOPS}/{stop['stopId']}", token=member.token)


async def listed(api: Api, member: Member) -> list[str]:
    answer = await api.get(STOPS, token=member.token)
    assert answer.status_code == 200, answer.text
    return [item["stopId"] for item in answer.json()["items"]]


def play_in(api: Api, tenant_id: str, player_id: str) -> None:
    own = Tenant(api.tenant.url, tenant_id=tenant_id, ledger_id=api.tenant.ledger_id)
    own.open_player(player_id)
    own.close()


async def test_a_stop_from_its_making_to_its_end(api: Api, tree: Tree) -> None:
    play_in(api, tree.agent_id, "under")
    token = await api.service.launch("under")
    stop = await made(api, tree.operator)
    assert stop == {
        "stopId": stop["stopId"], "scope": "all", "id": None, "reason": "An inspection",
        "tenantId": tree.operator_id, "madeBy": tree.operator.staff_id, "at": stop["at"],
    }  # fmt: skip
    refusal = (await api.service.post("debit", bet(token, userId="under"))).json()
    assert (refusal["code"], refusal["error"]) == ("play_stopped", "An inspection")
    assert await listed(api, tree.operator) == await listed(api, tree.auditor) == [stop["stopId"]]
    ended = await lift(api, tree.operator, stop)
    assert (ended.status_code, ended.json()) == (200, {"ok": True})
    assert (await api.service.post("debit", bet(token, userId="under"))).status_code == 200
    assert await listed(api, tree.operator) == []
    refused(await lift(api, tree.operator, stop), 404, "NOT_FOUND")
    trail = [(row["action"], row["subject"], row["actor_id"]) for row in api.audit() if row["outcome"] == "DONE"]
    assert trail == [(action, stop["stopId"], tree.operator.staff_id) for action in ("stop.made", "stop.lifted")]


async def test_owners_stop_everything_and_end_every_stop(api: Api, tree: Tree) -> None:
    everywhere = await made(api, tree.owner)
    assert everywhere["tenantId"] is None
    token_refused = await api.service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})
    assert token_refused.json()["error"] == "An inspection"
    refused(await lift(api, tree.operator, everywhere), 404, "NOT_FOUND")
    own = await made(api, tree.operator, "game", id="SLOTS_001")
    assert await listed(api, tree.owner) == [own["stopId"], everywhere["stopId"]]
    assert await listed(api, tree.operator) == [own["stopId"]]
    for stop in (own, everywhere):
        assert (await lift(api, tree.owner, stop)).status_code == 200


async def test_staff_of_another_tenant_find_nothing(api: Api, tree: Tree) -> None:
    other = api.tree()
    stop = await made(api, tree.operator)
    assert await listed(api, other.operator) == []
    refused(await lift(api, other.operator, stop), 404, "NOT_FOUND")
    play_in(api, tree.agent_id, "theirs")
    refused(await make(api, other.operator, "player", id="theirs"), 404, "NOT_FOUND")
    assert (await make(api, tree.operator, "player", id="theirs")).status_code == 201


@pytest.mark.parametrize("role", ["distributor", "agent", "cashier", "auditor"])
async def test_roles_without_the_permission_may_not_stop_play(api: Api, tree: Tree, role: str) -> None:
    member = next(each for each in tree.members() if each.role == role)
    refused(await make(api, member), 403, "FORBIDDEN")
    refused(await lift(api, member, {"stopId": "x"}), 403, "FORBIDDEN")


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"scope": "all", "id": "main"}, "id"),
    ({"scope": "game"}, "id"),
    ({"scope": "game", "id": None}, "id"),
    ({"scope": "game", "id": 7}, "id"),
    ({"scope": "everything"}, "scope"),
    ({"scope": None}, "scope"),
    ({"reason": ""}, "reason"),
    ({"reason": "x" * 257}, "reason"),
    ({"reason": "a\nb"}, "reason"),
    ({"reason": None}, "reason"),
]


async def test_a_wrong_field_is_named(api: Api, tree: Tree) -> None:
    for content, field in WRONG_FIELDS:
        body = {"scope": "all", "reason": "x", **content}
        refused(await api.post(STOPS, body, token=tree.operator.token), 400, "INVALID_FIELD", field)


@pytest.mark.parametrize("scope", ["provider", "game", "player"])
async def test_an_id_that_is_not_there_is_not_found(api: Api, tree: Tree, scope: str) -> None:
    refused(await make(api, tree.operator, scope, id="nobody"), 404, "NOT_FOUND")


async def test_a_list_goes_on_at_its_cursor(api: Api, tree: Tree) -> None:
    stops = [(await made(api, tree.operator, "game", id="SLOTS_001"))["stopId"] for _ in range(3)]
    first = (await api.get(f"{STOPS}?limit=2", token=tree.operator.token)).json()
    rest = (await api.get(f"{STOPS}?limit=2&cursor={first['nextCursor']}", token=tree.operator.token)).json()
    assert [item["stopId"] for item in first["items"] + rest["items"]] == stops[::-1]
    assert rest["nextCursor"] is None
