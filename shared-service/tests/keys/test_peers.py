"""Many peers from one watched file: whose key it is, statuses, and a file that is taken whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared_service.keys.live_keys import PEERS, Direction, KeyFile, LiveKeys
from shared_service.keys.peers import PEERS_MAX, PeersFile, Status
from shared_service.settings.keys import read_peers
from shared_service.settings.reader import Reader
from shared_signing.keys import Key, KeyConfigurationError, NoLiveKey
from shared_signing.signer import Signer

NOW = 1_763_690_000.0
MAIN_URL = "http://main.test"
OWN = {
    "casino": Key("main", b"the casino's own key 0123456789abcdef"),
    "provider": Key("main", b"the provider's own key 123456789abcdef"),
}
WEAK = "canary"


def secret_of(key_id: str) -> str:
    return f"the secret of {key_id} is 9f8e7d6c5b4a3210 and not guessed"


def key(key_id: str, **more: Any) -> dict[str, Any]:
    return {"id": key_id, "secret": secret_of(key_id), **more}


def entry(peer_id: str, **more: Any) -> dict[str, Any]:
    """A live peer with one key in each direction."""
    keys = {"casino": [key(f"{peer_id}-1")], "provider": [key(f"{peer_id}-p1")]}
    return {"id": peer_id, "url": f"https://{peer_id}.example", "status": "live", "keys": keys, **more}


def color_of(members: Mapping[str, Any]) -> str:
    if members.get("color", "red") not in ("red", "blue"):
        raise KeyConfigurationError("color must be red or blue")
    return str(members.get("color", "red"))


def file_at(path: Path) -> PeersFile[str]:
    return PeersFile(path, "main", MAIN_URL, ("casino", "provider"), frozenset({"color"}), color_of, "X_PEERS_FILE")


class Watched:
    """Live keys with a file of peers, read as the watch reads it."""

    def __init__(self, path: Path, *, strict: bool = True, **own: Key) -> None:
        self.path = path
        self.keys = LiveKeys(
            [Direction(name, (each,)) for name, each in {**OWN, **own}.items()],
            others=[("ANOTHER_SECRET", b"a secret with another purpose 0123")], strict=strict, peers_file=file_at(path),
        )  # fmt: skip

    def write(self, *entries: Any) -> list[str]:
        """Put a file there and look at it. Returns why it is refused."""
        return self.put(json.dumps(entries).encode())

    def put(self, content: bytes, *, revoked: tuple[tuple[str, str], ...] = ()) -> list[str]:
        self.path.write_bytes(content)
        refused = self.keys.reread_files(NOW)
        self.keys.take_offer()
        self.keys.apply(revoked)
        return [each.why for each in refused if each.direction == PEERS]

    def peer_of(self, key_id: str, direction: str = "casino") -> str | None:
        found = self.keys.ring(direction).verifying_key(key_id, NOW)
        return None if found is None else found.peer


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    found = Watched(tmp_path / "peers.json")
    assert found.write() == []
    return found


def test_the_key_says_who_speaks(watched: Watched) -> None:
    assert watched.write(entry("acme"), entry("beta")) == []
    assert [watched.peer_of(each) for each in ("main", "acme-1", "beta-1", "acme-p1", "gone")] == [
        "main", "acme", "beta", None, None,
    ]  # fmt: skip
    assert watched.keys.peers["acme"].url == "https://acme.example"


def test_a_peer_is_called_with_its_own_keys_only(watched: Watched) -> None:
    watched.write(entry("acme"), entry("beta"))
    ring = watched.keys.ring("provider", "acme")
    assert ring.signing_key(NOW).key_id == "acme-p1"
    assert [ring.verifying_key(each, NOW) is None for each in ("acme-p1", "beta-p1", "main")] == [False, True, True]
    assert watched.keys.ring("provider", "main").signing_key(NOW).key_id == "main"


def test_an_answer_is_signed_with_a_key_of_the_peer_that_asked(watched: Watched) -> None:
    """Its key ended while it was answered: never does another peer's key sign."""
    watched.write(entry("acme", keys={"casino": [key("acme-1"), key("acme-2")], "provider": [key("acme-p1")]}),
                  entry("beta"))  # fmt: skip
    asked_with = watched.keys.ring("casino").verifying_key("acme-1", NOW)
    assert asked_with is not None
    watched.put(watched.path.read_bytes(), revoked=(("casino", "acme-1"),))
    signer = Signer(watched.keys.ring("casino"), lambda: NOW)
    assert "k=acme-2," in signer.sign_response(nonce="n" * 16, status=200, body=b"", key=asked_with)
    watched.write(entry("beta"))
    with pytest.raises(NoLiveKey):
        signer.sign_response(nonce="n" * 16, status=200, body=b"", key=asked_with)


@pytest.mark.parametrize(("status", "is_known"), [("live", True), ("draining", True), ("off", False)])
def test_a_peer_that_is_off_has_no_known_key(watched: Watched, status: str, *, is_known: bool) -> None:
    ring = watched.keys.ring("provider", "acme")
    watched.write(entry("acme"))
    watched.write(entry("acme", status=status))
    assert (watched.peer_of("acme-1") is not None) is is_known
    assert (ring.verifying_key("acme-p1", NOW) is not None) is is_known
    assert watched.keys.status_of("acme") is Status(status)


def test_a_peer_that_is_gone_is_off(watched: Watched) -> None:
    watched.write(entry("acme"))
    ring = watched.keys.ring("provider", "acme")
    assert watched.keys.status_of("acme") is Status.LIVE
    watched.write()
    assert (watched.keys.status_of("acme"), watched.peer_of("acme-1")) == (Status.OFF, None)
    with pytest.raises(NoLiveKey):
        ring.signing_key(NOW)
    assert watched.keys.status_of("main") is Status.LIVE, "the environment's is there without an entry"
    watched.write(entry("acme"))
    assert ring.signing_key(NOW).key_id == "acme-p1", "and it comes back"


def test_the_entry_of_the_environments_peer_sets_its_status_and_adds_keys(watched: Watched) -> None:
    watched.write({"id": "main", "status": "draining", "keys": {"casino": [key("k2")]}})
    assert [watched.peer_of(each) for each in ("main", "k2")] == ["main", "main"]
    assert watched.keys.ring("casino", "main").signing_key(NOW).key_id == "k2"
    assert watched.keys.status_of("main") is Status.DRAINING
    assert watched.keys.peers["main"].url == MAIN_URL
    watched.write({"id": "main", "status": "off"})
    assert (watched.peer_of("main"), watched.keys.status_of("main")) == (None, Status.OFF)
    watched.write()
    assert watched.peer_of("main") == "main"


def test_a_key_ends_and_is_revoked_as_one_of_the_environment(watched: Watched) -> None:
    ended = key("acme-0", notAfter="2020-01-01T00:00:00Z")
    content = json.dumps([entry("acme", keys={"casino": [ended, key("acme-1")], "provider": [key("acme-p1")]})])
    watched.put(content.encode())
    assert [watched.peer_of(each) for each in ("acme-0", "acme-1")] == [None, "acme"]
    assert {"acme-0", "acme-1", "acme-p1", "main"} == set(watched.keys.ids()), "their revocations are read"
    watched.put(content.encode(), revoked=(("casino", "acme-1"),))
    assert watched.peer_of("acme-1") is None


def with_keys(**keys: Any) -> dict[str, Any]:
    return entry("acme", keys={"casino": [key("acme-1")], "provider": [key("acme-p1")], **keys})


ONE = entry("acme")
BAD: dict[str, tuple[Any, str]] = {
    "no list": ({}, "must be a list"),
    "too many": ([entry(f"p{number}") for number in range(PEERS_MAX + 1)], "at most 64 peers"),
    "no object": ([ONE, "acme"], "entry 2 is not an object with an id"),
    "an odd id": ([entry("a:b")], "a peer id is"),
    "one peer twice": ([ONE, ONE], "peer acme comes twice"),
    "an unknown member": ([entry("acme", colour="red")], "peer acme: the entry has unknown members: colour"),
    "a member whose name may be a secret": ([entry("acme", **{WEAK + "1": 1})], "unknown members: 1 not shown"),
    "a member that the service refuses": ([entry("acme", color="green")], "peer acme: color must be"),
    "an unknown status": ([entry("acme", status="asleep")], "status must be one of live, draining, off"),
    "a status of another kind": ([entry("acme", status=["live"])], "status must be one of"),
    "no url": (
        [{name: value for name, value in ONE.items() if name != "url"}],
        "peer acme: url is missing: the environment's peer is called main here",
    ),
    "a url with a path": ([entry("acme", url="https://acme.example/api")], "without a path"),
    "no keys": ([{name: value for name, value in ONE.items() if name != "keys"}], "keys must be an object"),
    "no key in one direction": ([with_keys(provider=[])], "it has no provider key"),
    "an unknown direction": ([with_keys(elsewhere=[])], "keys must be an object"),
    "too many keys": ([with_keys(casino=[key(f"k{number}") for number in range(17)])], "1 to 16 keys"),
    "a malformed key": ([with_keys(casino=[{"id": "acme 1", "secret": WEAK}])], "a key id is"),
    "a weak secret": ([with_keys(casino=[{"id": "acme-1", "secret": WEAK}])], "shorter than 32 bytes"),
    "a key id of another peer": ([ONE, entry("beta", keys=ONE["keys"])], "casino key acme-1 comes twice"),
    "the key id of the environment": ([with_keys(casino=[key("main")])], "casino key main comes twice"),
    "another url for the environment's peer": ([{"id": "main", "url": "http://other.test"}], "another url"),
    "a secret of both directions": (
        [with_keys(casino=[{"id": "a", "secret": secret_of("x")}], provider=[{"id": "b", "secret": secret_of("x")}])],
        "must differ",
    ),
    "a secret of two peers": (
        [ONE, entry("beta", keys={"casino": [key("b")], "provider": [{"id": "c", "secret": secret_of("acme-1")}]})],
        "must differ",
    ),
    "a secret of the environment": (
        [with_keys(casino=[{"id": "a", "secret": OWN["provider"].secret.decode()}])], "must differ",
    ),
    "a secret with another purpose": (
        [with_keys(casino=[{"id": "a", "secret": "a secret with another purpose 0123"}])], "must differ",
    ),
}  # fmt: skip
RAW = {
    "empty": (b" \n", "the file is empty"),
    "half": (b'[{"id": "acme", "keys": {"casino": [{"secret": "canary', "the file is not JSON: line 1, column 48"),
    "half, with lines": (b'[{"id": "acme",\n "url" "canary"}]', "line 2, column 8"),
    "not UTF-8": (b'["\xff"]', "not JSON in UTF-8"),
    "a member twice": (b'[{"id": "a", "id": "canary"}]', "the same member twice: id"),
    "deep": (b"[" * 100_000, "not JSON"),
    "large": (b" " * 1_048_577, "larger"),
}
CONTENTS = {name: (json.dumps(content).encode(), why) for name, (content, why) in BAD.items()} | RAW


@pytest.mark.parametrize(("content", "why"), CONTENTS.values(), ids=CONTENTS.keys())
def test_a_file_is_taken_whole_or_not_at_all_and_refused_once(watched: Watched, content: bytes, why: str) -> None:
    assert watched.write(entry("good"), {"id": "main", "status": "draining"}) == []
    (said,) = watched.put(content)
    assert why in said
    assert WEAK not in said
    assert "9f8e7d6c" not in said
    assert watched.put(content) == [], "said once"
    assert (watched.peer_of("good-1"), watched.keys.status_of("main")) == ("good", Status.DRAINING)
    assert watched.write(entry("acme")) == []
    assert (watched.peer_of("acme-1"), watched.peer_of("good-1")) == ("acme", None), "it recovers by itself"


@pytest.mark.parametrize(("content", "why"), CONTENTS.values(), ids=CONTENTS.keys())
def test_a_bad_file_refuses_the_start(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(content)
    reader = Reader({})
    directions = [Direction(name, (each,)) for name, each in OWN.items()]
    others = [("ANOTHER_SECRET", b"a secret with another purpose 0123")]
    read_peers(reader, file_at(path), directions, strict=True, others=others)
    (problem,) = reader.problems
    assert problem.startswith("X_PEERS_FILE is not usable: ")
    assert why in problem
    assert WEAK not in problem


def test_a_file_that_is_gone_leaves_its_peers_as_they_were(watched: Watched) -> None:
    watched.write(entry("acme"))
    watched.path.unlink()
    (refused,) = watched.keys.reread_files(NOW)
    assert "cannot be read" in refused.why
    assert watched.keys.reread_files(NOW) == []
    watched.keys.apply(())
    assert watched.peer_of("acme-1") == "acme"


def test_what_the_service_refuses_stays_out_and_is_said_once(watched: Watched) -> None:
    watched.path.write_text(json.dumps([entry("acme")]))
    said = []
    for _ in range(2):
        assert watched.keys.reread_files(NOW) == []
        assert [peer.peer_id for peer in watched.keys.offered or ()] == ["acme"]
        said += watched.keys.refuse_offer("a game of another peer")
        watched.keys.apply(())
    assert [refused.why for refused in said] == ["a game of another peer"]
    assert watched.peer_of("acme-1") is None


def test_an_offer_is_repeated_until_it_was_looked_at(watched: Watched) -> None:
    """The database was away when the service looked."""
    watched.path.write_text(json.dumps([entry("acme")]))
    watched.keys.reread_files(NOW)
    watched.keys.apply(())
    assert watched.peer_of("acme-1") is None
    assert watched.keys.reread_files(NOW) == []
    watched.keys.take_offer()
    watched.keys.apply(())
    assert watched.peer_of("acme-1") == "acme"


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_key_that_moves_between_two_files_waits_for_the_peers(tmp_path: Path, *, is_taken: bool) -> None:
    """Beside the present peers the file of keys would have an id twice, and no revocation could be put into force."""
    keys_path, peers_path = tmp_path / "keys.json", tmp_path / "peers.json"
    keys_path.write_text("[]")
    peers_path.write_text(json.dumps([entry("acme")]))
    file = KeyFile(keys_path, OWN["casino"].secret.decode())
    live = LiveKeys(
        [Direction("casino", (OWN["casino"],), file), Direction("provider", (OWN["provider"],))],
        peers_file=file_at(peers_path),
    )
    live.reread_files(NOW)
    live.take_offer()
    live.apply(())
    keys_path.write_text(json.dumps([key("acme-1")]))
    peers_path.write_text(json.dumps([entry("acme", keys={"casino": [key("acme-2")], "provider": [key("acme-p1")]})]))
    said = []
    for _ in range(3):
        said += live.reread_files(NOW)
        live.apply([("casino", "main")])  # while the service looks at the offer
        assert live.ring("casino").verifying_key("main", NOW) is None
        if is_taken:
            live.take_offer()
        else:
            said += live.refuse_offer("a game of another peer")
        live.apply(())
    whose = {each.key_id: each.peer for each in live.ring("casino").keys}
    assert whose == {"main": "main"} | ({"acme-1": "main", "acme-2": "acme"} if is_taken else {"acme-1": "acme"})
    assert [each.why for each in said] == ([] if is_taken else ["a game of another peer"])


def test_two_keys_that_change_places_between_two_files_are_refused(tmp_path: Path) -> None:
    """Neither file stands beside what is in force of the other one: one after the other they do."""
    keys_path, peers_path = tmp_path / "keys.json", tmp_path / "peers.json"
    keys_path.write_text(json.dumps([key("k2")]))
    peers_path.write_text(json.dumps([entry("acme")]))
    file = KeyFile(keys_path, OWN["casino"].secret.decode())
    live = LiveKeys(
        [Direction("casino", (OWN["casino"],), file), Direction("provider", (OWN["provider"],))],
        peers_file=file_at(peers_path),
    )
    live.reread_files(NOW)
    live.take_offer()
    live.apply(())
    keys_path.write_text(json.dumps([key("acme-1")]))
    peers_path.write_text(json.dumps([entry("acme", keys={"casino": [key("k2")], "provider": [key("acme-p1")]})]))
    assert [each.why for each in live.reread_files(NOW)] == ["casino key k2 comes twice"] * 2
    live.take_offer()
    live.apply(())
    assert {each.key_id: each.peer for each in live.ring("casino").keys} == {
        "main": "main",
        "k2": "main",
        "acme-1": "acme",
    }


def test_demo_mode_takes_weak_secrets(tmp_path: Path) -> None:
    weak = Watched(tmp_path / "peers.json", strict=False)
    assert weak.write(entry("acme", keys={"casino": [{"id": "a", "secret": "x"}], "provider": [key("b")]})) == []
    assert weak.peer_of("a") == "acme"


def test_sixty_four_peers_with_sixteen_keys_each_are_taken(watched: Watched) -> None:
    many = [
        entry(f"p{peer}", keys={
            direction: [key(f"{direction}-{peer}-{number}") for number in range(16)]
            for direction in ("casino", "provider")
        })
        for peer in range(PEERS_MAX)
    ]  # fmt: skip
    assert watched.write(*many) == []
    assert watched.peer_of("casino-63-15") == "p63"
