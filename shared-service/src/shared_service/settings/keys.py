"""Reads the keys of both directions from the environment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from shared_service.keys.live_keys import Direction, KeyFile
from shared_service.keys.peers import Peer, PeersFile, joined, named_of_peers
from shared_service.keys.strength import NamedSecret, named_keys, secret_problems
from shared_service.settings.reader import LINE_CHARACTERS, Reader, SettingsRefused
from shared_signing.keys import KeyConfigurationError, parse_keys

D = TypeVar("D")


def read_directions(
    reader: Reader, *directions: tuple[str, str], demo: bool, others: Iterable[NamedSecret]
) -> list[Direction]:
    """Read the keys of each direction. `directions` are pairs of a name and its default secret in demo mode.

    No two of these keys and the `others` may have the same secret. Outside demo mode a weak secret is refused too. The
    reader collects the problems.
    """
    found = [_read(reader, name, demo_secret if demo else None) for name, demo_secret in directions]
    secrets = [
        secret for each in found for secret in named_keys(each.name.upper(), each.keys, file=each.file is not None)
    ]
    reader.problems += secret_problems([*secrets, *others], strict=not demo)
    return found


def _read(reader: Reader, name: str, demo_secret: str | None) -> Direction:
    """The key `main` from <NAME>_SECRET, then those of <NAME>_KEYS or <NAME>_KEYS_FILE."""
    side = name.upper()
    secret = reader.required(f"{side}_SECRET", reader.secret(f"{side}_SECRET") or demo_secret)
    more, path = reader.text(f"{side}_KEYS", besides=LINE_CHARACTERS), reader.path(f"{side}_KEYS_FILE")
    if more and path:
        reader.refuse(f"{side}_KEYS", f"and {side}_KEYS_FILE are both set: choose one")
    if not secret:
        return Direction(name, ())
    file = KeyFile(path, secret) if path else None
    try:
        keys = file.parse(file.read()) if file else tuple(parse_keys(secret, more))
    except KeyConfigurationError as error:
        reader.refuse(f"{side}_KEYS_FILE" if file else f"{side}_KEYS", f"is not usable: {error}")
        return Direction(name, ())
    return Direction(name, keys, file)


def read_peers(
    reader: Reader, file: PeersFile[D] | None, directions: Iterable[Direction], *, strict: bool,
    others: Iterable[NamedSecret],
) -> tuple[Peer[D], ...]:  # fmt: skip
    """Read the file of peers, beside the keys that `read_directions` read.

    No key id and no secret may come twice. The reader collects the problems.
    """
    if file is None:
        return ()
    try:
        peers = file.parse(file.read())
        named = []
        for each in (each for each in directions if each.keys):  # without keys it was refused before
            joined(file.main, each.keys, peers, each.name)
            named += named_keys(each.name.upper(), each.keys, file=each.file is not None)
    except KeyConfigurationError as error:
        reader.refuse(file.variable, f"is not usable: {error}")
        return ()
    weak = secret_problems(named_of_peers(peers), strict=strict)
    twice = [] if weak else secret_problems([*named, *named_of_peers(peers), *others], strict=False)
    if problems := weak or twice:
        reader.refuse(file.variable, f"is not usable: {problems[0]}")
    return peers


def refuse_ended(directions: Iterable[Direction], *, now: float) -> None:
    """Raises SettingsRefused when all keys of a direction have ended. `now` is in unix seconds."""
    ended = [each.name.upper() for each in directions if not any(key.is_live(now) for key in each.keys)]
    if ended:
        raise SettingsRefused(
            "\n".join(f"{side}_KEYS (or {side}_KEYS_FILE) leaves no live key: every key has ended" for side in ended)
        )
