"""Unit tests of keys, their end times, their rotation and their configuration."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading

import pytest

from shared_signing.keys import Key, KeyConfigurationError, KeyRing, NoLiveKey, hmac_equivalent, parse_keys

NOW = 1_763_690_000.0
OLD, NEW = Key("main", b"old-secret", NOW + 10), Key("k2", b"new-secret")


def test_a_key_makes_the_hmac_of_the_standard_library_however_often() -> None:
    for _ in range(3):
        assert NEW.mac(b"text") == hmac.new(b"new-secret", b"text", hashlib.sha256).hexdigest()


def test_a_key_never_shows_its_secret() -> None:
    assert "secret" not in repr(NEW)
    assert "new" not in f"{NEW} {NEW!r} {KeyRing([NEW])!r}"


def test_a_key_ends_at_its_end_time_and_not_before() -> None:
    assert OLD.is_live(NOW + 9.999)
    assert not OLD.is_live(NOW + 10)
    assert NEW.is_live(float("inf"))


@pytest.mark.parametrize("key_id", ["", "a b", "a,b", "ä", "x" * 65, "k\n"])
def test_a_key_id_must_fit_into_the_header(key_id: str) -> None:
    with pytest.raises(KeyConfigurationError):
        Key(key_id, b"secret")


@pytest.mark.parametrize(("secret", "not_after"), [(b"", None), (b"s", float("nan")), (b"s", float("inf"))])
def test_a_key_needs_a_secret_and_a_real_end(secret: bytes, not_after: float | None) -> None:
    with pytest.raises(KeyConfigurationError):
        Key("main", secret, not_after)


def test_the_newest_live_key_signs_and_every_live_key_verifies() -> None:
    ring = KeyRing([NEW, OLD])
    assert ring.signing_key(NOW) is OLD
    assert (ring.verifying_key("main", NOW), ring.verifying_key("k2", NOW)) == (OLD, NEW)


def test_when_the_newest_key_ends_the_one_before_signs_again() -> None:
    ring = KeyRing([NEW, OLD])
    assert ring.signing_key(NOW + 10) is NEW
    assert ring.verifying_key("main", NOW + 10) is None


def test_a_ring_whose_keys_have_all_ended_cannot_sign() -> None:
    with pytest.raises(NoLiveKey):
        KeyRing([OLD]).signing_key(NOW + 10)


def test_a_ring_is_replaced_at_run_time() -> None:
    ring = KeyRing([OLD])
    ring.replace([OLD, NEW])
    assert ring.signing_key(NOW) is NEW
    ring.replace([NEW])
    assert ring.verifying_key("main", NOW) is None


def test_a_ring_that_cannot_be_used_leaves_the_present_one() -> None:
    ring = KeyRing([OLD])
    with pytest.raises(KeyConfigurationError):
        ring.replace([])
    assert ring.signing_key(NOW) is OLD


def test_rotation_under_use_never_leaves_a_moment_without_keys() -> None:
    ring = KeyRing([OLD, NEW])
    stop = threading.Event()

    def rotate() -> None:
        while not stop.is_set():
            ring.replace([OLD, NEW])
            ring.replace([NEW, OLD])

    rotating = threading.Thread(target=rotate)
    rotating.start()
    try:
        for _ in range(20_000):
            assert ring.signing_key(NOW) in (OLD, NEW)
            assert ring.verifying_key("main", NOW) is OLD
    finally:
        stop.set()
        rotating.join()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Key("a", b"same"), Key("a", b"other")),
        (Key("a", b"same"), Key("b", b"same")),
        (Key("a", b"same"), Key("b", b"same\0")),
        (Key("a", b"x" * 65), Key("b", hashlib.sha256(b"x" * 65).digest())),
    ],
    ids=["one id", "one secret", "one secret padded", "one secret hashed"],
)
def test_a_ring_refuses_two_keys_that_cannot_be_told_apart(one: Key, two: Key) -> None:
    with pytest.raises(KeyConfigurationError):
        KeyRing([one, two])


def test_a_secret_of_one_whole_block_is_not_the_same_as_its_hash() -> None:
    block = b"x" * 64
    ring = KeyRing([Key("a", block), Key("b", hashlib.sha256(block).digest()), Key("c", block + b"\0")])
    assert len({ring.verifying_key(key_id, NOW).mac(b"") for key_id in "abc"}) == 3  # type: ignore[union-attr]


def test_a_ring_has_a_bound() -> None:
    keys = [Key(f"k{n}", f"secret-{n}".encode()) for n in range(17)]
    assert KeyRing(keys[:-1]).signing_key(NOW) is keys[-2]
    with pytest.raises(KeyConfigurationError):
        KeyRing(keys)


@pytest.mark.parametrize("keys_json", [None, "", "  ", "[]"])
def test_without_more_keys_there_is_main(keys_json: str | None) -> None:
    assert parse_keys("the-secret", keys_json) == [Key("main", b"the-secret")]


def test_more_keys_are_newer_than_main_and_in_the_order_of_the_list() -> None:
    keys = parse_keys(
        "the-secret",
        '[{"id":"k2","secret":"sécond","notAfter":"2026-12-01T01:00:00+01:00"},{"id":"k3","secret":"third","notAfter":null}]',
    )
    assert keys == [Key("main", b"the-secret"), Key("k2", "sécond".encode(), 1_796_083_200.0), Key("k3", b"third")]


def test_main_can_be_given_an_end() -> None:
    keys = parse_keys("the-secret", '[{"id":"main","notAfter":"2026-12-01T00:00:00Z"},{"id":"k2","secret":"second"}]')
    assert keys == [Key("main", b"the-secret", 1_796_083_200.0), Key("k2", b"second")]


HIDDEN = "hunter2-hunter2"
BAD_KEYS = {
    "not json": f'[{{"id":"k2","secret":"{HIDDEN}"',
    "too deep": "[" * 100_000,
    "not a list": f'{{"id":"k2","secret":"{HIDDEN}"}}',
    "not objects": f'["{HIDDEN}"]',
    "no id": json.dumps([{"secret": HIDDEN}]),
    "an id that is a number": json.dumps([{"id": 2, "secret": HIDDEN}]),
    "an id with a space": json.dumps([{"id": "k 2", "secret": HIDDEN}]),
    "no secret": json.dumps([{"id": "k2"}]),
    "an empty secret": json.dumps([{"id": "k2", "secret": ""}]),
    "a secret that is a number": json.dumps([{"id": "k2", "secret": 5}]),
    "a secret with half a character": '[{"id":"k2","secret":"\\ud800"}]',
    "a member twice": f'[{{"id":"k2","secret":"{HIDDEN}","secret":"{HIDDEN}"}}]',
    "an unknown member": json.dumps([{"id": "k2", "secret": HIDDEN, "not_after": "2026-12-01T00:00:00Z"}]),
    "a time without a zone": json.dumps([{"id": "k2", "secret": HIDDEN, "notAfter": "2026-12-01T00:00:00"}]),
    "a time that is a number": json.dumps([{"id": "k2", "secret": HIDDEN, "notAfter": 1_796_083_200}]),
    "a time that is none": json.dumps([{"id": "k2", "secret": HIDDEN, "notAfter": "soon"}]),
    "an id twice": json.dumps([{"id": "k2", "secret": HIDDEN}, {"id": "k2", "secret": "b"}]),
    "a second main": json.dumps([{"id": "main", "secret": HIDDEN}]),
    "main ends twice": json.dumps([{"id": "main", "notAfter": "2026-12-01T00:00:00Z"}] * 2),
    "the secret of main again": json.dumps([{"id": "k2", "secret": "the-secret"}]),
}


NAME_THEIR_KEY = {
    "no secret", "a secret that is a number", "a secret with half a character", "an unknown member",
    "a time without a zone", "a time that is none",
}  # fmt: skip


@pytest.mark.parametrize("wrong", BAD_KEYS)
def test_keys_that_cannot_be_used_are_refused_without_showing_a_secret(wrong: str) -> None:
    with pytest.raises(KeyConfigurationError) as caught:
        parse_keys("the-secret", BAD_KEYS[wrong])
    assert HIDDEN not in str(caught.value)
    assert "the-secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "k2" in str(caught.value) or wrong not in NAME_THEIR_KEY


def test_unknown_members_are_named_unless_they_may_be_secrets() -> None:
    keys = [{"id": "k2", "secret": HIDDEN, "not_after": 1, HIDDEN: 1}]
    with pytest.raises(KeyConfigurationError, match=r"^key k2 has unknown members: not_after, 1 not shown$"):
        parse_keys("the-secret", json.dumps(keys))


@pytest.mark.parametrize("secret", ["", "\ud800"])
def test_a_main_secret_that_cannot_be_used_is_refused_by_its_id(secret: str) -> None:
    with pytest.raises(KeyConfigurationError, match="main"):
        parse_keys(secret, None)


def test_a_ring_may_have_no_main_but_never_no_key() -> None:
    (only,) = parse_keys(None, '[{"id": "k2", "secret": "second-secret"}]')
    assert (only.key_id, only.secret) == ("k2", b"second-secret")
    for nothing in (None, "", "[]", '[{"id": "main", "notAfter": "2030-01-01T00:00:00Z"}]'):
        with pytest.raises(KeyConfigurationError):
            parse_keys(None, nothing)


@pytest.mark.parametrize("end", [b"X", b" ", b"0", b"\1"])
def test_secrets_are_one_if_they_differ_only_in_trailing_zero_bytes(end: bytes) -> None:
    secret = b"one-secret"
    assert hmac_equivalent(secret + b"\0") == hmac_equivalent(secret + b"\0\0") == hmac_equivalent(secret)
    assert hmac_equivalent(secret + end) != hmac_equivalent(secret)
