"""API keys by SQL: whose they are, when they end, who may delete them."""

from __future__ import annotations

from datetime import timedelta

from casino_testing.staff import StaffBooks
from casino_testing.tenant import SET_CLOCK, Row

MAKE = "select * from casino.make_api_key(%s, %s, 'reports', 'ck_1234', %s, %s, %s)"


def make(books: StaffBooks, maker: str, mac: bytes = b"mac", *, view: str | None = None, days: float = 1) -> Row:
    with books.session(view or books.tenant.tenant_id) as connection:
        connection.execute(SET_CLOCK.encode(), [books.now.isoformat()])
        values = [books.tenant.ledger_id, maker, mac, ["players.read"], books.now + timedelta(days=days)]
        row = connection.execute(MAKE, values).fetchone()
        assert row is not None
        connection.commit()
        return row


def enter(books: StaffBooks, mac: bytes = b"mac") -> list[Row]:
    return books.tenant.sql("select * from casino.enter_api_key(%s, %s)", books.tenant.ledger_id, mac)


def delete(books: StaffBooks, key_id: str, *, view: str) -> bool:
    with books.session(view) as connection:
        row = connection.execute(
            "select casino.delete_api_key(%s, %s) as found", [books.tenant.ledger_id, key_id]
        ).fetchone()
        assert row is not None
        connection.commit()
        return bool(row["found"])


def test_a_key_is_its_makers_until_it_ends(books: StaffBooks) -> None:
    maker = books.add("anna")
    key_id = make(books, maker)["o_key_id"]
    (row,) = enter(books)
    assert row == {
        "o_key_id": key_id,
        "o_staff_id": maker,
        "o_tenant_id": books.tenant.tenant_id,
        "o_role": "operator",
        "o_username": "anna",
        "o_scopes": ["players.read"],
    }
    assert enter(books, b"another") == []
    books.later(days=1)
    assert enter(books) == []


def test_a_key_ends_with_its_maker_and_when_it_is_deleted(books: StaffBooks) -> None:
    anna, bert = books.add("anna"), books.add("bert")
    make(books, anna)
    key_id = make(books, bert, b"berts")["o_key_id"]
    books.tenant.sql("update casino.staff set is_active = false where staff_id = %s", anna)
    assert enter(books) == []
    below = books.tenant.add_tenant_below("A")
    assert not delete(books, key_id, view=below), "not of this tenant"
    assert len(enter(books, b"berts")) == 1
    assert delete(books, key_id, view=books.tenant.tenant_id)
    assert not delete(books, key_id, view=books.tenant.tenant_id)
    assert enter(books, b"berts") == []


def test_an_end_that_has_passed_and_a_maker_out_of_sight_are_refused(books: StaffBooks) -> None:
    maker = books.add("anna")
    assert make(books, maker, days=0)["o_code"] == "INVALID_FIELD"
    assert make(books, maker, view=books.tenant.add_tenant_below("A"))["o_code"] == "NOT_FOUND"
