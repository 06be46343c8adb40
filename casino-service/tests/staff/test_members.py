"""Who may make and change whom: below oneself by role, in the own tenant or below, in a tenant of the fitting type."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from casino_testing.staff import RIGHT, StaffBooks

CREATE = "select o_code, o_field from casino.create_staff(%s, %s, %s, 'hash', %s, %s)"
CHANGE = "select o_code, o_field from casino.change_staff(%s, %s, %s, %s, %s, %s)"
ROLES = ("owner", "distributor", "operator", "agent", "cashier", "auditor")
TYPES = ("DISTRIBUTOR", "OPERATOR", "AGENT", "DEV")
BELOW = {
    "owner": set(ROLES[1:]),
    "distributor": {"operator", "agent", "cashier", "auditor"},
    "operator": {"agent", "cashier", "auditor"},
}
FITS = {
    "distributor": {"DISTRIBUTOR"},
    "operator": {"OPERATOR", "DEV"},
    "agent": {"AGENT"},
    "cashier": {"AGENT"},
    "auditor": set(TYPES),
}


@pytest.fixture
def tree(books: StaffBooks) -> Iterator[dict[str, str]]:
    """A tenant of each type below the ledger's."""
    found = {kind: books.tenant.add_tenant_below(kind) for kind in TYPES}
    for kind, tenant_id in found.items():
        books.tenant.sql("update casino.tenants set tenant_type = %s where tenant_id = %s", kind, tenant_id)
    return found


def create(books: StaffBooks, maker: str, role: str, tenant_id: str, *, view: str | None = None) -> str | None:
    with books.session(view or books.tenant.tenant_id) as connection:
        row = connection.execute(CREATE, [books.tenant.ledger_id, maker, "somebody.new", role, tenant_id]).fetchone()
        assert row is not None
        return row["o_code"]


def change(
    books: StaffBooks, maker: str, whom: str, *, role: str | None = None, active: bool | None = None,
    password: str | None = None, view: str | None = None,
) -> tuple[str | None, str | None]:  # fmt: skip
    with books.session(view or books.tenant.tenant_id) as connection:
        values = [books.tenant.ledger_id, maker, whom, role, active, password]
        row = connection.execute(CHANGE, values).fetchone()
        assert row is not None
        connection.commit()
        return row["o_code"], row["o_field"]


def test_a_role_is_made_by_one_above_it_in_a_tenant_that_fits(books: StaffBooks, tree: dict[str, str]) -> None:
    """Every maker with every role in a tenant of every type."""
    makers = {role: books.add(f"maker.{role}", role) for role in ROLES}
    for maker_role, maker in makers.items():
        for role in ROLES:
            for kind, tenant_id in tree.items():
                may = role in BELOW.get(maker_role, set())
                expected = None if may and kind in FITS[role] else "INVALID_FIELD" if may else "FORBIDDEN"
                assert create(books, maker, role, tenant_id) == expected, (maker_role, role, kind)


def test_a_tenant_out_of_sight_is_not_found_like_one_that_never_was(books: StaffBooks, tree: dict[str, str]) -> None:
    maker = books.add("olaf", "distributor")
    for tenant_id in (books.tenant.tenant_id, tree["DEV"], "JAQPOT", "NOBODY"):
        assert create(books, maker, "auditor", tenant_id, view=tree["OPERATOR"]) == "NOT_FOUND"


def test_who_is_below_is_changed_at_once(books: StaffBooks, tree: dict[str, str]) -> None:
    maker, anna = books.add("olaf", "distributor"), books.add("anna", "agent", tree["AGENT"])
    family_id = books.judge("anna")["o_family_id"]
    assert change(books, maker, anna, role="cashier") == (None, None)
    (row,) = books.tenant.sql("select * from casino.enter_staff(%s, %s, %s)", books.tenant.ledger_id, anna, family_id)
    assert row["o_role"] == "cashier"
    assert change(books, maker, anna, password="new hash") == (None, None)
    assert not books.is_in(anna, family_id)
    assert [books.judge("anna", each)["o_code"] for each in (RIGHT, "new hash")] == ["INVALID_CREDENTIALS", None]
    assert change(books, maker, anna, active=False) == (None, None)
    assert books.judge("anna", "new hash")["o_code"] == "INVALID_CREDENTIALS"
    assert change(books, maker, anna, active=True) == (None, None)
    assert books.judge("anna", "new hash")["o_code"] is None


def test_nobody_changes_oneself_nor_who_is_not_below_nor_to_a_role_that_is_not_below(
    books: StaffBooks, tree: dict[str, str]
) -> None:
    owner, olaf, bert = books.add("owner", "owner"), books.add("olaf", "distributor"), books.add("bert", "distributor")
    anna = books.add("anna", "operator", tree["OPERATOR"])
    forbidden = ("FORBIDDEN", None)
    assert change(books, olaf, olaf, active=False) == forbidden
    assert change(books, olaf, bert, active=False) == forbidden
    assert change(books, anna, olaf, active=False) == forbidden
    assert change(books, olaf, anna, role="distributor") == forbidden
    assert change(books, olaf, anna, role="owner") == forbidden
    assert change(books, olaf, owner, active=False) == ("NOT_FOUND", None), "no tenant sees an owner"
    assert change(books, olaf, anna, role="cashier") == ("INVALID_FIELD", "role")


def test_who_is_out_of_sight_is_not_found_like_who_never_was(books: StaffBooks, tree: dict[str, str]) -> None:
    olaf, anna = books.add("olaf", "distributor"), books.add("anna", "agent", tree["AGENT"])
    for whom in (anna, "nobody"):
        assert change(books, olaf, whom, active=False, view=tree["OPERATOR"]) == ("NOT_FOUND", None)


def test_a_deactivated_maker_makes_nobody(books: StaffBooks, tree: dict[str, str]) -> None:
    olaf, anna = books.add("olaf", "distributor"), books.add("anna", "agent", tree["AGENT"])
    books.tenant.sql("update casino.staff set is_active = false where staff_id = %s", olaf)
    assert create(books, olaf, "auditor", tree["AGENT"]) == "FORBIDDEN"
    assert change(books, olaf, anna, active=False) == ("FORBIDDEN", None)


def test_a_tenant_sees_its_staff_and_no_owner(books: StaffBooks, tree: dict[str, str]) -> None:
    books.add("owner", "owner")
    books.add("anna", "agent", tree["AGENT"])
    books.add("olaf", "distributor")
    names = "select username from casino.staff order by username"
    seen = {}
    for view in (tree["AGENT"], tree["OPERATOR"], books.tenant.tenant_id):
        with books.session(view) as connection:
            seen[view] = [row["username"] for row in connection.execute(names)]
    assert list(seen.values()) == [["anna"], [], ["anna", "olaf"]]
