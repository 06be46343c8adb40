"""The keys of one direction: parsing, end times, rotation. No repr and no error shows a secret."""

from __future__ import annotations

import hmac
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from shared_signing.canonical import DEFAULT_KEY_ID, KEY_ID_PATTERN

KEYS_MAX: Final = 16
"""A rotation needs two keys; many keys are a mistake in the configuration."""

SHOWN_MAX: Final = 8
"""Names of members in one error."""
_KEY_ID: Final = re.compile(KEY_ID_PATTERN)
_MEMBER: Final = re.compile(r"[A-Za-z_]{1,24}")
_HMAC_BLOCK_BYTES: Final = 64


class KeyConfigurationError(ValueError):
    """The configured keys cannot be used. The text names the rule and the key id, never a secret."""


class NoLiveKey(LookupError):  # noqa: N818 - a state, named as the others are
    """Nothing can be signed: every key of the ring has ended, or the keys are not loaded yet."""


@dataclass(frozen=True, slots=True)
class Key:
    """One secret with its id. `not_after` is in unix seconds: from that instant the key neither signs nor verifies.

    `peer` is whose key it is, where a ring holds the keys of several peers.
    """

    key_id: str
    secret: bytes = field(repr=False)
    not_after: float | None = None
    peer: str = ""
    _started: hmac.HMAC = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if _KEY_ID.fullmatch(self.key_id) is None:
            raise KeyConfigurationError("a key id is 1 to 64 characters of 0-9 A-Z a-z . _ -")
        if not self.secret:
            raise KeyConfigurationError(f"key {self.key_id} has an empty secret")
        if self.not_after is not None and not math.isfinite(self.not_after):
            raise KeyConfigurationError(f"key {self.key_id} has an end time that is not a moment")
        # A copy of the state after the key's pads costs half of a new HMAC.
        object.__setattr__(self, "_started", hmac.new(self.secret, digestmod=sha256))

    def mac(self, message: bytes) -> str:
        """HMAC-SHA256 of `message` under this key, as 64 lower-case hex digits."""
        state = self._started.copy()
        state.update(message)
        return state.hexdigest()

    def is_live(self, now: float) -> bool:
        """Whether the key may be used at `now` (unix seconds)."""
        return self.not_after is None or now < self.not_after

    def ended(self) -> Key:
        """Returns the same key with its end in the past, for a revoked key."""
        return replace(self, not_after=0.0)


class KeysNotLoaded(Exception):  # noqa: N818 - a state, named as the others are
    """The revoked keys are not known yet, so no signature can be verified. The request may be sent again later."""


class KeyRing:
    """The keys of one direction, oldest first: the newest live one signs, every live one verifies.

    A ring may hold the keys of several peers. A key id is then unique over all of them.
    `replace` rotates at run time: each call, in any thread, uses either the old keys or the new ones. While a ring is
    `awaiting` its first keys, it signs and verifies nothing.
    """

    __slots__ = ("_by_id", "_newest_first", "awaiting")

    def __init__(self, keys: Sequence[Key]) -> None:
        self.replace(keys)

    @classmethod
    def awaiting_keys(cls) -> KeyRing:
        """Returns a ring without keys until its first `replace`."""
        ring = cls.__new__(cls)
        ring._newest_first, ring._by_id, ring.awaiting = (), {}, True
        return ring

    def replace(self, keys: Sequence[Key]) -> None:
        """Use `keys` (newest last) instead of the present ones.

        Raises `KeyConfigurationError`; the present keys then stay.
        """
        check_ring(keys)
        self._newest_first = tuple(reversed(keys))
        self._by_id = {key.key_id: key for key in keys}
        self.awaiting = False

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys, live or not, oldest first."""
        return self._newest_first[::-1]

    def signing_key(self, now: float, *, peer: str | None = None) -> Key:
        """Returns the newest key that is live at `now` (unix seconds), of this peer if one is named.

        Raises `NoLiveKey`.
        """
        for key in self._newest_first:
            if key.is_live(now) and peer in (None, key.peer):
                return key
        raise NoLiveKey("the keys are not loaded yet" if self.awaiting else "every key has ended")

    def verifying_key(self, key_id: str, now: float) -> Key | None:
        """Returns the key with this id if it is live at `now` (unix seconds), else None."""
        key = self._by_id.get(key_id)
        return key if key is not None and key.is_live(now) else None


def parse_keys(secret: str | None, keys_json: str | None) -> list[Key]:
    """Returns the keys of one direction from its two settings, oldest first. Raises `KeyConfigurationError`.

    `secret` is the secret of the key `main`; with None there is no such key. `keys_json` is None, blank, or a JSON list
    of newer keys, newest last: `[{"id": "k2", "secret": "…", "notAfter": "2026-12-01T00:00:00Z"}]`, `notAfter`
    optional. An entry `{"id": "main", "notAfter": "…"}` without a secret sets the end of `main`.
    """
    main_end: float | None = None
    newer: list[Key] = []
    for entry in _read_entries(keys_json):
        key_id, entry_secret, not_after = _read_entry(entry)
        if key_id == DEFAULT_KEY_ID and secret is not None and entry_secret is None and main_end is None:
            main_end = not_after
        elif entry_secret is None:
            raise KeyConfigurationError(f"key {key_id} has no secret")
        else:
            newer.append(Key(key_id, _encode(key_id, entry_secret), not_after))
    main = [] if secret is None else [Key(DEFAULT_KEY_ID, _encode(DEFAULT_KEY_ID, secret), main_end)]
    keys = [*main, *newer]
    check_ring(keys)
    return keys


def _read_entries(keys_json: str | None) -> list[Any]:
    if keys_json is None or not keys_json.strip():
        return []
    try:
        entries = json.loads(keys_json, object_pairs_hook=without_duplicates)
    except KeyConfigurationError:
        raise
    except json.JSONDecodeError as error:
        raise KeyConfigurationError(f"the keys are not JSON: line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        # `from None`: the decoder's error holds the document with the secrets.
        raise KeyConfigurationError("the keys are not JSON") from None
    if not isinstance(entries, list):
        raise KeyConfigurationError("the keys are not a JSON list")
    return entries


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: refuses an object that has a member twice. Raises `KeyConfigurationError`."""
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = {name for name, count in Counter(name for name, _ in pairs).items() if count > 1}
        raise KeyConfigurationError(f"an object has the same member twice: {named_members(twice)}")
    return members


def named_members(names: Collection[str]) -> str:
    """Returns names of members for an error. A name that does not look like one is only counted: it may be a secret."""
    shown = sorted(name for name in names if _MEMBER.fullmatch(name))[:SHOWN_MAX]
    hidden = len(names) - len(shown)
    return ", ".join([*shown, *([f"{hidden} not shown"] if hidden else [])])


def _read_entry(entry: Any) -> tuple[str, str | None, float | None]:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise KeyConfigurationError("every key is an object with an id")
    key_id: str = entry["id"]
    if _KEY_ID.fullmatch(key_id) is None:
        raise KeyConfigurationError("a key id is 1 to 64 characters of 0-9 A-Z a-z . _ -")
    if unknown := entry.keys() - {"id", "secret", "notAfter"}:
        raise KeyConfigurationError(f"key {key_id} has unknown members: {named_members(unknown)}")
    secret = entry.get("secret")
    if secret is not None and not isinstance(secret, str):
        raise KeyConfigurationError(f"key {key_id} has a secret that is not text")
    return key_id, secret, _read_moment(key_id, entry.get("notAfter"))


def _read_moment(key_id: str, text: Any) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise KeyConfigurationError(f"key {key_id}: notAfter is not an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise KeyConfigurationError(f"key {key_id}: notAfter has no time zone")
    return moment.timestamp()


def _encode(key_id: str, secret: str) -> bytes:
    try:
        return secret.encode()
    except UnicodeEncodeError:
        raise KeyConfigurationError(f"key {key_id} has a secret that is not UTF-8") from None


def check_ring(keys: Sequence[Key]) -> None:
    """Check the rules between the keys of one direction. Raises `KeyConfigurationError`."""
    if not keys or max(Counter(key.peer for key in keys).values()) > KEYS_MAX:
        raise KeyConfigurationError(f"a ring holds 1 to {KEYS_MAX} keys")
    if len({key.key_id for key in keys}) != len(keys):
        raise KeyConfigurationError("two keys have the same id")
    # The MAC does not cover `k`, and a nonce store may remember nonces per key. With one secret under two ids, a
    # recorded request could be accepted again.
    first: dict[bytes, str] = {}
    for key in keys:
        if (other := first.setdefault(hmac_equivalent(key.secret), key.key_id)) != key.key_id:
            raise KeyConfigurationError(f"keys {other} and {key.key_id} have the same secret")


def hmac_equivalent(secret: bytes) -> bytes:
    """Returns the form in which HMAC uses a secret. Secrets that differ only in trailing zero bytes are the same."""
    block = sha256(secret).digest() if len(secret) > _HMAC_BLOCK_BYTES else secret
    return block.rstrip(b"\0")
