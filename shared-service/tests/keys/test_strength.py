"""Weak secrets are refused at the start, random ones are not."""

from __future__ import annotations

import base64
import random
import re
import string
import uuid
from collections.abc import Callable
from hashlib import sha256

import pytest

from shared_service.keys.strength import named_keys, secret_problems, weakness
from shared_signing.keys import Key

RANDOM = random.Random(20261128)
SAMPLES = 20_000
GOOD = "8f0c62d1b7e94a35d02c716be3f8a954"
OTHER = "5ad3907e1c4fb826903ed75b4f1a6c28"
REPEATS, WELL_KNOWN, JOINED = "repeats a few characters", "is a well-known secret", "consists of well-known secrets"
CONTROL = "has a line end, a NUL or another control character in it"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "is blank"),
        (" " * 40, "is blank"),
        ("\t\n" * 20, "is blank"),
        ("x" * 31, "is shorter than 32 bytes"),
        ("é" * 15, "is shorter than 32 bytes"),
        ("x" * 32, REPEATS),
        ("é" * 16, REPEATS),
        ("ab" * 16, REPEATS),
        ("12345678" * 4, REPEATS),
        ("1234567890" * 4 + "12", REPEATS),
        ("0123456789abcdef" * 2, REPEATS),
        ("correct-horse-16" * 4, REPEATS),
        ("x" * 31 + "y", REPEATS),
        ("0" * 28 + "deadbeef", REPEATS),
        ("canary-" + "k" * 32, REPEATS),
        ("aabbabbaaababbbabaabbabbaaabababbbaabb", REPEATS),
        ("casino-secret", WELL_KNOWN),
        ("Casino-Secret", WELL_KNOWN),
        ("provider-secret", WELL_KNOWN),
        ("casino-secret" * 3, WELL_KNOWN),
        ("casino-secretprovider-secretchangeme", WELL_KNOWN),
        ("casino-secret-casino-secret-casino-secret", JOINED),
        ("password.test.secret.password.test.1", JOINED),
        ("provider-secret" * 2 + "2026!", JOINED),
        (GOOD + "\0", CONTROL),
        (GOOD + "\n", CONTROL),
        (GOOD + "\r\n", CONTROL),
        (GOOD[:16] + "\n" + GOOD[16:], CONTROL),
        (GOOD, None),
        ("an access token secret that is long enough", None),
        ("ein-langes-geheimnis-mit-ümläuten-und-mehr", None),
        (f"{GOOD}{GOOD}", None),
    ],
)
def test_a_weakness_is_named(secret: str, why: str | None) -> None:
    assert weakness(secret) == weakness(secret.encode()) == why


def drawn(alphabet: str, count: int) -> str:
    return "".join(RANDOM.choices(alphabet, k=count))


MAKERS: dict[str, Callable[[], str]] = {
    "openssl rand -hex 16": lambda: RANDOM.randbytes(16).hex(),
    "openssl rand -hex 32": lambda: RANDOM.randbytes(32).hex(),
    "openssl rand -base64 24": lambda: base64.b64encode(RANDOM.randbytes(24)).decode(),
    "openssl rand -base64 32": lambda: base64.b64encode(RANDOM.randbytes(32)).decode(),
    "secrets.token_urlsafe()": lambda: base64.urlsafe_b64encode(RANDOM.randbytes(32)).decode().rstrip("="),
    "base32": lambda: base64.b32encode(RANDOM.randbytes(20)).decode(),
    "a UUID": lambda: str(uuid.UUID(bytes=RANDOM.randbytes(16), version=4)),
    "letters and digits": lambda: drawn(string.ascii_letters + string.digits, 32),
    "digits": lambda: drawn(string.digits, 39),
    "any printable": lambda: "!" + drawn(string.printable[:94], 31),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_no_random_secret_is_refused(maker: str) -> None:
    """200,000 secrets in all. A random one of 32 hex digits is refused with a chance of about one in 16^16: if it
    repeats after 16 digits, or has 64 bits of entropy instead of 110."""
    assert [secret for secret in (MAKERS[maker]() for _ in range(SAMPLES)) if weakness(secret) is not None] == []


def test_all_problems_of_a_service_are_told_by_the_names_of_its_settings() -> None:
    told = secret_problems([("A", b"short"), ("B", GOOD.encode()), ("C", b"casino-secret"), ("D", GOOD.encode())])
    assert told == [
        "A is shorter than 32 bytes",
        "C is a well-known secret",
        "B and D must differ: every secret has one purpose",
    ]
    assert secret_problems([("A", GOOD.encode()), ("B", OTHER.encode())]) == []
    assert secret_problems([]) == []


LONG = b"a secret of more than sixty-four bytes, which HMAC hashes before it uses it!"


@pytest.mark.parametrize(
    ("one", "other"),
    [(b"same", b"same"), (b"same", b"same\0\0"), (LONG, sha256(LONG).digest())],
    ids=["equal", "padded", "hashed"],
)
@pytest.mark.parametrize("strict", [True, False])
def test_two_secrets_that_hmac_takes_for_one_are_found_also_in_demo_mode(
    one: bytes, other: bytes, strict: bool
) -> None:
    told = secret_problems([("A", one), ("X", OTHER.encode()), ("B", other)], strict=strict)
    assert set(re.findall(r"\b[A-Z]\b", told[-1])) == {"A", "B"}
    assert strict or len(told) == 1, "a weak secret is good enough for a demo"


def test_no_sentence_shows_a_secret() -> None:
    told = secret_problems([("A", b"canary-1"), ("B", b"canary-1"), ("C", b"canary" * 9), ("D", b"canary\0" * 9)])
    assert len(told) == 5
    assert not any("canary" in sentence for sentence in told)


def test_a_key_is_named_by_the_setting_that_holds_it() -> None:
    keys = [Key("main", b"1"), Key("k2", b"2")]
    assert named_keys("CASINO", keys) == [("CASINO_SECRET", b"1"), ("CASINO_KEYS, key k2,", b"2")]
    assert named_keys("PROVIDER", keys, file=True)[1] == ("PROVIDER_KEYS_FILE, key k2,", b"2")
