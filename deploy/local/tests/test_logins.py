"""What the terminal says of logins is what `casino seed-demo` makes."""

from __future__ import annotations

from casino.ops import demo_staff
from local_stack import logins


def test_names_and_password_are_those_of_the_demo() -> None:
    assert tuple(name for name, _, _ in demo_staff.STAFF) == logins.STAFF
    assert demo_staff.PASSWORD == logins.PASSWORD
    assert logins.PASSWORD in logins.WHERE_TO_LOG_IN
