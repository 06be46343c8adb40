"""The text of a refresh token: made again from its family and number, and read only if this pepper made it."""

from __future__ import annotations

import pytest

from casino.staff.refresh_tokens import read, refresh_token

FAMILY = "0b4f1f7e-3f0e-4a57-9d3e-3a1f7a1b2c3d"
PEPPER = b"pepper"


def test_a_token_is_read_again() -> None:
    token = refresh_token(PEPPER, FAMILY, 7)
    assert token == refresh_token(PEPPER, FAMILY, 7)
    assert read(PEPPER, token) == (FAMILY, 7)
    assert read(b"another", token) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token.replace(".7.", ".8."),
        lambda token: token.replace("0b4f", "1b4f"),
        lambda token: token.replace(".7.", ".07."),
        lambda token: token + "=",
        lambda token: token + "\n",
        lambda token: token.upper(),
        lambda token: token[:-1],
        lambda token: token[3:],
        lambda _: "",
        lambda _: f"rt_{FAMILY}.99999999999999999999.{'A' * 43}",
    ],
)
def test_an_altered_token_is_none(change: object) -> None:
    assert callable(change)
    assert read(PEPPER, change(refresh_token(PEPPER, FAMILY, 7))) is None
