"""The keys of all directions in a running process: configured ones and those of mounted files, without revoked ones.

A changed file is used only if start-up would accept it. The rings verify nothing before the first `apply`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared_service.keys.strength import NamedSecret, named_keys, secret_problems
from shared_signing.keys import Key, KeyConfigurationError, KeyRing, parse_keys

KEYS_FILE_MAX_BYTES: Final = 65_536

Revocation = tuple[str, str]
"""Direction and key id."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A mounted file with the newer keys of one direction, as `parse_keys` reads them, and the secret of `main`."""

    path: Path
    main_secret: str = field(repr=False)

    def read(self) -> bytes:
        """Returns the file's present content. Raises `KeyConfigurationError`."""
        try:
            with self.path.open("rb") as file:
                content = file.read(KEYS_FILE_MAX_BYTES + 1)
        except OSError as error:
            raise KeyConfigurationError(f"the file cannot be read ({type(error).__name__})") from None
        if len(content) > KEYS_FILE_MAX_BYTES:
            raise KeyConfigurationError(f"the file is larger than {KEYS_FILE_MAX_BYTES} bytes")
        return content

    def parse(self, content: bytes) -> tuple[Key, ...]:
        """Returns the keys in the content of a file, `main` first. Raises `KeyConfigurationError`.

        Refuses an empty file, because a file is empty for a moment while it is written. `[]` means no further key.
        """
        if not content.strip():
            raise KeyConfigurationError("the file is empty; without further keys it holds []")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise KeyConfigurationError("the file is not UTF-8") from None
        return tuple(parse_keys(self.main_secret, text))


@dataclass(frozen=True, slots=True)
class Direction:
    """The configured keys of one direction. Its name is the service that verifies the requests."""

    name: str
    keys: tuple[Key, ...] = field(repr=False)
    file: KeyFile | None = None


@dataclass(frozen=True, slots=True)
class FileRefused:
    """A changed file that cannot be used. `why` names the rule and the key id, never a secret."""

    direction: str
    why: str


@dataclass(slots=True)
class _Side:
    """One direction: its ring, its configured keys, and the file that may change them."""

    keys: tuple[Key, ...]
    file: KeyFile | None
    ring: KeyRing = field(default_factory=KeyRing.awaiting_keys)
    content: bytes | None = None
    complaint: tuple[bytes, str] | None = None


class LiveKeys:
    """The key rings of a process. They have no key before the first `apply`."""

    __slots__ = ("_others", "_revoked", "_sides", "_strict")

    def __init__(
        self, directions: Iterable[Direction], *, others: Sequence[NamedSecret] = (), strict: bool = True
    ) -> None:
        """`directions` hold the keys that start-up accepted. `others` are the service's secrets for other purposes: no
        key may have one of them. `strict` refuses weak secrets; it is False in demo mode."""
        self._sides = {each.name: _Side(each.keys, each.file) for each in directions}
        self._revoked: frozenset[Revocation] = frozenset()
        self._others = tuple(others)
        self._strict = strict

    def ring(self, direction: str) -> KeyRing:
        """The ring of one direction. It is always the same object."""
        return self._sides[direction].ring

    def ids(self) -> list[str]:
        """The ids of all configured keys. Only their revocations need to be read."""
        return sorted({key.key_id for side in self._sides.values() for key in side.keys})

    def reread_files(self, now: float) -> list[FileRefused]:
        """Read changed files. The next `apply` puts their keys into force. `now` is in unix seconds.

        A file that start-up would refuse changes nothing, and is returned once. So is one whose keys have all ended.
        """
        refused: list[FileRefused] = []
        changed: dict[str, tuple[bytes, tuple[Key, ...]]] = {}
        for direction, side in self._sides.items():
            if side.file is None:
                continue
            content = b""
            try:
                content = side.file.read()
                if content == side.content:
                    side.complaint = None
                    continue
                keys = side.file.parse(content)
                _refuse(secret_problems(_named(direction, keys), strict=self._strict))
                _refuse_ended(keys, now)
                changed[direction] = (content, keys)
            except KeyConfigurationError as error:
                refused += self._complain(direction, content, str(error))
        wanted = {direction: changed[direction][1] if direction in changed else side.keys
                  for direction, side in self._sides.items()}  # fmt: skip
        named = [secret for direction, keys in wanted.items() for secret in _named(direction, keys)]
        if changed and (problems := secret_problems([*named, *self._others], strict=False)):
            for direction, (content, _) in changed.items():
                refused += self._complain(direction, content, problems[0])
            return refused
        for direction, (content, keys) in changed.items():
            side = self._sides[direction]
            side.content, side.keys, side.complaint = content, keys, None
        return refused

    def apply(self, revoked: Collection[Revocation]) -> None:
        """Put the configured keys into force. Revoked keys stay in their ring as ended ones."""
        self._revoked = frozenset(revoked)
        for direction, side in self._sides.items():
            keys = [key.ended() if (direction, key.key_id) in self._revoked else key for key in side.keys]
            if side.ring.awaiting or tuple(keys) != side.ring.keys:
                side.ring.replace(keys)

    def live_ids(self, now: float) -> Mapping[str, tuple[str, ...]]:
        """Returns the ids of the live keys of each direction, oldest first. The last one signs."""
        return {
            direction: tuple(key.key_id for key in side.ring.keys if key.is_live(now))
            for direction, side in self._sides.items()
        }

    def _complain(self, direction: str, content: bytes, why: str) -> list[FileRefused]:
        side = self._sides[direction]
        known, side.complaint = side.complaint, (content, why)
        return [] if known == side.complaint else [FileRefused(direction, why)]


def _named(direction: str, keys: Sequence[Key]) -> list[NamedSecret]:
    return named_keys(direction.upper(), keys, file=True)


def _refuse_ended(keys: Sequence[Key], now: float) -> None:
    if not any(key.is_live(now) for key in keys):
        raise KeyConfigurationError("the file leaves no live key: every key has ended")


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise KeyConfigurationError(problems[0])
