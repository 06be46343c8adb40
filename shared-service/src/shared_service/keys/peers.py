"""The peers of a service: who calls it, whom it calls, with which keys. All but the first come from a mounted file.

    [{"id": "acme", "url": "https://acme.example", "status": "live",
      "keys": {"one": [{"id": "acme-1", "secret": "…"}], "other": [{"id": "acme-2", "secret": "…"}]}}]

The peer of the environment has an entry only to set its status or to add keys to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from shared_service.keys.directions import content_at
from shared_service.keys.strength import NamedSecret
from shared_service.settings.values import Unfit, checked_service_url
from shared_signing.keys import (
    Key,
    KeyConfigurationError,
    check_ring,
    named_members,
    parse_keys,
    without_duplicates,
)

PEERS_MAX: Final = 64
PEERS_FILE_MAX_BYTES: Final = 1_048_576
MEMBERS: Final = frozenset({"id", "url", "status", "keys"})
_PEER_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")

D = TypeVar("D")
DetailsOf = Callable[[Mapping[str, Any]], D]
"""Reads the members of an entry that only this service knows. Raises `KeyConfigurationError` with what is wrong."""


class Status(StrEnum):
    """`draining`: nothing new begins, what has begun goes on. `off`: no key of the peer is known."""

    LIVE = "live"
    DRAINING = "draining"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Peer(Generic[D]):
    """One peer. `keys` has the keys of each direction, oldest first."""

    peer_id: str
    url: str
    status: Status
    keys: Mapping[str, tuple[Key, ...]] = field(repr=False)
    details: D


@dataclass(frozen=True, slots=True)
class PeersFile(Generic[D]):
    """A mounted file of peers.

    `main` is the peer of the environment, with its address. `directions` are the names of both directions. `members`
    are those of an entry besides the common ones, and `details_of` reads them. `variable` is the setting that names
    the file.
    """

    path: Path
    main: str
    main_url: str
    directions: tuple[str, str]
    members: frozenset[str]
    details_of: DetailsOf[D]
    variable: str

    def read(self) -> bytes:
        """Returns the file's present content. Raises `KeyConfigurationError`."""
        return content_at(self.path, bytes_max=PEERS_FILE_MAX_BYTES)

    def parse(self, content: bytes) -> tuple[Peer[D], ...]:
        """Returns the peers in the content of a file. Raises `KeyConfigurationError`, which names no secret.

        Refuses an empty file, because a file is empty for a moment while it is written. `[]` means no further peer.
        """
        if not content.strip():
            raise KeyConfigurationError("the file is empty; without further peers it holds []")
        try:
            entries = json.loads(content.decode(), object_pairs_hook=without_duplicates)
        except KeyConfigurationError:
            raise
        except json.JSONDecodeError as error:
            raise KeyConfigurationError(f"the file is not JSON: line {error.lineno}, column {error.colno}") from None
        except (ValueError, RecursionError):
            # `from None`: the decoder's error holds the document with the secrets.
            raise KeyConfigurationError("the file is not JSON in UTF-8") from None
        if not isinstance(entries, list) or len(entries) > PEERS_MAX:
            raise KeyConfigurationError(f"the file must be a list of at most {PEERS_MAX} peers")
        peers = tuple(self._peer(entry, number) for number, entry in enumerate(entries, 1))
        _refuse_twice([peer.peer_id for peer in peers], "peer")
        for direction in self.directions:
            _refuse_twice([key.key_id for peer in peers for key in peer.keys[direction]], f"{direction} key")
        return peers

    def _peer(self, entry: Any, number: int) -> Peer[D]:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise KeyConfigurationError(f"entry {number} is not an object with an id")
        peer_id: str = entry["id"]
        if _PEER_ID.fullmatch(peer_id) is None:
            raise KeyConfigurationError(f"entry {number}: a peer id is 1 to 64 characters of 0-9 A-Z a-z . _ -")
        try:
            if unknown := entry.keys() - MEMBERS - self.members:
                raise KeyConfigurationError(f"the entry has unknown members: {named_members(unknown)}")
            return Peer(
                peer_id,
                self._url(peer_id, entry),
                _status(entry),
                {direction: self._keys(peer_id, direction, entry) for direction in self.directions},
                self.details_of({name: value for name, value in entry.items() if name in self.members}),
            )
        except KeyConfigurationError as error:
            raise KeyConfigurationError(f"peer {peer_id}: {error}") from None

    def _url(self, peer_id: str, entry: Mapping[str, Any]) -> str:
        text = entry.get("url", self.main_url if peer_id == self.main else None)
        try:
            url = checked_service_url(text) if isinstance(text, str) else None
        except Unfit as unfit:
            raise KeyConfigurationError(f"url {unfit}") from None
        if url is None:
            raise KeyConfigurationError(f"url is missing: the environment's peer is called {self.main} here")
        if peer_id == self.main and url != self.main_url:
            raise KeyConfigurationError("the environment has another url for it")
        return url

    def _keys(self, peer_id: str, direction: str, entry: Mapping[str, Any]) -> tuple[Key, ...]:
        members = entry.get("keys", {} if peer_id == self.main else None)
        if not isinstance(members, dict) or members.keys() - set(self.directions):
            raise KeyConfigurationError(f"keys must be an object with {' and '.join(self.directions)}")
        entries = members.get(direction, [])
        if entries == []:
            if peer_id == self.main:
                return ()
            raise KeyConfigurationError(f"it has no {direction} key")
        # `parse_keys` takes text, and says in its own words what is wrong with a key.
        return tuple(replace(key, peer=peer_id) for key in parse_keys(None, json.dumps(entries)))


def joined(main: str, keys: Sequence[Key], peers: Sequence[Peer[D]], direction: str) -> tuple[Key, ...]:
    """Returns all keys of one direction: those of the environment for `main`, then those of the file.

    The keys of a peer that is off have ended. Raises `KeyConfigurationError` for an id or a secret that comes twice.
    """
    everybodys = [
        *(replace(key, peer=main) for key in keys),
        *(key for peer in peers for key in peer.keys[direction]),
    ]
    _refuse_twice([key.key_id for key in everybodys], f"{direction} key")
    check_ring(everybodys)
    off = {peer.peer_id for peer in peers if peer.status is Status.OFF}
    return tuple(key.ended() if key.peer in off else key for key in everybodys)


def named_of_peers(peers: Sequence[Peer[Any]]) -> list[NamedSecret]:
    """Returns the secrets of peers, each with its place in the file."""
    return [
        (f"key {key.key_id} of peer {peer.peer_id}", key.secret)
        for peer in peers
        for keys in peer.keys.values()
        for key in keys
    ]


def _status(entry: Mapping[str, Any]) -> Status:
    try:
        return Status(entry.get("status", Status.LIVE))
    except ValueError:
        raise KeyConfigurationError(f"status must be one of {', '.join(Status)}") from None


def _refuse_twice(ids: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for each in ids:
        if each in seen:
            raise KeyConfigurationError(f"{what} {each} comes twice")
        seen.add(each)
