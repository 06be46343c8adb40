"""The keys of all directions in a running process: configured ones and those of mounted files, without revoked ones.

A changed file is used only if start-up would accept it. The rings verify nothing before the first `apply`.
A file of peers is only offered at first, because the service may have to look at it: `offered`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared_service.keys.directions import Direction, FileRefused, KeyFile
from shared_service.keys.peers import Peer, PeersFile, Status, joined, named_of_peers
from shared_service.keys.strength import NamedSecret, named_keys, secret_problems
from shared_signing.canonical import DEFAULT_KEY_ID
from shared_signing.keys import Key, KeyConfigurationError, KeyRing

__all__ = ["Direction", "FileRefused", "KeyFile", "LiveKeys", "Revocation"]

PEERS: Final = "peers"
"""In the place of a direction: the file of peers."""

Revocation = tuple[str, str]
"""Direction and key id."""


@dataclass(slots=True)
class _Offer:
    """A changed file of peers that start-up would accept."""

    content: bytes
    peers: tuple[Peer[Any], ...]


@dataclass(slots=True)
class _Side:
    """One direction: its ring, its configured keys, and the file that may change them."""

    keys: tuple[Key, ...]
    file: KeyFile | None
    ring: KeyRing = field(default_factory=KeyRing.awaiting_keys)
    content: bytes | None = None


class LiveKeys:
    """The key rings of a process. They have no key before the first `apply`."""

    __slots__ = ("_complaints", "_file", "_main", "_offer", "_others", "_peers", "_peers_content", "_rings", "_sides",
                 "_strict", "peers")  # fmt: skip

    def __init__(
        self,
        directions: Iterable[Direction],
        *,
        others: Sequence[NamedSecret] = (),
        strict: bool = True,
        main: str = DEFAULT_KEY_ID,
        peers_file: PeersFile[Any] | None = None,
    ) -> None:
        """`directions` hold the keys that start-up accepted; they are those of the peer `main`. `others` are the
        service's secrets for other purposes: no key may have one of them. `strict` refuses weak secrets; it is False
        in demo mode."""
        self._sides = {each.name: _Side(each.keys, each.file) for each in directions}
        self._rings: dict[tuple[str, str], KeyRing] = {}
        self._others = tuple(others)
        self._strict = strict
        self._main = main
        self._file = peers_file
        self._peers: tuple[Peer[Any], ...] = ()
        self._peers_content: bytes | None = None
        self._offer: _Offer | None = None
        self._complaints: dict[str, tuple[bytes, str]] = {}
        self.peers: Mapping[str, Peer[Any]] = {}
        """The entries of the file of peers that are in force, by id."""

    def ring(self, direction: str, peer: str | None = None) -> KeyRing:
        """The ring of one direction: of all peers, to verify requests; of one peer, to call it and verify its answers.

        It is always the same object.
        """
        if peer is None:
            return self._sides[direction].ring
        ring = self._rings.get((direction, peer))
        if ring is None:
            ring = self._rings[direction, peer] = KeyRing.awaiting_keys()
            self._fill(direction, peer)
        return ring

    def status_of(self, peer: str) -> Status:
        """The status of a peer. One that is in no file is off, except the environment's."""
        entry = self.peers.get(peer)
        if entry is not None:
            return entry.status
        return Status.LIVE if peer == self._main else Status.OFF

    def ids(self) -> list[str]:
        """The ids of all configured keys. Only their revocations need to be read."""
        own = {key.key_id for side in self._sides.values() for key in side.keys}
        return sorted(own | {key.key_id for peer in self._peers for keys in peer.keys.values() for key in keys})

    @property
    def offered(self) -> tuple[Peer[Any], ...] | None:
        """The peers of a changed file, until `take_offer` or `refuse_offer`."""
        return None if self._offer is None else self._offer.peers

    @property
    def refused(self) -> dict[str, bool]:
        """Returns whether the present content of a direction's file is refused; `peers`: that of the file of peers."""
        return {place: place in self._complaints for place in (*self._sides, PEERS)}

    def reread_files(self, now: float) -> list[FileRefused]:
        """Read changed files. The next `apply` puts their keys into force. `now` is in unix seconds.

        A file that start-up would refuse changes nothing, and is returned once. So is one whose keys have all ended.
        """
        self._offer = None
        refused: list[FileRefused] = []
        changed: dict[str, tuple[bytes, tuple[Key, ...]]] = {}
        for direction, side in self._sides.items():
            if side.file is None:
                continue
            content = b""
            try:
                content = side.file.read()
                if content == side.content:
                    self._complaints.pop(direction, None)
                    continue
                keys = side.file.parse(content)
                _refuse(secret_problems(_named(direction, keys), strict=self._strict))
                _refuse_ended(keys, now)
                changed[direction] = (content, keys)
            except KeyConfigurationError as error:
                refused += self._complain(direction, content, str(error))
        offer = self._read_peers(refused)
        own = {direction: side.keys for direction, side in self._sides.items()}
        wanted = own | {direction: keys for direction, (_, keys) in changed.items()}
        why = self._why_not(wanted, offer.peers if offer else self._peers) if changed or offer else None
        # Keys that only stand beside the offered peers are read again once these are in force.
        are_early = offer and changed and not why and self._why_not(wanted, self._peers)
        if why := (self._why_not(own, offer.peers) if offer and are_early else why):
            for direction, (content, _) in changed.items():
                refused += self._complain(direction, content, why)
            return refused + (self._complain(PEERS, offer.content, why) if offer else [])
        for direction, (content, keys) in () if are_early else changed.items():
            side = self._sides[direction]
            side.content, side.keys = content, keys
            self._complaints.pop(direction, None)
        self._offer = offer
        return refused

    def variable_of(self, place: str) -> str:
        """Returns the setting that names the file of a direction or of the peers."""
        return self._file.variable if place == PEERS and self._file else f"{place.upper()}_KEYS_FILE"

    def take_offer(self) -> None:
        """Accept the peers that are offered. The next `apply` puts them into force."""
        if self._offer is not None:
            self._peers_content, self._peers = self._offer.content, self._offer.peers
            self._offer = None
            self._complaints.pop(PEERS, None)

    def refuse_offer(self, why: str) -> list[FileRefused]:
        """Refuse them. The last good file stays in force. Returns the refusal, once for each content."""
        offer, self._offer = self._offer, None
        return [] if offer is None else self._complain(PEERS, offer.content, why)

    def apply(self, revoked: Collection[Revocation]) -> None:
        """Put the configured keys into force. Keys that are revoked or of a peer that is off stay as ended ones."""
        revocations = frozenset(revoked)
        for direction, side in self._sides.items():
            keys = joined(self._main, side.keys, self._peers, direction)
            keys = tuple(key.ended() if (direction, key.key_id) in revocations else key for key in keys)
            if side.ring.awaiting or keys != side.ring.keys:
                side.ring.replace(keys)
        for direction, peer in self._rings:
            self._fill(direction, peer)
        self.peers = {peer.peer_id: peer for peer in self._peers}

    def live_ids(self, now: float) -> Mapping[str, tuple[str, ...]]:
        """Returns the ids of the live keys of each direction, oldest first. The last one of a peer signs."""
        return {
            direction: tuple(key.key_id for key in side.ring.keys if key.is_live(now))
            for direction, side in self._sides.items()
        }

    def keyless(self, now: float) -> dict[str, list[str]]:
        """Returns the peers that are not off and have no live key in a direction, with these directions."""
        everybody = [each for each in {self._main, *self.peers} if self.status_of(each) is not Status.OFF]
        found: dict[str, list[str]] = {}
        for direction, side in self._sides.items():
            live = {key.peer for key in side.ring.keys if key.is_live(now)}
            for peer in everybody if not side.ring.awaiting else []:
                if peer not in live:
                    found.setdefault(peer, []).append(direction)
        return found

    def _fill(self, direction: str, peer: str) -> None:
        """Give a peer's ring its keys. One that is in no file any more keeps its last ones, ended."""
        ring, everybodys = self._rings[direction, peer], self._sides[direction].ring
        if everybodys.awaiting:
            return
        keys = [key for key in everybodys.keys if key.peer == peer] or [key.ended() for key in ring.keys]
        if keys and (ring.awaiting or tuple(keys) != ring.keys):
            ring.replace(keys)

    def _read_peers(self, refused: list[FileRefused]) -> _Offer | None:
        if self._file is None:
            return None
        content = b""
        try:
            content = self._file.read()
            if content == self._peers_content:
                self._complaints.pop(PEERS, None)
                return None
            peers = self._file.parse(content)
            _refuse(secret_problems(named_of_peers(peers), strict=self._strict))
            return _Offer(content, peers)
        except KeyConfigurationError as error:
            refused += self._complain(PEERS, content, str(error))
            return None

    def _why_not(self, keys: Mapping[str, tuple[Key, ...]], peers: Sequence[Peer[Any]]) -> str | None:
        """Returns why these keys and peers cannot stand together, or None."""
        try:
            for direction, own in keys.items():
                joined(self._main, own, peers, direction)
        except KeyConfigurationError as error:
            return str(error)
        named = [secret for direction, own in keys.items() for secret in _named(direction, own)]
        problems = secret_problems([*named, *named_of_peers(peers), *self._others], strict=False)
        return problems[0] if problems else None

    def _complain(self, place: str, content: bytes, why: str) -> list[FileRefused]:
        known, self._complaints[place] = self._complaints.get(place), (content, why)
        return [] if known == (content, why) else [FileRefused(place, why)]


def _named(direction: str, keys: Sequence[Key]) -> list[NamedSecret]:
    return named_keys(direction.upper(), keys, file=True)


def _refuse_ended(keys: Sequence[Key], now: float) -> None:
    if not any(key.is_live(now) for key in keys):
        raise KeyConfigurationError("the file leaves no live key: every key has ended")


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise KeyConfigurationError(problems[0])
