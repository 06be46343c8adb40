"""Keys at run time: revocations, mounted files, and rings that verify nothing before the first read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared_service.keys.live_keys import Direction, KeyFile, LiveKeys
from shared_service.keys.strength import NamedSecret
from shared_signing.keys import KeyConfigurationError, NoLiveKey, parse_keys

NOW = 1_763_690_000.0
MAIN, OTHER = "the main key of this direction 1a", "the main key of the other one 2b"
SECOND, THIRD = "a second key for this direction 3c", "a third key for this direction, 4d"


def live_keys(
    file: KeyFile | None = None,
    *,
    more: list[dict[str, Any]] | None = None,
    others: Sequence[NamedSecret] = (),
    strict: bool = True,
) -> LiveKeys:
    return LiveKeys(
        [
            Direction("casino", tuple(parse_keys(MAIN, json.dumps(more or []))), file),
            Direction("provider", tuple(parse_keys(OTHER, None))),
        ],
        others=others,
        strict=strict,
    )


def write(path: Path, *entries: dict[str, Any]) -> KeyFile:
    path.write_text(json.dumps(entries))
    return KeyFile(path, MAIN)


def live_ids(keys: LiveKeys) -> tuple[str, ...]:
    return keys.live_ids(NOW)["casino"]


def test_the_rings_of_a_process_know_nobody_before_the_revocations_were_read() -> None:
    """Row E5."""
    keys = live_keys()
    for ring in (keys.ring("casino"), keys.ring("provider")):
        assert ring.awaiting
        assert ring.verifying_key("main", NOW) is None
    keys.apply([("casino", "main")])
    assert keys.live_ids(NOW) == {"casino": (), "provider": ("main",)}


def test_a_revoked_key_neither_signs_nor_verifies_and_comes_back_when_the_row_goes() -> None:
    keys = live_keys(more=[{"id": "k2", "secret": SECOND}])
    keys.apply([])
    assert live_ids(keys) == ("main", "k2")
    keys.apply([("casino", "k2"), ("provider", "k2"), ("casino", "never-configured")])
    assert (live_ids(keys), keys.ring("casino").signing_key(NOW).key_id) == (("main",), "main")
    assert keys.ring("casino").verifying_key("k2", NOW) is None
    keys.apply([("provider", "main")])
    assert keys.live_ids(NOW) == {"casino": ("main", "k2"), "provider": ()}
    with pytest.raises(NoLiveKey):
        keys.ring("provider").signing_key(NOW)


def test_what_does_not_change_leaves_the_ring_alone() -> None:
    keys = live_keys()
    keys.apply([])
    before = keys.ring("casino").signing_key(NOW)
    keys.apply([])
    assert keys.ring("casino").signing_key(NOW) is before


def test_a_file_is_taken_over_when_its_content_changes(tmp_path: Path) -> None:
    keys = live_keys(write(tmp_path / "keys.json"))
    keys.apply([])
    write(tmp_path / "keys.json", {"id": "k2", "secret": SECOND})
    assert keys.reread_files(NOW) == []
    assert keys.ids() == ["k2", "main"]
    assert live_ids(keys) == ("main",), "not before it is known which of its keys are revoked"
    keys.apply([("casino", "k2")])
    assert live_ids(keys) == ("main",), "an id that was revoked stays revoked, whatever secret it is given"
    write(tmp_path / "keys.json", {"id": "main", "notAfter": "2020-01-01T00:00:00Z"}, {"id": "k3", "secret": SECOND})
    keys.reread_files(NOW)
    keys.apply([("casino", "k2")])
    assert live_ids(keys) == ("k3",)


BROKEN = {
    "half": (b'[{"id": "k2", "secret": "canary', "not JSON: line 1, column 25"),
    "empty": (b" \n", "empty"),
    "not UTF-8": (b'[{"id": "\xff"}]', "UTF-8"),
    "too large": (b" " * (65_537), "larger"),
    "too short a secret": (b'[{"id": "k2", "secret": "canary"}]', "shorter than 32 bytes"),
    "a repeated secret": (json.dumps([{"id": "k2", "secret": "canary12" * 5}]).encode(), "repeats"),
    "a line end": (json.dumps([{"id": "k2", "secret": SECOND + "\n"}]).encode(), "line end"),
    "the secret of main": (json.dumps([{"id": "k2", "secret": MAIN}]).encode(), "main and k2 have the same secret"),
    "the other direction's": (json.dumps([{"id": "k2", "secret": OTHER}]).encode(), "must differ"),
    "padded": (json.dumps([{"id": "k2", "secret": OTHER + "\0"}]).encode(), "NUL"),
}


@pytest.mark.parametrize(("content", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_start_up_would_refuse_changes_nothing_and_is_told_of_once(
    tmp_path: Path, content: bytes, why: str
) -> None:
    file = write(tmp_path / "keys.json", {"id": "k2", "secret": SECOND})
    keys = live_keys(file)
    assert keys.reread_files(NOW) == []
    keys.apply([])
    file.path.write_bytes(content)
    (refused,) = keys.reread_files(NOW)
    assert (refused.direction, keys.variable_of("casino")) == ("casino", "CASINO_KEYS_FILE")
    assert why in refused.why
    assert "canary" not in refused.why
    assert keys.reread_files(NOW) == []
    keys.apply([])
    assert live_ids(keys) == ("main", "k2")
    write(file.path, {"id": "k3", "secret": THIRD})
    assert keys.reread_files(NOW) == []
    keys.apply([])
    assert live_ids(keys) == ("main", "k3"), "it recovers by itself"


def keys_with_files(**files: KeyFile) -> LiveKeys:
    return LiveKeys([Direction(name, tuple(parse_keys(main, None)), files.get(name)) for name, main in MAINS.items()])


MAINS = {"casino": MAIN, "provider": OTHER}
K2 = json.dumps([{"id": "k2", "secret": SECOND}])
ONLY_MAIN = {"casino": ("main",), "provider": ("main",)}


@pytest.mark.parametrize("direction", ["casino", "provider"])
def test_one_direction_may_have_a_file_and_the_other_none(tmp_path: Path, direction: str) -> None:
    file = KeyFile(tmp_path / "keys.json", MAINS[direction])
    file.path.write_text("[]")
    keys = keys_with_files(**{direction: file})
    assert keys.reread_files(NOW) == []
    file.path.write_text(K2)
    assert keys.reread_files(NOW) == []
    keys.apply([])
    assert keys.live_ids(NOW) == ONLY_MAIN | {direction: ("main", "k2")}


@pytest.mark.parametrize("direction", ["casino", "provider"])
def test_one_file_changes_and_the_other_stays(tmp_path: Path, direction: str) -> None:
    files = {name: KeyFile(tmp_path / name, secret) for name, secret in MAINS.items()}
    for file in files.values():
        file.path.write_text("[]")
    keys = keys_with_files(**files)
    assert keys.reread_files(NOW) == []
    files[direction].path.write_text(K2)
    assert keys.reread_files(NOW) == []
    keys.apply([])
    assert keys.live_ids(NOW) == ONLY_MAIN | {direction: ("main", "k2")}


@pytest.mark.parametrize("direction", ["casino", "provider"])
def test_one_file_is_broken_and_the_other_is_taken_over_all_the_same(tmp_path: Path, direction: str) -> None:
    files = {name: KeyFile(tmp_path / name, secret) for name, secret in MAINS.items()}
    for name, file in files.items():
        file.path.write_text(K2 if name == direction else "")
    keys = keys_with_files(**files)
    (refused,) = keys.reread_files(NOW)
    assert refused.direction != direction
    keys.apply([])
    assert keys.live_ids(NOW) == ONLY_MAIN | {direction: ("main", "k2")}


def test_a_file_that_breaks_again_after_it_was_whole_is_told_of_again(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json")
    keys = live_keys(file)
    keys.reread_files(NOW)
    for _ in range(2):
        file.path.write_bytes(b"")
        assert len(keys.reread_files(NOW)) == 1
        write(file.path)
        assert keys.reread_files(NOW) == []


def test_a_missing_file_is_told_of_once(tmp_path: Path) -> None:
    keys = live_keys(KeyFile(tmp_path / "none.json", MAIN))
    assert [refused.why for refused in keys.reread_files(NOW)] == ["the file cannot be read (FileNotFoundError)"]
    assert keys.reread_files(NOW) == []


def test_in_demo_mode_a_file_may_hold_a_short_secret(tmp_path: Path) -> None:
    keys = live_keys(write(tmp_path / "keys.json", {"id": "k2", "secret": "short"}), strict=False)
    assert keys.reread_files(NOW) == []
    keys.apply([])
    assert live_ids(keys) == ("main", "k2")


def test_a_file_shows_no_secret() -> None:
    assert MAIN not in repr(KeyFile(Path("x"), MAIN))


def test_a_key_may_not_have_a_secret_that_serves_another_purpose(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json", {"id": "k2", "secret": SECOND})
    keys = live_keys(file, others=[("CASINO_ACCESS_TOKEN_SECRET", SECOND.encode())])
    (refused,) = keys.reread_files(NOW)
    assert refused.why == (
        "CASINO_KEYS_FILE, key k2, and CASINO_ACCESS_TOKEN_SECRET must differ: every secret has one purpose"
    )
    keys.apply([])
    assert live_ids(keys) == ("main",)


def test_main_needs_a_secret_in_a_file_too(tmp_path: Path) -> None:
    with pytest.raises(KeyConfigurationError, match="main"):
        KeyFile(tmp_path, "").parse(b"[]")


def test_a_file_that_leaves_no_live_key_changes_nothing_and_is_told_of_once(tmp_path: Path) -> None:
    ended = "2020-01-01T00:00:00Z"
    keys = live_keys(write(tmp_path / "keys.json", {"id": "k2", "secret": SECOND}))
    assert keys.reread_files(NOW) == []
    keys.apply([])
    write(tmp_path / "keys.json", {"id": "main", "notAfter": ended}, {"id": "k2", "secret": SECOND, "notAfter": ended})
    (refused,) = keys.reread_files(NOW)
    assert (refused.direction, "no live key" in refused.why) == ("casino", True)
    assert keys.reread_files(NOW) == []
    keys.apply([])
    assert live_ids(keys) == ("main", "k2")


def test_keys_of_a_file_still_end_by_time(tmp_path: Path) -> None:
    end = NOW + 60
    entries = {"id": "main", "notAfter": datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    keys = live_keys(write(tmp_path / "keys.json", entries))
    assert keys.reread_files(NOW) == []
    keys.apply([])
    assert live_ids(keys) == ("main",)
    assert keys.reread_files(end) == []
    assert keys.live_ids(end)["casino"] == ()
