"""One-time passwords against the vectors of RFC 6238, and what is stored of them."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from casino.staff import otp

RFC_SECRET = b"12345678901234567890"
# Appendix B has eight digits: the last six are those of a password with six.
RFC_VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
PEPPER = b"pepper"


@pytest.mark.parametrize(("seconds", "code"), RFC_VECTORS)
def test_passwords_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert otp.code_of(RFC_SECRET, seconds // otp.STEP_SECONDS) == code[2:]


@pytest.mark.parametrize(("distance", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_either_side_is_taken(distance: int, is_taken: bool) -> None:
    code = otp.code_of(RFC_SECRET, 1_000 + distance)
    assert otp.step_of(RFC_SECRET, code, 1_000) == (1_000 + distance if is_taken else None)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "12345a", " 123456", "123456\n", "-12345"])
def test_what_is_not_six_digits_is_no_password(code: str) -> None:
    assert otp.step_of(RFC_SECRET, code, 1_000) is None


def test_a_secret_depends_on_pepper_person_and_nonce() -> None:
    made = {
        otp.secret_of(pepper, staff_id, nonce)
        for pepper in (PEPPER, b"another")
        for staff_id in ("1", "2")
        for nonce in (b"a", b"b")
    }
    assert len(made) == 8
    assert {len(secret) for secret in made} == {20}


def test_an_app_reads_the_secret_from_the_uri() -> None:
    parts = urlsplit(otp.uri(RFC_SECRET, "anna.b"))
    details = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/casino%3Aanna.b")
    assert base64.b32decode(details.pop("secret")) == RFC_SECRET
    assert details == {"issuer": "casino", "algorithm": "SHA1", "digits": "6", "period": "30"}


def test_a_recovery_code_is_read_without_case_and_hyphens() -> None:
    code = otp.new_recovery_code()
    mac = otp.recovery_mac(PEPPER, "1", code)
    for spelling in (code.lower(), code.replace("-", ""), f" {code} "):
        assert otp.recovery_mac(PEPPER, "1", spelling) == mac
    assert otp.recovery_mac(PEPPER, "2", code) != mac
    assert len({otp.new_recovery_code() for _ in range(100)}) == 100
