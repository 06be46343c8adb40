"""Codes and PINs that people type."""

from __future__ import annotations

import pytest

from casino.api import codes

PEPPER = b"a pepper of thirty-two characters"


def test_a_code_has_only_characters_that_are_told_apart() -> None:
    made = "".join(codes.new_code(codes.LOGIN_CODE_CHARACTERS) for _ in range(100))
    assert len(made) == 1_000
    assert set(made) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_a_pin_has_six_digits() -> None:
    assert all(len(pin) == 6 and pin.isdigit() for pin in (codes.new_pin() for _ in range(100)))


@pytest.mark.parametrize("typed", ["ABCD-0123-11", "abcd 0123 11", "abcdo123li"])
def test_the_spelling_of_a_code_does_not_matter(typed: str) -> None:
    assert codes.plain(typed) == "ABCD012311"
    for hashed in (codes.code_mac, lambda *parts: codes.pin_mac(*parts, "1")):
        assert hashed(PEPPER, codes.LOGIN, typed) == hashed(PEPPER, codes.LOGIN, "ABCD012311")
        assert hashed(PEPPER, codes.LOGIN, typed) != hashed(PEPPER, codes.VOUCHER, typed)


def test_a_code_is_shown_in_fours() -> None:
    assert codes.shown("ABCD012311") == "ABCD-0123-11"


def test_a_pin_is_of_its_code() -> None:
    assert codes.pin_mac(PEPPER, codes.LOGIN, "A", "1") != codes.pin_mac(PEPPER, codes.LOGIN, "B", "1")
