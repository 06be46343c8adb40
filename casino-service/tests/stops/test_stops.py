"""What a stop holds for, who may make it and who may end it; and what tenants have from those above them."""

from __future__ import annotations

import pytest

from casino_testing.stops import MAKE, lift, make
from casino_testing.tenant import Tenant


def reason_for(
    tenant: Tenant, of: str | None = None, *, provider: str = "main", game: str = "SLOTS_001", player: str = "1"
) -> str | None:
    statement = "select casino.stop_of(%s, %s, %s, %s, %s) as reason"
    found = tenant.sql(statement, tenant.ledger_id, of or tenant.tenant_id, provider, game, player)[0]["reason"]
    return None if found is None else str(found)


def inherited(tenant: Tenant, column: str) -> dict[str, object]:
    return {row["tenant_id"]: row[column] for row in tenant.rows("tenants")}


@pytest.fixture
def tree(tenant: Tenant) -> dict[str, str]:
    """Tenants by short names: top > above > below, and top > beside."""
    above = tenant.add_tenant_below("above")
    return {
        "top": tenant.tenant_id,
        "above": above,
        "below": tenant.add_tenant_below("below", parent=above),
        "beside": tenant.add_tenant_below("beside"),
    }


def test_a_stop_holds_in_its_tenant_and_below_and_the_columns_say_where(tenant: Tenant, tree: dict[str, str]) -> None:
    stop = make(tenant, of=tree["above"], reason="an inspection")
    assert stop["o_code"] is None
    assert {name: reason_for(tenant, of) for name, of in tree.items()} == {
        "top": None, "above": "an inspection", "below": "an inspection", "beside": None,
    }  # fmt: skip
    there = inherited(tenant, "has_stops")
    assert [there[tree[name]] for name in ("top", "above", "below", "beside")] == [False, True, True, False]
    (gone,) = lift(tenant, stop, of=tree["above"])
    assert (gone["reason"], gone["made_by"], gone["tenant_id"]) == ("an inspection", "s-1", tree["above"])
    assert set(inherited(tenant, "has_stops").values()) == {False}
    assert reason_for(tenant, tree["below"]) is None


@pytest.mark.parametrize(
    ("scope", "target", "other"),
    [
        ("provider", "main", {"provider": "acme"}),
        ("game", "SLOTS_001", {"game": "CRASH_001"}),
        ("player", "1", {"player": "2"}),
    ],
)
def test_a_stop_names_what_it_stops(tenant: Tenant, scope: str, target: str, other: dict[str, str]) -> None:
    assert make(tenant, scope, target)["o_code"] is None
    assert reason_for(tenant) == "a reason"
    assert reason_for(tenant, **other) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("scope", "target"), [("provider", "nobody"), ("game", "NONE"), ("player", "nobody")])
def test_a_target_that_is_not_there_is_not_found(tenant: Tenant, scope: str, target: str) -> None:
    assert make(tenant, scope, target)["o_code"] == "NOT_FOUND"


def test_a_player_of_a_tenant_beside_is_not_found_and_one_below_is(tenant: Tenant, tree: dict[str, str]) -> None:
    own = Tenant(tenant.url, tenant_id=tree["below"], ledger_id=tenant.ledger_id)
    own.open_player("under")
    own.close()
    assert make(tenant, "player", "under", of=tree["beside"])["o_code"] == "NOT_FOUND"
    assert make(tenant, "player", "under", of=tree["above"])["o_code"] is None


def test_games_are_those_of_the_tenant_above(tenant: Tenant, tree: dict[str, str]) -> None:
    assert make(tenant, "game", "SLOTS_001", of=tree["below"])["o_code"] is None
    assert make(tenant, "provider", "main", of=tree["below"])["o_code"] is None


def test_the_oldest_stop_gives_the_reason(tenant: Tenant, tree: dict[str, str]) -> None:
    make(tenant, reason="first")
    make(tenant, of=tree["below"], reason="second")
    assert reason_for(tenant, tree["below"]) == "first"


def test_nobody_makes_or_ends_a_stop_of_a_tenant_above_or_beside(tenant: Tenant, tree: dict[str, str]) -> None:
    values = {"ledger": tenant.ledger_id, "scope_of": tree["below"], "scope": "all", "target": None, "reason": "x"}
    for of in (tree["above"], tree["beside"], None):
        assert tenant.sql(MAKE, {**values, "tenant": of})[0]["o_code"] == "NOT_FOUND"
    stop = make(tenant, of=tree["above"])
    assert lift(tenant, stop, of=tree["below"]) == lift(tenant, stop, of=tree["beside"]) == []
    assert len(lift(tenant, stop)) == 1


def test_an_owners_stop_holds_everywhere_and_is_ended_by_owners_alone(tenant: Tenant, tree: dict[str, str]) -> None:
    tenant.sql(
        "insert into casino.stops (ledger_id, scope, reason, made_by, made_at) values (%s, 'all', 'x', 'o-1', now())",
        tenant.ledger_id,
    )
    assert set(inherited(tenant, "has_stops").values()) == {True}
    assert reason_for(tenant, tree["below"]) == "x"
    assert lift(tenant, {"o_stop_id": tenant.rows("stops")[0]["stop_id"]}) == []
    later = tenant.add_tenant_below("later")
    assert inherited(tenant, "has_stops")[later] is True
    of_another_ledger = "select has_stops from casino.tenants where tenant_id = 'JAQPOT'"
    assert tenant.sql(of_another_ledger)[0]["has_stops"] is False


def test_a_tenant_has_the_region_of_its_nearest_ancestor(tenant: Tenant, tree: dict[str, str]) -> None:
    tenant.set_tenant(region="NV")
    tenant.sql("update casino.tenants set region = 'CA' where tenant_id = %s", tree["above"])
    later = tenant.add_tenant_below("later", parent=tree["below"])
    assert inherited(tenant, "region_in_force") == {
        tree["top"]: "NV", tree["above"]: "CA", tree["below"]: "CA", tree["beside"]: "NV", later: "CA",
    }  # fmt: skip
    tenant.sql("update casino.tenants set region = null where tenant_id = %s", tree["above"])
    assert inherited(tenant, "region_in_force")[tree["below"]] == "NV"
